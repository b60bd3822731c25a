//! Tables -> the table that a query gives, which the host computes. The ports of the manifest are the query's tables.
//!
//! What the query gives is known before a run: it is planned over the columns that stand on the ports.

use serde::Deserialize;
use stepwell::{Descriptor, Error, Field, Inputs, Plugin, Result, Tables, Transformer, query};

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "required": ["query"],
    "properties": {
        "query": {
            "type": "string", "minLength": 1,
            "description": "One SQL query; its tables are the step's inputs, by the names of their ports."
        }
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    query: Option<String>,
}

struct Sql;

impl Plugin for Sql {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let Params { query } = stepwell::params()?;
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        let descriptor = inputs.ports().fold(descriptor, |descriptor, (name, _)| descriptor.input(name, []));
        Ok(descriptor.output("table", columns(query.as_deref(), inputs)?))
    }
}

/// What the query gives; nothing while that cannot be known: without a query, or where the columns of a port are unknown.
fn columns(query: Option<&str>, inputs: &Inputs) -> Result<Vec<Field>> {
    let known = inputs.ports().all(|(_, columns)| !columns.is_empty());
    match query {
        Some(query) if known => query::columns(query, &inputs.ports().collect::<Vec<_>>()).map_err(of_parameter),
        _ => Ok(Vec::new()),
    }
}

impl Transformer for Sql {
    fn run(inputs: Tables) -> Result<Tables> {
        let Params { query } = stepwell::params()?;
        let query = query.ok_or_else(|| Error::invalid("query", "expected a query, got none"))?;
        let answer = query::run(&query, &inputs.iter().collect::<Vec<_>>()).map_err(of_parameter)?;
        Ok(Tables::new().and("table", answer))
    }
}

/// The text is called by the parameter that holds it.
fn of_parameter(error: Error) -> Error {
    match error {
        Error::InvalidInput(input) if input.name == "sql" => Error::invalid("query", input.reason),
        other => other,
    }
}

stepwell::export!(Sql: Transformer);

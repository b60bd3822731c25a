//! The numbers of any steps before it -> their sum and 1: next to no work, and an end that tells how many steps were passed.

use serde::Deserialize;
use stepwell::{DataType, Descriptor, Field, Inputs, Plugin, Result, Table, Tables, Transformer, report};

const COLUMN: &str = "count";
/// Whatever item it is told, it does the same; asked to, it says first that it began.
const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {"item": {"type": "integer", "default": 0}, "say": {"type": "boolean", "default": false}}
}"#;

#[derive(Deserialize)]
struct Params {
    #[serde(default)]
    say: bool,
}

struct Relay;

impl Plugin for Relay {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let count = || vec![Field::new(COLUMN, DataType::Int64)];
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS).output("table", count());
        Ok(inputs.ports().fold(descriptor, |descriptor, (port, _)| descriptor.input(port, count())))
    }
}

impl Transformer for Relay {
    fn run(inputs: Tables) -> Result<Tables> {
        let Params { say } = stepwell::params()?;
        if say {
            report::info("began");
        }
        let mut count = 1;
        for (_, before) in inputs.iter() {
            count += before.i64(COLUMN)?.iter().flatten().sum::<i64>();
        }
        Ok(Tables::new().and("table", Table::builder().column(COLUMN, vec![count]).finish()?))
    }
}

stepwell::export!(Relay: Transformer);

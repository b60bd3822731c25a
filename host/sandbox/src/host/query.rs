//! `stepwell:data/query`: SQL over tables under handles, by crate `query`.

use crate::bindings::WitError;
use crate::bindings::stepwell::data::query::{Field, Host};
use crate::bindings::stepwell::platform::errors;
use crate::convert;
use crate::state::{Answer, Failure, State};
use data::Table;
use query::{Answered, Bounds, Limited};
use types::{Fault, LimitKind, Schema};
use wasmtime::component::Resource;

impl Host for State {
    fn run(&mut self, sql: String, tables: Vec<(String, Resource<Table>)>) -> Answer<Resource<Table>> {
        self.enter()?;
        let bounds = self.query_bounds();
        let mut named = Vec::with_capacity(tables.len());
        for (name, handle) in &tables {
            named.push((name.as_str(), self.resources.get(handle)?));
        }
        self.usage.read_time |= query::may_read_time(&sql);
        match query::run(&sql, &named, &bounds) {
            Ok(Answered { table, spilled_bytes }) => {
                self.usage.spilled(spilled_bytes);
                self.hold(table)
            }
            Err(error) => Err(self.unanswered(error)),
        }
    }

    fn columns(&mut self, sql: String, tables: Vec<(String, Vec<Field>)>) -> Answer<Vec<Field>> {
        self.enter()?;
        let bounds = self.query_bounds();
        let mut named = Vec::with_capacity(tables.len());
        for (name, fields) in tables {
            let schema = Schema { fields: fields.into_iter().map(convert::field_in).collect() };
            data::check_schema(&schema)?;
            named.push((name, schema));
        }
        let named: Vec<(&str, &Schema)> = named.iter().map(|(name, schema)| (name.as_str(), schema)).collect();
        match query::columns(&sql, &named, &bounds) {
            Ok(schema) => Ok(schema.fields.iter().map(convert::field_out).collect()),
            Err(error) => Err(self.unanswered(error)),
        }
    }
}

impl State {
    /// What a query may use of what the step may.
    fn query_bounds(&self) -> Bounds {
        Bounds {
            cores: query::cores(),
            // The other half is for the guest, its tables and the answer.
            memory_bytes: self.limits.memory_bytes / 2,
            disk_bytes: self.limits.disk_bytes.saturating_sub(self.usage.disk_bytes),
            scratch: self.doors.scratch(),
            rows: self.limits.rows,
            output_bytes: self.limits.output_bytes,
            logical_time_us: self.logical_time_us,
        }
    }

    /// What the guest is told, or the end of it where a limit was reached.
    fn unanswered(&mut self, error: query::Error) -> Failure {
        match error {
            query::Error::Limit { limited } => {
                self.overran(&limited);
                self.trip(beyond(limited, self.limits.memory_bytes)).into()
            }
            other => other.into(),
        }
    }

    /// What was too much stands in the receipt, too.
    fn overran(&mut self, Limited { limit, used, .. }: &Limited) {
        let counter = match limit {
            LimitKind::Rows => &mut self.usage.rows_out,
            LimitKind::Output => &mut self.usage.bytes_out,
            LimitKind::Disk => &mut self.usage.disk_bytes,
            _ => return,
        };
        *counter = (*counter).max(*used);
    }
}

fn beyond(Limited { limit, used, most }: Limited, memory_bytes: u64) -> Fault {
    match limit {
        LimitKind::Memory => {
            let limit = types::Quantity::Bytes(memory_bytes);
            let message = format!("the query needs more memory than half of the step's limit `memory` of {limit}");
            Fault::limit(LimitKind::Memory, message)
        }
        other => Fault::beyond(other, format!("the query gives or puts aside {}", other.quantity(used).about()), most),
    }
}

impl From<query::Error> for Failure {
    fn from(error: query::Error) -> Self {
        let invalid = |name: &str, reason: String| {
            Self::Told(WitError::InvalidInput(errors::InvalidInput { name: name.to_owned(), reason }))
        };
        match error {
            query::Error::Text { spot, message, hint, excerpt } => {
                let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                let excerpt = excerpt.replace('\n', "\n  ");
                invalid("sql", format!("{spot}: {message}{hint}\n  {excerpt}"))
            }
            query::Error::Value(message) => invalid("sql", message),
            query::Error::Table { ref table, .. } => invalid(table, error.to_string()),
            query::Error::Engine(_) => Self::Told(WitError::Permanent(format!(
                "{error}; that is the engine's bug: write the query in another way"
            ))),
            query::Error::Limit { .. } | query::Error::Host(_) => Self::Trap(wasmtime::Error::msg(error.to_string())),
        }
    }
}

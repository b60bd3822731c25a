//! The numbers of any steps before it -> their sum and 1: next to no work, and an end that tells how many steps were passed.

use stepwell::{DataType, Descriptor, Field, Inputs, Plugin, Result, Table, Tables, Transformer};

const COLUMN: &str = "count";
/// Whatever it is told, it does the same.
const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {"item": {"type": "integer", "default": 0}}
}"#;

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
        let mut count = 1;
        for (_, before) in inputs.iter() {
            count += before.i64(COLUMN)?.iter().flatten().sum::<i64>();
        }
        Ok(Tables::new().and("table", Table::builder().column(COLUMN, vec![count]).finish()?))
    }
}

stepwell::export!(Relay: Transformer);

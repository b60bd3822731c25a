//! A model that does with a row what its `x` says, and else multiplies that; of other columns it takes no notice. For
//! `host/cli/tests/batches.rs`, `soak.rs` and others.

use serde::{Deserialize, Serialize};
use stepwell::{DataType, Descriptor, Error, Field, Inputs, Plugin, Predictor, Result, SavedFiles, Table};
use stepwell::{Trained, Trainer, Training};

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "factor": { "type": "number", "default": 2 },
        "obeys": { "type": "boolean", "default": true, "description": "Whether it does what a row says." }
    }
}"#;

/// By what it multiplies, and whether it does anything else; the parameters of its training.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moody {
    #[serde(default = "two")]
    factor: f64,
    #[serde(default = "yes")]
    obeys: bool,
}

fn two() -> f64 {
    2.0
}

fn yes() -> bool {
    true
}

/// Rows that are not multiplied, by their number.
const REFUSED: f64 = -1.0;
const TRAPPED: f64 = -2.0;
const ENDLESS: f64 = -3.0;
const GREEDY: f64 = -4.0;
/// Multiplied, after some tenths of a second.
const SLOW: f64 = -5.0;

fn output() -> Field {
    Field::new("multiplied", DataType::Float64)
}

impl Trainer for Moody {
    fn train(training: &Training) -> Result<Trained> {
        let files = SavedFiles::new().json("model.json", &stepwell::params::<Moody>()?)?;
        let reads = training.reads()?.into_iter();
        let inputs = reads.map(|column| Field { nullable: column.name != "x", ..column }).collect();
        Ok(Trained { files, inputs, outputs: vec![output()], measures: Vec::new() })
    }
}

impl Predictor for Moody {
    fn load(files: &SavedFiles) -> Result<Self> {
        files.read_json("model.json")
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        let values = rows.f64("x")?.required()?;
        for (row, value) in values.iter().enumerate().filter(|_| self.obeys) {
            match *value {
                REFUSED => return Err(Error::invalid("x", format!("refused row {row}"))),
                TRAPPED => panic!("as asked"),
                ENDLESS => loop {
                    std::hint::black_box(value);
                },
                GREEDY => drop(std::hint::black_box(vec![1_u8; 1 << 30])),
                SLOW => (0..300_000_000_u64).for_each(|turn| drop(std::hint::black_box(turn))),
                _ => {}
            }
        }
        let multiplied: Vec<f64> = values.iter().map(|x| self.factor * x).collect();
        Table::builder().column("multiplied", multiplied).finish()
    }
}

impl Plugin for Moody {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let read = inputs.columns("features");
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS).input("train", read);
        Ok(descriptor.output_same_rows("predictions", vec![output()], "train"))
    }
}

stepwell::export!(Moody: Trainer + Predictor);

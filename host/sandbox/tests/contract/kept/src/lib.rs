//! Every role of the contract in one plugin, each doing the least that shows that it was called, and with what; and, as a
//! transformer with the parameter `calls`, every function that a plugin may import.

mod calls;

use calls::Calls;
use serde::{Deserialize, Serialize};
use stepwell::{
    Collector, DataType, Delivery, Descriptor, Error, Evaluator, Field, Finding, Inputs, Measure, Page, Plugin,
    Predictor, Receipt, Result, RowWise, SavedFiles, Severity, Sink, Table, Tables, Trained, Trainer, Training,
    Transformer, Validator,
};

#[derive(Serialize, Deserialize)]
struct Kept {
    mean: f64,
}

const STATE: &str = "mean";
const PARAMETERS: &str =
    r#"{"type": "object", "properties": {"calls": {"type": "string"}, "url": {"type": "string"}}}"#;

impl Kept {
    fn of(rows: &Table) -> Result<Self> {
        let values = rows.f64("value")?.required()?;
        Ok(Self { mean: values.iter().sum::<f64>() / values.len().max(1) as f64 })
    }

    fn files(&self) -> SavedFiles {
        SavedFiles::new().bytes(STATE, self.mean.to_le_bytes().to_vec())
    }

    fn from(files: &SavedFiles) -> Result<Self> {
        let bytes = files.read(STATE)?.try_into().map_err(|_| Error::invalid(STATE, "expected eight bytes"))?;
        Ok(Self { mean: f64::from_le_bytes(bytes) })
    }
}

fn value() -> Vec<Field> {
    vec![Field::new("value", DataType::Float64)]
}

impl Plugin for Kept {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS).learns();
        let descriptor = descriptor.input("rows", value()).output_same_rows("rows", inputs.columns("rows"), "rows");
        Ok(descriptor.output("table", value()))
    }
}

impl Collector for Kept {
    fn discover() -> Result<Vec<Field>> {
        Ok(value())
    }

    fn read(cursor: Option<Vec<u8>>) -> Result<Page> {
        let first = cursor.is_none();
        let table = Table::builder().column("value", vec![if first { 1.0 } else { 2.0 }]).finish()?;
        Ok(Page { table, next_cursor: b"next".to_vec(), more: first, restarted: false })
    }
}

impl Transformer for Kept {
    fn run(inputs: Tables) -> Result<Tables> {
        let table = inputs.get("table")?;
        let params: serde_json::Value = stepwell::params()?;
        match params["calls"].as_str() {
            Some(part) => Ok(Tables::new().and("calls", Calls::of(part, table, &params["url"])?)),
            None => Ok(Tables::new().and("table", table.take(&[1, 0])?)),
        }
    }
}

impl RowWise for Kept {
    fn fit(rows: &Table) -> Result<Self> {
        Self::of(rows)
    }

    fn apply(&self, rows: &Table) -> Result<Table> {
        rows.with("value", rows.f64("value")?.map(|value| value - self.mean))
    }

    fn save(&self) -> Result<SavedFiles> {
        Ok(self.files())
    }

    fn restore(files: &SavedFiles) -> Result<Self> {
        Self::from(files)
    }
}

impl Validator for Kept {
    fn check(rows: &Table, reference: Option<&Table>) -> Result<Vec<Finding>> {
        let passed = reference.is_some_and(|reference| reference.rows() == rows.rows());
        Ok(vec![Finding {
            check: "rows".into(),
            column: Some("value".into()),
            severity: Severity::Warning,
            passed,
            observed: "these".into(),
            expected: "as many".into(),
            sample: vec![0],
        }])
    }
}

impl Trainer for Kept {
    fn train(training: &Training) -> Result<Trained> {
        let model = Self::of(&training.train)?;
        let measures = vec![("mean".into(), model.mean)];
        Ok(Trained {
            files: model.files(),
            inputs: value(),
            outputs: vec![Field::new("mean", DataType::Float64)],
            measures,
        })
    }
}

impl Predictor for Kept {
    fn load(files: &SavedFiles) -> Result<Self> {
        Self::from(files)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        Table::builder().column("mean", vec![self.mean; rows.rows() as usize]).finish()
    }
}

impl Evaluator for Kept {
    fn evaluate(candidate: &Table, baseline: Option<&Table>, slices: &[String]) -> Result<Vec<Measure>> {
        let baseline_value = baseline.map(Self::of).transpose()?.map(|kept| kept.mean);
        Ok(vec![Measure {
            name: "mean".into(),
            slice: slices.first().cloned(),
            value: Self::of(candidate)?.mean,
            interval: None,
            baseline_value,
            difference_interval: None,
        }])
    }
}

impl Sink for Kept {
    fn deliver(key: &str, delivery: Delivery) -> Result<Receipt> {
        match delivery {
            Delivery::Table(_) => Ok(Receipt { location: key.into(), repeated: false }),
            _ => Err(Error::invalid("delivery", "expected a table")),
        }
    }
}

stepwell::export!(
    Kept: Collector + Transformer + RowWise + Validator + Trainer + Predictor + Evaluator + Sink
);

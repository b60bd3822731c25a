//! Every role at once -> a panic in the export that the parameter `at` says. For `stepwell doctor`.
//!
//! A component of several roles is none that a pipeline takes: nobody comes to use it by mistake.

use serde::{Deserialize, Serialize};
use stepwell::{
    Collector, Delivery, Descriptor, Evaluator, Field, Finding, Inputs, Measure, Page, Plugin, Predictor, Receipt,
    Result, RowWise, SavedFiles, Sink, Table, Tables, Trained, Trainer, Training, Transformer, Validator,
};

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {"at": {"type": "string", "description": "The export that panics."}}
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default)]
    at: String,
}

/// Panics if this is the export to do so.
fn entered(export: &str) -> Result<()> {
    let Params { at } = stepwell::params()?;
    assert!(at != export, "this plugin panics in `{export}`");
    Ok(())
}

fn nothing() -> Result<Table> {
    Table::builder().finish()
}

#[derive(Serialize, Deserialize)]
struct Panics;

impl Plugin for Panics {
    fn describe(_inputs: &Inputs) -> Result<Descriptor> {
        entered("describe")?;
        Ok(stepwell::descriptor!().parameters(PARAMETERS))
    }
}

impl Collector for Panics {
    fn discover() -> Result<Vec<Field>> {
        entered("discover")?;
        Ok(Vec::new())
    }

    fn read(_cursor: Option<Vec<u8>>) -> Result<Page> {
        entered("read")?;
        Ok(Page { table: nothing()?, next_cursor: Vec::new(), more: false, restarted: false })
    }
}

impl Transformer for Panics {
    fn run(_inputs: Tables) -> Result<Tables> {
        entered("run")?;
        Ok(Tables::new())
    }
}

impl RowWise for Panics {
    fn fit(rows: &Table) -> Result<Self> {
        // Restored from no files, a plugin begins as if from no rows.
        entered(if rows.schema().is_empty() { "restore" } else { "fit" })?;
        Ok(Self)
    }

    fn apply(&self, rows: &Table) -> Result<Table> {
        entered("apply")?;
        Ok(rows.slice(0, rows.rows()))
    }

    fn save(&self) -> Result<SavedFiles> {
        entered("save")?;
        Ok(SavedFiles::new())
    }

    fn restore(_files: &SavedFiles) -> Result<Self> {
        entered("restore")?;
        Ok(Self)
    }
}

impl Validator for Panics {
    fn check(_rows: &Table, _reference: Option<&Table>) -> Result<Vec<Finding>> {
        entered("check")?;
        Ok(Vec::new())
    }
}

impl Trainer for Panics {
    fn train(_training: &Training) -> Result<Trained> {
        entered("train")?;
        let (inputs, outputs, measures) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Trained { files: SavedFiles::new(), inputs, outputs, measures })
    }
}

impl Predictor for Panics {
    fn load(_files: &SavedFiles) -> Result<Self> {
        entered("load")?;
        Ok(Self)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        entered("predict")?;
        Ok(rows.slice(0, rows.rows()))
    }
}

impl Evaluator for Panics {
    fn evaluate(_candidate: &Table, _baseline: Option<&Table>, _slices: &[String]) -> Result<Vec<Measure>> {
        entered("evaluate")?;
        // One that no record could hold.
        let (name, slice, value, interval) = ("odd".to_owned(), None, f64::NAN, None);
        Ok(vec![Measure { name, slice, value, interval, baseline_value: None, difference_interval: None }])
    }
}

impl Sink for Panics {
    fn deliver(_key: &str, _delivery: Delivery) -> Result<Receipt> {
        entered("deliver")?;
        Ok(Receipt { location: String::new(), repeated: false })
    }
}

stepwell::export!(
    Panics: Collector + Transformer + RowWise + Validator + Trainer + Predictor + Evaluator + Sink
);

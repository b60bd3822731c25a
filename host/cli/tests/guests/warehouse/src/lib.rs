//! Whatever comes -> a line of log with its key. For `host/cli/tests/deliveries.rs`.
//!
//! With `stall` the first attempt delivers and never ends: it is there to be killed before anybody knows of the delivery.

use serde::Deserialize;
use stepwell::{Delivery, Descriptor, Inputs, Plugin, Receipt, Result, Sink, checkpoint, report};

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {"stall": {"type": "boolean", "default": false}}
}"#;

#[derive(Deserialize)]
struct Params {
    #[serde(default)]
    stall: bool,
}

struct Warehouse;

impl Sink for Warehouse {
    fn deliver(key: &str, delivery: Delivery) -> Result<Receipt> {
        let Params { stall } = stepwell::params()?;
        let repeated = checkpoint::load().is_some();
        checkpoint::save(key.as_bytes())?;
        report::info(format!("{key}: {}", contents(&delivery)));
        while stall && !repeated {
            std::hint::spin_loop();
        }
        Ok(Receipt { location: format!("shelf {key}"), repeated })
    }
}

fn contents(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Table(rows) => format!("{} rows of {} columns", rows.rows(), rows.schema().len()),
        Delivery::Report(report) => report.clone(),
        Delivery::Model { files, about } => {
            let sizes = files.0.iter().map(|file| format!("{} of {} bytes", file.name, file.content.len()));
            format!("{} {about}", sizes.collect::<Vec<_>>().join(", "))
        }
    }
}

impl Plugin for Warehouse {
    fn describe(_inputs: &Inputs) -> Result<Descriptor> {
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        Ok(descriptor.input("table", []).input("report", []).input("model", []))
    }
}

stepwell::export!(Warehouse: Sink);

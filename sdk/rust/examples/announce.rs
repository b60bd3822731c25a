//! Announces a report in the step's log. A log keeps what was said twice, so a reader tells repetitions by the key.

use stepwell::{Delivery, Descriptor, Error, Inputs, Plugin, Receipt, Result, Sink, report};

struct Announce;

impl Sink for Announce {
    fn deliver(key: &str, delivery: Delivery) -> Result<Receipt> {
        let Delivery::Report(report) = delivery else {
            return Err(Error::invalid("delivery", "expected a report"));
        };
        report::info(format!("{key}: {report}"));
        Ok(Receipt { location: "the step's log".into(), repeated: false })
    }
}

impl Plugin for Announce {
    fn describe(_inputs: &Inputs) -> Result<Descriptor> {
        Ok(stepwell::descriptor!().input("report", []))
    }
}

stepwell::export!(Announce: Sink);

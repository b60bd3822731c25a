//! Tells how many rows it was given, in the step's log, under the key of the delivery.

use stepwell::{Delivery, Descriptor, Error, Inputs, Plugin, Receipt, Result, Sink, report};

/// An attempt that was cut off is followed by another with the same key: send it along, so that whoever receives the rows
/// can tell a repetition.
fn line(key: &str, rows: u64) -> String {
    format!("{key}: {rows} rows")
}

struct Told;

impl Sink for Told {
    fn deliver(key: &str, delivery: Delivery) -> Result<Receipt> {
        let Delivery::Table(rows) = delivery else {
            return Err(Error::invalid("delivery", "expected a table"));
        };
        report::info(line(key, rows.rows()));
        Ok(Receipt { location: "the step's log".into(), repeated: false })
    }
}

impl Plugin for Told {
    fn describe(_inputs: &Inputs) -> Result<Descriptor> {
        Ok(stepwell::descriptor!().input("table", []))
    }
}

stepwell::export!(Told: Sink);

#[cfg(test)]
mod tests {
    #[test]
    fn the_rows_are_told_under_their_key() {
        assert_eq!(super::line("default/daily/run-1/out", 2), "default/daily/run-1/out: 2 rows");
    }
}

//! Brings whole numbers and their squares, a page at a time. In place of them, read your source: `stepwell::files::open`
//! reads a file that the pipeline grants.

use serde::Deserialize;
use std::ops::Range;
use stepwell::{Collector, DataType, Descriptor, Error, Field, Inputs, Page, Plugin, Result, Table};

/// Rows of a page: what is committed together, and read again if the run is interrupted.
const PAGE_ROWS: i64 = 1000;

const PARAMETERS: &str = r#"{
    "type": "object", "additionalProperties": false,
    "properties": {"rows": {"type": "integer", "minimum": 0, "default": 100, "description": "How many rows there are."}}
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default = "hundred")]
    rows: i64,
}

fn hundred() -> i64 {
    100
}

fn fields() -> Vec<Field> {
    vec![Field::new("number", DataType::Int64), Field::new("square", DataType::Int64)]
}

/// The numbers of the page at a cursor, which is where an earlier page ended.
fn page(cursor: Option<&[u8]>, rows: i64) -> Result<Range<i64>> {
    let start = match cursor.map(str::from_utf8) {
        None => 0,
        Some(text) => text
            .ok()
            .and_then(|text| text.parse::<i64>().ok())
            .filter(|start| *start >= 0)
            .ok_or_else(|| Error::invalid("cursor", "expected what this plugin gave"))?,
    };
    Ok(start..start.max(rows.min(start.saturating_add(PAGE_ROWS))))
}

struct Numbers;

impl Collector for Numbers {
    fn discover() -> Result<Vec<Field>> {
        Ok(fields())
    }

    fn read(cursor: Option<Vec<u8>>) -> Result<Page> {
        let Params { rows } = stepwell::params()?;
        let page = page(cursor.as_deref(), rows)?;
        let squares: Vec<i64> = page.clone().map(|number| number.wrapping_mul(number)).collect();
        let numbers: Vec<i64> = page.clone().collect();
        let table = Table::builder().column("number", numbers).column("square", squares).finish()?;
        Ok(Page { table, next_cursor: page.end.to_string().into_bytes(), more: page.end < rows, restarted: false })
    }
}

impl Plugin for Numbers {
    fn describe(_inputs: &Inputs) -> Result<Descriptor> {
        Ok(stepwell::descriptor!().parameters(PARAMETERS).output("table", fields()))
    }
}

stepwell::export!(Numbers: Collector);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        assert_eq!(page(None, 1500), Ok(0..1000));
        assert_eq!(page(Some(b"1000"), 1500), Ok(1000..1500));
        assert_eq!(page(Some(b"1500"), 1500), Ok(1500..1500));
        assert!(page(Some(b"-1"), 1500).is_err());
    }
}

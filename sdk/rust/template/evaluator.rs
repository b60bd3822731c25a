//! Measures predictions of numbers: the mean absolute error, over all rows and over each slice.

use serde::Deserialize;
use std::collections::BTreeMap;
use stepwell::{Descriptor, Evaluator, Field, Inputs, Measure, Plugin, Result, Table, field};

const PARAMETERS: &str = r#"{
    "type": "object", "required": ["label"], "additionalProperties": false,
    "properties": {
        "label": {"type": "string", "description": "Column of the true number."},
        "prediction": {"type": "string", "default": "prediction", "description": "Column of the predicted number."}
    }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    label: String,
    #[serde(default = "prediction")]
    prediction: String,
}

fn prediction() -> String {
    "prediction".into()
}

impl Params {
    /// How far each row is off.
    fn errors(&self, table: &Table) -> Result<Vec<f64>> {
        let (labels, predictions) = (table.f64(&self.label)?.required()?, table.f64(&self.prediction)?.required()?);
        Ok(labels.iter().zip(&predictions).map(|(label, prediction)| (label - prediction).abs()).collect())
    }
}

/// The mean over some rows; 0 over none.
fn mean(errors: &[f64], rows: &[usize]) -> f64 {
    let sum: f64 = rows.iter().filter_map(|row| errors.get(*row)).sum();
    sum / rows.len().max(1) as f64
}

/// The rows of each value of a column, by the slice's name.
fn slices(column: &str, values: impl Iterator<Item = Option<String>>) -> BTreeMap<String, Vec<usize>> {
    let mut slices: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, value) in values.enumerate() {
        slices.entry(format!("{column}={}", value.as_deref().unwrap_or("null"))).or_default().push(row);
    }
    slices
}

struct MeanAbsoluteError;

impl Evaluator for MeanAbsoluteError {
    fn evaluate(candidate: &Table, baseline: Option<&Table>, slice_by: &[String]) -> Result<Vec<Measure>> {
        let params: Params = stepwell::params()?;
        let errors = params.errors(candidate)?;
        let baseline = baseline.map(|table| params.errors(table)).transpose()?;
        let measure = |slice: Option<String>, rows: &[usize]| Measure {
            name: "mean_absolute_error".into(),
            slice,
            value: mean(&errors, rows),
            interval: None,
            baseline_value: baseline.as_ref().map(|errors| mean(errors, rows)),
            difference_interval: None,
        };
        let mut measures = vec![measure(None, &(0..errors.len()).collect::<Vec<_>>())];
        for column in slice_by {
            let values = candidate.categories(column)?;
            let slices = slices(column, values.iter().map(|value| value.cloned()));
            measures.extend(slices.into_iter().map(|(slice, rows)| measure(Some(slice), &rows)));
        }
        Ok(measures)
    }
}

impl Plugin for MeanAbsoluteError {
    /// `baseline` is optional, so it is named only where it is wired, or a person asks.
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let mut descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        if inputs.is_empty() {
            return Ok(descriptor.input("candidate", []).input("baseline", []));
        }
        let Params { label, prediction } = stepwell::params()?;
        for port in ["candidate", "baseline"] {
            let Some(columns) = inputs.port(port) else { continue };
            let read = |name: &String| field::require(columns, name).cloned();
            let read: Vec<Field> = [&label, &prediction].into_iter().map(read).collect::<Result<_>>()?;
            descriptor = descriptor.input(port, read);
        }
        Ok(descriptor)
    }
}

stepwell::export!(MeanAbsoluteError: Evaluator);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_share_the_rows_among_them() {
        let values = [Some("a"), None, Some("a")].map(|value| value.map(str::to_owned));
        let slices = slices("x", values.into_iter());
        assert_eq!(slices, BTreeMap::from([("x=a".into(), vec![0, 2]), ("x=null".into(), vec![1])]));
        assert_eq!(mean(&[1.0, 5.0, 3.0], &slices["x=a"]), 2.0);
        assert_eq!(mean(&[], &[]), 0.0);
    }
}

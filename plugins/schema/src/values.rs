//! One rule over the values of one column -> the rows that break it.

use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use stepwell::{AnyColumn, DataType, Error, Result};

/// Rows that a finding shows, at most.
const SAMPLE_ROWS: usize = 20;

#[derive(Debug, PartialEq)]
pub(crate) enum Rule {
    NotNull,
    Min(f64),
    Max(f64),
    /// As [`key`] writes them.
    Allowed(BTreeSet<String>),
    Unique,
}

impl Rule {
    /// The values allowed in a column of this type; `parameter` is what errors call them.
    pub(crate) fn allowed(values: &[Value], data_type: DataType, parameter: &str) -> Result<Self> {
        let written = |value: &Value| match (data_type, value) {
            (DataType::Text, Value::String(text)) => Some(text.clone()),
            (DataType::Boolean, Value::Bool(value)) => Some(value.to_string()),
            (DataType::Int64, Value::Number(number)) => number.as_i64().map(|value| value.to_string()),
            (DataType::Float64, Value::Number(number)) => number.as_f64().map(float_key),
            (DataType::Float32, Value::Number(number)) => {
                number.as_f64().map(|value| float_key(f64::from(value as f32)))
            }
            _ => None,
        };
        let checked = |value| {
            let name = data_type.name();
            written(value)
                .ok_or_else(|| Error::invalid(parameter, format!("expected values of type `{name}`, got {value}")))
        };
        Ok(Self::Allowed(values.iter().map(checked).collect::<Result<_>>()?))
    }

    /// What the finding calls it: the parameter's name.
    pub(crate) fn check(&self) -> &'static str {
        match self {
            Self::NotNull => "nullable",
            Self::Min(_) => "min",
            Self::Max(_) => "max",
            Self::Allowed(_) => "values",
            Self::Unique => "unique",
        }
    }

    pub(crate) fn expected(&self) -> String {
        match self {
            Self::NotNull => "a value in every row".into(),
            Self::Min(bound) => format!("at least {bound}"),
            Self::Max(bound) => format!("at most {bound}"),
            Self::Allowed(values) => {
                let shown: Vec<String> = values.iter().take(SAMPLE_ROWS).map(|value| format!("`{value}`")).collect();
                let more = if values.len() > shown.len() { ", .." } else { "" };
                format!("one of {}{more}", shown.join(", "))
            }
            Self::Unique => "each value once".into(),
        }
    }
}

/// The rows that break a rule.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Violations {
    pub(crate) count: u64,
    /// Of all rows looked at.
    rows: u64,
    /// The first of them.
    pub(crate) sample: Vec<u64>,
    /// What stands in the first of them.
    first: String,
}

impl Violations {
    pub(crate) fn observed(&self) -> String {
        match self.count {
            0 => format!("as expected in {} rows", self.rows),
            count => format!("{count} of {} rows, first {}", self.rows, self.first),
        }
    }

    fn add(&mut self, row: u64, value: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = value();
        }
        if self.sample.len() < SAMPLE_ROWS {
            self.sample.push(row);
        }
        self.count += 1;
    }
}

pub(crate) fn violations(rule: &Rule, chunks: impl Iterator<Item = Result<AnyColumn>>) -> Result<Violations> {
    let mut violations = Violations::default();
    let mut seen = HashSet::new();
    for chunk in chunks {
        let chunk = chunk?;
        let start = violations.rows;
        violations.rows += chunk.len() as u64;
        match rule {
            Rule::NotNull => {
                let nulls = (0..chunk.len()).filter(|row| chunk.is_null(*row));
                nulls.for_each(|row| violations.add(start + row as u64, || "null".into()));
            }
            Rule::Min(bound) => out_of_range(chunk, start, &mut violations, |value| value >= *bound)?,
            Rule::Max(bound) => out_of_range(chunk, start, &mut violations, |value| value <= *bound)?,
            Rule::Allowed(allowed) => {
                for (row, key) in keys(&chunk) {
                    if !allowed.contains(&key) {
                        violations.add(start + row as u64, || format!("`{key}`"));
                    }
                }
            }
            Rule::Unique => {
                for (row, key) in keys(&chunk) {
                    if seen.contains(&key) {
                        violations.add(start + row as u64, || format!("`{key}` again"));
                    } else {
                        seen.insert(key);
                    }
                }
            }
        }
    }
    Ok(violations)
}

fn out_of_range(chunk: AnyColumn, start: u64, violations: &mut Violations, holds: impl Fn(f64) -> bool) -> Result<()> {
    for (row, value) in chunk.into_f64()?.iter().enumerate() {
        if let Some(value) = value.filter(|value| !holds(**value)) {
            violations.add(start + row as u64, || value.to_string());
        }
    }
    Ok(())
}

/// The rows that have a value, with a text that equal values share.
fn keys(chunk: &AnyColumn) -> impl Iterator<Item = (usize, String)> + '_ {
    (0..chunk.len()).filter_map(|row| Some((row, key(chunk, row)?)))
}

fn key(chunk: &AnyColumn, row: usize) -> Option<String> {
    Some(match chunk {
        AnyColumn::Boolean(column) => column.get(row)?.to_string(),
        AnyColumn::Int64(column) => column.get(row)?.to_string(),
        AnyColumn::Float32(column) => float_key(f64::from(*column.get(row)?)),
        AnyColumn::Float64(column) => float_key(*column.get(row)?),
        AnyColumn::Text(column) => column.get(row)?.clone(),
        AnyColumn::Bytes(column) => format!("{:?}", column.get(row)?),
        AnyColumn::Timestamp(column) => column.get(row)?.0.to_string(),
        AnyColumn::Date(column) => column.get(row)?.0.to_string(),
        AnyColumn::Vector(column, _) => format!("{:?}", column.get(row)?),
    })
}

/// The shortest text that reads back as the same number; -0 is 0.
fn float_key(value: f64) -> String {
    (value + 0.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(rule: Rule, chunks: Vec<AnyColumn>, rows: &[u64], observed: &str) {
        let violations = violations(&rule, chunks.into_iter().map(Ok)).unwrap();
        assert_eq!((violations.sample.as_slice(), violations.observed().as_str()), (rows, observed), "{rule:?}");
    }

    #[test]
    fn rows_are_counted_over_chunks() {
        let ages = || vec![vec![Some(3.0), None].into(), vec![Some(-1.0), Some(f64::NAN)].into()];
        check(Rule::NotNull, ages(), &[1], "1 of 4 rows, first null");
        check(Rule::Min(0.0), ages(), &[2, 3], "2 of 4 rows, first -1");
        check(Rule::Max(2.0), ages(), &[0, 3], "2 of 4 rows, first 3");
        check(Rule::Unique, ages(), &[], "as expected in 4 rows");
        check(Rule::NotNull, vec![], &[], "as expected in 0 rows");
    }

    #[test]
    fn values_are_compared_in_the_columns_type() {
        let allowed =
            |values: Value, data_type| Rule::allowed(values.as_array().unwrap(), data_type, "values").unwrap();
        let texts = vec![vec!["a".to_string(), "b".into(), "a".into()].into()];
        check(allowed(json!(["a"]), DataType::Text), texts.clone(), &[1], "1 of 3 rows, first `b`");
        check(Rule::Unique, texts, &[2], "1 of 3 rows, first `a` again");
        check(
            allowed(json!([0, 1.5]), DataType::Float64),
            vec![vec![-0.0, 1.5, 2.0].into()],
            &[2],
            "1 of 3 rows, first `2`",
        );
        check(allowed(json!([0.1]), DataType::Float32), vec![vec![0.1_f32].into()], &[], "as expected in 1 rows");
        assert!(Rule::allowed(&[json!(1.5)], DataType::Int64, "values").is_err());
    }

    #[test]
    fn a_sample_is_bounded() {
        let nulls: Vec<Option<bool>> = vec![None; 100];
        let violations = violations(&Rule::NotNull, [Ok(nulls.into())].into_iter()).unwrap();
        assert_eq!((violations.count, violations.sample.len()), (100, 20));
    }
}

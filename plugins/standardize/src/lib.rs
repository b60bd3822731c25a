//! Numeric columns -> the same columns with mean 0 and standard deviation 1, as learnt from the training rows.
//!
//! Fitting reads each column twice, chunk by chunk (mean, then variance), in the order of the rows. The deviation is the
//! population's (ddof = 0) and a constant column has scale 1, both as in scikit-learn's `StandardScaler`. Nulls are left
//! out of fitting and stay null. An int64 column must be named to be scaled, and becomes float64; float32 stays float32.

use serde::{Deserialize, Serialize};
use std::cell::Cell;
use stepwell::{DataType, Descriptor, Error, Field, Inputs, Plugin, Result, RowWise, Table, field, report};

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "columns": {
            "type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true,
            "description": "Columns to scale; by default every float32 and float64 column."
        },
        "except": {
            "type": "array", "items": {"type": "string"}, "uniqueItems": true, "default": [],
            "description": "Columns to leave as they are."
        }
    }
}"#;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    columns: Option<Vec<String>>,
    #[serde(default)]
    except: Vec<String>,
}

impl Params {
    /// The columns to scale among these, in their order. A named column that is absent or not numeric is an error.
    fn select(&self, fields: &[Field]) -> Result<Vec<Field>> {
        for name in self.columns.iter().flatten() {
            let found = field::require(fields, name)?;
            if !found.data_type.is_numeric() {
                let got = found.data_type.name();
                return Err(Error::invalid(
                    name,
                    format!("expected a number (`int64`, `float32`, `float64`), got `{got}`"),
                ));
            }
        }
        for name in &self.except {
            field::require(fields, name)?;
        }
        let float = |field: &Field| matches!(field.data_type, DataType::Float32 | DataType::Float64);
        let wanted = |field: &Field| match &self.columns {
            Some(names) => names.contains(&field.name),
            None => float(field),
        };
        Ok(fields.iter().filter(|field| wanted(field) && !self.except.contains(&field.name)).cloned().collect())
    }
}

/// What was learnt: one scale a column.
#[derive(Debug, Serialize, Deserialize)]
struct Standardize {
    scales: Vec<Scale>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Scale {
    column: String,
    #[serde(flatten)]
    spread: Spread,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Spread {
    mean: f64,
    /// The standard deviation, or 1 for a constant column.
    scale: f64,
}

impl Spread {
    fn apply(self, value: f64) -> f64 {
        (value - self.mean) / self.scale
    }

    /// Whether a number is one no longer once it is scaled: a column's type holds numbers up to `largest`.
    fn outgrows(self, value: f64, largest: f64) -> bool {
        // Both sides are looked at: without a branch several numbers are gone through at once.
        value.is_finite() & (self.apply(value).abs() > largest)
    }
}

impl Scale {
    fn outgrown(&self, value: f64) -> Error {
        let Self { column, spread: Spread { mean, scale } } = self;
        let reason =
            format!("expected numbers that are finite once {mean:e} is taken off and they are divided by {scale:e}");
        Error::invalid(column, format!("{reason}, got {value:e}; leave it out, or divide the column before fitting"))
    }

    fn learn(rows: &Table, column: &str) -> Result<Self> {
        if rows.rows() == 0 {
            return Err(Error::invalid(column, "expected rows to learn from, got none"));
        }
        let (count, sum) = rows.fold_f64(column, (0_u64, 0.0), |(count, sum), value| (count + 1, sum + value))?;
        if count == 0 {
            report::warn(format!("column `{column}` has no value to learn a scale from: it stays as it is"));
        }
        let count = count as f64;
        let mean = sum / count;
        let squares = rows.fold_f64(column, 0.0, |squares, value| squares + (value - mean) * (value - mean))?;
        Self::of(column, count, mean, squares)
    }

    /// Of so many values with this mean and sum of squared distances from it.
    fn of(column: &str, count: f64, mean: f64, squares: f64) -> Result<Self> {
        if count == 0.0 {
            return Ok(Self { column: column.into(), spread: Spread { mean: 0.0, scale: 1.0 } });
        }
        let variance = squares / count;
        if !mean.is_finite() || !variance.is_finite() {
            let got =
                format!("expected a finite mean and variance, got {mean} and {variance}; divide the column first");
            return Err(Error::invalid(column, got));
        }
        // scikit-learn's bound: a variance that rounding alone can make is none.
        let rounding = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
        let scale = if variance <= rounding { 1.0 } else { variance.sqrt() };
        Ok(Self { column: column.into(), spread: Spread { mean, scale } })
    }
}

impl RowWise for Standardize {
    fn fit(rows: &Table) -> Result<Self> {
        let mut scales = Vec::new();
        // The host shows the columns that `describe` said are read: those excepted are not among them.
        let params = Params { except: Vec::new(), ..stepwell::params()? };
        for field in params.select(&rows.schema())? {
            scales.push(Scale::learn(rows, &field.name)?);
        }
        if scales.is_empty() {
            report::warn("no float32 or float64 column to scale; name integer columns in `columns`");
        }
        Ok(Self { scales })
    }

    fn apply(&self, rows: &Table) -> Result<Table> {
        let (fields, outgrown) = (rows.schema(), Cell::new(false));
        let scaling = self.scales.iter().map(|scale| {
            let (largest, outgrown) = (largest(&fields, &scale.column), &outgrown);
            let spread = scale.spread;
            (&scale.column, move |value: f64| {
                outgrown.set(outgrown.get() | spread.outgrows(value, largest));
                spread.apply(value)
            })
        });
        let scaled = rows.map_f64(&scaling.collect::<Vec<_>>())?;
        // Beneath a null lies anything: only a second look tells whether it was a value.
        match outgrown.get() {
            true => self.check(rows, &fields).map(|()| scaled),
            false => Ok(scaled),
        }
    }
}

impl Standardize {
    /// That every value is one that can be scaled.
    fn check(&self, rows: &Table, fields: &[Field]) -> Result<()> {
        self.scales.iter().try_for_each(|scale| {
            let largest = largest(fields, &scale.column);
            let outgrows = |value: &f64| scale.spread.outgrows(*value, largest);
            let found = rows.fold_f64(&scale.column, None, |found, value| found.or(Some(value).filter(outgrows)))?;
            found.map_or(Ok(()), |value| Err(scale.outgrown(value)))
        })
    }
}

/// The largest number of a column's type.
fn largest(fields: &[Field], column: &str) -> f64 {
    match field::find(fields, column).map(|field| field.data_type) {
        Some(DataType::Float32) => f64::from(f32::MAX),
        _ => f64::MAX,
    }
}

impl Plugin for Standardize {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS).learns();
        let Some(fields) = inputs.port("rows") else {
            return Ok(descriptor.input("rows", []).output_same_rows("rows", [], "rows"));
        };
        let selected = stepwell::params::<Params>()?.select(fields)?;
        let mut given = fields.to_vec();
        for field in given.iter_mut().filter(|field| selected.iter().any(|scaled| scaled.name == field.name)) {
            if field.data_type == DataType::Int64 {
                field.data_type = DataType::Float64;
            }
        }
        Ok(descriptor.input("rows", selected).output_same_rows("rows", given, "rows"))
    }
}

stepwell::export!(Standardize: RowWise);

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(values: &[f64]) -> Scale {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        Scale::of("a", count, mean, values.iter().map(|value| (value - mean).powi(2)).sum()).unwrap()
    }

    #[test]
    fn mean_and_scale_are_scikit_learns() {
        // python: s = StandardScaler().fit([[1.5], [2.25], [-3.0], [10.125]]); s.mean_, s.scale_   (scikit-learn 1.9)
        let learnt = scale(&[1.5, 2.25, -3.0, 10.125]);
        assert_eq!(learnt.spread.mean, 2.71875);
        assert!((learnt.spread.scale - 4.723921007754046).abs() < 1e-15, "{learnt:?}");
    }

    #[test]
    fn a_constant_or_empty_column_has_scale_one() {
        assert_eq!(scale(&[0.1; 7]).spread.scale, 1.0);
        assert_eq!(scale(&[]), Scale { column: "a".into(), spread: Spread { mean: 0.0, scale: 1.0 } });
    }

    #[test]
    fn what_no_float64_holds_is_refused() {
        for values in [[1e160, -1e160], [f64::MAX, f64::MAX], [f64::NAN, 1.0], [f64::INFINITY, 1.0]] {
            let mean = (values[0] + values[1]) / 2.0;
            let squares = values.iter().map(|value| (value - mean).powi(2)).sum();
            assert!(Scale::of("a", 2.0, mean, squares).is_err(), "{values:?}");
        }
    }

    #[test]
    fn a_number_that_scaling_makes_infinite_is_refused() {
        let scale = |scale| Scale { column: "a".into(), spread: Spread { mean: -1e300, scale } };
        for (value, divisor, largest, outgrows) in [
            (1e308, 1e-10, f64::MAX, true),
            (-1e308, 1e-10, f64::MAX, true),
            (1e308, 1.0, f64::MAX, false),
            (1e308, 1e300, f64::MAX, false),
            (1.0, 1e250, f64::from(f32::MAX), true),
            (1.0, 1e270, f64::from(f32::MAX), false),
            // What was none before is passed on.
            (f64::INFINITY, 1.0, f64::MAX, false),
            (f64::NAN, 1.0, f64::MAX, false),
        ] {
            assert_eq!(scale(divisor).spread.outgrows(value, largest), outgrows, "{value} / {divisor}");
        }
        let error = format!("{:?}", scale(1e-10).outgrown(1e308));
        assert!(error.contains("\"a\"") && error.contains("1e-10") && error.contains("got 1e308"), "{error}");
    }

    #[test]
    fn integers_are_scaled_only_by_name() {
        let fields = [
            Field::new("i", DataType::Int64),
            Field::new("f", DataType::Float32),
            Field::new("t", DataType::Text),
            Field::new("d", DataType::Float64),
        ];
        let names = |json: &str| {
            let selected = stepwell::parse::<Params>(json)?.select(&fields)?;
            Ok::<_, Error>(selected.into_iter().map(|field| field.name).collect::<Vec<_>>())
        };
        assert_eq!(names("{}").unwrap(), ["f", "d"]);
        assert_eq!(names(r#"{"columns": ["d", "i"]}"#).unwrap(), ["i", "d"]);
        assert_eq!(names(r#"{"except": ["d"]}"#).unwrap(), ["f"]);
        assert!(names(r#"{"columns": ["t"]}"#).is_err());
        assert!(names(r#"{"columns": ["absent"]}"#).is_err());
        assert!(names(r#"{"except": ["absent"]}"#).is_err());
    }
}

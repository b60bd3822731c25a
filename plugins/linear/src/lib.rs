//! Rows with a number -> a linear regression (trainer), and a model with rows -> predictions (predictor).
//!
//! Minimises (sum of w_i (error_i)^2) / 2 + l1 |coefficients|_1 + l2 / 2 |coefficients|^2, the intercept free. The host sums
//! the products of the columns piece by piece, so the table may be large; the guest solves with one number a pair of columns.
//! Without `l1` a column that the intercept and earlier columns make up has the coefficient 0 and is named in the log. The
//! model's files are `model.json` (columns) and `weights.safetensors`.

mod model;
mod solve;

use crate::model::{Header, Model};
use crate::solve::Products;
use serde::Deserialize;
use stepwell::{
    DataType, Descriptor, Error, Field, Inputs, Moments, Plugin, Predictor, Result, SavedFiles, Table, Trained,
    Trainer, Training, finite, report, training,
};

/// The most features: their products are 128 MiB then.
const FEATURES_MAX: usize = 4096;

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "l2": {"type": "number", "minimum": 0, "default": 0, "description": "Penalty: l2 / 2 times the squared coefficients, on half the sum of the squared errors."},
        "l1": {"type": "number", "minimum": 0, "default": 0, "description": "Penalty: l1 times the absolute coefficients, on half the sum of the squared errors; some become exactly 0."},
        "max_iterations": {"type": "integer", "minimum": 1, "default": 10000, "description": "Sweeps over the features, with l1 only."},
        "tolerance": {"type": "number", "exclusiveMinimum": 0, "default": 1e-8, "description": "With l1 only: ends when no condition of the minimum is violated by more, as a correlation of a feature with the errors."}
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Params {
    l2: f64,
    l1: f64,
    max_iterations: u64,
    tolerance: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { l2: 0.0, l1: 0.0, max_iterations: 10_000, tolerance: 1e-8 }
    }
}

impl Params {
    /// Holds without the schema too.
    fn checked(self) -> Result<Self> {
        let ranges = [
            ("l2", self.l2 >= 0.0, "0 or more", self.l2),
            ("l1", self.l1 >= 0.0, "0 or more", self.l1),
            ("tolerance", self.tolerance > 0.0, "more than 0", self.tolerance),
        ];
        match ranges.iter().find(|(_, holds, ..)| !holds) {
            Some((name, _, expected, got)) => Err(Error::invalid(*name, format!("expected {expected}, got {got}"))),
            None => Ok(self),
        }
    }
}

struct Linear(Model);

impl Trainer for Linear {
    fn train(training: &Training) -> Result<Trained> {
        let params = stepwell::params::<Params>()?.checked()?;
        let (label, features) = (training.required_label()?, &training.features);
        if features.len() > FEATURES_MAX {
            let got = features.len();
            return Err(Error::invalid("features", format!("expected at most {FEATURES_MAX}, got {got}")));
        }
        let header = Header { features: features.clone(), label: label.into() };
        let start = match training.initial_files() {
            Some(files) => initial(Model::load(&files)?, &header)?,
            None => vec![0.0; features.len()],
        };
        let columns: Vec<String> = features.iter().cloned().chain([label.to_string()]).collect();
        let moments = Moments::of(&training.train, &columns, training.weight.as_deref())?;
        let products = products(&moments, training.train.rows());
        let (coefficients, sweeps) = coefficients(&products, features, start, &params)?;
        let mut measures = measures(&products, &coefficients, moments.weight);
        measures.extend(sweeps.map(|sweeps| ("iterations".to_string(), sweeps as f64)));
        let shift: f64 = coefficients.iter().zip(&moments.means).map(|(coefficient, mean)| coefficient * mean).sum();
        let model = Model { header, coefficients, intercept: moments.means[features.len()] - shift };
        if let Some(table) = &training.validation {
            measures.push(("validation_rmse".into(), model.error(table)?));
        }
        finite::check_measures(&measures)?;
        Ok(Trained { files: model.save()?, inputs: training.reads()?, outputs: outputs(), measures })
    }
}

/// Of so many rows; the label is the last of the columns.
fn products(moments: &Moments, rows: u64) -> Products {
    let width = moments.means.len() - 1;
    // Centring leaves this much of a column that is constant: a mean is wrong by as many roundings as there are rows, whatever they weigh.
    let rounding = |mean: f64| moments.weight * (rows as f64 * mean * f64::EPSILON).powi(2);
    Products {
        gram: (0..width).flat_map(|i| (0..width).map(move |j| moments.product(i, j))).collect(),
        with_label: (0..width).map(|i| moments.product(i, width)).collect(),
        label: moments.product(width, width),
        constant: (0..width).map(|i| moments.product(i, i) <= rounding(moments.means[i])).collect(),
    }
}

/// The coefficients, and the sweeps where there were any.
fn coefficients(
    products: &Products,
    features: &[String],
    start: Vec<f64>,
    params: &Params,
) -> Result<(Vec<f64>, Option<u64>)> {
    let (coefficients, sweeps) = if params.l1 > 0.0 {
        let end = products.descend(params.l1, params.l2, start, params.tolerance, params.max_iterations);
        if end.violation > params.tolerance {
            let (sweeps, violation, tolerance) = (end.sweeps, end.violation, params.tolerance);
            report::warn(format!("stopped after {sweeps} sweeps at {violation:e}, above the tolerance {tolerance:e}"));
        }
        (end.coefficients, Some(end.sweeps))
    } else {
        let solved = products.least_squares(params.l2);
        if !solved.dependent.is_empty() {
            let names: Vec<&str> = solved.dependent.iter().take(20).map(|place| features[*place].as_str()).collect();
            let (count, names) = (solved.dependent.len(), names.join("`, `"));
            report::warn(format!(
                "{count} features say nothing that earlier ones do not, and have the coefficient 0: `{names}`"
            ));
        }
        (solved.coefficients, None)
    };
    finite::check_columns(features, "a coefficient", coefficients.iter().copied())?;
    Ok((coefficients, sweeps))
}

/// On the training rows.
fn measures(products: &Products, coefficients: &[f64], weight: f64) -> Vec<(String, f64)> {
    let error = products.squared_error(coefficients);
    let nonzero = coefficients.iter().filter(|coefficient| **coefficient != 0.0).count();
    let explained = if products.label > 0.0 { 1.0 - error / products.label } else { 0.0 };
    let measures = [("rmse", (error / weight).sqrt()), ("r2", explained), ("nonzero_coefficients", nonzero as f64)];
    measures.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// The coefficients of the model to start from, which must be one of the same columns.
fn initial(old: Model, header: &Header) -> Result<Vec<f64>> {
    if old.header != *header {
        return Err(Error::invalid("initial", format!("expected a model of {header:?}, got {:?}", old.header)));
    }
    Ok(old.coefficients)
}

impl Predictor for Linear {
    fn load(files: &SavedFiles) -> Result<Self> {
        Model::load(files).map(Self)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        Table::builder().column("prediction", self.0.predict(rows)?).finish()
    }
}

fn outputs() -> Vec<Field> {
    vec![Field::new("prediction", DataType::Float64)]
}

impl Plugin for Linear {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        if !inputs.is_empty() {
            stepwell::params::<Params>()?.checked()?;
        }
        let read: Vec<Field> = inputs.columns("features").iter().chain(inputs.columns("label")).cloned().collect();
        training::numeric(&read)?;
        let mut descriptor = stepwell::descriptor!()
            .parameters(PARAMETERS)
            .input("train", read.clone())
            .input("label", inputs.columns("label"));
        if inputs.is_empty() || inputs.port("validation").is_some() {
            descriptor = descriptor.input("validation", read);
        }
        Ok(descriptor.output_same_rows("predictions", outputs(), "train"))
    }
}

stepwell::export!(Linear: Trainer + Predictor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_out_of_range_is_refused() {
        let check = |json: &str| stepwell::parse::<Params>(json).and_then(Params::checked);
        assert!(check(r#"{"l1": 0.5, "l2": 1}"#).is_ok());
        for wrong in [r#"{"l1": -1}"#, r#"{"l2": -1}"#, r#"{"tolerance": 0}"#, r#"{"alpha": 1}"#] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_label_is_the_last_column_of_the_products() {
        let moments = Moments { weight: 2.0, means: vec![0.1, 5.0], products: vec![1e-35, 0.0, 0.0, 8.0] };
        let products = products(&moments, 2);
        assert_eq!((products.gram, products.with_label, products.label), (vec![1e-35], vec![0.0], 8.0));
        assert_eq!(products.constant, [true]);
    }

    /// Four rows of a column that is 0.1 but for rounding, and of one that is not.
    #[test]
    fn what_is_constant_does_not_hang_on_the_size_of_the_weights() {
        for weight in [1e-10, 1.0, 1e16] {
            let of = |product: f64| {
                let moments =
                    Moments { weight: 4.0 * weight, means: vec![0.1, 5.0], products: vec![product, 0.0, 0.0, 8.0] };
                products(&moments, 4).constant
            };
            assert_eq!((of(1e-33 * weight), of(1e-3 * weight)), (vec![true], vec![false]), "{weight}");
        }
    }
}

//! Labelled rows -> a binary logistic regression (trainer), and a model with rows -> predictions (predictor).
//!
//! The label is boolean, int64 or text, with exactly two values; `positive` (by default the greater) is the one whose
//! probability is given. Features are numbers without nulls. The optimum is that of scikit-learn's
//! `LogisticRegression(C = 1 / l2)`. The model's files are `model.json` (columns, classes) and `weights.safetensors`.

mod descent;
mod lbfgs;
mod model;
mod weights;

use crate::descent::Problem;
use crate::model::{Header, Model};
use serde::Deserialize;
use std::collections::BTreeSet;
use stepwell::{
    Class, DataType, Descriptor, Error, Field, Inputs, Plugin, Predictor, Result, SavedFiles, Table, Trained, Trainer,
    Training, field,
};

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "l2": {"type": "number", "minimum": 0, "default": 1, "description": "Penalty: l2 / 2 times the squared coefficients, on the sum of the losses."},
        "positive": {"type": ["string", "boolean", "integer"], "description": "Class whose probability is given; by default the greater."},
        "method": {"enum": ["lbfgs", "nesterov"], "default": "lbfgs", "description": "lbfgs, or gradient descent with Nesterov's momentum by the host's optimiser."},
        "max_iterations": {"type": "integer", "minimum": 1, "default": 1000},
        "tolerance": {"type": "number", "exclusiveMinimum": 0, "default": 1e-8, "description": "Norm of the gradient of the mean loss at which training ends."},
        "learning_rate": {"type": "number", "exclusiveMinimum": 0, "description": "nesterov only; by default 1 / (features + 1), which always descends."},
        "momentum": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.9, "description": "nesterov only."}
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Params {
    l2: f64,
    positive: Option<Class>,
    method: Method,
    max_iterations: u64,
    tolerance: f64,
    learning_rate: Option<f64>,
    momentum: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    Lbfgs,
    Nesterov,
}

impl Default for Params {
    fn default() -> Self {
        let (positive, learning_rate, momentum) = (None, None, None);
        Self {
            l2: 1.0,
            positive,
            method: Method::Lbfgs,
            max_iterations: 1000,
            tolerance: 1e-8,
            learning_rate,
            momentum,
        }
    }
}

impl Params {
    fn momentum(&self) -> f64 {
        self.momentum.unwrap_or(0.9)
    }

    /// Holds without the schema too, and refuses what the chosen method would not read.
    fn checked(self) -> Result<Self> {
        let ranges = [
            ("l2", self.l2 >= 0.0, "0 or more", self.l2),
            ("tolerance", self.tolerance > 0.0, "more than 0", self.tolerance),
            (
                "learning_rate",
                self.learning_rate.is_none_or(|rate| rate > 0.0),
                "more than 0",
                self.learning_rate.unwrap_or(1.0),
            ),
            ("momentum", (0.0..1.0).contains(&self.momentum()), "0 or more and less than 1", self.momentum()),
        ];
        if let Some((name, _, expected, got)) = ranges.iter().find(|(_, holds, ..)| !holds) {
            return Err(Error::invalid(*name, format!("expected {expected}, got {got}")));
        }
        let unread = [("learning_rate", self.learning_rate), ("momentum", self.momentum)];
        match unread.iter().find(|(_, value)| self.method == Method::Lbfgs && value.is_some()) {
            Some((name, _)) => Err(Error::invalid(*name, "expected only with `method = \"nesterov\"`, got `lbfgs`")),
            None => Ok(self),
        }
    }
}

/// The negative and the positive class among the label's values.
fn sides(label: &str, values: &[Class], positive: Option<&Class>) -> Result<(Class, Class)> {
    let distinct: BTreeSet<&Class> = values.iter().collect();
    let shown: Vec<String> = distinct.iter().take(10).map(ToString::to_string).collect();
    let mut distinct = distinct.into_iter();
    let (Some(lesser), Some(greater), None) = (distinct.next(), distinct.next(), distinct.next()) else {
        return Err(Error::invalid(label, format!("expected exactly two classes, got {}", shown.join(", "))));
    };
    match positive {
        None => Ok((lesser.clone(), greater.clone())),
        Some(class) if class == greater => Ok((lesser.clone(), greater.clone())),
        Some(class) if class == lesser => Ok((greater.clone(), lesser.clone())),
        Some(class) => Err(Error::invalid("positive", format!("expected {}, got {class}", shown.join(" or ")))),
    }
}

fn targets(label: &str, values: &[Class], header: &Header) -> Result<Vec<f64>> {
    let target = |class: &Class| match class {
        class if *class == header.positive => Ok(1.0),
        class if *class == header.negative => Ok(0.0),
        other => {
            let Header { negative, positive, .. } = header;
            Err(Error::invalid(label, format!("expected {negative} or {positive}, got {other}")))
        }
    };
    values.iter().map(target).collect()
}

fn weights(name: &str, table: &Table) -> Result<Vec<f64>> {
    let weights = table.f64(name)?.required()?;
    let sum: f64 = weights.iter().sum();
    if weights.iter().any(|weight| *weight < 0.0) || !sum.is_finite() || sum <= 0.0 {
        return Err(Error::invalid(name, format!("expected weights of 0 or more, not all 0, got a sum of {sum}")));
    }
    Ok(weights)
}

struct Logistic(Model);

impl Trainer for Logistic {
    fn train(training: &Training) -> Result<Trained> {
        let params = stepwell::params::<Params>()?.checked()?;
        let Training { train, features, .. } = training;
        let label =
            training.label.as_deref().ok_or_else(|| Error::invalid("label", "expected a label column, got none"))?;
        let values = train.classes(label)?;
        let (negative, positive) = sides(label, &values, params.positive.as_ref())?;
        let header = Header { features: features.clone(), label: label.into(), negative, positive };
        let weights = training.weight.as_deref().map(|name| weights(name, train)).transpose()?;
        let problem = Problem::new(train, features, &targets(label, &values, &header)?, weights.as_deref(), params.l2)?;

        let start = match &training.initial {
            Some(files) => initial(&SavedFiles(files.clone()), &header)?,
            None => (vec![0.0; features.len()], 0.0),
        };
        let solution = problem.solve(problem.scale(&start.0, start.1), &params)?;
        let mut measures = vec![
            ("iterations".to_string(), solution.iterations as f64),
            ("final_loss".to_string(), solution.loss),
            ("gradient_norm".to_string(), solution.gradient_norm),
        ];
        let model = Model { header, coefficients: solution.coefficients, intercept: solution.intercept };
        if let Some(table) = &training.validation {
            measures.push(("validation_loss".into(), mean_loss(&model, table)?));
        }
        let read = |name: &String| {
            field::require(&train.schema(), name).map(|field| Field { nullable: false, ..field.clone() })
        };
        let inputs = features.iter().map(read).collect::<Result<_>>()?;
        Ok(Trained { files: model.save()?, inputs, outputs: outputs(model.header.positive.data_type()), measures })
    }
}

/// Coefficients and intercept of the model to start from, which must be one of the same columns and classes.
fn initial(files: &SavedFiles, header: &Header) -> Result<(Vec<f64>, f64)> {
    let Model { header: old, coefficients, intercept } = Model::load(files)?;
    if old.features != header.features {
        let reason = format!("expected a model of the features {:?}, got {:?}", header.features, old.features);
        return Err(Error::invalid("initial", reason));
    }
    if (&old.negative, &old.positive) != (&header.negative, &header.positive) {
        let shown = |header: &Header| format!("{} and {}", header.negative, header.positive);
        return Err(Error::invalid("initial", format!("expected the classes {}, got {}", shown(header), shown(&old))));
    }
    Ok((coefficients, intercept))
}

/// The mean log loss of a model on rows that it was not trained on.
fn mean_loss(model: &Model, table: &Table) -> Result<f64> {
    let label = &model.header.label;
    let targets = targets(label, &table.classes(label)?, &model.header)?;
    let scores = model.scores(table)?;
    let sum: f64 = scores.iter().zip(&targets).map(|(score, target)| model::log_loss(*score, *target)).sum();
    Ok(sum / targets.len().max(1) as f64)
}

impl Predictor for Logistic {
    fn load(files: &SavedFiles) -> Result<Self> {
        Model::load(files).map(Self)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        let scores = self.0.scores(rows)?;
        let probabilities: Vec<f64> = scores.iter().map(|score| model::sigmoid(*score)).collect();
        Table::builder().column("prediction", self.0.classes(&scores)?).column("probability", probabilities).finish()
    }
}

/// What the predictor gives: the class, and the probability of the positive one.
fn outputs(label: DataType) -> Vec<Field> {
    vec![Field::new("prediction", label), Field::new("probability", DataType::Float64)]
}

impl Plugin for Logistic {
    /// The label and the features are not parameters: the host may wire them as the ports `label` (one column) and
    /// `features`. Without them the columns of the predictions are known only after training.
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        if !inputs.is_empty() {
            stepwell::params::<Params>()?.checked()?;
        }
        let label = inputs.columns("label").first();
        let read: Vec<Field> = inputs.columns("features").iter().chain(label).cloned().collect();
        if let Some(wrong) = inputs.columns("features").iter().find(|field| !field.data_type.is_numeric()) {
            let got = wrong.data_type.name();
            return Err(Error::invalid(&wrong.name, format!("expected a numeric feature, got `{got}`")));
        }
        let given = label.map(|label| outputs(label.data_type)).unwrap_or_default();
        let mut descriptor = stepwell::descriptor!().parameters(PARAMETERS).input("train", read.clone());
        if inputs.is_empty() || inputs.port("validation").is_some() {
            descriptor = descriptor.input("validation", read);
        }
        Ok(descriptor.output_same_rows("predictions", given, "train"))
    }
}

stepwell::export!(Logistic: Trainer + Predictor);

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Vec<Class> {
        values.iter().map(|value| Class::Text(value.to_string())).collect()
    }

    #[test]
    fn the_greater_class_is_positive_unless_said() {
        let values = texts(&["yes", "no", "yes"]);
        let (no, yes) = (values[1].clone(), values[0].clone());
        assert_eq!(sides("y", &values, None), Ok((no.clone(), yes.clone())));
        assert_eq!(sides("y", &values, Some(&no)), Ok((yes, no)));
        let other = Error::invalid("positive", "expected `no` or `yes`, got `1`");
        assert_eq!(sides("y", &values, Some(&Class::Int64(1))), Err(other));
        let three = Error::invalid("y", "expected exactly two classes, got `a`, `b`, `c`");
        assert_eq!(sides("y", &texts(&["c", "a", "b"]), None), Err(three));
    }

    #[test]
    fn a_parameter_that_nothing_reads_is_refused() {
        let check = |json: &str| stepwell::parse::<Params>(json).and_then(Params::checked);
        assert!(check("{}").is_ok());
        assert!(check(r#"{"method": "nesterov", "learning_rate": 0.1, "positive": true}"#).is_ok());
        for wrong in [r#"{"learning_rate": 0.1}"#, r#"{"l2": -1}"#, r#"{"tolerance": 0}"#, r#"{"rate": 1}"#] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}

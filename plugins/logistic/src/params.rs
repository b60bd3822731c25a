//! What the step's `params` set, checked.

use serde::Deserialize;
use std::collections::BTreeMap;
use stepwell::{Class, Classes, Error, Result};

pub(crate) const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "objective": {"enum": ["binary", "multiclass"], "default": "binary", "description": "Two classes, or two or more: then a score a class, and their softmax."},
        "l2": {"type": "number", "minimum": 0, "default": 1, "description": "Penalty: l2 / 2 times the squared coefficients, on the sum of the losses."},
        "l1": {"type": "number", "minimum": 0, "default": 0, "description": "Penalty: l1 times the absolute coefficients, on the sum of the losses; some become exactly 0."},
        "class_weight": {"description": "Weights of classes, which multiply those of rows: by the class, or `balanced` for equal sums; by default 1 each.", "anyOf": [
            {"const": "balanced"},
            {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}
        ]},
        "positive": {"type": ["string", "boolean", "integer"], "description": "Of two classes the one whose probability is given; by default the greater."},
        "method": {"enum": ["lbfgs", "nesterov"], "default": "lbfgs", "description": "lbfgs, or gradient descent with Nesterov's momentum."},
        "max_iterations": {"type": "integer", "minimum": 1, "default": 1000},
        "tolerance": {"type": "number", "exclusiveMinimum": 0, "default": 1e-8, "description": "Norm of the gradient of the mean loss at which training ends."},
        "learning_rate": {"type": "number", "exclusiveMinimum": 0, "description": "nesterov only; by default 1 / (features + 1), which always descends."},
        "momentum": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.9, "description": "nesterov only."},
        "checkpoint_every": {"type": "integer", "minimum": 1, "default": 50, "description": "Iterations after which what was reached outlives an interruption."}
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Params {
    pub(crate) objective: Objective,
    pub(crate) l2: f64,
    pub(crate) l1: f64,
    pub(crate) class_weight: Option<ClassWeights>,
    pub(crate) positive: Option<Class>,
    pub(crate) method: Method,
    pub(crate) max_iterations: u64,
    pub(crate) tolerance: f64,
    pub(crate) learning_rate: Option<f64>,
    momentum: Option<f64>,
    pub(crate) checkpoint_every: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Objective {
    Binary,
    Multiclass,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    Lbfgs,
    Nesterov,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum ClassWeights {
    Rule(Rule),
    /// By the plain value of the class.
    Given(BTreeMap<String, f64>),
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rule {
    Balanced,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            objective: Objective::Binary,
            l2: 1.0,
            l1: 0.0,
            class_weight: None,
            positive: None,
            method: Method::Lbfgs,
            max_iterations: 1000,
            tolerance: 1e-8,
            learning_rate: None,
            momentum: None,
            checkpoint_every: 50,
        }
    }
}

impl Params {
    pub(crate) fn momentum(&self) -> f64 {
        self.momentum.unwrap_or(0.9)
    }

    /// Holds without the schema too, and refuses what the chosen method would not read.
    pub(crate) fn checked(self) -> Result<Self> {
        let rate = self.learning_rate.unwrap_or(1.0);
        let ranges = [
            ("l2", self.l2 >= 0.0, "0 or more", self.l2),
            ("l1", self.l1 >= 0.0, "0 or more", self.l1),
            ("tolerance", self.tolerance > 0.0, "more than 0", self.tolerance),
            ("learning_rate", rate > 0.0, "more than 0", rate),
            ("momentum", (0.0..1.0).contains(&self.momentum()), "0 or more and less than 1", self.momentum()),
            ("checkpoint_every", self.checkpoint_every > 0, "1 or more", 0.0),
        ];
        if let Some((name, _, expected, got)) = ranges.iter().find(|(_, holds, ..)| !holds) {
            return Err(Error::invalid(*name, format!("expected {expected}, got {got}")));
        }
        if self.method == Method::Nesterov && self.l1 > 0.0 {
            return Err(Error::invalid("l1", "expected only with `method = \"lbfgs\"`, got `nesterov`"));
        }
        let unread = [("learning_rate", self.learning_rate), ("momentum", self.momentum)];
        match unread.iter().find(|(_, value)| self.method == Method::Lbfgs && value.is_some()) {
            Some((name, _)) => Err(Error::invalid(*name, "expected only with `method = \"nesterov\"`, got `lbfgs`")),
            None => Ok(self),
        }
    }

    /// The classes, if there are as many as the objective takes.
    pub(crate) fn accept(&self, label: &str, classes: Classes) -> Result<Classes> {
        if self.objective == Objective::Binary && classes.all().len() > 2 {
            let shown: Vec<String> = classes.all().iter().take(10).map(ToString::to_string).collect();
            let hint = "for more set `objective = \"multiclass\"`";
            return Err(Error::invalid(
                label,
                format!("expected exactly two classes, got {}; {hint}", shown.join(", ")),
            ));
        }
        Ok(classes)
    }
}

impl ClassWeights {
    /// A weight a class, in their order; `sums` has the weights of the rows of each. Balanced is scikit-learn's: all rows'
    /// weight, divided by the number of classes and by the class's.
    pub(crate) fn of(&self, classes: &Classes, sums: &[f64]) -> Result<Vec<f64>> {
        let name = "class_weight";
        let weights = match self {
            Self::Rule(Rule::Balanced) => {
                let share = sums.iter().sum::<f64>() / sums.len() as f64;
                sums.iter().map(|sum| share / sum).collect::<Vec<f64>>()
            }
            Self::Given(given) => {
                let plain: Vec<String> = classes.all().iter().map(Class::plain).collect();
                if let Some(other) = given.keys().find(|key| !plain.contains(key)) {
                    return Err(Error::invalid(name, format!("expected classes of {plain:?}, got `{other}`")));
                }
                plain.iter().map(|class| given.get(class).copied().unwrap_or(1.0)).collect()
            }
        };
        let heavy: Vec<bool> = weights.iter().zip(sums).map(|(weight, sum)| weight * sum > 0.0).collect();
        if weights.iter().any(|weight| *weight < 0.0 || !weight.is_finite()) || !heavy.contains(&true) {
            return Err(Error::invalid(
                name,
                format!("expected rows of a weight above 0 in each class, got {weights:?}"),
            ));
        }
        Ok(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(values: &[&str]) -> Classes {
        Classes::new(values.iter().map(|value| Class::Text(value.to_string())).collect()).unwrap()
    }

    #[test]
    fn a_parameter_that_nothing_reads_is_refused() {
        let check = |json: &str| stepwell::parse::<Params>(json).and_then(Params::checked);
        assert!(check("{}").is_ok());
        assert!(check(r#"{"method": "nesterov", "learning_rate": 0.1, "positive": true}"#).is_ok());
        assert!(check(r#"{"l1": 0.1, "l2": 0, "class_weight": {"a": 2}}"#).is_ok());
        let wrong = [
            r#"{"learning_rate": 0.1}"#,
            r#"{"l2": -1}"#,
            r#"{"tolerance": 0}"#,
            r#"{"rate": 1}"#,
            r#"{"method": "nesterov", "l1": 1}"#,
            r#"{"class_weight": "equal"}"#,
            r#"{"checkpoint_every": 0}"#,
        ];
        for wrong in wrong {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn weights_of_classes() {
        // python: compute_class_weight("balanced", classes=[0, 1, 2], y=[0] * 6 + [1] * 3 + [2])   (scikit-learn 1.9.1)
        let balanced = ClassWeights::Rule(Rule::Balanced).of(&classes(&["a", "b", "c"]), &[6.0, 3.0, 1.0]).unwrap();
        let expected = [0.5555555555555556, 1.1111111111111112, 3.3333333333333335];
        assert!(balanced.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-15), "{balanced:?}");
        let given = |name: &str| ClassWeights::Given(BTreeMap::from([(name.to_string(), 2.0)]));
        assert_eq!(given("b").of(&classes(&["a", "b"]), &[1.0, 1.0]), Ok(vec![1.0, 2.0]));
        let error = Error::invalid("class_weight", r#"expected classes of ["a", "b"], got `x`"#);
        assert_eq!(given("x").of(&classes(&["a", "b"]), &[1.0, 1.0]), Err(error));
        assert!(ClassWeights::Rule(Rule::Balanced).of(&classes(&["a", "b"]), &[1.0, 0.0]).is_err());
    }

    #[test]
    fn three_classes_are_asked_for() {
        let accept = |json: &str| stepwell::parse::<Params>(json).unwrap().accept("y", classes(&["a", "b", "c"]));
        let hint = "for more set `objective = \"multiclass\"`";
        let reason = format!("expected exactly two classes, got `a`, `b`, `c`; {hint}");
        assert_eq!(accept("{}"), Err(Error::invalid("y", reason)));
        assert_eq!(accept(r#"{"objective": "multiclass"}"#), Ok(classes(&["a", "b", "c"])));
    }
}

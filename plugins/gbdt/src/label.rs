//! The label's column and the parameters -> what is minimised, the classes, and a number a row.

use crate::objective::Objective;
use crate::params::{Params, Wish};
use std::collections::BTreeSet;
use stepwell::{Class, DataType, Error, Result, Table, field};

/// The most classes: a tree is grown for each in every round.
const CLASSES_MAX: usize = 1000;

/// What a label is learnt as.
#[derive(Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) objective: Objective,
    /// In the order of the scores; none for numbers.
    pub(crate) classes: Vec<Class>,
}

/// Whether a label of this type is learnt as numbers; none where that depends on the values.
pub(crate) fn is_numbers(wish: Wish, data_type: DataType) -> bool {
    match wish {
        Wish::Squared | Wish::Absolute | Wish::Quantile => true,
        Wish::Binary | Wish::Multiclass => false,
        Wish::Auto => data_type.is_numeric(),
    }
}

impl Label {
    pub(crate) fn of(params: &Params, table: &Table, label: &str) -> Result<Self> {
        let fields = table.schema();
        if !is_numbers(params.objective, field::require(&fields, label)?.data_type) {
            let classes: BTreeSet<Class> = table.classes(label)?.into_iter().collect();
            return Self::of_classes(params, label, classes.into_iter().collect());
        }
        if params.positive.is_some() {
            return Err(Error::invalid(
                "positive",
                format!("expected only with two classes, got numbers in `{label}`"),
            ));
        }
        let objective = match (params.objective, params.quantile) {
            (Wish::Absolute, _) => Objective::Absolute,
            (Wish::Quantile, Some(quantile)) => Objective::Quantile(quantile),
            _ => Objective::Squared,
        };
        Ok(Self { objective, classes: Vec::new() })
    }

    /// `classes` are distinct and in order.
    fn of_classes(params: &Params, label: &str, mut classes: Vec<Class>) -> Result<Self> {
        let shown = || classes.iter().take(10).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (two, count) = (classes.len() == 2, classes.len());
        let fits = match params.objective {
            Wish::Binary => two,
            _ => (2..=CLASSES_MAX).contains(&count),
        };
        if !fits {
            let expected = if params.objective == Wish::Binary { "2".into() } else { format!("2 to {CLASSES_MAX}") };
            return Err(Error::invalid(label, format!("expected {expected} classes, got {count}: {}", shown())));
        }
        let binary = two && params.objective != Wish::Multiclass;
        if let Some(positive) = &params.positive {
            match classes.iter().position(|class| class == positive) {
                Some(place) if binary => classes[place..].rotate_left(1),
                _ => {
                    let reason = format!("expected one of two classes, got {positive}; `{label}` has {}", shown());
                    return Err(Error::invalid("positive", reason));
                }
            }
        }
        let objective = if binary { Objective::Binary } else { Objective::Multiclass(count) };
        if !params.monotone.is_empty() && !binary {
            return Err(Error::invalid("monotone", format!("expected only with numbers or two classes, got {count}")));
        }
        Ok(Self { objective, classes })
    }
}

/// The label as numbers: themselves, or the places of classes.
pub(crate) fn numbers(table: &Table, label: &str, classes: &[Class]) -> Result<Vec<f64>> {
    if classes.is_empty() {
        let numbers = table.f64(label)?.required()?;
        return match numbers.iter().position(|number| !number.is_finite()) {
            None => Ok(numbers),
            Some(row) => {
                let got = numbers[row];
                Err(Error::invalid(label, format!("expected a finite number in every row, got {got} in row {row}")))
            }
        };
    }
    let place = |class: &Class| {
        let place = classes.iter().position(|known| known == class);
        place.map(|place| place as f64).ok_or_else(|| {
            Error::invalid(label, format!("expected one of the {} classes of training, got {class}", classes.len()))
        })
    };
    table.classes(label)?.iter().map(place).collect()
}

/// Non-negative numbers, a row each, not all 0.
pub(crate) fn weights(table: &Table, name: &str) -> Result<Vec<f64>> {
    let weights = table.f64(name)?.required()?;
    let sum: f64 = weights.iter().sum();
    if weights.iter().any(|weight| *weight < 0.0) || !sum.is_finite() || sum <= 0.0 {
        return Err(Error::invalid(name, format!("expected weights of 0 or more, not all 0, got a sum of {sum}")));
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(params: &str, classes: &[i64]) -> Result<Label> {
        let params = stepwell::parse::<Params>(params).unwrap();
        Label::of_classes(&params, "y", classes.iter().copied().map(Class::Int64).collect())
    }

    #[test]
    fn the_greater_of_two_classes_is_positive_unless_said() {
        let label = |objective, classes: &[i64]| Label {
            objective,
            classes: classes.iter().copied().map(Class::Int64).collect(),
        };
        assert_eq!(of("{}", &[3, 5]), Ok(label(Objective::Binary, &[3, 5])));
        assert_eq!(of(r#"{"positive": 3}"#, &[3, 5]), Ok(label(Objective::Binary, &[5, 3])));
        assert_eq!(of(r#"{"objective": "multiclass"}"#, &[3, 5]), Ok(label(Objective::Multiclass(2), &[3, 5])));
        assert_eq!(of("{}", &[1, 2, 3]), Ok(label(Objective::Multiclass(3), &[1, 2, 3])));
    }

    #[test]
    fn classes_that_do_not_fit_are_shown() {
        let reason = "expected 2 classes, got 3: `1`, `2`, `3`";
        assert_eq!(of(r#"{"objective": "binary"}"#, &[1, 2, 3]), Err(Error::invalid("y", reason)));
        assert_eq!(of("{}", &[1]), Err(Error::invalid("y", "expected 2 to 1000 classes, got 1: `1`")));
        assert_eq!(
            of(r#"{"positive": 7}"#, &[1, 2]),
            Err(Error::invalid("positive", "expected one of two classes, got `7`; `y` has `1`, `2`"))
        );
        assert_eq!(
            of(r#"{"positive": 1}"#, &[1, 2, 3]),
            Err(Error::invalid("positive", "expected one of two classes, got `1`; `y` has `1`, `2`, `3`"))
        );
        assert!(of(r#"{"monotone": {"a": 1}}"#, &[1, 2, 3]).is_err());
    }
}

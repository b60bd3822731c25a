//! What a learner computed of finite numbers -> that it is finite, or an error that says what outgrew its type, and where.
//!
//! A sum of squares leaves float64 at values near 1e154, one of float32 near 1e19; what comes of it is infinite or none at all,
//! and a model of that answers nothing. None of these errors is retried.

use crate::{Error, Result};

const HINT: &str = "scale columns of large numbers first, such as with `standardize`";

/// That a number is finite; `what` says which it is, such as "the loss of epoch 3".
pub fn check(what: &str, got: f64) -> Result<()> {
    match got.is_finite() {
        true => Ok(()),
        false => Err(Error::permanent(format!("expected {what} to be finite, got {got}; {HINT}"))),
    }
}

/// That what was computed of rows, a number each, is finite; the error says of which row it is, counted from 0.
pub fn check_rows(what: &str, numbers: &[f64]) -> Result<()> {
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(row) => check(&format!("{what} of row {row}"), numbers[row]),
    }
}

/// That what was computed of columns, a number each, is finite; the error names the column. `what` is such as "a variance".
pub fn check_columns(columns: &[String], what: &str, numbers: impl IntoIterator<Item = f64>) -> Result<()> {
    match columns.iter().zip(numbers).find(|(_, number)| !number.is_finite()) {
        None => Ok(()),
        Some((column, got)) => Err(Error::invalid(
            column,
            format!(
                "expected finite numbers with {what} that is finite, got {got}; leave out what is not finite, and scale what is \
                 large, such as with `standardize`"
            ),
        )),
    }
}

/// That what a training measured is finite.
pub fn check_measures(measures: &[(String, f64)]) -> Result<()> {
    measures.iter().try_for_each(|(name, value)| check(&format!("the measure `{name}`"), *value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_outgrew_its_type_is_named_with_its_place() {
        let reason = "expected the loss of epoch 3 to be finite, got inf; scale columns of large numbers first, such as with \
                      `standardize`";
        assert_eq!(check("the loss of epoch 3", f64::INFINITY), Err(Error::permanent(reason)));
        let told = |checked: Result<()>, fragments: &[&str]| {
            let error = format!("{:?}", checked.unwrap_err());
            assert!(fragments.iter().all(|fragment| error.contains(fragment)), "{error}");
        };
        told(check_rows("the distance", &[1.0, f64::NAN]), &["the distance of row 1", "got NaN"]);
        let columns = ["a".to_string(), "b".to_string()];
        told(check_columns(&columns, "a variance", [1.0, f64::INFINITY]), &["\"b\"", "with a variance", "got inf"]);
        told(check_measures(&[("rmse".into(), f64::NAN)]), &["the measure `rmse`", "got NaN"]);
    }

    #[test]
    fn finite_numbers_pass() {
        assert_eq!(check("the loss", 1e300), Ok(()));
        assert_eq!(check_rows("the distance", &[]), Ok(()));
        assert_eq!(check_columns(&["a".to_string()], "a mean", [0.0]), Ok(()));
        assert_eq!(check_measures(&[("rmse".into(), 0.5)]), Ok(()));
    }
}

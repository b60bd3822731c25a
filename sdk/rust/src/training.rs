//! What a trainer is given -> what every learner asks of it first: label, weights, the columns it reads.

use crate::bindings::stepwell::tensor::tensors::Reduction;
use crate::tensor::ElementType::Float64;
use crate::{Error, Field, Result, SavedFiles, Table, Tensor, Training, field};

impl Training {
    /// The label's column, or an error that asks for one.
    pub fn required_label(&self) -> Result<&str> {
        const WANTED: &str = "expected the column to learn, got none; name it in the step: `label = \"COLUMN\"`";
        self.label.as_deref().ok_or_else(|| Error::invalid("label", WANTED))
    }

    /// The rows' weights in one of the training's tables, [rows, 1] of float64: finite, 0 or more, not all 0. None where the
    /// step has no `weight`.
    pub fn weights(&self, table: &Table) -> Result<Option<Tensor>> {
        let Some(name) = &self.weight else { return Ok(None) };
        let weights = Tensor::from_table(table, std::slice::from_ref(name), Float64)?;
        let sum = weights.sum()?.item()?;
        let least = if table.rows() == 0 { 0.0 } else { weights.reduce(Reduction::Min, None, false)?.item()? };
        checked(name, sum, least)?;
        Ok(Some(weights))
    }

    /// The features as the predictor reads them, with a value in every row.
    pub fn reads(&self) -> Result<Vec<Field>> {
        let fields = self.train.schema();
        let read = |name: &String| field::require(&fields, name).map(|read| Field { nullable: false, ..read.clone() });
        self.features.iter().map(read).collect()
    }

    /// The model to start from, if there is one.
    pub fn initial_files(&self) -> Option<SavedFiles> {
        self.initial.clone().map(SavedFiles)
    }
}

/// Whether weights with this sum, of which this is the least, can weigh rows.
pub(crate) fn checked(name: &str, sum: f64, least: f64) -> Result<()> {
    if least < 0.0 || !sum.is_finite() || sum <= 0.0 {
        let reason = format!("expected weights of 0 or more, not all 0, got a sum of {sum} and a least of {least}");
        return Err(Error::invalid(name, reason));
    }
    Ok(())
}

/// That all of these columns hold numbers, or an error that names the first that does not: for `describe`, before there are
/// rows.
pub fn numeric(columns: &[Field]) -> Result<()> {
    match columns.iter().find(|column| !column.data_type.is_numeric()) {
        None => Ok(()),
        Some(Field { name, data_type, .. }) => {
            Err(Error::invalid(name, format!("expected a numeric feature, got `{}`", data_type.name())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataType;

    #[test]
    fn weights_that_weigh_nothing_are_refused() {
        assert_eq!(checked("w", 2.0, 0.0), Ok(()));
        for (sum, least) in [(0.0, 0.0), (1.0, -1.0), (f64::NAN, 0.0), (f64::INFINITY, 1.0)] {
            assert!(matches!(checked("w", sum, least), Err(Error::InvalidInput(error)) if error.name == "w"));
        }
    }

    #[test]
    fn a_feature_that_is_no_number_is_named() {
        let text = Field::new("city", DataType::Text);
        assert_eq!(numeric(&[Field::new("age", DataType::Int64)]), Ok(()));
        assert_eq!(numeric(&[text]), Err(Error::invalid("city", "expected a numeric feature, got `text`")));
    }
}

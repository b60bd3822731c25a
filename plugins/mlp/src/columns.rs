//! Features -> what the network reads: numbers as they are, categories as places in a vocabulary that was learnt.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use stepwell::tensor::ElementType::Float32;
use stepwell::{AnyColumn, DataType, Error, Field, Result, Table, Tensor, field, finite};

/// The most categories of a feature; all are in the guest's memory.
const CATEGORIES_MAX: usize = 100_000;

/// A feature as the model knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) name: String,
    /// None of a number.
    pub(crate) vocabulary: Option<Vocabulary>,
}

/// Categories in order; a value's place counts from 1, because 0 is whatever was not there in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Vocabulary {
    pub(crate) categories: Vec<String>,
    /// Numbers that stand for a category.
    pub(crate) width: usize,
}

/// Whether a feature of this type is categorical; none where it cannot be learnt from.
pub(crate) fn is_categorical(field: &Field, named: &[String]) -> Option<bool> {
    let is_named = named.contains(&field.name);
    match field.data_type {
        DataType::Text | DataType::Boolean => Some(true),
        DataType::Int64 => Some(is_named),
        DataType::Float32 | DataType::Float64 if !is_named => Some(false),
        _ => None,
    }
}

/// That each feature can be learnt from, and that parameters name features that they concern.
pub(crate) fn check(features: &[Field], named: &[String], widths: &BTreeMap<String, usize>) -> Result<()> {
    if let Some(wrong) = features.iter().find(|field| is_categorical(field, named).is_none()) {
        let reason = match named.contains(&wrong.name) {
            true => "expected categories (`int64`, `text`, `boolean`)",
            false => "expected a number, or categories (`int64`, `text`, `boolean`)",
        };
        return Err(Error::invalid(&wrong.name, format!("{reason}, got `{}`", wrong.data_type.name())));
    }
    let categorical = |name: &String| field::find(features, name).and_then(|field| is_categorical(field, named));
    if let Some(other) = named.iter().find(|name| categorical(name).is_none()) {
        let hint = "name it in `features`, with the others: by default those of numbers and booleans are";
        let reason = format!("expected names of features, got `{other}`, which is not among them; {hint}");
        return Err(Error::invalid("categorical", reason));
    }
    match widths.keys().find(|name| categorical(name) != Some(true)) {
        None => Ok(()),
        Some(other) => {
            Err(Error::invalid("embedding", format!("expected names of categorical features, got `{other}`")))
        }
    }
}

/// Learns the vocabularies, a chunk of rows in memory at a time.
pub(crate) fn learn(
    table: &Table,
    features: &[String],
    named: &[String],
    widths: &BTreeMap<String, usize>,
) -> Result<Vec<Input>> {
    let schema = table.schema();
    let fields = features.iter().map(|name| field::require(&schema, name).cloned()).collect::<Result<Vec<_>>>()?;
    check(&fields, named, widths)?;
    let input = |field: &Field| {
        let vocabulary = match is_categorical(field, named) {
            Some(true) => Some(vocabulary(table, &field.name, widths.get(&field.name).copied())?),
            _ => None,
        };
        Ok(Input { name: field.name.clone(), vocabulary })
    };
    fields.iter().map(input).collect()
}

fn vocabulary(table: &Table, column: &str, width: Option<usize>) -> Result<Vocabulary> {
    let mut distinct = BTreeSet::new();
    for chunk in table.chunks(column)? {
        distinct.extend(chunk?.into_categories()?.required()?);
        if distinct.len() > CATEGORIES_MAX {
            let reason = format!("expected at most {CATEGORIES_MAX} categories, got more; leave the column out");
            return Err(Error::invalid(column, reason));
        }
    }
    let categories: Vec<String> = distinct.into_iter().collect();
    // fastai's rule of thumb.
    let usual = ((1.6 * (categories.len() as f64).powf(0.56)).round() as usize).clamp(1, 600);
    Ok(Vocabulary { categories, width: width.unwrap_or(usual) })
}

impl Vocabulary {
    /// Rows of the embedding: one a category, and one for the unknown.
    pub(crate) fn rows(&self) -> usize {
        self.categories.len() + 1
    }

    fn places(&self) -> HashMap<&str, u32> {
        self.categories.iter().zip(1..).map(|(category, place)| (category.as_str(), place)).collect()
    }

    /// Where each value of a column stands.
    pub(crate) fn of_column(&self, column: AnyColumn) -> Result<Vec<u32>> {
        let places = self.places();
        let values = column.into_categories()?.required()?;
        Ok(values.iter().map(|value| places.get(value.as_str()).copied().unwrap_or(0)).collect())
    }
}

/// The names of the features that are numbers.
pub(crate) fn numbers(inputs: &[Input]) -> Vec<String> {
    inputs.iter().filter(|input| input.vocabulary.is_none()).map(|input| input.name.clone()).collect()
}

/// The features that are categories.
pub(crate) fn categories(inputs: &[Input]) -> impl Iterator<Item = (&str, &Vocabulary)> {
    inputs.iter().filter_map(|input| Some((input.name.as_str(), input.vocabulary.as_ref()?)))
}

/// The numbers of all rows in the host, [rows, numbers]; none where there is no such feature.
pub(crate) fn number_tensor(table: &Table, inputs: &[Input]) -> Result<Option<Tensor>> {
    let names = numbers(inputs);
    if names.is_empty() {
        return Ok(None);
    }
    let tensor = Tensor::from_table(table, &names, Float32)?;
    // A value that is none makes its column's mean none.
    finite::check_columns(&names, "a mean in float32", tensor.mean_over(0)?.to_f64()?)?;
    Ok(Some(tensor))
}

/// The places of all rows' categories in the host, [rows, 1] of float32 a feature: exact up to 2^24.
pub(crate) fn place_tensors(table: &Table, inputs: &[Input]) -> Result<Vec<Tensor>> {
    let tensor = |(name, vocabulary): (&str, &Vocabulary)| {
        let mut pieces = Vec::new();
        for chunk in table.chunks(name)? {
            let places: Vec<f32> = vocabulary.of_column(chunk?)?.into_iter().map(|place| place as f32).collect();
            pieces.push(Tensor::from_f32(&places)?.reshape(&[places.len() as u32, 1])?);
        }
        Tensor::concat(&pieces.iter().collect::<Vec<_>>(), 0)
    };
    categories(inputs).map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<Field> {
        vec![
            Field::new("size", DataType::Float64),
            Field::new("hour", DataType::Int64),
            Field::new("city", DataType::Text),
        ]
    }

    #[test]
    fn integers_are_categories_only_by_name() {
        let of = |named: &[&str]| {
            let named: Vec<String> = named.iter().map(|name| name.to_string()).collect();
            fields().iter().map(|field| is_categorical(field, &named)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[]), [Some(false), Some(false), Some(true)]);
        assert_eq!(of(&["hour"]), [Some(false), Some(true), Some(true)]);
        assert_eq!(of(&["size"]), [None, Some(false), Some(true)]);
    }

    #[test]
    fn parameters_name_features() {
        let check = |named: &[&str], widths: &[&str]| {
            let named: Vec<String> = named.iter().map(|name| name.to_string()).collect();
            check(&fields(), &named, &widths.iter().map(|name| (name.to_string(), 3)).collect())
        };
        assert_eq!(check(&["hour"], &["hour", "city"]), Ok(()));
        let reason = "expected categories (`int64`, `text`, `boolean`), got `float64`";
        assert_eq!(check(&["size"], &[]), Err(Error::invalid("size", reason)));
        let reason = "expected names of features, got `x`, which is not among them; name it in `features`, with the others: \
                      by default those of numbers and booleans are";
        assert_eq!(check(&["x"], &[]), Err(Error::invalid("categorical", reason)));
        let reason = "expected names of categorical features, got `hour`";
        assert_eq!(check(&[], &["hour"]), Err(Error::invalid("embedding", reason)));
    }

    #[test]
    fn what_was_not_there_in_training_has_its_own_place() {
        let vocabulary = Vocabulary { categories: vec!["a".into(), "c".into()], width: 2 };
        let column = AnyColumn::from(vec!["c".to_string(), "b".into(), "a".into()]);
        assert_eq!(vocabulary.of_column(column), Ok(vec![2, 0, 1]));
        assert!(vocabulary.of_column(vec![Some("a".to_string()), None].into()).is_err());
        assert_eq!(vocabulary.rows(), 3);
    }
}

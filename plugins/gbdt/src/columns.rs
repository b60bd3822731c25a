//! Features of a table <-> numbers: as they are, or the place of a category in its list.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use stepwell::trees::{Binned, Feature, ends};
use stepwell::{AnyColumn, Column, DataType, Error, Field, Result, Table, field};

/// The most categories of a feature that are told apart: those of the most rows. The others are as what is missing.
const CATEGORIES_MAX: usize = 254;

/// A column that the model reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) name: String,
    /// What its values name, as text; none for numbers.
    pub(crate) categories: Option<Vec<String>>,
}

/// An error unless a column can be a feature, as a category where `categorical` names it.
pub(crate) fn check(field: &Field, categorical: bool) -> Result<()> {
    let (name, got) = (&field.name, field.data_type.name());
    match (fits(field.data_type, categorical), categorical) {
        (true, _) => Ok(()),
        (false, true) => {
            let expected = "expected columns of text, boolean, int64, date or timestamp";
            Err(Error::invalid("categorical", format!("{expected}, got `{name}`, which is {got}")))
        }
        (false, false) if fits(field.data_type, true) => Err(Error::invalid(
            name,
            format!("expected numbers or text, got {got}; `categorical` takes it as a category"),
        )),
        (false, false) => Err(Error::invalid(name, format!("expected numbers or categories, got {got}"))),
    }
}

/// Whether a column of this type can be a feature.
fn fits(data_type: DataType, categorical: bool) -> bool {
    match data_type {
        DataType::Text => true,
        DataType::Timestamp | DataType::Date => categorical,
        DataType::Boolean | DataType::Int64 => true,
        DataType::Float32 | DataType::Float64 => !categorical,
        DataType::Bytes | DataType::Vector(_) => false,
    }
}

/// The features as the model is to read them; the categories are those of these rows.
pub(crate) fn inputs(table: &Table, features: &[String], categorical: &[String]) -> Result<Vec<Input>> {
    let fields = table.schema();
    let input = |name: &String| {
        let (field, named) = (field::require(&fields, name)?, categorical.contains(name));
        check(field, named)?;
        let categories = (named || field.data_type == DataType::Text).then(|| categories(table, name)).transpose()?;
        Ok(Input { name: name.clone(), categories })
    };
    features.iter().map(input).collect()
}

/// The most frequent values of a column, in their order.
fn categories(table: &Table, name: &str) -> Result<Vec<String>> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for chunk in table.chunks(name)? {
        for value in chunk?.into_categories()?.iter().flatten() {
            match counts.get_mut(value) {
                Some(count) => *count += 1,
                None => drop(counts.insert(value.clone(), 1)),
            }
        }
    }
    Ok(most_frequent(counts))
}

fn most_frequent(counts: BTreeMap<String, u64>) -> Vec<String> {
    let mut counted: Vec<(String, u64)> = counts.into_iter().collect();
    // Stable: of equally frequent ones the first in order.
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted.truncate(CATEGORIES_MAX);
    let mut categories: Vec<String> = counted.into_iter().map(|(value, _)| value).collect();
    categories.sort();
    categories
}

impl Input {
    /// The column's values as numbers; not-a-number is missing.
    pub(crate) fn numbers(&self, column: AnyColumn) -> Result<Vec<f64>> {
        let numbers: Column<f64> = match (&self.categories, column) {
            (Some(categories), column) => {
                let places: HashMap<&str, usize> =
                    categories.iter().enumerate().map(|(place, category)| (category.as_str(), place)).collect();
                let place = |value: String| places.get(value.as_str()).map_or(f64::NAN, |place| *place as f64);
                column.into_categories()?.map(place)
            }
            (None, AnyColumn::Boolean(column)) => column.map(|value| f64::from(u8::from(value))),
            (None, column) => column.into_f64()?,
        };
        Ok(numbers.iter().map(|value| value.copied().unwrap_or(f64::NAN)).collect())
    }
}

/// Where the bins of each feature end: of numbers by their frequency, of categories one each.
pub(crate) fn bin_ends(table: &Table, inputs: &[Input], bins: u32) -> Result<Vec<Vec<f64>>> {
    let numbers = inputs.iter().filter(|input| input.categories.is_none()).map(|input| input.name.clone());
    let mut of_numbers = ends(table, &numbers.collect::<Vec<_>>(), bins)?.into_iter();
    let between = |categories: &Vec<String>| (1..categories.len()).map(|place| place as f64 - 0.5).collect();
    let ends = |input: &Input| match &input.categories {
        Some(categories) => Some(between(categories)),
        None => of_numbers.next(),
    };
    let ends: Vec<Vec<f64>> = inputs.iter().map_while(ends).collect();
    match ends.len() == inputs.len() {
        true => Ok(ends),
        false => Err(Error::permanent("expected the ends of every column from the host, got fewer")),
    }
}

/// Rows as bins; categories are replaced by their places on the way.
pub(crate) fn binned(table: &Table, inputs: &[Input], ends: &[Vec<f64>]) -> Result<Binned> {
    let mut numbers = table.slice(0, table.rows());
    for input in inputs.iter().filter(|input| input.categories.is_some()) {
        let places: Vec<Option<f64>> = input
            .numbers(table.column(&input.name)?)?
            .into_iter()
            .map(|place| (!place.is_nan()).then_some(place))
            .collect();
        numbers = numbers.with(&input.name, places)?;
    }
    let feature = |(input, ends): (&Input, &Vec<f64>)| Feature { column: input.name.clone(), ends: ends.clone() };
    Binned::create(&numbers, &inputs.iter().zip(ends).map(feature).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_no_feature_is_told_why() {
        let told = |data_type, named| check(&Field::new("area", data_type), named);
        let named = "expected columns of text, boolean, int64, date or timestamp, got `area`, which is float64";
        let date = "expected numbers or text, got date; `categorical` takes it as a category";
        for (data_type, is_named, parameter, reason) in [
            (DataType::Float64, true, "categorical", named),
            (DataType::Date, false, "area", date),
            (DataType::Bytes, false, "area", "expected numbers or categories, got bytes"),
        ] {
            assert_eq!(told(data_type, is_named), Err(Error::invalid(parameter, reason)));
        }
        assert_eq!((told(DataType::Float64, false), told(DataType::Date, true)), (Ok(()), Ok(())));
    }

    #[test]
    fn rare_categories_are_left_out() {
        let counts = (0..300).map(|i| (format!("{i:03}"), u64::from(i % 2 == 0) + 1)).collect();
        let kept = most_frequent(counts);
        assert_eq!(kept.len(), CATEGORIES_MAX);
        assert!(kept.is_sorted() && kept.contains(&"298".to_string()), "all 150 frequent ones are kept");
        assert!(kept.contains(&"207".to_string()) && !kept.contains(&"209".to_string()), "then the first of the rare");
    }
}

//! Columns, and crosses of them -> the rows of each value. Pure but for the reading of the columns.

use std::collections::BTreeMap;
use stepwell::{Error, Result, Table};

/// Values of one slice column, or of one cross; more is an identifier, and no slice.
pub const SLICE_VALUES_MAX: usize = 100;

/// What stands between the columns of a cross, and between its values.
pub(crate) const CROSS: &str = " x ";

/// The slices of some rows, by name: `region=eu`, or `region=eu x plan=pro` of a cross.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slices(Vec<(String, Vec<usize>)>);

impl Slices {
    /// Of the columns that a step names: `region`, or `region x plan` unless a column is called so.
    pub fn read(table: &Table, asked: &[String]) -> Result<Self> {
        let known: Vec<String> = table.schema().into_iter().map(|field| field.name).collect();
        let mut all = Vec::new();
        for slice in asked {
            let columns: Vec<&str> = match known.contains(slice) {
                true => vec![slice.as_str()],
                false => crossed(slice)?,
            };
            let mut values = Vec::new();
            for column in &columns {
                let column = table.categories(column)?;
                values.push(column.iter().map(|value| value.cloned()).collect::<Vec<_>>());
            }
            all.extend(Self::of(&columns, &values)?.0);
        }
        Ok(Self(all))
    }

    /// Of these columns together, with the values of each in every row.
    pub fn of(columns: &[&str], values: &[Vec<Option<String>>]) -> Result<Self> {
        let mut slices: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in 0..values.first().map_or(0, Vec::len) {
            let part = |(column, values): (&&str, &Vec<Option<String>>)| {
                format!("{column}={}", values[row].as_deref().unwrap_or("null"))
            };
            let name: Vec<String> = columns.iter().zip(values).map(part).collect();
            slices.entry(name.join(CROSS)).or_default().push(row);
            if slices.len() > SLICE_VALUES_MAX {
                let reason = format!("expected slices of at most {SLICE_VALUES_MAX} values, got more by row {row}");
                return Err(Error::invalid(columns.join(CROSS), reason));
            }
        }
        Ok(Self(slices.into_iter().collect()))
    }

    pub fn all(&self) -> &[(String, Vec<usize>)] {
        &self.0
    }
}

/// The columns of a cross; one with itself would be its own slices under longer names, and count twice among them.
fn crossed(slice: &str) -> Result<Vec<&str>> {
    let columns: Vec<&str> = slice.split(CROSS).collect();
    match columns.iter().enumerate().find(|(at, column)| columns[..*at].contains(column)) {
        None => Ok(columns),
        Some((_, twice)) => Err(Error::invalid(
            "slices",
            format!("expected a cross of different columns, got `{twice}` twice in `{slice}`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[&str]) -> Vec<Option<String>> {
        values.iter().map(|value| (*value != "-").then(|| value.to_string())).collect()
    }

    #[test]
    fn slices_name_column_and_value() {
        let slices = Slices::of(&["city"], &[column(&["b", "-", "a", "b"])]).unwrap();
        let expected = [("city=a", vec![2]), ("city=b", vec![0, 3]), ("city=null", vec![1])];
        assert_eq!(slices.all(), expected.map(|(name, rows)| (name.to_string(), rows)));
    }

    #[test]
    fn a_cross_has_the_pairs_that_there_are() {
        let columns = [column(&["eu", "eu", "us"]), column(&["pro", "free", "pro"])];
        let slices = Slices::of(&["region", "plan"], &columns).unwrap();
        let names: Vec<&str> = slices.all().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["region=eu x plan=free", "region=eu x plan=pro", "region=us x plan=pro"]);
    }

    #[test]
    fn a_column_is_not_crossed_with_itself() {
        assert_eq!(crossed("region"), Ok(vec!["region"]));
        assert_eq!(crossed("region x plan"), Ok(vec!["region", "plan"]));
        for wrong in ["region x region", "region x plan x region"] {
            assert!(crossed(wrong).unwrap_err().to_string().contains(&format!("got `region` twice in `{wrong}`")));
        }
    }

    #[test]
    fn an_identifier_is_no_slice() {
        let ids: Vec<_> = (0..=SLICE_VALUES_MAX).map(|id| Some(id.to_string())).collect();
        assert!(Slices::of(&["id"], &[ids[1..].to_vec()]).is_ok());
        assert!(Slices::of(&["id"], &[ids]).is_err());
    }
}

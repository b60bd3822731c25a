//! Whether a baseline's rows stand in the candidate's order.
//!
//! Labels do not tell: rows that were shuffled within their classes have the same ones, and a difference over such rows is not
//! paired. Nor is every column that differs a sign of other rows: fitted steps change columns by what they learnt, each model's by
//! its own, and a predictor may give columns that no parameter names. So rows are told to be in another order only where those
//! of both tables, taken as wholes, are the same ones.

use crate::slices::CROSS;
use std::hash::{DefaultHasher, Hash, Hasher};
use stepwell::{AnyColumn, DataType, Error, Result, Table};

/// A value a row, by which equal values are known.
type Keys = Vec<u64>;

/// What stands for a null.
const NULL: u64 = 0x9e37_79b9_7f4a_7c15;

/// An error where the baseline has the candidate's rows in another order, as far as the columns tell that both have and that
/// neither predicted. Slices tell with the label alone, because a step names them as what a row is of; otherwise most rows must
/// differ from each other. Both tables have as many rows.
pub fn same_order(
    (candidate, baseline): (&Table, &Table),
    label: &str,
    predicted: impl Fn(&str) -> bool,
    slices: &[String],
) -> Result<()> {
    let theirs = baseline.schema();
    let comparable = candidate.schema().into_iter().filter(|field| {
        let like = theirs.iter().any(|other| other.name == field.name && other.data_type == field.data_type);
        like && !predicted(&field.name) && !matches!(field.data_type, DataType::Vector(_) | DataType::Bytes)
    });
    let shared: Vec<String> = comparable.map(|field| field.name).collect();
    let of_slice =
        |column: &str| slices.iter().any(|slice| slice == column || slice.split(CROSS).any(|of| of == column));
    let few = shared.iter().filter(|column| **column == label || of_slice(column)).collect::<Vec<_>>();
    for (columns, alike) in [(few, true), (shared.iter().collect(), false)] {
        let mut order = Order::default();
        for column in columns {
            order.add(column, keys(candidate, column)?, keys(baseline, column)?);
        }
        order.checked(alike)?;
    }
    Ok(())
}

/// The rows of both tables, as far as their columns hold the same values in some order.
#[derive(Default)]
struct Order {
    ours: Keys,
    theirs: Keys,
    /// Where the orders first differ: a column and a row.
    differs: Option<(String, usize)>,
}

impl Order {
    /// A column that holds other values was changed by what a model learnt, and tells nothing.
    fn add(&mut self, column: &str, ours: Keys, theirs: Keys) {
        let row = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
        if row.is_some() && !same_values(&ours, &theirs) {
            return;
        }
        if let (Some(row), None) = (row, &self.differs) {
            self.differs = Some((column.to_owned(), row));
        }
        for (rows, keys) in [(&mut self.ours, ours), (&mut self.theirs, theirs)] {
            rows.resize(keys.len(), 0);
            rows.iter_mut().zip(keys).for_each(|(row, key)| *row = mixed(row.rotate_left(1) ^ key));
        }
    }

    /// `alike`: whether it counts too if rows are mostly like others.
    fn checked(self, alike: bool) -> Result<()> {
        let Some((column, row)) = self.differs.filter(|_| same_values(&self.ours, &self.theirs)) else {
            return Ok(());
        };
        let rows = self.ours.len();
        let mut distinct = self.ours;
        distinct.sort_unstable();
        distinct.dedup();
        if !alike && distinct.len() * 2 <= rows {
            return Ok(());
        }
        let reason = format!(
            "expected the candidate's rows in the candidate's order, got them in another: `{column}` differs first, in row {row}; \
             let both predict for the same table"
        );
        Err(Error::invalid("baseline", reason))
    }
}

/// In any order; sums of mixed keys tell without sorting.
fn same_values(ours: &[u64], theirs: &[u64]) -> bool {
    let sum = |keys: &[u64]| keys.iter().fold(0_u64, |sum, key| sum.wrapping_add(mixed(*key)));
    ours.len() == theirs.len() && sum(ours) == sum(theirs)
}

/// SplitMix64's last step: keys that are near each other are far apart afterwards.
fn mixed(key: u64) -> u64 {
    let key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}

/// A column piece by piece: long texts need not be in memory as a whole.
fn keys(table: &Table, column: &str) -> Result<Keys> {
    let mut keys = Vec::with_capacity(table.rows() as usize);
    for piece in table.chunks(column)? {
        add_keys(&piece?, &mut keys);
    }
    Ok(keys)
}

fn add_keys(piece: &AnyColumn, keys: &mut Keys) {
    macro_rules! each {
        ($column:ident, $key:expr) => {
            keys.extend($column.iter().map(|value| value.map_or(NULL, $key)))
        };
    }
    match piece {
        AnyColumn::Boolean(column) => each!(column, |value| u64::from(*value)),
        AnyColumn::Int64(column) => each!(column, |value| *value as u64),
        AnyColumn::Float32(column) => each!(column, |value| u64::from(value.to_bits())),
        AnyColumn::Float64(column) => each!(column, |value| value.to_bits()),
        AnyColumn::Timestamp(column) => each!(column, |value| value.0 as u64),
        AnyColumn::Date(column) => each!(column, |value| value.0 as u64),
        AnyColumn::Text(column) => each!(column, |text| hash(text)),
        // Large, and left out before they are read.
        AnyColumn::Bytes(_) | AnyColumn::Vector(..) => {}
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of which each differs from the others.
    const ROWS: usize = 10;

    fn order(columns: &[(&str, AnyColumn, AnyColumn)]) -> Order {
        let of = |column: &AnyColumn| {
            let mut keys = Keys::new();
            add_keys(column, &mut keys);
            keys
        };
        let mut order = Order::default();
        columns.iter().for_each(|(name, ours, theirs)| order.add(name, of(ours), of(theirs)));
        order
    }

    /// The label of each row, and a number by which rows are known.
    fn label() -> Vec<bool> {
        (0..ROWS).map(|row| row % 2 == 1).collect()
    }

    fn ids() -> Vec<Option<i64>> {
        (0..ROWS as i64).map(|id| (id > 0).then_some(id)).collect()
    }

    #[test]
    fn rows_that_were_shuffled_within_their_classes_are_told() {
        let (mut shuffled, names) =
            (ids(), |ids: &[Option<i64>]| ids.iter().map(|id| format!("{id:?}")).collect::<Vec<_>>());
        shuffled.swap(3, 7);
        let scaled = [1.5, 2.5].map(|by| (0..ROWS).map(|row| row as f64 / by).collect::<Vec<f64>>());
        let [ours, theirs] = scaled;
        for shuffles in [
            ("id", AnyColumn::from(ids()), AnyColumn::from(shuffled.clone())),
            ("name", names(&ids()).into(), names(&shuffled).into()),
        ] {
            let name = shuffles.0;
            // What is scaled otherwise tells nothing, and hides nothing.
            let columns =
                [("y", label().into(), label().into()), ("x", ours.clone().into(), theirs.clone().into()), shuffles];
            let said = order(&columns).checked(false).unwrap_err().to_string();
            assert!(said.contains(&format!("in another: `{name}` differs first, in row 3")), "{said}");
        }
    }

    #[test]
    fn columns_that_a_model_changed_are_no_other_rows() {
        let same = |columns: &[(&str, AnyColumn, AnyColumn)]| assert_eq!(order(columns).checked(false), Ok(()));
        let (plain, y) = (("id", ids().into(), ids().into()), ("y", label().into(), label().into()));
        same(&[]);
        same(std::slice::from_ref(&plain));
        // The same codes, learnt in another order, beside a column that tells the rows apart.
        let codes: Vec<i64> = (0..ROWS as i64).collect();
        let others: Vec<i64> = codes.iter().rev().copied().collect();
        same(&[y.clone(), plain.clone(), ("code", codes.clone().into(), others.into())]);
        // A prediction that no parameter names.
        let (mut flags, ours) = (label(), label());
        flags.swap(0, 1);
        same(&[plain, ("flag", ours.clone().into(), flags.clone().into())]);
        // Among rows that are like others two that changed places cannot be told from two that are predicted otherwise ..
        let flagged = [("flag", ours.into(), flags.into())];
        same(&flagged);
        // .. but that is not predicted by which a step slices.
        assert!(order(&flagged).checked(true).is_err());
    }
}

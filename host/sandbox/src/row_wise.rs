//! The promise of every row-wise call: a row for a row, in its place, made of that row alone.
//!
//! Counting shows a row that was dropped, not one that moved. So the guest is asked again for a few of the rows, cut
//! differently, and its second answer is held against the first, bit by bit. It is a sample: a plugin that moves rows
//! elsewhere, or behaves when it is asked about few, is not seen through, and harms its own pipeline only; nor is one asked
//! again that asked the world for anything.

use data::Table;
use types::{Digest, Fault};

/// Rows that are asked about again, at most: what this costs does not grow with the table.
const PIECE_ROWS_MAX: u64 = 64;

/// As many rows as were given.
pub(crate) fn same_rows(given: u64, got: u64) -> Result<(), Fault> {
    match given == got {
        true => Ok(()),
        false => {
            Err(Fault::guest(format!("returned {got} rows for {given}; a row-wise step keeps every row in its place")))
        }
    }
}

/// Some rows of a table, to be asked about again.
pub(crate) struct Piece {
    start: u64,
    pub(crate) rows: Table,
}

impl Piece {
    /// From the middle on: neither a reversal nor a rotation leaves those rows where they were. None of a table of one row.
    pub(crate) fn of(table: &Table) -> Option<Self> {
        let start = table.rows() / 2;
        (start > 0).then(|| Self { start, rows: table.slice(start, PIECE_ROWS_MAX) })
    }

    /// Whether the rows alone gave what they gave among the others.
    pub(crate) fn same(&self, among_others: &Table, alone: &Table) -> Result<(), Fault> {
        same_rows(self.rows.rows(), alone.rows())?;
        for field in &among_others.schema().fields {
            let name = std::slice::from_ref(&field.name);
            let values = |table: &Table| table.select(name).and_then(|column| values(&column));
            let broken = |error: data::Error| Fault::guest(error.to_string());
            let expected = values(&among_others.slice(self.start, self.rows.rows())).map_err(broken)?;
            if expected != values(alone).map_err(broken)? {
                let (first, last, column) = (self.start, self.start + self.rows.rows() - 1, shown(&field.name));
                let message = format!("rows {first} to {last} give another `{column}` alone than among the others");
                return Err(Fault::guest(message)
                    .hinted("a row-wise step makes row i of row i alone, and keeps it in its place"));
            }
        }
        Ok(())
    }
}

/// The bits of few rows, whatever pieces they lie in.
fn values(table: &Table) -> Result<Vec<Digest>, data::Error> {
    Ok(data::write(table, |_| Ok(()))?.parts)
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::GuestColumn;
    use types::{DataType, Field, Schema};

    fn table(values: impl IntoIterator<Item = f64>) -> Table {
        let data: Vec<u8> = values.into_iter().flat_map(f64::to_le_bytes).collect();
        let (data_type, length, validity, offsets) = (DataType::Float64, (data.len() / 8) as u32, None, None);
        let fields = vec![Field { name: "x".to_owned(), data_type, nullable: false }];
        Table::from_columns(Schema { fields }, vec![GuestColumn { data_type, length, validity, offsets, data }])
            .unwrap()
    }

    /// What is held against each other, for a guest that does this to the rows.
    fn kept_by(rows: u32, guest: impl Fn(Vec<f64>) -> Vec<f64>) -> bool {
        let given: Vec<f64> = (0..rows).map(f64::from).collect();
        let piece = Piece::of(&table(given.clone())).unwrap();
        let asked = given[piece.start as usize..].iter().copied().take(PIECE_ROWS_MAX as usize).collect();
        piece.same(&table(guest(given)), &table(guest(asked))).is_ok()
    }

    #[test]
    fn rows_that_moved_are_seen_and_rows_that_stay_are_not() {
        for rows in [2, 3, 4, 7, 128, 129, 1001] {
            assert!(kept_by(rows, |rows| rows), "{rows}");
            assert!(kept_by(rows, |rows| rows.iter().map(|x| x * 3.0 + 1.0).collect()), "{rows}");
            assert!(!kept_by(rows, |rows| rows.into_iter().rev().collect()), "{rows} reversed");
            assert!(
                !kept_by(rows, |mut rows| {
                    rows.rotate_left(1);
                    rows
                }),
                "{rows} rotated"
            );
            assert!(!kept_by(rows, |rows| rows.iter().map(|x| x / rows.len() as f64).collect()), "{rows} by the batch");
        }
        assert!(Piece::of(&table([1.0])).is_none() && Piece::of(&table([])).is_none());
    }

    #[test]
    fn the_bits_count_and_a_missing_column_is_no_answer() {
        let piece = Piece::of(&table([0.0, 0.0])).unwrap();
        assert!(piece.same(&table([0.0, f64::NAN]), &table([f64::NAN])).is_ok());
        assert!(piece.same(&table([0.0, 0.0]), &table([-0.0])).unwrap_err().message.starts_with("rows 1 to 1 give"));
        assert!(piece.same(&table([0.0, 0.0]), &table([0.0, 0.0])).is_err());
        assert!(piece.same(&table([0.0, 0.0]), &Table::empty(Schema::default())).is_err());
    }
}

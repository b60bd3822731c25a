use stepwell::{Result, Table};

/// A column of the table's own length beside those it has; null where a value is.
pub fn with_halves(rows: &Table) -> Result<Table> {
    let halves = rows.f64("size")?.map(|size| size / 2.0);
    rows.with("half", halves)
}

/// A new table, whole at once.
pub fn squares(count: i64) -> Result<Table> {
    let numbers: Vec<i64> = (0..count).collect();
    let squares: Vec<i64> = numbers.iter().map(|number| number * number).collect();
    Table::builder().column("number", numbers).column("square", squares).finish()
}

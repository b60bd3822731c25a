//! Rows -> columns that align. Numbers stand to the right.

/// A table with a head. The last column is as long as it is. What a cell has, a stranger may have written.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| super::tame(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        // Beyond this, formatting itself gives up.
        cells.chain([head[column].chars().count()]).max().unwrap_or(0).min(usize::from(u16::MAX))
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let numeric = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty()).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.parse::<f64>().is_ok())
    };
    let right: Vec<bool> = (0..head.len()).map(numeric).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(i, cell)| match right[i] {
            true => format!("{cell:>width$}", width = widths[i]),
            false => format!("{cell:<width$}", width = widths[i]),
        });
        format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    let mut text = format!("{}\n", super::faint(&line(head.to_vec())));
    for row in &rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_align_and_numbers_stand_right() {
        let rows = vec![vec!["a".to_owned(), "9".to_owned()], vec!["long".to_owned(), "10".to_owned()]];
        let text = super::table(&["name", "n"], rows);
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(lines, ["  a      9", "  long  10"]);
    }

    #[test]
    fn a_cell_stays_in_its_line() {
        let text = super::table(&["name"], vec![vec!["a\nb\u{1b}[2J".to_owned()]]);
        assert_eq!(text.lines().nth(1), Some("  a\u{fffd}b\u{fffd}[2J"));
    }
}

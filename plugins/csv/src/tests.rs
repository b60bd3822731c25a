//! Pages and cursors over a file in memory that grows.

use super::*;
use crate::records::tests::Text;

fn csv<'a>(text: &'a str, params: &str) -> Csv<Text<'a>> {
    Csv::new(stepwell::parse(params).unwrap(), Text(text.as_bytes())).unwrap()
}

/// The first column of the page at a cursor, joined by blanks; the next cursor; whether there is more; whether it started
/// again.
fn read(text: &str, params: &str, cursor: Option<&Cursor>) -> Result<(String, Cursor, bool, bool)> {
    let csv = csv(text, params);
    let (cursor, restarted) = csv.resume(cursor.cloned())?;
    let (mut columns, next, more) = csv.page(cursor)?;
    let values = columns.remove(0).1.into_categories()?;
    let shown: Vec<String> = values.iter().map(|value| value.cloned().unwrap_or("null".into())).collect();
    Ok((shown.join(" "), next, more, restarted))
}

const TWO: &str = r#"{"path": "f.csv", "page_rows": 2}"#;

#[test]
fn pages_follow_one_another() {
    let text = "\u{feff}a,b\r\n1,x\r\n2,\"y\r\ny\"\r\n,z\r\n";
    let (values, cursor, more, _) = read(text, TWO, None).unwrap();
    assert_eq!((values.as_str(), more, cursor.row), ("1 2", true, 2));
    let (values, cursor, more, restarted) = read(text, TWO, Some(&cursor)).unwrap();
    assert_eq!((values.as_str(), more, restarted, cursor.row), ("null", false, false, 3));
    assert_eq!(cursor.place.offset, text.len() as u64);
    assert_eq!(read(text, TWO, Some(&cursor)).unwrap(), (String::new(), cursor, false, false));
}

#[test]
fn appended_rows_come_once() {
    let (values, cursor, ..) = read("a\n1\n2", TWO, None).unwrap();
    assert_eq!((values.as_str(), cursor.unterminated), ("1 2", true));
    assert_eq!(read("a\n1\n2", TWO, Some(&cursor)).unwrap(), (String::new(), cursor.clone(), false, false));
    let (values, next, _, restarted) = read("a\n1\n2\n3\n", TWO, Some(&cursor)).unwrap();
    assert_eq!((values.as_str(), next.row, next.unterminated, restarted), ("3", 3, false, false));
    // The line end alone is appended first, then a row.
    let (values, next, ..) = read("a\n1\n2\n", TWO, Some(&cursor)).unwrap();
    assert_eq!((values.as_str(), next.unterminated), ("", false));
    let (values, ..) = read("a\n1\n2\n3", TWO, Some(&next)).unwrap();
    assert_eq!(values, "3");
}

#[test]
fn an_edited_file_is_read_again() {
    let (_, cursor, ..) = read("a\n1\n2", TWO, None).unwrap();
    for text in ["a\n9\n2\n3\n", "a\n1\n23\n", "a\n1\n", "b\n1\n2\n3\n"] {
        let (values, next, _, restarted) = read(text, TWO, Some(&cursor)).unwrap();
        assert!(restarted, "{text:?}");
        assert_eq!(next.row, values.split(' ').count() as u64, "{text:?}");
    }
}

#[test]
fn types_stay_as_first_read() {
    let (_, cursor, ..) = read("a\n1\n", TWO, None).unwrap();
    let error = read("a\n1\n2.5\n", TWO, Some(&cursor)).unwrap_err();
    assert_eq!(error, Error::invalid("f.csv", "line 3, column `a`: expected `int64`, got `2.5`"));
    let said = r#"{"path": "f.csv", "columns": {"a": "float64"}}"#;
    let csv = csv("a\n1\n", said);
    let (columns, ..) = csv.page(csv.start().unwrap()).unwrap();
    assert_eq!(columns, [(Field::new("a", DataType::Float64).nullable(), AnyColumn::from(vec![Some(1.0)]))]);
}

#[test]
fn a_cursor_survives_storage_and_a_strange_one_is_refused() {
    let (_, cursor, ..) = read("a\n1\n2\n3\n", TWO, None).unwrap();
    assert_eq!(Cursor::parse(&serde_json::to_vec(&cursor).unwrap()).unwrap(), cursor);
    assert!(Cursor::parse(b"{}").is_err());
    assert!(Cursor::parse(b"\xff").is_err());
}

#[test]
fn headers_and_parameters_that_cannot_be_are_refused() {
    for text in ["", "\n\n", "a,a\n1,2\n", "a,\n1,2\n"] {
        assert!(read(text, TWO, None).is_err(), "{text:?}");
    }
    assert!(read("a\n1\n", r#"{"path": "f", "columns": {"b": "text"}}"#, None).is_err());
    assert!(read("a\n1\n", r#"{"path": "f", "page_rows": 0}"#, None).is_err());
    for delimiter in ["", ",,", "\"", "é"] {
        let params = Params { delimiter: delimiter.into(), ..stepwell::parse(r#"{"path": "f"}"#).unwrap() };
        assert!(Csv::new(params, Text(b"")).is_err(), "{delimiter:?}");
    }
}

//! Spoilt bytes -> an error, or a table of which every value can be read; never a panic, and never much memory.

use super::*;
use crate::{GuestColumn, PART_ROWS, Table, TableWriter, open, open_bytes, open_message, to_bytes, to_message, write};
use proptest::prelude::*;
use std::path::PathBuf;
use types::{DataType, Digest, Field, TableRef};

fn schema() -> Schema {
    let field = |name: &str, data_type, nullable| Field { name: name.to_owned(), data_type, nullable };
    Schema {
        fields: vec![
            field("x", DataType::Int64, true),
            field("name", DataType::Text, false),
            field("v", DataType::Vector(2), false),
            field("b", DataType::Boolean, false),
        ],
    }
}

fn table(rows: u32) -> Table {
    let column = |data_type, data: Vec<u8>| {
        let (validity, offsets) = (None, None);
        GuestColumn { data_type, length: rows, validity, offsets, data }
    };
    let bits = rows.div_ceil(8) as usize;
    let mut x = column(DataType::Int64, (0..rows).flat_map(|row| i64::from(row).to_le_bytes()).collect());
    x.validity = Some(vec![0b0101_1011; bits]);
    let mut name = column(DataType::Text, "é".repeat(rows as usize).into_bytes());
    name.offsets = Some((0..=rows).flat_map(|row| (2 * row as i32).to_le_bytes()).collect());
    let v = column(DataType::Vector(2), (0..2 * rows).flat_map(|i| (i as f32).to_le_bytes()).collect());
    let b = column(DataType::Boolean, vec![0b0011_0101; bits]);
    Table::from_columns(schema(), vec![x, name, v, b]).unwrap()
}

/// The columns of an opened table share the mapped file: each is counted once, and of it only the rows that are there.
#[test]
fn a_mapped_table_takes_no_more_than_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |digest: &Digest| folder.path().join(digest.to_string());
    let stored = write(&table(600), |part| {
        std::fs::write(path(&part.digest), part.bytes).unwrap();
        Ok(())
    });
    let stored = stored.unwrap();
    let opened = open(&stored, path).unwrap();
    assert!(opened.bytes() <= stored.bytes, "{} > {}", opened.bytes(), stored.bytes);
    assert_eq!(opened.bytes(), table(600).bytes());
    let tenth = opened.slice(0, 60).bytes();
    assert!(tenth * 9 < opened.bytes() && opened.bytes() < tenth * 11, "{tenth}");
}

/// What a hostile writer would put where a length, an offset or a count is.
fn numbers() -> impl Strategy<Value = [u8; 8]> {
    prop_oneof![
        Just(u64::MAX),
        Just(1 << 62),
        Just(1 << 40),
        Just(u64::from(u32::MAX)),
        Just(i64::MIN as u64),
        Just(0),
        any::<u64>()
    ]
    .prop_map(u64::to_le_bytes)
}

/// Some bytes of a message overwritten, eight at a time, four at a time or a bit; and its end cut off.
fn spoilt(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let (length, change) = (bytes.len(), (0..bytes.len(), numbers(), prop_oneof![Just(8), Just(4), Just(1)]));
    (proptest::collection::vec(change, 1..4), 0..=length, any::<bool>()).prop_map(move |(changes, kept, cut)| {
        let mut spoilt = bytes.clone();
        for (place, number, width) in changes {
            let end = (place + width).min(spoilt.len());
            spoilt[place..end].copy_from_slice(&number[..end - place]);
        }
        spoilt.truncate(if cut { kept } else { length });
        spoilt
    })
}

/// Reads every value that a table says it has: what was let in must hold.
fn read_all(table: &Table) {
    for field in &table.schema().fields {
        table.read(&field.name, 0, u32::try_from(table.rows()).unwrap()).unwrap();
    }
    crate::json_rows(table).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spoilt_message_of_columns_is_refused_or_harmless(bytes in spoilt(to_message(&table(9), &schema()).unwrap())) {
        if let Ok(table) = open_message(&bytes, &schema()) {
            prop_assert!(table.rows() <= 8 * bytes.len() as u64);
            read_all(&table);
        }
    }

    #[test]
    fn a_spoilt_message_is_refused_or_harmless(bytes in spoilt(to_bytes(&table(9)).unwrap())) {
        if let Ok(table) = open_bytes(&bytes, &schema()) {
            prop_assert!(table.rows() <= 8 * bytes.len() as u64);
            read_all(&table);
        }
    }

    #[test]
    fn a_spoilt_part_is_refused_or_harmless(bytes in spoilt(stored(&table(9)).1.remove(0).bytes)) {
        if let Ok(batch) = part(&Buffer::from(bytes.as_slice()), &schema()) {
            prop_assert!(batch.num_rows() <= 8 * bytes.len());
            read_all(&Table::from_batches(schema(), vec![batch]));
        }
    }
}

fn stored(table: &Table) -> (TableRef, Vec<crate::StoredPart>) {
    let mut parts = Vec::new();
    let reference = write(table, |part| {
        parts.push(part);
        Ok(())
    });
    (reference.unwrap(), parts)
}

/// Where a message says how long the body of its batch is.
fn body_length_at(bytes: &[u8]) -> usize {
    let batch = frame(bytes, frame(bytes, 0).unwrap().unwrap().end).unwrap().unwrap();
    let head = batch.block.offset() as usize..batch.end - batch.block.bodyLength() as usize;
    let length = batch.block.bodyLength().to_le_bytes();
    head.clone().find(|&at| bytes[at..at + 8] == length).unwrap()
}

#[test]
fn a_message_that_claims_more_than_it_brings_is_refused_at_once() {
    let sound = to_bytes(&table(9)).unwrap();
    assert_eq!(open_bytes(&sound, &schema()).unwrap().rows(), 9);
    let place = body_length_at(&sound);
    for claimed in [i64::MAX, 1 << 60, 1 << 40, sound.len() as i64, -1, i64::MIN] {
        let mut spoilt = sound.clone();
        spoilt[place..place + 8].copy_from_slice(&claimed.to_le_bytes());
        let error = open_bytes(&spoilt, &schema()).unwrap_err().to_string();
        assert_eq!(error, "stored table is damaged: a message is shorter than it says", "{claimed}");
    }
    for head in [u32::MAX, i32::MAX as u32, sound.len() as u32] {
        let mut spoilt = sound.clone();
        spoilt[4..8].copy_from_slice(&head.to_le_bytes());
        assert!(open_bytes(&spoilt, &schema()).is_err(), "{head}");
    }
}

#[test]
fn messages_without_schema_or_with_another_are_refused() {
    let sound = to_bytes(&table(9)).unwrap();
    let body = frame(&sound, 0).unwrap().unwrap().end;
    let other = Schema { fields: schema().fields[..2].to_vec() };
    for (bytes, schema, expected) in [
        (&b""[..], schema(), "shorter than it says"),
        (&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], schema(), "holds nothing"),
        (b"{\"rows\": 1}", schema(), "no mark"),
        (&sound[body..], schema(), "does not begin with a schema"),
        (&sound[..body], schema(), "shorter than it says"),
        (&sound, other, "other columns"),
    ] {
        let error = open_bytes(bytes, &schema).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, expected {expected}");
    }
}

#[test]
fn rows_without_columns_take_no_memory() {
    let nothing = Schema { fields: Vec::new() };
    let table = Table::from_arrays(nothing.clone(), Vec::new(), 1 << 50).unwrap();
    let error = open_bytes(&to_bytes(&table).unwrap(), &nothing).unwrap_err().to_string();
    assert!(error.contains("a batch of 0 bytes claims 1125899906842624 rows"), "{error}");
}

#[test]
fn a_message_brings_back_every_value_whatever_pieces_the_rows_lay_in() {
    let pieces = [table(9).slice(3, 2), table(9).slice(0, 0), table(17).slice(8, 9), table(1)];
    let rows = Table::concat(&pieces).unwrap();
    let opened = open_message(&to_message(&rows, &schema()).unwrap(), &schema()).unwrap();
    assert_eq!((opened.rows(), opened.schema()), (12, &schema()));
    let values = |table: &Table| crate::json_rows(table).unwrap();
    assert_eq!(values(&opened), values(&rows));
    let none = Table::empty(schema());
    assert_eq!(open_message(&to_message(&none, &schema()).unwrap(), &schema()).unwrap().rows(), 0);
}

#[test]
fn a_message_of_other_columns_or_another_length_is_refused() {
    let sound = to_message(&table(9), &schema()).unwrap();
    let other = Schema { fields: schema().fields[..2].to_vec() };
    let error = to_message(&table(9), &other).unwrap_err().to_string();
    assert!(error.contains("expected `x` int64, `name` text"), "{error}");
    let longer = [&sound[..], b"more"].concat();
    for (bytes, schema, expected) in [
        (&b""[..], schema(), "shorter than it says"),
        (&sound[..sound.len() - 1], schema(), "shorter than it says"),
        (&longer, schema(), "goes on after its last column"),
        (&sound, other, "goes on after its last column"),
    ] {
        let error = open_message(bytes, &schema).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, expected {expected}");
    }
    for claimed in [u32::MAX, u32::MAX - 1, i32::MAX as u32, 10, 8] {
        let mut spoilt = sound.clone();
        spoilt[..4].copy_from_slice(&claimed.to_le_bytes());
        assert!(open_message(&spoilt, &schema()).is_err(), "{claimed} rows");
    }
}

/// A folder of parts, and the table that they are.
fn laid_out(rows: u32) -> (tempfile::TempDir, TableRef) {
    let folder = tempfile::tempdir().unwrap();
    let (reference, parts) = stored(&table(rows));
    for part in parts {
        std::fs::write(folder.path().join(part.digest.to_string()), part.bytes).unwrap();
    }
    (folder, reference)
}

#[test]
fn a_table_has_the_parts_that_its_rows_take() {
    let (folder, sound) = laid_out(PART_ROWS as u32 + 5);
    let path_of = |part: &Digest| -> PathBuf { folder.path().join(part.to_string()) };
    assert_eq!(open(&sound, path_of).unwrap().rows(), PART_ROWS as u64 + 5);
    let forged = |rows, parts: &[usize]| {
        let parts: Vec<Digest> = parts.iter().map(|&part| sound.parts[part]).collect();
        let digest = Digest::of_json(&("table", 1, &sound.schema, &parts));
        open(&TableRef { digest, parts, rows, ..sound.clone() }, path_of)
    };
    let whole = PART_ROWS as u64;
    for (rows, parts, expected) in [
        (whole + 5, &[0, 1, 1][..], "has 3 parts, its 65541 rows take 2"),
        (5, &[1; 900], "has 900 parts, its 5 rows take 1"),
        (0, &[1], "has 1 parts, its 0 rows take 0"),
        (u64::MAX, &[0, 1], "has 2 parts, its 18446744073709551615 rows take 281474976710656"),
        (whole + 6, &[0, 1], "part 2 holds 5 rows, expected 6"),
        (2 * whole, &[1, 0], "part 1 holds 5 rows, expected 65536"),
    ] {
        let error = forged(rows, parts).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, expected {expected}");
    }
    assert_eq!(forged(3 * whole + 5, &[0, 0, 0, 1]).unwrap().rows(), 3 * whole + 5, "equal parts are honest");
    let renamed = TableRef { digest: Digest::of(b"another"), ..sound.clone() };
    assert!(open(&renamed, path_of).unwrap_err().to_string().contains("do not give its digest"));
}

#[test]
fn an_altered_part_is_named_and_gives_nothing() {
    let (folder, sound) = laid_out(600);
    let path_of = |part: &Digest| -> PathBuf { folder.path().join(part.to_string()) };
    let file = path_of(&sound.parts[0]);
    let mut bytes = std::fs::read(&file).unwrap();
    // Within a value, where no structure shows it.
    let at = bytes.windows(8).position(|bytes| bytes == 300_i64.to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let error = open(&sound, path_of).unwrap_err().to_string();
    assert!(error.contains(&format!("`{}` was altered", file.display())), "{error}");
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(open(&sound, path_of).unwrap().rows(), 600);
}

#[test]
fn columns_are_bounded_in_number_and_name() {
    let fields = |count: usize, name: &str| {
        let field = |i| Field { name: format!("{name}{i}"), data_type: DataType::Int64, nullable: false };
        Schema { fields: (0..count).map(field).collect() }
    };
    for (schema, expected) in [
        (fields(types::COLUMNS_MAX + 1, "x"), "gives 65537 columns, at most 65536 are taken"),
        (fields(1, &"x".repeat(types::NAME_BYTES_MAX)), "a column's name has 1025 bytes, at most 1024 are taken"),
    ] {
        assert_eq!(TableWriter::create(schema.clone()).unwrap_err().to_string(), expected);
        assert_eq!(write(&Table::empty(schema), |_| Ok(())).map(|_| ()).unwrap_err().to_string(), expected);
    }
}

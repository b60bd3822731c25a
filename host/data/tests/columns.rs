//! Columns of one table beside those of another, in whatever pieces either has its rows.

use data::{CHUNK_BYTES_MAX, GuestColumn, Table, TableWriter};
use types::{DataType, Field, Schema};

/// A column of these numbers, in pieces of so many rows.
fn table(name: &str, numbers: std::ops::Range<i64>, pieces: &[usize]) -> Table {
    let fields = vec![Field { name: name.to_owned(), data_type: DataType::Int64, nullable: false }];
    let mut writer = TableWriter::create(Schema { fields }).unwrap();
    let mut numbers = numbers.into_iter();
    for &rows in pieces {
        let data = numbers.by_ref().take(rows).flat_map(i64::to_le_bytes).collect();
        let (data_type, length) = (DataType::Int64, rows as u32);
        writer.append(vec![GuestColumn { data_type, length, validity: None, offsets: None, data }]).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn columns_join_in_the_pieces_that_both_have_or_in_one_where_those_are_small() {
    for (rows, one, other, expected) in [
        (20_000, &[20_000][..], &[8_000, 0, 12_000][..], &[8_000, 12_000][..]),
        (20_000, &[10_000, 10_000][..], &[8_000, 12_000][..], &[8_000, 2_000, 10_000][..]),
        (20_000, &[1; 20_000][..], &[20_000][..], &[20_000][..]),
        (3, &[1, 2][..], &[3][..], &[3][..]),
        (0, &[][..], &[0][..], &[][..]),
    ] {
        let (left, right) = (table("a", 0..rows, one), table("b", rows..2 * rows, other));
        let joined = left.with_columns(&right).unwrap();
        let lengths: Vec<usize> = joined.batches().iter().map(|batch| batch.num_rows()).collect();
        assert_eq!((joined.rows(), lengths.as_slice()), (rows as u64, expected), "{one:?}, {other:?}");
        for (name, numbers) in [("a", 0..rows), ("b", rows..2 * rows)] {
            let bytes: Vec<u8> = numbers.flat_map(i64::to_le_bytes).collect();
            assert_eq!(joined.read(name, 0, rows as u32).unwrap().data, bytes, "{name} of {one:?}, {other:?}");
        }
        let replaced = joined.with_columns(&table("a", 7..7 + rows, one)).unwrap();
        let names: Vec<&str> = replaced.schema().fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let bytes: Vec<u8> = (7..7 + rows).flat_map(i64::to_le_bytes).collect();
        assert_eq!(replaced.read("a", 0, rows as u32).unwrap().data, bytes);
    }
}

#[test]
fn columns_read_together_are_those_read_alone() {
    let both = table("a", 0..20, &[7, 13]).with_columns(&table("b", 20..40, &[20])).unwrap();
    for names in [&["a", "b"][..], &["b", "a"], &["b"], &["a", "a"], &[]] {
        for (offset, length) in [(0, 20), (5, 9), (19, 7), (30, 1), (0, 0)] {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let together = both.lend_columns(&names, offset, length).unwrap();
            let together: Vec<GuestColumn> = together.into_iter().map(GuestColumn::from).collect();
            let alone: Vec<GuestColumn> = names.iter().map(|name| both.read(name, offset, length).unwrap()).collect();
            assert_eq!(together, alone, "{names:?} from {offset}, {length} rows");
        }
    }
}

#[test]
fn columns_read_together_are_bounded_by_what_one_may_have_and_by_the_table() {
    // Three times 16 MiB.
    let rows = 2 << 20;
    let [a, b, c] = ["a", "b", "c"].map(|name| table(name, 0..rows, &[rows as usize]));
    let all = a.with_columns(&b).and_then(|table| table.with_columns(&c)).unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    assert_eq!(all.lend_columns(&names(&["a", "b"]), 0, rows as u32).unwrap().len(), 2);
    match all.lend_columns(&names(&["a", "b", "c"]), 0, rows as u32) {
        Err(data::Error::Chunk { column, bytes, limit, .. }) => {
            assert_eq!((column.as_str(), bytes, limit), ("c", 48 << 20, CHUNK_BYTES_MAX));
        }
        other => panic!("{other:?}"),
    }
    let told = |names: &[String]| all.lend_columns(names, 0, 1).unwrap_err().to_string();
    assert!(told(&names(&["a", "x"])).contains('x'), "{}", told(&names(&["a", "x"])));
    assert!(told(&names(&["a"; 4])).contains("4 columns were asked for at once"), "{}", told(&names(&["a"; 4])));
}

/// What was kept so could not be read again.
#[test]
fn rows_without_a_column_are_not_kept() {
    let none = table("a", 0..3, &[3]).select(&[]).unwrap();
    assert_eq!(none.rows(), 3);
    let refused = data::write(&none, |_| panic!("a part of it was stored")).unwrap_err().to_string();
    assert!(refused.contains("3 rows without a column cannot be kept"), "{refused}");
    assert_eq!(data::check_kept(&none).unwrap_err().to_string(), refused);
    assert!(data::check_kept(&none.slice(0, 0)).is_ok());
}

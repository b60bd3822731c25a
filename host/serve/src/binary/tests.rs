//! Every datatype's bytes as they become a column, and back.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use types::{Field, Schema};

fn read(data_type: DataType, datatype: Datatype, rows: usize, bytes: &[u8]) -> Result<Value, String> {
    let field = Field { name: "x".to_owned(), data_type, nullable: false };
    let width = if let DataType::Vector(length) = data_type { length as usize } else { 1 };
    let tensor = Tensor { field: &field, datatype, rows, width, may_nest: false };
    let made = column(&tensor, bytes)?;
    let table = data::Table::from_columns(Schema { fields: vec![field.clone()] }, vec![made]).unwrap();
    Ok(data::json_rows(&table).unwrap().into_iter().map(|row| row["x"].clone()).collect())
}

#[test]
fn every_datatype_has_its_bytes() {
    use DataType::{Boolean, Date, Float32, Float64, Int64, Text, Vector};
    for (column, datatype, bytes, expected) in [
        (Boolean, Datatype::Bool, &b"\x01\0"[..], json!([true, false])),
        (Int64, Datatype::Uint8, b"\xff\0", json!([255, 0])),
        (Int64, Datatype::Int8, b"\xff\x7f", json!([-1, 127])),
        (Int64, Datatype::Uint16, b"\xff\xff\0\x01", json!([65535, 256])),
        (Int64, Datatype::Int16, b"\xff\xff\0\x01", json!([-1, 256])),
        (Int64, Datatype::Uint32, b"\xff\xff\xff\xff\0\0\0\x01", json!([u32::MAX, 1 << 24])),
        (Int64, Datatype::Int32, b"\xff\xff\xff\xff\0\0\0\x01", json!([-1, 1 << 24])),
        (Int64, Datatype::Int64, b"\xff\xff\xff\xff\xff\xff\xff\x7f\x01\0\0\0\0\0\0\0", json!([i64::MAX, 1])),
        (Date, Datatype::Int32, b"\xf9\xff\xff\xff\0\0\0\0", json!([-7, 0])),
        (Float64, Datatype::Fp16, b"\0\x3c\0\xc0", json!([1.0, -2.0])),
        (Float64, Datatype::Bf16, b"\x80\x3f\0\xc0", json!([1.0, -2.0])),
        (Float32, Datatype::Fp32, b"\0\0\x80\x3f\0\0\0\xc0", json!([1.0, -2.0])),
        (Float64, Datatype::Fp64, b"\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0", json!([1.0, -2.0])),
        (Float64, Datatype::Int8, b"\xff\x7f", json!([-1.0, 127.0])),
        (Text, Datatype::Bytes, b"\0\0\0\0\x02\0\0\0\xc3\xa9", json!(["", "é"])),
        (Vector(2), Datatype::Fp16, b"\0\x3c\0\xc0\0\0\0\x80", json!([[1.0, -2.0], [0.0, -0.0]])),
    ] {
        assert_eq!(read(column, datatype, 2, bytes), Ok(expected), "{column} from {datatype}");
    }
}

#[test]
fn bytes_that_are_no_values_are_refused() {
    for (column, datatype, bytes, expected) in [
        (DataType::Boolean, Datatype::Bool, &b"\x01\x02"[..], "is the byte 2, no BOOL (row 1)"),
        (DataType::Float64, Datatype::Fp64, b"\0", "has 1 bytes of values, 2 of FP64 are 16"),
        (DataType::Float32, Datatype::Fp32, b"\0\0\0\0\0\0\xc0\x7f", "is NaN, which is no number (row 1)"),
        (DataType::Text, Datatype::Bytes, b"\0\0\0\0", "has 1 values, its shape says 2"),
        (DataType::Text, Datatype::Bytes, b"\0\0\0\0\0\0", "breaks off within the length of a value (row 1)"),
        (
            DataType::Text,
            Datatype::Bytes,
            b"\0\0\0\0\xff\xff\xff\xffx",
            "is said to have 4294967295 bytes, 1 are left (row 1)",
        ),
        (DataType::Text, Datatype::Bytes, b"\x01\0\0\0\xff\0\0\0\0", "is no text in UTF-8 (row 0)"),
        (DataType::Text, Datatype::Bytes, &[0; 12], "has more than the 2 values that its shape says"),
    ] {
        assert_eq!(read(column, datatype, 2, bytes).unwrap_err(), expected, "{datatype} {bytes:?}");
    }
}

proptest! {
    /// A column of bytes holds any, which no text of JSON could.
    #[test]
    fn bytes_come_back_as_they_went(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..9)) {
        let field = Field { name: "x".to_owned(), data_type: DataType::Bytes, nullable: false };
        let sent: Vec<u8> =
            values.iter().flat_map(|value| [&(value.len() as u32).to_le_bytes()[..], value].concat()).collect();
        let tensor = Tensor { field: &field, datatype: Datatype::Bytes, rows: values.len(), width: 1, may_nest: false };
        let made = column(&tensor, &sent).unwrap();
        prop_assert_eq!(bytes("x", &[made]).unwrap(), sent);
    }
}

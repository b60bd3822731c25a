//! Columns <-> matrices.

use crate::{tensor, vacant, values};
use data::{GuestColumn, Table, TableWriter, numbers};
use tensors::{ElementType, Tensor};
use types::{DataType, Field, Schema};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn column(data_type: DataType, length: u32, data: Vec<u8>) -> GuestColumn {
    GuestColumn { data_type, length, validity: None, offsets: None, data }
}

/// `amount` float64, `count` int64, `paid` boolean, `late` int64 with a null; two rows in each of two pieces.
fn table() -> Table {
    let field = |name: &str, data_type, nullable| Field { name: name.to_owned(), data_type, nullable };
    let fields = vec![
        field("amount", DataType::Float64, false),
        field("count", DataType::Int64, false),
        field("paid", DataType::Boolean, false),
        field("late", DataType::Int64, true),
        field("day", DataType::Date, false),
    ];
    let mut writer = TableWriter::create(Schema { fields }).unwrap();
    for piece in 0..2i64 {
        let amounts = [0.5 + piece as f64, 1.5 + piece as f64];
        let counts: Vec<u8> = [piece, -piece].iter().flat_map(|count| count.to_le_bytes()).collect();
        let late = GuestColumn { validity: Some(vec![0b01]), ..column(DataType::Int64, 2, counts.clone()) };
        let amounts = amounts.iter().flat_map(|amount| amount.to_le_bytes()).collect();
        let columns = vec![
            column(DataType::Float64, 2, amounts),
            column(DataType::Int64, 2, counts),
            column(DataType::Boolean, 2, vec![0b10]),
            late,
            column(DataType::Date, 2, vec![0; 8]),
        ];
        writer.append(columns).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn columns_become_a_matrix() {
    for element_type in [ElementType::Float32, ElementType::Float64] {
        let matrix = Tensor::from_table(&table(), &names(&["paid", "amount", "count"]), element_type).unwrap();
        assert_eq!((matrix.shape(), matrix.element_type()), (vec![4, 3], element_type));
        assert_eq!(values(&matrix), [0.0, 0.5, 0.0, 1.0, 1.5, 0.0, 0.0, 1.5, 1.0, 1.0, 2.5, -1.0]);
    }
}

#[test]
fn a_matrix_becomes_columns() {
    let matrix = tensor(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let table = matrix.to_table(&names(&["a", "b", "c"])).unwrap();
    assert_eq!(numbers(&table, "b").unwrap(), [2.0, 5.0]);
    let turned = matrix.transpose(0, 1).unwrap().cast(ElementType::Float32).unwrap();
    let table = turned.to_table(&names(&["a", "b"])).unwrap();
    assert_eq!(numbers(&table, "b").unwrap(), [4.0, 5.0, 6.0]);
    assert_eq!(table.schema().fields[0].data_type, DataType::Float32);
    assert_eq!(vacant(&[0, 2]).to_table(&names(&["a", "b"])).unwrap().rows(), 0);
    assert_eq!(vacant(&[3, 0]).to_table(&[]).unwrap().rows(), 0);
}

#[test]
fn an_empty_table_is_an_empty_matrix() {
    let empty = table().slice(0, 0);
    let matrix = Tensor::from_table(&empty, &names(&["amount"]), ElementType::Float64).unwrap();
    assert_eq!(matrix.shape(), [0, 1]);
}

#[test]
fn what_is_no_matrix_is_refused() {
    let from =
        |columns: &[&str]| Tensor::from_table(&table(), &names(columns), ElementType::Float64).unwrap_err().to_string();
    assert_eq!(from(&[]), "`columns` is empty, expected at least one column");
    assert_eq!(from(&["late"]), "`late` holds nulls; fill or drop them in an earlier step");
    assert_eq!(from(&["day"]), "`day` is date, expected a number");
    assert_eq!(from(&["no"]), "`no` is missing; there are `amount`, `count`, `paid`, `late`, `day`");
    let to = |tensor: Tensor, columns: &[&str]| tensor.to_table(&names(columns)).unwrap_err().to_string();
    assert_eq!(to(tensor(&[1], &[0.0]), &["a"]), "to-table: expected a matrix [rows, columns], got shape [1]");
    assert_eq!(to(tensor(&[1, 1], &[0.0]), &["a", "b"]), "to-table: expected 1 column names, got 2");
    assert_eq!(to(tensor(&[1, 2], &[0.0; 2]), &["a", "a"]), "`a` stands twice");
}

#[test]
fn every_type_of_number_becomes_every_type_of_element() {
    let field = |name: &str, data_type| Field { name: name.to_owned(), data_type, nullable: false };
    let single = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let large = (1i64 << 53) + 1;
    let columns = vec![
        column(DataType::Float32, 2, single(&[2.0, -3.0])),
        column(DataType::Int64, 2, [large, -1].iter().flat_map(|value| value.to_le_bytes()).collect()),
        column(DataType::Boolean, 2, vec![0b01]),
        column(DataType::Vector(3), 2, single(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        column(DataType::Float64, 2, [0.5f64, 1e300].iter().flat_map(|value| value.to_le_bytes()).collect()),
    ];
    let types =
        [DataType::Float32, DataType::Int64, DataType::Boolean, DataType::Vector(3), DataType::Float64].into_iter();
    let fields = ["single", "whole", "flag", "vector", "double"].into_iter().zip(types);
    let schema = Schema { fields: fields.map(|(name, data_type)| field(name, data_type)).collect() };
    let table = Table::from_columns(schema, columns).unwrap();
    let chosen = names(&["vector", "flag", "single"]);
    for element_type in [ElementType::Float32, ElementType::Float64, ElementType::Int64] {
        let matrix = Tensor::from_table(&table, &chosen, element_type).unwrap();
        assert_eq!((matrix.element_type(), matrix.shape()), (element_type, vec![2, 5]));
        assert_eq!(values(&matrix), [1.0, 2.0, 3.0, 1.0, 2.0, 4.0, 5.0, 6.0, 0.0, -3.0]);
    }
    // What float64 would round, int64 keeps, and gives back.
    let whole = Tensor::from_table(&table, &names(&["whole"]), ElementType::Int64).unwrap();
    assert_eq!(whole.to_bytes().unwrap(), [large.to_le_bytes(), (-1i64).to_le_bytes()].concat());
    let back = whole.to_table(&names(&["whole"])).unwrap();
    assert_eq!(back.schema().fields[0].data_type, DataType::Int64);
    assert_eq!(back.read("whole", 0, 2).unwrap().data, whole.to_bytes().unwrap());
    let refused = |name: &str| Tensor::from_table(&table, &names(&[name]), ElementType::Int64).unwrap_err().to_string();
    assert_eq!(refused("double"), "`double` holds 0.5, expected whole numbers");
    assert_eq!(numbers(&table, "vector").unwrap_err().to_string(), "column `vector` is vector(3), expected a number");
}

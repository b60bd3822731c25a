//! What was noted of requests -> rows of one table: what they are called and cost, what was asked, what was answered.

use super::book::Noted;
use data::{GuestColumn, Table};
use std::collections::BTreeSet;
use types::{DataType, Field, PredictionId, Schema};

/// The column of predictions' ids.
pub(crate) const ID: &str = "_id";
pub(crate) const AT: &str = "_at";
pub(crate) const VERSION: &str = "_version";
/// How many columns are a log's own.
pub(crate) const OWN: usize = 6;

/// The columns of a log's own, first in a row. Those of request and answer follow under their names, `_` behind one that is
/// taken already.
fn own() -> Vec<Field> {
    let field = |name: &str, data_type, nullable| Field { name: name.to_owned(), data_type, nullable };
    vec![
        field(ID, DataType::Text, false),
        field(AT, DataType::Timestamp, false),
        field("_model", DataType::Text, false),
        field(VERSION, DataType::Int64, false),
        field("_latency_us", DataType::Int64, false),
        field("_trace", DataType::Text, true),
    ]
}

/// The columns of a log of requests and answers with these, and what those of the request and of the answer are called in it.
pub(crate) struct Layout {
    pub(crate) request: Vec<Field>,
    pub(crate) answer: Vec<Field>,
}

impl Layout {
    pub(crate) fn of(request: &[Field], answer: &[Field]) -> Self {
        let mut taken: BTreeSet<String> = own().into_iter().map(|field| field.name).collect();
        let mut named = |fields: &[Field]| {
            fields
                .iter()
                .map(|field| {
                    let mut name = field.name.clone();
                    while !taken.insert(name.clone()) {
                        name.push('_');
                    }
                    Field { name, ..field.clone() }
                })
                .collect::<Vec<_>>()
        };
        Self { request: named(request), answer: named(answer) }
    }

    pub(crate) fn schema(&self) -> Schema {
        Schema {
            fields: own().into_iter().chain(self.request.iter().cloned()).chain(self.answer.iter().cloned()).collect(),
        }
    }
}

/// The rows of requests whose rows and answers have the same columns.
pub(crate) fn table(noted: &[(PredictionId, Noted)]) -> Result<Table, data::Error> {
    let Some((_, first)) = noted.first() else { return Err(data::Error::Shape("nothing was noted".to_owned())) };
    let layout = Layout::of(&first.rows.schema().fields, &first.predictions.schema().fields);
    let asked =
        named(Table::concat(&noted.iter().map(|(_, one)| one.rows.clone()).collect::<Vec<_>>())?, &layout.request)?;
    let answers = noted.iter().map(|(_, one)| one.predictions.clone()).collect::<Vec<_>>();
    let answered = named(Table::concat(&answers)?, &layout.answer)?;
    Table::from_columns(Schema { fields: own() }, told(noted))?.with_columns(&asked)?.with_columns(&answered)
}

/// The same rows under other names.
fn named(table: Table, fields: &[Field]) -> Result<Table, data::Error> {
    table.renamed(Schema { fields: fields.to_vec() })
}

/// The columns of [`own`].
fn told(noted: &[(PredictionId, Noted)]) -> Vec<GuestColumn> {
    let each = || noted.iter().flat_map(|(id, one)| (0..one.rows.rows()).map(move |row| (id.row(row), one)));
    let models = each().map(|(_, one)| Some(one.model.to_string()));
    let traces = each().map(|(_, one)| one.trace.as_deref().map(str::to_owned));
    vec![
        texts(each().map(|(id, _)| Some(id.to_string()))),
        numbers(DataType::Timestamp, each().map(|(_, one)| one.at_us)),
        texts(models),
        numbers(DataType::Int64, each().map(|(_, one)| i64::from(one.version))),
        numbers(DataType::Int64, each().map(|(_, one)| i64::try_from(one.latency_us).unwrap_or(i64::MAX))),
        texts(traces),
    ]
}

/// A column of numbers of eight bytes.
pub(crate) fn numbers(data_type: DataType, values: impl Iterator<Item = i64>) -> GuestColumn {
    let data: Vec<u8> = values.flat_map(i64::to_le_bytes).collect();
    GuestColumn { data_type, length: (data.len() / 8) as u32, validity: None, offsets: None, data }
}

/// A column of texts.
pub(crate) fn texts(values: impl Iterator<Item = Option<String>>) -> GuestColumn {
    let (mut offsets, mut data, mut validity, mut length) = (0i32.to_le_bytes().to_vec(), Vec::new(), Vec::new(), 0u32);
    for value in values {
        if length.is_multiple_of(8) {
            validity.push(0u8);
        }
        if let (Some(value), Some(bits)) = (value, validity.last_mut()) {
            *bits |= 1 << (length % 8);
            data.extend_from_slice(value.as_bytes());
        }
        // A log's texts are short: a chunk of them has no 2 GiB.
        offsets.extend((data.len() as i32).to_le_bytes());
        length += 1;
    }
    let validity = (!is_full(&validity, length)).then_some(validity);
    GuestColumn { data_type: DataType::Text, length, validity, offsets: Some(offsets), data }
}

fn is_full(validity: &[u8], length: u32) -> bool {
    validity.iter().map(|bits| bits.count_ones()).sum::<u32>() == length
}

/// The ids of a log's rows, in order.
pub(crate) fn ids(log: &Table) -> Result<Vec<PredictionId>, data::Error> {
    let damaged = || data::Error::Damaged(format!("column `{ID}` holds what is no prediction's id"));
    let texts = data::texts(log, ID)?;
    texts.iter().map(|text| text.as_deref().and_then(PredictionId::parse).ok_or_else(damaged)).collect()
}

//! What was noted of requests -> rows of one table: what they are called and cost, what was asked, what was answered.

use super::book::Noted;
use data::{Gathered, GuestColumn, Table};
use std::collections::BTreeSet;
use std::sync::Arc;
use types::{DataType, Field, ModelName, PredictionId, Schema};

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

/// Requests whose rows and answers have the same columns, as they came. Of their tables the values are kept, not the tables: these
/// have a piece a column, and all pieces of some thousand requests take longer to let go of than to write.
pub(crate) struct Alike {
    pub(crate) notes: Vec<Note>,
    asked: Gathered,
    answered: Gathered,
}

/// What is known of a request besides its rows.
pub(crate) struct Note {
    /// What its first row is called.
    pub(crate) first: PredictionId,
    pub(crate) rows: u64,
    at_us: i64,
    latency_us: u64,
    model: ModelName,
    version: u32,
    trace: Option<Arc<str>>,
}

impl Note {
    pub(crate) fn ids(&self) -> impl Iterator<Item = PredictionId> {
        (0..self.rows).map(|row| self.first.row(row))
    }
}

impl Alike {
    pub(crate) fn new(noted: &Noted) -> Self {
        let gathered = |table: &Table| Gathered::new(data::schema(&table.schema().fields));
        Self { notes: Vec::new(), asked: gathered(&noted.rows), answered: gathered(&noted.predictions) }
    }

    /// Whether a request has the same columns.
    pub(crate) fn is_like(&self, noted: &Noted) -> bool {
        (self.asked.schema(), self.answered.schema()) == (noted.rows.schema(), noted.predictions.schema())
    }

    pub(crate) fn add(&mut self, first: PredictionId, noted: Noted) -> Result<(), data::Error> {
        let Noted { at_us, latency_us, model, version, trace, rows, predictions } = noted;
        self.asked.add(&rows)?;
        self.answered.add(&predictions)?;
        self.notes.push(Note { first, rows: rows.rows(), at_us, latency_us, model, version, trace });
        Ok(())
    }

    /// Their rows, as the log has them.
    pub(crate) fn table(self) -> Result<Table, data::Error> {
        let Self { notes, asked, answered } = self;
        let layout = Layout::of(&asked.schema().fields, &answered.schema().fields);
        let (asked, answered) = (named(asked.table()?, &layout.request)?, named(answered.table()?, &layout.answer)?);
        Table::from_columns(Schema { fields: own() }, told(&notes))?.with_columns(&asked)?.with_columns(&answered)
    }
}

/// The same rows under other names.
fn named(table: Table, fields: &[Field]) -> Result<Table, data::Error> {
    table.renamed(Schema { fields: fields.to_vec() })
}

/// The columns of [`own`].
fn told(notes: &[Note]) -> Vec<GuestColumn> {
    let each = || notes.iter().flat_map(|note| note.ids().map(move |id| (id, note)));
    vec![
        texts(each().map(|(id, _)| Some(id.to_string()))),
        numbers(DataType::Timestamp, each().map(|(_, one)| one.at_us)),
        texts(each().map(|(_, one)| Some(one.model.to_string()))),
        numbers(DataType::Int64, each().map(|(_, one)| i64::from(one.version))),
        numbers(DataType::Int64, each().map(|(_, one)| i64::try_from(one.latency_us).unwrap_or(i64::MAX))),
        texts(each().map(|(_, one)| one.trace.as_deref().map(str::to_owned))),
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

//! Predictions and their labels -> rows to learn from, and rows to look at.

use super::book::Book;
use super::files::{self, unusable};
use super::labels::Label;
use super::rows::{self, Layout};
use crate::Error;
use data::{GuestColumn, Table};
use serde_json::Value;
use std::collections::HashMap;
use types::{DataType, Fault, Field, LimitKind, PredictionId, Quantity, Schema};

/// The columns that a label adds to a row.
const LABEL: &str = "_label";
const LABEL_AT: &str = "_label_at";
const LABEL_RECEIVED: &str = "_label_received";
/// How many these are.
const TOLD: usize = 3;

/// Predictions whose labels have come, twice.
pub(crate) struct Joined {
    /// What was asked, and the label behind it: to learn from.
    pub(crate) table: Table,
    /// What the log has of it, and the label with its times.
    pub(crate) joined: Table,
}

/// The columns of [`Joined`], for an endpoint that is asked with these and answers with those.
pub(crate) fn columns(request: &[Field], answer: &[Field], label: &str) -> Result<(Vec<Field>, Vec<Field>), String> {
    let Some(predicted) = answer.first() else { return Err("it answers with no column".to_owned()) };
    if !matches!(
        predicted.data_type,
        DataType::Text | DataType::Boolean | DataType::Int64 | DataType::Float32 | DataType::Float64
    ) {
        return Err(format!("it answers with {}, of which there are no labels", predicted.data_type));
    }
    if request.iter().any(|field| field.name == label) {
        return Err(format!("it is asked with a column `{label}`; call the label otherwise"));
    }
    let of_label = |name: &str| Field { name: name.to_owned(), data_type: predicted.data_type, nullable: false };
    let table = request.iter().cloned().chain([of_label(label)]).collect();
    let time = |name: &str, nullable| Field { name: name.to_owned(), data_type: DataType::Timestamp, nullable };
    let told = [of_label(LABEL), time(LABEL_AT, true), time(LABEL_RECEIVED, false)];
    let joined = Layout::of(request, answer).schema().fields.into_iter().chain(told).collect();
    Ok((table, joined))
}

impl Book {
    /// The labelled predictions that fit the columns of both tables, which [`columns`] gave, the oldest first. Those of other
    /// columns, which another version had, are left out. They take no more memory than so many bytes.
    pub(crate) fn joined(&self, (table, joined): (&[Field], &[Field]), memory_bytes: u64) -> Result<Joined, Fault> {
        // The last ones are the label's, as `columns` puts them.
        let (logged, of_label) = joined.split_at(joined.len().saturating_sub(TOLD));
        let asked = logged.iter().skip(rows::OWN).take(table.len().saturating_sub(1));
        let learnt: Vec<String> = asked.map(|field| field.name.clone()).chain([LABEL.to_owned()]).collect();
        let (labels, schema) = (self.labels.read()?, Schema { fields: logged.to_vec() });
        let (mut found, mut bytes) = (vec![Table::empty(Schema { fields: joined.to_vec() })], 0_u64);
        for file in files::listed(&self.folder)? {
            let wrong = |error: data::Error| unusable(&file.path, &error);
            let Some(read) = data::open_log(&file.path).map_err(wrong)?.filter(|read| *read.rows.schema() == schema)
            else {
                continue;
            };
            if let Some((rows, labels)) = labelled(&read.rows, &labels).map_err(wrong)? {
                let told = told(&labels, of_label).map_err(wrong)?;
                let rows = rows.with_columns(&told).map_err(wrong)?;
                // Once file by file, and once as a whole.
                bytes = bytes.saturating_add(2 * rows.bytes());
                if bytes > memory_bytes {
                    let size = Quantity::Bytes(bytes).about();
                    let done = format!("labelled predictions of the endpoint take {size} and more");
                    return Err(Fault::beyond(LimitKind::Memory, done, memory_bytes));
                }
                found.push(rows);
            }
        }
        let joined = Table::concat(&found).map_err(Fault::host)?;
        let table = joined.select(&learnt).and_then(|rows| rows.renamed(Schema { fields: table.to_vec() }));
        Ok(Joined { table: table.map_err(Fault::host)?, joined })
    }

    /// Each row that the log has, the oldest first, with its label if it has come. Says how many there were.
    pub(crate) fn each(
        &self,
        is_labelled: bool,
        hear: &mut dyn FnMut(serde_json::Map<String, Value>) -> bool,
    ) -> Result<u64, Error> {
        let labels = self.labels.read()?;
        let mut count = 0;
        for file in files::listed(&self.folder)? {
            let wrong = |error: data::Error| unusable(&file.path, &error);
            let Some(read) = data::open_log(&file.path).map_err(wrong)? else { continue };
            let ids = rows::ids(&read.rows).map_err(wrong)?;
            for (id, mut row) in ids.into_iter().zip(data::json_rows(&read.rows).map_err(wrong)?) {
                match labels.get(&id) {
                    Some(Label { label, at_us, received_us, .. }) => row.extend([
                        (LABEL.to_owned(), label.clone()),
                        (LABEL_AT.to_owned(), at_us.map_or(Value::Null, Value::from)),
                        (LABEL_RECEIVED.to_owned(), (*received_us).into()),
                    ]),
                    None if is_labelled => continue,
                    None => {}
                }
                count += 1;
                if !hear(row) {
                    return Ok(count);
                }
            }
        }
        Ok(count)
    }
}

/// The rows whose label has come, and the labels; none if there are none.
fn labelled<'l>(
    log: &Table,
    labels: &'l HashMap<PredictionId, Label>,
) -> Result<Option<(Table, Vec<&'l Label>)>, data::Error> {
    let ids = rows::ids(log)?;
    let found: Vec<_> = (0..).zip(&ids).filter_map(|(row, id)| Some((row, labels.get(id)?))).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let (places, labels): (Vec<u64>, Vec<&Label>) = found.into_iter().unzip();
    Ok(Some((log.take(&places)?, labels)))
}

/// The columns of labels.
fn told(labels: &[&Label], fields: &[Field]) -> Result<Table, data::Error> {
    let data_type = fields.first().map_or(DataType::Text, |field| field.data_type);
    let ats: Vec<_> = labels.iter().map(|label| label.at_us).collect();
    let mut at = rows::numbers(DataType::Timestamp, ats.iter().map(|at_us| at_us.unwrap_or(0)));
    if ats.iter().any(Option::is_none) {
        at.validity = Some(bits(ats.iter().map(Option::is_some)));
    }
    let received = rows::numbers(DataType::Timestamp, labels.iter().map(|label| label.received_us));
    let columns = vec![values(labels, data_type)?, at, received];
    Table::from_columns(Schema { fields: fields.to_vec() }, columns)
}

/// Labels as a column of a type that they were taken as.
fn values(labels: &[&Label], data_type: DataType) -> Result<GuestColumn, data::Error> {
    let unfit = |label: &Label| data::Error::Column {
        column: LABEL.to_owned(),
        reason: format!("a label is {}, taken when another type was predicted, which is {data_type} now", label.label),
    };
    let each = || labels.iter().map(|label| (&label.label, *label));
    let all = |found: Vec<Option<Vec<u8>>>| -> Result<Vec<u8>, data::Error> {
        let each = found.into_iter().zip(labels).map(|(bytes, label)| bytes.ok_or_else(|| unfit(label)));
        Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
    };
    let length = labels.len() as u32;
    let data = match data_type {
        DataType::Text => {
            if let Some((_, label)) = each().find(|(value, _)| !value.is_string()) {
                return Err(unfit(label));
            }
            return Ok(rows::texts(each().map(|(value, _)| value.as_str().map(str::to_owned))));
        }
        DataType::Boolean => {
            let truths: Option<Vec<bool>> = each().map(|(value, _)| value.as_bool()).collect();
            let other = || labels.iter().find(|label| !label.label.is_boolean());
            bits(truths.ok_or_else(|| unfit(other().unwrap_or(&labels[0])))?.into_iter())
        }
        DataType::Int64 => all(each().map(|(value, _)| Some(value.as_i64()?.to_le_bytes().to_vec())).collect())?,
        DataType::Float32 => {
            all(each().map(|(value, _)| Some((value.as_f64()? as f32).to_le_bytes().to_vec())).collect())?
        }
        _ => all(each().map(|(value, _)| Some(value.as_f64()?.to_le_bytes().to_vec())).collect())?,
    };
    Ok(GuestColumn { data_type, length, validity: None, offsets: None, data })
}

fn bits(truths: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, truth) in truths.enumerate() {
        if i.is_multiple_of(8) {
            bytes.push(0);
        }
        if let (true, Some(last)) = (truth, bytes.last_mut()) {
            *last |= 1 << (i % 8);
        }
    }
    bytes
}

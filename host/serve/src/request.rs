//! A request of the Open Inference Protocol -> the rows it asks about: a tensor a column, by name, in the columns' order.

use crate::protocol::{InferRequest, Parameters, RequestInput};
use crate::tensor::Tensor;
use crate::{Datatype, Problems, ServeError, shown};
use data::{GuestColumn, Table};
use std::collections::{BTreeMap, BTreeSet};
use types::{DataType, Field, Schema};

/// The most rows of one request; more belong into a run.
pub const ROWS_MAX: usize = 100_000;

/// What a caller asks.
#[derive(Debug)]
pub struct Asked {
    /// To be echoed.
    pub id: Option<String>,
    /// The columns that were expected, in their order.
    pub rows: Table,
    /// The outputs that are wanted, in their order; all if empty.
    pub outputs: Vec<String>,
}

/// Reads a request for a model that expects these columns. All problems are told together.
pub fn request_table(request: &[u8], columns: &[Field]) -> Result<Asked, ServeError> {
    let request: InferRequest<'_> = serde_json::from_slice(request).map_err(|error| ServeError::syntax(&error))?;
    let mut problems = Problems::default();
    refuse_binary(&request, &mut problems);
    let inputs = by_name(&request.inputs, columns, &mut problems);
    let present: Vec<_> = columns.iter().filter_map(|field| Some((field, *inputs.get(field.name.as_str())?))).collect();
    let made: Vec<_> = present
        .iter()
        .filter_map(|(field, input)| column(field, input).map_err(|problem| problems.push(problem)).ok())
        .collect();
    refuse_different_rows(&present, &mut problems);
    problems.check()?;
    let rows = Table::from_columns(Schema { fields: columns.to_vec() }, made)?;
    Ok(Asked { id: request.id, rows, outputs: request.outputs.into_iter().map(|output| output.name).collect() })
}

/// The binary extension would answer in another form than the caller reads: refused, not ignored.
fn refuse_binary(request: &InferRequest<'_>, problems: &mut Problems) {
    let of_inputs = request.inputs.iter().map(|input| &input.parameters);
    let of_outputs = request.outputs.iter().map(|output| &output.parameters);
    let mut all = std::iter::once(&request.parameters).chain(of_inputs).chain(of_outputs);
    if all.any(|parameters: &Parameters| parameters.ask_binary) {
        problems.push("binary tensors are not supported, send and ask for JSON".to_owned());
    }
}

/// The inputs under their names, once it is said which are missing, unknown or there twice.
fn by_name<'a>(
    inputs: &'a [RequestInput<'a>],
    columns: &[Field],
    problems: &mut Problems,
) -> BTreeMap<&'a str, &'a RequestInput<'a>> {
    let expected: BTreeSet<_> = columns.iter().map(|field| field.name.as_str()).collect();
    let mut found = BTreeMap::new();
    for input in inputs {
        let name = input.name.as_ref();
        if !expected.contains(name) {
            problems.push(format!("input {} is unknown, the model does not read it", shown(name)));
        } else if found.contains_key(name) {
            problems.push(format!("input {} stands twice", shown(name)));
        } else {
            found.insert(name, input);
        }
    }
    for field in columns.iter().filter(|field| !found.contains_key(field.name.as_str())) {
        problems.push(format!("input `{}` ({}) is missing", field.name, Datatype::of(field.data_type)));
    }
    found
}

fn refuse_different_rows(present: &[(&Field, &RequestInput<'_>)], problems: &mut Problems) {
    let counted: Vec<_> =
        present.iter().filter_map(|(field, input)| Some((&field.name, rows_of(field, input).ok()?))).collect();
    let Some((first, rows)) = counted.first() else { return };
    for (name, others) in counted.iter().filter(|(_, others)| others != rows) {
        problems.push(format!("input `{name}` has {others} rows, `{first}` has {rows}"));
    }
}

/// Elements a row: one but for a vector.
fn width_of(field: &Field) -> usize {
    match field.data_type {
        DataType::Vector(length) => length as usize,
        _ => 1,
    }
}

/// The rows that the input's shape says: `[n]` or `[n, 1]`, for a vector `[n, length]`.
fn rows_of(field: &Field, input: &RequestInput<'_>) -> Result<usize, String> {
    let width = width_of(field);
    let is_vector = matches!(field.data_type, DataType::Vector(_));
    let rows = match input.shape.as_slice() {
        [rows] if !is_vector => *rows,
        [rows, elements] if usize::try_from(*elements) == Ok(width) => *rows,
        other => {
            let expected = if is_vector { format!("[n, {width}]") } else { "[n] or [n, 1]".to_owned() };
            return Err(format!("input `{}` has shape {other:?}, expected {expected}", field.name));
        }
    };
    match usize::try_from(rows) {
        Ok(count) if (1..=ROWS_MAX).contains(&count) => Ok(count),
        _ => Err(format!("input `{}` has {rows} rows, expected 1 to {ROWS_MAX}", field.name)),
    }
}

/// The input as a column; the error is the one problem that is told of it.
fn column(field: &Field, input: &RequestInput<'_>) -> Result<GuestColumn, String> {
    let name = &field.name;
    let datatype =
        Datatype::parse(&input.datatype).filter(|datatype| datatype.fits(field.data_type)).ok_or_else(|| {
            let (got, expected) = (shown(&input.datatype), Datatype::that_fit(field.data_type));
            format!("input `{name}` has datatype {got}, its column of {} takes {expected}", field.data_type)
        })?;
    let (width, rows) = (width_of(field), rows_of(field, input)?);
    let data = input.data.ok_or_else(|| format!("input `{name}` has no `data`"))?;
    let tensor = Tensor { field, datatype, rows, width, may_nest: input.shape.len() == 2 };
    tensor.column(data).map_err(|why| format!("input `{name}` {why}"))
}

#[cfg(test)]
mod tests;

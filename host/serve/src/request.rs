//! A request of the Open Inference Protocol -> the rows it asks about: a tensor a column, by name, in the columns' order.

use crate::contents::Contents;
use crate::protocol::{InferRequest, Parameters};
use crate::tensor::Tensor;
use crate::{Datatype, Problems, ServeError, binary, shown};
use data::{GuestColumn, Table};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use types::{DataType, Field};

/// The most rows of one request; more belong into a run.
pub const ROWS_MAX: usize = 100_000;

/// What a caller asks.
#[derive(Debug)]
pub struct Asked {
    /// To be echoed.
    pub id: Option<String>,
    /// The columns that were expected, in their order.
    pub rows: Table,
    pub outputs: Outputs,
}

impl Asked {
    /// Of rows alone: nothing is echoed, and all outputs are wanted.
    pub fn of(rows: Table) -> Self {
        Self { id: None, rows, outputs: Outputs::default() }
    }

    /// Where its rows have no value, for who sent them and was refused by the model: what that says is about one column, in the words
    /// of whoever wrote it.
    pub fn gaps(&self) -> Option<String> {
        let gaps = self.rows.gaps();
        let named = |(field, row): &(&Field, u64)| format!("`{}` (row {row})", field.name);
        let named: Vec<_> = gaps.iter().take(Problems::NAMED_MAX).map(named).collect();
        let more = match gaps.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named = named.join(", ");
        (!gaps.is_empty()).then(|| format!("no value, missing or null, came for {named}{more}: send one in every row"))
    }
}

/// The outputs that are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs {
    /// In their order, and whether binary; all if empty.
    pub(crate) named: Vec<(String, bool)>,
    /// Whether those that nobody named are.
    pub(crate) binary: bool,
}

/// A tensor of a request, in whatever form it came.
pub(crate) struct Input<'a> {
    pub(crate) name: &'a str,
    pub(crate) datatype: &'a str,
    pub(crate) shape: &'a [i64],
    /// The error is a fragment: why it has none.
    pub(crate) values: Result<Values<'a>, String>,
}

pub(crate) enum Values<'a> {
    Json(&'a RawValue),
    Binary(&'a [u8]),
    Contents(Contents<'a>),
}

/// Reads a request over HTTP for a model that expects these columns. All problems are told together.
///
/// `json_length` is what the header `Inference-Header-Content-Length` says: behind so many bytes of JSON follow those of
/// binary tensors.
pub fn request_table(body: &[u8], json_length: Option<usize>, columns: &[Field]) -> Result<Asked, ServeError> {
    let (json, rest) = body.split_at_checked(json_length.unwrap_or(body.len())).ok_or_else(|| {
        let said = json_length.unwrap_or_default();
        let got = body.len();
        ServeError::Syntax(format!("`Inference-Header-Content-Length` says {said} bytes, the body has {got}"))
    })?;
    let request: InferRequest<'_> = serde_json::from_slice(json).map_err(|error| ServeError::syntax(&error))?;
    let mut problems = Problems::default();
    refuse_foreign(&request, &mut problems);
    let inputs = inputs(&request, rest, &mut problems);
    let rows = table(&inputs, columns, problems)?;
    let binary = request.parameters.binary_data_output.unwrap_or(false);
    let is_binary = |parameters: &Parameters| parameters.binary_data.unwrap_or(binary);
    let named = request.outputs.into_iter().map(|output| (output.name, is_binary(&output.parameters))).collect();
    Ok(Asked { id: request.id, rows, outputs: Outputs { named, binary } })
}

/// An extension that is not there would answer in another form than the caller reads: refused, not ignored.
fn refuse_foreign(request: &InferRequest<'_>, problems: &mut Problems) {
    let of_inputs = request.inputs.iter().map(|input| (input.name.as_ref(), &input.parameters));
    let of_outputs = request.outputs.iter().map(|output| (output.name.as_str(), &output.parameters));
    for (name, parameters) in of_inputs.chain(of_outputs) {
        if let Some(extension) = parameters.foreign {
            problems.push(format!("{} asks for the extension {extension}, which is not supported", shown(name)));
        }
    }
}

/// The tensors with their values: in the JSON, or the next of the bytes behind it.
fn inputs<'a>(request: &'a InferRequest<'a>, mut rest: &'a [u8], problems: &mut Problems) -> Vec<Input<'a>> {
    let mut inputs = Vec::new();
    for input in &request.inputs {
        let values = match (input.data, input.parameters.binary_data_size) {
            (Some(data), None) => Ok(Values::Json(data)),
            (None, None) => Err("has no `data`".to_owned()),
            (Some(_), Some(_)) => Err("has both `data` and `binary_data_size`".to_owned()),
            (None, Some(size)) => match rest.split_at_checked(size) {
                Some((values, others)) => {
                    rest = others;
                    Ok(Values::Binary(values))
                }
                None => {
                    let left = std::mem::take(&mut rest).len();
                    Err(format!("says `binary_data_size` {size}, behind the JSON are {left} bytes left"))
                }
            },
        };
        inputs.push(Input { name: &input.name, datatype: &input.datatype, shape: &input.shape, values });
    }
    if !rest.is_empty() {
        problems.push(format!("behind the JSON are {} bytes that no input's `binary_data_size` counts", rest.len()));
    }
    inputs
}

/// The rows that the tensors are, or all problems, after those that are known.
pub(crate) fn table(inputs: &[Input<'_>], columns: &[Field], mut problems: Problems) -> Result<Table, ServeError> {
    let inputs = by_name(inputs, columns, &mut problems);
    let present: Vec<_> = columns.iter().filter_map(|field| Some((field, *inputs.get(field.name.as_str())?))).collect();
    let made: Vec<_> = present
        .iter()
        .filter_map(|(field, input)| column(field, input).map_err(|problem| problems.push(problem)).ok())
        .collect();
    refuse_different_rows(&present, &mut problems);
    problems.check()?;
    Ok(Table::from_columns(data::schema(columns), made)?)
}

/// The inputs under their names, once it is said which are missing, unknown or there twice.
fn by_name<'a>(
    inputs: &'a [Input<'a>],
    columns: &[Field],
    problems: &mut Problems,
) -> BTreeMap<&'a str, &'a Input<'a>> {
    let expected: BTreeSet<_> = columns.iter().map(|field| field.name.as_str()).collect();
    let mut found = BTreeMap::new();
    for input in inputs {
        let name = input.name;
        if !expected.contains(name) {
            problems.push(format!("input {} is unknown, the model does not read it", shown(name)));
        } else if found.contains_key(name) {
            problems.push(format!("input {} stands twice", shown(name)));
        } else {
            found.insert(name, input);
        }
    }
    let missing: Vec<_> = columns.iter().filter(|field| !found.contains_key(field.name.as_str())).collect();
    let name = |field: &&Field| format!("`{}` ({})", field.name, Datatype::of(field.data_type));
    problems.missing("input", &missing, name, "the request is to bring a tensor");
    found
}

fn refuse_different_rows(present: &[(&Field, &Input<'_>)], problems: &mut Problems) {
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
fn rows_of(field: &Field, input: &Input<'_>) -> Result<usize, String> {
    let width = width_of(field);
    let is_vector = matches!(field.data_type, DataType::Vector(_));
    let rows = match input.shape {
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
fn column(field: &Field, input: &Input<'_>) -> Result<GuestColumn, String> {
    let name = &field.name;
    let datatype =
        Datatype::parse(input.datatype).filter(|datatype| datatype.fits(field.data_type)).ok_or_else(|| {
            let (got, expected) = (shown(input.datatype), Datatype::that_fit(field.data_type));
            format!("input `{name}` has datatype {got}, its column of {} takes {expected}", field.data_type)
        })?;
    let (width, rows) = (width_of(field), rows_of(field, input)?);
    let tensor = Tensor { field, datatype, rows, width, may_nest: input.shape.len() == 2 };
    let made = match &input.values {
        Ok(Values::Json(_)) if !datatype.has_json() => Err(format!("has {datatype} in `data`, which is binary only")),
        Ok(Values::Json(data)) => tensor.json(data),
        Ok(Values::Binary(bytes)) => binary::column(&tensor, bytes),
        Ok(Values::Contents(contents)) => contents.column(&tensor),
        Err(why) => Err(why.clone()),
    };
    made.map_err(|why| format!("input `{name}` {why}"))
}

#[cfg(test)]
mod tests;

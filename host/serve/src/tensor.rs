//! A tensor's values -> a column, each as it is read. It ends at the first value that its shape does not announce.

use crate::cell::{Cell, CellReader, ColumnBuilder};
use crate::{Datatype, told};
use data::GuestColumn;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use types::Field;

/// What is known of a tensor before its values are.
pub(crate) struct Tensor<'a> {
    pub(crate) field: &'a Field,
    /// One that fits the field.
    pub(crate) datatype: Datatype,
    pub(crate) rows: usize,
    /// Elements a row.
    pub(crate) width: usize,
    /// Whether the shape allows a list a row.
    pub(crate) may_nest: bool,
}

impl Tensor<'_> {
    /// The column of values one after another; the error is the first problem, a fragment.
    pub(crate) fn flat<'v>(
        &self,
        values: impl Iterator<Item = Result<Cell<'v>, String>>,
    ) -> Result<GuestColumn, String> {
        let mut builder = ColumnBuilder::new(self.field);
        let (mut row, mut count) = (Vec::new(), 0);
        for value in values {
            if count == self.elements() {
                return Err(format!("has more than the {count} values that its shape says"));
            }
            let number = count / self.width;
            row.push(value.map_err(|why| format!("{why} (row {number})"))?);
            count += 1;
            if row.len() == self.width {
                builder.push(&row, self.datatype).map_err(|why| format!("{why} (row {number})"))?;
                row.clear();
            }
        }
        match count == self.elements() {
            true => Ok(builder.finish()),
            false => Err(format!("has {count} values, its shape says {}", self.elements())),
        }
    }

    /// Values that the shape announces.
    pub(crate) fn elements(&self) -> usize {
        self.rows * self.width
    }

    /// The column of a JSON tensor's `data`; the error is the first problem of the values, a fragment: `has 3 values in `data`, its shape says 2`.
    pub(crate) fn json(&self, data: &RawValue) -> Result<GuestColumn, String> {
        let reading =
            Reading { tensor: self, builder: ColumnBuilder::new(self.field), count: 0, nested: false, problem: None };
        let mut json = serde_json::Deserializer::from_str(data.get());
        let read = json.deserialize_seq(reading).map_err(|error| format!("has wrong `data`: {}", told(&error)));
        read?.finish()
    }
}

struct Reading<'a> {
    tensor: &'a Tensor<'a>,
    builder: ColumnBuilder<'a>,
    /// Elements so far.
    count: usize,
    /// Whether the elements are lists, as the first one is.
    nested: bool,
    problem: Option<String>,
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Self, A::Error> {
        let mut row = Vec::new();
        while let Some(list) = elements.next_element_seed(CellReader::new(&mut row, self.tensor.width))? {
            if self.count == 0 {
                self.nested = list.is_some();
            }
            if self.count == self.expected() {
                let (expected, what) = (self.expected(), self.what());
                return Err(A::Error::custom(format!("more than the {expected} {what} that its shape says")));
            }
            if self.problem.is_none() {
                self.problem = self.take(list, &mut row).err();
            }
            self.count += 1;
        }
        Ok(self)
    }
}

impl Reading<'_> {
    fn expected(&self) -> usize {
        if self.nested { self.tensor.rows } else { self.tensor.elements() }
    }

    fn what(&self) -> &'static str {
        if self.nested { "lists" } else { "values" }
    }

    /// Takes an element, whose values are the last ones of the row; a row that is complete goes into the column.
    fn take(&mut self, list: Option<usize>, row: &mut Vec<Cell<'_>>) -> Result<(), String> {
        let width = self.tensor.width;
        let fits = match list {
            Some(length) => self.nested && self.tensor.may_nest && length == width,
            None => !self.nested,
        };
        if !fits {
            return Err(format!("has `data` whose nesting is not that of its shape, first at element {}", self.count));
        }
        if row.len() == width {
            let number = if self.nested { self.count } else { self.count / width };
            self.builder.push(row, self.tensor.datatype).map_err(|why| format!("{why} (row {number})"))?;
            row.clear();
        }
        Ok(())
    }

    fn finish(self) -> Result<GuestColumn, String> {
        let (count, expected) = (self.count, self.expected());
        if count != expected {
            return Err(format!("has {count} {} in `data`, its shape says {expected}", self.what()));
        }
        self.problem.map_or_else(|| Ok(self.builder.finish()), Err)
    }
}

//! A part of the contract -> a table of what each of its functions gave: a row a number, under the function's name.

mod data;
mod platform;
mod tensors;
mod training;
mod trees;

use stepwell::{Error, Result, Table, Tensor, report};

#[derive(Default)]
pub(crate) struct Calls {
    names: Vec<String>,
    gave: Vec<f64>,
}

impl Calls {
    /// Calls every function of the part, with the rows where one takes any.
    pub(crate) fn of(part: &str, rows: &Table, url: &serde_json::Value) -> Result<Table> {
        let mut calls = Self::default();
        match part {
            "data" => data::call(&mut calls, rows)?,
            "platform" => platform::call(&mut calls)?,
            "doors" => platform::open(&mut calls, url.as_str().unwrap_or_default())?,
            "tensors" => tensors::call(&mut calls, rows)?,
            "training" => training::call(&mut calls)?,
            "trees" => trees::call(&mut calls, rows)?,
            _ => return Err(Error::invalid("calls", "expected a part of the contract")),
        }
        Table::builder().column("call", calls.names).column("gave", calls.gave).finish()
    }

    fn numbers(&mut self, name: &str, numbers: &[f64]) {
        self.names.extend(numbers.iter().map(|_| name.to_owned()));
        self.gave.extend(numbers);
    }

    fn number(&mut self, name: &str, number: f64) {
        self.numbers(name, &[number]);
    }

    fn is(&mut self, name: &str, holds: bool) {
        self.number(name, f64::from(u8::from(holds)));
    }

    /// All of them as one number.
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        let sum = bytes.iter().fold(1_u32, |sum, byte| sum.wrapping_mul(257).wrapping_add(u32::from(*byte)));
        self.number(name, f64::from(sum));
    }

    /// One that fails is missed among the rows, and the others are called all the same.
    fn tensor(&mut self, name: &str, tensor: Result<Tensor>) {
        match tensor.and_then(|tensor| tensor.to_f64()) {
            Ok(numbers) => self.numbers(name, &numbers),
            Err(error) => report::warn(format!("{name}: {error:?}")),
        }
    }
}

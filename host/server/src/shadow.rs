//! A version in another's shadow: it is asked the same, its answer is thrown away, and how far it differs is counted.

use crate::endpoints::Loaded;
use crate::locked;
use data::Table;
use serde::{Deserialize, Serialize};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use types::DataType;

/// Requests that wait to be asked again; what comes beyond that is dropped, and counted. Those who sent them wait for nothing.
const WAITING: usize = 64;

/// How a shadow's answers compare with those that were given, since the server began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub requests: u64,
    pub errors: u64,
    /// Never asked: too many waited.
    pub dropped: u64,
    pub rows: u64,
    /// With another value in some column.
    pub differing: u64,
    /// Of all numbers, the largest difference.
    pub largest: f64,
}

/// A request that was answered.
struct Mirrored {
    shadow: Arc<Loaded>,
    rows: Table,
    given: Table,
    into: Arc<Mutex<Comparison>>,
}

/// The thread that asks shadows. It ends with this.
#[derive(Default)]
pub(crate) struct Shadows(Mutex<Option<SyncSender<Mirrored>>>);

impl Shadows {
    /// Has a shadow asked what was just answered, some time.
    pub(crate) fn mirror(&self, shadow: Arc<Loaded>, rows: &Table, given: &Table, into: &Arc<Mutex<Comparison>>) {
        let mut sender = locked(&self.0);
        let sender = sender.get_or_insert_with(|| {
            let (sender, receiver) = sync_channel(WAITING);
            std::thread::spawn(move || ask(&receiver));
            sender
        });
        let mirrored = Mirrored { shadow, rows: rows.clone(), given: given.clone(), into: Arc::clone(into) };
        if sender.try_send(mirrored).is_err() {
            locked(into).dropped += 1;
        }
    }
}

fn ask(receiver: &Receiver<Mirrored>) {
    for Mirrored { shadow, rows, given, into } in receiver {
        let answered = shadow.worker.predict(&rows);
        let mut into = locked(&into);
        into.requests += 1;
        match answered {
            Err(_) => into.errors += 1,
            Ok(answer) => compare(&given, &answer, &mut into),
        }
    }
}

/// Holds an answer against the one that was given, row by row.
fn compare(given: &Table, answer: &Table, into: &mut Comparison) {
    let (Ok(given_rows), Ok(rows)) = (data::json_rows(given), data::json_rows(answer)) else {
        into.errors += 1;
        return;
    };
    into.rows += given_rows.len() as u64;
    into.differing += given_rows.iter().enumerate().filter(|(at, row)| rows.get(*at) != Some(*row)).count() as u64;
    let is_number = |data_type: DataType| matches!(data_type, DataType::Float64 | DataType::Float32 | DataType::Int64);
    for field in given.schema().fields.iter().filter(|field| is_number(field.data_type)) {
        let number =
            |row: &serde_json::Map<String, serde_json::Value>| row.get(&field.name).and_then(|value| value.as_f64());
        let pairs = given_rows.iter().zip(&rows).filter_map(|(given, row)| number(given).zip(number(row)));
        into.largest = pairs.map(|(given, row)| (given - row).abs()).fold(into.largest, f64::max);
    }
}

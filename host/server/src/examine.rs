//! The built-in step `examine`: a candidate's weights are looked through, and it is asked where it would serve. What comes of it is
//! judged by `models::examine`.

use crate::loading::REQUEST_LIMITS;
use crate::loading::as_requests;
use data::Table;
use models::{Conduct, Weights};
use ports::{Answer, Blobs, Examination, ServedModel, Watch};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;
use store::Store;
use types::{Artifact, Candidate, Fault, Id, PortName, SavedFile, ServedStep, TableRef, TenantId};

/// Rows of the run that a candidate is asked about.
const ROWS_MAX: u64 = 200;

/// Carries the step out, in a run with this logical time. A candidate whose weights are bad is not asked.
pub(crate) fn examine(
    store: &Store,
    pool: &Arc<worker::Pool>,
    tenant: &TenantId,
    (asked, time_us): (&Examination, i64),
    watch: &dyn Watch,
) -> Result<Answer, Fault> {
    let weights = weights(store, tenant, &asked.candidate)?;
    let answering = match weights.bad {
        0 => Some(answering(store, pool, tenant, (asked, time_us), watch)?),
        _ => None,
    };
    let loss = asked.loss.as_ref().map(|(name, series)| (name.as_str(), *series));
    let verdict = models::examine(&weights, loss, answering.as_ref(), asked.budget);
    let port = PortName::parse("verdict").map_err(Fault::host)?;
    Ok(Answer::Outputs { outputs: BTreeMap::from([(port, Artifact::Verdict(verdict))]) })
}

/// The files of the fitted steps, in the order of the path, then the model's.
fn weights(store: &Store, tenant: &TenantId, candidate: &Candidate) -> Result<Weights, Fault> {
    let mut seen = Weights::default();
    for step in candidate.path.iter().chain([&candidate.predictor]) {
        for file in &step.state {
            let opened = File::open(store.path(tenant, file.digest)?).map_err(Fault::host)?;
            let found = tensors::finiteness(&mut BufReader::new(opened)).map_err(Fault::host)?;
            match found {
                Some(found) => add(&mut seen, found, step, file),
                None => seen.unread.push(told(&file.name)),
            }
        }
    }
    Ok(seen)
}

fn add(seen: &mut Weights, found: tensors::Finiteness, step: &ServedStep, file: &SavedFile) {
    seen.tensors += found.tensors;
    seen.numbers += found.numbers;
    seen.written += found.written;
    seen.bad += found.bad;
    if let (None, Some(first)) = (&seen.first, found.first) {
        let tensors::NotFinite { place, value } = first;
        seen.first = Some(format!("{place} in `{}` of step `{}` is {value}", told(&file.name), step.step));
    }
}

/// A file's name, which a plugin chose.
fn told(name: &str) -> String {
    name.chars().take(80).collect()
}

/// Asks, and holds what comes against what came before.
fn answering(
    store: &Store,
    pool: &Arc<worker::Pool>,
    tenant: &TenantId,
    (asked, logical_time_us): (&Examination, i64),
    watch: &dyn Watch,
) -> Result<Conduct, Fault> {
    let Candidate { path, predictor, request, response } = asked.candidate.clone();
    let names = |fields: &[types::Field]| fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
    let (asks, gives) = (names(&request), names(&response));
    let recorded = asked.answers.as_ref().map(|answers| first_rows(store, tenant, answers, &gives)).transpose()?;
    if let Some(answers) = asked.answers.as_ref().filter(|answers| answers.rows != asked.rows.rows) {
        let message = format!("there are {} answers to {} rows, expected one to each", answers.rows, asked.rows.rows);
        return Err(Fault::invalid(message).hinted("wire as `answers` the predictions for the rows of `rows`"));
    }
    let lacks =
        || Fault::invalid("the rows lack values that a request must bring").hinted("wire `rows` that have them");
    let rows = as_requests(&first_rows(store, tenant, &asked.rows, &asks)?, &request)?.ok_or_else(lacks)?;
    if rows.rows() == 0 {
        return Err(Fault::invalid("there are no rows to ask about").hinted("wire `rows` that have some"));
    }
    let model = ServedModel { path, predictor, request, response, limits: REQUEST_LIMITS, logical_time_us };
    let probed = worker::probe(pool, tenant, model, &rows, &|| watch.cancelled())?;
    let (bad, first_bad) = data::not_finite(&probed.alone).map_err(Fault::host)?;
    let mut other = differences(&probed.alone, ("asked alone", "among others"), &probed.together)?;
    if let Some(recorded) = &recorded {
        for (row, words) in differences(&probed.alone, ("asked", "in the run"), recorded)? {
            other.entry(row).or_insert(words);
        }
    }
    Ok(Conduct {
        rows: probed.alone.rows(),
        bad,
        first_bad: first_bad.map(|(column, row)| format!("`{column}` of row {row}")),
        other: other.len() as u64,
        first_other: other.into_values().next(),
        recorded: recorded.is_some(),
        took_ms: probed.took.iter().map(|took| took.as_secs_f64() * 1000.0).collect(),
        memory_bytes: probed.memory_bytes,
    })
}

/// The rows of which two tables say something else, and what.
fn differences(one: &Table, (this, that): (&str, &str), other: &Table) -> Result<BTreeMap<usize, String>, Fault> {
    let rows = |table: &Table| data::json_rows(table).map_err(Fault::host);
    let (one, other) = (rows(one)?, rows(other)?);
    let differ = one.iter().zip(&other).enumerate().filter_map(|(index, (one, other))| {
        let column = one.keys().find(|column| one.get(*column) != other.get(*column))?;
        let shown = |row: &serde_json::Map<String, serde_json::Value>| {
            let value = row.get(column).map(ToString::to_string).unwrap_or_default();
            value.chars().take(80).collect::<String>()
        };
        Some((index, format!("row {index}: `{column}` is {} {this}, {} {that}", shown(one), shown(other))))
    });
    Ok(differ.collect())
}

fn first_rows(store: &Store, tenant: &TenantId, reference: &TableRef, columns: &[String]) -> Result<Table, Fault> {
    let mut paths = BTreeMap::new();
    for part in &reference.parts {
        paths.insert(*part, store.path(tenant, *part)?);
    }
    let table = data::open(reference, |part| paths.get(part).cloned().unwrap_or_default()).map_err(Fault::host)?;
    table.slice(0, ROWS_MAX).select(columns).map_err(|error| Fault::invalid(error.to_string()))
}

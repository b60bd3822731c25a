//! A record -> what it changes in the index. Pure: a function of the record, its place and what the index held, so that
//! a rebuilt index equals one that grew. A record that would overwrite what happened is refused before it is written.

use crate::index::{Op, View, encode};
use crate::journal::Place;
use crate::reads::{RunSummary, decode};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use types::{AliasMove, Digest, ModelVersion, Record, RunHead, RunId, RunState, TableRef};

/// A run as the index holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunEntry {
    head: RunHead,
    state: RunState,
    finished_us: Option<i64>,
}

impl RunEntry {
    pub(crate) fn summary(self) -> RunSummary {
        RunSummary { head: self.head, state: self.state, finished_us: self.finished_us }
    }
}

/// What a record adds, replaces and removes, given what is there.
pub(crate) fn apply(record: &Record, place: &Place, view: &dyn View) -> Result<Vec<Op>> {
    let mut ops = match record {
        Record::RunStarted(head) => started(head, view)?,
        Record::RunFinished { run, state, at_us } => finished(*run, *state, *at_us, view)?,
        Record::PageCommitted { source, table, cursor, restarted, .. } => {
            page(source, table, cursor, *restarted, place, view)?
        }
        Record::VersionRegistered { version, alias, .. } => {
            let mut ops = registered(version, view)?;
            ops.extend(alias.iter().flat_map(|moved| aliased(moved, place)));
            ops
        }
        Record::AliasMoved(moved) => aliased(moved, place),
        Record::AttemptStarted { .. }
        | Record::CheckpointSaved { .. }
        | Record::StepCommitted { .. }
        | Record::AttemptFailed { .. }
        | Record::StepSkipped { .. } => Vec::new(),
    };
    if let Some(run) = run_of(record) {
        ops.push(Op::put(key::record(run, place.sequence), encode(place)));
    }
    Ok(ops)
}

/// The run that a record belongs to.
fn run_of(record: &Record) -> Option<RunId> {
    match record {
        Record::RunStarted(head) => Some(head.run),
        Record::VersionRegistered { version, .. } => Some(version.run),
        Record::AttemptStarted { run, .. }
        | Record::PageCommitted { run, .. }
        | Record::CheckpointSaved { run, .. }
        | Record::StepCommitted { run, .. }
        | Record::AttemptFailed { run, .. }
        | Record::StepSkipped { run, .. }
        | Record::RunFinished { run, .. } => Some(*run),
        Record::AliasMoved(_) => None,
    }
}

fn started(head: &RunHead, view: &dyn View) -> Result<Vec<Op>> {
    if view.get(&key::run(head.run))?.is_some() {
        return Err(Error::Conflict { what: format!("run {}", head.run) });
    }
    let last = number(view, key::LAST_RUN)?.max(head.run.0);
    let entry = RunEntry { head: head.clone(), state: RunState::Running, finished_us: None };
    Ok(vec![Op::put(key::run(head.run), encode(&entry)), Op::put(key::LAST_RUN, encode(&last))])
}

/// Says nothing of a run that never started: there is no head to show.
fn finished(run: RunId, state: RunState, at_us: i64, view: &dyn View) -> Result<Vec<Op>> {
    let Some(value) = view.get(&key::run(run))? else { return Ok(Vec::new()) };
    let entry = RunEntry { state, finished_us: Some(at_us), ..decode(&value)? };
    Ok(vec![Op::put(key::run(run), encode(&entry))])
}

/// Pages are keyed by their record's sequence, so that one more page is one small entry, however many there are.
fn page(
    source: &Digest,
    table: &TableRef,
    cursor: &str,
    restarted: bool,
    place: &Place,
    view: &dyn View,
) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    if restarted {
        ops.extend(view.range(&key::pages(source))?.into_iter().map(|(key, _)| Op::remove(key)));
    }
    ops.push(Op::put(key::page(source, place.sequence), encode(table)));
    ops.push(Op::put(key::cursor(source), encode(&cursor)));
    Ok(ops)
}

fn registered(version: &ModelVersion, view: &dyn View) -> Result<Vec<Op>> {
    let key = key::version(&version.model, version.version);
    if view.get(&key)?.is_some() {
        return Err(Error::Conflict { what: format!("version {} of model `{}`", version.version, version.model) });
    }
    let last = number(view, &key::model(&version.model))?.max(version.version.into());
    Ok(vec![Op::put(key, encode(version)), Op::put(key::model(&version.model), encode(&last))])
}

fn aliased(moved: &AliasMove, place: &Place) -> Vec<Op> {
    vec![
        Op::put(key::alias(&moved.model, &moved.alias), encode(&moved.to)),
        Op::put(key::moved(&moved.model, place.sequence), encode(moved)),
    ]
}

/// A stored count; 0 before the first.
pub(crate) fn number(view: &dyn View, key: &[u8]) -> Result<u64> {
    view.get(key)?.map_or(Ok(0), |value| decode(&value))
}

/// The keys of a tenant. Numbers are big-endian, so that the order of keys is theirs; names end with a zero byte, which
/// no id contains, so that no name is another's prefix.
pub(crate) mod key {
    use types::{Digest, Id, ModelName, RunId};

    pub(crate) const LAST_RUN: &[u8] = b"last-run";
    pub(crate) const RUNS: &[u8] = b"run/";
    pub(crate) const MODELS: &[u8] = b"model/";

    fn join(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }
    fn named(kind: &[u8], model: &ModelName, rest: &[u8]) -> Vec<u8> {
        join(&[kind, model.as_str().as_bytes(), b"\0", rest])
    }

    pub(crate) fn run(run: RunId) -> Vec<u8> {
        join(&[RUNS, &run.0.to_be_bytes()])
    }
    pub(crate) fn records(run: RunId) -> Vec<u8> {
        join(&[b"record/", &run.0.to_be_bytes()])
    }
    pub(crate) fn record(run: RunId, sequence: u64) -> Vec<u8> {
        join(&[&records(run), &sequence.to_be_bytes()])
    }
    pub(crate) fn cursor(source: &Digest) -> Vec<u8> {
        join(&[b"cursor/", source.as_bytes()])
    }
    pub(crate) fn pages(source: &Digest) -> Vec<u8> {
        join(&[b"page/", source.as_bytes()])
    }
    pub(crate) fn page(source: &Digest, sequence: u64) -> Vec<u8> {
        join(&[&pages(source), &sequence.to_be_bytes()])
    }
    pub(crate) fn model(model: &ModelName) -> Vec<u8> {
        named(MODELS, model, b"")
    }
    pub(crate) fn versions(model: &ModelName) -> Vec<u8> {
        named(b"version/", model, b"")
    }
    pub(crate) fn version(model: &ModelName, version: u32) -> Vec<u8> {
        named(b"version/", model, &version.to_be_bytes())
    }
    pub(crate) fn aliases(model: &ModelName) -> Vec<u8> {
        named(b"alias/", model, b"")
    }
    pub(crate) fn alias(model: &ModelName, alias: &str) -> Vec<u8> {
        named(b"alias/", model, alias.as_bytes())
    }
    pub(crate) fn moves(model: &ModelName) -> Vec<u8> {
        named(b"moved/", model, b"")
    }
    pub(crate) fn moved(model: &ModelName, sequence: u64) -> Vec<u8> {
        named(b"moved/", model, &sequence.to_be_bytes())
    }

    /// The name in what follows [`MODELS`].
    pub(crate) fn model_of(rest: &[u8]) -> Option<ModelName> {
        ModelName::parse(std::str::from_utf8(rest.strip_suffix(b"\0")?).ok()?).ok()
    }
    /// The number in what follows [`versions`].
    pub(crate) fn number_of(rest: &[u8]) -> Option<u32> {
        Some(u32::from_be_bytes(rest.try_into().ok()?))
    }
    /// The alias in what follows [`aliases`].
    pub(crate) fn alias_of(rest: &[u8]) -> Option<String> {
        String::from_utf8(rest.to_vec()).ok()
    }
}

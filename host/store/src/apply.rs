//! A record -> what it changes in the index. Pure: a function of the record, its place and what the index held, so that
//! a rebuilt index equals one that grew. A record that would overwrite what happened is refused before it is written.

use crate::index::{Op, View, encode};
use crate::journal::Place;
use crate::reads::{RunSummary, decode};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use types::{
    AliasMove, ApiKey, BackfillAsked, Deployment, Digest, KeyName, ModelName, ModelVersion, Record, RunHead, RunId,
    RunState, ScheduleState, TableRef,
};

/// Records of a schedule's passed instants that can be looked up; each may tell of many.
pub(crate) const PASSED_KEPT: usize = 200;
/// An entry with the places of so many records of a run is full: one more record rewrites no more than that. Small in tests, so
/// that they fill some.
const PLACES_AN_ENTRY: usize = if cfg!(test) { 3 } else { 32 };

/// A run as the index holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunEntry {
    head: RunHead,
    state: RunState,
    finished_us: Option<i64>,
    /// Of its records, once it has ended: those of its last entry of places, which is no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<[u64; 3]>,
}

impl RunEntry {
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        self.places.iter().copied().map(Place::of)
    }

    pub(crate) fn summary(self) -> RunSummary {
        RunSummary { head: self.head, state: self.state, finished_us: self.finished_us }
    }
}

/// A backfill as the index holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillEntry {
    pub asked: BackfillAsked,
    /// None while runs of it are to begin.
    pub ended_us: Option<i64>,
}

/// A key as the index holds it: one that was revoked stays, so that its name is never given to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEntry {
    pub key: ApiKey,
    pub revoked_us: Option<i64>,
}

/// Where the commit of a step lies that others may take.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cached {
    pub(crate) run: RunId,
    pub(crate) place: Place,
}

/// What a record adds, replaces and removes, given what is there.
pub(crate) fn apply(record: &Record, place: &Place, view: &dyn View) -> Result<Vec<Op>> {
    if let Some(ops) = ended(record, place, view)? {
        return Ok(ops);
    }
    let mut ops = match record {
        Record::RunStarted(head) => started(head, view)?,
        Record::PageCommitted { source, table, cursor, restarted, .. } => {
            page(source, table, cursor, *restarted, place, view)?
        }
        Record::VersionRegistered { version, alias, .. } => {
            let mut ops = registered(version, view)?;
            ops.extend(alias.iter().flat_map(|moved| aliased(moved, place)));
            ops
        }
        Record::AliasMoved(moved) => aliased(moved, place),
        Record::VersionImported { version } => registered(version, view)?,
        Record::GoldenRecorded { model, version, golden, .. } => {
            vec![Op::put(key::golden(model, *version), encode(golden))]
        }
        Record::RolloutMoved(moved) => {
            vec![Op::put(key::rollout(&moved.endpoint, place.sequence), encode(moved))]
        }
        Record::VersionTagged { model, version, key, value, .. } => tagged(model, *version, key, value.as_ref()),
        Record::StepCommitted { run, commit, .. } => match (commit.key, commit.taken) {
            (Some(key), None) => {
                vec![Op::put(key::cached(&key), encode(&Cached { run: *run, place: place.clone() }))]
            }
            _ => Vec::new(),
        },
        Record::Deployed(deployment) => deployed(deployment, view)?,
        Record::ScheduleSettled { project, pipeline, settled_us, waiting, passed } => {
            let key = key::schedule(project, pipeline);
            let before: ScheduleState = found(view, &key)?.unwrap_or_default();
            let after = ScheduleState { settled_us: *settled_us, waiting: waiting.clone(), ..before };
            let mut ops = vec![Op::put(key, encode(&after))];
            if !passed.is_empty() {
                ops.extend(passed_over(&key::passed(project, pipeline), place, view)?);
            }
            ops
        }
        Record::SchedulePaused { project, pipeline, paused, .. } => {
            let key = key::schedule(project, pipeline);
            let before: ScheduleState = found(view, &key)?.unwrap_or_default();
            vec![Op::put(key, encode(&ScheduleState { paused: *paused, ..before }))]
        }
        Record::BackfillAsked(asked) => asked_for(asked, view)?,
        Record::BackfillEnded { number, at_us } => backfill_ended(*number, *at_us, view)?,
        Record::WatchMoved { project, pipeline, watch, seen } => {
            vec![Op::put(key::watch(project, pipeline, watch), encode(seen))]
        }
        Record::Notified { run, about, delivered, .. } => vec![Op::put(key::notified(*run, about), encode(delivered))],
        Record::RunsForgotten { runs, .. } => forgotten(runs, view)?,
        Record::KeyCreated(key) => key_created(key, view)?,
        Record::KeyRevoked { key, at_us, .. } => key_revoked(key, *at_us, view)?,
        Record::AttemptStarted { .. }
        | Record::CheckpointSaved { .. }
        | Record::StepExpanded { .. }
        | Record::VersionChosen { .. }
        | Record::CancelAsked { .. }
        | Record::AttemptFailed { .. }
        | Record::StepSkipped { .. }
        | Record::SegmentFolded { .. }
        | Record::RunFinished { .. } => Vec::new(),
    };
    if let Some(run) = record.run() {
        ops.extend(recorded(run, place, view)?);
    }
    Ok(ops)
}

/// The places of a run's records are in one entry, whose key is the beginning of those of the full ones before it, until the run ends: what
/// the database keeps in memory grows with the number of keys.
fn recorded(run: RunId, place: &Place, view: &dyn View) -> Result<Vec<Op>> {
    let mut last = view.get(&key::records(run))?.unwrap_or_default();
    let mut ops = Vec::new();
    if last.len() >= PLACES_AN_ENTRY * Place::BYTES {
        let first = Place::list(&last)?.first().map_or(0, |place| place.sequence);
        ops.push(Op::put(key::full_records(run, first), std::mem::take(&mut last)));
    }
    last.extend(place.to_bytes());
    ops.push(Op::put(key::records(run), last));
    Ok(ops)
}

fn started(head: &RunHead, view: &dyn View) -> Result<Vec<Op>> {
    if view.get(&key::run(head.run))?.is_some() {
        return Err(Error::Conflict { what: format!("run {}", head.run) });
    }
    let last = number(view, key::LAST_RUN)?.max(head.run.0);
    let entry = RunEntry { head: head.clone(), state: RunState::Running, finished_us: None, places: Vec::new() };
    let mut ops = vec![
        Op::put(key::run(head.run), encode(&entry)),
        Op::put(key::open(head.run), encode(&())),
        Op::put(key::LAST_RUN, encode(&last)),
    ];
    // What starts one run of a deployed pipeline starts no second one, whoever asks.
    if let (Some(_), Some(cause)) = (head.deployment, head.cause.key()) {
        let key = key::fired(&head.project, &head.pipeline, &cause);
        if let Some(run) = found::<RunId>(view, &key)? {
            return Err(Error::Conflict { what: format!("run {run} of `{}` for {cause}", head.pipeline) });
        }
        ops.push(Op::put(key, encode(&head.run)));
    }
    Ok(ops)
}

/// Where instants were passed over, the last few times.
fn passed_over(prefix: &[u8], place: &Place, view: &dyn View) -> Result<Vec<Op>> {
    let known = view.range(prefix)?;
    let old = known.len().saturating_sub(PASSED_KEPT - 1);
    let gone = known.into_iter().take(old).map(|(key, _)| Op::remove(key));
    let key = [prefix, &place.sequence.to_be_bytes()].concat();
    Ok(gone.chain([Op::put(key, encode(place))]).collect())
}

/// Of a run's end, if it ever started.
fn ended(record: &Record, place: &Place, view: &dyn View) -> Result<Option<Vec<Op>>> {
    let Record::RunFinished { run, state, at_us, .. } = record else { return Ok(None) };
    let Some(entry) = found(view, &key::run(*run))? else { return Ok(None) };
    finished(*run, RunEntry { state: *state, finished_us: Some(*at_us), ..entry }, place, view).map(Some)
}

/// A run has come to this.
fn finished(run: RunId, mut entry: RunEntry, place: &Place, view: &dyn View) -> Result<Vec<Op>> {
    let open = match entry.state {
        // No end at all; nothing of ours writes it.
        RunState::Running => Op::put(key::open(run), encode(&())),
        _ => Op::remove(key::open(run)),
    };
    let last = Place::list(&view.get(&key::records(run))?.unwrap_or_default())?;
    let records = match entry.places.len() + last.len() < PLACES_AN_ENTRY {
        true => {
            entry.places.extend(last.iter().chain([place]).map(Place::numbers));
            vec![Op::remove(key::records(run))]
        }
        false => recorded(run, place, view)?,
    };
    Ok([Op::put(key::run(run), encode(&entry)), open].into_iter().chain(records).collect())
}

fn deployed(deployment: &Deployment, view: &dyn View) -> Result<Vec<Op>> {
    let key = key::deployment(&deployment.project, deployment.version);
    if view.get(&key)?.is_some() {
        let what = format!("version {} of project `{}`", deployment.version, deployment.project);
        return Err(Error::Conflict { what });
    }
    Ok(vec![Op::put(key, encode(deployment)), Op::put(key::current(&deployment.project), encode(deployment))])
}

fn asked_for(asked: &BackfillAsked, view: &dyn View) -> Result<Vec<Op>> {
    let key = key::backfill(asked.number);
    if view.get(&key)?.is_some() {
        return Err(Error::Conflict { what: format!("backfill {}", asked.number) });
    }
    Ok(vec![Op::put(key, encode(&BackfillEntry { asked: asked.clone(), ended_us: None }))])
}

fn backfill_ended(number: u64, at_us: i64, view: &dyn View) -> Result<Vec<Op>> {
    let Some(entry) = found::<BackfillEntry>(view, &key::backfill(number))? else { return Ok(Vec::new()) };
    Ok(vec![Op::put(key::backfill(number), encode(&BackfillEntry { ended_us: Some(at_us), ..entry }))])
}

/// Runs go with their records and with what others could have taken from them. What they started, registered and collected
/// stays, and so does that their causes are used up.
fn forgotten(runs: &[RunId], view: &dyn View) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    for run in runs {
        let prefixes = [key::records(*run), key::notifications(*run)];
        for prefix in &prefixes {
            ops.extend(view.range(prefix)?.into_iter().map(|(key, _)| Op::remove(key)));
        }
        ops.extend([Op::remove(key::run(*run)), Op::remove(key::open(*run))]);
    }
    let runs: BTreeSet<RunId> = runs.iter().copied().collect();
    for (key, value) in view.range(key::CACHED)? {
        if runs.contains(&decode::<Cached>(&value)?.run) {
            ops.push(Op::remove(key));
        }
    }
    Ok(ops)
}

fn key_created(key: &ApiKey, view: &dyn View) -> Result<Vec<Op>> {
    let (place, entry) = (key::api_key(&key.name), KeyEntry { key: key.clone(), revoked_us: None });
    match view.get(&place)? {
        Some(_) => Err(Error::Conflict { what: format!("key `{}`", key.name) }),
        None => Ok(vec![Op::put(place, encode(&entry))]),
    }
}

/// Says nothing of a key that there never was.
fn key_revoked(key: &KeyName, at_us: i64, view: &dyn View) -> Result<Vec<Op>> {
    let Some(entry) = found::<KeyEntry>(view, &key::api_key(key))? else { return Ok(Vec::new()) };
    Ok(vec![Op::put(key::api_key(key), encode(&KeyEntry { revoked_us: Some(at_us), ..entry }))])
}

/// The value under a key.
fn found<T: serde::de::DeserializeOwned>(view: &dyn View, key: &[u8]) -> Result<Option<T>> {
    view.get(key)?.map(|value| decode(&value)).transpose()
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

fn tagged(model: &ModelName, version: u32, key: &str, value: Option<&String>) -> Vec<Op> {
    let key = key::tag(model, version, key);
    vec![match value {
        Some(value) => Op::put(key, encode(value)),
        None => Op::remove(key),
    }]
}

fn aliased(moved: &AliasMove, place: &Place) -> Vec<Op> {
    let alias = key::alias(&moved.model, &moved.alias);
    vec![
        match moved.to {
            Some(version) => Op::put(alias, encode(&version)),
            None => Op::remove(alias),
        },
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
    use types::{Digest, EndpointName, Id, KeyName, ModelName, PipelineName, ProjectName, RunId};

    pub(crate) const LAST_RUN: &[u8] = b"last-run";
    pub(crate) const RUNS: &[u8] = b"run/";
    pub(crate) const MODELS: &[u8] = b"model/";
    const RECORDS: &[u8] = b"record/";
    /// Runs that did not finish.
    pub(crate) const OPEN: &[u8] = b"open/";
    pub(crate) const CACHED: &[u8] = b"cached/";
    pub(crate) const CURRENT: &[u8] = b"current/";
    pub(crate) const BACKFILLS: &[u8] = b"backfill/";
    pub(crate) const DEPLOYMENTS: &[u8] = b"deployed/";

    pub(crate) const API_KEYS: &[u8] = b"api-key/";

    fn join(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }
    fn named(kind: &[u8], model: &ModelName, rest: &[u8]) -> Vec<u8> {
        join(&[kind, model.as_str().as_bytes(), b"\0", rest])
    }

    pub(crate) fn run(run: RunId) -> Vec<u8> {
        join(&[RUNS, &run.0.to_be_bytes()])
    }
    /// The last of a run's entries of places, and the beginning of all others'.
    pub(crate) fn records(run: RunId) -> Vec<u8> {
        join(&[RECORDS, &run.0.to_be_bytes()])
    }
    /// One that is full, by the sequence of its first record.
    pub(crate) fn full_records(run: RunId, sequence: u64) -> Vec<u8> {
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
    pub(crate) fn golden(model: &ModelName, version: u32) -> Vec<u8> {
        named(b"golden/", model, &version.to_be_bytes())
    }
    pub(crate) fn rollouts(endpoint: &EndpointName) -> Vec<u8> {
        join(&[b"rollout/", endpoint.as_str().as_bytes(), b"\0"])
    }
    pub(crate) fn rollout(endpoint: &EndpointName, sequence: u64) -> Vec<u8> {
        join(&[&rollouts(endpoint), &sequence.to_be_bytes()])
    }
    pub(crate) fn tags(model: &ModelName, version: u32) -> Vec<u8> {
        named(b"tag/", model, &version.to_be_bytes())
    }
    pub(crate) fn tag(model: &ModelName, version: u32, key: &str) -> Vec<u8> {
        join(&[&tags(model, version), key.as_bytes()])
    }
    pub(crate) fn moves(model: &ModelName) -> Vec<u8> {
        named(b"moved/", model, b"")
    }
    pub(crate) fn moved(model: &ModelName, sequence: u64) -> Vec<u8> {
        named(b"moved/", model, &sequence.to_be_bytes())
    }

    pub(crate) fn open(run: RunId) -> Vec<u8> {
        join(&[OPEN, &run.0.to_be_bytes()])
    }
    pub(crate) fn fired(project: &ProjectName, pipeline: &PipelineName, cause: &str) -> Vec<u8> {
        join(&[&of_pipeline(b"fired/", project, pipeline), b"\0", cause.as_bytes()])
    }
    pub(crate) fn cached(key: &Digest) -> Vec<u8> {
        join(&[CACHED, key.as_bytes()])
    }
    pub(crate) fn deployments(project: &ProjectName) -> Vec<u8> {
        join(&[DEPLOYMENTS, project.as_str().as_bytes(), b"\0"])
    }
    pub(crate) fn deployment(project: &ProjectName, version: u32) -> Vec<u8> {
        join(&[&deployments(project), &version.to_be_bytes()])
    }
    pub(crate) fn current(project: &ProjectName) -> Vec<u8> {
        join(&[CURRENT, project.as_str().as_bytes()])
    }
    pub(crate) fn schedule(project: &ProjectName, pipeline: &PipelineName) -> Vec<u8> {
        of_pipeline(b"schedule/", project, pipeline)
    }
    /// Records that tell of passed instants, by their sequence.
    pub(crate) fn passed(project: &ProjectName, pipeline: &PipelineName) -> Vec<u8> {
        join(&[&of_pipeline(b"passed/", project, pipeline), b"\0"])
    }
    pub(crate) fn backfill(number: u64) -> Vec<u8> {
        join(&[BACKFILLS, &number.to_be_bytes()])
    }
    pub(crate) fn watch(project: &ProjectName, pipeline: &PipelineName, watch: &str) -> Vec<u8> {
        join(&[&of_pipeline(b"watch/", project, pipeline), b"\0", watch.as_bytes()])
    }
    pub(crate) fn notifications(run: RunId) -> Vec<u8> {
        join(&[b"notified/", &run.0.to_be_bytes()])
    }
    pub(crate) fn notified(run: RunId, about: &str) -> Vec<u8> {
        join(&[&notifications(run), about.as_bytes()])
    }
    pub(crate) fn api_key(name: &KeyName) -> Vec<u8> {
        join(&[API_KEYS, name.as_str().as_bytes()])
    }
    fn of_pipeline(kind: &[u8], project: &ProjectName, pipeline: &PipelineName) -> Vec<u8> {
        join(&[kind, project.as_str().as_bytes(), b"\0", pipeline.as_str().as_bytes()])
    }

    /// The name in what follows [`MODELS`].
    pub(crate) fn model_of(rest: &[u8]) -> Option<ModelName> {
        ModelName::parse(std::str::from_utf8(rest.strip_suffix(b"\0")?).ok()?).ok()
    }
    /// The run in what follows [`OPEN`].
    pub(crate) fn run_of(rest: &[u8]) -> Option<RunId> {
        Some(RunId(u64::from_be_bytes(rest.try_into().ok()?)))
    }
    /// The run whose places lie under a key; none of any other key.
    pub(crate) fn run_of_records(key: &[u8]) -> Option<RunId> {
        Some(RunId(u64::from_be_bytes(*key.strip_prefix(RECORDS)?.first_chunk()?)))
    }
    /// The run whose head lies there, with its places if it has ended.
    pub(crate) fn run_of_head(key: &[u8]) -> Option<RunId> {
        run_of(key.strip_prefix(RUNS)?)
    }
    /// The number in what follows [`versions`].
    pub(crate) fn number_of(rest: &[u8]) -> Option<u32> {
        Some(u32::from_be_bytes(rest.try_into().ok()?))
    }
    /// The alias or tag in what follows [`aliases`] or [`tags`].
    pub(crate) fn text_of(rest: &[u8]) -> Option<String> {
        String::from_utf8(rest.to_vec()).ok()
    }
}

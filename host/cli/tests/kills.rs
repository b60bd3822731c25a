//! Runs under load while the server and its workers are killed at any moment -> every run that somebody was told of is there and
//! ends as it would have without a kill, and nothing is committed twice.
//!
//! ```text
//!  clients --ask, follow--> stepwell serve <--kill -9-- the killer, who starts it again on the same data folder;
//!                                |                      now and then without its index, or with bits of it flipped
//!                             workers  <------kill -9---+
//! ```
//! The killer draws from a seed that a failure prints (`KILLS_SEED` sets another); what a kill then meets differs all the same.
//! The guest is `guests/relay`, built by `cargo xtask plugins`.

mod harness;

use api::{Client, Line, RunRequest, Trouble};
use harness::serving::Serving;
use harness::stepwell;
use ports::Journal;
use run::RunView;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use server::{Folder, RunLine};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};
use store::{RunSummary, Store};
use tempfile::TempDir;
use types::{Artifact, FaultKind, Id, ModelName, PipelineName, PortName, Record, RunId, RunState, StepName, TenantId};

const KILLS: u64 = 210;
const SEED: u64 = 0x5eed_0b5e_55ed_d1e5;
/// Workers that are killed between two kills of the server, at most.
const WORKERS_A_SERVER: u64 = 5;
/// The longest time between two kills.
const CALM_MS: u64 = 220;
/// For a new server to tell somebody of a run, before anything of it is killed: else nothing would ever get far.
const FIRST_RUN_MAX: Duration = Duration::from_secs(3);
/// The server's index is spoiled before every so many starts.
const SPOILED_EVERY: u64 = 6;
/// Bits that are flipped in an index at once.
const FLIPS: usize = 40;
/// Rows that come between two runs of the collecting pipeline, and the most there will be.
const ROWS_A_RUN: u64 = 7;
const ROWS_MAX: u64 = 700;
/// Clients of the pipeline that is quickest.
const CHAIN_CLIENTS: usize = 2;
/// For what was begun to end, once nobody kills any more.
const END_MAX: Duration = Duration::from_secs(120);

/// Four steps that add 1: two beside each other.
const CHAIN: &str = r#"
[steps.first]
plugin = "./relay.wasm"
cache = false

[steps.left]
plugin = "./relay.wasm"
cache = false
inputs = { before = "first.table" }

[steps.right]
plugin = "./relay.wasm"
cache = false
inputs = { before = "first.table" }

[steps.last]
plugin = "./relay.wasm"
cache = false
inputs = { left = "left.table", right = "right.table" }
"#;
/// Rows of a file that grows, a few pages a run.
const COLLECT: &str = r#"
[steps.rows]
plugin = "csv"
params = { path = "data/rows.csv", page_rows = 3 }
grants = { files = ["data"] }

[steps.checked]
plugin = "schema"
cache = false
inputs = { table = "rows.table" }
params = { columns = { id = { type = "int64", unique = true } } }
"#;
/// A model, every run a version of it.
const LEARN: &str = r#"
[steps.rows]
plugin = "csv"
params = { path = "data/points.csv" }
grants = { files = ["data"] }

[steps.parts]
plugin = "split"
cache = false
inputs = { table = "rows.table" }
params = { fractions = { train = 0.75, test = 0.25 }, stratify = "label" }
seed = 7

[steps.model]
plugin = "logistic"
cache = false
inputs = { train = "parts.train" }
label = "label"
ignore = ["id"]
params = { max_iterations = 5 }

[steps.predicted]
builtin = "predict"
inputs = { rows = "parts.test", model = "model.model" }

[steps.measured]
plugin = "classification"
cache = false
inputs = { candidate = "predicted.table" }
params = { label = "label", positive = "b", resamples = 0 }

[steps.gate]
builtin = "gate"
inputs = { measures = "measured.measures" }
require = [{ measure = "roc_auc", at_least = 0.5 }]

[steps.registered]
builtin = "register"
inputs = { model = "model.model", verdict = "gate.verdict" }
name = "points"
alias = "champion"
"#;

/// Step -> what stands on its ports.
type Outputs = BTreeMap<StepName, BTreeMap<PortName, Artifact>>;

/// A project that clients run, and what became of it.
struct Trial {
    folder: TempDir,
    /// What runs that nobody disturbed gave, by pipeline.
    undisturbed: BTreeMap<String, Outputs>,
    /// Runs whose number a client read.
    told: Mutex<BTreeMap<RunId, &'static str>>,
    /// Rows of the file that grows.
    rows: AtomicU64,
    over: AtomicBool,
}

/// Clients end with it, also when an assertion fails meanwhile.
struct Over<'a>(&'a Trial);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Trial {
    fn new() -> Self {
        let (told, rows, over) = Default::default();
        let folder = tempfile::tempdir().unwrap();
        let mut trial = Self { folder, undisturbed: BTreeMap::new(), told, rows, over };
        let guest = Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("test-guests").join("relay.wasm");
        trial.write("relay.wasm", &std::fs::read(guest).expect("`cargo xtask plugins` builds it"));
        trial.write("stepwell.toml", b"name = \"killed\"\n");
        for (pipeline, text) in [("chain", CHAIN), ("collect", COLLECT), ("learn", LEARN)] {
            trial.write(&format!("pipelines/{pipeline}.toml"), text.as_bytes());
        }
        let point =
            |id: u32| format!("{id},{},{},{}\n", id * 37 % 61, id * 53 % 47, if id * 37 % 61 < 20 { "a" } else { "b" });
        let points: String = (0..60).map(point).collect();
        trial.write("data/points.csv", format!("id,x,y,label\n{points}").as_bytes());
        trial.write("data/rows.csv", b"id,value\n");
        trial.grow();
        for pipeline in ["chain", "collect", "learn"] {
            stepwell(trial.path(), &["run", pipeline]).expect(pipeline, 0, &["succeeded"]);
        }
        let journal = Opened::of(&trial.data());
        let runs = journal.runs().into_iter();
        trial.undisturbed =
            runs.map(|run| (run.head.pipeline.to_string(), outputs(&journal.view(run.head.run)))).collect();
        trial
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join(".stepwell")
    }

    fn write(&self, file: &str, bytes: &[u8]) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// More rows in the file that grows, as one write.
    fn grow(&self) {
        let first = self.rows.load(Ordering::Relaxed);
        if first >= ROWS_MAX {
            return;
        }
        let rows: String = (first..first + ROWS_A_RUN).map(|id| format!("{id},{}\n", id * id)).collect();
        let mut file = std::fs::File::options().append(true).open(self.path().join("data/rows.csv")).unwrap();
        file.write_all(rows.as_bytes()).unwrap();
        self.rows.store(first + ROWS_A_RUN, Ordering::Relaxed);
    }

    /// Asks something of whatever server there is now.
    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        let socket = Folder::socket(&self.data());
        waited(async { connected(&socket).await?.get(path).await })
    }

    /// Asks for a run and follows it to its end, or the server's.
    fn ask(&self, pipeline: &'static str) -> Result<(), Trouble> {
        let (folder, options) = (self.path().to_owned(), Default::default());
        let request = RunRequest { folder, pipeline: Some(pipeline.to_owned()), options };
        let hear = |line| {
            if let Line::Run { run } = line {
                self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(run, pipeline);
            }
        };
        let socket = Folder::socket(&self.data());
        waited(async { connected(&socket).await?.lines("POST", "/v1/tenants/default/runs", &request, hear).await })
    }

    fn told_of(&self) -> usize {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits for one more run to be told of, for a while.
    fn is_told_of_more_within(&self, most: Duration) -> bool {
        let (before, deadline) = (self.told_of(), Instant::now() + most);
        while Instant::now() < deadline {
            if self.told_of() > before {
                return true;
            }
            sleep(Duration::from_millis(5));
        }
        false
    }

    /// Whether a run of a pipeline has not ended, as far as a server says.
    fn is_unfinished(&self, pipeline: Option<&str>) -> Result<bool, Trouble> {
        let runs: Vec<RunLine> = self.get("/v1/tenants/default/runs")?;
        let fits = |run: &&RunLine| pipeline.is_none_or(|pipeline| run.pipeline.to_string() == pipeline);
        Ok(runs.iter().filter(fits).any(|run| run.state == RunState::Running))
    }

    /// Runs a pipeline again and again, as somebody would whose server keeps dying.
    fn keep_asking(&self, pipeline: &'static str) {
        while !self.over.load(Ordering::Relaxed) {
            // Two runs that collect from one source would be told to come back later, and the file is to grow between two.
            let may_ask = pipeline != "collect" || matches!(self.is_unfinished(Some(pipeline)), Ok(false));
            if may_ask {
                if pipeline == "collect" {
                    self.grow();
                }
                expect_of_a_kill(pipeline, self.ask(pipeline));
            }
            sleep(Duration::from_millis(30));
        }
    }
}

/// A request goes well, or something was killed: the server, or the worker that was to describe a plugin.
#[track_caller]
fn expect_of_a_kill(pipeline: &str, asked: Result<(), Trouble>) {
    match asked {
        Ok(()) | Err(Trouble::Gone(_) | Trouble::Broken(_)) => {}
        Err(Trouble::Refused(status, body)) => {
            assert_eq!(body.fault, Some(FaultKind::Crash), "{pipeline} was refused with {status}: {body:?}");
        }
    }
}

async fn connected(socket: &Path) -> Result<Client, Trouble> {
    Client::there(socket).await.map_err(|error| Trouble::Broken(error.to_string()))
}

fn waited<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The truth, read from disk while no server has it.
struct Opened(Store);

impl Opened {
    fn of(data: &Path) -> Self {
        Self(Store::open(data).expect("the journal is whole").0)
    }

    fn tenant() -> TenantId {
        TenantId::default_tenant()
    }

    fn runs(&self) -> Vec<RunSummary> {
        self.0.runs(&Self::tenant()).unwrap()
    }

    fn records(&self, run: RunId) -> Vec<Record> {
        self.0.run_records(&Self::tenant(), run).unwrap()
    }

    fn view(&self, run: RunId) -> RunView {
        RunView::of(&self.records(run))
    }
}

fn outputs(view: &RunView) -> Outputs {
    let steps = view.steps.keys();
    steps.filter_map(|step| Some((step.clone(), view.commit(step)?.outputs.clone()))).collect()
}

/// What was killed, and what the server said of its index.
#[derive(Debug, Default)]
struct Tally {
    servers: u64,
    workers: u64,
    deleted: u64,
    flipped: u64,
    rebuilt: u64,
    /// Servers that had told of a run before anything of theirs was killed.
    busy: u64,
}

impl Tally {
    fn kills(&self) -> u64 {
        self.servers + self.workers
    }
}

/// Kills until it is enough; each server begins where the one before it died.
fn kill_on(trial: &Trial, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    while tally.kills() < KILLS {
        let is_deleted = tally.servers % SPOILED_EVERY == SPOILED_EVERY - 1;
        let is_flipped = tally.servers % SPOILED_EVERY == SPOILED_EVERY / 2;
        match (is_deleted, is_flipped) {
            (true, _) => std::fs::remove_dir_all(trial.data().join("index")).unwrap(),
            (_, true) => flip(&trial.data().join("index"), random),
            _ => {}
        }
        let serving = Serving::start(trial.path());
        let said = serving.said();
        assert!(!is_deleted || said.contains("built the index from the journal: there was none"), "{said}");
        tally.deleted += u64::from(is_deleted);
        tally.flipped += u64::from(is_flipped);
        tally.rebuilt += u64::from(said.contains("rebuilt the index from the journal"));
        tally.busy += u64::from(trial.is_told_of_more_within(FIRST_RUN_MAX));
        for _ in 0..random.below(WORKERS_A_SERVER + 1) {
            sleep(Duration::from_millis(random.below(CALM_MS)));
            tally.workers += u64::from(kill_a_worker(&serving, random));
        }
        sleep(Duration::from_millis(random.below(CALM_MS)));
        // By SIGKILL.
        drop(serving);
        tally.servers += 1;
    }
    tally
}

fn kill_a_worker(serving: &Serving, random: &mut Random) -> bool {
    let workers = serving.workers();
    let Some(worker) = workers.get(random.below(workers.len().max(1) as u64) as usize) else { return false };
    // It may have ended meanwhile.
    Pid::from_raw(*worker as i32).is_some_and(|worker| kill_process(worker, Signal::KILL).is_ok())
}

/// Flips bits of what is written in the index; most of it is zeros that nobody reads.
fn flip(index: &Path, random: &mut Random) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(index).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    for _ in 0..FLIPS {
        let path = &files[random.below(files.len() as u64) as usize];
        let mut bytes = std::fs::read(path).unwrap();
        let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let Some(at) = written.get(random.below(written.len().max(1) as u64) as usize) else { continue };
        bytes[*at] ^= 1 << random.below(8);
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn no_kill_takes_or_doubles_anything() {
    let seed = std::env::var("KILLS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    eprintln!("KILLS_SEED={seed}");
    let (trial, begin) = (Trial::new(), Instant::now());
    let tally = std::thread::scope(|scope| {
        let over = Over(&trial);
        for pipeline in ["chain"; CHAIN_CLIENTS].into_iter().chain(["collect", "learn"]) {
            let trial = &trial;
            scope.spawn(move || trial.keep_asking(pipeline));
        }
        let tally = kill_on(&trial, &mut Random(seed));
        drop(over);
        tally
    });
    eprintln!("{tally:?} in {:.1?}", begin.elapsed());
    assert!(tally.rebuilt > 0, "no damage was noticed: {tally:?}");
    assert!(tally.busy * 2 > tally.servers, "there was no load: {tally:?}");
    let quarantined = std::fs::read_dir(trial.data()).unwrap().map(|entry| entry.unwrap().file_name());
    let quarantined = quarantined.filter(|name| name.to_string_lossy().starts_with("quarantine-")).count() as u64;
    assert_eq!(quarantined, tally.rebuilt, "each index that was not believed is kept");
    assert_all_end(&trial);
    assert_rows(&trial);
    let journal = Opened::of(&trial.data());
    assert_runs(&trial, &journal, &tally);
    assert_versions(&journal);
}

/// What was left goes on by itself when a server starts, and ends.
fn assert_all_end(trial: &Trial) {
    let (serving, deadline) = (Serving::start(trial.path()), Instant::now() + END_MAX);
    while trial.is_unfinished(None).unwrap() {
        assert!(Instant::now() < deadline, "runs do not end: {}", serving.said());
        sleep(Duration::from_millis(50));
    }
    assert!(serving.terminate().0.success());
}

/// One more run has every row of the file once, in order.
fn assert_rows(trial: &Trial) {
    stepwell(trial.path(), &["run", "collect"]).expect("collect", 0, &["succeeded"]);
    let last = Opened::of(&trial.data()).runs()[0].head.run.to_string();
    let shown = stepwell(trial.path(), &["runs", "rows", &last, "rows.table", "--limit", "10000", "--json"]).json();
    let ids: Vec<u64> = shown["rows"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
    assert!(ids.iter().copied().eq(0..trial.rows.load(Ordering::Relaxed)), "rows lost or doubled: {ids:?}");
    assert_eq!(shown["total"].as_u64(), Some(ids.len() as u64));
}

fn assert_runs(trial: &Trial, journal: &Opened, tally: &Tally) {
    let runs = journal.runs();
    let there: BTreeMap<RunId, PipelineName> =
        runs.iter().map(|run| (run.head.run, run.head.pipeline.clone())).collect();
    let told = trial.told.lock().unwrap_or_else(PoisonError::into_inner);
    for (run, pipeline) in told.iter() {
        assert_eq!(there.get(run).map(PipelineName::as_str), Some(*pipeline), "run {run} was told of");
    }
    let crashes: u64 = runs.iter().map(|run| assert_run(trial, run, &journal.records(run.head.run))).sum();
    assert!(crashes <= tally.workers, "{crashes} attempts crashed, {tally:?}");
    let failed = runs.iter().filter(|run| run.state == RunState::Failed).count();
    eprintln!("{} runs, {} told of, {crashes} attempts crashed, {failed} runs given up", runs.len(), told.len());
}

/// Holds one run, and says how many of its attempts crashed.
#[track_caller]
fn assert_run(trial: &Trial, run: &RunSummary, records: &[Record]) -> u64 {
    let (number, pipeline) = (run.head.run, run.head.pipeline.to_string());
    let (mut committed, mut ends, mut crashes) = (BTreeSet::new(), 0, BTreeMap::<_, u64>::new());
    for record in records {
        match record {
            Record::StepCommitted { commit, .. } | Record::VersionRegistered { commit, .. } => {
                assert!(committed.insert(&commit.step), "run {number} committed `{}` twice", commit.step);
            }
            Record::AttemptFailed { step, fault, .. } => {
                assert_eq!(fault.kind, FaultKind::Crash, "run {number} of {pipeline}, `{step}`: {fault}");
                *crashes.entry(step).or_default() += 1;
            }
            Record::RunFinished { .. } => ends += 1,
            _ => {}
        }
    }
    assert_eq!(ends, 1, "run {number} of {pipeline} ended {ends} times");
    let expected = match crashes.values().any(|crashes| *crashes >= 2) {
        // Two workers of one step were killed: it is given up, by policy.
        true => RunState::Failed,
        false => RunState::Succeeded,
    };
    assert_eq!(run.state, expected, "run {number} of {pipeline}: {crashes:?}");
    if run.state == RunState::Succeeded {
        // What was collected so far and which version it is depend on the runs before.
        let depends = |step: &StepName| pipeline == "collect" || step.as_str() == "registered";
        assert_outputs(&trial.undisturbed[&pipeline], &outputs(&RunView::of(records)), depends, number);
    }
    crashes.values().sum()
}

/// What does not depend on earlier runs is as it was without a kill; of the rest, that it is there.
#[track_caller]
fn assert_outputs(undisturbed: &Outputs, outputs: &Outputs, depends: impl Fn(&StepName) -> bool, run: RunId) {
    assert!(outputs.keys().eq(undisturbed.keys()), "run {run} has {:?}", outputs.keys());
    for (step, expected) in undisturbed {
        assert!(depends(step) || outputs[step] == *expected, "run {run}: `{step}` gave {:#?}", outputs[step]);
    }
}

/// Versions without a gap, each of a run that succeeded and has no other; the alias points at the newest.
fn assert_versions(journal: &Opened) {
    let (model, tenant): (ModelName, _) = ("points".parse().unwrap(), Opened::tenant());
    let versions = journal.0.versions(&tenant, &model).unwrap();
    let numbers: Vec<u32> = versions.iter().map(|version| version.version).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u32), "{numbers:?}");
    let of: BTreeSet<RunId> = versions.iter().map(|version| version.run).collect();
    let succeeded = |run: &RunSummary| run.head.pipeline.as_str() == "learn" && run.state == RunState::Succeeded;
    let learnt: BTreeSet<RunId> = journal.runs().into_iter().filter(succeeded).map(|run| run.head.run).collect();
    assert_eq!(of, learnt, "a version a run that succeeded");
    assert_eq!(versions.len(), of.len());
    assert_eq!(journal.0.alias(&tenant, &model, "champion").unwrap(), numbers.last().copied());
    eprintln!("{} versions", numbers.len());
}

/// xorshift64: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

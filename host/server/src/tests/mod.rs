//! An installation on a clock that is set by hand: what runs by itself, and when. Its plans have no steps, so that a run is
//! over as soon as it is driven and no worker is needed.

mod bundles;
mod delivering;
mod deploying;
mod devices;
mod hosting;
mod knocking;
mod leaving;
mod scheduling;
mod triggering;

use crate::deploy::Content;
use crate::{Folder, LockedBy, Options, Prepared, Server, WallPolicy, locked};
use manifest::Texts;
use plan::Plan;
use ports::{Blobs, Clock, Journal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use store::RunSummary;
use types::{Cause, PipelineName, ProjectName, Record, RunHead, RunId, RunState, Settings, TenantId};

/// 2026-03-02 00:00:00 UTC, a Monday.
const BEGIN_US: i64 = 1_772_409_600_000_000;
const MINUTE_US: i64 = 60_000_000;
/// Beyond what anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

const STEP: &str = "[steps.rows]\nplugin = \"csv\"\n";

/// A clock that stands until it is set.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct House {
    server: Arc<Server>,
    hands: Arc<Hands>,
    // Last, so that the server is gone before it.
    folder: tempfile::TempDir,
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

fn project() -> ProjectName {
    "shop".parse().unwrap()
}

fn pipeline(name: &str) -> PipelineName {
    name.parse().unwrap()
}

/// A pipeline's text with this schedule.
fn every(cron: &str, more: &str) -> String {
    format!("{STEP}\n[schedule]\ncron = \"{cron}\"\n{more}")
}

/// Opens it as soon as whoever had it is gone: the database's threads hold on to it for a moment.
fn open(folder: &Path, hands: &Arc<Hands>) -> Arc<Server> {
    let begin = Instant::now();
    loop {
        match try_open(folder, hands) {
            Ok(server) => return server,
            Err(error) => assert!(begin.elapsed() < DEADLINE, "{error}"),
        }
        std::thread::yield_now();
    }
}

fn try_open(folder: &Path, hands: &Arc<Hands>) -> Result<Arc<Server>, crate::Error> {
    let data = folder.join("data");
    let LockedBy::Us(lock) = Folder::lock(&data)? else { panic!("somebody has the folder") };
    let options = Options {
        data,
        executable: folder.join("none"),
        plugins: folder.join("plugins"),
        cache: folder.join("cache"),
        state: folder.join("state"),
        trusts_data: false,
        slots: 2,
        walls: WallPolicy::BestEffort,
        variables: Default::default(),
    };
    Ok(Server::open_at(lock, options, Arc::clone(hands) as _)?.0)
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hands = Arc::new(Hands(AtomicI64::new(BEGIN_US)));
        Self { server: open(folder.path(), &hands), hands, folder }
    }

    /// Ends the server and opens the folder again.
    fn again(self) -> Self {
        self.again_after(|_| {})
    }

    /// The same, with something done to the folder while nobody has it.
    fn again_after(self, done: impl FnOnce(&Path)) -> Self {
        let Self { server, hands, folder } = self;
        server.leave();
        let begin = Instant::now();
        let mut server = server;
        // Threads of runs let go of it a moment after they end.
        let server = loop {
            match Arc::try_unwrap(server) {
                Ok(server) => break server,
                Err(held) => server = held,
            }
            assert!(begin.elapsed() < DEADLINE, "somebody holds the server");
            std::thread::yield_now();
        };
        drop(server);
        done(folder.path());
        Self { server: open(folder.path(), &hands), hands, folder }
    }

    fn at_us(&self, minutes: i64) -> i64 {
        BEGIN_US + minutes * MINUTE_US
    }

    fn set(&self, minutes: i64) {
        self.hands.0.store(BEGIN_US + minutes * MINUTE_US, Ordering::SeqCst);
    }

    /// Stores a project of these pipelines, and says what deploying it would change.
    fn prepare(&self, tenant: &TenantId, pipelines: &[(&str, &str)]) -> Prepared {
        self.prepare_with(tenant, "", pipelines)
    }

    /// The same with more in `stepwell.toml`.
    fn prepare_with(&self, tenant: &TenantId, more: &str, pipelines: &[(&str, &str)]) -> Prepared {
        let texts = pipelines.iter().map(|(name, text)| (format!("pipelines/{name}.toml"), (*text).to_owned()));
        let head = ("stepwell.toml".to_owned(), format!("name = \"shop\"\n{more}"));
        let plan = |name: &str| Plan {
            project: project(),
            pipeline: pipeline(name),
            steps: Vec::new(),
            timeout_ms: None,
            priority: 0,
        };
        let content = Content {
            texts: Texts { files: texts.chain([head]).collect() },
            plans: pipelines.iter().map(|(name, _)| (pipeline(name), plan(name))).collect(),
            project_dir: self.folder.path().to_owned(),
        };
        let content = self.server.store.put(tenant, &serde_json::to_vec(&content).unwrap()).unwrap();
        let over = self.server.store.deployment(tenant, &project()).unwrap().map(|current| current.version);
        Prepared {
            project: project(),
            content,
            settings: Settings::new(),
            over,
            rollback_to: None,
            differs: Vec::new(),
            is_same: false,
            warnings: Vec::new(),
        }
    }

    fn deploy(&self, pipelines: &[(&str, &str)]) -> u32 {
        self.server.deploy(&tenant(), &self.prepare(&tenant(), pipelines)).unwrap().version
    }

    /// Looks once, and waits for the runs that begin to end.
    fn look(&self) {
        self.server.look();
        self.wait();
    }

    /// Waits for the runs that are driven to end.
    fn wait(&self) {
        let begin = Instant::now();
        while !locked(&self.server.live).is_empty() {
            assert!(begin.elapsed() < DEADLINE, "a run does not end");
            std::thread::yield_now();
        }
    }

    /// All runs, the oldest first.
    fn runs(&self) -> Vec<RunSummary> {
        self.server.store.runs(&tenant()).unwrap().into_iter().rev().collect()
    }

    /// The minutes for which runs began, in the order in which they did.
    fn minutes(&self) -> Vec<i64> {
        let minute = |run: &RunSummary| match run.head.cause {
            Cause::Schedule { at_us } | Cause::Backfill { at_us, .. } => {
                assert_eq!(run.head.logical_time_us, at_us);
                Some((at_us - BEGIN_US) / MINUTE_US)
            }
            _ => None,
        };
        self.runs().iter().filter_map(minute).collect()
    }

    /// A run that nobody drives: it is under way until it is ended.
    fn under_way(&self, cause: Cause) -> RunId {
        let run = self.server.store.next_run(&tenant()).unwrap();
        let head = RunHead { run, ..self.head(cause) };
        self.server.store.append(&tenant(), &[Record::RunStarted(head)]).unwrap();
        run
    }

    /// Of a run of the deployed pipeline `main` that begins now.
    fn head(&self, cause: Cause) -> RunHead {
        let logical_time_us = match cause {
            Cause::Schedule { at_us } | Cause::Backfill { at_us, .. } => at_us,
            _ => 0,
        };
        RunHead {
            run: RunId(0),
            project: project(),
            pipeline: pipeline("main"),
            plan: types::Digest::of(b""),
            cause,
            logical_time_us,
            started_us: self.server.now_us(),
            deployment: Some(1),
            overrides: Settings::new(),
            by: None,
        }
    }

    fn end(&self, run: RunId) {
        self.end_as(run, RunState::Succeeded);
    }

    fn end_as(&self, run: RunId, state: RunState) {
        let at_us = self.server.now_us();
        let ended = Record::RunFinished { run, state, at_us, because: None };
        self.server.store.append(&tenant(), &[ended]).unwrap();
    }

    /// What a schedule passed over: minutes and reasons.
    fn passed(&self) -> Vec<(i64, types::Why)> {
        let passed = self.server.store.passed(&tenant(), &project(), &pipeline("main")).unwrap();
        passed.iter().map(|passed| ((passed.at_us - BEGIN_US) / MINUTE_US, passed.why)).collect()
    }
}

//! A data folder -> one running installation: plugins, runs, endpoints.
//!
//! [`Server`] owns the folder, alone: it holds its lock, its store, its workers, its live runs and its loaded models. `api`
//! maps requests to it and nothing else does. Whatever is a tenant's takes the tenant as its first argument.
//!
//! ```text
//!  project folder --project::plan--> Plan --runs::start--> run::Dispatcher --> admission --> worker::Pool
//!  model alias ----endpoints::chosen--> worker::ServingWorker --> predictions
//!  deployed version, instant or event ----fire--> run::Dispatcher
//! ```

mod accounts;
mod admission;
mod again;
mod allowance;
mod answering;
mod audit;
mod authority;
mod backfills;
mod bell;
mod bundle;
mod card;
mod catalog;
mod changes;
mod declared;
mod deploy;
mod described;
mod diff;
mod difference;
mod document;
mod endpoints;
mod examine;
mod exposition;
mod fan;
mod fire;
mod folder;
mod follow;
mod gc;
mod handover;
mod held;
mod hooks;
mod inspect;
mod keys;
mod loading;
mod marks;
mod metrics;
mod notify;
mod overrides;
mod owner;
mod pins;
mod plugins;
mod predictions;
mod private;
mod project;
mod reads;
mod registry;
mod replay;
mod report;
mod rerun;
mod retention;
mod rollouts;
mod runs;
#[cfg(test)]
mod samples;
mod schedules;
mod secrets;
mod shadow;
mod signing;
mod statistics;
mod tally;
mod tenants;
mod tended;
#[cfg(test)]
mod tests;
mod timetable;
mod timing;
mod traffic;
mod trial;
mod trigger_list;
mod triggers;
mod unlike;
mod wanting;
mod watch;

pub use answering::{InFlight, Sender, Served};
pub use audit::audit_folder;
pub use backfills::{BackfillLine, BackfillRequest};
pub use bundle::{ExportRequest, ImportRequest};
pub use card::{CardTable, ModelCard, OF_ITS_FILE, card_html, card_markdown};
pub use changes::{Change, Changes};
pub use deploy::{DeployedPipeline, DeploymentDetail, Prepared, SettingsChange, project_name};
pub use diff::{About, DiffRow, RunDiff};
pub use difference::{Differs, How};
pub use endpoints::{EndpointDetail, EndpointInfo, Readiness, ShadowLine, TrafficShare};
pub use fan::{Best, Candidate, Family, FamilyItem, ItemOf, families, number};
pub use fire::Fired;
pub use folder::{Folder, LockedBy, now_us};
pub use follow::Follow;
pub use gc::{Collected, GcRequest};
pub use hooks::{HOOK_BYTES_MAX, HookCall, HookRefused};
pub use inspect::Inspected;
pub use keys::{Barred, Caller, KeyLine, KeyRequest, KeyState, Knock, NewKey};
pub use manifest::{Fixture, read_file, write_file};
pub use owner::Owner;
pub use pins::Repin;
pub use plugins::{Added, Listed, Offered, remove_plugin};
pub use predictions::{LABELS_MAX, LabelAnswer, LabelRequest, NewLabel, PredictionLog};
pub use project::{CheckedPipeline, CheckedStep, schedule, wrong_with};
pub use reads::{
    AttemptDetail, Registration, RunDetail, RunLine, RunQuery, RunStanding, StepDetail, StepInput, TableRows,
};
pub use registry::{Held, ModelDetail, ModelList, MoveBack, Promoted, Promotion, TagChange, Unalias};
pub use replay::{Replayed, ReplayedOutput};
pub use report::{cause_in_words, instant, state as step_state, taken_in_words};
pub use retention::Keep;
pub use rollouts::{RolloutChange, RolloutVerb};
pub use runs::{Resumed, RunOptions};
pub use secrets::secret_name;
pub use shadow::Comparison;
pub use statistics::Took;
pub use store::{Audited, AuditedJournal};
pub use tenants::{Deletion, PolicyChange, PolicyShown, QuotaChange, QuotaLine, TenantDetail, TenantLine, Unit};
pub use timetable::{ScheduleHistory, ScheduleLine, ScheduledRun};
pub use timing::TIMED_ROWS;
pub use traffic::VersionSeen;
pub use trial::Tried;
pub use trigger_list::{TriggerKind, TriggerLine, TriggerList, TriggerState, Triggered};
pub use unlike::ModelDiff;
pub use worker::{Wall, WallPolicy, WallState, Walls};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use types::{EndpointName, Fault, Problem, ProjectName, RunId, TenantId};

/// What the command line decides for an installation.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder.
    pub data: PathBuf,
    /// The binary whose command `worker` is a worker.
    pub executable: PathBuf,
    /// Where first-party plugins lie, `NAME.wasm` each.
    pub plugins: PathBuf,
    /// The user's cache folder, never a project's: tools that build guests, components built, native code.
    pub cache: PathBuf,
    /// The user's state folder, never a project's: which data folders are the user's.
    pub state: PathBuf,
    /// Whether the data folder is the user's wherever it came from.
    pub trusts_data: bool,
    /// Attempts at once, of all runs and tenants.
    pub slots: usize,
    /// What is done where a wall round workers is missing.
    pub walls: WallPolicy,
    /// Values that steps may be granted to read.
    pub variables: BTreeMap<String, String>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What a person wrote is wrong; all of it at once.
    #[error("{} problems in the project", .0.len())]
    Problems(Vec<Problem>),
    /// There is no such tenant, run, model or endpoint.
    #[error("{0}")]
    NotFound(String),
    /// It exists, but not in a state for this.
    #[error("{0}")]
    Conflict(String),
    /// Whoever runs the installation does not let the tenant run or answer anything.
    #[error("tenant `{0}` is suspended: nothing of it runs or answers until `stepwell tenant resume {0}`")]
    Suspended(TenantId),
    #[error("{0}")]
    Fault(#[from] Fault),
}

impl From<Vec<Problem>> for Error {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Problems(problems)
    }
}

pub use toolchain::Notes;

/// One installation, running.
pub struct Server {
    options: Options,
    // Held for its drop: the lock ends with it.
    _folder: Folder,
    store: Arc<store::Store>,
    pool: Arc<worker::Pool>,
    accounts: Arc<accounts::Accounts>,
    admission: Arc<admission::Admission>,
    described: described::Answers,
    dispatcher: run::Dispatcher,
    live: Mutex<BTreeMap<(TenantId, RunId), Arc<follow::LiveRun>>>,
    endpoints: Mutex<BTreeMap<(TenantId, EndpointName), Arc<endpoints::Endpoint>>>,
    /// Held by whoever writes a secret.
    secrets: Mutex<()>,
    keys: keys::Keys,
    predictions: Arc<predictions::Predictions>,
    clock: Arc<dyn ports::Clock>,
    /// Current versions of projects, as they were read last.
    deployed: Mutex<BTreeMap<(TenantId, ProjectName), Arc<deploy::Deployed>>>,
    /// Held from looking up what is deployed, settled or asked for to recording what follows it.
    deploying: Mutex<()>,
    /// Wakes the loop that keeps schedules.
    bell: bell::Bell,
    triggers: triggers::Triggers,
    notifier: notify::Notifier,
    metrics: metrics::Metrics,
    tally: tally::Tally,
    asking: Mutex<watch::Asking>,
    /// Held by whoever forgets runs and sweeps.
    collecting: Mutex<()>,
    /// Wakes the loop that keeps canaries.
    canaries: bell::Bell,
}

impl Server {
    /// Opens an installation that [`Folder::lock`] gave, if it is the user's. The recovery says what a crash left and what was
    /// done about it.
    pub fn open(folder: Folder, options: Options) -> Result<(Arc<Self>, store::Recovery), Error> {
        Self::open_at(folder, options, Arc::new(folder::SystemClock))
    }

    /// The same under another clock.
    pub(crate) fn open_at(
        folder: Folder,
        options: Options,
        clock: Arc<dyn ports::Clock>,
    ) -> Result<(Arc<Self>, store::Recovery), Error> {
        private::ensure(&options.cache, "cache folder", "remove it, or name another parent in XDG_CACHE_HOME")?;
        private::ensure(&options.state, "state folder", "remove it, or name another parent in XDG_STATE_HOME")?;
        // Before anything in it is believed.
        marks::expect_own(&options.data, &options.state, folder.is_new, options.trusts_data)?;
        let (store, recovery) = store::Store::open(&options.data).map_err(Fault::host)?;
        let store = Arc::new(store);
        // What a crash cut short: the store has finished its part.
        for gone in store.deleted() {
            folder::remove_all(&folder::elsewhere(&options, &gone))?;
        }
        let accounts = Arc::new(accounts::Accounts::new(options.data.clone(), Arc::clone(&clock)));
        let pool = Arc::new(pool(&options, &store, &accounts));
        let (kept, workers, used) = (Arc::clone(&store), Arc::clone(&pool), Arc::clone(&accounts));
        let predictions = Arc::new(predictions::Predictions::new(options.data.clone(), Arc::clone(&clock)));
        let counted = (used, Arc::clone(&predictions));
        let admission = admission::Admission::new(kept, workers, counted, folder::layout(&options), options.slots);
        let admission = Arc::new(admission);
        let (journal, blobs, runner) = (Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::clone(&admission) as _);
        let dispatcher = run::Dispatcher::new(journal, blobs, runner, Arc::clone(&clock), options.slots);
        let (described, live, endpoints, secrets, deployed, deploying) = Default::default();
        let (bell, triggers, notifier, metrics, asking, collecting) = Default::default();
        let (canaries, tally) = Default::default();
        let keys = keys::Keys::of(&store)?;
        Ok((
            Arc::new(Self {
                options,
                _folder: folder,
                store,
                pool,
                accounts,
                admission,
                described,
                dispatcher,
                live,
                endpoints,
                secrets,
                keys,
                predictions,
                clock,
                deployed,
                deploying,
                bell,
                triggers,
                notifier,
                metrics,
                tally,
                asking,
                collecting,
                canaries,
            }),
            recovery,
        ))
    }

    /// The walls round workers on this machine, or, where all are required, the one that is missing.
    pub fn walls(&self, tenant: &TenantId) -> Result<Walls, Fault> {
        self.pool.walls(tenant)
    }
}

/// Warm workers that a tenant keeps, a slot: each serves one component, and the next step is mostly another's.
const IDLE_A_SLOT: usize = 2;

fn pool(options: &Options, store: &Arc<store::Store>, accounts: &Arc<accounts::Accounts>) -> worker::Pool {
    let (asked, entries, used) = (options.clone(), Arc::clone(store), Arc::clone(accounts));
    let authority = move |tenant: &TenantId| authority::of(&asked, &entries, &used, tenant);
    let idle_max = options.slots.saturating_mul(IDLE_A_SLOT);
    worker::Pool::new(folder::layout(options), authority, Arc::clone(store) as _, idle_max)
}

/// A lock that a panicking thread left is still a lock: what it guards are maps of handles.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

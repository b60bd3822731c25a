//! A data folder -> one running installation: plugins, runs, endpoints.
//!
//! [`Server`] owns the folder, alone: it holds its lock, its store, its workers, its live runs and its loaded models. `api`
//! maps requests to it and nothing else does. Whatever is a tenant's takes the tenant as its first argument.
//!
//! ```text
//!  project folder --project::plan--> Plan --runs::start--> run::Dispatcher --> worker::Pool
//!  model alias ----endpoints::current--> worker::ServingWorker --> predictions
//! ```

mod authority;
mod catalog;
mod changes;
mod endpoints;
mod folder;
mod follow;
mod inspect;
mod pins;
mod plugins;
mod private;
mod project;
mod reads;
mod report;
mod runs;
mod trial;

pub use changes::{Change, Changes};
pub use endpoints::{EndpointInfo, Readiness, Served};
pub use folder::{Folder, LockedBy};
pub use follow::Follow;
pub use inspect::Inspected;
pub use manifest::Fixture;
pub use pins::Repin;
pub use plugins::{Added, Listed, Offered, remove_plugin};
pub use project::{CheckedPipeline, CheckedStep};
pub use reads::{ModelList, RunDetail, RunLine, StepDetail, TableRows};
pub use trial::Tried;
pub use worker::{Wall, WallPolicy, WallState, Walls};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use types::{EndpointName, Fault, Problem, RunId, TenantId};

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
    /// Attempts at once.
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
    /// There is no such run, model or endpoint.
    #[error("{0}")]
    NotFound(String),
    /// It exists, but not in a state for this.
    #[error("{0}")]
    Conflict(String),
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
    dispatcher: run::Dispatcher,
    live: Mutex<BTreeMap<(TenantId, RunId), Arc<follow::LiveRun>>>,
    endpoints: Mutex<BTreeMap<(TenantId, EndpointName), Arc<endpoints::Endpoint>>>,
}

impl Server {
    /// Opens an installation that [`Folder::lock`] gave. The recovery says what a crash left and what was done about it.
    pub fn open(folder: Folder, options: Options) -> Result<(Arc<Self>, store::Recovery), Error> {
        private::ensure(&options.cache, "cache folder", "remove it, or name another parent in XDG_CACHE_HOME")?;
        let (store, recovery) = store::Store::open(&options.data).map_err(Fault::host)?;
        let store = Arc::new(store);
        let layout = folder::layout(&options);
        let asked = options.clone();
        let authority = move |tenant: &TenantId| authority::of(&asked, tenant);
        let pool = Arc::new(worker::Pool::new(layout, authority, Arc::clone(&store) as _, options.slots));
        let (journal, blobs, runner) = (Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::clone(&pool) as _);
        let dispatcher = run::Dispatcher::new(journal, blobs, runner, Arc::new(folder::SystemClock), options.slots);
        let (live, endpoints) = (Mutex::default(), Mutex::default());
        let server = Self { options, _folder: folder, store, pool, dispatcher, live, endpoints };
        Ok((Arc::new(server), recovery))
    }

    /// The walls round workers on this machine, or, where all are required, the one that is missing.
    pub fn walls(&self, tenant: &TenantId) -> Result<Walls, Fault> {
        self.pool.walls(tenant)
    }
}

/// A lock that a panicking thread left is still a lock: what it guards are maps of handles.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

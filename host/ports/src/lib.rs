//! The traits where two crates meet, and the plain data that passes between them. No code.
//!
//! ```text
//!  run --StepRunner--> worker --Doors--> (the server's side of an attempt)
//!   |                    |
//!   +--Journal, Blobs----+--> store            run, serve --Clock--> the time
//! ```
//! A tenant is a required argument wherever something of a tenant's is touched.

mod call;

pub use call::{
    Answer, Ask, Assignment, Call, Delivery, Examination, Outcome, Page, ServedModel, Task, Times, Told, Turn, Watched,
};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use types::{Digest, Fault, Receipt, Record, RunId, SavedFile, StepCommit, TableRef, TenantId};

/// Carries out one attempt in a worker of the tenant. Blocks until it ends; a deadline or a cancellation ends it.
pub trait StepRunner: Send + Sync {
    /// The answer and what it cost. Whatever the guest does, this returns soon after the call's wall limit, and what the server itself
    /// takes meanwhile to write down what it says.
    fn run(&self, tenant: &TenantId, call: &Call, watch: &dyn Watch) -> Outcome;

    /// Does what the host does itself for a step, on this thread, once it is an attempt's turn. Says what that took of the tenant's, or
    /// why it was not done.
    fn host_work(
        &self,
        tenant: &TenantId,
        turn: &Turn,
        watch: &dyn Watch,
        work: Box<dyn FnOnce() + '_>,
    ) -> Result<Receipt, Fault>;
}

/// Hears what an attempt says while it runs, and is asked whether to go on.
pub trait Watch: Send + Sync {
    /// A line of log, a point of a series, progress.
    fn hear(&self, event: Watched);
    /// Whether somebody cancelled the run.
    fn cancelled(&self) -> bool;
    /// Commits a collector's page with its cursor, as one record; the next page is asked for when it returns.
    fn page(&self, page: Page) -> Result<(), Fault>;
    /// Makes state durable that a later attempt of the same step may resume from.
    fn checkpoint(&self, state: Vec<u8>) -> Result<(), Fault>;
}

/// Hears once what came of a batch of records.
pub type Then = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// The truth: what is appended has happened. Returns once the records are on disk.
pub trait Journal: Send + Sync {
    /// Appends the records in order, all or none, and applies them to the store. Records that are too large to be written at
    /// once are a fault of kind `Guest`, for only what a guest gave can be; any other fault is ours.
    fn append(&self, tenant: &TenantId, records: &[Record]) -> Result<(), Fault>;
    /// The same without waiting for the disk: `then` hears what `append` would give, on whatever thread finds out, this one included.
    /// Others' batches wait for it, so it must not block.
    fn append_then(&self, tenant: &TenantId, records: &[Record], then: Then);
    /// The most that a record may take, as [`types::recorded_bytes`] counts it.
    fn record_bytes_max(&self) -> u64;
    /// The next run's number; never given twice.
    fn next_run(&self, tenant: &TenantId) -> Result<RunId, Fault>;
    /// The records of a run, in order; empty if there is none of this number.
    fn run_records(&self, tenant: &TenantId, run: RunId) -> Result<Vec<Record>, Fault>;
    /// What a step committed under this key, and in which run.
    fn cached(&self, tenant: &TenantId, key: Digest) -> Result<Option<(RunId, StepCommit)>, Fault>;
    /// The pages committed so far from a collector's source, and the cursor behind them.
    fn source(&self, tenant: &TenantId, source: Digest) -> Result<Option<SourceState>, Fault>;
    /// The number that the model's next version will have.
    fn next_version(&self, tenant: &TenantId, model: &types::ModelName) -> Result<u32, Fault>;
    /// The version under an alias.
    fn alias(&self, tenant: &TenantId, model: &types::ModelName, alias: &str) -> Result<Option<u32>, Fault>;
    /// A version of a model.
    fn version(
        &self,
        tenant: &TenantId,
        model: &types::ModelName,
        version: u32,
    ) -> Result<Option<types::ModelVersion>, Fault>;
}

/// How far a collector is with a source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceState {
    pub pages: Vec<TableRef>,
    /// Hexadecimal; none before the first page.
    pub cursor: Option<String>,
}

/// Immutable bytes by digest, walled by tenant.
pub trait Blobs: Send + Sync {
    /// Durable when it returns.
    fn put(&self, tenant: &TenantId, bytes: &[u8]) -> Result<Digest, Fault>;
    /// Takes over a file that a worker left, if its bytes have this digest; durable when it returns. Whatever else stands
    /// there is a fault of kind `Guest`: the worker may be its guest's.
    fn adopt(&self, tenant: &TenantId, file: &Path, digest: Digest) -> Result<(), Fault>;
    /// The bytes; verified against the digest.
    fn get(&self, tenant: &TenantId, digest: Digest) -> Result<Vec<u8>, Fault>;
    /// Where the bytes lie, for mapping; an error if they do not.
    fn path(&self, tenant: &TenantId, digest: Digest) -> Result<PathBuf, Fault>;
}

/// The time. Only the composition reads a real clock.
pub trait Clock: Send + Sync {
    /// Microseconds since 1970-01-01 UTC.
    fn now_us(&self) -> i64;
}

/// What an attempt may ask of the world while it runs; the server stands behind it. Called by `sandbox`, inside the worker.
pub trait Doors: Send {
    /// Charges memory that the guest wants to the worker's limit; `false` beyond it. Released when the doors are dropped.
    fn grow(&mut self, bytes: u64) -> bool;
    /// Something to hear for whoever watches. Never fails: what cannot be delivered is counted and dropped.
    fn say(&mut self, event: Watched);
    /// Opens a file beneath a granted root. `Denied` names the manifest line that would grant it.
    fn open(&mut self, path: &str) -> Result<std::fs::File, Fault>;
    /// Asks the world; a file comes with [`Told::Created`], bytes with a response. `Denied` as above.
    fn ask(&mut self, ask: Ask, body: &[u8]) -> Result<(Told, Vec<u8>, Option<std::fs::File>), Fault>;
    /// Hands over a collector's page; returns when it is committed.
    fn page(&mut self, page: Page) -> Result<(), Fault>;
    /// Saves resumable state.
    fn checkpoint(&mut self, state: Vec<u8>) -> Result<(), Fault>;
    /// Where a stored blob of the tenant lies.
    fn blob(&self, digest: &Digest) -> PathBuf;
    /// The folder where files of native code may lie while an attempt lasts, if there is one. They count as its disk.
    fn scratch(&self) -> Option<PathBuf>;
    /// Leaves bytes for the server to adopt, and says their digest.
    fn leave(&mut self, bytes: &[u8]) -> Result<SavedFile, Fault>;
}

/// Named tables of a step.
pub type Tables = BTreeMap<types::PortName, TableRef>;

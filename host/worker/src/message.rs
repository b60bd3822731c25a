//! What passes over a worker's socket. Each is a frame's JSON header; bulk bytes are its body. No enum in them has its tag inside: serde
//! would read such a one twice.

use crate::walls::Walls;
use ports::{Answer, Ask, Assignment, Page, ServedModel, Told, Watched};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use types::{Device, Fault, FaultKind};

/// Server to worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToWorker {
    /// First: where the worker may read and write.
    Setup {
        blobs: PathBuf,
        compiled: PathBuf,
        scratch: PathBuf,
        device: Device,
    },
    Assign {
        assignment: Box<Assignment>,
    },
    /// To an `Open`; the descriptor comes with it when there is no fault.
    Opened {
        fault: Option<Fault>,
    },
    /// To an `Ask`. Body: the response's; a descriptor comes with a file that was begun.
    Told {
        result: Result<Told, Fault>,
    },
    /// To a `Page` or `Checkpoint`.
    Done {
        fault: Option<Fault>,
    },
    /// Become a serving worker of this model.
    Load {
        model: Box<ServedModel>,
    },
    /// Body: rows under the columns of the model's requests.
    Infer,
}

/// Worker to server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromWorker {
    /// Set up, behind these walls; memory is measured from here.
    Ready {
        walls: Walls,
    },
    /// In place of `Ready`: what it is to compute on cannot be had.
    Unfit {
        fault: Fault,
    },
    Say {
        event: Watched,
    },
    Open {
        path: String,
    },
    /// Body: the request's.
    Ask {
        ask: Ask,
    },
    /// Body: small files of the page's ([`crate::carried`]).
    Page {
        page: Page,
    },
    /// Body: the state.
    Checkpoint,
    /// Body: small files of the answer's.
    Answer {
        result: Result<Box<Answer>, Fault>,
        usage: Usage,
    },
    Loaded {
        fault: Option<Fault>,
    },
    /// A component of the model has no native code yet.
    Uncompiled {
        component: types::Digest,
    },
    /// Body: predictions, if there is no fault.
    Inferred {
        fault: Option<Fault>,
        /// What the steps before the predictor took, and what it took itself.
        transform_us: u64,
        predict_us: u64,
    },
}

/// A fault that a worker tells, as the server believes it. Whether the host failed, somebody cancelled or a process died is for
/// the server to know: a worker that was taken over would say so to be forgiven, or to have the whole run given up.
pub(crate) fn believed(fault: Fault) -> Fault {
    if !is_the_servers_to_say(&fault.kind) {
        return fault;
    }
    let hint = "the worker's own word; if the plugin did nothing wrong, this is a bug of the host";
    Fault { kind: FaultKind::Guest, message: fault.message, hint: Some(fault.hint.unwrap_or_else(|| hint.to_owned())) }
}

/// Whether the fault's kind is one that no worker may choose.
pub(crate) fn is_the_servers_to_say(kind: &FaultKind) -> bool {
    use FaultKind::{Busy, Cancelled, Crash, Host, Quota};
    matches!(kind, Host | Cancelled | Crash | Quota { .. } | Busy { .. })
}

/// The part of a receipt that only the worker knows.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// The most that guest and native code had in use together.
    pub(crate) memory_bytes: u64,
    pub(crate) guest_memory_bytes: u64,
    pub(crate) device_memory_bytes: u64,
    pub(crate) handles: u64,
    pub(crate) host_calls: u64,
    pub(crate) rows_in: u64,
    pub(crate) rows_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) log_lines: u64,
    pub(crate) log_bytes: u64,
    pub(crate) log_lines_dropped: u64,
    pub(crate) sayings_dropped: u64,
    pub(crate) read_time: bool,
}

impl From<sandbox::Usage> for Usage {
    fn from(used: sandbox::Usage) -> Self {
        Self {
            memory_bytes: 0,
            guest_memory_bytes: used.guest_memory_bytes,
            device_memory_bytes: used.device_memory_bytes,
            handles: used.handles,
            host_calls: used.host_calls,
            rows_in: used.rows_in,
            rows_out: used.rows_out,
            bytes_out: used.bytes_out,
            disk_bytes: used.disk_bytes.max(used.disk_peak_bytes),
            log_lines: used.log_lines,
            log_bytes: used.log_bytes,
            log_lines_dropped: used.log_lines_dropped,
            sayings_dropped: used.sayings_dropped,
            read_time: used.read_time,
        }
    }
}

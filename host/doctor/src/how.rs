//! An attempt -> the calls that make it: which component, what task, under which limits and grants.

use crate::ground::Ground;
use ports::{Assignment, Call, Delivery, Tables, Task};
use serde_json::{Value, json};
use types::{Device, Digest, Fault, FileGrant, Grants, HttpGrant, HttpPattern, Id, Limits, PortName, SavedFile};

pub(crate) const LOG_LINES: u64 = 100;
/// For what never ends.
const SHORT_MS: u64 = 500;
/// For what ends by itself or at another limit: long enough that a busy machine does not make it one that never ends.
const PATIENT_MS: u64 = 20_000;
/// For what has to be compiled.
const COMPILE_MS: u64 = 1_000;

/// How an attempt is made.
#[derive(Debug)]
pub(crate) enum How {
    /// `abuse` applied to rows, in this mode.
    Mode(&'static str),
    /// The same, with little time.
    Endless(&'static str),
    /// The same, with memory for much.
    Roomy(&'static str),
    /// `abuse` opens each of these.
    Reading(&'static [&'static str]),
    /// `abuse` asks for a path at an address that the pipeline grants.
    Fetching(&'static str),
    /// `abuse` asks for a path at a name that the pipeline grants, as any other public one.
    Rebinding(&'static str),
    /// `abuse-roles` panics in each of these exports.
    Panicking(&'static [&'static str]),
    /// `abuse-roles` measures.
    Evaluating,
    /// What is made of the bytes of `abuse` is compiled.
    Compiling(fn(&[u8]) -> Vec<Vec<u8>>),
    /// `abuse-roles` loads a model that another tenant has.
    Neighbour,
}

/// Every export of every role.
pub(crate) const EXPORTS: [&str; 14] = [
    "describe", "discover", "read", "run", "fit", "save", "restore", "apply", "check", "train", "load", "predict",
    "evaluate", "deliver",
];

impl How {
    /// The calls of the attempt; each is to end as the attempt is expected to.
    pub(crate) fn calls(&self, ground: &Ground) -> Result<Vec<Call>, Fault> {
        let abuse = |parameters: Value| call(ground, ground.abuse, parameters, apply(ground)?);
        Ok(match self {
            Self::Mode(mode) => vec![abuse(json!({ "mode": mode }))?],
            Self::Endless(mode) => vec![within(abuse(json!({ "mode": mode }))?, |limits| limits.wall_ms = SHORT_MS)],
            Self::Roomy(mode) => vec![within(abuse(json!({ "mode": mode }))?, |limits| {
                (limits.guest_memory_bytes, limits.memory_bytes) = (1 << 30, 1 << 30);
            })],
            Self::Reading(paths) => paths
                .iter()
                .map(|path| abuse(json!({ "mode": "read_outside", "paths": [path] })))
                .collect::<Result<_, _>>()?,
            Self::Fetching(path) => vec![abuse(json!({ "mode": "fetch", "paths": [ground.lure.address(path)] }))?],
            Self::Rebinding(path) => vec![abuse(json!({ "mode": "fetch", "paths": [ground.lure.name(path)] }))?],
            Self::Panicking(exports) => {
                exports.iter().map(|export| roles(ground, export, Vec::new())).collect::<Result<_, _>>()?
            }
            Self::Evaluating => {
                let mut call = roles(ground, "evaluate", Vec::new())?;
                call.assignment.parameters = json!({});
                vec![call]
            }
            Self::Compiling(make) => make(&ground.component)
                .iter()
                .map(|bytes| {
                    let call = call(ground, ground.keep(bytes)?, json!({}), Task::Compile)?;
                    Ok(within(call, |limits| (limits.wall_ms, limits.memory_bytes) = (compile_ms(bytes), 4 << 30)))
                })
                .collect::<Result<_, Fault>>()?,
            Self::Neighbour => {
                let (name, digest) = ("model".to_owned(), ground.neighbours);
                let mut call = roles(ground, "predict", vec![SavedFile { name, digest, bytes: 1 }])?;
                call.assignment.parameters = json!({});
                vec![call]
            }
        })
    }
}

/// Little time only for what is too large to be compiled in it: a machine that is busy is no wall.
fn compile_ms(bytes: &[u8]) -> u64 {
    if bytes.len() > 10 << 20 { COMPILE_MS } else { PATIENT_MS }
}

fn within(mut call: Call, change: impl FnOnce(&mut Limits)) -> Call {
    change(&mut call.assignment.limits);
    call
}

/// A call under little limits.
fn call(ground: &Ground, component: Digest, parameters: Value, task: Task) -> Result<Call, Fault> {
    let (seed, logical_time_us, checkpoint, limits) = (0, 0, None, Limits::default());
    let assignment =
        Assignment { component, parameters, seed, logical_time_us, limits, device: Device::Cpu, checkpoint, task };
    let (who, base) = ("the plugin".to_owned(), ground.project.clone());
    let call = Call { who, assignment, grants: grants(ground)?, base, turn: Default::default() };
    Ok(within(call, |limits| {
        (limits.guest_memory_bytes, limits.memory_bytes, limits.output_bytes) = (64 << 20, 192 << 20, 4 << 20);
        (limits.wall_ms, limits.handles, limits.log_lines) = (PATIENT_MS, 100, LOG_LINES);
    }))
}

/// One folder, one address of this machine, and every public host.
fn grants(ground: &Ground) -> Result<Grants, Fault> {
    let http = |allow: &str| {
        let allow = HttpPattern::parse(allow).map_err(Fault::host)?;
        Ok::<_, Fault>(HttpGrant { allow, secrets: Vec::new(), private: false })
    };
    let files = vec![FileGrant { path: "data".to_owned(), write: false }];
    let address = format!("GET {}", ground.lure.address("/"));
    Ok(Grants { files, http: vec![http(&address)?, http("GET http://*/")?], ..Grants::default() })
}

fn port(name: &str) -> Result<PortName, Fault> {
    PortName::parse(name).map_err(Fault::host)
}

fn apply(ground: &Ground) -> Result<Task, Fault> {
    let inputs = Tables::from([(port("rows")?, ground.rows.clone())]);
    let columns: Vec<String> = ground.rows.schema.fields.iter().map(|field| field.name.clone()).collect();
    Ok(Task::Fit { fit: None, inputs, reads: columns.clone(), gives: columns })
}

/// A call of `abuse-roles` that enters this export, in which it then panics.
fn roles(ground: &Ground, export: &str, model: Vec<SavedFile>) -> Result<Call, Fault> {
    let rows = || ground.rows.clone();
    let task = match export {
        "describe" => Task::Describe { inputs: Vec::new() },
        "discover" => Task::Discover,
        "read" => Task::Collect { cursor: None },
        "run" => Task::Transform { inputs: Tables::new() },
        "fit" | "save" => {
            let (reads, gives) = (vec!["x".to_owned()], Vec::new());
            Task::Fit { fit: Some(rows()), inputs: Tables::new(), reads, gives }
        }
        "check" => Task::Check { rows: rows(), reference: None },
        "train" => {
            let (validation, label, weight, initial) = Default::default();
            Task::Train { train: rows(), validation, features: Vec::new(), label, weight, initial }
        }
        "load" | "predict" => Task::Predict { rows: rows(), model, reads: vec!["x".to_owned()] },
        "evaluate" => Task::Evaluate { candidate: rows(), baseline: None, slices: Vec::new() },
        "deliver" => Task::Deliver { key: "doctor".to_owned(), delivery: Delivery::Table { table: rows() } },
        _ => apply(ground)?,
    };
    call(ground, ground.roles, json!({ "at": export }), task)
}

//! A plan and runs of it, for tests: two collectors, of which one feeds a transformer, a trainer and a sink.

use plan::{Plan, PlannedPlugin, PlannedStep, Work};
use run::RunView;
use serde_json::json;
use std::collections::BTreeMap;
use types::{
    Artifact, Attempt, Cause, Digest, Limits, Measure, OutputRef, Receipt, Record, RunHead, RunId, StepCommit, TableRef,
};

pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

pub(crate) fn of(step: &str, port: &str) -> OutputRef {
    OutputRef { step: name(step), port: name(port) }
}

pub(crate) fn plugin(text: &str) -> PlannedPlugin {
    let (component, parameters) = (Digest::of(text.as_bytes()), json!({ "depth": 3 }));
    PlannedPlugin { name: name(text), component, parameters, imports: Vec::new() }
}

pub(crate) fn step(text: &str, work: Work) -> PlannedStep {
    PlannedStep {
        name: name(text),
        work,
        seed: 7,
        limits: Limits::DEFAULT,
        device: Default::default(),
        device_asked: None,
        grants: Default::default(),
        outputs: BTreeMap::new(),
        when: Vec::new(),
        retry: Default::default(),
        pool: None,
        cache: true,
        each: None,
        given: BTreeMap::new(),
    }
}

pub(crate) fn plan() -> Plan {
    let train = Work::Train {
        plugin: plugin("trees"),
        train: of("clean", "table"),
        validation: None,
        initial: None,
        features: vec!["a".to_owned()],
        label: Some("b".to_owned()),
        weight: None,
    };
    let clean = Work::Transform { plugin: plugin("sql"), inputs: [(name("rows"), of("rows", "table"))].into() };
    let sent = Work::Deliver { plugin: plugin("warehouse"), what: of("model", "model"), trainer: None };
    let steps = vec![
        step("rows", Work::Collect { plugin: plugin("csv") }),
        step("other", Work::Collect { plugin: plugin("csv") }),
        step("clean", clean),
        step("model", train),
        step("sent", sent),
    ];
    Plan { project: name("shop"), pipeline: name("train"), steps, timeout_ms: None, priority: 0 }
}

pub(crate) fn head(run: RunId) -> RunHead {
    RunHead {
        run,
        project: name("shop"),
        pipeline: name("train"),
        plan: Digest::of(b"plan"),
        cause: Cause::Manual,
        logical_time_us: 5,
        started_us: 10,
        deployment: None,
        overrides: Default::default(),
        by: None,
    }
}

/// The run after these records.
pub(crate) fn view(run: RunId, records: Vec<Record>) -> RunView {
    RunView::of([Record::RunStarted(head(run))].iter().chain(&records))
}

pub(crate) fn committed(run: RunId, step: &str) -> Record {
    gave(run, step, "table", table(step))
}

/// A step that gave one thing.
pub(crate) fn gave(run: RunId, step: &str, port: &str, artifact: Artifact) -> Record {
    let (outputs, receipt) = ([(name(port), artifact)].into(), Receipt::default());
    let key = Some(Digest::of(step.as_bytes()));
    let commit = StepCommit { step: name(step), attempt: Attempt(1), outputs, receipt, key, taken: None };
    Record::StepCommitted { run, commit, at_us: 20 }
}

pub(crate) fn table(content: &str) -> Artifact {
    let digest = Digest::of(content.as_bytes());
    Artifact::Table(TableRef { digest, schema: Default::default(), rows: 3, parts: vec![digest], bytes: 9 })
}

pub(crate) fn measures(value: f64) -> Artifact {
    let measure = Measure {
        name: "auc".to_owned(),
        slice: None,
        value,
        interval: None,
        baseline_value: None,
        difference_interval: None,
    };
    Artifact::Measures { measures: vec![measure] }
}

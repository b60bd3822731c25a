//! Plans to run, and what their steps answer when all goes well.

use crate::fakes::FakeBlobs;
use data::{GuestColumn, Table};
use plan::{Plan, PlannedPlugin, PlannedStep, ServedPath, Work};
use ports::{Answer, Blobs, Call, Task};
use run::{RunView, Status};
use std::collections::BTreeMap;
use types::{
    Artifact, Bound, DataType, Digest, Fault, Field, Finding, Id, Leniency, Limits, Measure, ModelName, OutputRef,
    PipelineName, PluginName, PortName, ProjectName, Requirement, RunState, SavedFile, Schema, Severity, Signature,
    StepName, TableRef, TenantId,
};

pub(crate) fn name(text: &str) -> StepName {
    StepName::parse(text).unwrap()
}

pub(crate) fn port(text: &str) -> PortName {
    PortName::parse(text).unwrap()
}

/// `split.train`
pub(crate) fn output(text: &str) -> OutputRef {
    let (step, of) = text.split_once('.').unwrap();
    OutputRef { step: name(step), port: port(of) }
}

pub(crate) fn plugin(text: &str) -> PlannedPlugin {
    let parameters = serde_json::json!({ "of": text });
    let component = Digest::of(text.as_bytes());
    PlannedPlugin { name: PluginName::parse(text).unwrap(), component, parameters, imports: Vec::new() }
}

pub(crate) fn columns() -> Vec<Field> {
    vec![Field { name: "x".to_owned(), data_type: DataType::Int64, nullable: false }]
}

/// What every planned step is granted.
pub(crate) fn grants() -> types::Grants {
    let files = vec![types::FileGrant { path: "data".to_owned(), write: false }];
    types::Grants { files, ..types::Grants::default() }
}

/// A step; ports named with `:x` have the column `x`.
pub(crate) fn step(text: &str, work: Work, outputs: &[&str]) -> PlannedStep {
    let outputs = outputs.iter().map(|output| match output.strip_suffix(":x") {
        Some(table) => (port(table), columns()),
        None => (port(output), Vec::new()),
    });
    let (limits, outputs) = (Limits::default(), outputs.collect());
    PlannedStep {
        name: name(text),
        work,
        seed: 7,
        limits,
        device: types::Device::Cpu,
        device_asked: None,
        grants: grants(),
        outputs,
        when: Vec::new(),
        retry: types::Retry::default(),
        pool: None,
        cache: true,
        each: None,
        given: BTreeMap::new(),
    }
}

pub(crate) fn plan(steps: Vec<PlannedStep>) -> Plan {
    let (project, pipeline) = (ProjectName::parse("demo").unwrap(), PipelineName::parse("fit").unwrap());
    Plan { project, pipeline, steps, timeout_ms: None, priority: 0 }
}

pub(crate) fn inputs(of: &[(&str, &str)]) -> BTreeMap<PortName, OutputRef> {
    of.iter().map(|(to, from)| (port(to), output(from))).collect()
}

pub(crate) fn collect() -> PlannedStep {
    step("rows", Work::Collect { plugin: plugin("csv") }, &["table:x"])
}

fn gate(least: f64) -> Work {
    let require = vec![Requirement::new("auc", Bound::AtLeast(least))];
    gate_on(require, None)
}

pub(crate) fn gate_on(require: Vec<Requirement>, baseline: Option<plan::Baseline>) -> Work {
    Work::Gate { measures: output("evaluate.measures"), require, baseline, leniency: Leniency::default() }
}

/// Every kind of work there is; the model measures an `auc` of 0.9.
pub(crate) fn whole(auc_at_least: f64) -> Plan {
    let served = ServedPath { steps: vec![name("scale")], trainer: Some(name("train")), request: columns() };
    let train = Work::Train {
        plugin: plugin("net"),
        train: output("scale.train"),
        validation: Some(output("scale.test")),
        initial: None,
        features: vec!["x".to_owned()],
        label: None,
        weight: None,
    };
    let fit = Work::Fit {
        plugin: plugin("scale"),
        fit: Some(output("split.train")),
        inputs: inputs(&[("train", "split.train"), ("test", "split.test")]),
        reads: vec!["x".to_owned()],
    };
    let register = Work::Register {
        model: output("train.model"),
        verdict: Some(output("gate.verdict")),
        examined: None,
        measures: Some(output("evaluate.measures")),
        name: ModelName::parse("spam").unwrap(),
        alias: Some("champion".to_owned()),
        purpose: Default::default(),
        served,
    };
    let candidate = output("predict.table");
    let evaluate = Work::Evaluate { plugin: plugin("auc"), candidate, baseline: None, slices: Vec::new() };
    let split = Work::Transform { plugin: plugin("split"), inputs: inputs(&[("rows", "check.table")]) };
    let check = Work::Check { plugin: plugin("ranges"), rows: output("rows.table"), reference: None };
    let (rows, model) = (output("scale.test"), output("train.model"));
    plan(vec![
        collect(),
        step("check", check, &["table:x", "findings"]),
        step("split", split, &["train:x", "test:x"]),
        step("scale", fit, &["train:x", "test:x", "state"]),
        step("train", train, &["model"]),
        step("predict", Work::Predict { plugin: plugin("net"), rows, model }, &["table"]),
        step("evaluate", evaluate, &["measures"]),
        step("gate", gate(auc_at_least), &["verdict"]),
        step("register", register, &["version"]),
    ])
}

/// The same plan, granted nothing: what its steps give follows from what they are given.
pub(crate) fn closed(mut plan: Plan) -> Plan {
    plan.steps.iter_mut().for_each(|step| step.grants = types::Grants::default());
    plan
}

/// A stored table of one column `x`.
pub(crate) fn stored(values: &[i64], blobs: &FakeBlobs) -> TableRef {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let length = values.len() as u32;
    let column = GuestColumn { data_type: DataType::Int64, length, validity: None, offsets: None, data };
    let table = Table::from_columns(Schema { fields: columns() }, vec![column]).unwrap();
    let put = |part: data::StoredPart| {
        blobs.put(&TenantId::default_tenant(), &part.bytes).unwrap();
        Ok(())
    };
    data::write(&table, put).unwrap()
}

/// A table that is only a name: three rows of a column `x`, in no parts.
pub(crate) fn named(of: &impl serde::Serialize) -> TableRef {
    TableRef { digest: Digest::of_json(of), schema: Schema { fields: columns() }, rows: 3, parts: Vec::new(), bytes: 0 }
}

pub(crate) fn outputs<const N: usize>(of: [(&str, Artifact); N]) -> Answer {
    Answer::Outputs { outputs: of.into_iter().map(|(to, artifact)| (port(to), artifact)).collect() }
}

pub(crate) fn measures(auc: f64) -> Artifact {
    let (name, slice, value) = ("auc".to_owned(), None, auc);
    let measure = Measure { name, slice, value, interval: None, baseline_value: None, difference_interval: None };
    Artifact::Measures { measures: vec![measure] }
}

pub(crate) fn finding(column: &str, severity: Severity, passed: bool, sample: &[u64]) -> Finding {
    Finding {
        check: "range".to_owned(),
        column: Some(column.to_owned()),
        severity,
        passed,
        observed: "2 values outside".to_owned(),
        expected: "0 to 9".to_owned(),
        sample: sample.to_vec(),
        sample_values: Vec::new(),
    }
}

fn saved(bytes: &[u8], blobs: &FakeBlobs) -> Vec<SavedFile> {
    let digest = blobs.put(&TenantId::default_tenant(), bytes).unwrap();
    vec![SavedFile { name: "weights".to_owned(), digest, bytes: bytes.len() as u64 }]
}

/// What a well-behaved plugin answers: everything follows from what it was given. Pages are up to its script.
pub(crate) fn natural(call: &Call, blobs: &FakeBlobs) -> Result<Answer, Fault> {
    let table = |of: &TableRef| Artifact::Table(of.clone());
    Ok(match &call.assignment.task {
        Task::Transform { inputs } => {
            let rows = &inputs[&port("rows")];
            outputs([("train", table(rows)), ("test", table(rows))])
        }
        Task::Fit { inputs, .. } => {
            let mut made: BTreeMap<_, _> = inputs.iter().map(|(to, from)| (to.clone(), table(from))).collect();
            made.insert(port("state"), Artifact::State { files: saved(b"mean", blobs) });
            Answer::Outputs { outputs: made }
        }
        Task::Check { .. } => outputs([("findings", Artifact::Findings { findings: Vec::new() })]),
        Task::Train { .. } => {
            let (files, signature) = (saved(b"weights", blobs), Signature::default());
            outputs([("model", Artifact::Model { files, signature, measures: Vec::new() })])
        }
        Task::Predict { rows, .. } => outputs([("table", table(rows))]),
        Task::Evaluate { .. } => outputs([("measures", measures(0.9))]),
        other => return Err(Fault::host(format!("nothing to answer to {other:?}"))),
    })
}

/// A run's end without times, receipts and attempts: what must not depend on how it got there.
pub(crate) fn essence(view: &RunView) -> (RunState, BTreeMap<String, String>) {
    let steps = view.steps.iter().map(|(step, view)| {
        let status = match &view.status {
            Status::Committed { commit } => {
                let outputs = commit.outputs.iter().map(|(to, artifact)| format!(" {to}={}", artifact.digest()));
                format!("committed{}", outputs.collect::<String>())
            }
            Status::Failed { fault } => format!("failed: {fault}"),
            Status::Skipped { because } => format!("skipped: {because}"),
            other => format!("{other:?}"),
        };
        (step.to_string(), status)
    });
    (view.state(), steps.collect())
}

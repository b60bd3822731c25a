//! Records to write: a fixed few, and any sequence of them.

use proptest::prelude::*;
use types::{
    AliasMove, Artifact, Attempt, Cause, Digest, Fault, FaultKind, Measure, ModelVersion, Receipt, Record, RunHead,
    RunId, RunState, Schema, ServedStep, Signature, StepCommit, TableRef,
};

pub(super) fn digest(seed: u64) -> Digest {
    Digest::of(&seed.to_le_bytes())
}

pub(super) fn started(run: u64) -> Record {
    Record::RunStarted(RunHead {
        run: RunId(run),
        project: name("tumour"),
        pipeline: name("train"),
        plan: digest(run),
        cause: Cause::Manual,
        logical_time_us: 1,
        started_us: 2,
        deployment: None,
        overrides: Default::default(),
        by: None,
    })
}

pub(super) fn attempt(run: u64, at_us: i64) -> Record {
    Record::AttemptStarted { run: RunId(run), step: name("fit"), attempt: Attempt(1), at_us }
}

pub(super) fn finished(run: u64, state: RunState) -> Record {
    Record::RunFinished { run: RunId(run), state, at_us: 9, because: None }
}

pub(super) fn page(run: u64, source: u64, rows: u64, restarted: bool) -> Record {
    Record::PageCommitted {
        run: RunId(run),
        step: name("read"),
        source: digest(source),
        table: table(rows),
        cursor: format!("{rows:04x}"),
        more: true,
        restarted,
    }
}

pub(super) fn table(rows: u64) -> TableRef {
    TableRef { digest: digest(rows), schema: Schema::default(), rows, parts: vec![digest(rows + 1)], bytes: 8 * rows }
}

fn commit(value: f64) -> StepCommit {
    let measure = Measure {
        name: "auc".into(),
        slice: None,
        value,
        interval: None,
        baseline_value: None,
        difference_interval: None,
    };
    StepCommit {
        step: name("fit"),
        attempt: Attempt(1),
        outputs: [(name("model"), Artifact::Measures { measures: vec![measure] })].into(),
        receipt: Receipt::default(),
        key: None,
        taken: None,
    }
}

pub(super) fn committed(run: u64, value: f64) -> Record {
    Record::StepCommitted { run: RunId(run), commit: commit(value), at_us: 5 }
}

pub(super) fn moved(model: &str, alias: &str, to: impl Into<Option<u32>>) -> AliasMove {
    AliasMove {
        model: name(model),
        alias: alias.into(),
        from: None,
        to: to.into(),
        why: "a test".into(),
        moved_us: 4,
        by: None,
        rollback: false,
    }
}

pub(super) fn registered(run: u64, model: &str, version: u32, alias: Option<&str>) -> Record {
    let predictor = ServedStep {
        step: name("fit"),
        plugin: name("trees"),
        component: digest(7),
        parameters: serde_json::json!({"depth": 3, "rate": 0.1}),
        seed: u64::MAX,
        state: Vec::new(),
        reads: Vec::new(),
    };
    let version = ModelVersion {
        model: name(model),
        version,
        digest: digest(version.into()),
        predictor,
        path: Vec::new(),
        request: Vec::new(),
        signature: Signature::default(),
        measures: Vec::new(),
        verdict: None,
        examined: None,
        project: name("tumour"),
        pipeline: name("train"),
        run: RunId(run),
        data: Vec::new(),
        registered_us: 3,
        purpose: Default::default(),
        imported: None,
    };
    let alias = alias.map(|alias| moved(model, alias, version.version));
    Record::VersionRegistered { version: Box::new(version), alias, step: name("register"), commit: commit(0.5) }
}

pub(super) fn imported(model: &str, version: u32) -> Record {
    let Record::VersionRegistered { version, .. } = registered(9, model, version, None) else { unreachable!() };
    Record::VersionImported { version }
}

pub(super) fn tagged(model: &str, version: u32, key: &str, value: Option<&str>) -> Record {
    let (model, value) = (name(model), value.map(str::to_owned));
    Record::VersionTagged { model, version, key: key.into(), value, by: None, at_us: 5 }
}

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

/// Batches that every part of the index hears of.
pub(super) fn story() -> Vec<Vec<Record>> {
    vec![
        vec![started(1), page(1, 1, 10, false), page(1, 1, 20, false)],
        vec![attempt(1, 3), committed(1, 0.1 + 0.2)],
        vec![registered(1, "benign", 1, Some("champion")), finished(1, RunState::Succeeded)],
        vec![started(2), page(2, 1, 30, true), attempt(2, 4)],
        vec![registered(2, "benign", 2, None), Record::AliasMoved(moved("benign", "champion", 2))],
        vec![Record::AliasMoved(moved("benign", "trial", 2)), Record::AliasMoved(moved("benign", "trial", None))],
        vec![started(3)],
        vec![attempt(3, 5), attempt(3, 6), attempt(3, 7)],
        vec![imported("benign", 3), tagged("benign", 3, "stage", Some("trial"))],
    ]
}

/// Any record, over few enough names that they meet.
pub(super) fn any_record() -> impl Strategy<Value = Record> {
    let run = 0..6u64;
    let model = prop_oneof![Just("benign"), Just("ben"), Just("benign-2")];
    let alias = prop_oneof![Just("champion"), Just("\0odd"), Just("")];
    let state = prop_oneof![Just(RunState::Succeeded), Just(RunState::Failed), Just(RunState::Running)];
    let fault = ".{0,20}".prop_map(|text| Fault::new(FaultKind::Transient { retry_after_ms: 3 }, text));
    prop_oneof![
        3 => run.clone().prop_map(started),
        2 => (run.clone(), any::<i64>()).prop_map(|(run, at_us)| attempt(run, at_us)),
        2 => (run.clone(), state).prop_map(|(run, state)| finished(run, state)),
        4 => (run.clone(), 0..3u64, 0..99u64, prop::bool::weighted(0.2)).prop_map(|(r, s, n, again)| page(r, s, n, again)),
        1 => (run.clone(), any::<f64>().prop_filter("JSON has no others", |value| value.is_finite()))
            .prop_map(|(run, value)| committed(run, value)),
        3 => (run.clone(), model.clone(), 1..5u32, prop::option::of(alias.clone()))
            .prop_map(|(run, model, version, alias)| registered(run, model, version, alias)),
        1 => (model.clone(), 1..5u32).prop_map(|(model, version)| imported(model, version)),
        1 => (model.clone(), 1..5u32, alias.clone(), prop::option::of(Just("a value")))
            .prop_map(|(model, version, key, value)| tagged(model, version, key, value)),
        1 => (model, alias, prop::option::of(1..5u32)).prop_map(|(model, alias, to)| Record::AliasMoved(moved(model, alias, to))),
        1 => (run.clone(), fault).prop_map(|(run, fault)| Record::AttemptFailed {
            run: RunId(run), step: name("fit"), attempt: Attempt(2), fault, receipt: Receipt::default(), at_us: 8, retry_at_us: None
        }),
        1 => run.clone().prop_map(|run| Record::CheckpointSaved { run: RunId(run), step: name("fit"), state: digest(run) }),
        1 => run.prop_map(|run| Record::StepSkipped { run: RunId(run), step: name("fit"), because: "\u{0}gate".into() }),
    ]
}

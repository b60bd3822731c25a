//! What a worker may not say, and what a validator's words become.

use crate::fakes::World;
use crate::plans::{collect, finding, inputs, measures, name, outputs, plan, plugin, port, step, stored};
use plan::Work;
use ports::{Answer, Page};
use std::sync::{Arc, OnceLock};
use types::{
    Artifact, DataType, Digest, Fault, FaultKind, Finding, OutputRef, RunState, Severity, Signature, TableRef,
};

/// Rows 0..5 of x = 10..15, and one step after them that answers as told. The step's first fault.
fn fault_of(work: Work, ports: &[&str], answer: impl Fn(&TableRef) -> Answer + Send + Sync + 'static) -> Option<Fault> {
    let (world, state) = run(work, ports, answer);
    let view = world.view(1);
    let fault = view.steps[&name("it")].failures.first().map(|failure| failure.fault.clone());
    assert_eq!(fault.is_some(), state == RunState::Failed);
    fault
}

fn run(work: Work, ports: &[&str], answer: impl Fn(&TableRef) -> Answer + Send + Sync + 'static) -> (World, RunState) {
    let rows: Arc<OnceLock<TableRef>> = Arc::default();
    let theirs = rows.clone();
    let world = World::new(move |step, _, _, watch| {
        let rows = theirs.get().unwrap();
        if step != "rows" {
            return Ok(answer(rows));
        }
        watch.page(Page { table: rows.clone(), cursor: "01".to_owned(), more: false, restarted: false })?;
        Ok(Answer::Collected)
    });
    let _ = rows.set(stored(&[10, 11, 12, 13, 14], &world.blobs));
    let state = world.run(&plan(vec![collect(), step("it", work, ports)]));
    (world, state)
}

fn rows() -> OutputRef {
    crate::plans::output("rows.table")
}

fn check() -> Work {
    Work::Check { plugin: plugin("ranges"), rows: rows(), reference: None }
}

fn transform() -> Work {
    Work::Transform { plugin: plugin("sql"), inputs: inputs(&[("rows", "rows.table")]) }
}

#[test]
fn outputs_are_those_of_the_plan() {
    let evaluate = || Work::Evaluate { plugin: plugin("auc"), candidate: rows(), baseline: None, slices: Vec::new() };
    let fit = || Work::Fit {
        plugin: plugin("scale"),
        fit: None,
        inputs: inputs(&[("rows", "rows.table")]),
        reads: Vec::new(),
    };
    let state = || Artifact::State { files: Vec::new() };
    let renamed = |rows: &TableRef| {
        let mut rows = rows.clone();
        rows.schema.fields[0].data_type = DataType::Text;
        Artifact::Table(rows)
    };
    let shorter = |rows: &TableRef| Artifact::Table(TableRef { rows: 4, ..rows.clone() });
    let nowhere = |rows: &TableRef| Artifact::Table(TableRef { parts: vec![Digest::of(b"none")], ..rows.clone() });
    let sql = "step `it` (plugin `sql`)";
    let scale = "step `it` (plugin `scale`)";
    let cases: Vec<(Option<Fault>, String)> = vec![
        (
            fault_of(transform(), &["out:x"], |rows| outputs([("other", Artifact::Table(rows.clone()))])),
            format!("{sql}: expected the outputs `out`, got `other`"),
        ),
        (
            fault_of(transform(), &["out:x"], move |rows| outputs([("out", renamed(rows))])),
            format!("{sql}: output `out`: expected the columns `x` int64; got `x` text"),
        ),
        (
            fault_of(transform(), &["out:x"], move |_| outputs([("out", state())])),
            format!("{sql}: output `out` is of kind state, expected table"),
        ),
        (
            fault_of(transform(), &["out:x"], move |rows| outputs([("out", nowhere(rows))])),
            format!("{sql}: output `out` is not stored: there is no blob {}", Digest::of(b"none").short()),
        ),
        (
            fault_of(fit(), &["rows:x", "state"], move |rows| outputs([("rows", shorter(rows)), ("state", state())])),
            format!("{scale}: output `rows`: expected 5 rows, got 4"),
        ),
        (
            fault_of(evaluate(), &["measures"], |_| outputs([("measures", measures(f64::NAN))])),
            "step `it` (plugin `auc`): measure `auc` is NaN or has such a bound, expected finite numbers".to_owned(),
        ),
    ];
    for (fault, expected) in cases {
        let fault = fault.unwrap();
        assert_eq!((fault.kind, fault.message), (FaultKind::Guest, expected));
    }
    let answer = |_: &TableRef| Answer::Discovered { columns: Vec::new() };
    assert_eq!(fault_of(transform(), &["out:x"], answer).unwrap().kind, FaultKind::Host);
}

#[test]
fn an_output_of_unknown_columns_may_have_any() {
    let model = |_: &TableRef| {
        outputs([(
            "model",
            Artifact::Model { files: Vec::new(), signature: Signature::default(), measures: Vec::new() },
        )])
    };
    assert_eq!(fault_of(transform(), &["out"], |rows| outputs([("out", Artifact::Table(rows.clone()))])), None);
    assert_eq!(fault_of(transform(), &["model"], model).unwrap().kind, FaultKind::Guest);
}

fn found(findings: Vec<Finding>) -> impl Fn(&TableRef) -> Answer + Send + Sync + 'static {
    move |_| outputs([("findings", Artifact::Findings { findings: findings.clone() })])
}

/// Its words are a stranger's, but what they tell of has happened: they are cut, and the step succeeds.
#[test]
fn a_long_location_is_cut() {
    let work = Work::Deliver { plugin: plugin("warehouse"), what: rows(), trainer: None };
    let location = "é".repeat(5_000);
    let said = move |_: &TableRef| {
        outputs([("delivered", Artifact::Delivered { location: location.clone(), repeated: false })])
    };
    let (world, state) = run(work, &["delivered"], said);
    assert_eq!(state, RunState::Succeeded);
    let given = world.view(1).commit(&name("it")).unwrap().outputs[&port("delivered")].clone();
    assert_eq!(given, Artifact::Delivered { location: "é".repeat(1_000), repeated: false });
    let findings = found(Vec::new());
    let work = Work::Deliver { plugin: plugin("warehouse"), what: rows(), trainer: None };
    assert_eq!(fault_of(work, &["delivered"], findings).unwrap().kind, FaultKind::Guest);
}

#[test]
fn a_failed_check_stops_the_run_and_shows_the_rows() {
    let findings = vec![
        finding("x", Severity::Error, false, &[3, 4, 99]),
        finding("gone", Severity::Error, false, &[1]),
        finding("x", Severity::Warning, false, &[1]),
        finding("x", Severity::Error, true, &[]),
    ];
    let fault = fault_of(check(), &["table:x", "findings"], found(findings)).unwrap();
    assert_eq!(fault.kind, FaultKind::Invalid);
    let expected = "step `it` (plugin `ranges`): 2 of 4 checks failed
  range of `x`: expected 0 to 9, got 2 values outside; row 4: 13, row 5: 14
  range of `gone`: expected 0 to 9, got 2 values outside; row 2";
    assert_eq!(fault.message, expected);
}

#[test]
fn a_warning_passes_with_the_values_read_by_the_host() {
    let mut forged = finding("x", Severity::Warning, false, &[0, 2]);
    forged.sample_values = vec!["forged".to_owned()];
    let (world, state) = run(check(), &["table:x", "findings"], found(vec![forged]));
    assert_eq!(state, RunState::Succeeded);
    let view = world.view(1);
    let commit = view.commit(&name("it")).unwrap();
    let Artifact::Findings { findings } = &commit.outputs[&port("findings")] else { panic!("expected findings") };
    assert_eq!(findings[0].sample_values, ["10", "12"]);
    assert_eq!(commit.outputs[&port("table")], view.commit(&name("rows")).unwrap().outputs[&port("table")]);
}

//! What a worker may not say, and what a validator's words become.

use crate::fakes::World;
use crate::plans::{collect, finding, inputs, measures, name, outputs, plan, plugin, port, step, stored, whole};
use plan::Work;
use ports::{Answer, Page};
use run::OutputSummary;
use std::sync::{Arc, OnceLock};
use types::{
    Artifact, DataType, Digest, Fault, FaultKind, Field, Finding, Measure, OutputRef, RunState, SavedFile, Severity,
    Signature, TableRef,
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
fn what_a_step_gives_is_bounded() {
    let long = || "x".repeat(types::NAME_BYTES_MAX + 1);
    let evaluate = || Work::Evaluate { plugin: plugin("auc"), candidate: rows(), baseline: None, slices: Vec::new() };
    let renamed = move |rows: &TableRef| {
        let mut rows = rows.clone();
        rows.schema.fields[0].name = long();
        outputs([("out", Artifact::Table(rows))])
    };
    let many = |count: usize| {
        let Artifact::Measures { mut measures } = measures(0.5) else { panic!("expected measures") };
        measures.resize(count, measures[0].clone());
        move |_: &TableRef| outputs([("measures", Artifact::Measures { measures: measures.clone() })])
    };
    for (fault, expected) in [
        (
            fault_of(transform(), &["out"], renamed),
            "step `it` (plugin `sql`): output `out`: a column's name has 1025 bytes, at most 1024 are taken",
        ),
        (
            fault_of(evaluate(), &["measures"], many(types::MEASURES_MAX + 1)),
            "step `it` (plugin `auc`): output `measures`: gives 10001 measures, at most 10000 are taken",
        ),
    ] {
        let fault = fault.unwrap();
        assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Guest, expected));
    }
    assert_eq!(fault_of(evaluate(), &["measures"], many(types::MEASURES_MAX)), None);
}

#[test]
fn what_the_journal_does_not_take_fails_the_step_and_nothing_else() {
    let mut wordy = finding("x", Severity::Warning, false, &[]);
    wordy.observed = "x".repeat(types::SENTENCE_CHARS_MAX);
    let fault = fault_of(check(), &["table:x", "findings"], found(vec![wordy; 1_000])).unwrap();
    assert_eq!(fault.kind, FaultKind::Guest);
    let expected = "step `it` (plugin `ranges`): what it gives is too large to be recorded";
    assert_eq!(fault.message, expected);
    assert!(fault.hint.is_some());
}

#[test]
fn a_version_that_the_journal_does_not_take_fails_its_step() {
    let wordy = |i: usize| format!("{i:0>1000}");
    let world = crate::course::world(move |step, _, _| match step {
        "train" => {
            let field = |i| Field { name: wordy(i), data_type: DataType::Float64, nullable: false };
            let signature = Signature { inputs: Vec::new(), outputs: (0..2_500).map(field).collect() };
            Some(Ok(outputs([("model", Artifact::Model { files: Vec::new(), signature, measures: Vec::new() })])))
        }
        "evaluate" => {
            let Artifact::Measures { measures } = measures(0.9) else { panic!("expected measures") };
            let more = (0..2_500).map(|i| Measure { name: wordy(i), ..measures[0].clone() });
            let measures = measures.iter().cloned().chain(more).collect();
            Some(Ok(outputs([("measures", Artifact::Measures { measures })])))
        }
        _ => None,
    });
    assert_eq!(world.run(&whole(0.8)), RunState::Failed);
    let fault = &world.view(1).steps[&name("register")].failures[0].fault;
    let expected = "step `register`: what it gives is too large to be recorded";
    assert_eq!((&fault.kind, fault.message.as_str()), (&FaultKind::Guest, expected));
}

#[test]
fn a_cursor_is_bounded_hexadecimal() {
    let giving = |cursor: String| {
        let cell: Arc<OnceLock<TableRef>> = Arc::default();
        let theirs = cell.clone();
        let world = World::new(move |_, _, _, watch| {
            let (table, cursor) = (theirs.get().unwrap().clone(), cursor.clone());
            watch.page(Page { table, cursor, more: false, restarted: false })?;
            Ok(Answer::Collected)
        });
        let _ = cell.set(stored(&[1], &world.blobs));
        world.run(&plan(vec![collect()]));
        let view = world.view(1);
        view.steps[&name("rows")]
            .failures
            .first()
            .map(|failure| (failure.fault.kind.clone(), failure.fault.message.clone()))
    };
    let refused = |why: &str| Some((FaultKind::Guest, format!("step `rows` (plugin `csv`): gives a cursor {why}")));
    let most = types::CURSOR_BYTES_MAX;
    assert_eq!(giving("ab".repeat(most)), None);
    assert_eq!(giving("ab".repeat(most + 1)), refused("of 1048577 bytes, at most 1048576 are taken"));
    assert_eq!(giving("xy".to_owned()), refused("that is not hexadecimal"));
    assert_eq!(giving("abc".to_owned()), refused("that is not hexadecimal"));
}

#[test]
fn a_faults_words_are_cut_before_they_are_recorded() {
    let world = World::new(|_, _, _, _| {
        // More than the journal takes at once, in characters of two bytes.
        Err(Fault::guest("é".repeat(4 << 20)).hinted("è".repeat(4 << 20)))
    });
    assert_eq!(world.run(&plan(vec![collect()])), RunState::Failed);
    let fault = &world.view(1).steps[&name("rows")].failures[0].fault;
    assert_eq!(fault.message, "é".repeat(types::SENTENCE_CHARS_MAX));
    assert_eq!(fault.hint, Some("è".repeat(types::SENTENCE_CHARS_MAX)));
}

#[test]
fn sizes_that_overflow_harm_nobody() {
    let (files, signature, measures) = (Vec::new(), Signature::default(), Vec::new());
    let model = |files| Artifact::Model { files, signature: signature.clone(), measures: measures.clone() };
    let file = |bytes| SavedFile { name: "weights".to_owned(), digest: Digest::of(b""), bytes };
    assert_eq!(OutputSummary::of(&model(files)).bytes, Some(0));
    assert_eq!(OutputSummary::of(&model(vec![file(u64::MAX), file(u64::MAX)])).bytes, Some(u64::MAX));
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
    for (rows, read) in [(&[0, 2][..], &["10", "12"][..]), (&[], &[])] {
        let mut forged = finding("x", Severity::Warning, false, rows);
        forged.sample_values = vec!["forged".to_owned()];
        let (world, state) = run(check(), &["table:x", "findings"], found(vec![forged]));
        assert_eq!(state, RunState::Succeeded);
        let view = world.view(1);
        let commit = view.commit(&name("it")).unwrap();
        let Artifact::Findings { findings } = &commit.outputs[&port("findings")] else { panic!("expected findings") };
        assert_eq!(findings[0].sample_values, read);
        assert_eq!(commit.outputs[&port("table")], view.commit(&name("rows")).unwrap().outputs[&port("table")]);
    }
}

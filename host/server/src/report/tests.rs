//! Pages of runs that are made up of records, as the journal would hold them.

use super::curves::{Curve, Curves};
use super::page::html;
use super::scale::Scale;
use super::words;
use crate::fan::{Best, Candidate};
use crate::reads::{RunDetail, RunLine, details};
use crate::samples::{head, name, of, plugin, step, table};
use plan::{Each, Plan, PlannedStep, Work};
use proptest::prelude::*;
use run::{RunView, StoredPlan};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use types::{
    Artifact, Attempt, Bound, Cause, Condition, Deployment, Digest, Fault, Interval, Leniency, Measure, Receipt,
    Record, Requirement, RunHead, RunId, RunState, Series, StepCommit, Taken,
};

const RUN: RunId = RunId(7);
const SECOND: i64 = 1_000_000;
/// 2026-01-02 03:04:05 UTC.
const START: i64 = 1_767_323_045 * SECOND;

fn measure(name: &str, value: f64) -> Measure {
    let (slice, interval, baseline_value, difference_interval) = Default::default();
    Measure { name: name.to_owned(), slice, value, interval, baseline_value, difference_interval }
}

/// A model for each depth, of which the best is judged; something is told if there are many rows.
fn plan(depths: &[Value]) -> Plan {
    let like = |text: &str, work: Work, each: Option<Each>| {
        let ports = match &work {
            Work::Train { .. } => vec!["model"],
            Work::Evaluate { .. } => vec!["measures"],
            Work::Best { .. } => vec!["model", "measures"],
            Work::Gate { .. } => vec!["verdict"],
            _ => vec!["table"],
        };
        let outputs = ports.into_iter().map(|port| (name(port), Vec::new())).collect();
        PlannedStep { each, outputs, ..step(text, work) }
    };
    let mut tree = plugin("trees");
    tree.parameters = json!({ "depth": 1, "sample": { "rows": 0.5 }, "<b>": [1, 2] });
    let (validation, initial, weight, label) = (None, None, None, Some("y".to_owned()));
    let (train, features) = (of("rows", "table"), vec!["a".to_owned()]);
    let train = Work::Train { plugin: tree.clone(), train, validation, initial, features, label, weight };
    let predicted = Work::Predict { plugin: tree, rows: of("rows", "table"), model: of("model", "model") };
    let (candidate, slices) = (of("predicted", "table"), Vec::new());
    let measured = Work::Evaluate { plugin: plugin("regression"), candidate, baseline: None, slices };
    let best = Work::Best {
        model: of("model", "model"),
        measures: of("measured", "measures"),
        measure: "rmse".to_owned(),
        slice: None,
        highest: false,
        parts: Vec::new(),
    };
    let gate = Work::Gate {
        measures: of("best", "measures"),
        require: vec![Requirement::new("rmse", Bound::AtMost(2.5))],
        baseline: None,
        leniency: Leniency::default(),
    };
    let alike = || Some(Each::Like { step: name("model") });
    let mut told = like(
        "told",
        Work::Transform { plugin: plugin("sql"), inputs: [(name("rows"), of("rows", "table"))].into() },
        None,
    );
    told.when = vec![Condition::Rows { of: of("rows", "table"), at_least: Some(100), at_most: None }];
    let each = Some(Each::Values { param: "depth".to_owned(), values: depths.to_vec() });
    let steps = vec![
        like("rows", Work::Collect { plugin: plugin("csv") }, None),
        like("model", train, each),
        like("predicted", predicted, alike()),
        like("measured", measured, alike()),
        like("best", best, None),
        like("gate", gate, None),
        told,
    ];
    Plan { project: name("shop"), pipeline: name("train"), steps, timeout_ms: None, priority: 0 }
}

fn started(step: &str, attempt: u32, after: i64) -> Record {
    Record::AttemptStarted { run: RUN, step: name(step), attempt: Attempt(attempt), at_us: START + after }
}

fn committed(step: &str, attempt: u32, after: i64, outputs: Vec<(&str, Artifact)>) -> Record {
    let outputs = outputs.into_iter().map(|(port, artifact)| (name(port), artifact)).collect();
    let receipt = Receipt { wall_us: 900_000, ..Receipt::default() };
    let commit = StepCommit { step: name(step), attempt: Attempt(attempt), outputs, receipt, key: None, taken: None };
    Record::StepCommitted { run: RUN, commit, at_us: START + after }
}

fn failed(step: &str, attempt: u32, after: i64, message: &str, again: bool) -> Record {
    let retry_at_us = again.then_some(START + after);
    let (fault, receipt) = (Fault::invalid(message), Receipt::default());
    Record::AttemptFailed {
        run: RUN,
        step: name(step),
        attempt: Attempt(attempt),
        fault,
        receipt,
        at_us: START + after,
        retry_at_us,
    }
}

fn finished(state: RunState, after: i64) -> Record {
    Record::RunFinished { run: RUN, state, at_us: START + after, because: None }
}

fn model(content: &str, measures: Vec<Measure>) -> Artifact {
    let files = vec![types::SavedFile { name: content.to_owned(), digest: Digest::of(content.as_bytes()), bytes: 1 }];
    Artifact::Model { files, signature: Default::default(), measures }
}

/// A run to its end in which item `index` of a depth has the root mean squared error `errors[index]`.
fn whole(errors: &[f64]) -> Vec<Record> {
    let mut records = vec![
        started("rows", 1, 0),
        failed("rows", 1, SECOND, "the source did not answer <now>", true),
        started("rows", 2, 2 * SECOND),
        committed("rows", 2, 3 * SECOND, vec![("table", table("rows"))]),
    ];
    for (index, error) in errors.iter().enumerate() {
        let item = |step: &str| format!("{step}@{index}");
        let all = vec![measure("rmse", *error), measure("mae", error * 100.0), measure("bias", -error)];
        records.push(started(&item("model"), 1, 3 * SECOND));
        records.push(committed(&item("model"), 1, 4 * SECOND, vec![("model", model(&index.to_string(), vec![]))]));
        records.push(committed(&item("predicted"), 1, 4 * SECOND, vec![("table", table("predicted"))]));
        records.push(committed(
            &item("measured"),
            1,
            5 * SECOND,
            vec![("measures", Artifact::Measures { measures: all })],
        ));
    }
    let lowest = errors.iter().copied().enumerate().reduce(|best, other| if other.1 < best.1 { other } else { best });
    let (taken, error) = lowest.expect("an item");
    let asked = [Requirement::new("rmse", Bound::AtMost(2.5))];
    let verdict = models::gate(&asked, &[measure("rmse", error)], None, Leniency::default());
    records.extend([
        committed("model", 1, 5 * SECOND, vec![]),
        committed("predicted", 1, 5 * SECOND, vec![("table", table("predicted"))]),
        committed("measured", 1, 5 * SECOND, vec![("measures", Artifact::Measures { measures: vec![] })]),
        committed(
            "best",
            1,
            6 * SECOND,
            vec![("model", model(&taken.to_string(), vec![])), ("measures", Artifact::Measures { measures: vec![] })],
        ),
        committed("gate", 1, 6 * SECOND, vec![("verdict", Artifact::Verdict(verdict))]),
        Record::StepSkipped {
            run: RUN,
            step: name("told"),
            because: "`when` does not hold: `rows.table` has 3 rows, expected at least 100".to_owned(),
        },
        finished(RunState::Succeeded, 6_200_000),
    ]);
    records
}

fn run(plan: &Plan, records: Vec<Record>) -> RunDetail {
    let head = RunHead {
        started_us: START,
        logical_time_us: START - 3_600 * SECOND,
        by: Some("anna".to_owned()),
        ..head(RUN)
    };
    let view = RunView::of([Record::RunStarted(head.clone())].iter().chain(&records));
    let stored = StoredPlan { plan: plan.clone(), project_dir: "somewhere".into() };
    let RunHead { run, project, pipeline, cause, started_us, logical_time_us, by, deployment, overrides, plan, .. } =
        head;
    let (state, finished_us, live) = (view.state(), view.ended_us, view.ended.is_none());
    let line = RunLine { run, project, pipeline, state, cause, live, started_us, finished_us };
    let (steps, because) = (details(&stored, &view), view.because.clone());
    let (deployed, folder, registered, report) = (None, stored.project_dir, Vec::new(), None);
    RunDetail {
        line,
        logical_time_us,
        by,
        deployment,
        deployed,
        folder,
        overrides,
        plan,
        steps,
        because,
        registered,
        report,
    }
}

fn depths(count: usize) -> Vec<Value> {
    (1..=count).map(|depth| json!(depth)).collect()
}

fn page(run: &RunDetail) -> String {
    html(run, &Curves::new(), START + 60 * SECOND)
}

#[track_caller]
fn assert_says(page: &str, all: &[&str]) {
    all.iter().for_each(|words| assert!(page.contains(words), "no `{words}` in {page}"));
}

#[test]
fn a_page_as_it_is() {
    let mut found = run(&plan(&depths(3)), whole(&[3.5, 1.25, 2.0]));
    found.overrides.insert("model.depth".to_owned(), json!(3));
    let page = page(&found);
    let (_, body) = page.split_once("</style>").expect("a style");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/golden.html");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(golden, body).unwrap();
    }
    assert!(std::fs::read_to_string(golden).unwrap() == body, "the page has changed: look at it, then BLESS=1");
}

#[test]
fn every_measure_has_an_axis_of_its_own_that_holds_all_of_it() {
    let mut plan = plan(&depths(1));
    plan.steps.truncate(1);
    let interval = Some(Interval { low: 11.0, high: 14.0 });
    let mae = Measure { interval, baseline_value: Some(19.0), ..measure("mae", 12.5) };
    let all = vec![mae, measure("rows", 34_000.0), measure("bias", -2.0), measure("f1", 0.4), measure("tiny", 3e-9)];
    let records = vec![committed("rows", 1, SECOND, vec![("measures", Artifact::Measures { measures: all })])];
    let page = page(&run(&plan, records));
    assert_says(
        &page,
        &[">mae<", ">12.5000<", "11 to 14", ">rows<", ">34000<", ">bias<", ">-2<", ">tiny<", ">3.000e-9<"],
    );
    let ends: Vec<(&str, &str)> = page
        .split("class=\"strip\"")
        .skip(1)
        .map(|strip| {
            let texts: Vec<&str> = strip.split("</text>").take(2).filter_map(|text| text.rsplit('>').next()).collect();
            (texts[0], texts[1])
        })
        .collect();
    assert_eq!(ends, [("0", "20"), ("0", "40000"), ("-2", "0"), ("0", "1"), ("0", "3.00e-9")]);
}

proptest! {
    #[test]
    fn an_axis_holds_what_it_is_of_and_keeps_its_order(values in proptest::collection::vec(-1e12..1e12_f64, 1..8)) {
        let scale = Scale::over(values.iter().copied(), (10.0, 90.0)).unwrap();
        for value in &values {
            prop_assert!(scale.low <= *value && *value <= scale.high);
            prop_assert!((10.0..=90.0).contains(&scale.at(*value)));
            for other in &values {
                prop_assert!(value > other || scale.at(*value) <= scale.at(*other));
            }
        }
        prop_assert!(scale.ticks().len() >= 2, "{:?}", scale);
    }

    #[test]
    fn a_curve_is_thinned_and_keeps_its_ends(count in 1_u64..3_000, most in 2_usize..300) {
        let mut curve = Curve::default();
        (0..count).for_each(|index| curve.add(1, (index, index as f64)));
        let drawn = curve.drawn(most);
        prop_assert!(drawn.len() <= most + 1);
        prop_assert_eq!((drawn[0].0, drawn[drawn.len() - 1].0), (0, count - 1));
        prop_assert!(drawn.windows(2).all(|pair| pair[0].0 < pair[1].0));
        curve.add(2, (5, 1.0));
        prop_assert_eq!(curve.drawn(most), vec![(5, 1.0)], "a later attempt takes its place");
    }

    #[test]
    fn the_best_of_items_is_the_one_that_was_taken(errors in proptest::collection::vec(0.0..9.0_f64, 1..9)) {
        let found = run(&plan(&depths(errors.len())), whole(&errors));
        let best = found.steps.iter().find_map(|step| step.best.as_ref()).unwrap();
        let took = &best.candidates[best.took.unwrap()];
        prop_assert!(errors.iter().all(|error| took.value.unwrap() <= *error));
        prop_assert_eq!(&took.label, &format!("depth={}", best.took.unwrap() + 1));
        let (said, expected) = (best.sentence().unwrap(), format!("took {}", took.label));
        prop_assert!(said.starts_with(&expected));
    }
}

#[test]
fn what_a_choice_took_stands_beside_the_next_best() {
    let candidate = |label: &str, value| Candidate { step: name("model@1"), label: label.to_owned(), value };
    let candidates = vec![candidate("a", Some(0.5)), candidate("b", Some(0.75)), candidate("c", None)];
    let best =
        |took, highest| Best { measure: "auc".into(), slice: None, highest, candidates: candidates.clone(), took };
    let said = "took b (`model@1`): its auc of 0.7500 is the highest of 3; the next is 0.5000 of a";
    assert_eq!(best(Some(1), true).sentence().as_deref(), Some(said));
    assert_eq!(best(None, true).sentence(), None);
    assert_eq!(best(Some(9), true).sentence(), None);
}

#[test]
fn why_a_run_ran_and_what_ran_is_told_in_words() {
    let mut found = run(&plan(&depths(1)), whole(&[1.0]));
    found.overrides.insert("mode".to_owned(), json!("full"));
    assert_says(
        &page(&found),
        &[
            "asked for by anna",
            "2026-01-02 03:04:05 UTC",
            "after 6.2 s",
            "2026-01-02 02:04:05 UTC",
            "shop, as it was in somewhere",
            "mode = full",
        ],
    );
    let (project, settings) = (name("shop"), [("host".to_owned(), json!("eu"))].into());
    let (version, content, rollback_to, deployed_us) = (3, Digest::of(b"shop"), None, 0);
    found.deployment = Some(3);
    found.deployed = Some(Deployment { project, version, content, settings, rollback_to, deployed_us });
    assert_says(&page(&found), &[&format!("shop, deployed version 3 ({})", content.short()), "host = eu"]);
    let (of, at_us) = (RunId(4), START);
    for (cause, words) in [
        (Cause::Manual, "asked for by anna"),
        (Cause::Rerun { of, from: name("rows") }, "run 4 again from `rows` on, asked for by anna"),
        (Cause::Replay { of }, "replays run 4, asked for by anna"),
        (Cause::Upstream { pipeline: name("collect"), run: of }, "after run 4 of `collect`"),
        (Cause::Data { what: "2 files".into(), source: None }, "new data: 2 files"),
        (Cause::Event { source: "hook".into(), id: "9".into() }, "event 9 of hook"),
        (Cause::Schedule { at_us }, "scheduled for 2026-01-02 03:04:05 UTC"),
        (Cause::Backfill { backfill: 2, at_us }, "backfill 2, for 2026-01-02 03:04:05 UTC, asked for by anna"),
    ] {
        assert_eq!(words::cause_in_words(&cause, Some("anna")), words);
        found.line.cause = cause;
        assert_says(&page(&found), &[words]);
    }
    assert_eq!(words::cause_in_words(&Cause::Manual, None), "asked for by hand");
}

#[test]
fn each_step_tells_how_it_stands_and_why() {
    let page = page(&run(&plan(&depths(2)), whole(&[1.0, 2.0])));
    assert_says(
        &page,
        &[
            "`rows.table` has 3 rows, expected at least 100",
            "failed: the source did not answer &lt;now&gt;",
            "rows, attempt 1: failed, 1.0 s",
            "rows, attempt 2: committed, 1.0 s",
            "<dt>sample.rows<dd>0.5",
            "<dt>&lt;b&gt;<dd>1, 2",
            "<dt>seed<dd>7",
            "<b>gate</b> <span class=\"good\">passed",
        ],
    );
    // A bar an attempt: two of `rows`, one of each item of `model`.
    assert_eq!(page.matches("<rect class=\"").count(), 4);
}

#[test]
fn what_was_taken_says_from_where() {
    let commit = StepCommit { taken: Some(Taken::Cache { run: RunId(3) }), ..sample_commit() };
    let records = vec![Record::StepCommitted { run: RUN, commit, at_us: START }, finished(RunState::Succeeded, SECOND)];
    let mut plan = plan(&depths(1));
    plan.steps.truncate(1);
    assert_says(
        &page(&run(&plan, records)),
        &["1: 1 taken", "taken from run 3", "run 3 did the same work on the same inputs", "rows: taken"],
    );
}

fn sample_commit() -> StepCommit {
    match committed("rows", 1, 0, vec![("table", table("rows"))]) {
        Record::StepCommitted { commit, .. } => commit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_item_is_named_and_the_taken_one_marked() {
    let page = page(&run(&plan(&depths(3)), whole(&[3.5, 1.25, 2.0])));
    assert_says(
        &page,
        &[
            "<b>model</b>, <b>predicted</b>, <b>measured</b> ran once for each",
            "<b>best</b> took depth=2 (`model@1`): its rmse of 1.2500 is the lowest of 3; the next is 2 of depth=3.",
            "<tr class=\"took\"><td class=\"n\">1<td>depth=2, taken by best<td>",
            "<details open><summary>The 3 items</summary>",
        ],
    );
    assert_eq!(page.matches("class=\"fan\"").count(), 3, "a picture of each measure");
    assert!(!page.contains("Measured by"), "they are with the items alone");
}

#[test]
fn a_page_of_many_items_is_folded_and_small() {
    for (count, most_kib) in [(100, 64), (1_000, 256)] {
        let errors: Vec<f64> = (0..count).map(|index| 5.0 - f64::from(index) / 1_000.0).collect();
        let page = page(&run(&plan(&depths(errors.len())), whole(&errors)));
        assert_says(
            &page,
            &[&format!("<details><summary>The {count} items</summary>"), &format!("took depth={count}")],
        );
        assert!(page.len() < most_kib << 10, "{count} items: {} bytes", page.len());
    }
}

/// A guest says what it likes.
#[test]
fn odd_numbers_are_drawn_all_the_same() {
    let numbers = [f64::MIN, -5e-324, 0.0, 5e-324, f64::MAX];
    for (index, value) in [0, 1, u64::MAX].into_iter().flat_map(|index| numbers.map(|value| (index, value))) {
        let found = run(&plan(&depths(2)), whole(&[value, value]));
        let mut curves = Curves::new();
        let curve = curves.entry((name("model@0"), "loss".to_owned())).or_default();
        (0..2).for_each(|_| curve.add(1, (index, value)));
        // What has no scale has no picture.
        let (page, drawn) = (html(&found, &curves, START), ["loss of model"]);
        assert_says(&page, if value.abs() < 1.0 { &drawn } else { &["Told while they worked"] });
    }
}

#[test]
fn curves_of_items_share_a_picture_in_which_the_taken_one_is_strong() {
    let mut found = run(&plan(&depths(3)), whole(&[3.5, 1.25, 2.0]));
    found.steps.iter_mut().filter(|step| step.plugin.as_deref() == Some("trees")).for_each(|step| {
        let receipt = step.receipt.get_or_insert_default();
        receipt.series.insert("loss".to_owned(), Series { first: Some(9.0), last: Some(1.0), points: 3 });
    });
    let mut curves = Curves::new();
    for (index, item) in ["model@0", "model@1", "model@2"].into_iter().enumerate() {
        let curve = curves.entry((name(item), "loss".to_owned())).or_default();
        (0..50).for_each(|epoch| curve.add(1, (epoch, (100 - epoch) as f64 * (index + 1) as f64)));
    }
    let page = html(&found, &curves, START);
    assert_says(&page, &["loss of the 3 items of model. Strong: the one that was taken.", "<title>depth=2</title>"]);
    assert_eq!((page.matches("class=\"curve\"").count(), page.matches("class=\"curve thin\"").count()), (1, 2));
}

#[test]
fn what_a_run_left_when_it_ended_waits_for_nothing() {
    let begun = || vec![started("rows", 1, 0), failed("rows", 1, SECOND, "not there", true)];
    let states = |records: Vec<Record>| {
        let found = run(&plan(&depths(1)), records);
        found.steps.iter().map(|step| (step.step.to_string(), step.state.clone())).collect::<BTreeMap<_, _>>()
    };
    let live = states(begun());
    assert_eq!((live["rows"].as_str(), live["gate"].as_str()), ("waiting", "waiting"));
    for state in [RunState::Cancelled, RunState::Failed] {
        let ended = states(begun().into_iter().chain([finished(state, 2 * SECOND)]).collect());
        assert_eq!((ended["rows"].as_str(), ended["gate"].as_str()), ("cut_off", "not_run"), "{state}");
    }
    let cancelled = run(&plan(&depths(1)), vec![started("rows", 1, 0), finished(RunState::Cancelled, 2 * SECOND)]);
    assert_says(
        &page(&cancelled),
        &["rows, attempt 1: cut off, 2.0 s", "not run", "the run was cancelled before it began"],
    );
}

#[test]
fn nothing_that_a_stranger_wrote_is_markup() {
    let evil = "<script>alert(1)</script>\"'&";
    let mut records = vec![failed("rows", 1, SECOND, evil, false)];
    let measures = vec![Measure { slice: Some(evil.to_owned()), ..measure(evil, 1.0) }, measure(evil, 0.5)];
    records.push(committed("model@0", 1, SECOND, vec![("model", model("0", measures.clone()))]));
    records.push(committed("told", 1, SECOND, vec![("measures", Artifact::Measures { measures })]));
    let mut found = run(&plan(&[json!(evil)]), records);
    found.because = Some(evil.to_owned());
    found.by = Some(evil.to_owned());
    found.overrides.insert(evil.to_owned(), json!([evil, { evil: evil }]));
    found.line.cause = Cause::Data { what: evil.to_owned(), source: None };
    found.steps.iter_mut().for_each(|step| step.parameters = Some(json!({ evil: { evil: evil } })));
    let mut curves = Curves::new();
    let curve = curves.entry((name("model@0"), evil.to_owned())).or_default();
    (0..3).for_each(|epoch| curve.add(1, (epoch, 1.0)));
    let page = html(&found, &curves, START);
    assert!(!page.contains("<script") && !page.contains("</script"), "{page}");
    assert!(page.matches("&lt;script&gt;").count() > 10);
}

//! Steps that run once for each of several items, and what becomes of what these give.

use crate::fakes::{FakeBlobs, World};
use crate::plans::{
    closed, collect, essence, inputs, name, natural, output, outputs, plan, plugin, port, step, stored,
};
use plan::{Each, Plan, PlannedStep, ServedPath, Work};
use ports::{Answer, Call, Page, Task, Watch, Watched};
use run::RunView;
use serde_json::json;
use std::sync::Arc;
use types::{Artifact, Fault, Measure, ModelName, Record, RunId, RunState, SavedFile, Series, Signature, Verdict};

fn each(step: PlannedStep, each: Each) -> PlannedStep {
    PlannedStep { each: Some(each), ..step }
}

fn by_x() -> Each {
    Each::Rows { port: port("rows"), of: output("rows.table"), by: "x".to_owned() }
}

fn values(values: &[i64]) -> Each {
    Each::Values { param: "depth".to_owned(), values: values.iter().map(|value| json!(value)).collect() }
}

fn like(of: &str) -> Each {
    Each::Like { step: name(of) }
}

fn split() -> PlannedStep {
    step(
        "part",
        Work::Transform { plugin: plugin("split"), inputs: inputs(&[("rows", "rows.table")]) },
        &["train:x", "test:x"],
    )
}

/// Pages of the values; a model remembers its depth, and measures it.
fn answer(call: &Call, watch: &dyn Watch, blobs: &FakeBlobs, rows: &[i64]) -> Result<Answer, Fault> {
    let depth = call.assignment.parameters["depth"].as_i64().unwrap_or(0);
    match &call.assignment.task {
        Task::Collect { cursor: Some(_) } => Ok(Answer::Collected),
        Task::Collect { cursor: None } => {
            let (table, cursor) = (stored(rows, blobs), "01".to_owned());
            watch.page(Page { table, cursor, more: false, restarted: false })?;
            Ok(Answer::Collected)
        }
        Task::Train { .. } => {
            for value in [depth as f64, 0.0] {
                watch.hear(Watched::Metric { name: "loss".to_owned(), value: Some(value), index: 0 });
            }
            let name = format!("depth-{depth}");
            let digest = ports::Blobs::put(blobs, &types::TenantId::default_tenant(), name.as_bytes())?;
            let files = vec![SavedFile { name, digest, bytes: 1 }];
            Ok(outputs([("model", Artifact::Model { files, signature: Signature::default(), measures: Vec::new() })]))
        }
        Task::Predict { rows, model, .. } => {
            let depth: i64 = model[0].name.trim_start_matches("depth-").parse().unwrap();
            Ok(outputs([("table", Artifact::Table(stored(&vec![depth; rows.rows as usize], blobs)))]))
        }
        // The best depth is 5.
        Task::Evaluate { candidate, .. } => {
            let table = data::open(candidate, |part| {
                ports::Blobs::path(blobs, &types::TenantId::default_tenant(), *part).unwrap()
            });
            let depth = data::numbers(&table.unwrap(), "x").unwrap()[0];
            let (value, slice) = (1.0 - (depth - 5.0).abs() / 10.0, None);
            let measure = Measure {
                name: "auc".into(),
                slice,
                value,
                interval: None,
                baseline_value: None,
                difference_interval: None,
            };
            Ok(outputs([("measures", Artifact::Measures { measures: vec![measure] })]))
        }
        // It is asked about the model that was chosen, and told what that one's training told.
        Task::Examine { examination } => {
            let series = Series { first: Some(5.0), last: Some(0.0), points: 2 };
            let passed = examination.candidate.predictor.parameters["depth"] == 5
                && examination.loss == Some(("loss".to_owned(), Some(series)));
            let (lines, sentence) = (Vec::new(), format!("{examination:?}"));
            let verdict = Verdict { passed, lines, sentence, outcome: None, against: None };
            Ok(outputs([("verdict", Artifact::Verdict(verdict))]))
        }
        Task::Transform { .. } if call.who.contains("`none`") => {
            let none = || Artifact::Table(stored(&[], blobs));
            Ok(outputs([("train", none()), ("test", none())]))
        }
        _ => natural(call, blobs),
    }
}

fn world(rows: &'static [i64]) -> World {
    after(Vec::new(), Arc::new(FakeBlobs::create()), rows)
}

fn after(records: Vec<Record>, blobs: Arc<FakeBlobs>, rows: &'static [i64]) -> World {
    let theirs = blobs.clone();
    World::after(records, blobs, move |_, call, _, watch| answer(call, watch, &theirs, rows))
}

fn numbers(world: &World, view: &RunView, of: &str) -> Vec<f64> {
    let Some(Artifact::Table(table)) = view.output(&output(of)) else { panic!("`{of}` is no table") };
    let path = |part: &types::Digest| ports::Blobs::path(world.blobs.as_ref(), &world.tenant, *part).unwrap();
    data::numbers(&data::open(table, path).unwrap(), "x").unwrap()
}

#[test]
fn rows_are_given_by_their_values_and_gathered_in_that_order() {
    let world = world(&[3, 1, 3, 2, 1]);
    let after = step(
        "after",
        Work::Transform { plugin: plugin("split"), inputs: inputs(&[("rows", "part.train")]) },
        &["train:x", "test:x"],
    );
    let plan = closed(plan(vec![collect(), each(split(), by_x()), after]));
    assert_eq!(world.run(&plan), RunState::Succeeded);
    let view = world.view(1);
    let labels: Vec<_> =
        view.steps[&name("part")].items.as_ref().unwrap().iter().map(|item| item.label.clone()).collect();
    assert_eq!(labels, ["x=1", "x=2", "x=3"]);
    assert_eq!(numbers(&world, &view, "part@2.train"), [3.0, 3.0]);
    assert_eq!(numbers(&world, &view, "part.train"), [1.0, 1.0, 2.0, 3.0, 3.0]);
    assert_eq!(numbers(&world, &view, "after.test"), [1.0, 1.0, 2.0, 3.0, 3.0]);
}

#[test]
fn a_step_for_each_of_no_rows_is_skipped() {
    let world = world(&[3]);
    let empty = step(
        "none",
        Work::Transform { plugin: plugin("split"), inputs: inputs(&[("rows", "rows.table")]) },
        &["train:x", "test:x"],
    );
    let (of, by) = (output("none.train"), "x".to_owned());
    let part = step(
        "part",
        Work::Transform { plugin: plugin("split"), inputs: inputs(&[("rows", "none.train")]) },
        &["train:x", "test:x"],
    );
    let part = each(part, Each::Rows { port: port("rows"), of, by });
    assert_eq!(world.run(&closed(plan(vec![collect(), empty, part]))), RunState::Succeeded);
    let (_, steps) = essence(&world.view(1));
    assert_eq!(steps["part"], "skipped: `none.train` has no rows to run for");
}

/// A machine in the middle of finding a step's items, and what it makes of so many.
fn found(steps: Vec<PlannedStep>, items: usize, record_bytes_max: u64) -> String {
    let item = |at: usize| types::Item { label: at.to_string(), value: None, table: Some(crate::plans::named(&at)) };
    told(steps, Ok((0..items).map(item).collect()), None, record_bytes_max)
}

/// The same of what came of looking for them.
fn told(
    steps: Vec<PlannedStep>,
    result: Result<Vec<types::Item>, Fault>,
    stop: Option<run::Stop>,
    record_bytes_max: u64,
) -> String {
    let world = world(&[1]);
    let plan = closed(plan(steps));
    let run = world.start(&plan).unwrap();
    let (records, project_dir) = (world.journal.all(), "/project".into());
    let mut course = run::Course::new(run, run::StoredPlan { plan, project_dir }, RunView::of(&records));
    let (step, attempt) = (name("part"), types::Attempt(1));
    let now = run::Now { at_us: 0, slots: 1, stop, record_bytes_max };
    course.tick(run::Event::Split { step, attempt, result }, &now);
    essence(course.view()).1.remove("part").unwrap_or_default()
}

#[test]
fn rows_are_divided_and_parts_gathered_when_it_is_their_turn() {
    let world = world(&[3, 1, 3]);
    assert_eq!(world.run(&closed(plan(vec![collect(), each(split(), by_x())]))), RunState::Succeeded);
    assert_eq!(world.works(), 2);
    let view = world.view(1);
    assert_eq!(view.commit(&name("part")).unwrap().receipt.wall_us, 3, "what it took");
}

#[test]
fn a_step_whose_rows_wait_to_be_divided_when_the_server_leaves_begins_anew() {
    let cancelled = || Err(Fault::new(types::FaultKind::Cancelled, "was cancelled"));
    let parts = || vec![collect(), each(split(), by_x())];
    assert_eq!(told(parts(), cancelled(), Some(run::Stop::Leave), u64::MAX), "", "nothing is recorded of it");
    assert_eq!(told(parts(), cancelled(), Some(run::Stop::Cancel), u64::MAX), "failed: was cancelled");
}

#[test]
fn items_that_are_too_many_or_too_large_to_record_fail_their_step() {
    let parts = |likes: usize| {
        let like = |at: usize| {
            let work = Work::Transform { plugin: plugin("split"), inputs: inputs(&[("rows", "part.train")]) };
            each(step(&format!("like-{at}"), work, &["train:x"]), like("part"))
        };
        [collect(), each(split(), by_x())].into_iter().chain((0..likes).map(like)).collect::<Vec<_>>()
    };
    let expected = "failed: step `part` and those that run like it would be 21000 steps, expected at most 20000";
    assert_eq!(found(parts(20), 1_000, u64::MAX), expected);
    assert_eq!(found(parts(19), 1_000, u64::MAX), "Waiting");
    assert_eq!(found(parts(0), 3, 100), "failed: step `part`: what it gives is too large to be recorded");
}

/// Trains for each depth, evaluates each, examines and registers the best.
fn search() -> Plan {
    let train = Work::Train {
        plugin: plugin("net"),
        train: output("rows.table"),
        validation: None,
        initial: None,
        features: vec!["x".to_owned()],
        label: None,
        weight: None,
    };
    let (rows, model, candidate) = (output("rows.table"), output("train.model"), output("predict.table"));
    let predict = Work::Predict { plugin: plugin("net"), rows, model };
    let evaluate = Work::Evaluate { plugin: plugin("auc"), candidate, baseline: None, slices: Vec::new() };
    let best = Work::Best {
        model: output("train.model"),
        measures: output("evaluate.measures"),
        measure: "auc".to_owned(),
        slice: None,
        highest: true,
        parts: Vec::new(),
    };
    let served = ServedPath { steps: Vec::new(), trainer: Some(name("train")), request: Vec::new() };
    let examine = Work::Examine {
        model: output("best.model"),
        rows: output("rows.table"),
        answers: None,
        loss: Some("loss".to_owned()),
        budget: Default::default(),
        served: served.clone(),
        candidate: None,
    };
    let register = Work::Register {
        model: output("best.model"),
        verdict: None,
        examined: Some(output("examine.verdict")),
        measures: Some(output("best.measures")),
        name: "spam".parse::<ModelName>().unwrap(),
        alias: None,
        purpose: Default::default(),
        served,
    };
    plan(vec![
        collect(),
        each(step("train", train, &["model"]), values(&[2, 5, 9])),
        each(step("predict", predict, &["table:x"]), like("train")),
        each(step("evaluate", evaluate, &["measures"]), like("predict")),
        step("best", best, &["measures", "model"]),
        step("examine", examine, &["verdict"]),
        step("register", register, &["version"]),
    ])
}

#[test]
fn the_best_of_several_is_registered_as_it_was_trained() {
    let world = world(&[1, 2, 3]);
    assert_eq!(world.run(&closed(search())), RunState::Succeeded);
    let records = world.journal.all();
    let [version] = crate::course::versions(&records)[..] else { panic!("one version") };
    assert_eq!(version.predictor.step, name("train").item(1));
    assert_eq!(version.predictor.parameters["depth"], 5);
    assert_eq!(version.predictor.state[0].name, "depth-5");
    assert_eq!(version.measures[0].value, 1.0);
    let view = world.view(1);
    let Some(Artifact::Measures { measures }) = view.output(&output("evaluate.measures")) else { panic!() };
    let slices: Vec<_> = measures.iter().map(|measure| measure.slice.clone().unwrap()).collect();
    assert_eq!(slices, ["depth=2", "depth=5", "depth=9"]);
}

#[test]
fn a_search_resumes_from_every_record() {
    let rows: &[i64] = &[1, 2, 3];
    let mut with_parts = closed(search());
    with_parts.steps.push(each(split(), by_x()));
    with_parts.steps.iter_mut().for_each(|step| step.cache = false);
    let first = world(rows);
    assert_eq!(first.run(&with_parts), RunState::Succeeded);
    let (records, expected) = (first.journal.all(), essence(&first.view(1)));
    for k in 1..=records.len() {
        let resumed = after(records[..k].to_vec(), first.blobs.clone(), rows);
        assert_eq!(resumed.drive(RunId(1)).unwrap(), RunState::Succeeded, "after {k} records");
        assert_eq!(essence(&resumed.view(1)), expected, "after {k} records");
    }
}

#[test]
fn one_item_that_fails_fails_what_gathers_them_and_no_other_item() {
    let blobs = Arc::new(FakeBlobs::create());
    let theirs = blobs.clone();
    let world = World::after(Vec::new(), blobs, move |step, call, _, watch| match step {
        "part@1" => Err(Fault::guest("trapped")),
        _ => answer(call, watch, &theirs, &[3, 1, 2]),
    });
    assert_eq!(world.run(&closed(plan(vec![collect(), each(split(), by_x())]))), RunState::Failed);
    let (_, steps) = essence(&world.view(1));
    assert!(steps["part@0"].starts_with("committed") && steps["part@2"].starts_with("committed"), "{steps:?}");
    assert_eq!(steps["part"], "skipped: step `part@1` failed");
}

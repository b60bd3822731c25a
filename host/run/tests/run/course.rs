//! The course of a run: what is done, in which order, what is skipped, what is registered.

use crate::fakes::{FakeBlobs, World};
use crate::plans::{collect, essence, inputs, name, natural, plan, plugin, port, step, stored, whole};
use plan::Work;
use ports::{Answer, Call, Page, Task, Watch, Watched};
use run::{RunEvent, Status};
use std::sync::{Arc, OnceLock};
use types::{Artifact, Fault, ModelVersion, Record, RunId, RunState};

/// Every step answers well; the collector gives two pages.
pub(crate) fn good(call: &Call, watch: &dyn Watch, blobs: &FakeBlobs) -> Result<Answer, Fault> {
    let Task::Collect { cursor } = &call.assignment.task else { return natural(call, blobs) };
    let done: usize = cursor.as_ref().map_or(0, |cursor| cursor.parse().unwrap());
    for (i, values) in [vec![1, 2, 3], vec![4, 5]].iter().enumerate().skip(done) {
        let (table, cursor) = (stored(values, blobs), format!("{:02}", i + 1));
        watch.page(Page { table, cursor, more: i == 0, restarted: false })?;
    }
    Ok(Answer::Collected)
}

/// A world whose steps do as the script says, and well where it says nothing.
pub(crate) fn world(
    script: impl Fn(&str, u32, &dyn Watch) -> Option<Result<Answer, Fault>> + Send + Sync + 'static,
) -> World {
    let blobs: Arc<OnceLock<Arc<FakeBlobs>>> = Arc::default();
    let theirs = blobs.clone();
    let world = World::new(move |step, call, before, watch| {
        script(step, before, watch).unwrap_or_else(|| good(call, watch, theirs.get().unwrap()))
    });
    let _ = blobs.set(world.blobs.clone());
    world
}

pub(crate) fn versions(records: &[Record]) -> Vec<&ModelVersion> {
    fn version(record: &Record) -> Option<&ModelVersion> {
        match record {
            Record::VersionRegistered { version, .. } => Some(version),
            _ => None,
        }
    }
    records.iter().filter_map(version).collect()
}

/// An event in a few words.
fn told(event: &RunEvent) -> String {
    match event {
        RunEvent::StepStarted { step, attempt, .. } => format!("start {step} {}", attempt.0),
        RunEvent::Page { step, rows, .. } => format!("page {step} {rows}"),
        RunEvent::StepCommitted { step, outputs, .. } => {
            let rows =
                outputs.iter().map(|(to, of)| format!(" {to}:{}", of.rows.map_or(of.kind.clone(), |n| n.to_string())));
            format!("commit {step}{}", rows.collect::<String>())
        }
        RunEvent::Verdict { verdict, .. } => verdict.sentence.clone(),
        RunEvent::Registered { model, version, alias, .. } => format!("{model} {version} {alias:?}"),
        RunEvent::RunFinished { state, .. } => format!("finish {state}"),
        other => serde_json::to_value(other).unwrap()["event"].as_str().unwrap().to_owned(),
    }
}

#[test]
fn a_run_goes_from_rows_to_a_registered_model() {
    let world = world(|_, _, _| None);
    assert_eq!(world.run(&whole(0.8)), RunState::Succeeded);
    let events: Vec<_> = world.events.lock().unwrap().iter().map(told).collect();
    let expected = [
        "run_started",
        "start rows 1",
        "page rows 3",
        "page rows 2",
        "commit rows table:5",
        "start check 1",
        "commit check findings:findings table:5",
        "start split 1",
        "commit split test:5 train:5",
        "start scale 1",
        "commit scale state:state test:5 train:5",
        "start train 1",
        "commit train model:model",
        "start predict 1",
        "commit predict table:5",
        "start evaluate 1",
        "commit evaluate measures:measures",
        "start gate 1",
        "commit gate verdict:verdict",
        "passed: auc 0.9 is at least 0.8",
        "start register 1",
        "commit register version:version",
        "spam 1 Some(\"champion\")",
        "finish succeeded",
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_version_carries_what_answers_and_where_it_comes_from() {
    let world = world(|_, _, _| None);
    world.run(&whole(0.8));
    world.run(&whole(0.8));
    let records = world.journal.all();
    let versions = versions(&records);
    let [first, second] = versions.as_slice() else { panic!("expected 2 versions, got {}", versions.len()) };
    assert_eq!((first.version, second.version), (1, 2));
    assert_eq!(first.digest, second.digest, "who made it when is not part of its name");
    assert_eq!(first.path[0].state[0].name, "weights");
    assert_eq!(first.predictor.step, name("train"));
    assert_eq!(first.measures[0].value, 0.9);
    assert!(first.verdict.as_ref().is_some_and(|verdict| verdict.passed));
    assert_eq!(first.data.len(), 1, "train, validation and fit are one table here");
    let moves = records.iter().filter_map(|record| match record {
        Record::VersionRegistered { alias: Some(alias), .. } => Some((alias.from, alias.to)),
        _ => None,
    });
    assert_eq!(moves.collect::<Vec<_>>(), [(None, Some(1)), (Some(1), Some(2))]);
}

#[test]
fn a_failed_step_leaves_those_after_it_and_no_others() {
    let world = world(|step, _, _| (step == "left").then(|| Err(Fault::guest("trapped"))));
    let of = |rows: &str| Work::Transform { plugin: plugin("split"), inputs: inputs(&[("rows", rows)]) };
    let steps = vec![
        collect(),
        step("left", of("rows.table"), &["train:x", "test:x"]),
        step("after-left", of("left.train"), &["train:x", "test:x"]),
        step("far-left", of("after-left.train"), &["train:x", "test:x"]),
        step("right", of("rows.table"), &["train:x", "test:x"]),
        step("after-right", of("right.test"), &["train:x", "test:x"]),
    ];
    assert_eq!(world.run(&plan(steps)), RunState::Failed);
    let (_, steps) = essence(&world.view(1));
    assert_eq!(steps["left"], "failed: trapped");
    assert_eq!(steps["after-left"], "skipped: step `left` failed");
    assert_eq!(steps["far-left"], "skipped: step `after-left` was skipped");
    assert!(steps["after-right"].starts_with("committed"));
}

#[test]
fn a_gate_that_says_no_registers_nothing() {
    let world = world(|_, _, _| None);
    assert_eq!(world.run(&whole(0.95)), RunState::Rejected);
    let expected = "the gate `gate` said no: failed: auc 0.9 is not at least 0.95".to_owned();
    assert_eq!(world.view(1).status(&name("register")), &Status::Skipped { because: expected });
    assert!(versions(&world.journal.all()).is_empty());
}

#[test]
fn two_runs_at_once_register_two_versions() {
    let world = world(|_, _, _| None);
    world.run(&whole(0.8));
    world.journal.slow.store(true, std::sync::atomic::Ordering::Relaxed);
    let runs: Vec<_> = (0..4).map(|_| world.start(&whole(0.8)).unwrap()).collect();
    std::thread::scope(|scope| {
        for &run in &runs {
            let world = &world;
            scope.spawn(move || {
                world
                    .dispatcher
                    .drive(&world.tenant, run, Arc::new(|_: &run::RunEvent| {}), Default::default(), None)
                    .unwrap()
            });
        }
    });
    let records = world.journal.all();
    assert_eq!(versions(&records).iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

#[test]
fn what_an_attempt_says_reaches_the_observer() {
    let world = world(|step, _, watch| {
        if step == "train" {
            watch.hear(Watched::Log { level: "info".to_owned(), message: "hello".to_owned() });
            watch.hear(Watched::Metric { name: "loss".to_owned(), value: None, index: 1 });
            watch.checkpoint(b"half way".to_vec()).unwrap();
        }
        None
    });
    world.run(&whole(0.8));
    let events = world.events.lock().unwrap();
    assert!(events.iter().any(|event| matches!(event, RunEvent::Log { message, .. } if message == "hello")));
    assert!(events.iter().any(|event| matches!(event, RunEvent::Metric { value: None, .. })));
    for event in events.iter() {
        let line = serde_json::to_string(event).unwrap();
        assert_eq!(serde_json::from_str::<RunEvent>(&line).unwrap(), *event);
    }
    let saved = world.view(1).steps[&name("train")].checkpoint;
    assert_eq!(saved, Some(types::Digest::of(b"half way")));
}

#[test]
fn what_is_no_run_and_no_plan_is_refused() {
    let world = world(|_, _, _| None);
    assert_eq!(world.drive(RunId(9)).unwrap_err().message, "there is no run 9");
    let mut backwards = whole(0.8);
    backwards.steps.reverse();
    let message = world.start(&backwards).unwrap_err().message;
    assert_eq!(message, "step `register` takes from `train.model`, expected a step before it");
    assert!(world.start(&whole(f64::INFINITY)).unwrap_err().message.starts_with("plan cannot be stored"));
    assert!(world.journal.all().is_empty());
    world.start(&whole(0.8)).unwrap();
    let message = world.start(&whole(f64::INFINITY)).unwrap_err().message;
    assert!(message.starts_with("plan cannot be stored"), "also after one that can: {message}");
}

#[test]
fn a_finished_run_is_not_touched() {
    let world = world(|_, _, _| None);
    world.run(&whole(0.8));
    let before = world.journal.all();
    assert_eq!(world.drive(RunId(1)).unwrap(), RunState::Succeeded);
    assert_eq!(world.journal.all(), before);
    let commit = world.view(1).commit(&name("rows")).cloned().unwrap();
    assert!(matches!(commit.outputs[&port("table")], Artifact::Table(_)));
    assert_eq!(commit.receipt.wall_us, 7);
}

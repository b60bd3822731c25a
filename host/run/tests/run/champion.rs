//! A step that answers with a registered version: looked up once, gone through step by step, and absent on a first run.

use crate::course::good;
use crate::fakes::{FakeBlobs, World};
use crate::plans::{closed, gate_on, measures, name, natural, output, outputs, port, step, whole};
use plan::{Baseline, Plan, Work};
use ports::{Answer, Call, Task};
use run::{Choice, RunEvent, Status};
use std::sync::{Arc, Mutex};
use types::{Artifact, Bound, Fault, Id, ModelName, Outcome, Record, Requirement, RunState, Verdict};

fn model() -> ModelName {
    ModelName::parse("spam").unwrap()
}

/// The whole plan, whose model is compared with the champion on the rows that were split off.
fn compared() -> Plan {
    let mut plan = closed(whole(0.5));
    let (rows, alias) = (output("split.test"), "champion".to_owned());
    let champion = Work::PredictWith { rows, model: model(), alias: alias.clone(), chosen: None };
    let mut champion = step("champion", champion, &["table"]);
    champion.grants = types::Grants::default();
    let at = plan.steps.iter().position(|step| step.name == name("evaluate")).unwrap();
    plan.steps.insert(at, champion);
    for step in &mut plan.steps {
        if let Work::Evaluate { baseline, .. } = &mut step.work {
            *baseline = Some(output("champion.table"));
        }
        if step.name == name("gate") {
            let require =
                vec![Requirement::new("auc", Bound::AtLeast(0.5)), Requirement::new("auc", Bound::NotWorseBy(0.05))];
            step.work =
                gate_on(require, Some(Baseline { step: name("champion"), model: model(), alias: alias.clone() }));
        }
    }
    plan
}

/// What was asked of workers for the step `champion`, in order.
type Asked = Arc<Mutex<Vec<Task>>>;

fn answer(asked: &Asked, who: &str, call: &Call, world: &FakeBlobs) -> Result<Answer, Fault> {
    if who == "champion" {
        asked.lock().unwrap().push(call.assignment.task.clone());
    }
    match &call.assignment.task {
        Task::Apply { inputs, .. } => Ok(outputs([("table", Artifact::Table(inputs[&port("table")].clone()))])),
        Task::Evaluate { baseline: Some(_), .. } => {
            let Artifact::Measures { measures: mut found } = measures(0.9) else { panic!("no measures") };
            found[0].baseline_value = Some(0.9);
            found[0].difference_interval = Some(types::Interval { low: -0.01, high: 0.02 });
            Ok(outputs([("measures", Artifact::Measures { measures: found })]))
        }
        _ => natural(call, world),
    }
}

fn world(records: Vec<Record>, blobs: Option<Arc<FakeBlobs>>) -> (World, Asked) {
    let asked = Asked::default();
    let blobs = blobs.unwrap_or_else(|| Arc::new(FakeBlobs::create()));
    let (heard, kept) = (Arc::clone(&asked), Arc::clone(&blobs));
    let world = World::after(records, blobs, move |who, call, _, watch| match &call.assignment.task {
        Task::Collect { .. } => good(call, watch, &kept),
        _ => answer(&heard, who, call, &kept),
    });
    (world, asked)
}

fn verdict(world: &World, run: u64) -> Verdict {
    match world.view(run).output(&output("gate.verdict")) {
        Some(Artifact::Verdict(verdict)) => verdict.clone(),
        other => panic!("no verdict: {other:?}"),
    }
}

#[test]
fn a_first_run_says_that_there_is_no_baseline_and_registers() {
    let (world, asked) = world(Vec::new(), None);
    assert_eq!(world.run(&compared()), RunState::Succeeded);
    let view = world.view(1);
    let Status::Skipped { because } = view.status(&name("champion")) else { panic!("it ran") };
    assert_eq!(because, "no version of model `spam` is `champion`");
    assert_eq!(*view.choice(&name("champion")), Choice::Nobody);
    let verdict = verdict(&world, 1);
    assert_eq!((verdict.outcome(), verdict.passed), (Outcome::NoBaseline, true));
    assert!(verdict.sentence.contains("no version of spam is champion yet"), "{}", verdict.sentence);
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn a_later_run_asks_the_version_that_is_champion_when_the_step_begins() {
    let (world, asked) = world(Vec::new(), None);
    world.run(&compared());
    assert_eq!(world.run(&compared()), RunState::Succeeded);
    let tasks: Vec<&str> = asked.lock().unwrap().iter().map(word).collect();
    assert_eq!(tasks, ["apply", "predict"], "its scaler, then its predictor");
    let verdict = verdict(&world, 2);
    assert_eq!((verdict.outcome(), verdict.against.unwrap().version), (Outcome::Pass, Some(1)));
    let told =
        world.events.lock().unwrap().iter().any(
            |event| matches!(event, RunEvent::VersionChosen { version: Some(1), alias, .. } if alias == "champion"),
        );
    assert!(told);
    // Version 2 is champion now, and the same bytes answer: nothing is asked again.
    assert_eq!(world.run(&compared()), RunState::Succeeded);
    assert_eq!(asked.lock().unwrap().len(), 2);
    let Choice::Version(chosen) = world.view(3).choice(&name("champion")).clone() else { panic!("none chosen") };
    assert_eq!(chosen.version, 2);
    assert!(
        matches!(world.view(3).commit(&name("champion")).unwrap().taken, Some(types::Taken::Cache { run }) if run.0 == 2)
    );
}

fn word(task: &Task) -> &'static str {
    match task {
        Task::Apply { .. } => "apply",
        Task::Predict { .. } => "predict",
        _ => "other",
    }
}

#[test]
fn a_resumed_run_keeps_the_version_that_it_looked_up() {
    let (first, _) = world(Vec::new(), None);
    first.run(&compared());
    let run = first.start(&compared()).unwrap();
    let mut records = first.journal.all();
    let version = records.iter().find_map(|record| match record {
        Record::VersionRegistered { version, .. } => Some(version.as_ref().clone()),
        _ => None,
    });
    let mut other = types::Chosen::of(version.unwrap(), "champion");
    other.version = 77;
    records.push(Record::VersionChosen { run, step: name("champion"), chosen: Some(Box::new(other)) });
    let (second, _) = world(records, Some(Arc::clone(&first.blobs)));
    assert_eq!(second.drive(run).unwrap(), RunState::Succeeded);
    let Choice::Version(chosen) = second.view(run.0).choice(&name("champion")).clone() else { panic!("none chosen") };
    assert_eq!(chosen.version, 77);
}

#[test]
fn rows_without_a_requests_columns_are_the_users_fault() {
    let (first, _) = world(Vec::new(), None);
    first.run(&compared());
    let mut records = first.journal.all();
    for record in &mut records {
        if let Record::VersionRegistered { version, .. } = record {
            version.request[0].name = "y".to_owned();
        }
    }
    let (second, _) = world(records, Some(Arc::clone(&first.blobs)));
    assert_eq!(second.run(&compared()), RunState::Failed);
    let Status::Failed { fault } = second.view(2).status(&name("champion")).clone() else { panic!("it did not fail") };
    assert_eq!(fault.kind, types::FaultKind::Invalid);
    let expected = "step `champion` (plugin `net`): version 1 of model `spam` needs the columns `y` int64";
    assert_eq!(fault.message, expected);
}

#[test]
fn only_a_version_that_is_not_there_lets_the_evaluator_do_without() {
    let (world, _) = world(Vec::new(), None);
    let mut plan = compared();
    plan.steps.iter_mut().filter(|step| step.name == name("champion")).for_each(|step| {
        step.when = vec![types::Condition::Text { text: "a".to_owned(), is: "b".to_owned() }];
    });
    world.run(&plan);
    assert!(matches!(world.view(1).status(&name("evaluate")), Status::Skipped { .. }));
}

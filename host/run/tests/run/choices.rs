//! The pure leaves: what to do next, and the call for a step.

use crate::fakes::World;
use crate::plans::{collect, inputs, name, natural, plan, plugin, port, step, stored, whole};
use plan::{Plan, Work};
use ports::{Answer, Delivery, Page, Task};
use run::{Action, Circumstances, RunView, Stop, call_for, decide, ready_steps};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use types::{Attempt, Fault, FaultKind, Receipt, Record, RunId, RunState, StepName};

/// `rows`, and three steps that take from it.
fn fan() -> Plan {
    let of = |text: &str| {
        let work = Work::Transform { plugin: plugin("sql"), inputs: inputs(&[("rows", "rows.table")]) };
        step(text, work, &["train:x", "test:x"])
    };
    plan(vec![collect(), of("c"), of("a"), of("b")])
}

/// The view of a whole run of this plan, up to the commit of its first step.
fn after_rows(plan: &Plan) -> (World, RunView) {
    let blobs: Arc<OnceLock<_>> = Arc::default();
    let theirs = blobs.clone();
    let world = World::new(move |_, call, _, watch| {
        let blobs: &Arc<crate::fakes::FakeBlobs> = theirs.get().unwrap();
        let Task::Collect { .. } = call.assignment.task else { return natural(call, blobs) };
        watch.page(Page { table: stored(&[1], blobs), cursor: "01".to_owned(), more: false, restarted: false })?;
        Ok(Answer::Collected)
    });
    let _ = blobs.set(world.blobs.clone());
    world.run(plan);
    let records = world.journal.all();
    let commit = records.iter().position(|record| matches!(record, Record::StepCommitted { .. })).unwrap();
    let view = RunView::of(&records[..=commit]);
    (world, view)
}

fn decided(plan: &Plan, view: &RunView, running: &[&str], slots: usize, stop: Option<Stop>) -> Vec<Action> {
    let running: BTreeSet<StepName> = running.iter().map(|step| name(step)).collect();
    decide(plan, view, &Circumstances { running: &running, slots, now_us: 1_000, deadline_us: None, stop })
}

#[test]
fn ready_steps_start_in_plan_order_as_slots_allow() {
    let plan = fan();
    let (_world, view) = after_rows(&plan);
    let start = |steps: &[&str]| steps.iter().map(|step| Action::Start(name(step))).collect::<Vec<_>>();
    assert_eq!(ready_steps(&plan, &view), ["c", "a", "b"].map(name));
    assert_eq!(decided(&plan, &RunView::default(), &[], 9, None), start(&["rows"]));
    assert_eq!(decided(&plan, &view, &[], 2, None), start(&["c", "a"]));
    assert_eq!(decided(&plan, &view, &["c"], 2, None), start(&["a"]));
    assert_eq!(decided(&plan, &view, &["c", "a"], 2, None), []);
    assert_eq!(decided(&plan, &view, &[], 0, None), start(&["c"]), "a run always goes on");
    assert_eq!(decided(&plan, &view, &["c"], 9, Some(Stop::Cancel)), []);
    assert_eq!(decided(&plan, &view, &[], 9, Some(Stop::Cancel)), [Action::Finish(RunState::Cancelled, None)]);
    assert_eq!(decided(&plan, &view, &[], 9, Some(Stop::Leave)), [Action::Leave]);
}

#[test]
fn a_step_that_waits_for_another_try_lets_others_pass() {
    let plan = fan();
    let (_world, mut view) = after_rows(&plan);
    let fault = Fault::new(FaultKind::Transient { retry_after_ms: 2_000 }, "not now");
    let (run, attempt, receipt) = (RunId(1), Attempt(1), Receipt::default());
    view.apply(&Record::AttemptFailed {
        run,
        step: name("c"),
        attempt,
        fault,
        receipt,
        at_us: 500,
        retry_at_us: Some(2_000_500),
    });
    let expected = [Action::Start(name("a")), Action::WakeAt(2_000_500)];
    assert_eq!(decided(&plan, &view, &[], 1, None), expected);
}

#[test]
fn records_of_other_runs_and_after_the_end_change_nothing() {
    let plan = fan();
    let (world, view) = after_rows(&plan);
    let mut other = view.clone();
    other.apply(&Record::StepSkipped { run: RunId(2), step: name("a"), because: "no".to_owned() });
    other.apply(&Record::StepSkipped { run: RunId(1), step: name("rows"), because: "no".to_owned() });
    assert_eq!(other, view);
    let whole = world.view(1);
    let mut ended = whole.clone();
    ended.apply(&Record::RunFinished { run: RunId(1), state: RunState::Failed, at_us: 0, because: None });
    assert_eq!(ended, whole);
}

#[test]
fn a_call_says_who_what_and_what_it_may() {
    let plan = whole(0.8);
    let (world, early) = after_rows(&plan);
    let view = world.view(1);
    let call = |step: &str| {
        call_for(plan.step(&name(step)).unwrap(), &view, &world.tenant, Path::new("/project"), 0, Some("0a".to_owned()))
    };
    let scale = call("scale").unwrap();
    assert_eq!(scale.who, "step `scale` (plugin `scale`)");
    assert_eq!((scale.base.as_path(), scale.grants), (Path::new("/project"), crate::plans::grants()));
    assert_eq!(scale.assignment.logical_time_us, view.head.as_ref().unwrap().logical_time_us);
    let Task::Fit { fit: Some(_), inputs, .. } = scale.assignment.task else { panic!("expected a fit") };
    assert_eq!(inputs.into_keys().collect::<Vec<_>>(), [port("test"), port("train")]);
    assert_eq!(call("rows").unwrap().assignment.task, Task::Collect { cursor: Some("0a".to_owned()) });
    assert!(matches!(call("predict").unwrap().assignment.task, Task::Predict { model, .. } if model.len() == 1));
    assert_eq!(call("gate").unwrap_err().message, "step `gate` has no plugin to call");
    let Work::Predict { rows, .. } = &plan.step(&name("predict")).unwrap().work else {
        panic!("expected a prediction")
    };
    let work = Work::Deliver { plugin: plugin("warehouse"), what: rows.clone(), trainer: None };
    let out = call_for(&crate::plans::step("out", work, &["delivered"]), &view, &world.tenant, Path::new("/"), 0, None);
    let Task::Deliver { key, delivery: Delivery::Table { .. } } = out.unwrap().assignment.task else {
        panic!("expected a delivery")
    };
    assert_eq!(key, "default/fit/1/out");
    let missing = call_for(plan.step(&name("scale")).unwrap(), &early, &world.tenant, Path::new("/project"), 0, None)
        .unwrap_err();
    let expected = "step `scale` (plugin `scale`) takes a table from `split.train`, where there is nothing";
    assert_eq!(missing.message, expected);
}

//! What an earlier run made stands for what a step would make: when it would be the same, when it is still there, and never else.

use crate::course::{versions, world};
use crate::fakes::World;
use crate::plans::{closed, name, output, plugin, step, whole};
use plan::{Plan, Work};
use ports::Blobs;
use run::RunEvent;
use std::sync::Arc;
use types::{Artifact, Device, RunId, RunState, Taken};

/// Steps of which nothing depends on the world.
const PURE: [&str; 6] = ["check", "split", "scale", "train", "predict", "evaluate"];

fn calls(world: &World) -> Vec<u32> {
    PURE.iter().map(|step| world.calls(step)).collect()
}

fn change(plan: &Plan, of: &str, change: impl FnOnce(&mut plan::PlannedStep)) -> Plan {
    let mut plan = plan.clone();
    change(plan.steps.iter_mut().find(|step| step.name == name(of)).unwrap());
    plan
}

fn parameter(step: &mut plan::PlannedStep, value: i64) {
    let (Work::Fit { plugin, .. } | Work::Train { plugin, .. } | Work::Transform { plugin, .. }) = &mut step.work
    else {
        panic!("`{}` has no parameters here", step.name)
    };
    plugin.parameters["depth"] = value.into();
}

#[test]
fn the_same_work_is_done_once() {
    let world = world(|_, _, _| None);
    let plan = closed(whole(0.8));
    assert_eq!(world.run(&plan), RunState::Succeeded);
    assert_eq!(world.run(&plan), RunState::Succeeded);
    assert_eq!(calls(&world), [1; 6]);
    assert_eq!(world.calls("rows"), 2, "the world is asked anew");
    let second = world.view(2);
    let commit = second.commit(&name("train")).unwrap();
    assert_eq!(commit.taken, Some(Taken::Cache { run: RunId(1) }));
    assert_eq!(commit.outputs, world.view(1).commit(&name("train")).unwrap().outputs);
    let records = world.journal.all();
    let versions = versions(&records);
    assert_eq!((versions.len(), versions[0].digest), (2, versions[1].digest), "each run registers what it made");
}

#[test]
fn what_differs_is_done_again_and_what_follows_only_if_it_gets_something_else() {
    let world = world(|_, _, _| None);
    let plan = closed(whole(0.8));
    world.run(&plan);
    // It gives what it gave before, so those after it have nothing new.
    world.run(&change(&plan, "scale", |step| parameter(step, 3)));
    assert_eq!(calls(&world), [1, 1, 2, 1, 1, 1]);
    world.run(&change(&plan, "train", |step| step.seed = 8));
    assert_eq!(calls(&world), [1, 1, 2, 2, 1, 1]);
    world.run(&change(&plan, "predict", |step| step.limits.memory_bytes += 1));
    assert_eq!(calls(&world), [1, 1, 2, 2, 2, 1], "a plugin may make do with less where it meets a limit");
    world.run(&change(&plan, "predict", |step| {
        step.limits.memory_bytes += 1;
        step.limits.device_memory_bytes += 1;
    }));
    assert_eq!(calls(&world), [1, 1, 2, 2, 2, 1], "what has no GPU meets no limit of one");
    world.run(&change(&plan, "train", |step| step.device = Device::Cuda(0)));
    assert_eq!(calls(&world), [1, 1, 2, 3, 2, 1], "two devices do not give the same bits");
    world.run(&change(&plan, "train", |step| step.device = Device::Cuda(1)));
    assert_eq!(calls(&world), [1, 1, 2, 3, 2, 1], "two of a class do");
    world.run(&change(&plan, "train", |step| {
        step.device = Device::Cuda(0);
        step.limits.device_memory_bytes += 1;
    }));
    assert_eq!(calls(&world), [1, 1, 2, 4, 2, 1], "and what has one meets it");
    world.run(&change(&plan, "evaluate", |step| {
        let Work::Evaluate { plugin, .. } = &mut step.work else { panic!() };
        plugin.component = types::Digest::of(b"another");
    }));
    assert_eq!(calls(&world), [1, 1, 2, 4, 2, 2]);
}

/// What it goes on from may hold what an earlier attempt saw of the time.
#[test]
fn what_was_gone_on_with_stands_for_nothing() {
    let world = world(|step, before, watch| {
        (step == "train" && before == 0).then(|| {
            watch.checkpoint(b"half way".to_vec())?;
            Err(types::Fault::new(types::FaultKind::Crash, "its worker died"))
        })
    });
    let plan = closed(whole(0.8));
    world.run(&plan);
    assert_eq!(world.view(1).commit(&name("train")).unwrap().key, None);
    world.run(&plan);
    assert_eq!(world.calls("train"), 3);
    assert!(world.view(2).commit(&name("train")).unwrap().key.is_some());
}

#[test]
fn a_step_that_says_no_or_is_granted_something_is_always_done() {
    for forbidden in [
        (|step: &mut plan::PlannedStep| step.cache = false) as fn(&mut plan::PlannedStep),
        |step| step.grants = crate::plans::grants(),
        |step| step.grants.clock = true,
    ] {
        let world = world(|_, _, _| None);
        let plan = change(&closed(whole(0.8)), "split", forbidden);
        world.run(&plan);
        world.run(&plan);
        assert_eq!(calls(&world), [1, 2, 1, 1, 1, 1]);
    }
}

#[test]
fn what_is_gone_or_altered_is_made_again() {
    let world = world(|_, _, _| None);
    let plan = closed(whole(0.8));
    world.run(&plan);
    let view = world.view(1);
    let model = view.output(&output("train.model")).unwrap();
    let weights = world.blobs.path(&world.tenant, model.blobs()[0]).unwrap();
    std::fs::remove_file(&weights).unwrap();
    world.run(&plan);
    assert_eq!(world.calls("train"), 2);
    std::fs::write(&weights, b"weightz").unwrap();
    world.run(&plan);
    assert_eq!(world.calls("train"), 3);
    assert_eq!(std::fs::read(&weights).unwrap(), b"weights");
    assert!(world.events.lock().unwrap().iter().any(|event| matches!(
        event, RunEvent::CacheMissed { because, .. } if because.contains("what run 1 made of it is not kept")
    )));
}

/// The clock leaps at every reading, so each run has its own logical time.
#[test]
fn who_looked_at_the_logical_time_looks_again_at_another() {
    let world = world(|_, _, _| None);
    let mut plan = closed(whole(0.8));
    let work = Work::Transform { plugin: plugin("split"), inputs: crate::plans::inputs(&[("rows", "check.table")]) };
    let mut clocked = step("clocked", work, &["train:x", "test:x"]);
    // Other work than that of `split`, which does not look.
    (clocked.grants, clocked.seed) = (types::Grants::default(), 8);
    plan.steps.push(clocked);
    world.run(&plan);
    world.run(&plan);
    assert_eq!((world.calls("clocked"), world.calls("split")), (2, 1));
}

#[test]
fn a_miss_says_what_differs_from_the_run_before() {
    let world = world(|_, _, _| None);
    let plan = closed(whole(0.8));
    world.run(&plan);
    let run = world.start(&change(&plan, "scale", |step| parameter(step, 3))).unwrap();
    let missed = Arc::new(std::sync::Mutex::new(Vec::new()));
    let misses = Arc::clone(&missed);
    let observer = move |event: &RunEvent| {
        if let RunEvent::CacheMissed { step, because } = event {
            misses.lock().unwrap().push(format!("{step}: {because}"));
        }
    };
    world.dispatcher.drive(&world.tenant, run, Arc::new(observer), Default::default(), Some(RunId(1))).unwrap();
    assert_eq!(*missed.lock().unwrap(), ["scale: other than in run 1: parameter `depth`"]);
}

#[test]
fn a_run_that_goes_on_from_another_has_what_that_one_had() {
    let world = world(|_, _, _| None);
    let plan = whole(0.8);
    world.run(&plan);
    let view = world.view(1);
    let kept = ["rows", "check", "split", "scale"].map(|step| {
        let commit = view.commit(&name(step)).unwrap().clone();
        types::StepCommit { taken: Some(Taken::Rerun { run: RunId(1) }), ..commit }
    });
    let begin = run::Begin { taken: kept.to_vec(), ..run::Begin::manual(&plan, std::path::Path::new("/project")) };
    let run = world.dispatcher.start(&world.tenant, begin, &|event| world.hear(event)).unwrap().run;
    assert_eq!(world.drive(run).unwrap(), RunState::Succeeded);
    assert_eq!((world.calls("rows"), world.calls("scale"), world.calls("train")), (1, 1, 2));
    assert!(matches!(world.view(2).output(&output("scale.train")), Some(Artifact::Table(_))));
}

//! An attempt that is granted nothing runs while the record of its start is on its way to the disk; what it says waits for that.

use crate::course::{good, world};
use crate::fakes::{FakeBlobs, FakeJournal, LeapingClock, World};
use crate::plans::{closed, essence, inputs, name, plan, plugin, step, whole};
use plan::{Plan, Work};
use ports::Watched;
use run::RunEvent;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use types::{Id, Record, RunId, RunState};

fn starts(step: &str) -> impl Fn(&Record) -> bool {
    move |record| matches!(record, Record::AttemptStarted { step: started, .. } if started.as_str() == step)
}

/// A world in which the disk takes the start of `split` once its attempt runs, or after `most`; the script says that it runs.
fn slow_disk(most: Duration, says: impl Fn(&World) + Send + Sync + 'static) -> (Arc<World>, Receiver<bool>) {
    let (running, runs) = channel();
    let (runs, (tell, waited)) = (Mutex::new(runs), channel());
    let mut journal = FakeJournal::of(Vec::new());
    journal.before = Box::new(move |records| {
        if records.iter().any(starts("split")) {
            let _ = tell.send(runs.lock().unwrap().recv_timeout(most).is_ok());
        }
    });
    let (blobs, themselves) = (Arc::new(FakeBlobs::create()), Arc::new(Mutex::new(std::sync::Weak::<World>::new())));
    let (theirs, found) = (blobs.clone(), themselves.clone());
    let world = World::with(journal, blobs, LeapingClock::by(1), move |step, call, _, watch| {
        if step == "split" {
            let _ = running.send(());
            watch.hear(Watched::Log { level: "info".to_owned(), message: "here".to_owned() });
            says(&found.lock().unwrap().upgrade().unwrap());
        }
        good(call, watch, &theirs)
    });
    let world = Arc::new(world);
    *themselves.lock().unwrap() = Arc::downgrade(&world);
    (world, waited)
}

#[test]
fn what_is_granted_nothing_runs_ahead_of_its_record_but_is_heard_behind_it() {
    let (world, waited) = slow_disk(Duration::from_secs(60), |world| {
        assert!(world.journal.all().iter().any(starts("split")), "it was heard before its record was written");
    });
    assert_eq!(world.run(&closed(whole(0.8))), RunState::Succeeded);
    assert!(waited.recv().unwrap(), "it waited for its record");
    let events = world.events.lock().unwrap();
    let at = |wanted: fn(&RunEvent) -> bool| events.iter().position(wanted).unwrap();
    let started = at(|event| matches!(event, RunEvent::StepStarted { step, .. } if *step == name("split")));
    let heard = at(|event| matches!(event, RunEvent::Log { .. }));
    let committed = at(|event| matches!(event, RunEvent::StepCommitted { step, .. } if *step == name("split")));
    assert!(started < heard && heard < committed);
}

#[test]
fn what_has_a_door_waits_for_its_record() {
    let (world, waited) =
        slow_disk(Duration::from_millis(300), |world| assert!(world.journal.all().iter().any(starts("split"))));
    assert_eq!(world.run(&whole(0.8)), RunState::Succeeded);
    assert!(!waited.recv().unwrap(), "it began before its record was written");
}

/// One step after the other, and then 20 beside each other.
fn many() -> Plan {
    let leaf = |number: usize| {
        let (leaf, inputs) = (format!("leaf-{number}"), inputs(&[("rows", "split.train")]));
        step(&leaf, Work::Transform { plugin: plugin(&leaf), inputs }, &["train:x", "test:x"])
    };
    let mut steps = whole(0.8).steps;
    steps.extend((0..20).map(leaf));
    closed(plan(steps))
}

#[test]
fn wherever_the_disk_is_lost_the_run_goes_on_from_there() {
    let first = world(|_, _, _| None);
    assert_eq!(first.run(&many()), RunState::Succeeded);
    let (expected, length) = (essence(&first.view(1)), first.journal.all().len());
    for room in 1..length {
        let broken = world(|_, _, _| None);
        broken.journal.room.store(room, std::sync::atomic::Ordering::Relaxed);
        let Ok(run) = broken.start(&many()) else { continue };
        assert!(broken.drive(run).unwrap_err().message.contains("the disk is gone"), "{room}");
        let told = |event: &&RunEvent| matches!(event, RunEvent::StepCommitted { .. });
        let committed =
            |record: &&Record| matches!(record, Record::StepCommitted { .. } | Record::VersionRegistered { .. });
        let (told, kept) = (broken.events.lock().unwrap().iter().filter(told).count(), broken.journal.all());
        assert_eq!(told, kept.iter().filter(committed).count(), "{room}: what is told is on disk");
        let blobs = broken.blobs.clone();
        let next = World::after(kept, broken.blobs.clone(), move |_, call, _, watch| good(call, watch, &blobs));
        assert_eq!(next.drive(RunId(1)).unwrap(), RunState::Succeeded, "{room}");
        assert_eq!(essence(&next.view(1)), expected, "{room}");
    }
}

#[test]
fn a_loop_that_panics_lets_its_threads_go() {
    for wanted in ["run_finished", "step_committed"] {
        let world = world(|_, _, _| None);
        let run = world.start(&closed(whole(0.8))).unwrap();
        let says = Arc::new(move |event: &RunEvent| assert!(serde_json::to_value(event).unwrap()["event"] != wanted));
        let drive = || world.dispatcher.drive(&world.tenant, run, says, world.cancel.clone(), None);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(drive));
        assert!(ended.is_err() || ended.is_ok_and(|driven| driven.is_err()), "{wanted}");
    }
}

#[test]
fn nobody_ends_a_run_between_its_record_and_its_loop() {
    let world = world(|_, _, _| None);
    let plan = closed(whole(0.8));
    let begin = run::Begin::manual(&plan, std::path::Path::new("/project"));
    let begun = world.dispatcher.start(&world.tenant, begin, &|_| {}).unwrap();
    let run = begun.run;
    let refused = world.dispatcher.cancel(&world.tenant, run, &|_| {}).unwrap_err();
    assert!(refused.message.contains("being driven"), "{refused}");
    let state = world
        .dispatcher
        .drive_begun(&world.tenant, begun, Arc::new(|_: &RunEvent| {}), world.cancel.clone(), None)
        .unwrap();
    assert_eq!(state, RunState::Succeeded);
    assert_eq!(world.dispatcher.cancel(&world.tenant, run, &|_| {}), Ok(RunState::Succeeded), "it is free again");
}

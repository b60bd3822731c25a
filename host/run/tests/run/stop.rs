//! Stopped from outside: cancelled for good, or left for the next server.

use crate::course::{good, world};
use crate::fakes::{FakeBlobs, FakeJournal, LeapingClock, World};
use crate::plans::{name, whole};
use ports::Watch;
use run::{CancelToken, RunEvent, Status};
use std::sync::Arc;
use types::{Fault, FaultKind, RunId, RunState};

fn until_cancelled(watch: &dyn Watch) -> Fault {
    while !watch.cancelled() {
        std::thread::yield_now();
    }
    Fault::new(FaultKind::Cancelled, "cancelled")
}

/// Trains until somebody says stop, the first time.
fn stopped(stop: fn(&CancelToken)) -> (World, RunState) {
    let world = world(|step, before, watch| (step == "train" && before == 0).then(|| Err(until_cancelled(watch))));
    let run = world.start(&whole(0.8)).unwrap();
    let (hear, cancel) = (world.ear(), world.cancel.clone());
    let stop_at_training = move |event: &RunEvent| {
        hear(event);
        if matches!(event, RunEvent::StepStarted { step, .. } if *step == name("train")) {
            stop(&cancel);
        }
    };
    let state = world.driven(run, Arc::new(stop_at_training)).unwrap();
    (world, state)
}

#[test]
fn a_cancelled_run_ends_with_its_attempt() {
    let (world, state) = stopped(CancelToken::cancel);
    assert_eq!(state, RunState::Cancelled);
    let view = world.view(1);
    assert_eq!(view.ended, Some(RunState::Cancelled));
    assert!(view.commit(&name("scale")).is_some());
    assert_eq!(view.status(&name("predict")), &Status::Waiting);
}

#[test]
fn a_cancelled_run_stays_cancelled_after_a_crash() {
    let (world, _) = stopped(CancelToken::cancel);
    let mut records = world.journal.all();
    records.pop();
    let next = World::after(records, world.blobs.clone(), |step, _, _, _| panic!("`{step}` was called"));
    assert_eq!(next.drive(RunId(1)).unwrap(), RunState::Cancelled);
}

#[test]
fn a_run_that_was_left_is_cancelled_without_going_on() {
    let (world, _) = stopped(CancelToken::leave);
    let cancel = || world.dispatcher.cancel(&world.tenant, RunId(1), &|event| world.hear(event));
    assert_eq!(cancel(), Ok(RunState::Cancelled));
    assert_eq!((world.view(1).ended, world.calls("train")), (Some(RunState::Cancelled), 1));
    let ends =
        || world.events.lock().unwrap().iter().filter(|event| matches!(event, RunEvent::RunFinished { .. })).count();
    assert_eq!((cancel(), ends()), (Ok(RunState::Cancelled), 1), "once");
    assert_eq!(world.drive(RunId(1)), Ok(RunState::Cancelled));
    assert!(world.dispatcher.cancel(&world.tenant, RunId(7), &|_| {}).is_err());
}

/// The answer was given, and the server died before an attempt heard of it.
#[test]
fn a_wish_to_cancel_survives_a_crash() {
    let world = world(|_, _, _| None);
    let run = world.start(&whole(0.8)).unwrap();
    world.journal.records.lock().unwrap().push(types::Record::CancelAsked { run, at_us: 7 });
    assert_eq!(world.drive(run), Ok(RunState::Cancelled));
    assert_eq!(world.calls("rows"), 0);
}

#[test]
fn a_run_that_was_left_goes_on_in_the_next_server() {
    let (world, state) = stopped(CancelToken::leave);
    assert_eq!((state, world.view(1).ended), (RunState::Running, None));
    let state = world.dispatcher.drive(&world.tenant, RunId(1), world.ear(), CancelToken::default(), None);
    assert_eq!(state, Ok(RunState::Succeeded));
    assert_eq!((world.calls("scale"), world.calls("train")), (1, 2));
    assert!(world.events.lock().unwrap().iter().any(|event| matches!(event, RunEvent::RunResumed { .. })));
}

#[test]
fn a_run_that_waits_for_a_retry_hears_of_it() {
    // This clock stands still: without the token's word the loop would wait five minutes.
    let blobs = Arc::new(FakeBlobs::create());
    let theirs = blobs.clone();
    let script = move |step: &str, call: &ports::Call, _: u32, watch: &dyn Watch| match step {
        "train" => Err(Fault::new(FaultKind::Transient { retry_after_ms: 300_000 }, "not now")),
        _ => good(call, watch, &theirs),
    };
    let world = World::with(FakeJournal::of(Vec::new()), blobs, LeapingClock::by(0), script);
    let run = world.start(&whole(0.8)).unwrap();
    let (failed, hears) = std::sync::mpsc::channel();
    let state = std::thread::scope(|scope| {
        let cancel = world.cancel.clone();
        scope.spawn(move || hears.recv().map(|()| cancel.cancel()));
        let observer = move |event: &RunEvent| {
            if matches!(event, RunEvent::StepFailed { .. }) {
                failed.send(()).unwrap();
            }
        };
        world.driven(run, Arc::new(observer))
    });
    assert_eq!(state.unwrap(), RunState::Cancelled);
}

#[test]
fn a_run_is_driven_once_at_a_time() {
    let world = Arc::new(world(|_, _, _| None));
    let run = world.start(&whole(0.8)).unwrap();
    let second = Arc::new(std::sync::Mutex::new(None));
    let (theirs, again) = (Arc::clone(&world), Arc::clone(&second));
    let observer = move |_: &RunEvent| {
        again.lock().unwrap().get_or_insert_with(|| theirs.drive(run));
    };
    world.dispatcher.drive(&world.tenant, run, Arc::new(observer), CancelToken::default(), None).unwrap();
    let refused = second.lock().unwrap().take().unwrap().unwrap_err();
    assert_eq!(refused.message, "run 1 is being driven already");
}

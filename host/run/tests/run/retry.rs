//! Another try: for what the world did, and once for a worker that died.

use crate::course::world;
use crate::plans::{name, whole};
use run::RunEvent;
use types::{Fault, FaultKind, RunState};

#[test]
fn only_what_may_pass_is_tried_again() {
    let transient = || FaultKind::Transient { retry_after_ms: 90_000 };
    for (kind, failing, attempts, state) in [
        (transient(), 1, 2, RunState::Succeeded),
        (transient(), 2, 3, RunState::Succeeded),
        (transient(), 9, 3, RunState::Failed),
        (FaultKind::Crash, 1, 2, RunState::Succeeded),
        (FaultKind::Crash, 9, 2, RunState::Failed),
        (FaultKind::Invalid, 1, 1, RunState::Failed),
        (FaultKind::Guest, 1, 1, RunState::Failed),
        (FaultKind::Denied, 1, 1, RunState::Failed),
        (FaultKind::Host, 1, 1, RunState::Failed),
    ] {
        let fails = kind.clone();
        let world = world(move |step, before, _| {
            (step == "train" && before < failing).then(|| Err(Fault::new(fails.clone(), "not now")))
        });
        assert_eq!(world.run(&whole(0.8)), state, "{kind:?}");
        assert_eq!(world.calls("train"), attempts, "{kind:?}");
        assert_eq!(world.view(1).steps[&name("train")].attempts, attempts, "{kind:?}");
    }
}

#[test]
fn the_next_attempt_is_told_with_its_time() {
    let kind = FaultKind::Transient { retry_after_ms: 90_000 };
    let world = world(move |step, before, _| {
        (step == "train" && before == 0).then(|| Err(Fault::new(kind.clone(), "not now")))
    });
    world.run(&whole(0.8));
    let events = world.events.lock().unwrap();
    let delay = events.iter().find_map(|event| match event {
        RunEvent::StepFailed { retry_at_us: Some(due), at_us, .. } => Some(due - at_us),
        _ => None,
    });
    assert_eq!(delay, Some(90_000_000));
}

#[test]
fn a_runner_that_panics_is_our_bug_and_ends_the_step() {
    let world = world(|step, _, _| (step == "train").then(|| panic!("a bug")));
    assert_eq!(world.run(&whole(0.8)), RunState::Failed);
    let failure = &world.view(1).steps[&name("train")].failures[0];
    assert_eq!(failure.fault.kind, FaultKind::Host);
}

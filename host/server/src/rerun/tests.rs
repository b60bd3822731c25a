//! A pipeline of a collector, a transformer, a trainer and a sink, and what runs from its middle take.

use super::*;
use crate::samples::{committed, name, plan, view};
use types::{Attempt, Fault, Record};

const RUN: RunId = RunId(4);

fn names(commits: &[StepCommit]) -> Vec<&str> {
    commits.iter().map(|commit| commit.step.as_str()).collect()
}

/// A run of [`plan`] in which these committed.
fn after(steps: &[&str]) -> RunView {
    view(RUN, steps.iter().map(|step| committed(RUN, step)).collect())
}

#[test]
fn what_is_not_behind_the_step_is_taken() {
    let all = after(&["rows", "other", "clean", "model", "sent"]);
    for (from, expected) in [
        ("rows", vec!["other"]),
        ("other", vec!["clean", "model", "rows", "sent"]),
        ("clean", vec!["other", "rows"]),
        ("sent", vec!["clean", "model", "other", "rows"]),
    ] {
        let taken = before(&plan(), &all, RUN, &name(from)).unwrap().taken;
        assert_eq!(names(&taken), expected, "from {from}");
        assert!(taken.iter().all(|commit| commit.taken == Some(Taken::Rerun { run: RUN }) && commit.key.is_none()));
    }
}

#[test]
fn a_step_before_it_must_have_committed_and_no_other() {
    let text = |view: &RunView, from: &str| before(&plan(), view, RUN, &name(from)).unwrap_err().to_string();
    assert_eq!(
        names(&before(&plan(), &after(&["rows", "clean"]), RUN, &name("model")).unwrap().taken),
        ["clean", "rows"]
    );
    let said = text(&after(&["other"]), "model");
    assert!(said.contains("before it `rows`, `clean` did not commit"), "{said}");
    let said = text(&after(&[]), "modle");
    assert!(said.contains("no step `modle`; did you mean `model`?"), "{said}");
}

#[test]
fn items_go_with_their_step() {
    let with_items = after(&["rows", "clean@0", "clean@1", "clean"]);
    let taken = before(&plan(), &with_items, RUN, &name("model")).unwrap().taken;
    assert_eq!(names(&taken), ["clean", "clean@0", "clean@1", "rows"]);
    assert_eq!(names(&before(&plan(), &with_items, RUN, &name("clean")).unwrap().taken), ["rows"]);
}

#[test]
fn the_outside_world_is_taken_from_the_recording() {
    let mut granted = plan();
    granted.steps[2].grants.clock = true;
    let recorded = after(&["rows", "other", "clean", "model", "sent"]);
    let replayed = replay(&granted, &recorded, RUN);
    assert_eq!(names(&replayed.taken), ["clean", "other", "rows", "sent"]);
    assert!(replayed.taken.iter().all(|commit| commit.taken == Some(Taken::Recording { run: RUN })));
    assert!(replayed.plan.steps.iter().all(|step| !step.cache) && replayed.plan.steps.len() == plan().steps.len());
    assert!(replayed.computes(&recorded));
}

#[test]
fn what_the_recording_lacks_is_left_out_with_all_behind_it() {
    let failed = Record::AttemptFailed {
        run: RUN,
        step: name("sent"),
        attempt: Attempt(1),
        fault: Fault::guest("no"),
        receipt: Default::default(),
        at_us: 1,
        retry_at_us: None,
    };
    let view = view(RUN, vec![committed(RUN, "other"), committed(RUN, "rows"), failed]);
    let replayed = replay(&plan(), &view, RUN);
    let left: Vec<_> = replayed.plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(left, ["rows", "other", "clean", "model"], "a sink that failed is not asked again");
    let recorded = after(&["other"]);
    let replayed = replay(&plan(), &recorded, RUN);
    let left: Vec<_> = replayed.plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(left, ["other"]);
    assert!(!replayed.computes(&recorded), "that it comes out the same would say nothing");
    // Likewise of a step that was skipped then.
    let recorded = after(&["rows", "other"]);
    assert!(!replay(&plan(), &recorded, RUN).computes(&recorded));
}

//! A pipeline of a collector, a transformer, a trainer and a sink, and what runs from its middle take.

use super::*;
use crate::samples::{committed, name, of, plan, plugin, step, view};
use types::{Attempt, Bound, Condition, Fault, Record, Requirement};

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

/// `champion` answers, `joined` makes something of its answers, `measured` compares, `gate` judges, `registered` moves the alias if the
/// gate says so, by its condition alone.
fn judged(bound: Bound, alias: Option<&str>) -> Plan {
    let champion = Work::PredictWith {
        rows: of("rows", "table"),
        model: name("shop"),
        alias: "champion".to_owned(),
        chosen: None,
    };
    let joined = Work::Transform { plugin: plugin("sql"), inputs: [(name("rows"), of("champion", "table"))].into() };
    let (candidate, baseline) = (of("clean", "table"), Some(of("joined", "table")));
    let measured = Work::Evaluate { plugin: plugin("regression"), candidate, baseline, slices: Vec::new() };
    let require = vec![Requirement::new("mae", bound)];
    let gate =
        Work::Gate { measures: of("measured", "measures"), require, baseline: None, leniency: Default::default() };
    let registered = Work::Register {
        model: of("model", "model"),
        verdict: None,
        examined: None,
        measures: None,
        name: name("shop"),
        alias: alias.map(str::to_owned),
        purpose: Default::default(),
        served: Default::default(),
    };
    let mut registered = step("registered", registered);
    registered.when = vec![Condition::Passed { of: of("gate", "verdict"), passed: true }];
    let mut plan = plan();
    plan.steps.extend([step("champion", champion), step("joined", joined), step("measured", measured)]);
    plan.steps.extend([step("gate", gate), registered]);
    plan
}

#[test]
fn what_a_gate_compared_with_is_known_wherever_it_was_looked_up() {
    let looked_up = Record::VersionChosen { run: RUN, step: name("champion"), chosen: None };
    let all = ["rows", "other", "clean", "model", "sent", "champion", "joined", "measured", "gate", "registered"];
    let records = [looked_up].into_iter().chain(all.map(|step| committed(RUN, step))).collect();
    let view = view(RUN, records);
    let compared = |plan: &Plan, from: &str| {
        let again = before(plan, &view, RUN, &name(from)).unwrap();
        again.compared().into_iter().map(|(step, .., version)| (step.to_string(), version)).collect::<Vec<_>>()
    };
    let plan = judged(Bound::BetterBy(0.0), Some("champion"));
    for from in ["joined", "measured", "gate", "registered"] {
        assert_eq!(compared(&plan, from), [("champion".to_owned(), None)], "{from}");
    }
    for from in ["champion", "rows"] {
        assert_eq!(compared(&plan, from), [], "{from}: it is looked up anew");
    }
    assert_eq!(compared(&judged(Bound::AtMost(3.0), Some("champion")), "gate"), [], "it compares with nobody");
    assert_eq!(compared(&judged(Bound::BetterBy(0.0), None), "gate"), [], "nothing is moved");
}

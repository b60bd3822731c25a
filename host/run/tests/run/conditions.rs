//! Steps that run only if something holds, and runs whose time is up.

use crate::course::world;
use crate::plans::{closed, essence, name, output, whole};
use types::{Bound, Condition, Requirement, RunState};

fn measure(bound: Bound) -> Condition {
    let requirement = Requirement::new("auc", bound);
    Condition::Measure { of: output("evaluate.measures"), requirement }
}

fn rows(at_least: Option<u64>, at_most: Option<u64>) -> Condition {
    Condition::Rows { of: output("rows.table"), at_least, at_most }
}

fn text(text: &str) -> Condition {
    Condition::Text { text: text.to_owned(), is: "full".to_owned() }
}

#[test]
fn a_step_runs_if_all_its_conditions_hold() {
    let passed = |passed| Condition::Passed { of: output("gate.verdict"), passed };
    for (when, because) in [
        (vec![], None),
        (vec![measure(Bound::AtLeast(0.9)), measure(Bound::AtMost(0.9)), rows(Some(5), Some(5))], None),
        (vec![measure(Bound::AtLeast(0.91))], Some("auc is 0.9, expected at least 0.91")),
        (vec![measure(Bound::AtMost(0.5))], Some("auc is 0.9, expected at most 0.5")),
        (vec![rows(Some(6), None)], Some("`rows.table` has 5 rows, expected at least 6")),
        (vec![rows(None, Some(4))], Some("`rows.table` has 5 rows, expected at most 4")),
        (vec![passed(true)], None),
        (vec![passed(false)], Some("the gate `gate` said yes")),
        (vec![text("full")], None),
        (vec![text("full"), text("quick")], Some("`quick` is not `full`")),
    ] {
        let world = world(|_, _, _| None);
        let mut plan = whole(0.8);
        plan.steps.last_mut().unwrap().when = when;
        // Nobody's fault: the run is a success either way.
        assert_eq!(world.run(&plan), RunState::Succeeded);
        let (_, steps) = essence(&world.view(1));
        let expected = because.map(|because| format!("skipped: `when` does not hold: {because}"));
        match expected {
            Some(expected) => assert_eq!(steps["register"], expected),
            None => assert!(steps["register"].starts_with("committed"), "{}", steps["register"]),
        }
    }
}

#[test]
fn those_after_a_step_that_does_not_run_do_not_run_either() {
    let world = world(|_, _, _| None);
    let mut plan = whole(0.8);
    plan.steps[4].when = vec![rows(None, Some(0))];
    assert_eq!(world.run(&plan), RunState::Succeeded);
    let (_, steps) = essence(&world.view(1));
    assert_eq!(steps["predict"], "skipped: step `train` was skipped");
    assert_eq!(world.calls("train"), 0);
}

/// The clock leaps by five minutes at every reading.
#[test]
fn a_run_whose_time_is_up_fails_and_says_so() {
    let world = world(|_, _, _| None);
    let plan = plan::Plan { timeout_ms: Some(3_600_000), ..closed(whole(0.8)) };
    assert_eq!(world.run(&plan), RunState::Failed);
    let view = world.view(1);
    assert_eq!(view.because.as_deref(), Some("the run took longer than the pipeline's `timeout`, 1 h"));
    assert!(view.commit(&name("rows")).is_some(), "it came somewhere");
    let enough = plan::Plan { timeout_ms: Some(24 * 3_600_000), ..plan };
    assert_eq!(world.run(&enough), RunState::Succeeded);
}

#[test]
fn an_attempt_that_runs_when_time_is_up_is_told_to_end() {
    let world = world(|step, _, watch| {
        (step == "train").then(|| {
            // The loop reads the clock, and thereby lets it leap, whenever it hears something.
            while !watch.cancelled() {
                watch.checkpoint(b"so far".to_vec())?;
            }
            Err(types::Fault::new(types::FaultKind::Cancelled, "was cancelled"))
        })
    });
    let plan = plan::Plan { timeout_ms: Some(4 * 3_600_000), ..whole(0.8) };
    // Also where nothing comes after it.
    let to_its_end = plan::Plan { steps: plan.steps[..5].to_vec(), ..plan.clone() };
    for plan in [plan, to_its_end] {
        let run = world.start(&plan).unwrap();
        assert_eq!(world.drive(run).unwrap(), RunState::Failed);
        let (_, steps) = essence(&world.view(run.0));
        let expected = "failed: step `train` (plugin `net`): the run took longer than the pipeline's `timeout`, 4 h";
        assert_eq!(steps["train"], expected);
    }
}

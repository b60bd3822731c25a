//! A run and its replay -> whether every output came out the same. Pure.

use crate::diff::state_of;
use plan::Plan;
use run::{RunView, Status};
use serde::{Deserialize, Serialize};
use types::{Digest, PortName, RunId, StepName, Taken};

/// How a replay went beside the run that it replays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    pub run: RunId,
    pub of: RunId,
    /// Of what was computed again.
    pub outputs: Vec<ReplayedOutput>,
    /// What the outside world has a say in: taken from the recording.
    pub taken: Vec<StepName>,
    /// What the recording has no outputs of, and what takes from it.
    pub left_out: Vec<StepName>,
    /// Whether nothing differs.
    pub same: bool,
}

/// An output, then and now; of a step that did not commit, how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayedOutput {
    pub step: StepName,
    /// None where it did not commit in one of the runs.
    pub output: Option<PortName>,
    pub recorded: Option<Digest>,
    pub replayed: Option<Digest>,
    /// How the step ended, where it did not commit.
    pub recorded_state: Option<String>,
    pub replayed_state: Option<String>,
    pub same: bool,
}

/// Holds a replay against its recording. `plan` is the recording's.
pub(crate) fn compare(plan: &Plan, recorded: (RunId, &RunView), replayed: (RunId, &RunView, &Plan)) -> Replayed {
    let (of, before) = recorded;
    let (run, after, replayed_plan) = replayed;
    let is_taken = |step: &StepName| {
        after.commit(step).is_some_and(|commit| matches!(commit.taken, Some(Taken::Recording { .. })))
    };
    let (mut outputs, mut taken, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for step in plan.steps.iter().map(|step| step.name.clone()) {
        match () {
            () if is_taken(&step) => taken.push(step),
            () if replayed_plan.step(&crate::rerun::whole(&step)).is_none() => left_out.push(step),
            () => outputs.extend(compared(&step, before, after)),
        }
    }
    let same = outputs.iter().all(|output: &ReplayedOutput| output.same);
    Replayed { run, of, outputs, taken, left_out, same }
}

fn compared(step: &StepName, before: &RunView, after: &RunView) -> Vec<ReplayedOutput> {
    let (Some(recorded), Some(replayed)) = (before.commit(step), after.commit(step)) else {
        return vec![ended(step, before.status(step), after.status(step))];
    };
    let ports =
        recorded.outputs.keys().chain(replayed.outputs.keys().filter(|port| !recorded.outputs.contains_key(*port)));
    let row = |port: &PortName| {
        let (recorded, replayed) = (recorded.outputs.get(port), replayed.outputs.get(port));
        let (recorded, replayed) = (recorded.map(|it| it.digest()), replayed.map(|it| it.digest()));
        let (step, output, same) = (step.clone(), Some(port.clone()), recorded == replayed);
        ReplayedOutput { step, output, recorded, replayed, recorded_state: None, replayed_state: None, same }
    };
    ports.map(row).collect()
}

/// One that failed then and fails now does the same, whatever its words.
fn ended(step: &StepName, before: &Status, after: &Status) -> ReplayedOutput {
    let text = |status: &Status| match state_of(status) {
        (state, Some(because)) => format!("{state}: {because}"),
        (state, None) => state.to_owned(),
    };
    ReplayedOutput {
        step: step.clone(),
        output: None,
        recorded: None,
        replayed: None,
        recorded_state: Some(text(before)),
        replayed_state: Some(text(after)),
        same: state_of(before).0 == state_of(after).0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{committed, gave, name, plan, table, view};
    use types::{Attempt, Fault, Record};

    const OF: RunId = RunId(1);
    const RUN: RunId = RunId(2);

    fn failed(run: RunId, step: &str, message: &str) -> Record {
        let (step, fault, receipt) = (name(step), Fault::guest(message), Default::default());
        Record::AttemptFailed { run, step, attempt: Attempt(1), fault, receipt, at_us: 1, retry_at_us: None }
    }

    fn recorded(run: RunId, step: &str) -> Record {
        match committed(run, step) {
            Record::StepCommitted { run, mut commit, at_us } => {
                commit.taken = Some(Taken::Recording { run: OF });
                Record::StepCommitted { run, commit, at_us }
            }
            other => other,
        }
    }

    fn compare_with(before: Vec<Record>, after: Vec<Record>) -> Replayed {
        let (before, after) = (view(OF, before), view(RUN, after));
        let replayed = crate::rerun::replay(&plan(), &before, OF).plan;
        compare(&plan(), (OF, &before), (RUN, &after, &replayed))
    }

    #[test]
    fn outputs_are_compared_and_what_is_recorded_is_not() {
        let before = || ["rows", "other", "clean"].map(|step| committed(OF, step)).to_vec();
        let after = |clean: &str| {
            let clean = gave(RUN, "clean", "table", table(clean));
            vec![recorded(RUN, "rows"), recorded(RUN, "other"), clean, failed(RUN, "model", "no memory")]
        };
        let mut first = before();
        first.push(failed(OF, "model", "no memory at all"));
        let told = compare_with(first, after("clean"));
        assert!(told.same, "{told:?}");
        assert_eq!(told.taken, [name("rows"), name("other")]);
        assert_eq!(told.left_out, [name("sent")]);
        assert_eq!(told.outputs.len(), 2);
        assert_eq!(told.outputs[1].recorded_state.as_deref(), Some("failed: no memory at all"));
        let told = compare_with(before(), after("changed"));
        assert_eq!((told.same, told.outputs[0].same, told.outputs[1].same), (false, false, false));
    }
}

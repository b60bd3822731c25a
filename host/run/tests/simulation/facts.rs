//! Records and what is told, as facts that can be held against each other: nothing may be told that no record says.

use run::{OutputSummary, RunEvent};
use types::{Artifact, Digest, Record, RunId, StepCommit};

/// Something that is so, of a run.
pub(crate) type Fact = (RunId, String);

/// What a record says.
pub(crate) fn of_record(record: &Record) -> Option<Fact> {
    Some(match record {
        Record::RunStarted(head) => (head.run, "began".to_owned()),
        Record::AttemptStarted { run, step, attempt, .. } => (*run, format!("{step} began {}", attempt.0)),
        Record::PageCommitted { run, step, table, .. } => (*run, format!("{step} page {}", table.rows)),
        Record::StepCommitted { run, commit, .. } => (*run, of_commit(commit)),
        Record::VersionRegistered { version, commit, .. } => (version.run, of_commit(commit)),
        Record::AttemptFailed { run, step, attempt, .. } => (*run, format!("{step} failed {}", attempt.0)),
        Record::StepExpanded { run, step, items } => (*run, format!("{step} has {} items", items.len())),
        Record::StepSkipped { run, step, .. } => (*run, format!("{step} skipped")),
        Record::RunFinished { run, state, .. } => (*run, format!("ended {state}")),
        _ => return None,
    })
}

/// What an event says of its run; none of one that says nothing that could be lost.
pub(crate) fn of_event(run: RunId, event: &RunEvent) -> Option<Fact> {
    let committed = |outputs: &mut dyn Iterator<Item = Digest>| outputs.fold(String::new(), with);
    let text = match event {
        RunEvent::RunStarted { .. } => "began".to_owned(),
        RunEvent::StepStarted { step, attempt, .. } => format!("{step} began {}", attempt.0),
        RunEvent::Page { step, rows, .. } => format!("{step} page {rows}"),
        RunEvent::StepCommitted { step, outputs, .. } | RunEvent::StepTaken { step, outputs, .. } => {
            let mut digests = outputs.values().map(|OutputSummary { digest, .. }| *digest);
            format!("{step} gave{}", committed(&mut digests))
        }
        RunEvent::StepFailed { step, attempt, .. } => format!("{step} failed {}", attempt.0),
        RunEvent::StepExpanded { step, items } => format!("{step} has {} items", items.len()),
        RunEvent::StepSkipped { step, .. } => format!("{step} skipped"),
        RunEvent::RunFinished { state, .. } => format!("ended {state}"),
        _ => return None,
    };
    Some((run, text))
}

fn of_commit(commit: &StepCommit) -> String {
    let digests = commit.outputs.values().map(Artifact::digest);
    format!("{} gave{}", commit.step, digests.fold(String::new(), with))
}

fn with(text: String, digest: Digest) -> String {
    format!("{text} {}", digest.short())
}

//! Records of a run -> its state: the same function for a live run, for one found after a crash, and for whoever shows it.
//! An ended step and a finished run never change again, whatever records follow; nothing here can panic on a record.

use serde::Serialize;
use std::collections::BTreeMap;
use types::{
    Artifact, Attempt, Chosen, Digest, Fault, FaultKind, Item, OutputRef, Receipt, Record, RunHead, RunState,
    StepCommit, StepName, TableRef,
};

/// How far a run is. Steps of which no record tells are not in `steps`: they wait.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunView {
    /// None before the first record.
    pub head: Option<RunHead>,
    pub steps: BTreeMap<StepName, StepView>,
    /// How the run ended; none while it has not.
    pub ended: Option<RunState>,
    pub ended_us: Option<i64>,
    /// Why it ended so, where no step is to blame.
    pub because: Option<String>,
    /// Somebody does not want it any more.
    pub cancel_asked: bool,
}

/// How far a step is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StepView {
    pub status: Status,
    /// The number of the last attempt; 0 before the first.
    pub attempts: u32,
    /// When each attempt began, by its number; one that never began, for want of an input say, is not among them.
    pub begun: BTreeMap<u32, i64>,
    /// In order; those that were retried too.
    pub failures: Vec<Failure>,
    /// A collector's pages of this run that count.
    pub pages: Vec<TableRef>,
    /// What the next attempt would resume from; a blob.
    pub checkpoint: Option<Digest>,
    /// What it runs for, once that is known; none of a step that runs once.
    pub items: Option<Vec<Item>>,
    pub choice: Choice,
    pub started_us: Option<i64>,
    pub ended_us: Option<i64>,
}

/// The registered version that a step answers with.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "choice")]
pub enum Choice {
    /// Not looked up, or no such step.
    #[default]
    Open,
    /// Looked up: no version has the alias.
    Nobody,
    Version(Box<Chosen>),
}

/// Where a step stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Status {
    /// For its inputs, a slot or the time of its next attempt.
    #[default]
    Waiting,
    /// Or it was when the server died.
    Running {
        attempt: Attempt,
    },
    Committed {
        commit: Box<StepCommit>,
    },
    Failed {
        fault: Fault,
    },
    Skipped {
        because: String,
    },
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    pub attempt: Attempt,
    pub fault: Fault,
    pub receipt: Receipt,
    pub at_us: i64,
    /// None if the step was given up.
    pub retry_at_us: Option<i64>,
}

impl Status {
    /// Whether it stays so.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Committed { .. } | Self::Failed { .. } | Self::Skipped { .. })
    }
}

impl RunView {
    /// The state after these records.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut view = Self::default();
        records.into_iter().for_each(|record| view.apply(record));
        view
    }

    /// The state after one more record. A record of another run changes nothing.
    pub fn apply(&mut self, record: &Record) {
        if self.ended.is_some() || record.run().is_none_or(|run| self.head.as_ref().is_some_and(|head| head.run != run))
        {
            return;
        }
        match record {
            Record::RunStarted(head) => {
                self.head.get_or_insert_with(|| head.clone());
            }
            Record::RunFinished { state, at_us, because, .. } => {
                (self.ended, self.ended_us, self.because) = (Some(*state), Some(*at_us), because.clone());
            }
            Record::AttemptStarted { step, attempt, at_us, .. } => {
                self.change(step, |view| view.start(*attempt, *at_us))
            }
            Record::PageCommitted { step, table, restarted, .. } => {
                self.change(step, |view| turn_page(&mut view.pages, table, *restarted));
            }
            Record::CheckpointSaved { step, state, .. } => self.change(step, |view| view.checkpoint = Some(*state)),
            Record::StepCommitted { commit, at_us, .. } => {
                self.change(&commit.step, |view| view.commit(commit, *at_us))
            }
            Record::VersionRegistered { version, commit, .. } => {
                self.change(&commit.step, |view| view.commit(commit, version.registered_us));
            }
            Record::AttemptFailed { step, attempt, fault, receipt, at_us, retry_at_us, .. } => {
                let (fault, receipt, retry_at_us) = (fault.clone(), receipt.clone(), *retry_at_us);
                let failure = Failure { attempt: *attempt, fault, receipt, at_us: *at_us, retry_at_us };
                self.change(step, |view| view.fail(failure));
            }
            Record::StepSkipped { step, because, .. } => {
                self.change(step, |view| view.status = Status::Skipped { because: because.clone() });
            }
            Record::StepExpanded { step, items, .. } => {
                self.change(step, |view| (view.items, view.status) = (Some(items.clone()), Status::Waiting));
            }
            Record::VersionChosen { step, chosen, .. } => {
                let choice = chosen.clone().map_or(Choice::Nobody, Choice::Version);
                self.change(step, |view| view.choice = choice);
            }
            Record::CancelAsked { .. } => self.cancel_asked = true,
            // No run's: `run_of` says so.
            _ => {}
        }
    }

    fn change(&mut self, step: &StepName, change: impl FnOnce(&mut StepView)) {
        let view = self.steps.entry(step.clone()).or_default();
        if !view.status.is_final() {
            change(view);
        }
    }

    /// Where a step stands.
    pub fn status(&self, step: &StepName) -> &Status {
        self.steps.get(step).map_or(&Status::Waiting, |view| &view.status)
    }

    /// Whether a step was left as it was when the run ended: it waits for nothing any more.
    pub fn is_left(&self, step: &StepName) -> bool {
        self.ended.is_some() && !self.status(step).is_final()
    }

    /// What a step committed.
    pub fn commit(&self, step: &StepName) -> Option<&StepCommit> {
        match self.status(step) {
            Status::Committed { commit } => Some(commit),
            _ => None,
        }
    }

    /// What stands on an output; none before its step committed.
    pub fn output(&self, output: &OutputRef) -> Option<&Artifact> {
        self.commit(&output.step)?.outputs.get(&output.port)
    }

    /// The registered version that a step answers with.
    pub fn choice(&self, step: &StepName) -> &Choice {
        self.steps.get(step).map_or(&Choice::Open, |view| &view.choice)
    }

    /// How the run stands as a whole.
    pub fn state(&self) -> RunState {
        self.ended.unwrap_or(RunState::Running)
    }

    /// Whether somebody cancelled the run.
    pub(crate) fn is_cancelled(&self) -> bool {
        let cancelled =
            |view: &StepView| matches!(&view.status, Status::Failed { fault } if fault.kind == FaultKind::Cancelled);
        self.cancel_asked || self.steps.values().any(cancelled)
    }
}

impl StepView {
    fn start(&mut self, attempt: Attempt, at_us: i64) {
        self.status = Status::Running { attempt };
        self.attempts = self.attempts.max(attempt.0);
        self.begun.insert(attempt.0, at_us);
        self.started_us.get_or_insert(at_us);
    }

    fn commit(&mut self, commit: &StepCommit, at_us: i64) {
        self.status = Status::Committed { commit: Box::new(commit.clone()) };
        self.ended_us = Some(at_us);
    }

    fn fail(&mut self, failure: Failure) {
        self.attempts = self.attempts.max(failure.attempt.0);
        match failure.retry_at_us {
            Some(_) => self.status = Status::Waiting,
            None => {
                let fault = failure.fault.clone();
                (self.status, self.ended_us) = (Status::Failed { fault }, Some(failure.at_us));
            }
        }
        self.failures.push(failure);
    }
}

/// Pages after one more of the same source.
pub(crate) fn turn_page(pages: &mut Vec<TableRef>, page: &TableRef, restarted: bool) {
    if restarted {
        pages.clear();
    }
    pages.push(page.clone());
}

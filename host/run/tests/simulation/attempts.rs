//! Attempts that do the next thing: a page, a checkpoint, an end. What they append, they append while the loop knows nothing of it.

use crate::bugs::Bug;
use crate::dice::Dice;
use crate::disk::{Halt, Result};
use crate::pipelines::Pipeline;
use crate::server::{Doing, Key, Trial};
use crate::sources::{Source, next_page};
use crate::steps::{self, Outputs, Trouble};
use crate::world::World;
use plan::{Each, PlannedStep, Work};
use ports::{Call, SourceState};
use run::{Ended, Event, Failure, RunEvent, RunView};
use types::{Artifact, Attempt, Digest, Fault, FaultKind, LimitKind, Receipt, Record, StepName, TableRef};

/// How long an attempt may take that hangs.
const LIMIT_US: i64 = 90_000_000;

type Name = (StepName, Attempt);

/// What an attempt came to.
type Outcome = (std::result::Result<Outputs, Fault>, Receipt);

impl World<'_> {
    /// When an attempt that hangs will have used its time up.
    pub(crate) fn hangs_until(&self, key: Key, trial: &Trial) -> Option<i64> {
        let hangs = trial.has_slot && trial.ticket.is_some() && self.trouble(key, &trial.step) == Trouble::Hang;
        hangs.then_some(trial.since_mono_us + LIMIT_US)
    }

    fn trouble(&self, key: Key, step: &PlannedStep) -> Trouble {
        self.of(key).trouble(&step.name)
    }

    fn of(&self, key: Key) -> &Pipeline {
        self.pipeline(key.tenant, self.disks[key.tenant].known.runs[&key.run].head.as_ref().unwrap())
    }

    /// Lets an attempt do its next thing; false if it can only wait.
    pub(crate) fn act(&mut self, key: Key, name: &Name, dice: &mut Dice) -> Result<bool> {
        let Some(driven) = self.server.driven.get_mut(&key) else { return Ok(false) };
        let is_cancelled = driven.abandoned || driven.stop.is_some();
        let Some(mut trial) = driven.attempts.remove(name) else { return Ok(false) };
        let hangs = self.hangs_until(key, &trial).is_some_and(|until| self.mono_us < until);
        // It may be done before it looks whether it is to stop.
        let stops = is_cancelled && (!trial.has_slot || hangs || !dice.once_in(3));
        let outcome = match () {
            () if stops && trial.ticket.is_some() => {
                let fault = Fault::new(FaultKind::Cancelled, "cancelled");
                Ok(Some((Err(fault), Receipt::default())))
            }
            () if !trial.has_slot || hangs => {
                self.put_back(key, name, trial);
                return Ok(false);
            }
            () => self.next_of(key, name.1, &mut trial),
        };
        match outcome {
            Ok(Some(outcome)) => self.end(key, name, trial, outcome)?,
            Ok(None) => self.put_back(key, name, trial),
            // The worker and its guest are told that the disk is full, and give up.
            Err(Halt::Full) => {
                self.end(key, name, trial, (Err(Fault::host("the disk is full")), Receipt::default()))?
            }
            Err(halt) => return Err(halt),
        }
        Ok(true)
    }

    fn put_back(&mut self, key: Key, name: &Name, trial: Trial) {
        if let Some(driven) = self.server.driven.get_mut(&key) {
            driven.attempts.insert(name.clone(), trial);
        }
    }

    /// The loop hears of the end, if it is still there; the slot is free.
    pub(crate) fn end(&mut self, key: Key, (step, attempt): &Name, trial: Trial, outcome: Outcome) -> Result<()> {
        match (trial.ticket, trial.has_slot) {
            (Some(ticket), true) => self.server.turns.end(ticket),
            (Some(ticket), false) => self.server.turns.leave(ticket),
            (None, _) => {}
        }
        let (step, attempt, (result, receipt)) = (step.clone(), *attempt, outcome);
        let event = match (trial.work, result) {
            (Doing::Split, result) => {
                let rows = result.map(|outputs| outputs.into_values().next());
                let items = |rows| match rows {
                    Some(Artifact::Table(rows)) => steps::items(&rows),
                    _ => Vec::new(),
                };
                Event::Split { step, attempt, result: rows.map(items) }
            }
            (_, result) => Event::Ended(Box::new(Ended { step, attempt, result, receipt })),
        };
        if let Some(driven) = self.server.driven.get_mut(&key) {
            driven.inbox.push_back(event);
        }
        self.let_go(key);
        self.give_slots()
    }

    /// What an attempt that runs does next; none if it goes on.
    fn next_of(&mut self, key: Key, attempt: Attempt, trial: &mut Trial) -> Result<Option<Outcome>> {
        let (step, turn) = (trial.step.clone(), trial.turn);
        let outputs = match &mut trial.work {
            Doing::Call { call, source } => return self.answer(key, (attempt, turn), &step, call, source),
            Doing::Gather => {
                let Work::Gather { parts, .. } = &step.work else { return Ok(None) };
                let mut parts = parts.clone();
                if self.has(Bug::GathersAsItCame) {
                    parts.reverse();
                }
                steps::gathered(&step, &parts, self.view(key))
            }
            Doing::Split => {
                let Some(Each::Rows { of, .. }) = &step.each else { return Ok(None) };
                let rows = self.view(key).output(of).cloned();
                if let Some(Artifact::Table(rows)) = &rows {
                    let tables = steps::items(rows).into_iter().filter_map(|item| item.table);
                    self.put(key.tenant, tables.flat_map(|table| table.parts).collect::<Vec<_>>())?;
                }
                rows.map(|rows| (steps::port("rows"), rows)).into_iter().collect()
            }
        };
        self.put(key.tenant, outputs.values().flat_map(Artifact::blobs).collect::<Vec<_>>())?;
        Ok(Some((Ok(outputs), Receipt::default())))
    }

    fn view(&self, key: Key) -> &RunView {
        self.server.driven[&key].course.view()
    }

    fn answer(
        &mut self,
        key: Key,
        (attempt, turn): (Attempt, u64),
        step: &PlannedStep,
        call: &Call,
        source: &mut Option<(Digest, SourceState)>,
    ) -> Result<Option<Outcome>> {
        if let Some((digest, state)) = source
            && let Some(page) = self.page(key, state)
        {
            return match self.commit_page(key, attempt, step, *digest, state, page)? {
                Some(fault) => Ok(Some((Err(fault), Receipt::default()))),
                None => Ok(None),
            };
        }
        if self.saves(key, step) {
            self.checkpoint(key, step, turn)?;
            return Ok(None);
        }
        if let Some(fault) = self.fault(key, step) {
            return Ok(Some((Err(fault), Receipt::default())));
        }
        let (outputs, receipt) = match source {
            Some((_, state)) if state.pages.is_empty() => {
                return Ok(Some((Err(Fault::invalid("no rows")), Receipt::default())));
            }
            Some((_, state)) => {
                let table = Artifact::Table(steps::put_together(&state.pages));
                (Outputs::from([(steps::port("table"), table)]), Receipt::default())
            }
            None => steps::answer(step, call, self.view(key)),
        };
        self.put(key.tenant, outputs.values().flat_map(Artifact::blobs).collect::<Vec<_>>())?;
        Ok(Some((Ok(outputs), receipt)))
    }

    fn page(&self, key: Key, state: &SourceState) -> Option<(TableRef, String, bool)> {
        let since_us = self.wall_us - self.script.begins_us;
        next_page(&self.of(key).source, state.cursor.as_deref(), since_us)
    }

    /// Commits a page if the source is still where the attempt believes it to be; else the fault.
    fn commit_page(
        &mut self,
        key: Key,
        attempt: Attempt,
        step: &PlannedStep,
        source: Digest,
        state: &mut SourceState,
        (table, cursor, restarted): (TableRef, String, bool),
    ) -> Result<Option<Fault>> {
        self.put(key.tenant, table.parts.clone())?;
        let now = self.disks[key.tenant].known.sources.get(&source).map(|source: &Source| source.state.clone());
        if now.unwrap_or_default() != *state && !self.has(Bug::CommitsPagesBlindly) {
            return Ok(Some(Fault::new(FaultKind::Transient { retry_after_ms: 1_000 }, COLLISION)));
        }
        let (run, name) = (key.run, step.name.clone());
        let (table_kept, cursor_kept) = (table.clone(), cursor.clone());
        let record = Record::PageCommitted { run, step: name.clone(), source, table, cursor, more: true, restarted };
        self.record(key, record)?;
        if restarted {
            state.pages.clear();
        }
        let rows = table_kept.rows;
        state.pages.push(table_kept);
        state.cursor = Some(cursor_kept);
        self.tell(key, &RunEvent::Page { step: name, attempt, rows, more: true })?;
        Ok(None)
    }

    fn saves(&self, key: Key, step: &PlannedStep) -> bool {
        let wants = matches!(step.work, Work::Train { .. }) || self.trouble(key, step) == Trouble::UntilCheckpoint;
        wants && self.recorded(key, step).is_none_or(|view| view.checkpoint.is_none())
    }

    fn recorded(&self, key: Key, step: &PlannedStep) -> Option<&run::StepView> {
        self.disks[key.tenant].known.runs[&key.run].steps.get(&step.name)
    }

    fn checkpoint(&mut self, key: Key, step: &PlannedStep, turn: u64) -> Result<()> {
        let state = Digest::of_json(&("checkpoint", key.run, &step.name));
        self.put(key.tenant, [state])?;
        let has_written = self.server.driven.get(&key).is_some_and(|driven| driven.desk.has_written(turn));
        if !has_written && !self.has(Bug::RecordsAheadOfItsTurn) {
            self.write_down(key)?;
        }
        // The disk did not take it.
        if self.server.driven.get(&key).is_none_or(|driven| driven.over) {
            return Err(Halt::Full);
        }
        self.record(key, Record::CheckpointSaved { run: key.run, step: step.name.clone(), state })
    }

    /// Failures that the run's machine knows of.
    fn failures(&self, key: Key, step: &StepName) -> &[Failure] {
        let view = self.server.driven.get(&key).and_then(|driven| driven.course.view().steps.get(step));
        view.map_or(&[], |view| &view.failures)
    }

    /// Appends what an attempt says while it runs, and lets the loop know.
    fn record(&mut self, key: Key, record: Record) -> Result<()> {
        self.append(key.tenant, std::slice::from_ref(&record))?;
        if let Some(driven) = self.server.driven.get_mut(&key) {
            driven.inbox.push_back(Event::Recorded(Box::new(record)));
        }
        Ok(())
    }

    /// How the attempt fails, by what is on record or on its way there.
    fn fault(&self, key: Key, step: &PlannedStep) -> Option<Fault> {
        let failures = self.failures(key, &step.name);
        let before = |of: fn(&FaultKind) -> bool| {
            let alike = |failure: &&Failure| of(&failure.fault.kind) && failure.fault.message != KILLED;
            failures.iter().filter(alike).count() as u32
        };
        let crashes = before(|kind| *kind == FaultKind::Crash);
        match self.trouble(key, step) {
            Trouble::Always => Some(Fault::guest("it trapped")),
            Trouble::Transient(times) if before(|kind| matches!(kind, FaultKind::Transient { .. })) < times => {
                Some(Fault::new(FaultKind::Transient { retry_after_ms: 5_000 }, "not now"))
            }
            Trouble::Crash(times) if crashes < times => Some(Fault::new(FaultKind::Crash, "the worker died")),
            Trouble::UntilCheckpoint if crashes < 1 => Some(Fault::new(FaultKind::Crash, "the worker died")),
            Trouble::Hang => Some(Fault::limit(LimitKind::Wall, "it took too long")),
            _ => None,
        }
    }

    /// The worker of an attempt dies for no reason of its own. Such a death is forgiven once: who dies of itself, or has died,
    /// is left alone.
    pub(crate) fn kill(&mut self, key: Key, name: &Name) -> Result<()> {
        let Some(driven) = self.server.driven.get_mut(&key) else { return Ok(()) };
        let Some(trial) = driven.attempts.remove(name) else { return Ok(()) };
        let failures = self.failures(key, &trial.step.name);
        let has_died = failures.iter().any(|failure| failure.fault.kind == FaultKind::Crash);
        let dies_alone = matches!(self.trouble(key, &trial.step), Trouble::Crash(_) | Trouble::UntilCheckpoint);
        if has_died || dies_alone || !trial.has_slot || trial.ticket.is_none() || trial.step.retry.attempts < 2 {
            self.put_back(key, name, trial);
            return Ok(());
        }
        if let (true, Some(ticket)) = (self.has(Bug::LosesAnEnd), trial.ticket) {
            self.server.turns.end(ticket);
            return Ok(());
        }
        self.end(key, name, trial, (Err(Fault::new(FaultKind::Crash, KILLED)), Receipt::default()))
    }
}

/// Why two runs that collect from one source stand in each other's way.
pub(crate) const COLLISION: &str = "another run collected meanwhile";
/// A worker that somebody killed.
const KILLED: &str = "the worker was killed";

//! One attempt on its own thread: the call to the runner, what it says meanwhile, and its answer made ready to commit.
//! Pages and checkpoints are appended here, while the guest waits; the loop hears of them and of the end as events.

use crate::call::who;
use crate::outputs::{self, Outputs};
use crate::scribe::Scribe;
use crate::view::turn_page;
use crate::{CancelToken, Dispatcher, Observer, RunEvent, chosen, findings, source};
use crate::{Ended, Event};
use plan::{PlannedStep, Work};
use ports::{Answer, Call, Page, SourceState, Task, Turn, Watch, Watched};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};
use types::{
    Artifact, Attempt, Digest, Fault, FaultKind, Id, PortName, Receipt, Record, RunId, Series, TableRef, TenantId,
};

/// One try of one step.
pub(crate) struct Trial<'a> {
    pub dispatcher: &'a Dispatcher,
    pub tenant: &'a TenantId,
    pub run: RunId,
    pub step: PlannedStep,
    pub attempt: Attempt,
    pub observer: &'a Observer,
    pub cancel: &'a CancelToken,
    /// Set when the loop ended for a reason of its own: nobody waits for the answer.
    pub abandoned: &'a AtomicBool,
    pub events: Sender<Event>,
    pub scribe: &'a Scribe,
    /// The turn in which it begins; what it tells and records comes after that.
    pub turn: u64,
    pub source: Option<Source>,
    /// The ends of what it told so far.
    pub series: Mutex<BTreeMap<String, Series>>,
}

/// Series of an attempt whose ends are kept; of more nobody knows.
const SERIES_MAX: usize = 100;

/// What a collector reads from, and how far it is.
pub(crate) struct Source {
    pub digest: Digest,
    pub state: Mutex<SourceState>,
}

/// A fault as it is recorded: a guest chooses its words, and the journal refuses what is too large.
fn cut(fault: Fault) -> Fault {
    Fault { kind: fault.kind, message: types::sentence(fault.message), hint: fault.hint.map(types::sentence) }
}

impl Trial<'_> {
    /// Carries the attempt out and tells the loop. Whatever happens, the loop hears of an end.
    pub(crate) fn carry_out(&self, path: &[Call], mut call: Call) {
        let who = call.who.clone();
        let (result, receipt) = catch_unwind(AssertUnwindSafe(|| self.result(path, &mut call))).unwrap_or_else(|_| {
            let fault = Fault::host(format!("{who}: the runner panicked; this is a bug of ours"));
            (Err(fault), Receipt::default())
        });
        let series = std::mem::take(&mut *self.series.lock().unwrap_or_else(PoisonError::into_inner));
        self.end(result, Receipt { series, ..receipt });
    }

    /// Keeps the ends of a series.
    fn note(&self, name: &str, value: Option<f64>) {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = series.get_mut(name) {
            known.add(value);
        } else if series.len() < SERIES_MAX {
            series.entry(name.to_owned()).or_default().add(value);
        }
    }

    /// Tells the loop of the end.
    pub(crate) fn end(&self, result: Result<Outputs, Fault>, receipt: Receipt) {
        let ended = Ended { step: self.step.name.clone(), attempt: self.attempt, result, receipt };
        self.send(Event::Ended(Box::new(ended)));
    }

    /// Does what is the host's own work once it is the step's turn; what that gave, whatever happens, and what it took.
    pub(crate) fn by_host<T>(
        &self,
        turn: &Turn,
        work: impl FnOnce() -> Result<T, Fault>,
    ) -> (Result<T, Fault>, Receipt) {
        let named = |fault: Fault| Fault { message: format!("{}: {}", who(&self.step), fault.message), ..fault };
        let mut given = None;
        let took = catch_unwind(AssertUnwindSafe(|| {
            let work = Box::new(|| given = Some(work()));
            self.dispatcher.runner.host_work(self.tenant, turn, self, work)
        }));
        let took = took.unwrap_or_else(|_| Err(Fault::host("the host panicked; this is a bug of ours")));
        match (took, given) {
            (Ok(receipt), Some(result)) => (result.map_err(cut), receipt),
            (Ok(_), None) => (Err(named(Fault::host("its turn came, and nothing was done"))), Receipt::default()),
            (Err(fault), _) => (Err(named(fault)), Receipt::default()),
        }
    }

    /// Of the calls of `path`, if there are any, each takes the rows that the one before gave, and the last one is `call`.
    fn result(&self, path: &[Call], call: &mut Call) -> (Result<Outputs, Fault>, Receipt) {
        let mut spent = Receipt::default();
        let mut given = None;
        for stage in path {
            let mut stage = stage.clone();
            chosen::give_rows(&mut stage.assignment.task, given);
            let outcome = self.dispatcher.runner.run(self.tenant, &stage, self);
            chosen::add(&mut spent, outcome.receipt);
            match outcome.result.and_then(|answer| self.stage(&stage.assignment.task, answer)) {
                Ok(table) => given = Some(table),
                Err(fault) => return (Err(cut(fault)), spent),
            }
        }
        chosen::give_rows(&mut call.assignment.task, given);
        let outcome = self.dispatcher.runner.run(self.tenant, call, self);
        let outputs = outcome.result.and_then(|answer| self.outputs(&call.assignment.task, answer));
        match path.is_empty() {
            true => spent = outcome.receipt,
            false => chosen::add(&mut spent, outcome.receipt),
        }
        (outputs.map_err(cut), spent)
    }

    /// The rows that a step of a registered version's path gave.
    fn stage(&self, task: &Task, answer: Answer) -> Result<TableRef, Fault> {
        let Answer::Outputs { outputs } = answer else {
            return Err(Fault::host(format!("{}: the worker answered another question", who(&self.step))));
        };
        let table = chosen::stage_output(&self.step, task, &outputs)?;
        outputs::check_blobs(&self.step, &outputs, self.tenant, self.blobs())?;
        Ok(table)
    }

    fn outputs(&self, task: &Task, answer: Answer) -> Result<Outputs, Fault> {
        match (answer, &self.source) {
            (Answer::Collected, Some(source)) => self.collected(source),
            (Answer::Outputs { outputs }, None) => {
                outputs::check(&self.step, task, &outputs)?;
                outputs::check_blobs(&self.step, &outputs, self.tenant, self.blobs())?;
                self.completed(task, outputs)
            }
            _ => {
                Err(Fault::host(format!("{}: the worker answered another question than it was asked", who(&self.step))))
            }
        }
    }

    fn collected(&self, source: &Source) -> Result<Outputs, Fault> {
        let state = source.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let port = table_port()?;
        for page in &state.pages {
            // This attempt's pages were checked when they came: it is an earlier run that read other columns.
            outputs::check_columns(&self.step, &port, &page.schema).map_err(source::columns_changed)?;
        }
        let table = source::put_together(&self.step, &state, self.tenant, self.blobs())?;
        Ok(Outputs::from([(port, Artifact::Table(table))]))
    }

    /// With what the host adds: a validator's rows, and the values at its findings.
    fn completed(&self, task: &Task, mut outputs: Outputs) -> Result<Outputs, Fault> {
        let (Work::Check { .. }, Task::Check { rows, .. }) = (&self.step.work, task) else { return Ok(outputs) };
        for artifact in outputs.values_mut() {
            if let Artifact::Findings { findings } = artifact {
                *findings = self.judged(std::mem::take(findings), rows)?;
            }
        }
        outputs.insert(table_port()?, Artifact::Table(rows.clone()));
        Ok(outputs)
    }

    fn judged(&self, findings: Vec<types::Finding>, rows: &TableRef) -> Result<Vec<types::Finding>, Fault> {
        // Only a finding with a sample needs the table's values; those that a worker forged are replaced.
        let sampled = |finding: &types::Finding| !finding.sample.is_empty() || !finding.sample_values.is_empty();
        let findings = match findings.iter().any(sampled) {
            true => findings::with_values(findings, &source::open(&self.step, rows, self.tenant, self.blobs())?),
            false => findings,
        };
        findings::fault(&self.step, &findings).map_or(Ok(findings), Err)
    }

    fn blobs(&self) -> &dyn ports::Blobs {
        self.dispatcher.blobs.as_ref()
    }

    /// Appends a record that an attempt makes while it runs, and lets the loop's view follow.
    fn record(&self, record: Record) -> Result<(), Fault> {
        self.scribe.written(self.turn)?;
        self.dispatcher.journal.append(self.tenant, std::slice::from_ref(&record))?;
        self.send(Event::Recorded(Box::new(record)));
        Ok(())
    }

    pub(crate) fn send(&self, event: Event) {
        // The loop outlives its attempts; if it is gone, so is the run of this process.
        let _ = self.events.send(event);
    }

    fn page_record(&self, source: Digest, page: &Page) -> Record {
        Record::PageCommitted {
            run: self.run,
            step: self.step.name.clone(),
            source,
            table: page.table.clone(),
            cursor: page.cursor.clone(),
            more: page.more,
            restarted: page.restarted,
        }
    }

    fn check_page(&self, Page { table, cursor, .. }: &Page) -> Result<(), Fault> {
        let port = table_port()?;
        outputs::check_cursor(&self.step, cursor)?;
        outputs::check_columns(&self.step, &port, &table.schema)?;
        let outputs = Outputs::from([(port, Artifact::Table(table.clone()))]);
        outputs::check_blobs(&self.step, &outputs, self.tenant, self.blobs())
    }

    /// Commits a page if the source is still where this attempt believes it to be: another run may collect from it too.
    fn commit_page(&self, source: &Source, page: &Page) -> Result<(), Fault> {
        let _alone = self.dispatcher.alone();
        let mut state = source.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.dispatcher.journal.source(self.tenant, source.digest)?.unwrap_or_default();
        if now != *state {
            let kind = FaultKind::Transient { retry_after_ms: 1_000 };
            let message = format!("{}: another run collected from the same source meanwhile", who(&self.step));
            return Err(Fault::new(kind, message));
        }
        self.record(self.page_record(source.digest, page))?;
        turn_page(&mut state.pages, &page.table, page.restarted);
        state.cursor = Some(page.cursor.clone());
        Ok(())
    }
}

impl Watch for Trial<'_> {
    fn hear(&self, event: Watched) {
        if self.scribe.written(self.turn).is_err() {
            return;
        }
        let (step, attempt) = (self.step.name.clone(), self.attempt);
        (self.observer)(&match event {
            Watched::Log { level, message } => RunEvent::Log { step, attempt, level, message },
            Watched::Progress { done, total } => RunEvent::Progress { step, attempt, done, total },
            Watched::Metric { name, value, index } => {
                self.note(&name, value);
                RunEvent::Metric { step, attempt, name, value, index }
            }
        });
    }

    fn cancelled(&self) -> bool {
        // Where nothing more is recorded, nothing that it gives is kept.
        self.abandoned.load(Ordering::Relaxed) || self.cancel.stopped().is_some() || self.scribe.fault().is_err()
    }

    fn page(&self, page: Page) -> Result<(), Fault> {
        let Some(source) = &self.source else {
            return Err(Fault::guest(format!("{}: gave a page, but it is no collector", who(&self.step))));
        };
        self.check_page(&page)?;
        let cursor = source.state.lock().unwrap_or_else(PoisonError::into_inner).cursor.clone();
        // A source without news must not grow by an empty page every hour.
        if page.table.rows == 0 && !page.restarted && cursor.as_ref() == Some(&page.cursor) {
            return Ok(());
        }
        self.commit_page(source, &page)?;
        let (step, attempt) = (self.step.name.clone(), self.attempt);
        (self.observer)(&RunEvent::Page { step, attempt, rows: page.table.rows, more: page.more });
        Ok(())
    }

    fn checkpoint(&self, state: Vec<u8>) -> Result<(), Fault> {
        let state = self.dispatcher.blobs.put(self.tenant, &state)?;
        self.record(Record::CheckpointSaved { run: self.run, step: self.step.name.clone(), state })
    }
}

/// The one output of a collector, and the rows that a validator passes on.
fn table_port() -> Result<PortName, Fault> {
    PortName::parse("table").map_err(Fault::host)
}

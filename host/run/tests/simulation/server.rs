//! What a server has in mind, and loses when it dies: the machines of its runs, their attempts, whose turn it is.

use crate::bugs::Bug;
use crate::scribe::Desk;
use crate::script::Script;
use crate::turns::{Number, Turns};
use crate::world::World;
use plan::{PlannedStep, Work};
use ports::{Call, SourceState};
use run::{Course, Event, RunView, Stop, StoredPlan, Ticket};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use types::{Attempt, Digest, RunHead, RunId, StepName};

/// A run of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub tenant: Number,
    pub run: RunId,
}

pub(crate) struct Server {
    pub driven: BTreeMap<Key, Driven>,
    pub turns: Turns,
    /// Runs that nobody has looked at since they ended.
    pub ended: Vec<Key>,
    /// By tenant, whether what ended while nobody looked was looked at.
    pub caught_up: Vec<bool>,
    /// How the files of a pipeline were found by the last look.
    pub found: BTreeMap<(Number, usize), Digest>,
    /// By tenant, what was put or found while anything was under way there: no sweep takes it.
    pub young: Vec<BTreeSet<Digest>>,
    /// When the scheduler wants to look again.
    pub look_mono_us: Option<i64>,
}

/// A run and the loop round it.
pub(crate) struct Driven {
    pub course: Course,
    pub inbox: VecDeque<Event>,
    pub attempts: BTreeMap<(StepName, Attempt), Trial>,
    pub wake_mono_us: Option<i64>,
    pub stop: Option<Stop>,
    /// What is not on disk yet.
    pub desk: Desk,
    /// Its attempts are to end.
    pub abandoned: bool,
    /// The loop is gone, and waits for its attempts.
    pub over: bool,
}

/// One try of a step.
pub(crate) struct Trial {
    pub step: PlannedStep,
    pub work: Doing,
    pub since_mono_us: i64,
    /// What it waits with for a slot; none of what the host does itself.
    pub ticket: Option<Ticket>,
    pub has_slot: bool,
    /// The turn in which it began: what it records comes after that.
    pub turn: u64,
}

pub(crate) enum Doing {
    Call { call: Box<Call>, source: Option<(Digest, SourceState)> },
    Gather,
    Split,
}

impl Server {
    pub(crate) fn new(script: &Script, bug: Option<Bug>) -> Self {
        let (driven, ended, found, look_mono_us) = Default::default();
        let (young, caught_up) = (vec![BTreeSet::new(); script.tenants.len()], vec![false; script.tenants.len()]);
        Self { driven, turns: Turns::new(script, bug), ended, caught_up, found, young, look_mono_us }
    }
}

impl World<'_> {
    /// A machine for a run, from wherever its records say it is.
    pub(crate) fn drive(&mut self, key: Key) {
        let disk = &self.disks[key.tenant];
        let view = match self.has(Bug::ResumesFromAnOldView) {
            true => {
                let all: Vec<_> = disk.records().filter(|record| crate::facts::of_record(record).is_some()).collect();
                let of_run = all.into_iter().filter(|record| crate::facts::of_record(record).unwrap().0 == key.run);
                let of_run: Vec<_> = of_run.collect();
                RunView::of(of_run[..of_run.len().saturating_sub(2).max(1)].iter().copied())
            }
            false => disk.known.runs[&key.run].clone(),
        };
        let Some(head) = view.head.clone() else { return };
        let course = Course::new(key.run, self.stored(key.tenant, &head), view);
        let driven = Driven {
            course,
            inbox: VecDeque::from([Event::Begun]),
            attempts: BTreeMap::new(),
            wake_mono_us: None,
            stop: None,
            desk: Desk::default(),
            abandoned: false,
            over: false,
        };
        self.server.driven.insert(key, driven);
    }

    /// The plan of a run, as it was stored when the run began.
    fn stored(&self, tenant: Number, head: &RunHead) -> StoredPlan {
        let newest = || self.current(tenant).iter().find(|pipeline| *pipeline.name() == head.pipeline);
        let of = match self.has(Bug::ResumesTheNewest) {
            true => newest().unwrap(),
            false => self.pipeline(tenant, head),
        };
        let mut stored = of.stored.clone();
        if self.has(Bug::LosesTheDirection) {
            for step in &mut stored.plan.steps {
                if let Work::Best { highest, .. } = &mut step.work {
                    *highest = false;
                }
            }
        }
        stored
    }
}

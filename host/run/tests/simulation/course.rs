//! A script -> the whole course of its world, to the end of every run; or what went wrong.

use crate::attempts::COLLISION;
use crate::bugs::Bug;
use crate::dice::Dice;
use crate::disk::{Halt, Result, broken};
use crate::script::Script;
use crate::server::Key;
use crate::steps;
use crate::world::World;
use run::{RunView, Status};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use trigger::Whose;
use types::{Artifact, Cause, FaultKind, PipelineName, RunHead, RunState};

/// More than any script needs to come to rest.
const ROUNDS_MAX: usize = 4_000;

/// A run by its version and what started it: the same in another course of the script.
type Started = (usize, u32, PipelineName, String);
/// How a run ended, step by step.
type Essence = BTreeMap<Started, Vec<String>>;

/// What is wrong with a script; none if nothing is. What trouble cannot change is the same without any.
pub(crate) fn fault(script: &Script, bug: Option<Bug>) -> Option<String> {
    let found = catch_unwind(AssertUnwindSafe(|| compared(script, bug)));
    found
        .unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
        })
        .err()
}

fn compared(script: &Script, bug: Option<Bug>) -> std::result::Result<(), String> {
    let troubled = essence(script, bug)?;
    if bug.is_some() {
        // A bug is to be found by what must hold at any time.
        return Ok(());
    }
    let smooth = essence(&script.undisturbed(), None)?;
    for (started, ended) in &troubled {
        if let Some(other) = smooth.get(started).filter(|other| *other != ended) {
            return Err(format!("{started:?} ended otherwise than without trouble: {ended:?}, not {other:?}"));
        }
    }
    Ok(())
}

fn essence(script: &Script, bug: Option<Bug>) -> std::result::Result<Essence, String> {
    let mut world = World::new(script, bug);
    match world.live() {
        Ok(()) => Ok(world.essence()),
        Err(Halt::Broken(what)) => Err(what),
        Err(halt) => Err(format!("the world ended by {halt:?}")),
    }
}

impl World<'_> {
    fn live(&mut self) -> Result<()> {
        self.script.moves.iter().try_for_each(|made| self.make(*made))?;
        self.come_to_rest()?;
        self.check_end()
    }

    /// No more trouble and no more instants: everything that began comes to its end.
    fn come_to_rest(&mut self) -> Result<()> {
        (self.is_full, self.dies) = (false, None);
        for tenant in 0..self.disks.len() {
            for pipeline in 0..self.current(tenant).len() {
                let name = self.current(tenant)[pipeline].name();
                if self.disks[tenant].known.calendars.get(name).is_some_and(|calendar| calendar.held) {
                    self.set_held(tenant, pipeline, false)?;
                }
            }
        }
        let horizon_us = self.wall_us;
        let mut dice = Dice(7);
        for _ in 0..ROUNDS_MAX {
            self.drive_all();
            let before = self.open();
            let moved = self.everyone(&mut dice)?;
            if !moved || self.open() != before {
                self.look(horizon_us)?;
                self.server.look_mono_us = None;
                // What has moved has stayed so by the second look.
                self.poll()?;
                self.poll()?;
            }
            if !moved && self.open() == 0 {
                self.check_followers()?;
                self.check_watches()?;
                return self.check_schedules(horizon_us);
            }
            if !moved && self.open() == before && !self.wait()? {
                return broken("a run does not end, and there is nothing left to wait for");
            }
        }
        broken("the world does not come to rest")
    }

    fn open(&self) -> usize {
        self.disks.iter().map(|disk| disk.known.open.len()).sum()
    }

    /// Each loop takes an event, each attempt does the next thing; whether anything was done.
    pub(crate) fn everyone(&mut self, dice: &mut Dice) -> Result<bool> {
        let mut moved = false;
        for key in self.server.driven.keys().copied().collect::<Vec<Key>>() {
            moved |= self.turn(key)?;
            let names = self.server.driven.get(&key).map(|driven| driven.attempts.keys().cloned().collect::<Vec<_>>());
            for name in names.unwrap_or_default() {
                moved |= self.act(key, &name, dice)?;
            }
            moved |= self.write_down(key)?;
        }
        Ok(moved)
    }

    fn check_schedules(&self, horizon_us: i64) -> Result<()> {
        for (number, (disk, tenant)) in self.disks.iter().zip(&self.script.tenants).enumerate() {
            for pipeline in self.current(number) {
                let Some(timetable) = &pipeline.timetable else { continue };
                let whose = Whose { tenant: &tenant.id, pipeline: pipeline.name() };
                let starts_us = |at_us| timetable.free.starts_us(whose, at_us);
                let since_us = disk.known.deployed_us;
                disk.known.calendars[pipeline.name()].check_end(horizon_us, since_us, starts_us)?;
            }
            if let Some((asked, _)) = disk.known.backfills.iter().find(|(_, ended)| !ended) {
                return broken(format!("backfill {} does not end", asked.number));
            }
        }
        Ok(())
    }

    fn check_end(&self) -> Result<()> {
        self.check()?;
        let disks = self.disks.iter().enumerate();
        let all = disks.flat_map(|(tenant, disk)| disk.known.runs.iter().map(move |(run, view)| (tenant, run, view)));
        for (tenant, run, view) in all {
            self.check_cancelled(Key { tenant, run: *run }, view)?;
            let Some(state) = view.ended else { return broken(format!("run {run} has no end")) };
            let is_open = |step: &&run::StepView| !step.status.is_final();
            if let (RunState::Succeeded | RunState::Rejected, Some(step)) = (state, view.steps.values().find(is_open)) {
                return broken(format!("run {run} {} with a step left: {step:?}", state.ended()));
            }
        }
        Ok(())
    }

    /// Nothing but a word from somebody ends a run as cancelled; attempts of one that is out of time look alike.
    fn check_cancelled(&self, key: Key, view: &RunView) -> Result<()> {
        let has_timeout = |head| self.pipeline(key.tenant, head).plan().timeout_ms.is_some();
        let is_free = self.cancelled.contains(&key) || view.head.as_ref().is_none_or(has_timeout);
        match view.ended == Some(RunState::Cancelled) && !is_free {
            true => broken(format!("run {} was cancelled, and nobody said so", key.run)),
            false => Ok(()),
        }
    }

    /// Of the runs whose end does not depend on when things happened.
    fn essence(&self) -> Essence {
        let disks = self.disks.iter().enumerate();
        let all = disks.flat_map(|(tenant, disk)| disk.known.runs.values().map(move |view| (tenant, view)));
        all.filter_map(|(tenant, view)| self.essence_of(tenant, view)).collect()
    }

    fn essence_of(&self, tenant: usize, view: &RunView) -> Option<(Started, Vec<String>)> {
        let head = view.head.as_ref()?;
        let of = self.pipeline(tenant, head);
        let collects = of.plan().steps.iter().any(|step| run::source_of(of.plan(), step).is_some());
        // Who follows another has the time of its start.
        let is_timed = matches!(head.cause, Cause::Upstream { .. })
            && of.plan().steps.iter().any(|step| steps::reads_time(&step.work));
        let is_chance = is_timed
            || (collects && of.source.grows_us.is_some())
            || view.ended == Some(RunState::Cancelled)
            || view.because.is_some()
            || view.steps.values().any(is_out_of_time)
            || view
                .steps
                .values()
                .flat_map(|step| &step.failures)
                .any(|failure| failure.fault.kind == FaultKind::Host || failure.fault.message == COLLISION);
        let key = self.started(tenant, head)?;
        let steps = view.steps.iter().map(|(name, step)| format!("{name} {}", ended(&step.status)));
        let all = [view.state().to_string()].into_iter().chain(steps).collect();
        (!is_chance).then(|| ((tenant, head.deployment.unwrap_or(1), head.pipeline.clone(), key), all))
    }

    /// What started a run, in words that are the same in another course; none of what is another thing there.
    fn started(&self, tenant: usize, head: &RunHead) -> Option<String> {
        match &head.cause {
            Cause::Manual => Some(format!("manual {}", head.logical_time_us)),
            Cause::Upstream { pipeline, run } => {
                let before = self.disks[tenant].known.runs.get(run)?.head.as_ref()?;
                let version = before.deployment.unwrap_or(1);
                Some(format!("{pipeline} of version {version}, {}", self.started(tenant, before)?))
            }
            cause => cause.key(),
        }
    }
}

fn ended(status: &Status) -> String {
    match status {
        Status::Committed { commit } => commit.outputs.values().fold("committed".to_owned(), |text, artifact| {
            match artifact {
                // Numbers are given in turn.
                Artifact::Version { model, .. } => format!("{text} {model}"),
                other => format!("{text} {}", other.digest().short()),
            }
        }),
        Status::Failed { fault } => format!("failed: {fault}"),
        Status::Skipped { because } => format!("skipped: {because}"),
        other => format!("{other:?}"),
    }
}

/// Whether the run's time was up while it ran.
fn is_out_of_time(step: &run::StepView) -> bool {
    matches!(&step.status, Status::Failed { fault } if fault.message.contains("the pipeline's `timeout`"))
}

//! The scheduler, as the server's: what `trigger` decides is carried out and written down, a run and its settling in one batch.

use crate::bugs::Bug;
use crate::disk::{Halt, Result};
use crate::server::Key;
use crate::turns::Number;
use crate::world::World;
use run::{Event, Stop};
use trigger::{Choice, Decision, Order, Overlap, Standing, Whose, believed, due};
use types::{Cause, Passed, PipelineName, ProjectName, Record, RunId, ScheduleState};

/// Decisions on one schedule in one look.
const ROUNDS_MAX: usize = 100;

impl World<'_> {
    /// Looks at what has ended, and at every schedule and backfill.
    pub(crate) fn look(&mut self, now_us: i64) -> Result<()> {
        self.server.look_mono_us = None;
        self.follow_up_all()?;
        for tenant in 0..self.disks.len() {
            for pipeline in 0..self.current(tenant).len() {
                self.look_at(tenant, pipeline, now_us)?;
            }
            self.go_on_with_backfills(tenant)?;
        }
        Ok(())
    }

    /// Settles one schedule.
    pub(crate) fn look_at(&mut self, tenant: Number, pipeline: usize, now_us: i64) -> Result<()> {
        let script = self.script;
        let of = &self.current(tenant)[pipeline];
        let Some(timetable) = &of.timetable else { return Ok(()) };
        for _ in 0..ROUNDS_MAX {
            let known = &self.disks[tenant].known;
            let recorded = known.calendars[of.name()].state();
            let state = match self.has(Bug::StaysSilent) {
                true => recorded.clone(),
                false => believed(recorded.clone(), known.deployed_us, now_us),
            };
            let running: Vec<i64> = instants(known, of.name()).into_iter().map(|(at_us, _)| at_us).collect();
            let whose = Whose { tenant: &script.tenants[tenant].id, pipeline: of.name() };
            let standing = Standing { whose, settled_us: state.settled_us, running: &running, waiting: &state.waiting };
            let decision = due(timetable.schedule(state.paused), standing, now_us);
            let wake = decision.wake_us;
            self.cancel_instants(tenant, of.name(), &decision.cancel);
            self.settle_schedule(tenant, pipeline, &recorded, decision)?;
            if let Some(wake) = wake.filter(|wake| *wake > now_us) {
                let wake = self.mono_us + wake - now_us;
                self.server.look_mono_us = Some(self.server.look_mono_us.map_or(wake, |earlier| earlier.min(wake)));
            }
            if wake.is_none_or(|wake| wake > now_us) {
                break;
            }
        }
        Ok(())
    }

    fn settle_schedule(
        &mut self,
        tenant: Number,
        pipeline: usize,
        state: &ScheduleState,
        decision: Decision,
    ) -> Result<()> {
        let Decision { fire, mut passed, waiting, settled_us, .. } = decision;
        let name = self.current(tenant)[pipeline].name();
        for (index, &at_us) in fire.iter().enumerate() {
            let rest = fire[index + 1..].iter().chain(&waiting).copied().collect();
            let settled = settled(name, settled_us, rest, std::mem::take(&mut passed));
            let beside = match self.bug {
                Some(Bug::ForgetsWhatIsSettled) => Vec::new(),
                Some(Bug::SettlesTooEarly) => {
                    self.append(tenant, std::slice::from_ref(&settled))?;
                    Vec::new()
                }
                _ => vec![settled.clone()],
            };
            let version = self.disks[tenant].known.version;
            match self.begin((tenant, version, pipeline), Cause::Schedule { at_us }, at_us, beside) {
                Err(Halt::Conflict) => self.append(tenant, &[settled])?,
                begun => drop(begun?),
            }
        }
        let is_news = (settled_us, &waiting) != (state.settled_us, &state.waiting) || !passed.is_empty();
        match fire.is_empty() && is_news {
            true => self.append(tenant, &[settled(name, settled_us, waiting, passed)]),
            false => Ok(()),
        }
    }

    fn cancel_instants(&mut self, tenant: Number, pipeline: &PipelineName, meant: &[i64]) {
        for (_, run) in instants(&self.disks[tenant].known, pipeline).into_iter().filter(|(at, _)| meant.contains(at)) {
            self.stop(Key { tenant, run }, Stop::Cancel);
        }
    }

    /// Tells a loop to stop; the first word counts.
    pub(crate) fn stop(&mut self, key: Key, stop: Stop) {
        if stop == Stop::Cancel {
            self.cancelled.insert(key);
        }
        if let Some(driven) = self.server.driven.get_mut(&key) {
            driven.stop.get_or_insert(stop);
            driven.inbox.push_back(Event::Woken);
        }
    }

    fn go_on_with_backfills(&mut self, tenant: Number) -> Result<()> {
        for (asked, ended) in self.disks[tenant].known.backfills.clone() {
            let pipelines = self.script.tenants[tenant].version(asked.version);
            let Some(pipeline) = pipelines.iter().position(|of| *of.name() == asked.pipeline).filter(|_| !ended) else {
                continue;
            };
            let Some(timetable) = &pipelines[pipeline].timetable else { continue };
            let (overlap, order) = (Overlap::parse(&asked.overlap).unwrap(), Order::parse(&asked.order).unwrap());
            let backfill = trigger::backfill(&timetable.free, asked.from_us, asked.to_us, overlap, order).unwrap();
            let known = &self.disks[tenant].known;
            let cause = |at_us| Cause::Backfill { backfill: asked.number, at_us };
            let runs = backfill.instants().iter().map_while(|i| known.fired(&asked.pipeline, &cause(i.at_us)));
            let runs: Vec<RunId> = runs.collect();
            let running = runs.iter().filter(|run| known.open.contains(run)).count();
            for instant in backfill.due(runs.len(), running).to_vec() {
                self.begin((tenant, asked.version, pipeline), cause(instant.at_us), instant.at_us, Vec::new())?;
            }
            let known = &self.disks[tenant].known;
            if backfill.instants().iter().all(|i| known.fired(&asked.pipeline, &cause(i.at_us)).is_some()) {
                let ended = Record::BackfillEnded { number: asked.number, at_us: self.wall_us };
                self.append(tenant, &[ended])?;
            }
        }
        Ok(())
    }
}

/// Instants of a pipeline's schedule whose runs are under way.
fn instants(known: &crate::known::Known, pipeline: &PipelineName) -> Vec<(i64, RunId)> {
    let instant = |head: &types::RunHead| match head.cause {
        Cause::Schedule { at_us } => Some((at_us, head.run)),
        _ => None,
    };
    known.under_way(pipeline).into_iter().filter_map(instant).collect()
}

fn settled(pipeline: &PipelineName, settled_us: i64, waiting: Vec<i64>, passed: Vec<Passed>) -> Record {
    let project: ProjectName = "demo".parse().unwrap();
    Record::ScheduleSettled { project, pipeline: pipeline.clone(), settled_us, waiting, passed }
}

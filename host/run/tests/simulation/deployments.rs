//! Somebody deploys another version: what the older one's schedules leave is settled in the batch that makes the newer one current.

use crate::bugs::Bug;
use crate::disk::Result;
use crate::pipelines::Pipeline;
use crate::turns::Number;
use crate::world::World;
use trigger::{Whose, hand_over};
use types::{Deployment, Digest, Record, Settings};

impl World<'_> {
    pub(crate) fn deploy(&mut self, tenant: Number) -> Result<()> {
        let script = self.script;
        let version = self.disks[tenant].known.version + 1;
        let (old, new) = (self.current(tenant), script.tenants[tenant].version(version));
        let mut records = Vec::new();
        for (old, new) in old.iter().zip(new) {
            records.extend(self.handed_over(tenant, old, new));
        }
        if self.has(Bug::ForgetsTheHandover) {
            records.clear();
        }
        let content = content(version);
        self.put(tenant, [content])?;
        records.push(Record::Deployed(Deployment {
            project: "demo".parse().unwrap(),
            version,
            content,
            settings: Settings::new(),
            rollback_to: None,
            deployed_us: self.wall_us,
        }));
        self.append(tenant, &records)
    }

    /// What becomes of a pipeline's schedule.
    fn handed_over(&self, tenant: Number, old: &Pipeline, new: &Pipeline) -> Option<Record> {
        let (pipeline, now_us) = (new.name().clone(), self.wall_us);
        let after = new.timetable.as_ref()?;
        let state = self.disks[tenant].known.calendars[&pipeline].state();
        let (waiting, passed) = match &old.timetable {
            Some(before) if before.free == after.free => return None,
            Some(before) => {
                let whose = Whose { tenant: &self.script.tenants[tenant].id, pipeline: &pipeline };
                hand_over(&before.free, &state, whose, now_us)
            }
            None => Default::default(),
        };
        let (project, settled_us) = (new.plan().project.clone(), now_us.max(state.settled_us));
        Some(Record::ScheduleSettled { project, pipeline, settled_us, waiting, passed })
    }
}

/// The blob of what was deployed.
pub(crate) fn content(version: u32) -> Digest {
    Digest::of_json(&("content", version))
}

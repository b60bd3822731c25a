//! Pipelines that follow others, as the server starts them: what ended while it looked, and, once, what ended while nobody did.

use crate::bugs::Bug;
use crate::disk::{Halt, Result, broken};
use crate::server::Key;
use crate::turns::Number;
use crate::world::World;
use types::{Cause, RunHead, RunState};

impl World<'_> {
    /// Looks at what has ended.
    pub(crate) fn follow_up_all(&mut self) -> Result<()> {
        for key in std::mem::take(&mut self.server.ended) {
            self.follow_up(key)?;
        }
        for tenant in 0..self.disks.len() {
            if !std::mem::replace(&mut self.server.caught_up[tenant], true) && !self.has(Bug::CatchesUpNothing) {
                let known = &self.disks[tenant].known;
                let ended: Vec<_> = known.runs.keys().filter(|run| !known.open.contains(run)).copied().collect();
                let kept = ended.into_iter().filter(|run| !known.forgotten.contains(run)).collect::<Vec<_>>();
                kept.into_iter().try_for_each(|run| self.follow_up(Key { tenant, run }))?;
            }
        }
        Ok(())
    }

    /// Begins what follows a run that has succeeded.
    fn follow_up(&mut self, key: Key) -> Result<()> {
        let known = &self.disks[key.tenant].known;
        let (Some(head), state) = (known.runs[&key.run].head.clone(), known.runs[&key.run].state()) else {
            return Ok(());
        };
        if state != RunState::Succeeded && !self.has(Bug::FollowsAnything) {
            return Ok(());
        }
        for (follower, of) in self.current(key.tenant).iter().enumerate() {
            if of.after.as_ref() != Some(&head.pipeline) || !self.ran_with(key.tenant, &head, follower) {
                continue;
            }
            let cause = Cause::Upstream { pipeline: head.pipeline.clone(), run: key.run };
            if self.disks[key.tenant].known.fired(of.name(), &cause).is_none() {
                let version = self.disks[key.tenant].known.version;
                match self.begin((key.tenant, version, follower), cause, self.wall_us, Vec::new()) {
                    Err(Halt::Full) => {
                        // Tried again when the next look catches up.
                        self.server.caught_up[key.tenant] = false;
                        return Ok(());
                    }
                    begun => begun.map(drop)?,
                }
            }
        }
        Ok(())
    }

    /// Whether the version that ran had the follower: one that came later makes none of what ran before it.
    fn ran_with(&self, tenant: Number, head: &RunHead, follower: usize) -> bool {
        let version = head.deployment.unwrap_or(1);
        self.script.tenants[tenant].version(version)[follower].after.as_ref() == Some(&head.pipeline)
    }

    /// Nothing that succeeded was left without what follows it in every version since.
    pub(crate) fn check_followers(&self) -> Result<()> {
        for (tenant, disk) in self.disks.iter().enumerate() {
            let known = &disk.known;
            let succeeded = known.runs.iter().filter(|(_, view)| view.state() == RunState::Succeeded);
            for (run, head) in succeeded.filter_map(|(run, view)| Some((run, view.head.as_ref()?))) {
                let versions = head.deployment.unwrap_or(1)..=known.version;
                for (follower, of) in self.current(tenant).iter().enumerate() {
                    let all = |version| {
                        let of = &self.script.tenants[tenant].version(version)[follower];
                        of.after.as_ref() == Some(&head.pipeline)
                    };
                    let cause = Cause::Upstream { pipeline: head.pipeline.clone(), run: *run };
                    let is_meant = !known.forgotten.contains(run) && versions.clone().all(all);
                    if is_meant && known.fired(of.name(), &cause).is_none() {
                        return broken(format!("run {run} succeeded, and `{}` does not follow it", of.name()));
                    }
                }
            }
        }
        Ok(())
    }
}

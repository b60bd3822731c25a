//! Files that pipelines watch, as the server looks at them: what has moved, and stayed so for a look, starts one run.

use crate::bugs::Bug;
use crate::disk::{Result, broken};
use crate::turns::Number;
use crate::world::World;
use types::{Cause, Digest, Record};

impl World<'_> {
    /// Somebody changes the files of a pipeline.
    pub(crate) fn touch(&mut self, tenant: Number, pipeline: usize) {
        self.files[tenant][pipeline] += 1;
    }

    /// One look at all that is watched.
    pub(crate) fn poll(&mut self) -> Result<()> {
        for tenant in 0..self.disks.len() {
            for pipeline in 0..self.current(tenant).len() {
                if self.current(tenant)[pipeline].watches {
                    self.watch(tenant, pipeline)?;
                }
            }
        }
        Ok(())
    }

    fn watch(&mut self, tenant: Number, pipeline: usize) -> Result<()> {
        let of = &self.current(tenant)[pipeline];
        let (name, now) = (of.name().clone(), self.found(tenant, pipeline));
        let project = of.plan().project.clone();
        let moved = Record::WatchMoved { project, pipeline: name.clone(), watch: "files".to_owned(), seen: now };
        let is_stable = self.server.found.insert((tenant, pipeline), now) == Some(now);
        let known = &self.disks[tenant].known;
        match known.watched.get(&name) {
            None => self.append(tenant, &[moved]),
            Some(seen) if *seen == now || !is_stable => Ok(()),
            Some(_) if known.is_moved_under_way(&name) && !self.has(Bug::MovesBeside) => Ok(()),
            Some(_) => {
                let cause = Cause::Data { what: "files changed".to_owned(), source: None };
                let place = (tenant, known.version, pipeline);
                if !self.has(Bug::NotesAMoveLate) {
                    return self.begin(place, cause, self.wall_us, vec![moved]).map(drop);
                }
                self.begin(place, cause, self.wall_us, Vec::new())?;
                self.append(tenant, &[moved])
            }
        }
    }

    fn found(&self, tenant: Number, pipeline: usize) -> Digest {
        Digest::of_json(&("files", pipeline, self.files[tenant][pipeline]))
    }

    /// The last move of all that is watched was seen.
    pub(crate) fn check_watches(&self) -> Result<()> {
        for (tenant, disk) in self.disks.iter().enumerate() {
            for (pipeline, of) in self.current(tenant).iter().enumerate().filter(|(_, of)| of.watches) {
                if disk.known.watched.get(of.name()) != Some(&self.found(tenant, pipeline)) {
                    return broken(format!("files of `{}` moved, and nothing began", of.name()));
                }
            }
        }
        Ok(())
    }
}

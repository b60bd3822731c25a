//! The world of a script: disks that last, a server that dies, a clock that is set. One thread; what happens next is said by moves.

use crate::bugs::Bug;
use crate::disk::{Disk, Halt, Result, broken};
use crate::facts::{self, Fact};
use crate::pipelines::Pipeline;
use crate::script::{Script, When};
use crate::server::{Key, Server};
use crate::turns::Number;
use run::RunEvent;
use std::collections::BTreeSet;
use types::{Cause, Digest, Record, RunHead, RunId, Settings};

pub(crate) struct World<'s> {
    pub script: &'s Script,
    pub bug: Option<Bug>,
    /// What the clock on the wall shows; it may be set.
    pub wall_us: i64,
    /// Time as it goes by.
    pub mono_us: i64,
    pub disks: Vec<Disk<'s>>,
    pub is_full: bool,
    /// The server dies at its next write.
    pub dies: Option<When>,
    pub server: Server,
    /// Runs that somebody did not want any more.
    pub cancelled: BTreeSet<Key>,
    /// What somebody was told of each tenant's runs.
    told: Vec<BTreeSet<Fact>>,
    /// How often the files of each tenant's pipelines were changed.
    pub files: Vec<Vec<u64>>,
}

impl<'s> World<'s> {
    pub(crate) fn new(script: &'s Script, bug: Option<Bug>) -> Self {
        let disk = |tenant| Disk::new(tenant, script.begins_us);
        Self {
            script,
            bug,
            wall_us: script.begins_us,
            mono_us: 0,
            disks: script.tenants.iter().map(disk).collect(),
            is_full: false,
            dies: None,
            server: Server::new(script, bug),
            cancelled: BTreeSet::new(),
            told: vec![BTreeSet::new(); script.tenants.len()],
            files: script.tenants.iter().map(|tenant| vec![0; tenant.version(1).len()]).collect(),
        }
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(crate) fn pipeline(&self, tenant: Number, head: &RunHead) -> &'s Pipeline {
        let mut all = self.script.tenants[tenant].version(head.deployment.unwrap_or(1)).iter();
        all.find(|pipeline| *pipeline.name() == head.pipeline).unwrap()
    }

    /// The pipelines of the version that is deployed.
    pub(crate) fn current(&self, tenant: Number) -> &'s [Pipeline] {
        self.script.tenants[tenant].version(self.disks[tenant].known.version)
    }

    /// Appends a batch, unless the disk is full or the server dies.
    pub(crate) fn append(&mut self, tenant: Number, records: &[Record]) -> Result<()> {
        if self.is_full && !records.is_empty() {
            return Err(Halt::Full);
        }
        let dies = if records.is_empty() { None } else { self.dies.take() };
        self.disks[tenant].append(records, dies)
    }

    /// Stores what somebody is about to name.
    pub(crate) fn put(&mut self, tenant: Number, blobs: impl IntoIterator<Item = Digest>) -> Result<()> {
        for blob in blobs {
            if self.is_full {
                return Err(Halt::Full);
            }
            self.server.young[tenant].insert(blob);
            self.disks[tenant].blobs.insert(blob);
        }
        Ok(())
    }

    /// Tells what happened in a run. Nothing is told that is not on disk.
    pub(crate) fn tell(&mut self, key: Key, event: &RunEvent) -> Result<()> {
        let Some(fact) = facts::of_event(key.run, event) else { return Ok(()) };
        if !self.has(Bug::TellsTooEarly) && !self.disks[key.tenant].known.facts.contains(&fact) {
            return broken(format!("run {} was told before it was on disk: {}", fact.0, fact.1));
        }
        self.told[key.tenant].insert(fact);
        Ok(())
    }

    /// What was told is still so, and all that counts is there.
    pub(crate) fn check(&self) -> Result<()> {
        for (disk, told) in self.disks.iter().zip(&self.told) {
            if let Some((run, what)) = told.difference(&disk.known.facts).next() {
                return broken(format!("run {run}: it was told that `{what}`, which is lost"));
            }
            if let Some(blob) = disk.known.named(None).difference(&disk.blobs).next() {
                return broken(format!("blob {} is gone though a record names it", blob.short()));
            }
        }
        Ok(())
    }

    /// Records that a run of a version's pipeline began and has it driven.
    pub(crate) fn begin(
        &mut self,
        (tenant, version, pipeline): (Number, u32, usize),
        cause: Cause,
        logical_time_us: i64,
        beside: Vec<Record>,
    ) -> Result<RunId> {
        let stored = &self.script.tenants[tenant].version(version)[pipeline].stored;
        let blob = Digest::of_json(&("plan", &stored.plan.pipeline, version));
        // Held from before the blob is put, as the server does.
        self.put(tenant, [blob])?;
        let run = RunId(self.disks[tenant].known.last_run + 1);
        let head = RunHead {
            run,
            project: stored.plan.project.clone(),
            pipeline: stored.plan.pipeline.clone(),
            plan: blob,
            cause,
            logical_time_us,
            started_us: self.wall_us,
            deployment: Some(version),
            overrides: Settings::new(),
            by: None,
        };
        let records: Vec<_> = [Record::RunStarted(head)].into_iter().chain(beside).collect();
        self.append(tenant, &records)?;
        let key = Key { tenant, run };
        let (project, pipeline) = (stored.plan.project.clone(), stored.plan.pipeline.clone());
        let at_us = self.wall_us;
        self.tell(key, &RunEvent::RunStarted { run, project, pipeline, steps: Vec::new(), at_us })?;
        self.drive(key);
        Ok(run)
    }

    /// The server is gone with all that it had in mind; another one finds the disks and goes on with every run.
    pub(crate) fn reopen(&mut self) -> Result<()> {
        self.server = Server::new(self.script, self.bug);
        self.dies = None;
        for (disk, tenant) in self.disks.iter_mut().zip(&self.script.tenants) {
            disk.reopen(tenant, self.script.begins_us, self.bug)?;
        }
        self.check()?;
        self.drive_all();
        Ok(())
    }

    /// Drives what nobody drives.
    pub(crate) fn drive_all(&mut self) {
        for tenant in 0..self.disks.len() {
            for run in self.disks[tenant].known.open.clone() {
                let key = Key { tenant, run };
                if !self.server.driven.contains_key(&key) {
                    self.drive(key);
                }
            }
        }
    }
}

//! `stepwell gc`, and what a server does of it by itself: forgets the runs of a tenant that need not be kept, removes what
//! nothing names any more, and folds what those runs recorded. It is safe beside runs and checks that are under way:
//! [`store::Store::sweep`] says why.

use crate::triggers::in_words;
use crate::{Error, Keep, Notes, Server, locked, retention};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use types::{Fault, ProjectName, RunId, TenantId};

/// A word after so many blobs.
const NOTE_EVERY: u64 = 20_000;
/// How often a server looks whether a tenant's day is over, and what a day is.
const LOOK: Duration = Duration::from_secs(600);
const DAY_US: i64 = 86_400_000_000;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GcRequest {
    /// Say what would go, and remove nothing.
    pub dry_run: bool,
    /// What is kept of each pipeline's runs.
    pub keep: Keep,
}

/// What went, or would.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collected {
    pub tenant: TenantId,
    pub dry_run: bool,
    /// Forgotten, the oldest first.
    pub runs: Vec<RunId>,
    pub blobs: u64,
    pub bytes: u64,
    pub blobs_kept: u64,
    /// That the journal is shorter.
    #[serde(default)]
    pub journal_bytes: u64,
}

impl Server {
    /// Once a day, and soon after the start, forgets what deployed projects say is not kept.
    pub(crate) fn keep_retention(self: &Arc<Self>) {
        let mut last_us = BTreeMap::new();
        loop {
            self.triggers.retaining.sleep(LOOK);
            if self.triggers.is_leaving() {
                return;
            }
            self.retain(&mut last_us);
        }
    }

    /// One look at all tenants; `last_us` is when each was last cleared.
    pub(crate) fn retain(&self, last_us: &mut BTreeMap<TenantId, i64>) {
        for tenant in self.store.tenants().into_iter().filter(|tenant| self.active(tenant).is_ok()) {
            let now_us = self.now_us();
            // Also after the clock went back.
            let is_early = last_us.get(&tenant).is_some_and(|&last| (last..last + DAY_US).contains(&now_us));
            if is_early || !self.says_what_is_kept(&tenant) {
                continue;
            }
            last_us.insert(tenant.clone(), now_us);
            match self.gc(&tenant, &GcRequest::default(), &|_| {}) {
                Ok(gone) if gone.runs.is_empty() => {}
                Ok(Collected { runs, blobs, .. }) => self.triggers.say(format!(
                    "tenant `{tenant}`: forgot {} runs as `[retention]` says, and removed {blobs} blobs",
                    runs.len()
                )),
                Err(error) => {
                    self.triggers.say(format!("tenant `{tenant}`: `[retention]` waits a day: {}", in_words(&error)));
                }
            }
        }
    }

    fn says_what_is_kept(&self, tenant: &TenantId) -> bool {
        // What cannot be read is told of by the loop that keeps schedules.
        self.all_deployed(tenant).unwrap_or_default().iter().any(|deployed| deployed.project.retention.is_some())
    }

    /// Forgets runs, removes blobs and folds the journal. One at a time; whoever comes meanwhile waits.
    pub fn gc(&self, tenant: &TenantId, request: &GcRequest, notes: Notes<'_>) -> Result<Collected, Error> {
        self.known(tenant)?;
        let _alone = locked(&self.collecting);
        let runs = self.forgettable(tenant, request.keep)?;
        if !request.dry_run {
            // Records first: what a crash leaves undone behind them, the next one does.
            self.store.forget_runs(tenant, &runs, self.now_us())?;
            self.remove_pages_of_none(tenant)?;
        }
        let without: BTreeSet<RunId> = runs.iter().copied().collect();
        let mut looked = 0;
        let mut tell = |swept: &store::Swept| {
            looked += 1;
            if looked % NOTE_EVERY == 0 {
                notes(format!("looked at {looked} blobs; {} of them go", swept.blobs));
            }
            ControlFlow::Continue(())
        };
        let swept = self.store.sweep(tenant, &without, request.dry_run, &mut tell)?;
        let folded = self.store.fold(tenant, &without, request.dry_run, self.now_us())?;
        let (tenant, dry_run, journal_bytes) = (tenant.clone(), request.dry_run, folded.bytes);
        let store::Swept { blobs, bytes, kept: blobs_kept } = swept;
        Ok(Collected { tenant, dry_run, runs, blobs, bytes, blobs_kept, journal_bytes })
    }

    /// The runs that need not be kept: neither live, nor behind a version of the registry.
    fn forgettable(&self, tenant: &TenantId, keep: Keep) -> Result<Vec<RunId>, Error> {
        let mut kept: BTreeSet<RunId> = BTreeSet::new();
        for model in self.store.models(tenant)? {
            kept.extend(self.store.versions(tenant, &model.model)?.into_iter().map(|version| version.run));
        }
        let said = |deployed: &Arc<crate::deploy::Deployed>| {
            let manifest::Retention { runs, age_ms, .. } = deployed.project.retention?;
            Some((deployed.project.name.clone(), Keep { runs, age_ms }))
        };
        let said: BTreeMap<ProjectName, Keep> = self.all_deployed(tenant)?.iter().filter_map(said).collect();
        // What a deployed project says of its own runs holds for them, unless whoever asks says otherwise.
        let is_asked = keep != Keep::default();
        let keep = |project: &ProjectName| said.get(project).copied().filter(|_| !is_asked).unwrap_or(keep);
        let runs = self.store.runs(tenant)?;
        // One whose thread is still at work has ended only by its records.
        kept.extend(runs.iter().map(|run| run.head.run).filter(|run| self.is_live(tenant, *run)));
        Ok(retention::beyond(&runs, &keep, &kept, self.now_us()))
    }

    /// Removes logs and reports of runs that nobody knows.
    fn remove_pages_of_none(&self, tenant: &TenantId) -> Result<(), Error> {
        let known: BTreeSet<RunId> = self.store.runs(tenant)?.into_iter().map(|run| run.head.run).collect();
        for file in [self.log_file(tenant, RunId(0)), self.report_file(tenant, RunId(0))] {
            for (run, path) in pages(file.parent().unwrap_or(&self.options.data))? {
                if !known.contains(&run) && self.store.run(tenant, run)?.is_none() && !self.is_live(tenant, run) {
                    // A page may just be getting its name.
                    std::fs::remove_file(&path).or_else(crate::folder::absent).map_err(Fault::host)?;
                }
            }
        }
        Ok(())
    }
}

/// The files of a folder that are a run's, by its number.
fn pages(folder: &Path) -> Result<Vec<(RunId, std::path::PathBuf)>, Fault> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Fault::host)?,
    };
    let page = |path: std::path::PathBuf| {
        let stem = path.file_stem()?.to_str()?;
        let number = stem.strip_prefix("run-").unwrap_or(stem).parse().ok()?;
        Some((RunId(number), path))
    };
    Ok(entries.flatten().filter_map(|entry| page(entry.path())).collect())
}

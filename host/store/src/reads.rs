//! The index -> what people and other crates ask for. Nothing here writes; a tenant is always named.

use crate::apply::{BackfillEntry, KeyEntry, PASSED_KEPT, RunEntry, key};
use crate::index::View;
use crate::journal::{self, Place};
use crate::open::journal_folder;
use crate::{Result, Store};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use types::{
    AliasMove, Cause, Deployment, Digest, EndpointName, Fault, Golden, ModelName, ModelVersion, Passed, PipelineName,
    ProjectName, Record, RolloutMove, RunHead, RunId, RunState, ScheduleState, TenantId,
};

/// A run, without its records.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    pub head: RunHead,
    pub state: RunState,
    /// Microseconds since 1970-01-01 UTC; none while it runs.
    pub finished_us: Option<i64>,
}

/// A model of the registry, without its versions' contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSummary {
    pub model: ModelName,
    /// Ascending.
    pub versions: Vec<u32>,
    pub aliases: BTreeMap<String, u32>,
}

impl Store {
    /// All runs, the newest first.
    pub fn runs(&self, tenant: &TenantId) -> Result<Vec<RunSummary>, Fault> {
        let entries: Vec<RunEntry> = self.list(tenant, key::RUNS)?;
        Ok(entries.into_iter().rev().map(RunEntry::summary).collect())
    }

    /// The newest runs that are wanted, the newest first, at most `most`. No more are read than that takes.
    pub fn newest_runs(
        &self,
        tenant: &TenantId,
        most: usize,
        wanted: &dyn Fn(&RunSummary) -> bool,
    ) -> Result<Vec<RunSummary>, Fault> {
        let (mut runs, mut damage) = (Vec::new(), None);
        let Some(tenant) = self.opened(tenant)?.filter(|_| most > 0) else { return Ok(runs) };
        tenant.walls().each_back(key::RUNS, &mut |value| {
            match decode(value).map(RunEntry::summary) {
                Ok(run) if wanted(&run) => runs.push(run),
                Ok(_) => {}
                Err(error) => damage = Some(error),
            }
            if damage.is_some() || runs.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        damage.map_or(Ok(runs), |error| Err(error.into()))
    }

    /// The run of this number.
    pub fn run(&self, tenant: &TenantId, run: RunId) -> Result<Option<RunSummary>, Fault> {
        Ok(self.look(tenant, &key::run(run))?.map(RunEntry::summary))
    }

    /// Where a run's records lie, in their order.
    pub(crate) fn places(&self, tenant: &TenantId, run: RunId) -> Result<Vec<Place>, Fault> {
        let Some(open) = self.opened(tenant)? else { return Ok(Vec::new()) };
        let entries = open.walls().range(&key::records(run))?;
        let mut places = entries.iter().map(|(_, places)| Place::list(places)).collect::<Result<Vec<_>>>()?.concat();
        // After the others: of a run that ends meanwhile they are seen in both.
        let ended: Option<RunEntry> = self.look(tenant, &key::run(run))?;
        places.extend(ended.iter().flat_map(RunEntry::places));
        // The last entry comes first. One that fills up while we read may be seen before and after that.
        places.sort_by_key(|place| place.sequence);
        places.dedup();
        Ok(places)
    }

    /// Runs that began and did not finish, the oldest first: what a start resumes.
    pub fn unfinished(&self, tenant: &TenantId) -> Result<Vec<RunSummary>, Fault> {
        let open = self.open_runs(tenant)?;
        let summaries = open.into_iter().map(|run| self.run(tenant, run)).collect::<Result<Vec<_>, _>>()?;
        Ok(summaries.into_iter().flatten().collect())
    }

    /// Their numbers.
    pub fn open_runs(&self, tenant: &TenantId) -> Result<Vec<RunId>, Fault> {
        Ok(self.keyed(tenant, key::OPEN, key::run_of)?.into_iter().map(|(run, _)| run).collect())
    }

    /// The run that a cause started of a deployed pipeline.
    pub fn fired(
        &self,
        tenant: &TenantId,
        project: &ProjectName,
        pipeline: &PipelineName,
        cause: &Cause,
    ) -> Result<Option<RunId>, Fault> {
        cause.key().map_or(Ok(None), |key| self.look(tenant, &key::fired(project, pipeline, &key)))
    }

    /// The causes that may start one run of a deployed pipeline only and have, each with its run: what follows such a beginning
    /// of their [`Cause::key`]. What is forgotten of a run is not that it was.
    pub fn fired_ever(
        &self,
        tenant: &TenantId,
        project: &ProjectName,
        pipeline: &PipelineName,
        beginning: &str,
    ) -> Result<Vec<(String, RunId)>, Fault> {
        let entries = self.keyed(tenant, &key::fired(project, pipeline, beginning), key::text_of)?;
        Ok(entries.into_iter().map(|(cause, run)| Ok((cause, decode(&run)?))).collect::<Result<_>>()?)
    }

    /// The highest number that a run has; 0 before the first one.
    pub fn last_run(&self, tenant: &TenantId) -> Result<RunId, Fault> {
        Ok(RunId(self.look(tenant, key::LAST_RUN)?.unwrap_or(0)))
    }

    /// What of each project runs by itself now.
    pub fn deployments(&self, tenant: &TenantId) -> Result<Vec<Deployment>, Fault> {
        self.list(tenant, key::CURRENT)
    }

    /// What of one project does.
    pub fn deployment(&self, tenant: &TenantId, project: &ProjectName) -> Result<Option<Deployment>, Fault> {
        self.look(tenant, &key::current(project))
    }

    /// All versions of a project that were deployed, ascending.
    pub fn deployment_history(&self, tenant: &TenantId, project: &ProjectName) -> Result<Vec<Deployment>, Fault> {
        self.list(tenant, &key::deployments(project))
    }

    /// How far the schedule of a deployed pipeline is; none before it was first looked at.
    pub fn schedule(
        &self,
        tenant: &TenantId,
        project: &ProjectName,
        pipeline: &PipelineName,
    ) -> Result<Option<ScheduleState>, Fault> {
        self.look(tenant, &key::schedule(project, pipeline))
    }

    /// The last instants that a schedule passed over, rising.
    pub fn passed(
        &self,
        tenant: &TenantId,
        project: &ProjectName,
        pipeline: &PipelineName,
    ) -> Result<Vec<Passed>, Fault> {
        let places: Vec<Place> = self.list(tenant, &key::passed(project, pipeline))?;
        let records = journal::read(&journal_folder(&self.data, tenant), &places)?;
        let of = |record| match record {
            Record::ScheduleSettled { passed, .. } => passed,
            _ => Vec::new(),
        };
        let all: Vec<_> = records.into_iter().flat_map(of).collect();
        Ok(all.into_iter().rev().take(PASSED_KEPT).rev().collect())
    }

    /// All backfills, ascending.
    pub fn backfills(&self, tenant: &TenantId) -> Result<Vec<BackfillEntry>, Fault> {
        self.list(tenant, key::BACKFILLS)
    }

    /// How a watch last saw what it watches.
    pub fn watched(
        &self,
        tenant: &TenantId,
        project: &ProjectName,
        pipeline: &PipelineName,
        watch: &str,
    ) -> Result<Option<Digest>, Fault> {
        self.look(tenant, &key::watch(project, pipeline, watch))
    }

    /// Whether a message about a run was delivered; none while that is open.
    pub fn notified(&self, tenant: &TenantId, run: RunId, about: &str) -> Result<Option<bool>, Fault> {
        self.look(tenant, &key::notified(run, about))
    }

    /// All API keys that there ever were, by name.
    pub fn api_keys(&self, tenant: &TenantId) -> Result<Vec<KeyEntry>, Fault> {
        self.list(tenant, key::API_KEYS)
    }

    /// All models, by name.
    pub fn models(&self, tenant: &TenantId) -> Result<Vec<ModelSummary>, Fault> {
        let mut models = Vec::new();
        for (model, _) in self.keyed(tenant, key::MODELS, key::model_of)? {
            let versions = self.keyed(tenant, &key::versions(&model), key::number_of)?;
            let aliases = self.keyed(tenant, &key::aliases(&model), key::text_of)?;
            models.push(ModelSummary {
                versions: versions.into_iter().map(|(version, _)| version).collect(),
                aliases: aliases
                    .into_iter()
                    .map(|(alias, value)| Ok((alias, decode(&value)?)))
                    .collect::<Result<_>>()?,
                model,
            });
        }
        Ok(models)
    }

    /// All versions of a model, ascending.
    pub fn versions(&self, tenant: &TenantId, model: &ModelName) -> Result<Vec<ModelVersion>, Fault> {
        self.list(tenant, &key::versions(model))
    }

    /// One version of a model.
    pub fn version(&self, tenant: &TenantId, model: &ModelName, version: u32) -> Result<Option<ModelVersion>, Fault> {
        self.look(tenant, &key::version(model, version))
    }

    /// The version under an alias.
    pub fn alias(&self, tenant: &TenantId, model: &ModelName, alias: &str) -> Result<Option<u32>, Fault> {
        self.look(tenant, &key::alias(model, alias))
    }

    /// The requests that a version must answer as it did when it was loaded first; none before that.
    pub fn golden(&self, tenant: &TenantId, model: &ModelName, version: u32) -> Result<Option<Golden>, Fault> {
        self.look(tenant, &key::golden(model, version))
    }

    /// Every move of every canary of an endpoint, in the order they happened.
    pub fn rollouts(&self, tenant: &TenantId, endpoint: &EndpointName) -> Result<Vec<RolloutMove>, Fault> {
        self.list(tenant, &key::rollouts(endpoint))
    }

    /// What is written on a version.
    pub fn tags(&self, tenant: &TenantId, model: &ModelName, version: u32) -> Result<BTreeMap<String, String>, Fault> {
        let tags = self.keyed(tenant, &key::tags(model, version), key::text_of)?;
        Ok(tags.into_iter().map(|(key, value)| Ok((key, decode(&value)?))).collect::<Result<_>>()?)
    }

    /// Every move of every alias of a model, in the order they happened.
    pub fn alias_history(&self, tenant: &TenantId, model: &ModelName) -> Result<Vec<AliasMove>, Fault> {
        self.list(tenant, &key::moves(model))
    }

    /// The value under a key. A tenant that never wrote has none.
    pub(crate) fn look<T: DeserializeOwned>(&self, tenant: &TenantId, key: &[u8]) -> Result<Option<T>, Fault> {
        let Some(tenant) = self.opened(tenant)? else { return Ok(None) };
        Ok(tenant.walls().get(key)?.map(|value| decode(&value)).transpose()?)
    }

    /// The values under a prefix, in the order of their keys.
    pub(crate) fn list<T: DeserializeOwned>(&self, tenant: &TenantId, prefix: &[u8]) -> Result<Vec<T>, Fault> {
        let Some(tenant) = self.opened(tenant)? else { return Ok(Vec::new()) };
        let entries = tenant.walls().range(prefix)?;
        Ok(entries.iter().map(|(_, value)| decode(value)).collect::<Result<_>>()?)
    }

    /// The entries under a prefix with the readable part of each key.
    fn keyed<K>(
        &self,
        tenant: &TenantId,
        prefix: &[u8],
        read: fn(&[u8]) -> Option<K>,
    ) -> Result<Vec<(K, Vec<u8>)>, Fault> {
        let Some(tenant) = self.opened(tenant)? else { return Ok(Vec::new()) };
        let mut keyed = Vec::new();
        for (key, value) in tenant.walls().range(prefix)? {
            let name = read(&key[prefix.len()..]).ok_or_else(|| Fault::host("the index holds a key that is none"))?;
            keyed.push((name, value));
        }
        Ok(keyed)
    }
}

/// A stored value; what does not parse is damage that the check at open did not see, thus a bug of ours.
pub(crate) fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T> {
    serde_json::from_slice(value).map_err(|error| crate::Error::Index { path: "index".into(), why: error.to_string() })
}

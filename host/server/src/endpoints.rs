//! Served names -> predictions: each endpoint answers with the version under its alias, or with one of those that its traffic
//! gives a share, each loaded in a worker of its own.

use crate::deploy::Deployed;
use crate::exposition::Page;
use crate::metrics::Ended;
use crate::rollouts::waits_for;
use crate::shadow::{Comparison, Shadow};
use crate::statistics::Tally;
use crate::traffic::{Traffic, VersionSeen};
use crate::{Error, Server, locked};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use types::{EndpointName, Fault, FaultKind, Field, ModelName, ModelVersion, ProjectName, RolloutMove, TenantId};
use worker::ServingWorker;

/// The newest versions of an endpoint of which is counted what they did.
pub(crate) const VERSIONS_MAX: usize = 4;
/// Endpoints that are loaded beside each other when a server starts: most of it is waiting for workers.
const LOADED_AT_ONCE: usize = 8;
/// Moves of a canary that are shown.
const MOVES_SHOWN: usize = 50;

/// A served name and what answers under it.
pub(crate) struct Endpoint {
    /// The deployed project that names it; none of a folder's.
    of: Option<ProjectName>,
    pub(crate) said: manifest::Endpoint,
    loaded: RwLock<BTreeMap<u32, Arc<Loaded>>>,
    /// Held by whoever loads or unloads, so that a version is loaded once.
    pub(crate) loading: Mutex<()>,
    pub(crate) traffic: Traffic,
    pub(crate) shadow: Arc<Shadow>,
    pub(crate) tally: Arc<Tally>,
    /// The most bytes of a request, or the most there are.
    request_bytes_max: AtomicU64,
    /// Whether it answers nothing until somebody asks that it be loaded again. Becomes true under `loading` only.
    unloaded: AtomicBool,
}

/// A version that answers.
pub(crate) struct Loaded {
    pub(crate) version: ModelVersion,
    pub(crate) worker: ServingWorker,
}

impl Endpoint {
    fn new(of: Option<ProjectName>, said: &manifest::Endpoint, tally: Arc<Tally>) -> Self {
        let (loaded, loading, traffic, shadow, unloaded) = Default::default();
        let request_bytes_max = AtomicU64::new(said.request_bytes.unwrap_or(u64::MAX));
        Self { of, said: said.clone(), loaded, loading, traffic, shadow, tally, request_bytes_max, unloaded }
    }

    /// Ends its workers; the next request loads anew.
    pub(crate) fn unload(&self) {
        self.unload_all_but(&BTreeSet::new());
    }

    /// Lets go of versions that no request asks for any more: their workers end with the last request under way.
    pub(crate) fn unload_all_but(&self, wanted: &BTreeSet<u32>) {
        let is_idle =
            self.loaded.read().unwrap_or_else(PoisonError::into_inner).keys().all(|held| wanted.contains(held));
        if !is_idle {
            self.loaded.write().unwrap_or_else(PoisonError::into_inner).retain(|held, _| wanted.contains(held));
        }
    }

    pub(crate) fn is_unloaded(&self) -> bool {
        self.unloaded.load(Ordering::Relaxed)
    }

    /// Refuses what an endpoint that was unloaded is asked for.
    pub(crate) fn expect_wanted(&self, name: &EndpointName) -> Result<(), Error> {
        if !self.is_unloaded() {
            return Ok(());
        }
        let message = format!("endpoint `{name}` was unloaded, and answers once it is loaded again");
        Err(Fault::new(FaultKind::Transient { retry_after_ms: 1000 }, message).into())
    }

    pub(crate) fn held(&self, version: u32) -> Option<Arc<Loaded>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).get(&version).cloned()
    }

    /// Why a version does not answer under the alias; none if it does, or was not tried yet.
    pub(crate) fn in_vain(&self, version: u32) -> Option<String> {
        self.held(version).is_none().then(|| self.traffic.trouble_of(version)).flatten()
    }

    pub(crate) fn hold(&self, loaded: &Arc<Loaded>) {
        let mut held = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        held.insert(loaded.version.version, Arc::clone(loaded));
    }
}

/// An endpoint, for metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointInfo {
    pub endpoint: EndpointName,
    pub model: ModelName,
    pub alias: String,
    /// The one that this tells of: the alias's, unless another was asked about. None while no version has the alias.
    pub version: Option<u32>,
    /// All that get requests now, the alias's first.
    #[serde(default)]
    pub versions: Vec<u32>,
    /// Whether it answers nothing until it is loaded again.
    #[serde(default)]
    pub unloaded: bool,
    /// Why the version could not be loaded when that was tried last; none if it could, or was not tried yet.
    #[serde(default)]
    pub trouble: Option<String>,
    pub request: Vec<Field>,
    pub response: Vec<Field>,
}

/// An endpoint with all that is known of its traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointDetail {
    pub endpoint: EndpointName,
    pub project: Option<ProjectName>,
    pub model: ModelName,
    pub alias: String,
    /// None while no version has the alias.
    pub version: Option<u32>,
    /// Whether it answers nothing until it is loaded again.
    #[serde(default)]
    pub unloaded: bool,
    /// Who answers besides: alias, version and percent.
    pub shares: Vec<TrafficShare>,
    pub shadow: Option<ShadowLine>,
    /// What was answered since a weight was last set, or since the server began.
    pub versions: Vec<VersionSeen>,
    /// Versions that were to answer and do not, and why.
    pub troubles: BTreeMap<u32, String>,
    /// The moves of its canaries, the latest last.
    pub moves: Vec<RolloutMove>,
    /// What the canary waits for.
    pub waits_for: Option<String>,
}

/// A version that answers some of the requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrafficShare {
    pub alias: String,
    pub version: u32,
    pub percent: u8,
}

/// A version that is asked as well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowLine {
    pub alias: String,
    pub version: Option<u32>,
    pub comparison: Comparison,
}

/// An endpoint and the version it serves, or why it serves none yet.
pub type Readiness = (EndpointName, Result<u32, Fault>);

/// What is said to whoever asks for a version that gets no requests.
pub(crate) fn not_served(name: &EndpointName, version: u32) -> Error {
    Error::NotFound(format!("endpoint `{name}` does not serve version `{version}`"))
}

impl Server {
    /// Serves the endpoints that a project names, and loads those that have a version. Gives what each has to say for itself.
    /// A project that is deployed answers as it was deployed, and its folder does not. Only `stepwell.toml` has a say in it.
    pub fn serve_project(&self, tenant: &TenantId, folder: &Path) -> Result<Vec<Readiness>, Error> {
        let _hold = self.active(tenant)?;
        let project = manifest::load_alone(folder)?;
        if self.store.deployment(tenant, &project.name)?.is_some() {
            return Ok(Vec::new());
        }
        for (name, endpoint) in &project.endpoints {
            self.serve(tenant, name, None, endpoint);
            self.predictions.settle(tenant, name, endpoint.log.clone());
        }
        Ok(self.readiness(tenant, project.endpoints.keys()))
    }

    /// Serves the endpoints of every tenant's deployed projects likewise, as far as they can be read.
    pub fn serve_deployments(&self) -> Result<Vec<(TenantId, Readiness)>, Error> {
        let mut told = Vec::new();
        for tenant in self.store.tenants().into_iter().filter(|tenant| self.active(tenant).is_ok()) {
            for deployed in self.all_deployed(&tenant)? {
                self.serve_deployed(&tenant, &deployed);
                let ready = self.readiness(&tenant, deployed.project.endpoints.keys());
                told.extend(ready.into_iter().map(|ready| (tenant.clone(), ready)));
            }
        }
        Ok(told)
    }

    /// Answers from now on as a version of a project says. What stays the same keeps what it has loaded, and a request that is
    /// under way keeps what it began with.
    pub(crate) fn serve_deployed(&self, tenant: &TenantId, deployed: &Deployed) {
        let project = &deployed.project;
        let mut endpoints = locked(&self.endpoints);
        let is_gone = |(whose, name): &(TenantId, EndpointName), endpoint: &Arc<Endpoint>| {
            whose == tenant && endpoint.of.as_ref() == Some(&project.name) && !project.endpoints.contains_key(name)
        };
        endpoints.retain(|key, endpoint| !is_gone(key, endpoint));
        drop(endpoints);
        self.forget_series();
        for (name, said) in &project.endpoints {
            self.serve(tenant, name, Some(project.name.clone()), said);
            self.predictions.settle(tenant, name, said.log.clone());
        }
    }

    /// The most bytes of a request, where its project says so.
    pub fn request_bytes_max(&self, tenant: &TenantId, name: &EndpointName) -> Option<u64> {
        let most = self.endpoint_named(tenant, name)?.request_bytes_max.load(Ordering::Relaxed);
        (most < u64::MAX).then_some(most)
    }

    fn readiness<'a>(&self, tenant: &TenantId, names: impl Iterator<Item = &'a EndpointName>) -> Vec<Readiness> {
        let load = |name: &EndpointName| {
            let version = self.stable_loaded(tenant, name).map(|loaded| loaded.version.version);
            version.map_err(|error| match error {
                Error::Fault(fault) => fault,
                other => Fault::invalid(other.to_string()),
            })
        };
        let names: Vec<_> = names.collect();
        let mut told = Vec::with_capacity(names.len());
        for names in names.chunks(LOADED_AT_ONCE) {
            std::thread::scope(|scope| {
                let loading: Vec<_> = names.iter().map(|&name| (name, scope.spawn(|| load(name)))).collect();
                let panicked = |_| Err(Fault::host("loading it ended in a panic; this is a bug of ours"));
                told.extend(
                    loading.into_iter().map(|(name, load)| (name.clone(), load.join().unwrap_or_else(panicked))),
                );
            });
        }
        told
    }

    /// Answers under a name as a manifest says. What stays the same keeps what it has loaded and counted.
    fn serve(&self, tenant: &TenantId, name: &EndpointName, of: Option<ProjectName>, said: &manifest::Endpoint) {
        let mut endpoints = locked(&self.endpoints);
        let key = (tenant.clone(), name.clone());
        let known = endpoints.get(&key).filter(|known| (&known.said.model, &known.of) == (&said.model, &of));
        match known.filter(|known| (&known.said.alias, &known.said.traffic) == (&said.alias, &said.traffic)) {
            Some(known) => {
                known.request_bytes_max.store(said.request_bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
            }
            None => {
                // Its versions are the same ones.
                let tally = known.map(|known| Arc::clone(&known.tally)).unwrap_or_default();
                endpoints.insert(key, Arc::new(Endpoint::new(of, said, tally)));
            }
        }
    }

    /// Whether any tenant has a deployed project, which answers whatever becomes of a folder.
    pub fn has_deployments(&self) -> Result<bool, Error> {
        let deployed = |tenant: &TenantId| Ok(!self.store.deployments(tenant)?.is_empty());
        let told: Result<Vec<bool>, Error> = self.store.tenants().iter().map(deployed).collect();
        Ok(told?.contains(&true))
    }

    /// Names the endpoints of deployed projects and of a folder's, where no server does: to look at, and to move canaries. A folder
    /// whose `stepwell.toml` cannot be read is in nobody's way, if the endpoint that is meant, or any, is known without it.
    pub fn name_endpoints(&self, tenant: &TenantId, folder: &Path, meant: Option<&EndpointName>) -> Result<(), Error> {
        self.known(tenant)?;
        for deployed in self.all_deployed(tenant)? {
            self.serve_deployed(tenant, &deployed);
        }
        if !folder.join("stepwell.toml").is_file() {
            return Ok(());
        }
        let is_meant = |key: &(TenantId, EndpointName)| key.0 == *tenant && meant.is_none_or(|name| key.1 == *name);
        let project = match manifest::load_alone(folder) {
            Ok(project) => project,
            Err(_) if locked(&self.endpoints).keys().any(is_meant) => return Ok(()),
            Err(problems) => return Err(problems.into()),
        };
        if self.store.deployment(tenant, &project.name)?.is_none() {
            for (name, said) in &project.endpoints {
                let key = (tenant.clone(), name.clone());
                // A running server answers as its folder was when it began.
                if !locked(&self.endpoints).contains_key(&key) {
                    self.serve(tenant, name, None, said);
                    self.predictions.settle(tenant, name, said.log.clone());
                }
            }
        }
        Ok(())
    }

    /// The endpoints of a tenant, by name.
    pub fn endpoints(&self, tenant: &TenantId) -> Result<Vec<EndpointInfo>, Error> {
        self.known(tenant)?;
        let names: Vec<_> =
            locked(&self.endpoints).keys().filter(|key| key.0 == *tenant).map(|key| key.1.clone()).collect();
        names.iter().map(|name| self.endpoint(tenant, name)).collect()
    }

    /// Whether every endpoint of a tenant that nobody unloaded has a version to answer with, and none was loaded in vain. Of
    /// one that is suspended none answers.
    pub fn have_versions(&self, tenant: &TenantId) -> Result<bool, Error> {
        if self.known(tenant)?.suspended {
            return Ok(false);
        }
        let endpoints: Vec<_> =
            locked(&self.endpoints).iter().filter(|(key, _)| key.0 == *tenant).map(|(_, it)| Arc::clone(it)).collect();
        for endpoint in endpoints.iter().filter(|endpoint| !endpoint.is_unloaded()) {
            let (model, alias) = (&endpoint.said.model, &endpoint.said.alias);
            let Some(version) = self.store.alias(tenant, model, alias)? else { return Ok(false) };
            if self.store.version(tenant, model, version)?.is_none() || endpoint.in_vain(version).is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An endpoint as its alias stands.
    pub fn endpoint(&self, tenant: &TenantId, name: &EndpointName) -> Result<EndpointInfo, Error> {
        let endpoint = self.find(tenant, name)?;
        let stable = self.store.alias(tenant, &endpoint.said.model, &endpoint.said.alias)?;
        self.told_of(tenant, name, &endpoint, stable, stable)
    }

    /// The same of a version that gets requests of it.
    pub fn endpoint_version(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        version: u32,
    ) -> Result<EndpointInfo, Error> {
        let endpoint = self.find(tenant, name)?;
        let stable = self.store.alias(tenant, &endpoint.said.model, &endpoint.said.alias)?;
        let told = self.told_of(tenant, name, &endpoint, stable, Some(version))?;
        match told.versions.contains(&version) {
            true => Ok(told),
            false => Err(not_served(name, version)),
        }
    }

    fn told_of(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
        stable: Option<u32>,
        version: Option<u32>,
    ) -> Result<EndpointInfo, Error> {
        let find = |number| self.store.version(tenant, &endpoint.said.model, number);
        let version = version.map(find).transpose()?.flatten();
        let shares = self.shares(tenant, name, endpoint, stable)?;
        let answering: BTreeSet<u32> = shares.into_iter().map(|share| share.version).collect();
        let answering = answering.into_iter().filter(|other| !endpoint.traffic.is_troubled(*other, self.now_us()));
        Ok(EndpointInfo {
            endpoint: name.clone(),
            model: endpoint.said.model.clone(),
            alias: endpoint.said.alias.clone(),
            unloaded: endpoint.is_unloaded(),
            trouble: version.as_ref().and_then(|version| endpoint.in_vain(version.version)),
            versions: stable.into_iter().chain(answering).collect(),
            version: version.as_ref().map(|version| version.version),
            request: version.as_ref().map(|version| version.request.clone()).unwrap_or_default(),
            response: version.map(|version| version.signature.outputs).unwrap_or_default(),
        })
    }

    /// An endpoint with its traffic and its canary.
    pub fn endpoint_detail(&self, tenant: &TenantId, name: &EndpointName) -> Result<EndpointDetail, Error> {
        let endpoint = self.find(tenant, name)?;
        let said = &endpoint.said;
        let version = self.store.alias(tenant, &said.model, &said.alias)?;
        let rollout = self.rollout(tenant, name, &endpoint)?;
        let waits = |rollout: &types::Rollout| {
            if self.is_taken_back(tenant, &endpoint, rollout)? {
                return Ok(Some(format!("`stepwell endpoint resume {name}`: it was taken back")));
            }
            Ok::<_, Error>(match self.seen(tenant, name, &endpoint, rollout) {
                Ok(seen) => waits_for(rollout, &seen, self.predictions.book(tenant, name).sample()),
                Err(error) => Some(format!("labels, which cannot be read: {error}")),
            })
        };
        let shadow = said.traffic.shadow.as_ref().map(|alias| {
            let (alias, comparison) = (alias.clone(), endpoint.shadow.comparison());
            let version = self.store.alias(tenant, &said.model, &alias)?;
            Ok::<_, Error>(ShadowLine { alias, version, comparison })
        });
        let mut troubles = endpoint.traffic.troubles();
        // What kept it from answering beside another is none under the alias.
        troubles.retain(|number, _| version != Some(*number) || endpoint.in_vain(*number).is_some());
        let mut moves = self.store.rollouts(tenant, name)?;
        moves.drain(..moves.len().saturating_sub(MOVES_SHOWN));
        Ok(EndpointDetail {
            endpoint: name.clone(),
            project: endpoint.of.clone(),
            model: said.model.clone(),
            alias: said.alias.clone(),
            version,
            unloaded: endpoint.is_unloaded(),
            shares: self.shares(tenant, name, &endpoint, version)?,
            shadow: shadow.transpose()?,
            versions: endpoint.traffic.versions(),
            troubles,
            moves,
            waits_for: rollout.as_ref().map(waits).transpose()?.flatten(),
        })
    }

    /// Loads the version under the alias, also if the endpoint was unloaded, and gives its number.
    pub fn load_endpoint(&self, tenant: &TenantId, name: &EndpointName) -> Result<u32, Error> {
        self.find(tenant, name)?.unloaded.store(false, Ordering::Relaxed);
        Ok(self.stable_loaded(tenant, name)?.version.version)
    }

    /// Ends the endpoint's worker once the requests that it has are answered. It answers nothing until it is loaded again, the
    /// project is deployed with another model or alias for it, or the server starts anew.
    pub fn unload_endpoint(&self, tenant: &TenantId, name: &EndpointName) -> Result<(), Error> {
        let endpoint = self.find(tenant, name)?;
        let _turn = locked(&endpoint.loading);
        endpoint.unloaded.store(true, Ordering::Relaxed);
        endpoint.unload();
        Ok(())
    }

    /// Takes note of a request to an endpoint that was turned away before its rows were read.
    pub fn turned_away(&self, tenant: &TenantId, name: &EndpointName) {
        self.counted(tenant, name, Ended::Busy);
    }

    /// Takes note of a request that no version came to see; nobody's, if there is no such endpoint.
    pub(crate) fn counted(&self, tenant: &TenantId, name: &EndpointName, ended: Ended) {
        let Ok(endpoint) = self.find(tenant, name) else { return };
        let stable = self.store.alias(tenant, &endpoint.said.model, &endpoint.said.alias).ok().flatten();
        self.metrics.series(tenant, name, stable).end(ended);
    }

    /// What the tenant's endpoints and runs did since this process began, in Prometheus' text form.
    pub fn metrics(&self, tenant: &TenantId) -> Result<String, Error> {
        self.known(tenant)?;
        Ok(self.metrics_of(|whose| whose == tenant))
    }

    /// The same of all tenants: for whoever owns the data folder.
    pub fn all_metrics(&self) -> String {
        self.metrics_of(|_| true)
    }

    fn metrics_of(&self, wanted: impl Fn(&TenantId) -> bool) -> String {
        self.forget_series();
        let mut page = Page::default();
        self.metrics.write(&mut page, &wanted);
        self.tally.write(&mut page, &wanted);
        let live: Vec<TenantId> = locked(&self.live).keys().map(|(tenant, _)| tenant.clone()).collect();
        page.head("runs_in_flight", "gauge", "Runs that this server drives.");
        for tenant in self.store.tenants().into_iter().filter(|tenant| wanted(tenant)) {
            let count = live.iter().filter(|whose| **whose == tenant).count();
            page.line("runs_in_flight", &format!("tenant=\"{tenant}\""), count);
        }
        page.0
    }

    /// Forgets what was counted of endpoints that are none any more.
    pub(crate) fn forget_series(&self) {
        let served: BTreeSet<_> = locked(&self.endpoints).keys().cloned().collect();
        self.metrics.keep(|tenant, name| served.contains(&(tenant.clone(), name.clone())));
    }

    /// Who has a share of the requests besides the version under the alias.
    pub(crate) fn shares(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
        stable: Option<u32>,
    ) -> Result<Vec<TrafficShare>, Error> {
        let traffic = &endpoint.said.traffic;
        let alias = |alias: &str| self.store.alias(tenant, &endpoint.said.model, alias);
        let mut shares = Vec::new();
        for (name, percent) in &traffic.split {
            if let Some(version) = alias(name)?.filter(|version| Some(*version) != stable) {
                shares.push(TrafficShare { alias: name.clone(), version, percent: *percent });
            }
        }
        let Some(canary) = &traffic.canary else { return Ok(shares) };
        let rollout = self.rollout(tenant, name, endpoint)?;
        if let Some(rollout) = rollout.filter(|rollout| !rollout.phase.is_over() && rollout.weight > 0)
            && (Some(rollout.stable), Some(rollout.candidate)) == (stable, alias(&canary.alias)?)
        {
            let (alias, version, percent) = (canary.alias.clone(), rollout.candidate, rollout.weight);
            shares.push(TrafficShare { alias, version, percent });
        }
        Ok(shares)
    }

    /// The versions that requests may ask for.
    pub(crate) fn wanted(&self, tenant: &TenantId, endpoint: &Endpoint) -> Result<BTreeSet<u32>, Error> {
        let (said, traffic) = (&endpoint.said, &endpoint.said.traffic);
        let canary = traffic.canary.iter().map(|canary| &canary.alias);
        let aliases = traffic.split.keys().chain(&traffic.shadow).chain(canary).chain([&said.alias]);
        let versions =
            aliases.map(|alias| self.store.alias(tenant, &said.model, alias)).collect::<Result<Vec<_>, _>>()?;
        Ok(versions.into_iter().flatten().collect())
    }

    pub(crate) fn find(&self, tenant: &TenantId, name: &EndpointName) -> Result<Arc<Endpoint>, Error> {
        self.active(tenant).map(drop)?;
        self.endpoint_named(tenant, name).ok_or_else(|| Error::NotFound(format!("there is no endpoint `{name}`")))
    }

    /// The endpoint of that name, whether or not it may answer.
    pub(crate) fn endpoint_named(&self, tenant: &TenantId, name: &EndpointName) -> Option<Arc<Endpoint>> {
        locked(&self.endpoints).get(&(tenant.clone(), name.clone())).cloned()
    }

    /// The number of the version under the alias.
    pub(crate) fn stable(&self, tenant: &TenantId, name: &EndpointName, endpoint: &Endpoint) -> Result<u32, Error> {
        endpoint.expect_wanted(name)?;
        let (model, alias) = (&endpoint.said.model, &endpoint.said.alias);
        self.store.alias(tenant, model, alias)?.ok_or_else(|| {
            let message =
                format!("endpoint `{name}` has nothing to serve: model `{model}` has no version `{alias}` yet");
            let fault = Fault::new(FaultKind::Transient { retry_after_ms: 1000 }, message);
            fault.hinted("a run whose gate passes registers one").into()
        })
    }

    /// The version under the alias, loaded. Requests that are under way keep the one they began with.
    pub(crate) fn stable_loaded(&self, tenant: &TenantId, name: &EndpointName) -> Result<Arc<Loaded>, Error> {
        let endpoint = self.find(tenant, name)?;
        let stable = self.stable(tenant, name, &endpoint)?;
        self.version_loaded(tenant, name, &endpoint, stable)
    }

    /// An endpoint that answers with the version under an alias: one that is served now, or is deployed.
    pub(crate) fn answering_with(
        &self,
        tenant: &TenantId,
        model: &ModelName,
        alias: &str,
    ) -> Result<Option<EndpointName>, Error> {
        let follows = |said: &manifest::Endpoint| said.model == *model && said.alias == alias;
        let endpoints = locked(&self.endpoints);
        let served = endpoints.iter().find(|(key, endpoint)| key.0 == *tenant && follows(&endpoint.said));
        if let Some((key, _)) = served {
            return Ok(Some(key.1.clone()));
        }
        drop(endpoints);
        let deployed = self.all_deployed(tenant)?;
        let mut said = deployed.iter().flat_map(|deployed| &deployed.project.endpoints);
        Ok(said.find(|(_, said)| follows(said)).map(|(name, _)| name.clone()))
    }

    /// Loads a version wherever an alias is about to have it answer; what cannot is not let there.
    pub(crate) fn load_before(
        &self,
        tenant: &TenantId,
        model: &ModelName,
        alias: &str,
        version: u32,
    ) -> Result<(), Error> {
        let follows = |key: &(TenantId, EndpointName), endpoint: &Endpoint| {
            let is_its = key.0 == *tenant && endpoint.said.model == *model && endpoint.said.alias == alias;
            is_its && !endpoint.is_unloaded()
        };
        let endpoints: Vec<_> = locked(&self.endpoints)
            .iter()
            .filter(|(key, endpoint)| follows(key, endpoint))
            .map(|(key, endpoint)| (key.1.clone(), Arc::clone(endpoint)))
            .collect();
        endpoints.iter().try_for_each(|(name, endpoint)| self.version_loaded(tenant, name, endpoint, version).map(drop))
    }
}

//! Served names -> predictions: each endpoint answers with the version under its alias, loaded in a worker of its own.

use crate::deploy::Deployed;
use crate::metrics::{Ended, Series};
use crate::{Error, Server, locked};
use data::Table;
use ports::ServedModel;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use types::{EndpointName, Fault, FaultKind, Field, Limits, ModelName, ModelVersion, ProjectName, TenantId};
use worker::{Answered, ServingWorker};

/// The most that one request may use: its rows are bounded, so its time is.
const REQUEST_LIMITS: Limits = Limits {
    guest_memory_bytes: 512 << 20,
    memory_bytes: 2 << 30,
    wall_ms: 10_000,
    handles: 1000,
    log_lines: 10_000,
    output_bytes: 1 << 30,
    ..Limits::DEFAULT
};

/// Endpoints that are loaded at the same time when a server starts.
const LOADED_AT_ONCE: usize = 4;

/// A served name and what answers under it.
pub(crate) struct Endpoint {
    /// The deployed project that names it; none of a folder's.
    of: Option<ProjectName>,
    model: ModelName,
    alias: String,
    loaded: RwLock<Option<Known>>,
    /// Held by whoever loads, so that a new version is loaded once.
    loading: Mutex<()>,
}

impl Endpoint {
    fn new(of: Option<ProjectName>, model: &ModelName, alias: &str) -> Self {
        let (model, alias) = (model.clone(), alias.to_owned());
        Self { of, model, alias, loaded: RwLock::new(None), loading: Mutex::new(()) }
    }

    fn known(&self) -> Option<Known> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends its worker; the next request loads anew.
    pub(crate) fn unload(&self) {
        let before = self.loaded.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(before);
    }
}

/// What answers, and whether that is still so.
#[derive(Clone)]
struct Known {
    loaded: Arc<Loaded>,
    /// [`store::Store::changes`] before it was last looked whether the alias stands there and the tenant may ask.
    looked: u64,
    /// Nothing but a record can change that: no quota is used up by time or by what others do.
    is_lasting: bool,
}

struct Loaded {
    version: ModelVersion,
    worker: ServingWorker,
    series: Arc<Series>,
}

/// An endpoint, for metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointInfo {
    pub endpoint: EndpointName,
    pub model: ModelName,
    pub alias: String,
    /// None while no version has the alias.
    pub version: Option<u32>,
    pub request: Vec<Field>,
    pub response: Vec<Field>,
}

/// An endpoint and the version it serves, or why it serves none yet.
pub type Readiness = (EndpointName, Result<u32, Fault>);

/// An answer and who gave it.
pub struct Served {
    pub model: ModelName,
    pub version: u32,
    pub predictions: Table,
}

/// A loaded version that answers requests. While one is kept it stays loaded, whatever happens to the endpoint.
pub struct Answerer(Arc<Loaded>);

impl Answerer {
    /// The columns that a request must bring.
    pub fn columns(&self) -> &[Field] {
        &self.0.version.request
    }

    /// Has the answer to rows under these columns told, once, on a thread that must not be kept waiting; at once if too many
    /// requests wait already.
    pub fn submit(self, rows: Table, told: impl FnOnce(Result<Served, Error>) + Send + 'static) {
        let Self(loaded) = self;
        let asked = loaded.series.asked();
        let answering = Arc::clone(&loaded);
        loaded.worker.submit(rows, move |answered| {
            let Loaded { version, series, .. } = &*answering;
            series.told(asked, &answered);
            let (model, version) = (version.model.clone(), version.version);
            told(
                answered
                    .map(|Answered { predictions, .. }| Served { model, version, predictions })
                    .map_err(Error::from),
            );
        });
    }
}

impl Server {
    /// Serves the endpoints that a project names, and loads those that have a version. Gives what each has to say for itself.
    /// A project that is deployed answers as it was deployed, and its folder does not.
    pub fn serve_project(&self, tenant: &TenantId, folder: &Path) -> Result<Vec<Readiness>, Error> {
        let _hold = self.active(tenant)?;
        let project = manifest::load(folder)?;
        if self.store.deployment(tenant, &project.name)?.is_some() {
            return Ok(Vec::new());
        }
        for (name, endpoint) in &project.endpoints {
            self.serve(tenant, name, &endpoint.model, &endpoint.alias);
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
        for (name, said) in &project.endpoints {
            let key = (tenant.clone(), name.clone());
            let of = Some(project.name.clone());
            let is_same =
                |known: &Arc<Endpoint>| (&known.model, &known.alias, &known.of) == (&said.model, &said.alias, &of);
            if !endpoints.get(&key).is_some_and(is_same) {
                endpoints.insert(key, Arc::new(Endpoint::new(of, &said.model, &said.alias)));
            }
        }
    }

    /// Loads the endpoints, some at the same time: each is a process that starts.
    fn readiness<'a>(&self, tenant: &TenantId, names: impl Iterator<Item = &'a EndpointName>) -> Vec<Readiness> {
        let ready = |name: &EndpointName| {
            let version = self.loaded(tenant, name).map(|loaded| loaded.version.version);
            let version = version.map_err(|error| match error {
                Error::Fault(fault) => fault,
                other => Fault::invalid(other.to_string()),
            });
            (name.clone(), version)
        };
        let names: Vec<_> = names.collect();
        let at_once = |names: &[&EndpointName]| -> Vec<Readiness> {
            std::thread::scope(|scope| {
                let loading: Vec<_> = names.iter().map(|name| scope.spawn(move || ready(name))).collect();
                let joined = loading.into_iter().map(|loaded| loaded.join());
                joined.map(|loaded| loaded.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
            })
        };
        names.chunks(LOADED_AT_ONCE).flat_map(at_once).collect()
    }

    /// Answers under a name with whatever version has the alias at the time.
    pub fn serve(&self, tenant: &TenantId, name: &EndpointName, model: &ModelName, alias: &str) {
        let endpoint = Arc::new(Endpoint::new(None, model, alias));
        locked(&self.endpoints).insert((tenant.clone(), name.clone()), endpoint);
    }

    /// The endpoints of a tenant, by name.
    pub fn endpoints(&self, tenant: &TenantId) -> Result<Vec<EndpointInfo>, Error> {
        self.known(tenant)?;
        let names: Vec<_> =
            locked(&self.endpoints).keys().filter(|key| key.0 == *tenant).map(|key| key.1.clone()).collect();
        names.iter().map(|name| self.endpoint(tenant, name)).collect()
    }

    /// An endpoint as its alias stands.
    pub fn endpoint(&self, tenant: &TenantId, name: &EndpointName) -> Result<EndpointInfo, Error> {
        let endpoint = self.find(tenant, name)?;
        let version = self.current(tenant, &endpoint)?;
        Ok(EndpointInfo {
            endpoint: name.clone(),
            model: endpoint.model.clone(),
            alias: endpoint.alias.clone(),
            version: version.as_ref().map(|version| version.version),
            request: version.as_ref().map(|version| version.request.clone()).unwrap_or_default(),
            response: version.map(|version| version.signature.outputs).unwrap_or_default(),
        })
    }

    /// Whoever answers a request to an endpoint now, if that is known without waiting; see [`Self::prepare`].
    pub fn ready(&self, tenant: &TenantId, name: &EndpointName) -> Option<Answerer> {
        let changes = self.store.changes();
        let endpoint = locked(&self.endpoints).get(&(tenant.clone(), name.clone())).cloned()?;
        let known = endpoint.known().filter(|known| known.is_lasting && known.looked == changes)?;
        Some(Answerer(known.loaded))
    }

    /// Whoever answers a request to an endpoint, loaded if need be; an error if nobody does, or the tenant may not ask.
    pub fn prepare(&self, tenant: &TenantId, name: &EndpointName) -> Result<Answerer, Error> {
        self.ready(tenant, name).map_or_else(|| self.loaded(tenant, name).map(Answerer), Ok)
    }

    /// Takes note of a request to an endpoint that was turned away before its rows were read.
    pub fn turned_away(&self, tenant: &TenantId, name: &EndpointName) {
        let endpoint = locked(&self.endpoints).get(&(tenant.clone(), name.clone())).cloned();
        let Some(endpoint) = endpoint else { return };
        if let Some(known) = &*endpoint.loaded.read().unwrap_or_else(PoisonError::into_inner) {
            known.loaded.series.end(Ended::Busy);
        }
    }

    /// What the tenant's endpoints did since this process began, in Prometheus' text form.
    pub fn metrics(&self, tenant: &TenantId) -> Result<String, Error> {
        self.known(tenant)?;
        Ok(self.metrics_of(|whose| whose == tenant))
    }

    /// The same of all tenants: for whoever owns the data folder.
    pub fn all_metrics(&self) -> String {
        self.metrics_of(|_| true)
    }

    fn metrics_of(&self, wanted: impl Fn(&TenantId) -> bool) -> String {
        let served: BTreeSet<_> = locked(&self.endpoints).keys().cloned().collect();
        self.metrics.keep(|tenant, name| served.contains(&(tenant.clone(), name.clone())));
        self.metrics.text(wanted)
    }

    fn find(&self, tenant: &TenantId, name: &EndpointName) -> Result<Arc<Endpoint>, Error> {
        self.active(tenant).map(drop)?;
        let endpoint = locked(&self.endpoints).get(&(tenant.clone(), name.clone())).cloned();
        endpoint.ok_or_else(|| Error::NotFound(format!("there is no endpoint `{name}`")))
    }

    fn current(&self, tenant: &TenantId, endpoint: &Endpoint) -> Result<Option<ModelVersion>, Error> {
        match self.store.alias(tenant, &endpoint.model, &endpoint.alias)? {
            Some(version) => Ok(self.store.version(tenant, &endpoint.model, version)?),
            None => Ok(None),
        }
    }

    /// The version under the alias, loaded, if the tenant may ask. Requests that are under way keep the one they began with.
    fn loaded(&self, tenant: &TenantId, name: &EndpointName) -> Result<Arc<Loaded>, Error> {
        let changes = self.store.changes();
        let endpoint = self.find(tenant, name)?;
        let quota = self.admission.check(tenant)?.quota;
        let is_lasting = quota.storage_bytes.is_none() && quota.cpu_seconds.is_none();
        let _turn = locked(&endpoint.loading);
        let loaded = self.load(tenant, name, &endpoint)?;
        let known = Known { loaded: Arc::clone(&loaded), looked: changes, is_lasting };
        // What it stood for ends once nobody holds it any more, and not while others wait for this lock.
        let before = endpoint.loaded.write().unwrap_or_else(PoisonError::into_inner).replace(known);
        drop(before);
        Ok(loaded)
    }

    /// The version that is loaded if it has the alias, else the one that has.
    fn load(&self, tenant: &TenantId, name: &EndpointName, endpoint: &Endpoint) -> Result<Arc<Loaded>, Error> {
        let wanted = self.store.alias(tenant, &endpoint.model, &endpoint.alias)?;
        let fits = |known: &Known| Some(known.loaded.version.version) == wanted;
        if let Some(known) = endpoint.known().filter(fits) {
            return Ok(known.loaded);
        }
        let version = self.current(tenant, endpoint)?.ok_or_else(|| {
            let (model, alias) = (&endpoint.model, &endpoint.alias);
            let message =
                format!("endpoint `{name}` has nothing to serve: model `{model}` has no version `{alias}` yet");
            Fault::new(FaultKind::Transient { retry_after_ms: 1000 }, message)
                .hinted("a run whose gate passes registers one")
        })?;
        let served = ServedModel {
            path: version.path.clone(),
            predictor: version.predictor.clone(),
            request: version.request.clone(),
            response: version.signature.outputs.clone(),
            limits: REQUEST_LIMITS,
            logical_time_us: version.registered_us,
        };
        let worker = ServingWorker::start(Arc::clone(&self.pool), tenant.clone(), served)?;
        let series = self.metrics.series(tenant, name, version.version);
        Ok(Arc::new(Loaded { version, worker, series }))
    }
}

//! Served names -> predictions: each endpoint answers with the version under its alias, loaded in a worker of its own.

use crate::deploy::Deployed;
use crate::{Error, Server, locked};
use data::Table;
use ports::ServedModel;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use types::{EndpointName, Fault, FaultKind, Field, Limits, ModelName, ModelVersion, ProjectName, TenantId};
use worker::ServingWorker;

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

/// A served name and what answers under it.
pub(crate) struct Endpoint {
    /// The deployed project that names it; none of a folder's.
    of: Option<ProjectName>,
    model: ModelName,
    alias: String,
    loaded: RwLock<Option<Arc<Loaded>>>,
    /// Held by whoever loads or unloads, so that a new version is loaded once.
    loading: Mutex<()>,
    /// Whether it answers nothing until somebody asks that it be loaded again. Becomes true under `loading` only.
    unloaded: AtomicBool,
}

impl Endpoint {
    fn new(of: Option<ProjectName>, model: &ModelName, alias: &str) -> Self {
        let (model, alias) = (model.clone(), alias.to_owned());
        Self { of, model, alias, loaded: RwLock::new(None), loading: Mutex::new(()), unloaded: AtomicBool::new(false) }
    }

    /// Ends its worker; the next request loads anew.
    pub(crate) fn unload(&self) {
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

struct Loaded {
    version: ModelVersion,
    worker: ServingWorker,
}

/// An endpoint, for metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointInfo {
    pub endpoint: EndpointName,
    pub model: ModelName,
    pub alias: String,
    /// None while no version has the alias.
    pub version: Option<u32>,
    /// Whether it answers nothing until it is loaded again.
    #[serde(default)]
    pub unloaded: bool,
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
    /// Microseconds since 1970.
    pub answered_us: i64,
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

    fn readiness<'a>(&self, tenant: &TenantId, names: impl Iterator<Item = &'a EndpointName>) -> Vec<Readiness> {
        let mut told = Vec::new();
        for name in names {
            let version = self.loaded(tenant, name).map(|loaded| loaded.version.version);
            told.push((
                name.clone(),
                version.map_err(|error| match error {
                    Error::Fault(fault) => fault,
                    other => Fault::invalid(other.to_string()),
                }),
            ));
        }
        told
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
            unloaded: endpoint.unloaded.load(Ordering::Relaxed),
            version: version.as_ref().map(|version| version.version),
            request: version.as_ref().map(|version| version.request.clone()).unwrap_or_default(),
            response: version.map(|version| version.signature.outputs).unwrap_or_default(),
        })
    }

    /// The columns that a request to an endpoint must bring, from the version that would answer it.
    pub fn request_columns(&self, tenant: &TenantId, name: &EndpointName) -> Result<Vec<Field>, Error> {
        Ok(self.loaded(tenant, name)?.version.request.clone())
    }

    /// Answers rows under the columns of [`Self::request_columns`].
    pub fn predict(&self, tenant: &TenantId, name: &EndpointName, rows: &Table) -> Result<Served, Error> {
        let loaded = self.loaded(tenant, name)?;
        if loaded.version.request != rows.schema().fields {
            // Another version with other columns came between; the caller reads the request again.
            return Err(Error::Conflict(format!(
                "endpoint `{name}` has just changed its columns; send the request again"
            )));
        }
        self.admission.check(tenant)?;
        let predictions = loaded.worker.predict(rows)?;
        let (model, version) = (loaded.version.model.clone(), loaded.version.version);
        Ok(Served { model, version, predictions, answered_us: self.clock.now_us() })
    }

    /// Loads the version under the alias, also if the endpoint was unloaded, and gives its number.
    pub fn load_endpoint(&self, tenant: &TenantId, name: &EndpointName) -> Result<u32, Error> {
        self.find(tenant, name)?.unloaded.store(false, Ordering::Relaxed);
        Ok(self.loaded(tenant, name)?.version.version)
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

    /// The version under the alias, loaded. Requests that are under way keep the one they began with.
    fn loaded(&self, tenant: &TenantId, name: &EndpointName) -> Result<Arc<Loaded>, Error> {
        let endpoint = self.find(tenant, name)?;
        let wanted = self.store.alias(tenant, &endpoint.model, &endpoint.alias)?;
        let fits = |loaded: &Arc<Loaded>| Some(loaded.version.version) == wanted;
        let held = || endpoint.loaded.read().unwrap_or_else(PoisonError::into_inner).clone().filter(fits);
        if let Some(loaded) = held() {
            return Ok(loaded);
        }
        let _turn = locked(&endpoint.loading);
        if let Some(loaded) = held() {
            return Ok(loaded);
        }
        if endpoint.unloaded.load(Ordering::Relaxed) {
            let message = format!("endpoint `{name}` was unloaded, and answers once it is loaded again");
            return Err(Fault::new(FaultKind::Transient { retry_after_ms: 1000 }, message).into());
        }
        let version = self.current(tenant, &endpoint)?.ok_or_else(|| {
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
        let loaded = Arc::new(Loaded { version, worker });
        *endpoint.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&loaded));
        Ok(loaded)
    }
}

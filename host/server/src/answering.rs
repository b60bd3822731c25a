//! A request to an endpoint -> its predictions: a version is chosen, its worker asked, and what came of it noted.
//!
//! ```text
//!  rows --Server::route--> InFlight --ask--> the version's worker --> counted, mirrored, logged, and named: Served
//! ```
//! Nobody waits here for the worker: it calls whoever asked. Only a version that is yet to be loaded is waited for; whether
//! one is, [`Server::answers_at_once`] tells.

use crate::endpoints::{Endpoint, Loaded, not_served};
use crate::metrics::{Ended, Series};
use crate::predictions::Noted;
use crate::traffic::key;
use crate::{Error, Server};
use data::Table;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use types::{EndpointName, Fault, Field, ModelName, ModelVersion, PredictionId, Schema, TenantId};
use worker::{Answered, Waiting};

/// What a request says besides its rows.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    /// The version that is to answer, if it asks for one.
    pub version: Option<u32>,
    /// The values of its headers, by names in small letters.
    pub header: &'a dyn Fn(&str) -> Option<String>,
}

/// An answer and who gave it.
pub struct Served {
    pub model: ModelName,
    pub version: u32,
    /// What the first row's prediction is called; that of the others is [`PredictionId::row`] of it.
    pub first: PredictionId,
    pub predictions: Table,
    /// Microseconds since 1970.
    pub answered_us: i64,
}

/// A request whose version was chosen. It counts as under way until it is answered.
pub struct InFlight {
    server: Arc<Server>,
    tenant: TenantId,
    name: EndpointName,
    endpoint: Arc<Endpoint>,
    loaded: Arc<Loaded>,
    /// Who is asked as well.
    shadow: Option<Arc<Loaded>>,
    rows: Table,
    trace: Option<Arc<str>>,
    series: Arc<Series>,
    at_us: i64,
    asked: Instant,
}

impl InFlight {
    /// Has the version's worker asked. `told` is called once, by whoever answers, who must not be kept waiting; what was answered is
    /// noted before, whether or not anybody waits for it still.
    pub fn ask(self, told: impl FnOnce(Result<Served, Error>) + Send + 'static) -> Waiting {
        let (loaded, rows) = (Arc::clone(&self.loaded), self.rows.clone());
        loaded.worker.submit(rows, move |answered| {
            // A panic here would end the thread, and with it the answers to everybody.
            let noted = catch_unwind(AssertUnwindSafe(|| self.answered(answered)));
            let broken = |_| Err(Fault::host("noting an answer ended in a panic; this is a bug of ours").into());
            told(noted.unwrap_or_else(broken));
        })
    }

    /// Takes note of what the worker told.
    fn answered(self, answered: Result<Answered, Fault>) -> Result<Served, Error> {
        self.series.told(self.asked, &answered);
        let answer = answered.map(|answered| answered.predictions);
        let latency_us = u64::try_from(self.asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        let took_us = i64::try_from(latency_us).unwrap_or(i64::MAX);
        let (model, version) = (self.loaded.version.model.clone(), self.loaded.version.version);
        if self.endpoint.traffic.heard(version, took_us, &answer, self.endpoint.said.traffic.canary.is_some()) {
            self.server.canaries.ring();
        }
        let predictions = answer?;
        let Self { server, tenant, name, rows, trace, at_us, .. } = self;
        if let Some(shadow) = self.shadow {
            self.endpoint.shadow.mirror(shadow, &rows, &predictions);
        }
        let given = predictions.clone();
        let noted = Noted { at_us, latency_us, model: model.clone(), version, trace, rows, predictions: given };
        let first = server.predictions.note(&tenant, &name, noted)?;
        Ok(Served { model, version, first, predictions, answered_us: at_us })
    }
}

impl Server {
    /// The columns that a request to an endpoint must bring, from the version under its alias: others that answer have the same.
    pub fn request_columns(&self, tenant: &TenantId, name: &EndpointName) -> Result<Arc<Schema>, Error> {
        let stable = self.stable_loaded(tenant, name).inspect_err(|error| self.unanswered(tenant, name, error))?;
        Ok(data::schema(&stable.version.request))
    }

    /// Takes note of a request for which there was no version.
    fn unanswered(&self, tenant: &TenantId, name: &EndpointName, error: &Error) {
        let ended = match error {
            Error::Fault(fault) => Ended::of(fault),
            // Whoever asks for what is not there is mistaken.
            Error::NotFound(_) => return,
            _ => Ended::Failed,
        };
        self.counted(tenant, name, ended);
    }

    /// Whether a request to an endpoint waits for no version to be loaded.
    pub fn answers_at_once(&self, tenant: &TenantId, name: &EndpointName) -> bool {
        let is_ready = || {
            let endpoint = self.find(tenant, name).ok()?;
            let wanted = self.wanted(tenant, &endpoint).ok()?;
            Some(wanted.into_iter().all(|version| endpoint.held(version).is_some()))
        };
        is_ready().unwrap_or_default()
    }

    /// Chooses which version answers rows under the columns of [`Self::request_columns`]. Loads a version that is not loaded yet.
    pub fn route(
        self: &Arc<Self>,
        tenant: &TenantId,
        name: &EndpointName,
        rows: Table,
        sender: &Sender<'_>,
    ) -> Result<InFlight, Error> {
        let endpoint = self.find(tenant, name)?;
        let chosen = self.chosen(tenant, name, &endpoint, &rows, sender);
        let loaded = chosen.inspect_err(|error| self.unanswered(tenant, name, error))?;
        if loaded.version.request != rows.schema().fields {
            // Another version with other columns came between; the caller reads the request again.
            return Err(Error::Conflict(format!(
                "endpoint `{name}` has just changed its columns; send the request again"
            )));
        }
        self.admission.check_often(tenant).inspect_err(|_| self.turned_away(tenant, name))?;
        let shadow = self.shadow(tenant, name, &endpoint, loaded.version.version, &rows)?;
        let trace = (sender.header)("traceparent").map(Arc::from);
        let series = self.metrics.series(tenant, name, Some(loaded.version.version));
        let (server, tenant, name) = (Arc::clone(self), tenant.clone(), name.clone());
        let (at_us, asked) = (self.now_us(), series.asked());
        Ok(InFlight { server, tenant, name, endpoint, loaded, shadow, rows, trace, series, at_us, asked })
    }

    /// The version that is asked as well as the one that answers.
    fn shadow(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
        answers: u32,
        rows: &Table,
    ) -> Result<Option<Arc<Loaded>>, Error> {
        let Some(alias) = &endpoint.said.traffic.shadow else { return Ok(None) };
        let shadow = self.store.alias(tenant, &endpoint.said.model, alias)?.filter(|version| *version != answers);
        // Whoever asks gets an answer: what is wrong with the shadow is not told to them.
        let like = |shadow: &ModelVersion| match shadow.request == rows.schema().fields {
            true => Ok(()),
            false => Err(Fault::invalid("its requests bring other columns than those of the endpoint")),
        };
        Ok(shadow.and_then(|version| self.loaded_beside(tenant, name, endpoint, version, like)))
    }

    /// The version that answers these rows: the one under the alias, or one that has a share; of these the one that is asked for.
    fn chosen(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
        rows: &Table,
        sender: &Sender<'_>,
    ) -> Result<Arc<Loaded>, Error> {
        let stable = self.stable(tenant, name, endpoint)?;
        if sender.version == Some(stable) {
            return self.version_loaded(tenant, name, endpoint, stable);
        }
        let shares = self.shares(tenant, name, endpoint, Some(stable))?;
        let loaded = self.version_loaded(tenant, name, endpoint, stable)?;
        if shares.is_empty() && sender.version.is_none() {
            return Ok(loaded);
        }
        let beside = |version| {
            let like = |beside: &ModelVersion| expect_alike(&loaded.version, beside);
            self.loaded_beside(tenant, name, endpoint, version, like)
        };
        if let Some(version) = sender.version {
            let is_share = shares.iter().any(|share| share.version == version);
            return is_share.then(|| beside(version)).flatten().ok_or_else(|| not_served(name, version));
        }
        let place = endpoint.traffic.place(key(endpoint.said.traffic.sticky.as_ref(), rows, sender.header)?.as_deref());
        let shares: Vec<_> = shares.iter().map(|share| (share.version, share.percent)).collect();
        let version = models::choose(stable, &shares, place);
        Ok((version != stable).then(|| beside(version)).flatten().unwrap_or(loaded))
    }

    /// A version that is asked beside the one under the alias, if it can answer and is one like it; if not, `endpoint show` says why.
    fn loaded_beside(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
        version: u32,
        like: impl Fn(&ModelVersion) -> Result<(), Fault>,
    ) -> Option<Arc<Loaded>> {
        let now_us = self.now_us();
        // Not by each request.
        if endpoint.traffic.is_troubled(version, now_us) {
            return None;
        }
        let loaded = self.version_loaded(tenant, name, endpoint, version);
        let loaded = loaded.and_then(|loaded| Ok(like(&loaded.version).map(|()| loaded)?));
        endpoint.traffic.trouble(version, loaded.as_ref().err().map(ToString::to_string), now_us);
        loaded.ok()
    }
}

/// Refuses a version that is to answer some of the requests and cannot be taken for the one under the alias: it asks for other
/// columns, or its answers lack some, which whoever asks counts on. They may have more.
pub(crate) fn expect_alike(stable: &ModelVersion, beside: &ModelVersion) -> Result<(), Fault> {
    if beside.request != stable.request {
        return Err(Fault::invalid("its requests bring other columns than those of the stable version"));
    }
    let told = |field: &Field| format!("`{}` ({})", field.name, field.data_type);
    let (expected, got) = (&stable.signature.outputs, &beside.signature.outputs);
    let lacking: Vec<_> = expected.iter().filter(|field| !got.contains(field)).map(told).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let got: Vec<_> = got.iter().map(told).collect();
    let message = format!("its answers lack {}: they have {}", lacking.join(", "), got.join(", "));
    Err(Fault::invalid(message)
        .hinted("`model promote` has all requests go to it at once; a shadow may answer otherwise"))
}

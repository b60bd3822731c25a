//! A version -> a worker that answers with it: loaded, warmed, and held against the answers that it gave when it was loaded first.

use crate::endpoints::{Endpoint, Loaded};
use crate::{Error, Server, locked};
use data::Table;
use ports::{Blobs, Journal, ServedModel};
use std::sync::Arc;
use types::{
    Artifact, EndpointName, Fault, FaultKind, Field, Golden, Limits, ModelVersion, Record, Schema, TableRef, TenantId,
};
use worker::ServingWorker;

/// The most that one request may use: its rows are bounded, so its time is.
pub(crate) const REQUEST_LIMITS: Limits = Limits {
    guest_memory_bytes: 512 << 20,
    memory_bytes: 2 << 30,
    wall_ms: 10_000,
    handles: 1000,
    log_lines: 10_000,
    output_bytes: 1 << 30,
    ..Limits::DEFAULT
};
/// Rows that are asked about before a version answers anybody.
pub(crate) const GOLDEN_ROWS: u64 = 8;

impl Server {
    /// A version that the endpoint answers with, loaded; at once if it is. Requests that are under way keep theirs.
    pub(crate) fn version_loaded(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
        number: u32,
    ) -> Result<Arc<Loaded>, Error> {
        if let Some(loaded) = endpoint.held(number) {
            return Ok(loaded);
        }
        let _turn = locked(&endpoint.loading);
        if let Some(loaded) = endpoint.held(number) {
            return Ok(loaded);
        }
        endpoint.expect_wanted(name)?;
        let model = &endpoint.said.model;
        let version = self.store.version(tenant, model, number)?;
        let missing = || Error::NotFound(format!("endpoint `{name}`: model `{model}` has no version {number}"));
        let loaded = self.load(tenant, version.ok_or_else(missing)?);
        endpoint.traffic.trouble(number, loaded.as_ref().err().map(ToString::to_string), self.now_us());
        let loaded = Arc::new(loaded?);
        endpoint.hold(&loaded);
        Ok(loaded)
    }

    /// Starts a worker with a version and tries it. An error means that it cannot serve.
    pub(crate) fn load(&self, tenant: &TenantId, version: ModelVersion) -> Result<Loaded, Error> {
        // Its worker's folders are the tenant's, and its code is compiled for it.
        let _hold = self.active(tenant)?;
        let served = ServedModel {
            path: version.path.clone(),
            predictor: version.predictor.clone(),
            request: version.request.clone(),
            response: version.signature.outputs.clone(),
            limits: REQUEST_LIMITS,
            logical_time_us: version.registered_us,
        };
        let worker = ServingWorker::start(Arc::clone(&self.pool), tenant.clone(), served)?;
        let loaded = Loaded { version, worker };
        self.try_golden(tenant, &loaded)?;
        Ok(loaded)
    }

    /// Asks the golden requests of a version, and holds the answers against those on record. The first time they are recorded.
    fn try_golden(&self, tenant: &TenantId, loaded: &Loaded) -> Result<(), Error> {
        let version = &loaded.version;
        if let Some(golden) = self.store.golden(tenant, &version.model, version.version)? {
            let read = |digest, fields: &[Field]| -> Result<Table, Error> {
                let schema = Schema { fields: fields.to_vec() };
                Ok(data::open_bytes(&self.store.get(tenant, digest)?, &schema).map_err(Fault::host)?)
            };
            let rows = read(golden.request, &version.request)?;
            let recorded = read(golden.answer, &version.signature.outputs)?;
            let answer = loaded.worker.predict(&rows)?;
            return match same(&recorded, &answer)? {
                true => Ok(()),
                false => Err(Fault::guest(format!(
                    "version {} of model `{}` answers {} recorded requests otherwise than when it was loaded first",
                    version.version,
                    version.model,
                    rows.rows()
                ))
                .hinted("its components may depend on this machine; register it anew, or roll back")
                .into()),
            };
        }
        let Some(rows) = self.golden_rows(tenant, version)? else { return Ok(()) };
        let answer = loaded.worker.predict(&rows)?;
        let put = |table: &Table| self.store.put(tenant, &data::to_bytes(table).map_err(Fault::host)?);
        // A tenant without room answers all the same; a later load records them.
        let stored = put(&rows).and_then(|request| Ok(Golden { request, answer: put(&answer)?, rows: rows.rows() }));
        match stored {
            Ok(golden) => {
                let (model, version, at_us) = (version.model.clone(), version.version, self.now_us());
                Ok(self.store.append(tenant, &[Record::GoldenRecorded { model, version, golden, at_us }])?)
            }
            Err(fault) if matches!(fault.kind, FaultKind::Quota { .. }) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// The first rows of a table of the run that made the version which has all columns of a request; none of an imported one, which
    /// brings its own, or where the run or its tables are gone.
    fn golden_rows(&self, tenant: &TenantId, version: &ModelVersion) -> Result<Option<Table>, Error> {
        if version.imported.is_some() || version.request.is_empty() {
            return Ok(None);
        }
        let view = run::RunView::of(&self.store.run_records(tenant, version.run)?);
        let commits = view.steps.keys().filter_map(|step| view.commit(step));
        let mut tables = commits.flat_map(|commit| commit.outputs.values()).filter_map(|artifact| match artifact {
            Artifact::Table(table) => Some(table),
            _ => None,
        });
        // What a request must bring a table may lack: its rows are looked at.
        let is_like = |found: &Field, field: &Field| {
            (&found.name, found.data_type) == (&field.name, field.data_type) && (found.nullable || !field.nullable)
        };
        let has = |table: &&TableRef| {
            let has = |field| table.schema.fields.iter().any(|found| is_like(found, field));
            table.rows > 0 && version.request.iter().all(has)
        };
        let Some(table) = tables.find(has) else { return Ok(None) };
        let mut paths = std::collections::BTreeMap::new();
        for part in &table.parts {
            match self.store.path(tenant, *part) {
                Ok(path) => drop(paths.insert(*part, path)),
                // Swept: the run is known no longer.
                Err(_) => return Ok(None),
            }
        }
        let open = data::open(table, |part| paths.get(part).cloned().unwrap_or_default()).map_err(Fault::host)?;
        Ok(as_requests(&open.slice(0, GOLDEN_ROWS), &version.request)?)
    }
}

/// Rows as a request brings them; none if they lack a value that a request must have.
pub(crate) fn as_requests(rows: &Table, request: &[Field]) -> Result<Option<Table>, Fault> {
    let gaps = rows.gaps();
    let lacks = |field: &Field| !field.nullable && gaps.iter().any(|(gap, _)| gap.name == field.name);
    if request.iter().any(lacks) {
        return Ok(None);
    }
    let names: Vec<_> = request.iter().map(|field| field.name.clone()).collect();
    let chosen = rows.select(&names).and_then(|rows| rows.renamed(Schema { fields: request.to_vec() }));
    chosen.map(Some).map_err(Fault::host)
}

/// Whether two answers are equal, value by value.
fn same(recorded: &Table, answer: &Table) -> Result<bool, Error> {
    let rows = |table: &Table| data::json_rows(table).map_err(Fault::host);
    Ok(rows(recorded)? == rows(answer)?)
}

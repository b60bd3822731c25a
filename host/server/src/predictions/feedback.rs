//! The built-in step `feedback`: labelled predictions as tables that a run learns from.
//!
//! Each run is given all that is kept: a label that was corrected changes its row, and there is no cursor that it would have to
//! go back behind. What a run was given it keeps, as it does everything that it depends on.

use super::{Predictions, join};
use crate::{Error, Server};
use data::Table;
use manifest::Project;
use plan::Described;
use ports::{Answer, Blobs, Outcome};
use std::time::Instant;
use types::{
    Artifact, Descriptor, Digest, EndpointName, Fault, Field, LimitKind, Limits, Output, PortName, Problem, Receipt,
    RowRelation, TenantId,
};

impl Predictions {
    /// Carries the step out.
    pub(crate) fn feedback(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointName,
        columns: (&Vec<Field>, &Vec<Field>),
        limits: Limits,
        blobs: &dyn Blobs,
    ) -> Outcome {
        let began = Instant::now();
        let book = self.book(tenant, endpoint);
        book.write(self.shared.clock.now_us());
        let mut receipt = Receipt::default();
        let result = book.joined((columns.0, columns.1), limits.memory_bytes).and_then(|joined| {
            (receipt.rows_out, receipt.bytes_out) = (joined.table.rows(), joined.table.bytes() + joined.joined.bytes());
            expect_within(limits, LimitKind::Rows, receipt.rows_out)?;
            expect_within(limits, LimitKind::Output, receipt.bytes_out)?;
            let none = "nothing is to be learnt from: no prediction with these columns has a label yet";
            if joined.table.rows() == 0 {
                let hint = "labels come by `POST /labels/NAME`; after a new version with other columns, deploy again";
                return Err(Fault::invalid(format!("endpoint `{endpoint}`: {none}")).hinted(hint));
            }
            let stored = |table: &Table| stored(tenant, table, blobs).map(Artifact::Table);
            let outputs = [("table", stored(&joined.table)?), ("joined", stored(&joined.joined)?)];
            let outputs = outputs.into_iter().map(|(port, artifact)| Ok((name(port)?, artifact)));
            Ok(Answer::Outputs { outputs: outputs.collect::<Result<_, Fault>>()? })
        });
        receipt.wall_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Outcome { result, receipt }
    }
}

fn expect_within(limits: Limits, limit: LimitKind, used: u64) -> Result<(), Fault> {
    let most = limits.get(limit);
    match used > most {
        true => Err(Fault::beyond(limit, format!("labelled predictions come to {}", limit.quantity(used)), most)),
        false => Ok(()),
    }
}

fn stored(tenant: &TenantId, table: &Table, blobs: &dyn Blobs) -> Result<types::TableRef, Fault> {
    let mut unstored = None;
    let written = data::write(table, |part| match blobs.put(tenant, &part.bytes) {
        Ok(_) => Ok(()),
        Err(fault) => {
            let reason = fault.message.clone();
            unstored = Some(fault);
            Err(data::Error::Shape(reason))
        }
    });
    written.map_err(|error| unstored.unwrap_or_else(|| Fault::host(error)))
}

fn name(port: &str) -> Result<PortName, Fault> {
    port.parse().map_err(Fault::host)
}

impl Server {
    /// What the step gives: an endpoint's model knows the columns.
    pub(crate) fn feedback_described(
        &self,
        tenant: &TenantId,
        project: &Project,
        endpoint: &EndpointName,
        label: &str,
    ) -> Result<Described, Problem> {
        let Some(said) = project.endpoints.get(endpoint) else {
            let known: Vec<_> = project.endpoints.keys().map(|known| format!("`{known}`")).collect();
            let problem = Problem::new(format!("the project has no endpoint `{endpoint}`"));
            return Err(problem.hinted(format!("`endpoints` in stepwell.toml has {}", known.join(", "))));
        };
        let failed = |error: Error| Problem::new(error.to_string());
        let number = self.store.alias(tenant, &said.model, &said.alias).map_err(|fault| failed(fault.into()))?;
        let version = number.map(|number| self.store.version(tenant, &said.model, number)).transpose();
        let version = version.map_err(|fault| failed(fault.into()))?.flatten().ok_or_else(|| {
            let (model, alias) = (&said.model, &said.alias);
            let text = format!("endpoint `{endpoint}` has predicted nothing: model `{model}` has no version `{alias}`");
            Problem::new(text).hinted("first run a pipeline that registers one, and serve it")
        })?;
        let (table, joined) = join::columns(&version.request, &version.signature.outputs, label)
            .map_err(|why| Problem::new(format!("endpoint `{endpoint}`: {why}")))?;
        let output = |port, columns| {
            let name = name(port).map_err(|fault| failed(fault.into()))?;
            Ok(Output { name, columns, rows: RowRelation::Other })
        };
        let outputs = vec![output("table", table)?, output("joined", joined)?];
        Ok(Described { descriptor: descriptor(outputs).map_err(failed)?, component: Digest::of(b"") })
    }
}

fn descriptor(outputs: Vec<Output>) -> Result<Descriptor, Error> {
    Ok(Descriptor {
        name: "feedback".parse().map_err(Fault::host)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        summary: "labelled predictions of an endpoint".to_owned(),
        parameters: serde_json::json!({}),
        inputs: Vec::new(),
        outputs,
        learns: false,
        roles: Vec::new(),
        imports: Vec::new(),
    })
}

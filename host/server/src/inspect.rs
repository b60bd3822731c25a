//! A component's file -> what it is, without a project: compiled and asked in a worker, as any plugin is.

use crate::catalog::{Aside, COMPONENT_BYTES_MAX, DESCRIBE_LIMITS};
use crate::{Error, Server};
use ports::{Answer, Assignment, Blobs, Call, StepRunner, Task};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use types::{Descriptor, Digest, Fault, TenantId};

/// A component that this installation accepts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspected {
    pub digest: Digest,
    pub bytes: u64,
    /// The version of the contract that it was built for.
    pub contract: String,
    /// What it says of itself when nothing is wired and no parameter is set.
    pub descriptor: Descriptor,
}

impl Server {
    /// How long an attempt takes that does next to nothing, from being asked for to being answered: its turn, a warm worker, a
    /// fresh instance of the component. For benchmarks.
    pub fn noop(&self, tenant: &TenantId, file: &Path) -> Result<Duration, Error> {
        let _hold = self.active(tenant)?;
        let component = std::fs::read(file).map_err(Fault::host)?;
        let call = describing("noop", self.store.put(tenant, &component)?);
        let begin = Instant::now();
        self.admission.run(tenant, &call, &Aside).result?;
        Ok(begin.elapsed())
    }

    /// Compiles and describes the component in a file, or says why no pipeline could use it. Leaves it among the tenant's
    /// blobs.
    pub fn inspect(&self, tenant: &TenantId, file: &Path) -> Result<Inspected, Error> {
        let _hold = self.active(tenant)?;
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        let component = manifest::read_file(file, COMPONENT_BYTES_MAX)
            .map_err(|error| Fault::invalid(format!("cannot read `{name}`: {error}")))?;
        self.inspect_bytes(tenant, &name, &component)
    }

    /// The same of a component at hand.
    pub(crate) fn inspect_bytes(&self, tenant: &TenantId, name: &str, component: &[u8]) -> Result<Inspected, Error> {
        let (digest, bytes) = (self.store.put(tenant, component)?, component.len() as u64);
        let call = describing(name, digest);
        match self.admission.at_once(tenant, &call, &Aside).result? {
            Answer::Described { descriptor } => {
                Ok(Inspected { digest, bytes, contract: types::CONTRACT.to_owned(), descriptor: *descriptor })
            }
            _ => Err(Fault::host("a worker answered a description with something else").into()),
        }
    }
}

fn describing(name: &str, component: Digest) -> Call {
    let assignment = Assignment {
        component,
        parameters: serde_json::json!({}),
        seed: 0,
        logical_time_us: 0,
        limits: DESCRIBE_LIMITS,
        device: Default::default(),
        checkpoint: None,
        task: Task::Describe { inputs: Vec::new() },
    };
    Call {
        who: format!("plugin `{name}`"),
        assignment,
        grants: types::Grants::default(),
        base: PathBuf::new(),
        turn: Default::default(),
    }
}

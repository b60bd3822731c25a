//! What a tenant's steps may reach at most: its policy, its secrets, the values set for steps. Read anew for every attempt, so
//! that a change holds from the next one on.

use crate::{Options, folder};
use doors::{Authority, Secret};
use std::collections::BTreeMap;
use std::path::Path;
use types::{Fault, Grants, TenantId};

/// The tenant's authority as it is now.
pub(crate) fn of(options: &Options, tenant: &TenantId) -> Result<Authority, Fault> {
    let secrets = secrets(&folder::secrets(&options.data, tenant))?;
    Ok(Authority { policy: Grants::of_project(), secrets, environment: options.variables.clone() })
}

fn secrets(folder: &Path) -> Result<BTreeMap<String, Secret>, Fault> {
    let io = |error: std::io::Error| Fault::host(format!("cannot read the tenant's secrets: {error}"));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(io(error)),
    };
    let mut secrets = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(io)?;
        let value = Secret::new(std::fs::read(entry.path()).map_err(io)?);
        if let (Ok(name), Some(value)) = (entry.file_name().into_string(), value) {
            secrets.insert(name, value);
        }
    }
    Ok(secrets)
}

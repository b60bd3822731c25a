//! A tenant's secrets: a file each, for its owner's eyes only. A value goes in and never comes out again, but at the edge of
//! a request that its pipeline names it for.

use crate::{Error, Server, folder};
use doors::{MASKED_BYTES_MIN, Secret};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use types::{Fault, TenantId};

/// Longest value: a key or a token, with room for a chain of certificates.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// Checks the name of a secret.
pub fn secret_name(name: &str) -> Result<(), Error> {
    types::secret_name(name).map_err(|message| Fault::invalid(message).into())
}

/// The secrets as they are now, for an attempt's doors.
pub(crate) fn read(folder: &Path) -> Result<BTreeMap<String, Secret>, Fault> {
    let mut secrets = BTreeMap::new();
    for name in names(folder)? {
        let value =
            manifest::read_file(&folder.join(&name), VALUE_BYTES_MAX as u64).map_err(|error| unusable(&error))?;
        if let Some(value) = Secret::new(value) {
            secrets.insert(name, value);
        }
    }
    Ok(secrets)
}

/// A shorter one could not be masked where a service echoes it: a step would read it.
fn allowed_length(name: &str, bytes: usize) -> Result<(), Fault> {
    let expected = format!("the value of `{name}` has {bytes} bytes, expected {MASKED_BYTES_MIN} to {VALUE_BYTES_MAX}");
    match bytes {
        _ if bytes < MASKED_BYTES_MIN => {
            let why =
                "so few bytes stand in many an answer by chance, and are masked in none: a step could read them there";
            Err(Fault::invalid(expected).hinted(why))
        }
        _ if bytes > VALUE_BYTES_MAX => Err(Fault::invalid(expected)),
        _ => Ok(()),
    }
}

fn names(folder: &Path) -> Result<Vec<String>, Fault> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| unusable(&error))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| unusable(&error))?.file_name().into_string().unwrap_or_default();
        // One that a crash left half written has no name of a secret.
        if secret_name(&name).is_ok() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn unusable(error: &std::io::Error) -> Fault {
    Fault::host(format!("cannot use the tenant's secrets: {error}"))
}

impl Server {
    /// Sets a secret, from the next attempt on.
    pub fn set_secret(&self, tenant: &TenantId, name: &str, value: &[u8]) -> Result<(), Error> {
        self.known(tenant)?;
        secret_name(name)?;
        allowed_length(name, value.len())?;
        let folder = folder::secrets(&self.options.data, tenant);
        let write = || {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            let draft = folder.join(".draft");
            std::fs::remove_file(&draft).or_else(folder::absent)?;
            let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(value)?;
            file.sync_all()?;
            std::fs::rename(&draft, folder.join(name))?;
            std::fs::File::open(&folder)?.sync_all()
        };
        let _alone = crate::locked(&self.secrets);
        Ok(write().map_err(|error| unusable(&error))?)
    }

    /// The names of a tenant's secrets.
    pub fn secrets(&self, tenant: &TenantId) -> Result<Vec<String>, Error> {
        self.known(tenant)?;
        Ok(names(&folder::secrets(&self.options.data, tenant))?)
    }

    /// Removes a secret, from the next attempt on.
    pub fn remove_secret(&self, tenant: &TenantId, name: &str) -> Result<(), Error> {
        self.known(tenant)?;
        secret_name(name)?;
        let folder = folder::secrets(&self.options.data, tenant);
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::NotFound(format!("there is no secret `{name}`")))
            }
            removed => {
                Ok(removed.and_then(|()| std::fs::File::open(&folder)?.sync_all()).map_err(|error| unusable(&error))?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_could_not_be_masked_is_refused() {
        for (bytes, allowed) in
            [(0, false), (1, false), (3, false), (4, true), (VALUE_BYTES_MAX, true), (VALUE_BYTES_MAX + 1, false)]
        {
            let told = allowed_length("TOKEN", bytes);
            assert_eq!(told.is_ok(), allowed, "{bytes}: {told:?}");
        }
        let short = allowed_length("TOKEN", 3).unwrap_err();
        assert_eq!(short.message, "the value of `TOKEN` has 3 bytes, expected 4 to 65536");
        assert!(short.hint.unwrap().contains("masked in none"));
    }

    #[test]
    fn names_of_secrets() {
        let long = format!("A{}", "9".repeat(63));
        for good in ["A", "HOOK_TOKEN", "A1_", &long] {
            assert!(secret_name(good).is_ok(), "{good}");
        }
        let too_long = format!("{long}9");
        for bad in ["", "a", "1A", "_A", "A-B", "A/B", "..", ".draft", "A\n", "Ä", &too_long] {
            assert!(secret_name(bad).is_err(), "{bad}");
        }
    }
}

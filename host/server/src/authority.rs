//! What a tenant's steps may reach at most: its policy, its secrets, the values set for steps. Read anew for every attempt, so
//! that a change holds from the next one on.

use crate::accounts::Accounts;
use crate::{Options, folder, secrets};
use doors::Authority;
use store::Store;
use types::{Fault, TenantId};

/// The tenant's authority as it is now.
pub(crate) fn of(options: &Options, store: &Store, accounts: &Accounts, tenant: &TenantId) -> Result<Authority, Fault> {
    let entry = store.entry(tenant)?;
    let secrets = secrets::read(&folder::secrets(&options.data, tenant))?;
    let egress = Some(accounts.egress(tenant, entry.quota.egress_bytes));
    // What could not be named could not be refused.
    let private = [&options.data, &options.cache, &options.state].map(|folder| folder.canonicalize());
    let private = private.into_iter().collect::<Result<_, _>>().map_err(Fault::host)?;
    Ok(Authority { policy: entry.policy.grants, private, secrets, environment: options.variables.clone(), egress })
}

#[cfg(test)]
mod tests {
    use super::*;
    use doors::Keeper;
    use ports::Ask;
    use std::time::Duration;
    use types::{FaultKind, Grants, Limits};

    /// The doors know nothing of manifests: their list of endings is held against what a pipeline can name.
    #[test]
    fn no_step_writes_what_a_pipeline_can_name_as_a_plugin() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority { policy: Grants::of_project(), ..Authority::default() };
        let mut keeper =
            Keeper::new(Grants::of_project(), folder.path().to_owned(), authority, Limits::DEFAULT).unwrap();
        let mut create =
            |path: String| keeper.answer(Ask::Create { path }, Vec::new(), Duration::ZERO, &|| false).map(drop);
        for ending in manifest::BUILT.into_iter().chain(["wasm", "sql"]) {
            assert_eq!(create(format!("own.{ending}")).unwrap_err().kind, FaultKind::Denied, "{ending}");
        }
        assert_eq!(create("rows.csv".to_owned()), Ok(()));
    }
}

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

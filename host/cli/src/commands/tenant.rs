//! `tenant`: who there is, what each may reach and use up, and how one goes.

use super::told;
use crate::args::{Args, Tenant};
use crate::open;
use crate::outcome::Failure;
use crate::show;
use api::{Client, NewTenant};
use serde::Serialize;
use server::{Deletion, PolicyChange, PolicyShown, QuotaChange, TenantDetail, TenantLine};
use std::path::Path;
use types::TenantId;

pub(crate) async fn tenant(args: &Args, command: &Tenant) -> Result<u8, Failure> {
    if let Tenant::Delete { name, yes: false } = command {
        let message = format!("deleting tenant `{name}` removes its runs, models, data and secrets for good");
        return Err(Failure::user(message).hinted(format!("if that is meant: stepwell tenant delete {name} --yes")));
    }
    let change = change_of(command)?;
    let mut installation = open::installation(args).await?;
    let client = &mut installation.client;
    let at = |name: &TenantId, rest: &str| format!("/v1/tenants/{name}{rest}");
    match command {
        Tenant::Create { name, .. } => {
            let new = NewTenant { tenant: name.clone(), policy: change };
            let made: TenantDetail = send(client, "POST", "/v1/tenants", &new).await?;
            told(args, &made, &format!("made tenant `{name}`; use it with --tenant {name}\n"))
        }
        Tenant::List => {
            let tenants: Vec<TenantLine> = client.get("/v1/tenants").await?;
            told(args, &tenants, &show::tenant_list(&tenants))
        }
        Tenant::Show { name } => {
            let detail: TenantDetail = client.get(&at(name, "")).await?;
            told(args, &detail, &show::tenant_detail(&detail))
        }
        Tenant::Policy { name, .. } => {
            let shown: PolicyShown = match change {
                Some(change) => send(client, "PUT", &at(name, "/policy"), &change).await?,
                None => client.get(&at(name, "/policy")).await?,
            };
            told(args, &shown, &show::tame_text(&shown.toml))
        }
        Tenant::Quota { name, storage, attempts, cpu, device, egress, requests } => {
            let (storage, attempts) = (storage.clone(), attempts.clone());
            let (cpu, device) = (cpu.clone(), device.clone());
            let (egress, requests) = (egress.clone(), requests.clone());
            let change = QuotaChange { storage, attempts, cpu, device, egress, requests };
            let detail: TenantDetail = match change == QuotaChange::default() {
                true => client.get(&at(name, "")).await?,
                false => send(client, "PUT", &at(name, "/quota"), &change).await?,
            };
            told(args, &detail, &show::quotas(&detail.quotas))
        }
        Tenant::Suspend { name } => {
            let detail: TenantDetail = send(client, "POST", &at(name, "/suspend"), &()).await?;
            told(
                args,
                &detail,
                &format!("tenant `{name}` is suspended; `stepwell tenant resume {name}` lets it go on\n"),
            )
        }
        Tenant::Resume { name } => {
            let detail: TenantDetail = send(client, "POST", &at(name, "/resume"), &()).await?;
            let hint = format!("runs that stood still: stepwell --tenant {name} runs list");
            told(args, &detail, &format!("tenant `{name}` goes on; {hint}\n"))
        }
        Tenant::Delete { name, .. } => {
            let deletion: Deletion = send(client, "DELETE", &at(name, ""), &()).await?;
            told(args, &deletion, &show::deletion(&deletion))?;
            if deletion.remains.is_empty() { Ok(0) } else { Err(Failure::ours("something of the tenant remains")) }
        }
    }
}

/// How the command changes a policy; its file is read here, where the command was typed.
fn change_of(command: &Tenant) -> Result<Option<PolicyChange>, Failure> {
    match command {
        Tenant::Create { policy: Some(file), .. } | Tenant::Policy { file: Some(file), .. } => read(file).map(Some),
        Tenant::Policy { allow, .. } if !allow.is_empty() => Ok(Some(PolicyChange::Allow { lines: allow.clone() })),
        _ => Ok(None),
    }
}

fn read(file: &Path) -> Result<PolicyChange, Failure> {
    let cannot = |error: std::io::Error| Failure::user(format!("cannot read `{}`: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(cannot)?;
    // Problems show the line that they stand in, wherever the command was typed.
    let name = std::path::absolute(file).map_err(cannot)?.display().to_string();
    Ok(PolicyChange::File { name, text })
}

async fn send<T: serde::de::DeserializeOwned>(
    client: &mut Client,
    method: &str,
    path: &str,
    body: &impl Serialize,
) -> Result<T, Failure> {
    Ok(client.send(method, path, serde_json::to_vec(body).map_err(Failure::ours)?).await?)
}

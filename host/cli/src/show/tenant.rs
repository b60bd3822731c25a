//! Tenants for a person's eyes.

use super::{bytes, instant, table};
use server::{Deletion, QuotaLine, TenantDetail, TenantLine};

fn state(line: &TenantLine) -> &'static str {
    if line.suspended { "suspended" } else { "active" }
}

fn created(line: &TenantLine) -> String {
    line.created_us.map_or_else(|| "always there".to_owned(), instant)
}

pub(crate) fn tenant_list(tenants: &[TenantLine]) -> String {
    let rows = tenants.iter().map(|line| vec![line.tenant.to_string(), state(line).to_owned(), created(line)]);
    table(&["tenant", "state", "created"], rows.collect())
}

pub(crate) fn tenant_detail(detail: &TenantDetail) -> String {
    let (line, here) = (&detail.line, &detail.here);
    format!(
        "tenant `{}`: {}, created {}\n{} runs, {} model versions, {} secrets, {} files, {}\n\n{}",
        line.tenant,
        state(line),
        created(line),
        here.runs,
        here.versions,
        here.secrets,
        here.files,
        bytes(here.bytes),
        quotas(&detail.quotas)
    )
}

/// Used / limit, a line a quota.
pub(crate) fn quotas(quotas: &[QuotaLine]) -> String {
    let rows = quotas.iter().map(|line| {
        let (today, a_day) = if line.quota.is_daily() { (" today", " a day") } else { ("", "") };
        let used = format!("{}{today}", line.quota.quantity(line.used).about());
        let bound = line.limit.map(|most| format!("{}{a_day}", line.quota.quantity(most)));
        let limit = line.rate.map(|rate| rate.to_string()).or(bound);
        vec![line.quota.key().to_owned(), used, limit.unwrap_or_else(|| "none".to_owned())]
    });
    table(&["quota", "used", "limit"], rows.collect())
}

pub(crate) fn deletion(deletion: &Deletion) -> String {
    let Deletion { tenant, removed, remains } = deletion;
    let remains = match remains.is_empty() {
        true => "nothing of it remains in the data and cache folders".to_owned(),
        false => remains.iter().map(|path| format!("remains: {}", path.display())).collect::<Vec<_>>().join("\n"),
    };
    format!(
        "deleted tenant `{tenant}`: {} runs, {} model versions, {} secrets, {} files, {}\n{remains}\n",
        removed.runs,
        removed.versions,
        removed.secrets,
        removed.files,
        bytes(removed.bytes)
    )
}

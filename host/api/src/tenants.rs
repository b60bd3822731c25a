//! `/v1/tenants`: who there is, what each may, and its secrets. For the owner of the data folder alone.

use crate::error::{Refusal, off_thread};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use server::{Deletion, PolicyChange, PolicyShown, QuotaChange, Server, TenantDetail, TenantLine};
use std::sync::Arc;
use types::TenantId;

/// A tenant to be made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    pub tenant: TenantId,
    pub policy: Option<PolicyChange>,
}

type Answer<T> = Result<Json<T>, Refusal>;

pub(crate) async fn list(State(server): State<Arc<Server>>) -> Answer<Vec<TenantLine>> {
    Ok(Json(off_thread(move || server.tenants()).await?))
}

pub(crate) async fn create(State(server): State<Arc<Server>>, Json(new): Json<NewTenant>) -> Answer<TenantDetail> {
    let made = off_thread(move || {
        server.create_tenant(&new.tenant, new.policy)?;
        server.tenant(&new.tenant)
    });
    Ok(Json(made.await?))
}

pub(crate) async fn show(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<TenantDetail> {
    Ok(Json(off_thread(move || server.tenant(&tenant)).await?))
}

pub(crate) async fn delete(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<Deletion> {
    Ok(Json(off_thread(move || server.delete_tenant(&tenant)).await?))
}

pub(crate) async fn policy(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<PolicyShown> {
    Ok(Json(off_thread(move || server.policy(&tenant)).await?))
}

pub(crate) async fn change_policy(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(change): Json<PolicyChange>,
) -> Answer<PolicyShown> {
    Ok(Json(off_thread(move || server.change_policy(&tenant, change)).await?))
}

pub(crate) async fn change_quota(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(change): Json<QuotaChange>,
) -> Answer<TenantDetail> {
    Ok(Json(off_thread(move || server.change_quota(&tenant, &change)).await?))
}

pub(crate) async fn suspend(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<TenantDetail> {
    let done = off_thread(move || {
        server.suspend_tenant(&tenant)?;
        server.tenant(&tenant)
    });
    Ok(Json(done.await?))
}

pub(crate) async fn resume(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<TenantDetail> {
    let done = off_thread(move || {
        server.resume_tenant(&tenant)?;
        server.tenant(&tenant)
    });
    Ok(Json(done.await?))
}

pub(crate) async fn secrets(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<Vec<String>> {
    Ok(Json(off_thread(move || server.secrets(&tenant)).await?))
}

/// The body is the value, as it is.
pub(crate) async fn set_secret(
    State(server): State<Arc<Server>>,
    Path((tenant, name)): Path<(TenantId, String)>,
    value: Bytes,
) -> Answer<()> {
    Ok(Json(off_thread(move || server.set_secret(&tenant, &name, &value)).await?))
}

pub(crate) async fn remove_secret(
    State(server): State<Arc<Server>>,
    Path((tenant, name)): Path<(TenantId, String)>,
) -> Answer<()> {
    Ok(Json(off_thread(move || server.remove_secret(&tenant, &name)).await?))
}

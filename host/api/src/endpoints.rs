//! `/v1/tenants/TENANT/endpoints`: who answers under which name, and canaries.

use crate::error::{Refusal, off_thread};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use server::{EndpointDetail, RolloutChange, Server};
use std::path::PathBuf;
use std::sync::Arc;
use types::{EndpointName, RolloutMove, TenantId};

/// Where the project lies whose endpoints are meant besides the deployed ones.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointsRequest {
    pub folder: PathBuf,
}

/// What is to become of a canary.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutRequest {
    pub folder: PathBuf,
    pub change: RolloutChange,
}

type Answer<T> = Result<Json<T>, Refusal>;

pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(asked): Json<EndpointsRequest>,
) -> Answer<Vec<EndpointDetail>> {
    let listed = move || {
        server.name_endpoints(&tenant, &asked.folder, None)?;
        let endpoints = server.endpoints(&tenant)?;
        endpoints.iter().map(|endpoint| server.endpoint_detail(&tenant, &endpoint.endpoint)).collect()
    };
    Ok(Json(off_thread(listed).await?))
}

pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Path((tenant, endpoint)): Path<(TenantId, EndpointName)>,
    Json(asked): Json<EndpointsRequest>,
) -> Answer<EndpointDetail> {
    let shown = move || {
        server.name_endpoints(&tenant, &asked.folder, Some(&endpoint))?;
        server.endpoint_detail(&tenant, &endpoint)
    };
    Ok(Json(off_thread(shown).await?))
}

pub(crate) async fn change(
    State(server): State<Arc<Server>>,
    Path((tenant, endpoint)): Path<(TenantId, EndpointName)>,
    Json(asked): Json<RolloutRequest>,
) -> Answer<RolloutMove> {
    let changed = move || {
        server.name_endpoints(&tenant, &asked.folder, Some(&endpoint))?;
        server.change_rollout(&tenant, &endpoint, &asked.change)
    };
    Ok(Json(off_thread(changed).await?))
}

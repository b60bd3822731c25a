//! `/v1/tenants/TENANT/models`: the registry, to look at.

use crate::error::{Refusal, off_thread};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use server::{ModelList, Server};
use std::sync::Arc;
use types::{ModelName, ModelVersion, TenantId};

#[derive(Deserialize)]
pub(crate) struct Which {
    version: Option<String>,
}

pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
) -> Result<Json<Vec<ModelList>>, Refusal> {
    Ok(Json(off_thread(move || server.models(&tenant)).await?))
}

pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Path<(TenantId, ModelName)>,
    Query(which): Query<Which>,
) -> Result<Json<ModelVersion>, Refusal> {
    Ok(Json(off_thread(move || server.model(&tenant, &model, which.version.as_deref())).await?))
}

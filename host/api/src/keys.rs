//! `/v1/tenants/NAME/keys`: what lets applications in. For the owner of the data folder alone.

use crate::error::{Refusal, off_thread};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use server::{KeyLine, KeyRequest, NewKey, Server};
use std::sync::Arc;
use types::{KeyName, TenantId};

/// Who wants it.
#[derive(Deserialize)]
pub(crate) struct Who {
    by: Option<String>,
}

type Answer<T> = Result<Json<T>, Refusal>;

pub(crate) async fn list(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<Vec<KeyLine>> {
    Ok(Json(off_thread(move || server.keys(&tenant)).await?))
}

pub(crate) async fn create(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<KeyRequest>,
) -> Answer<NewKey> {
    Ok(Json(off_thread(move || server.create_key(&tenant, request)).await?))
}

pub(crate) async fn revoke(
    State(server): State<Arc<Server>>,
    Path((tenant, name)): Path<(TenantId, KeyName)>,
    Query(Who { by }): Query<Who>,
) -> Answer<KeyLine> {
    Ok(Json(off_thread(move || server.revoke_key(&tenant, &name, by)).await?))
}

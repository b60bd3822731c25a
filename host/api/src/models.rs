//! `/v1/tenants/TENANT/models`: the registry.

use crate::error::{Refusal, off_thread};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use server::{
    ExportRequest, Held, ImportRequest, ModelCard, ModelDetail, ModelDiff, ModelList, MoveBack, Promoted, Promotion,
    Server, TagChange, Unalias,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use types::{AliasMove, ModelName, TenantId};

#[derive(Deserialize)]
pub(crate) struct Which {
    version: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct OfAlias {
    alias: Option<String>,
}

/// Which version had an alias, when.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtRequest {
    pub alias: String,
    pub at_us: i64,
}

/// Two versions, each by number or alias.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDiffRequest {
    pub a: String,
    pub b: String,
}

type Answer<T> = Result<Json<T>, Refusal>;
type Model = Path<(TenantId, ModelName)>;

pub(crate) async fn list(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<Vec<ModelList>> {
    Ok(Json(off_thread(move || server.models(&tenant)).await?))
}

pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Query(which): Query<Which>,
) -> Answer<ModelDetail> {
    Ok(Json(off_thread(move || server.model(&tenant, &model, which.version.as_deref())).await?))
}

pub(crate) async fn history(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Query(of): Query<OfAlias>,
) -> Answer<Vec<AliasMove>> {
    Ok(Json(off_thread(move || server.model_history(&tenant, &model, of.alias.as_deref())).await?))
}

pub(crate) async fn at(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Json(asked): Json<AtRequest>,
) -> Answer<Held> {
    Ok(Json(off_thread(move || server.model_at(&tenant, &model, &asked.alias, asked.at_us)).await?))
}

pub(crate) async fn promote(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Json(asked): Json<Promotion>,
) -> Answer<Promoted> {
    Ok(Json(off_thread(move || server.promote(&tenant, &model, &asked)).await?))
}

pub(crate) async fn roll_back(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Json(asked): Json<MoveBack>,
) -> Answer<Promoted> {
    Ok(Json(off_thread(move || server.roll_back(&tenant, &model, &asked)).await?))
}

pub(crate) async fn unalias(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Json(asked): Json<Unalias>,
) -> Answer<AliasMove> {
    Ok(Json(off_thread(move || server.unalias(&tenant, &model, &asked)).await?))
}

pub(crate) async fn tag(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Json(asked): Json<TagChange>,
) -> Answer<BTreeMap<String, String>> {
    Ok(Json(off_thread(move || server.tag(&tenant, &model, &asked)).await?))
}

pub(crate) async fn card(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Query(which): Query<Which>,
) -> Answer<ModelCard> {
    Ok(Json(off_thread(move || server.model_card(&tenant, &model, which.version.as_deref())).await?))
}

pub(crate) async fn diff(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Json(asked): Json<ModelDiffRequest>,
) -> Answer<ModelDiff> {
    Ok(Json(off_thread(move || server.model_diff(&tenant, &model, &asked.a, &asked.b)).await?))
}

pub(crate) async fn export(
    State(server): State<Arc<Server>>,
    Path((tenant, model)): Model,
    Json(asked): Json<ExportRequest>,
) -> Answer<ModelDetail> {
    Ok(Json(off_thread(move || server.export_model(&tenant, &model, &asked)).await?))
}

pub(crate) async fn import(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(asked): Json<ImportRequest>,
) -> Answer<ModelDetail> {
    Ok(Json(off_thread(move || server.import_model(&tenant, &asked)).await?))
}

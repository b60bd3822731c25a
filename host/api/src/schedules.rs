//! `/v1/tenants/TENANT/triggers`, `schedules` and `backfills`: when deployed pipelines run by themselves, and how people hold that.

use crate::error::{Refusal, off_thread};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use server::{BackfillLine, BackfillRequest, ScheduleHistory, ScheduleLine, Server, TriggerList};
use std::sync::Arc;
use types::TenantId;

/// Which schedule: `PROJECT/PIPELINE`, or the pipeline alone where one project has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRequest {
    pub pipeline: String,
}

type Answer<T> = Result<Json<T>, Refusal>;

pub(crate) async fn triggers(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<TriggerList> {
    Ok(Json(off_thread(move || server.trigger_list(&tenant)).await?))
}

pub(crate) async fn list(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<Vec<ScheduleLine>> {
    Ok(Json(off_thread(move || server.schedules(&tenant)).await?))
}

pub(crate) async fn pause(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<ScheduleRequest>,
) -> Answer<ScheduleLine> {
    Ok(Json(off_thread(move || server.pause_schedule(&tenant, &request.pipeline, true)).await?))
}

pub(crate) async fn resume(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<ScheduleRequest>,
) -> Answer<ScheduleLine> {
    Ok(Json(off_thread(move || server.pause_schedule(&tenant, &request.pipeline, false)).await?))
}

pub(crate) async fn history(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<ScheduleRequest>,
) -> Answer<ScheduleHistory> {
    Ok(Json(off_thread(move || server.schedule_history(&tenant, &request.pipeline)).await?))
}

pub(crate) async fn backfills(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
) -> Answer<Vec<BackfillLine>> {
    Ok(Json(off_thread(move || server.backfills(&tenant)).await?))
}

pub(crate) async fn ask_backfill(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<BackfillRequest>,
) -> Answer<BackfillLine> {
    Ok(Json(off_thread(move || server.ask_backfill(&tenant, &request)).await?))
}

pub(crate) async fn end_backfill(
    State(server): State<Arc<Server>>,
    Path((tenant, number)): Path<(TenantId, u64)>,
) -> Answer<BackfillLine> {
    Ok(Json(off_thread(move || server.end_backfill(&tenant, number)).await?))
}

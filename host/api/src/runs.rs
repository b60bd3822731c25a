//! `/v1/tenants/TENANT/runs` and `check`: projects in, runs and what they say out.

use crate::error::{Refusal, off_thread};
use crate::lines::{Line, Speaker, lines};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use server::{GcRequest, Repin, RunDetail, RunDiff, RunLine, RunOptions, RunQuery, Server, TableRows};
use std::path::PathBuf;
use std::sync::Arc;
use types::{Id, OutputRef, PortName, RunId, StepName, TenantId};

/// What to check. The folder is one of this machine: only the socket's owner can ask.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    pub folder: PathBuf,
    pub pipeline: Option<String>,
    #[serde(default)]
    pub repin: Repin,
}

/// What to run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    pub folder: PathBuf,
    pub pipeline: Option<String>,
    #[serde(default)]
    pub options: RunOptions,
}

/// From where on a run is run again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RerunRequest {
    pub from: StepName,
    #[serde(default)]
    pub by: Option<String>,
}

/// Who wants a run replayed.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    #[serde(default)]
    pub by: Option<String>,
}

/// A run, with what it is made of.
pub type RunShown = RunDetail;

#[derive(Deserialize)]
pub(crate) struct Limit {
    limit: Option<u64>,
}

#[derive(Serialize)]
pub(crate) struct Status {
    version: &'static str,
    process: u32,
}

pub(crate) async fn status() -> Json<Status> {
    Json(Status { version: env!("CARGO_PKG_VERSION"), process: std::process::id() })
}

/// What every tenant's endpoints did, for Prometheus.
pub(crate) async fn metrics(State(server): State<Arc<Server>>) -> impl axum::response::IntoResponse {
    crate::inference::prometheus(server.all_metrics())
}

pub(crate) async fn check(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<CheckRequest>,
) -> Response {
    lines(move |speaker| {
        // Nobody reading is no reason to stop.
        let notes = |text| {
            speaker.say(Line::Note { text });
        };
        let (folder, pipeline) = (&request.folder, request.pipeline.as_deref());
        let pipelines = server.check(&tenant, folder, pipeline, request.repin, &notes)?;
        speaker.say(Line::Checked { pipelines });
        Ok(())
    })
}

pub(crate) async fn start(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<RunRequest>,
) -> Response {
    lines(move |speaker| {
        // Nobody reading is no reason to stop.
        let notes = |text| {
            speaker.say(Line::Note { text });
        };
        let (folder, pipeline) = (&request.folder, request.pipeline.as_deref());
        let run = server.start(&tenant, folder, pipeline, &request.options, &notes)?;
        speaker.say(Line::Run { run });
        follow(&server, &tenant, run, speaker)
    })
}

pub(crate) async fn resume(
    State(server): State<Arc<Server>>,
    Path((tenant, run)): Path<(TenantId, RunId)>,
) -> Response {
    lines(move |speaker| {
        server.resume(&tenant, run)?;
        speaker.say(Line::Run { run });
        follow(&server, &tenant, run, speaker)
    })
}

pub(crate) async fn rerun(
    State(server): State<Arc<Server>>,
    Path((tenant, run)): Path<(TenantId, RunId)>,
    Json(request): Json<RerunRequest>,
) -> Response {
    lines(move |speaker| {
        let run = server.rerun(&tenant, run, &request.from, request.by)?;
        speaker.say(Line::Run { run });
        follow(&server, &tenant, run, speaker)
    })
}

pub(crate) async fn replay(
    State(server): State<Arc<Server>>,
    Path((tenant, run)): Path<(TenantId, RunId)>,
    Json(request): Json<ReplayRequest>,
) -> Response {
    lines(move |speaker| {
        let run = server.replay(&tenant, run, request.by)?;
        speaker.say(Line::Run { run });
        follow(&server, &tenant, run, speaker)?;
        speaker.say(Line::Replayed { replayed: Box::new(server.replayed(&tenant, run)?) });
        Ok(())
    })
}

pub(crate) async fn diff(
    State(server): State<Arc<Server>>,
    Path((tenant, a, b)): Path<(TenantId, RunId, RunId)>,
) -> Result<Json<RunDiff>, Refusal> {
    Ok(Json(off_thread(move || server.diff(&tenant, a, b)).await?))
}

pub(crate) async fn gc(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<GcRequest>,
) -> Response {
    lines(move |speaker| {
        // Nobody reading is no reason to stop.
        let notes = |text| {
            speaker.say(Line::Note { text });
        };
        let collected = Box::new(server.gc(&tenant, &request, &notes)?);
        speaker.say(Line::Collected { collected });
        Ok(())
    })
}

pub(crate) async fn events(
    State(server): State<Arc<Server>>,
    Path((tenant, run)): Path<(TenantId, RunId)>,
) -> Response {
    lines(move |speaker| follow(&server, &tenant, run, speaker))
}

pub(crate) fn follow(server: &Server, tenant: &TenantId, run: RunId, speaker: &Speaker) -> Result<(), server::Error> {
    // A reader that left does not stop the run.
    server.follow(tenant, run)?.all(|event| speaker.say_event(&event));
    Ok(())
}

pub(crate) async fn cancel(
    State(server): State<Arc<Server>>,
    Path((tenant, run)): Path<(TenantId, RunId)>,
) -> Result<Json<RunId>, Refusal> {
    off_thread(move || server.cancel(&tenant, run)).await?;
    Ok(Json(run))
}

pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Query(query): Query<RunQuery>,
) -> Result<Json<Vec<RunLine>>, Refusal> {
    Ok(Json(off_thread(move || server.runs(&tenant, &query)).await?))
}

pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Path((tenant, run)): Path<(TenantId, RunId)>,
) -> Result<Json<RunDetail>, Refusal> {
    Ok(Json(off_thread(move || server.run(&tenant, run)).await?))
}

pub(crate) async fn rows(
    State(server): State<Arc<Server>>,
    Path((tenant, run, output)): Path<(TenantId, RunId, String)>,
    Query(query): Query<Limit>,
) -> Result<Json<TableRows>, Refusal> {
    let parsed = output.split_once('.').and_then(|(step, port)| {
        Some(OutputRef { step: StepName::parse(step).ok()?, port: PortName::parse(port).ok()? })
    });
    let output = parsed.ok_or_else(|| Refusal::bad(format!("`{output}` is no output: expected STEP.PORT")))?;
    Ok(Json(off_thread(move || server.rows(&tenant, run, &output, query.limit.unwrap_or(20))).await?))
}

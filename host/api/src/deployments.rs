//! `/v1/tenants/TENANT/deployments`: projects in, versions of them that run by themselves out.

use crate::error::{Refusal, off_thread};
use crate::lines::{Line, lines};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use server::{DeploymentDetail, Prepared, Server, SettingsChange};
use std::path::PathBuf;
use std::sync::Arc;
use types::{Deployment, PipelineName, ProjectName, TenantId};

/// What to prepare. The folder is one of this machine: only the socket's owner can ask.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareRequest {
    pub folder: PathBuf,
    #[serde(default)]
    pub settings: SettingsChange,
}

/// Which version to bring back; without one, the one before.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    pub version: Option<u32>,
}

type Answer<T> = Result<Json<T>, Refusal>;

pub(crate) async fn prepare(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<PrepareRequest>,
) -> Response {
    lines(move |speaker| {
        // Nobody reading is no reason to stop.
        let notes = |text| {
            speaker.say(Line::Note { text });
        };
        let prepared = server.prepare_deployment(&tenant, &request.folder, &request.settings, &notes)?;
        speaker.say(Line::Prepared { prepared: Box::new(prepared) });
        Ok(())
    })
}

pub(crate) async fn prepare_rollback(
    State(server): State<Arc<Server>>,
    Path((tenant, project)): Path<(TenantId, ProjectName)>,
    Json(request): Json<RollbackRequest>,
) -> Answer<Prepared> {
    Ok(Json(off_thread(move || server.prepare_rollback(&tenant, &project, request.version)).await?))
}

pub(crate) async fn deploy(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(prepared): Json<Prepared>,
) -> Answer<Deployment> {
    Ok(Json(off_thread(move || server.deploy(&tenant, &prepared)).await?))
}

pub(crate) async fn list(State(server): State<Arc<Server>>, Path(tenant): Path<TenantId>) -> Answer<Vec<Deployment>> {
    Ok(Json(off_thread(move || server.deployments(&tenant)).await?))
}

pub(crate) async fn history(
    State(server): State<Arc<Server>>,
    Path((tenant, project)): Path<(TenantId, ProjectName)>,
) -> Answer<Vec<Deployment>> {
    Ok(Json(off_thread(move || server.deployment_history(&tenant, &project)).await?))
}

pub(crate) async fn current(
    State(server): State<Arc<Server>>,
    Path((tenant, project)): Path<(TenantId, ProjectName)>,
) -> Answer<DeploymentDetail> {
    Ok(Json(off_thread(move || server.deployment(&tenant, &project, None)).await?))
}

pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Path((tenant, project, version)): Path<(TenantId, ProjectName, u32)>,
) -> Answer<DeploymentDetail> {
    Ok(Json(off_thread(move || server.deployment(&tenant, &project, Some(version))).await?))
}

pub(crate) async fn run(
    State(server): State<Arc<Server>>,
    Path((tenant, project, pipeline)): Path<(TenantId, ProjectName, PipelineName)>,
) -> Response {
    lines(move |speaker| {
        let run = server.start_deployed(&tenant, &project, &pipeline)?;
        speaker.say(Line::Run { run });
        crate::runs::follow(&server, &tenant, run, speaker)
    })
}

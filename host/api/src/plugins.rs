//! `/v1/tenants/TENANT/plugins`: those that a project can name. Compiling takes its time, so both answer line by line.

use crate::lines::{Line, lines};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use server::{Offered, Server};
use std::path::PathBuf;
use std::sync::Arc;
use types::TenantId;

/// Whose plugins. The folder is one of this machine: only the socket's owner can ask.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginsRequest {
    pub folder: PathBuf,
}

/// What to add to which project.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    pub folder: PathBuf,
    pub offered: Offered,
    /// Also if it asks for more than the one that it replaces.
    pub accept: bool,
}

pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<PluginsRequest>,
) -> Response {
    lines(move |speaker| {
        // Nobody reading is no reason to stop.
        speaker.say(Line::Plugins { plugins: server.plugins(&tenant, &request.folder)? });
        Ok(())
    })
}

pub(crate) async fn add(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
    Json(request): Json<AddRequest>,
) -> Response {
    lines(move |speaker| {
        speaker.say(Line::Note { text: "compiling and asking the component, in a sandbox".to_owned() });
        let added = server.add_plugin(&tenant, &request.folder, &request.offered, request.accept)?;
        speaker.say(Line::Added { added: Box::new(added) });
        Ok(())
    })
}

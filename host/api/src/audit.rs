//! `/v1/audit`: whether anybody changed what is on record.

use crate::error::{Refusal, off_thread};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use server::{Audited, Server};
use std::sync::Arc;
use types::Digest;

/// What is looked at.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRequest {
    /// Heads that were kept elsewhere.
    pub heads: Vec<Digest>,
    pub with_blobs: bool,
}

pub(crate) async fn audit(
    State(server): State<Arc<Server>>,
    Json(asked): Json<AuditRequest>,
) -> Result<Json<Audited>, Refusal> {
    Ok(Json(off_thread(move || server.audit(&asked.heads, asked.with_blobs)).await?))
}

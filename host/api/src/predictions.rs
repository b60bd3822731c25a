//! `POST /labels/NAME` for applications, and for the owner of the data folder what is kept of predictions.

use crate::error::{Refusal, off_thread};
use crate::inference::{Answer, Named, Public, Refused, at_length, encoded, endpoint_name, expect_plain};
use crate::lines::{Line, lines};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use server::{LabelRequest, PredictionLog, Server};
use std::sync::Arc;
use types::{EndpointName, TenantId};

/// The most bytes of labels at a time.
const LABELS_BYTES_MAX: usize = 4 << 20;

pub(crate) async fn label(
    State(public): State<Public>,
    Named(endpoint): Named<String>,
    headers: HeaderMap,
    request: Body,
) -> Answer {
    let name = endpoint_name(&endpoint)?;
    expect_plain(&headers)?;
    let body = public.room.read_at_most(LABELS_BYTES_MAX, request).await?;
    let _turn = public.turns.take(body.as_ref().len()).await?;
    let answer = at_length(true, || {
        let request: LabelRequest = serde_json::from_slice(body.as_ref()).map_err(|error| {
            let why: String = error.to_string().chars().take(400).collect();
            Refused::Said(StatusCode::BAD_REQUEST, format!("cannot read the request: {why}"))
        })?;
        Ok(public.server.label(&public.tenant, &name, &request)?)
    });
    encoded(&answer?)
}

pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Path(tenant): Path<TenantId>,
) -> Result<Json<Vec<PredictionLog>>, Refusal> {
    Ok(Json(off_thread(move || server.prediction_logs(&tenant)).await?))
}

/// Which rows.
#[derive(Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    labelled: bool,
}

pub(crate) async fn export(
    State(server): State<Arc<Server>>,
    Path((tenant, endpoint)): Path<(TenantId, EndpointName)>,
    Query(Which { labelled }): Query<Which>,
) -> Response {
    lines(move |speaker| {
        let mut hear = |row| speaker.say(Line::Row { row });
        server.export_predictions(&tenant, &endpoint, labelled, &mut hear).map(drop)
    })
}

//! The protocol's model repository: which endpoints there are, loading and unloading them, and what is said of each beyond its
//! metadata. Each is a function for both forms, and a handler for HTTP.

use crate::error::off_thread;
use crate::inference::{Answer, Named, Public, Refused, about, answers, as_model, endpoint_name, info, told};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serve::{ModelConfig, ModelIndex, Statistics};
use server::EndpointInfo;

/// The most bytes of a request that is about a model and not for it.
const REQUEST_BYTES_MAX: usize = 64 << 10;

pub(crate) async fn index_of(public: Public, ready_only: bool) -> Result<Vec<ModelIndex>, Refused> {
    let _turn = public.turns.about().await?;
    let endpoints = off_thread(move || public.server.endpoints(&public.tenant)).await?;
    Ok(endpoints.iter().filter(|info| answers(info) || !ready_only).flat_map(indexed).collect())
}

/// A line for each version that gets requests.
fn indexed(info: &EndpointInfo) -> Vec<ModelIndex> {
    let (state, reason) = match (info.version, info.unloaded, &info.trouble) {
        (_, true, _) => ("UNAVAILABLE", "unloaded".to_owned()),
        (None, ..) => ("UNAVAILABLE", format!("model `{}` has no version `{}` yet", info.model, info.alias)),
        (_, _, Some(trouble)) => ("UNAVAILABLE", trouble.clone()),
        _ => ("READY", String::new()),
    };
    let line = |version: String| ModelIndex {
        name: info.endpoint.to_string(),
        version,
        state: state.to_owned(),
        reason: reason.clone(),
    };
    match info.versions.is_empty() {
        true => vec![line(String::new())],
        false => info.versions.iter().map(|version| line(version.to_string())).collect(),
    }
}

pub(crate) async fn load_model(public: Public, endpoint: &str, has_parameters: bool) -> Result<(), Refused> {
    let name = endpoint_name(endpoint)?;
    if has_parameters {
        let text = "a model is loaded as a run registered it: loading takes no parameters";
        return Err(Refused::Said(StatusCode::BAD_REQUEST, text.to_owned()));
    }
    Ok(off_thread(move || public.server.load_endpoint(&public.tenant, &name).map(drop)).await?)
}

pub(crate) async fn unload_model(public: Public, endpoint: &str) -> Result<(), Refused> {
    let name = endpoint_name(endpoint)?;
    Ok(off_thread(move || public.server.unload_endpoint(&public.tenant, &name)).await?)
}

pub(crate) async fn config_of(public: Public, endpoint: &str, version: &str) -> Result<ModelConfig, Refused> {
    let info = about(public, endpoint, version).await?;
    Ok(serve::config(&as_model(&info.endpoint)?, &info.request, &info.response))
}

/// Of one endpoint, or of all if its name is empty.
pub(crate) async fn statistics_of(public: Public, endpoint: &str, version: &str) -> Result<Statistics, Refused> {
    let _turn = public.turns.about().await?;
    let (server, tenant) = (std::sync::Arc::clone(&public.server), public.tenant.clone());
    let endpoints = match endpoint {
        "" => off_thread(move || public.server.endpoints(&public.tenant)).await?,
        name => vec![info(public, name, version).await?],
    };
    let of_each = |info: &EndpointInfo| {
        // All that get requests, unless one is asked for.
        let versions = if version.is_empty() { info.versions.clone() } else { info.version.into_iter().collect() };
        let of = |version| server.statistics(&tenant, &info.endpoint, version);
        versions.into_iter().map(of).collect::<Vec<_>>()
    };
    Ok(Statistics { model_stats: endpoints.iter().flat_map(of_each).collect() })
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct IndexRequest {
    #[serde(default)]
    ready: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ControlRequest {
    #[serde(default)]
    parameters: serde_json::Map<String, serde_json::Value>,
}

/// A small body, which may be left out.
async fn asked<T: DeserializeOwned + Default>(public: &Public, body: Body) -> Result<T, Refused> {
    let body = public.room.read_at_most(REQUEST_BYTES_MAX, body).await?;
    if body.as_ref().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body.as_ref())
        .map_err(|error| Refused::Said(StatusCode::BAD_REQUEST, format!("cannot read the request: {error}")))
}

pub(crate) async fn index(State(public): State<Public>, body: Body) -> Answer {
    let IndexRequest { ready } = asked(&public, body).await?;
    told(&public.room.clone(), &index_of(public, ready).await?)
}

pub(crate) async fn load(State(public): State<Public>, Named(endpoint): Named<String>, body: Body) -> Answer {
    let ControlRequest { parameters } = asked(&public, body).await?;
    load_model(public, &endpoint, !parameters.is_empty()).await?;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn unload(State(public): State<Public>, Named(endpoint): Named<String>, body: Body) -> Answer {
    // Its parameter is about models that depend on others, and none does.
    let ControlRequest { .. } = asked(&public, body).await?;
    unload_model(public, &endpoint).await?;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn config(State(public): State<Public>, Named(endpoint): Named<String>) -> Answer {
    told(&public.room.clone(), &config_of(public, &endpoint, "").await?)
}

pub(crate) async fn version_config(
    State(public): State<Public>,
    Named((endpoint, version)): Named<(String, String)>,
) -> Answer {
    told(&public.room.clone(), &config_of(public, &endpoint, &version).await?)
}

pub(crate) async fn all_statistics(State(public): State<Public>) -> Answer {
    told(&public.room.clone(), &statistics_of(public, "", "").await?)
}

pub(crate) async fn statistics(State(public): State<Public>, Named(endpoint): Named<String>) -> Answer {
    told(&public.room.clone(), &statistics_of(public, &endpoint, "").await?)
}

pub(crate) async fn version_statistics(
    State(public): State<Public>,
    Named((endpoint, version)): Named<(String, String)>,
) -> Answer {
    told(&public.room.clone(), &statistics_of(public, &endpoint, &version).await?)
}

//! HTTP and the local socket <-> the server. The only crate that names axum; every route is on this page.
//!
//! Two routers: [`local`] for the owner of the data folder, over its socket or in the same process (the command line is
//! this router's client either way); [`public`] for applications, over TCP. What takes long answers line by line ([`Line`]).
//! Handlers do nothing but translate: each calls one function of [`server::Server`], off the async threads.

mod body;
mod client;
mod connections;
mod error;
mod guard;
mod inference;
mod lines;
mod listen;
mod models;
mod plugins;
mod runs;

pub use client::{Client, Trouble};
pub use error::ErrorBody;
pub use lines::Line;
pub use listen::{Listening, bind, listen};
pub use plugins::{AddRequest, PluginsRequest};
pub use runs::{CheckRequest, RunRequest, RunShown};

use axum::Router;
use axum::routing::{get, post};
use server::Server;
use std::sync::Arc;
use types::TenantId;

/// Everything, for whoever may open the socket in the data folder.
pub fn local(server: Arc<Server>) -> Router {
    Router::new()
        .route("/v1/status", get(runs::status))
        .route("/v1/tenants/{tenant}/check", post(runs::check))
        .route("/v1/tenants/{tenant}/plugins", post(plugins::list))
        .route("/v1/tenants/{tenant}/plugins/add", post(plugins::add))
        .route("/v1/tenants/{tenant}/runs", get(runs::list).post(runs::start))
        .route("/v1/tenants/{tenant}/runs/{run}", get(runs::show))
        .route("/v1/tenants/{tenant}/runs/{run}/events", get(runs::events))
        .route("/v1/tenants/{tenant}/runs/{run}/resume", post(runs::resume))
        .route("/v1/tenants/{tenant}/runs/{run}/cancel", post(runs::cancel))
        .route("/v1/tenants/{tenant}/runs/{run}/rows/{output}", get(runs::rows))
        .route("/v1/tenants/{tenant}/models", get(models::list))
        .route("/v1/tenants/{tenant}/models/{model}", get(models::show))
        .fallback(error::no_route)
        .with_state(server)
}

/// The Open Inference Protocol v2 (REST), and beside it a plain route for application developers. One tenant's. Whoever asks
/// is a stranger: every error is the protocol's JSON, and nothing is read, held or waited for without a bound.
pub fn public(server: Arc<Server>, tenant: TenantId) -> Router {
    Router::new()
        .route("/v2", get(inference::server_metadata))
        .route("/v2/health/live", get(inference::live))
        .route("/v2/health/ready", get(inference::ready))
        .route("/v2/models/{endpoint}", get(inference::metadata))
        .route("/v2/models/{endpoint}/ready", get(inference::model_ready))
        .route("/v2/models/{endpoint}/infer", post(inference::infer))
        .route("/v2/models/{endpoint}/versions/{version}", get(inference::version_metadata))
        .route("/v2/models/{endpoint}/versions/{version}/ready", get(inference::version_ready))
        .route("/v2/models/{endpoint}/versions/{version}/infer", post(inference::version_infer))
        .route("/predict/{endpoint}", post(inference::predict))
        .fallback(inference::no_route)
        .method_not_allowed_fallback(inference::no_method)
        .layer(axum::middleware::from_fn(guard::let_in))
        .with_state(inference::Public::new(server, tenant))
}

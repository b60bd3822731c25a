//! HTTP and the local socket <-> the server. The only crate that names axum; every route is on this page.
//!
//! Two routers: [`local`] for the owner of the data folder, over its socket or in the same process (the command line is
//! this router's client either way); [`public`] for applications, over TCP. What takes long answers line by line ([`Line`]).
//! Handlers do nothing but translate: each calls one function of [`server::Server`], off the async threads.

mod audit;
mod body;
mod client;
mod connections;
mod deployments;
mod endpoints;
mod error;
mod frames;
mod grpc;
mod guard;
mod hooks;
mod inference;
mod keys;
mod lines;
mod listen;
mod models;
mod openapi;
mod places;
mod plugins;
mod predictions;
mod repository;
mod runs;
mod schedules;
mod shares;
mod tenants;
mod tls;
mod trace;
mod turns;

pub use audit::AuditRequest;
pub use client::{Client, Trouble};
pub use deployments::{PrepareRequest, RollbackRequest};
pub use endpoints::{EndpointsRequest, RolloutRequest};
pub use error::ErrorBody;
pub use lines::Line;
pub use listen::{Listening, bind, listen};
pub use models::{AtRequest, ModelDiffRequest};
pub use plugins::{AddRequest, PluginsRequest};
pub use runs::{CheckRequest, ReplayRequest, RerunRequest, RunRequest, RunShown};
pub use schedules::ScheduleRequest;
pub use tenants::NewTenant;
pub use tls::Tls;

use axum::Router;
use axum::routing::{any, delete, get, post, put};
use server::Server;
use std::sync::Arc;
use types::TenantId;

/// Everything, for whoever may open the socket in the data folder.
pub fn local(server: Arc<Server>) -> Router {
    Router::new()
        .route("/metrics", get(runs::metrics))
        .route("/v1/status", get(runs::status))
        .route("/v1/audit", post(audit::audit))
        .route("/v1/tenants", get(tenants::list).post(tenants::create))
        .route("/v1/tenants/{tenant}", get(tenants::show).delete(tenants::delete))
        .route("/v1/tenants/{tenant}/policy", get(tenants::policy).put(tenants::change_policy))
        .route("/v1/tenants/{tenant}/quota", put(tenants::change_quota))
        .route("/v1/tenants/{tenant}/suspend", post(tenants::suspend))
        .route("/v1/tenants/{tenant}/resume", post(tenants::resume))
        .route("/v1/tenants/{tenant}/secrets", get(tenants::secrets))
        .route("/v1/tenants/{tenant}/secrets/{name}", put(tenants::set_secret).delete(tenants::remove_secret))
        .route("/v1/tenants/{tenant}/keys", get(keys::list).post(keys::create))
        .route("/v1/tenants/{tenant}/keys/{name}", delete(keys::revoke))
        .route("/v1/tenants/{tenant}/predictions", get(predictions::list))
        .route("/v1/tenants/{tenant}/predictions/{endpoint}", get(predictions::export))
        .route("/v1/tenants/{tenant}/check", post(runs::check))
        .route("/v1/tenants/{tenant}/plugins", post(plugins::list))
        .route("/v1/tenants/{tenant}/plugins/add", post(plugins::add))
        .route("/v1/tenants/{tenant}/runs", get(runs::list).post(runs::start))
        .route("/v1/tenants/{tenant}/runs/{run}", get(runs::show))
        .route("/v1/tenants/{tenant}/runs/{run}/events", get(runs::events))
        .route("/v1/tenants/{tenant}/runs/{run}/resume", post(runs::resume))
        .route("/v1/tenants/{tenant}/runs/{run}/cancel", post(runs::cancel))
        .route("/v1/tenants/{tenant}/runs/{run}/rerun", post(runs::rerun))
        .route("/v1/tenants/{tenant}/runs/{run}/replay", post(runs::replay))
        .route("/v1/tenants/{tenant}/runs/{run}/diff/{other}", get(runs::diff))
        .route("/v1/tenants/{tenant}/gc", post(runs::gc))
        .route("/v1/tenants/{tenant}/runs/{run}/rows/{output}", get(runs::rows))
        .merge(registry())
        .merge(by_itself())
        .fallback(error::no_route)
        .with_state(server)
}

/// Models, their versions and aliases, and who answers.
fn registry() -> Router<Arc<Server>> {
    Router::new()
        .route("/v1/tenants/{tenant}/models", get(models::list))
        .route("/v1/tenants/{tenant}/import", post(models::import))
        .route("/v1/tenants/{tenant}/endpoints", post(endpoints::list))
        .route("/v1/tenants/{tenant}/endpoints/{endpoint}", post(endpoints::show))
        .route("/v1/tenants/{tenant}/endpoints/{endpoint}/rollout", post(endpoints::change))
        .route("/v1/tenants/{tenant}/models/{model}", get(models::show))
        .route("/v1/tenants/{tenant}/models/{model}/history", get(models::history))
        .route("/v1/tenants/{tenant}/models/{model}/at", post(models::at))
        .route("/v1/tenants/{tenant}/models/{model}/promote", post(models::promote))
        .route("/v1/tenants/{tenant}/models/{model}/rollback", post(models::roll_back))
        .route("/v1/tenants/{tenant}/models/{model}/unalias", post(models::unalias))
        .route("/v1/tenants/{tenant}/models/{model}/tag", post(models::tag))
        .route("/v1/tenants/{tenant}/models/{model}/card", get(models::card))
        .route("/v1/tenants/{tenant}/models/{model}/diff", post(models::diff))
        .route("/v1/tenants/{tenant}/models/{model}/export", post(models::export))
}

/// What runs by itself.
fn by_itself() -> Router<Arc<Server>> {
    Router::new()
        .route("/v1/tenants/{tenant}/deployments", get(deployments::list).post(deployments::deploy))
        .route("/v1/tenants/{tenant}/prepare", post(deployments::prepare))
        .route("/v1/tenants/{tenant}/deployments/{project}", get(deployments::current))
        .route("/v1/tenants/{tenant}/deployments/{project}/history", get(deployments::history))
        .route("/v1/tenants/{tenant}/deployments/{project}/rollback", post(deployments::prepare_rollback))
        .route("/v1/tenants/{tenant}/deployments/{project}/versions/{version}", get(deployments::show))
        .route("/v1/tenants/{tenant}/deployments/{project}/pipelines/{pipeline}/runs", post(deployments::run))
        .route("/v1/tenants/{tenant}/triggers", get(schedules::triggers))
        .route("/v1/tenants/{tenant}/schedules", get(schedules::list))
        .route("/v1/tenants/{tenant}/schedules/pause", post(schedules::pause))
        .route("/v1/tenants/{tenant}/schedules/resume", post(schedules::resume))
        .route("/v1/tenants/{tenant}/schedules/history", post(schedules::history))
        .route("/v1/tenants/{tenant}/backfills", get(schedules::backfills).post(schedules::ask_backfill))
        .route("/v1/tenants/{tenant}/backfills/{number}", delete(schedules::end_backfill))
}

/// The Open Inference Protocol v2 (REST and gRPC), beside it a plain route for application developers, and signed calls that start runs: one tenant's at the root,
/// every tenant's beneath `/tenants/NAME`. Whoever asks is a stranger: every error is the protocol's JSON, and nothing is
/// read, held or waited for without a bound.
pub fn public(server: Arc<Server>, tenant: TenantId) -> Router {
    let public = inference::Public::new(server, tenant);
    endpoints()
        .route("/tenants/{tenant}/{*rest}", any(inference::of_tenant))
        .route("/inference.GRPCInferenceService/{method}", post(grpc::call))
        .fallback(inference::no_route)
        .method_not_allowed_fallback(inference::no_method)
        .layer(axum::middleware::from_fn_with_state(public.clone(), guard::let_in))
        .layer(axum::middleware::from_fn(trace::traced))
        .with_state(public)
}

/// The routes of one tenant.
fn endpoints() -> Router<inference::Public> {
    Router::new()
        .route("/v2", get(inference::server_metadata))
        .route("/v2/health/live", get(inference::live))
        .route("/v2/health/ready", get(inference::ready))
        .route("/v2/models/stats", get(repository::all_statistics))
        .route("/v2/models/{endpoint}", get(inference::metadata))
        .route("/v2/models/{endpoint}/ready", get(inference::model_ready))
        .route("/v2/models/{endpoint}/infer", post(inference::infer))
        .route("/v2/models/{endpoint}/config", get(repository::config))
        .route("/v2/models/{endpoint}/stats", get(repository::statistics))
        .route("/v2/models/{endpoint}/versions/{version}", get(inference::version_metadata))
        .route("/v2/models/{endpoint}/versions/{version}/ready", get(inference::version_ready))
        .route("/v2/models/{endpoint}/versions/{version}/infer", post(inference::version_infer))
        .route("/v2/models/{endpoint}/versions/{version}/config", get(repository::version_config))
        .route("/v2/models/{endpoint}/versions/{version}/stats", get(repository::version_statistics))
        .route("/v2/repository/index", post(repository::index))
        .route("/v2/repository/models/{endpoint}/load", post(repository::load))
        .route("/v2/repository/models/{endpoint}/unload", post(repository::unload))
        .route("/predict/{endpoint}", post(inference::predict))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page))
        .route("/labels/{endpoint}", post(predictions::label))
        .route("/metrics", get(inference::metrics))
        .route("/hooks/{project}/{pipeline}", post(hooks::hook))
}

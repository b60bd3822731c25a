//! The Open Inference Protocol v2 over REST, and the plain route. Errors are the protocol's: `{"error": ".."}`.

use crate::answering::answered;
use crate::body::Room;
use crate::error::{off_thread, status};
use crate::trace::Trace;
use crate::turns::Turns;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serve::{Asked, ErrorBody, ModelReady, ServeError, ServerLive, ServerReady};
use server::{EndpointInfo, Served, Server};
use std::sync::Arc;
use tower::ServiceExt;
use types::{EndpointName, Fault, FaultKind, Field, Id, ModelName, TenantId};

/// What the public routes share: whose endpoints they are, and what requests may take of this process.
#[derive(Clone)]
pub(crate) struct Public {
    pub(crate) server: Arc<Server>,
    pub(crate) tenant: TenantId,
    pub(crate) room: Room,
    pub(crate) turns: Turns,
}

impl Public {
    pub(crate) fn new(server: Arc<Server>, tenant: TenantId) -> Self {
        Self { server, tenant, room: Room::new(), turns: Turns::default() }
    }
}

/// What a path names. A path that is no text names nothing.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let named = Path::from_request_parts(parts, state).await;
        named.map(|Path(named)| Self(named)).map_err(|error| Refused::Said(error.status(), error.body_text()))
    }
}

/// An error on its way out, in the protocol's form.
pub(crate) enum Refused {
    Asked(ServeError),
    Server(server::Error),
    Said(StatusCode, String),
}

type Answer = Result<Response, Refused>;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let retry_after = self.retry_after();
        let (status, text) = match self {
            Self::Asked(error) => {
                (StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST), error.to_string())
            }
            Self::Server(error) => (status(&error), error.to_string()),
            Self::Said(status, text) => (status, text),
        };
        let mut response = (status, json(ErrorBody { error: text }.to_json())).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl Refused {
    /// In how many seconds it is worth asking again; none if it is not.
    fn retry_after(&self) -> Option<u64> {
        let again = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
        match self {
            Self::Server(server::Error::Fault(Fault {
                kind: FaultKind::Busy { retry_after_ms } | FaultKind::Transient { retry_after_ms },
                ..
            })) => Some(retry_after_ms.div_ceil(1000).max(1)),
            Self::Said(status, _) => again.contains(status).then_some(1),
            Self::Server(_) | Self::Asked(_) => None,
        }
    }
}

impl From<server::Error> for Refused {
    fn from(error: server::Error) -> Self {
        Self::Server(error)
    }
}

impl From<ServeError> for Refused {
    fn from(error: ServeError) -> Self {
        Self::Asked(error)
    }
}

fn json(body: impl Into<Body>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], body.into())
}

pub(crate) fn encoded(value: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(value).map_err(|error| ServeError::Host(error.to_string()))?;
    Ok(json(bytes).into_response())
}

fn endpoint_name(text: &str) -> Result<EndpointName, Refused> {
    // What is no name names nothing.
    let shown: String = text.chars().take(80).collect();
    EndpointName::parse(text)
        .map_err(|_| Refused::Said(StatusCode::NOT_FOUND, format!("there is no endpoint `{shown}`")))
}

/// The protocol calls an endpoint a model.
fn as_model(endpoint: &EndpointName) -> Result<ModelName, Refused> {
    ModelName::parse(endpoint.as_str()).map_err(|error| Refused::Said(StatusCode::NOT_FOUND, error.to_string()))
}

pub(crate) async fn no_route() -> Refused {
    Refused::Said(
        StatusCode::NOT_FOUND,
        "there is no such route: those of the protocol begin with /v2, the plain one is POST /predict/NAME, signed calls go to POST /hooks/PROJECT/PIPELINE".to_owned(),
    )
}

pub(crate) async fn no_method() -> Refused {
    Refused::Said(StatusCode::METHOD_NOT_ALLOWED, "the route does not take this method".to_owned())
}

/// The routes of the tenant that the path names, as if it were the only one.
pub(crate) async fn of_tenant(
    State(public): State<Public>,
    Named((tenant, rest)): Named<(String, String)>,
    mut request: Request,
) -> Answer {
    let shown: String = tenant.chars().take(80).collect();
    let nobody = || Refused::Said(StatusCode::NOT_FOUND, format!("there is no tenant `{shown}`"));
    let tenant = TenantId::parse(&tenant).map_err(|_| nobody())?;
    let (server, known) = (Arc::clone(&public.server), tenant.clone());
    // Before anything is kept under its name.
    off_thread(move || server.endpoints(&known).map(drop)).await?;
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = request.uri().path().splitn(4, '/').nth(3).unwrap_or(&rest);
    *request.uri_mut() = format!("/{path}{query}").parse().map_err(|_| nobody())?;
    // What the path named so far is kept there, and would count as what the inner one names.
    let trace = request.extensions_mut().remove::<Trace>();
    request.extensions_mut().clear();
    if let Some(trace) = trace {
        request.extensions_mut().insert(trace);
    }
    let routes = crate::endpoints().fallback(no_route).method_not_allowed_fallback(no_method);
    match routes.with_state(Public { tenant, ..public }).oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

pub(crate) async fn server_metadata() -> Answer {
    encoded(&serve::server_metadata())
}

/// What the tenant's endpoints did, for Prometheus.
pub(crate) async fn metrics(State(public): State<Public>) -> Result<impl IntoResponse, Refused> {
    Ok(prometheus(off_thread(move || public.server.metrics(&public.tenant)).await?))
}

/// A page in Prometheus' text form.
pub(crate) fn prometheus(page: String) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], page)
}

pub(crate) async fn live() -> Answer {
    encoded(&ServerLive { live: true })
}

pub(crate) async fn ready(State(public): State<Public>) -> Answer {
    let ready = off_thread(move || {
        let endpoints = public.server.endpoints(&public.tenant)?;
        Ok(endpoints.iter().all(|endpoint| endpoint.version.is_some()))
    });
    let ready = ready.await?;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, encoded(&ServerReady { ready })?).into_response())
}

async fn info(public: Public, endpoint: &str) -> Result<EndpointInfo, Refused> {
    let name = endpoint_name(endpoint)?;
    Ok(off_thread(move || public.server.endpoint(&public.tenant, &name)).await?)
}

/// The endpoint answers with one version at a time; another one is not there.
fn expect_version(info: &EndpointInfo, version: &str) -> Result<(), Refused> {
    match info.version {
        Some(serving) if serving.to_string() == version => Ok(()),
        _ => {
            let shown: String = version.chars().take(20).collect();
            let text = format!("endpoint `{}` does not serve version `{shown}`", info.endpoint);
            Err(Refused::Said(StatusCode::NOT_FOUND, text))
        }
    }
}

pub(crate) async fn metadata(State(public): State<Public>, Named(endpoint): Named<String>) -> Answer {
    let info = info(public, &endpoint).await?;
    let versions: Vec<u32> = info.version.into_iter().collect();
    encoded(&serve::metadata(&as_model(&info.endpoint)?, &versions, &info.request, &info.response))
}

pub(crate) async fn version_metadata(
    State(public): State<Public>,
    Named((endpoint, version)): Named<(String, String)>,
) -> Answer {
    expect_version(&info(public.clone(), &endpoint).await?, &version)?;
    metadata(State(public), Named(endpoint)).await
}

pub(crate) async fn model_ready(State(public): State<Public>, Named(endpoint): Named<String>) -> Answer {
    let info = info(public, &endpoint).await?;
    let ready = info.version.is_some();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let name = info.endpoint.to_string();
    Ok((status, encoded(&ModelReady { name, ready })?).into_response())
}

pub(crate) async fn version_ready(
    State(public): State<Public>,
    Named((endpoint, version)): Named<(String, String)>,
) -> Answer {
    expect_version(&info(public.clone(), &endpoint).await?, &version)?;
    model_ready(State(public), Named(endpoint)).await
}

pub(crate) async fn infer(State(public): State<Public>, Named(endpoint): Named<String>, request: Body) -> Answer {
    let name = endpoint_name(&endpoint)?;
    let model = as_model(&name)?;
    let request = public.room.read(request).await?;
    let read = |request: &[u8], columns: &[Field]| {
        let Asked { id, rows, outputs } = serve::request_table(request, columns)?;
        Ok((rows, (id, outputs)))
    };
    let write = move |served: &Served, (id, outputs): (Option<String>, Vec<String>)| {
        serve::response(&model, served.version, id.as_deref(), &served.predictions, &outputs)
    };
    Ok(json(answered(public, name, request, read, write).await?).into_response())
}

pub(crate) async fn version_infer(
    State(public): State<Public>,
    Named((endpoint, version)): Named<(String, String)>,
    request: Body,
) -> Answer {
    expect_version(&info(public.clone(), &endpoint).await?, &version)?;
    infer(State(public), Named(endpoint), request).await
}

pub(crate) async fn predict(State(public): State<Public>, Named(endpoint): Named<String>, request: Body) -> Answer {
    let name = endpoint_name(&endpoint)?;
    let request = public.room.read(request).await?;
    let read = |request: &[u8], columns: &[Field]| Ok((serve::plain_table(request, columns)?, ()));
    let write = |served: &Served, ()| serve::plain_response(&served.model, served.version, &served.predictions);
    Ok(json(answered(public, name, request, read, write).await?).into_response())
}

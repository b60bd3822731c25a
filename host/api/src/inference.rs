//! The Open Inference Protocol v2 over REST, and the plain route. Errors are the protocol's: `{"error": ".."}`.
//!
//! What the gRPC form ([`crate::grpc`]) gives too is a function of its own here: the same answers, the same limits.

use crate::body::{Room, Taken};
use crate::error::{off_thread, status};
use crate::hooks::{is_hook, unsigned};
use crate::shares::Shares;
use crate::turns::{LARGE_BYTES, Turn, Turns};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serve::{Asked, ErrorBody, Live, ModelMetadata, Ready, ServeError};
use server::{EndpointInfo, Sender, Served, Server, Took};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;
use tower::ServiceExt;
use types::{EndpointName, Fault, FaultKind, Field, Id, ModelName, TenantId};

/// Where the JSON of a body ends and the bytes of binary tensors begin.
pub(crate) const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");
/// An answer of more rows takes long to write.
const LARGE_ROWS: u64 = 256;
/// A plain request of more rows counts as large.
const FEW_ROWS: usize = 64;

/// What the public routes share: whose endpoints they are, and what this tenant's requests may take of this process.
#[derive(Clone)]
pub(crate) struct Public {
    pub(crate) server: Arc<Server>,
    pub(crate) tenant: TenantId,
    pub(crate) room: Room,
    /// Of callers whom nobody knows yet.
    pub(crate) strangers: Room,
    pub(crate) turns: Turns,
    shares: Shares,
}

impl Public {
    pub(crate) fn new(server: Arc<Server>, tenant: TenantId) -> Self {
        let shares = Shares::default();
        let (room, turns) = shares.of(&tenant);
        Self { server, tenant, room, strangers: shares.strangers(), turns, shares }
    }

    /// The same for another tenant, once it is known that there is one: before anything is kept under its name.
    pub(crate) fn of_tenant(self, tenant: TenantId) -> Result<Self, server::Error> {
        self.server.expect_active(&tenant)?;
        let (room, turns) = self.shares.of(&tenant);
        Ok(Self { tenant, room, turns, ..self })
    }

    /// The body of a request to an endpoint, within what that takes.
    async fn body(&self, endpoint: &EndpointName, body: Body) -> Result<Taken, Refused> {
        match self.server.request_bytes_max(&self.tenant, endpoint) {
            Some(most) => self.room.read_at_most(usize::try_from(most).unwrap_or(usize::MAX), body).await,
            None => self.room.read(body).await,
        }
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
    /// Not let in.
    Barred(server::Barred),
}

pub(crate) type Answer = Result<Response, Refused>;

impl Refused {
    /// Whose fault it is, as HTTP says it, and why.
    pub(crate) fn said(self) -> (StatusCode, String) {
        match self {
            Self::Barred(barred) => crate::guard::said(&barred),
            Self::Asked(error) => {
                (StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST), error.to_string())
            }
            Self::Server(error) => (status(&error), error.to_string()),
            Self::Said(status, text) => (status, text),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if let Self::Barred(barred) = &self {
            return crate::guard::barred(barred);
        }
        let retry_after = self.retry_after();
        let (status, text) = self.said();
        let mut response = error(status, text);
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
            Self::Server(_) | Self::Asked(_) | Self::Barred(_) => None,
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

/// An error as the protocol has it.
pub(crate) fn error(status: StatusCode, text: String) -> Response {
    (status, json(ErrorBody { error: text }.to_json())).into_response()
}

fn json(body: impl Into<Body>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], body.into())
}

/// An answer of a few bytes, whatever is served.
pub(crate) fn encoded(value: &impl Serialize) -> Answer {
    Ok(json(as_json(value)?).into_response())
}

/// An answer that is the longer the more is served: it takes its place of the room until it is written.
pub(crate) fn told(room: &Room, value: &impl Serialize) -> Answer {
    Ok(json(room.answer(as_json(value)?)?).into_response())
}

fn as_json(value: &impl Serialize) -> Result<Vec<u8>, Refused> {
    Ok(serde_json::to_vec(value).map_err(|error| ServeError::Host(error.to_string()))?)
}

pub(crate) fn endpoint_name(text: &str) -> Result<EndpointName, Refused> {
    // What is no name names nothing.
    EndpointName::parse(text).map_err(|_| Refused::Said(StatusCode::NOT_FOUND, no_endpoint(text)))
}

/// The protocol calls an endpoint a model.
pub(crate) fn as_model(endpoint: &EndpointName) -> Result<ModelName, Refused> {
    ModelName::parse(endpoint.as_str()).map_err(|error| Refused::Said(StatusCode::NOT_FOUND, error.to_string()))
}

pub(crate) async fn no_route() -> Refused {
    Refused::Said(
        StatusCode::NOT_FOUND,
        "there is no such route: those of the protocol begin with /v2, the plain one is POST /predict/NAME, what came of answers goes to POST /labels/NAME, signed calls to POST /hooks/PROJECT/PIPELINE; GET /docs shows them, GET /metrics counts".to_owned(),
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
    let is_call = is_hook(request.uri().path());
    let nobody = || match is_call {
        true => unsigned(),
        false => Refused::Said(StatusCode::NOT_FOUND, no_tenant(&tenant)),
    };
    let whose = TenantId::parse(&tenant).map_err(|_| nobody())?;
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = request.uri().path().splitn(4, '/').nth(3).unwrap_or(&rest);
    *request.uri_mut() = format!("/{path}{query}").parse().map_err(|_| nobody())?;
    answer_of(public, whose, request).await
}

/// What is said of a tenant that is not there.
pub(crate) fn no_tenant(name: &str) -> String {
    format!("there is no tenant `{}`", name.chars().take(80).collect::<String>())
}

/// What is said of an endpoint that is not there.
pub(crate) fn no_endpoint(name: &str) -> String {
    format!("there is no endpoint `{}`", name.chars().take(80).collect::<String>())
}

/// What a tenant's routes answer to a request that is addressed as if it were the only one.
pub(crate) async fn answer_of(public: Public, tenant: TenantId, mut request: Request) -> Answer {
    let public = match is_hook(request.uri().path()) {
        // Whether there is such a tenant is told to whoever has signed.
        true => Public { tenant, ..public },
        false => public.of_tenant(tenant)?,
    };
    // What the path named so far is kept there, and would count as what the inner one names.
    let only = request.extensions_mut().remove::<crate::guard::Only>();
    request.extensions_mut().clear();
    if let Some(only) = only {
        request.extensions_mut().insert(only);
    }
    let routes = crate::endpoints().fallback(no_route).method_not_allowed_fallback(no_method);
    match routes.with_state(public).oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

pub(crate) async fn server_metadata() -> Answer {
    encoded(&serve::server_metadata())
}

/// What the tenant's endpoints did, for Prometheus.
pub(crate) async fn metrics(State(public): State<Public>) -> Result<impl IntoResponse, Refused> {
    let (room, _turn) = (public.room.clone(), public.turns.about().await?);
    let page = off_thread(move || public.server.metrics(&public.tenant)).await?;
    Ok(prometheus(room.answer(page.into_bytes())?))
}

/// A page in Prometheus' text form.
pub(crate) fn prometheus(page: impl Into<Body>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], page.into())
}

pub(crate) async fn live() -> Answer {
    encoded(&Live { live: true })
}

/// Whether every endpoint that nobody unloaded has a version, and none was loaded in vain.
pub(crate) async fn is_ready(public: Public) -> Result<bool, Refused> {
    Ok(off_thread(move || public.server.have_versions(&public.tenant)).await?)
}

pub(crate) async fn ready(State(public): State<Public>) -> Answer {
    let ready = is_ready(public).await?;
    Ok((ready_status(ready), encoded(&Ready { ready })?).into_response())
}

fn ready_status(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// An endpoint, if requests of it go to the version; the empty one is that of its alias.
pub(crate) async fn info(public: Public, endpoint: &str, version: &str) -> Result<EndpointInfo, Refused> {
    let name = endpoint_name(endpoint)?;
    if version.is_empty() {
        return Ok(off_thread(move || public.server.endpoint(&public.tenant, &name)).await?);
    }
    // As it is written in answers.
    let Some(number) = version.parse::<u32>().ok().filter(|number| number.to_string() == version) else {
        let info = off_thread(move || public.server.endpoint(&public.tenant, &name)).await?;
        let shown: String = version.chars().take(20).collect();
        let text = format!("endpoint `{}` does not serve version `{shown}`", info.endpoint);
        return Err(Refused::Said(StatusCode::NOT_FOUND, text));
    };
    Ok(off_thread(move || public.server.endpoint_version(&public.tenant, &name, number)).await?)
}

/// The same in the turn of an answer about endpoints, which lasts as long as it is looked for.
pub(crate) async fn about(public: Public, endpoint: &str, version: &str) -> Result<EndpointInfo, Refused> {
    let _turn = public.turns.about().await?;
    info(public.clone(), endpoint, version).await
}

pub(crate) async fn metadata_of(public: Public, endpoint: &str, version: &str) -> Result<ModelMetadata, Refused> {
    let info = about(public, endpoint, version).await?;
    Ok(serve::metadata(&as_model(&info.endpoint)?, &info.versions, &info.request, &info.response))
}

pub(crate) async fn metadata(State(public): State<Public>, Named(endpoint): Named<String>) -> Answer {
    told(&public.room.clone(), &metadata_of(public, &endpoint, "").await?)
}

pub(crate) async fn version_metadata(
    State(public): State<Public>,
    Named((endpoint, version)): Named<(String, String)>,
) -> Answer {
    told(&public.room.clone(), &metadata_of(public, &endpoint, &version).await?)
}

/// A model's readiness as HTTP says it.
#[derive(Serialize)]
struct ModelReady {
    name: String,
    ready: bool,
}

pub(crate) async fn model_ready(State(public): State<Public>, Named(endpoint): Named<String>) -> Answer {
    version_ready(State(public), Named((endpoint, String::new()))).await
}

pub(crate) async fn version_ready(
    State(public): State<Public>,
    Named((endpoint, version)): Named<(String, String)>,
) -> Answer {
    let info = about(public, &endpoint, &version).await?;
    let said = ModelReady { name: info.endpoint.to_string(), ready: answers(&info) };
    Ok((ready_status(said.ready), encoded(&said)?).into_response())
}

/// Whether an endpoint has something to answer with.
pub(crate) fn answers(info: &EndpointInfo) -> bool {
    info.version.is_some() && !info.unloaded && info.trouble.is_none()
}

pub(crate) async fn infer(
    State(public): State<Public>,
    Named(endpoint): Named<String>,
    headers: HeaderMap,
    request: Body,
) -> Answer {
    infer_by(public, &endpoint, None, headers, request).await
}

/// Answers with whichever version the endpoint's traffic gives the request to, or with this one.
async fn infer_by(public: Public, endpoint: &str, version: Option<u32>, headers: HeaderMap, request: Body) -> Answer {
    let name = endpoint_name(endpoint)?;
    let json_length = json_length(&headers)?;
    let body = public.body(&name, request).await?;
    let bytes = body.as_ref().len();
    let read = move |columns: &[Field]| serve::request_table(body.as_ref(), json_length, columns);
    let model = as_model(&name)?;
    let write = move |served: &Served, asked: &Asked| {
        let answer = (served.first, &served.predictions);
        serve::response(&model, served.version, asked.id.as_deref(), answer, &asked.outputs)
    };
    let answer = predicted(public.clone(), name, Asking { version, headers, bytes }, read, write);
    let serve::Answer { body, json_length } = answer.await?;
    let body = public.room.answer(body)?;
    Ok(match json_length {
        None => json(body).into_response(),
        Some(length) => {
            let head = [(CONTENT_TYPE, "application/octet-stream".to_owned()), (JSON_LENGTH, length.to_string())];
            (head, body).into_response()
        }
    })
}

/// What is not understood is refused, not ignored.
pub(crate) fn expect_plain(headers: &HeaderMap) -> Result<(), Refused> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let text = "the request has a `Content-Encoding`; this server reads bodies as they are";
        return Err(Refused::Said(StatusCode::UNSUPPORTED_MEDIA_TYPE, text.to_owned()));
    }
    Ok(())
}

/// How much of a body is JSON, where a header says so.
fn json_length(headers: &HeaderMap) -> Result<Option<usize>, Refused> {
    expect_plain(headers)?;
    let Some(said) = headers.get(JSON_LENGTH) else { return Ok(None) };
    let length = said.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| {
        let text = "`Inference-Header-Content-Length` is no number of bytes";
        Refused::Said(StatusCode::BAD_REQUEST, text.to_owned())
    })
}

pub(crate) async fn version_infer(
    State(public): State<Public>,
    Named((endpoint, version)): Named<(String, String)>,
    headers: HeaderMap,
    request: Body,
) -> Answer {
    let info = info(public.clone(), &endpoint, &version).await?;
    infer_by(public, &endpoint, info.version, headers, request).await
}

pub(crate) async fn predict(
    State(public): State<Public>,
    Named(endpoint): Named<String>,
    headers: HeaderMap,
    request: Body,
) -> Answer {
    let name = endpoint_name(&endpoint)?;
    expect_plain(&headers)?;
    let request = public.body(&name, request).await?;
    let bytes = weight(request.as_ref());
    let read = move |columns: &[Field]| serve::plain_table(request.as_ref(), columns).map(Asked::of);
    let write = |served: &Served, _: &Asked| {
        serve::plain_response(&served.model, served.version, served.first, &served.predictions)
    };
    let answer = predicted(public.clone(), name, Asking { version: None, headers, bytes }, read, write);
    Ok(json(public.room.answer(answer.await?)?).into_response())
}

/// As how many bytes a plain request counts: however little each of many rows says, it takes as long as a row.
fn weight(request: &[u8]) -> usize {
    // The request itself is an object too.
    let rows = request.iter().filter(|byte| **byte == b'{').count().saturating_sub(1);
    request.len().max(rows.saturating_mul(LARGE_BYTES / FEW_ROWS))
}

/// What a request says besides its rows.
pub(crate) struct Asking {
    /// The version that is to answer, if it asks for one.
    pub(crate) version: Option<u32>,
    pub(crate) headers: HeaderMap,
    /// As how many it counts.
    pub(crate) bytes: usize,
}

/// The whole way of a request, from its turn on: its rows are read for the columns that the model has, and its answer is written.
pub(crate) async fn predicted<T>(
    public: Public,
    name: EndpointName,
    asking: Asking,
    read: impl FnOnce(&[Field]) -> Result<Asked, ServeError>,
    write: impl FnOnce(&Served, &Asked) -> Result<T, ServeError>,
) -> Result<T, Refused> {
    let came = Instant::now();
    let turn = public.turns.take(asking.bytes).await;
    let turn = turn.inspect_err(|_| public.server.turned_away(&public.tenant, &name))?;
    let took = public.server.took(&public.tenant, &name, came);
    answered(&public, &name, (asking, turn), read, write, &took).await
}

async fn answered<T>(
    public: &Public,
    name: &EndpointName,
    (asking, turn): (Asking, Turn),
    read: impl FnOnce(&[Field]) -> Result<Asked, ServeError>,
    write: impl FnOnce(&Served, &Asked) -> Result<T, ServeError>,
    took: &Arc<Took>,
) -> Result<T, Refused> {
    let (server, tenant) = (&public.server, &public.tenant);
    let is_long = asking.bytes > LARGE_BYTES || !server.answers_at_once(tenant, name);
    let (request, asked) = at_length(is_long, || {
        let columns = server.request_columns(tenant, name)?;
        let asked = read(&columns.fields)?;
        took.read();
        let sender = Sender { version: asking.version, header: &|name| header(&asking.headers, name) };
        Ok((server.route(tenant, name, asked.rows.clone(), &sender)?, asked))
    })?;
    let (tell, told) = oneshot::channel();
    let answering = Arc::clone(took);
    // Where nobody waits for it any more the turn ends with the work, and it is counted.
    let waiting = request.ask(move |served| {
        served.iter().for_each(|served| answering.inferred(served));
        drop(answering);
        drop(tell.send((served, turn)));
    });
    // All that has come by now is read first: only who is alone then is answered on this thread.
    tokio::task::yield_now().await;
    waiting.answer_here();
    let ended = |_| Fault::host("the thread of a serving worker ended before it answered");
    let (served, _turn) = told.await.map_err(ended).map_err(server::Error::from)?;
    let served = served.map_err(|error| with_gaps(error, &asked))?;
    let predictions = (served.predictions.rows(), served.predictions.held_bytes());
    let answer = written((&public.room, &public.turns), predictions, || Ok(write(&served, &asked)?)).await?;
    took.wrote();
    Ok(answer)
}

/// Why rows were refused, with all that they lack: a step stops at the first value that it misses.
fn with_gaps(error: server::Error, asked: &Asked) -> server::Error {
    match error {
        server::Error::Fault(fault) if fault.kind == FaultKind::Invalid => match asked.gaps() {
            Some(gaps) => Fault { message: format!("{}; {gaps}", fault.message), ..fault }.into(),
            None => fault.into(),
        },
        other => other,
    }
}

/// Writes an answer of so many rows and bytes. Until it is written they take their place of the room, and large ones are written in
/// turns: however much more an answer is when it is text, and however many ask and read nothing, there is not much of that.
async fn written<T>(
    (room, turns): (&Room, &Turns),
    (rows, bytes): (u64, usize),
    write: impl FnOnce() -> Result<T, Refused>,
) -> Result<T, Refused> {
    let _lease = room.lease(bytes)?;
    let is_large = rows > LARGE_ROWS || bytes > LARGE_BYTES;
    let _turn = if is_large { Some(turns.writing().await?) } else { None };
    at_length(is_large, write)
}

/// Does here what is done in no time, and what takes long where it keeps nobody waiting: to hand a small request to another
/// thread takes longer than to read it. A panic is ours and becomes an error, not a hang-up.
pub(crate) fn at_length<T>(is_long: bool, work: impl FnOnce() -> Result<T, Refused>) -> Result<T, Refused> {
    let work = || catch_unwind(AssertUnwindSafe(work));
    let done = if is_long { tokio::task::block_in_place(work) } else { work() };
    done.unwrap_or_else(|_| {
        let text = "the request ended in a panic; this is a bug of ours".to_owned();
        Err(Refused::Said(StatusCode::INTERNAL_SERVER_ERROR, text))
    })
}

/// The value of a header, if it is text.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is yet to be written takes its place, and of what is large little is written at a time.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn answers_have_room_before_they_are_written() {
        let (room, turns) = (Room::new(&Arc::default()), Turns::default());
        let own = (&room, &turns);
        let write = || Ok(());
        let mut writing = Vec::new();
        for _ in 0..4 {
            writing.push(turns.writing().await.unwrap_or_else(|_| panic!("refused")));
        }
        assert!(written(own, (LARGE_ROWS, LARGE_BYTES), write).await.is_ok(), "a small one waits for nobody");
        for large in [(LARGE_ROWS + 1, 1), (1, LARGE_BYTES + 1)] {
            let mut waits = std::pin::pin!(written(own, large, write));
            assert!(futures_util::poll!(waits.as_mut()).is_pending());
            assert!(!room.is_unused(), "its predictions have their place");
            writing.pop();
            assert!(waits.await.is_ok());
            writing.push(turns.writing().await.unwrap_or_else(|_| panic!("refused")));
            assert!(room.is_unused());
        }
        writing.clear();
        let all = room.lease(64 << 20).unwrap_or_else(|_| panic!("there is room"));
        let refused = written(own, (1, (64 << 20) + 1), || -> Result<(), Refused> { panic!("there is no room") }).await;
        assert!(matches!(refused, Err(Refused::Said(StatusCode::SERVICE_UNAVAILABLE, _))));
        drop(all);
        assert!(written(own, (1, (64 << 20) + 1), write).await.is_ok());
    }

    #[test]
    fn many_rows_are_a_large_request_however_little_they_say() {
        let rows = |count: usize| format!("{{\"rows\":[{}]}}", vec!["{}"; count].join(","));
        assert!(weight(rows(FEW_ROWS).as_bytes()) <= LARGE_BYTES);
        assert!(weight(rows(FEW_ROWS + 1).as_bytes()) > LARGE_BYTES);
        assert_eq!(weight(&[b' '; LARGE_BYTES + 1]), LARGE_BYTES + 1);
    }
}

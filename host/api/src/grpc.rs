//! The Open Inference Protocol v2 over gRPC (`inference.GRPCInferenceService`), on the same port: HTTP/2 beside HTTP/1.
//!
//! Messages cross this page as bytes: [`serve::grpc`] reads and writes them, and what they ask for is what the REST routes
//! answer. A caller of another tenant than the port's says so in the metadata `stepwell-tenant`.

use crate::body::{BODY_TIME_MAX, Lease, Pace, REQUEST_BYTES_MAX, Room, too_large};
use crate::frames::Frames;
use crate::guard::let_on;
use crate::inference::{
    Asking, Named, Public, Refused, about, answers, as_model, at_length, endpoint_name, info, is_ready, metadata_of,
    no_tenant, predicted,
};
use crate::repository::{config_of, index_of, load_model, statistics_of, unload_model};
use crate::turns::LARGE_BYTES;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::{Buf, BufMut};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use hyper::body::Frame;
use serve::grpc::{
    ConfigResponse, ControlRequest, IndexRequest, IndexResponse, InferRequest, ModelRequest, encoded, read,
};
use serve::{Asked, Live, Ready};
use server::Served;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::Grpc;
use tonic::{Code, Status, Streaming};
use types::{Field, Id, TenantId};

/// The metadata that names a tenant. Whether the caller may, [`crate::guard`] has asked.
pub(crate) const TENANT: HeaderName = HeaderName::from_static("stepwell-tenant");
/// The most that a stream of requests may take; a client that wants more begins another. An answer has longer.
const STREAM_TIME_MAX: Duration = Duration::from_secs(100);

/// The method that a path calls; none if it calls none of the service.
pub(crate) fn method(path: &str) -> Option<&str> {
    path.strip_prefix("/inference.GRPCInferenceService/")
}

/// Every method of the service.
pub(crate) async fn call(State(public): State<Public>, Named(method): Named<String>, request: Request) -> Response {
    let tenant = request.headers().get(TENANT).cloned();
    let headers = request.headers().clone();
    let public = match whose(public, tenant).await {
        Ok(public) => public,
        Err(refused) => return Status::from(refused).into_http(),
    };
    let (held, room) = (Held::default(), public.room.clone());
    let is_stream = method == "ModelStreamInfer";
    let pace = Pace::of(if is_stream { STREAM_TIME_MAX } else { BODY_TIME_MAX });
    let request = request.map(|body| Incoming::new(body, room, held.clone(), pace, is_stream));
    let mut grpc = Grpc::new(Raw).max_decoding_message_size(REQUEST_BYTES_MAX);
    let response = match is_stream {
        true => grpc.streaming(Streamed { public, headers, held: held.clone() }, request).await,
        false => grpc.unary(Once { public, method, headers, held: held.clone() }, request).await,
    };
    response.map(|body| Body::new(Outgoing { body, _held: held }))
}

async fn whose(public: Public, tenant: Option<HeaderValue>) -> Result<Public, Refused> {
    let Some(said) = tenant else { return Ok(public) };
    let name = String::from_utf8_lossy(said.as_bytes());
    let nobody = |_| Refused::Said(StatusCode::NOT_FOUND, no_tenant(&name));
    let tenant = TenantId::parse(&name).map_err(nobody)?;
    Ok(public.of_tenant(tenant)?)
}

/// What a method answers.
async fn answer(public: Public, method: &str, headers: HeaderMap, message: Bytes) -> Result<Vec<u8>, Refused> {
    Ok(match method {
        "ServerLive" => encoded(&Live { live: true }),
        "ServerReady" => encoded(&Ready { ready: is_ready(public).await? }),
        "ServerMetadata" => encoded(&serve::server_metadata()),
        "ModelReady" => {
            let ModelRequest { name, version } = read(&message)?;
            encoded(&Ready { ready: answers(&about(public, &name, &version).await?) })
        }
        "ModelMetadata" => {
            let ModelRequest { name, version } = read(&message)?;
            encoded(&metadata_of(public, &name, &version).await?)
        }
        "ModelInfer" => infer(public, headers, message).await?,
        "ModelConfig" => {
            let ModelRequest { name, version } = read(&message)?;
            encoded(&ConfigResponse { config: Some(config_of(public, &name, &version).await?) })
        }
        "ModelStatistics" => {
            let ModelRequest { name, version } = read(&message)?;
            encoded(&statistics_of(public, &name, &version).await?)
        }
        "RepositoryIndex" => {
            let IndexRequest { ready } = read(&message)?;
            encoded(&IndexResponse { models: index_of(public, ready).await? })
        }
        "RepositoryModelLoad" => {
            let ControlRequest { model_name, parameters } = read(&message)?;
            load_model(public, &model_name, !parameters.is_empty()).await?;
            Vec::new()
        }
        "RepositoryModelUnload" => {
            let ControlRequest { model_name, .. } = read(&message)?;
            unload_model(public, &model_name).await?;
            Vec::new()
        }
        other => {
            let shown: String = other.chars().take(80).collect();
            let text = format!("the service has no method `{shown}`");
            return Err(Refused::Said(StatusCode::NOT_IMPLEMENTED, text));
        }
    })
}

async fn infer(public: Public, headers: HeaderMap, message: Bytes) -> Result<Vec<u8>, Refused> {
    let (name, version) = at_length(message.len() > LARGE_BYTES, || {
        let request = InferRequest::read(&message)?;
        Ok((endpoint_name(request.model)?, request.version.to_owned()))
    })?;
    let most = public.server.request_bytes_max(&public.tenant, &name);
    if let Some(most) = most.and_then(|most| usize::try_from(most).ok()).filter(|most| message.len() > *most) {
        return Err(too_large(most));
    }
    let version = match version.is_empty() {
        true => None,
        false => info(public.clone(), name.as_str(), &version).await?.version,
    };
    let bytes = message.len();
    let read = move |columns: &[Field]| InferRequest::read(&message)?.asked(columns);
    let model = as_model(&name)?;
    let write = move |served: &Served, asked: &Asked| {
        let (id, answer) = (asked.id.as_deref(), (served.first, &served.predictions));
        serve::grpc::infer_response(&model, served.version, id, answer, &asked.outputs)
    };
    predicted(public, name, Asking { version, headers, bytes }, read, write).await
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let (status, text) = refused.said();
        let code = match status {
            StatusCode::BAD_REQUEST => Code::InvalidArgument,
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::CONFLICT => Code::Aborted,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
            StatusCode::NOT_IMPLEMENTED => Code::Unimplemented,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Code::DeadlineExceeded,
            // As 415 and 421: whatever else is wrong with a call, it is not ours.
            other if other.is_client_error() => Code::InvalidArgument,
            _ => Code::Internal,
        };
        Self::new(code, text)
    }
}

/// One request, one answer.
struct Once {
    public: Public,
    method: String,
    headers: HeaderMap,
    held: Held,
}

impl tonic::server::UnaryService<Bytes> for Once {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (public, method, held) = (self.public.clone(), self.method.clone(), self.held.clone());
        let headers = self.headers.clone();
        Box::pin(async move {
            let room = public.room.clone();
            let answer = answer(public, &method, headers, request.into_inner()).await?;
            Ok(tonic::Response::new(held.answer(&room, answer)?))
        })
    }
}

/// Requests one after another, each with its answer or the error in its place.
struct Streamed {
    public: Public,
    headers: HeaderMap,
    held: Held,
}

impl tonic::server::StreamingService<Bytes> for Streamed {
    type Response = Bytes;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = std::future::Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let (public, held, headers) = (self.public.clone(), self.held.clone(), self.headers.clone());
        let answers: Self::ResponseStream =
            Box::pin(futures_util::stream::try_unfold(request.into_inner(), move |mut requests| {
                let (public, held, headers) = (public.clone(), held.clone(), headers.clone());
                async move {
                    let Some(message) = requests.message().await? else { return Ok::<_, Status>(None) };
                    let_on(&public, &headers)?;
                    let room = public.room.clone();
                    let answer = infer(public, headers, message).await.map_err(|refused| refused.said().1);
                    held.answered();
                    Ok(Some((held.answer(&room, serve::grpc::stream_response(answer))?, requests)))
                }
            }));
        std::future::ready(Ok(tonic::Response::new(answers)))
    }
}

/// What a call takes of the room: its messages as they come, and its last answers until they are written. The one before the
/// last may still be on its way when the last is made.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<Leases>>);

#[derive(Default)]
struct Leases {
    asked: Option<Lease>,
    answers: [Option<Lease>; 2],
}

impl Held {
    fn leases(&self) -> std::sync::MutexGuard<'_, Leases> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, room: &Room, bytes: usize) -> Result<(), Refused> {
        match &mut self.leases().asked {
            Some(lease) => lease.grow(bytes),
            none => {
                *none = Some(room.lease(bytes)?);
                Ok(())
            }
        }
    }

    /// Whether there is no message that came and is not answered.
    fn is_answered(&self) -> bool {
        self.leases().asked.is_none()
    }

    /// Gives back what the messages so far have taken.
    fn answered(&self) {
        self.leases().asked = None;
    }

    fn answer(&self, room: &Room, bytes: Vec<u8>) -> Result<Bytes, Refused> {
        let lease = room.lease(bytes.len())?;
        let answers = &mut self.leases().answers;
        answers.swap(0, 1);
        answers[1] = Some(lease);
        Ok(bytes.into())
    }
}

/// A request's body: within the room and its time, and of whole messages.
struct Incoming {
    body: Body,
    room: Room,
    held: Held,
    frames: Frames,
    pace: Pace,
    /// Between two of its messages nothing is to come.
    is_stream: bool,
    late: Pin<Box<Sleep>>,
}

impl Incoming {
    fn new(body: Body, room: Room, held: Held, pace: Pace, is_stream: bool) -> Self {
        let late = Box::pin(sleep_until(pace.due()));
        Self { body, room, held, frames: Frames::default(), pace, is_stream, late }
    }

    /// Whether the body is too late, of which a part has just come or not.
    fn is_late(&mut self, context: &mut Context<'_>, has_come: bool) -> bool {
        if self.is_stream && self.held.is_answered() {
            self.pace.rest();
        }
        if self.late.deadline() != self.pace.due() {
            self.late.as_mut().reset(self.pace.due());
        }
        self.late.as_mut().poll(context).is_ready() && (!has_come || self.pace.is_over())
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let came = Pin::new(&mut self.body).poll_frame(context);
        if self.is_late(context, came.is_ready()) {
            return Poll::Ready(Some(Err(self.pace.missed().into())));
        }
        let broken = |error| Status::cancelled(format!("the request breaks off: {error}"));
        let frame = ready!(came).transpose().map_err(broken)?;
        match frame.as_ref().and_then(Frame::data_ref) {
            Some(data) => {
                self.held.asked(&self.room, data.len())?;
                self.pace.came(Instant::now(), data.len());
                self.frames.came(data)?;
            }
            // Behind trailers nothing comes either.
            None => self.frames.ended(!self.is_stream)?,
        }
        Poll::Ready(frame.map(Ok))
    }
}

/// An answer's body; what the call holds, it holds until this is written.
struct Outgoing {
    body: tonic::body::Body,
    _held: Held,
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// Messages as bytes.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    /// What a tenant has that is alone.
    const WHOLE_ROOM: usize = 128 << 20;
    const MESSAGE: &[u8] = b"\0\0\0\0\x02ab";

    fn room() -> Room {
        Room::new(&Arc::default())
    }

    fn incoming(body: Body, room: &Room, held: &Held, most: Duration, is_stream: bool) -> Incoming {
        Incoming::new(body, room.clone(), held.clone(), Pace::of(most), is_stream)
    }

    #[tokio::test]
    async fn a_message_keeps_its_place_until_its_call_is_over() {
        let (room, held) = (room(), Held::default());
        let body = incoming(Body::from(MESSAGE), &room, &held, BODY_TIME_MAX, false);
        assert!(room.lease(WHOLE_ROOM).is_ok(), "nothing has come yet");
        assert_eq!(body.collect().await.unwrap().to_bytes(), MESSAGE);
        assert!(room.lease(WHOLE_ROOM).is_err());
        held.answered();
        assert!(room.lease(WHOLE_ROOM).is_ok());
        let full = room.lease(WHOLE_ROOM - 3);
        let body = incoming(Body::from(MESSAGE), &room, &held, BODY_TIME_MAX, false);
        assert_eq!(body.collect().await.unwrap_err().code(), Code::Unavailable);
        drop(full);
    }

    #[tokio::test]
    async fn two_answers_of_a_stream_keep_their_places() {
        let (room, held) = (room(), Held::default());
        for _ in 0..9 {
            assert!(held.answer(&room, vec![0; WHOLE_ROOM / 4]).is_ok());
        }
        assert!(room.lease(WHOLE_ROOM / 2).is_ok());
        assert!(room.lease(WHOLE_ROOM / 2 + 1).is_err());
        drop(held);
        assert!(room.lease(WHOLE_ROOM).is_ok());
    }

    #[tokio::test]
    async fn a_message_that_does_not_come_is_not_waited_for() {
        let body = incoming(silent(), &room(), &Held::default(), Duration::from_millis(1), false);
        let status = body.collect().await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::DeadlineExceeded, "the request's body did not come within 1ms")
        );
    }

    fn silent() -> Body {
        Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>())
    }

    /// A stream's client asks when it likes; what it has begun to ask it goes on with.
    #[tokio::test]
    async fn half_a_message_of_a_stream_does_not_keep_its_place() {
        let held = Held::default();
        let mut body = incoming(silent(), &room(), &held, STREAM_TIME_MAX, true);
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(!body.is_late(&mut context, false));
        assert!(body.late.deadline() - Instant::now() > STREAM_TIME_MAX / 2, "nothing is asked");
        body.held.asked(&body.room, 1).unwrap_or_else(|_| panic!("there is room"));
        body.pace.came(Instant::now(), 1);
        assert!(!body.is_late(&mut context, false));
        assert!(body.late.deadline() - Instant::now() <= Duration::from_secs(2), "half a message");
        held.answered();
        assert!(!body.is_late(&mut context, false));
        assert!(body.late.deadline() - Instant::now() > STREAM_TIME_MAX / 2, "it is answered");
    }

    #[test]
    fn a_status_of_http_has_its_code() {
        for (status, code) in [
            (400, Code::InvalidArgument),
            (415, Code::InvalidArgument),
            (421, Code::InvalidArgument),
            (404, Code::NotFound),
            (429, Code::ResourceExhausted),
            (503, Code::Unavailable),
            (500, Code::Internal),
        ] {
            let refused = Refused::Said(StatusCode::from_u16(status).unwrap(), "why".to_owned());
            let made = Status::from(refused);
            assert_eq!((made.code(), made.message()), (code, "why"));
        }
    }
}

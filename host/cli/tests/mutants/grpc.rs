//! Calls of the protocol's gRPC form, over a client that knows HTTP/2 and nothing of gRPC: so that it can say what no client of gRPC says.

use crate::changes::{self, Change};
use crate::messages::{self, Field};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo};
use proptest::prelude::*;
use proptest::sample::Index;
use std::cell::RefCell;
use std::net::SocketAddr;
use tokio::runtime::Runtime;

pub(crate) const OK: u16 = 0;
/// `UNKNOWN`, `INTERNAL`, `UNAVAILABLE` and `DATA_LOSS`: the statuses that say that it is the server's fault.
pub(crate) const OURS: [u16; 4] = [2, 13, 14, 15];

/// A call: its method, what is said in headers, and its messages.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: String,
    headers: Vec<(&'static str, &'static str)>,
    messages: Vec<Vec<Field>>,
    /// Of the messages' bytes as they are sent, framed.
    damage: Vec<Change>,
}

impl Call {
    pub(crate) fn new(method: &str, messages: Vec<Vec<Field>>) -> Self {
        let headers = vec![("content-type", "application/grpc"), ("te", "trailers")];
        Self { method: method.to_owned(), headers, messages, damage: Vec::new() }
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for fields in &self.messages {
            let message = messages::bytes(fields);
            body.push(0);
            body.extend((message.len() as u32).to_be_bytes());
            body.extend(message);
        }
        self.damage.iter().for_each(|change| change.to(&mut body));
        body
    }

    fn change(&mut self, part: &Part) {
        match part {
            Part::Method(method) => (*method).clone_into(&mut self.method),
            Part::More(header) => self.headers.push(*header),
            Part::Instead(at, value) => {
                let at = at.index(self.headers.len());
                self.headers[at].1 = value;
            }
            Part::Field(at, change) if !self.messages.is_empty() => {
                let at = at.index(self.messages.len());
                messages::changed(&mut self.messages[at], change);
            }
            Part::Field(..) => {}
            Part::Again => self.messages.extend(self.messages.first().cloned()),
            Part::Silent => self.messages.clear(),
            Part::Damage(change) => self.damage.push(change.clone()),
        }
    }
}

/// A change of a call.
#[derive(Debug, Clone)]
enum Part {
    Method(&'static str),
    More((&'static str, &'static str)),
    Instead(Index, &'static str),
    Field(Index, (Index, messages::Change)),
    Again,
    Silent,
    Damage(Change),
}

const METHODS: [&str; 9] = [
    "ServerLive",
    "ModelReady",
    "ModelMetadata",
    "ModelInfer",
    "ModelStreamInfer",
    "ModelStatistics",
    "RepositoryIndex",
    "modelinfer",
    "Absent",
];
const HEADERS: [(&str, &str); 13] = [
    ("grpc-encoding", "gzip"),
    ("grpc-encoding", "identity"),
    ("grpc-encoding", "absent"),
    ("grpc-accept-encoding", "absent"),
    ("grpc-timeout", "1n"),
    ("grpc-timeout", "soon"),
    ("stepwell-tenant", "default"),
    ("stepwell-tenant", "absent"),
    ("stepwell-tenant", ""),
    ("authorization", "Bearer absent"),
    ("content-encoding", "gzip"),
    ("key-bin", "%%%"),
    ("origin", "https://evil.example"),
];
const VALUES: [&str; 6] =
    ["", "application/grpc+json", "application/grpc-web", "application/json", "text/plain", "absent"];

fn part() -> impl Strategy<Value = Part> {
    let at = any::<Index>;
    prop_oneof![
        1 => prop::sample::select(METHODS.as_slice()).prop_map(Part::Method),
        2 => prop::sample::select(HEADERS.as_slice()).prop_map(Part::More),
        1 => (at(), prop::sample::select(VALUES.as_slice())).prop_map(|(at, value)| Part::Instead(at, value)),
        8 => (at(), messages::change()).prop_map(|(at, change)| Part::Field(at, change)),
        1 => Just(Part::Again),
        1 => Just(Part::Silent),
        4 => changes::change().prop_map(Part::Damage),
    ]
}

/// One of the calls, changed in a place or two.
pub(crate) fn mutant(recorded: Vec<Call>) -> impl Strategy<Value = Call> {
    (prop::sample::select(recorded), prop::collection::vec(part(), 1..4)).prop_map(|(mut call, parts)| {
        parts.iter().for_each(|part| call.change(part));
        call
    })
}

type Connection = SendRequest<Full<Bytes>>;

/// A client. It keeps its connection for as long as the server does.
pub(crate) struct Calls {
    runtime: Runtime,
    to: SocketAddr,
    open: RefCell<Option<Connection>>,
}

impl Calls {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { runtime, to: address, open: RefCell::default() }
    }

    /// The status that a call ends with, or why there is none.
    pub(crate) fn status(&self, call: &Call) -> Result<u16, String> {
        self.runtime.block_on(async {
            let kept = self.open.take().filter(|open| open.is_ready());
            let mut open = match kept {
                Some(open) => open,
                None => connected(self.to).await?,
            };
            let status = ended(&mut open, self.to, call).await;
            self.open.replace(Some(open));
            status
        })
    }
}

async fn connected(to: SocketAddr) -> Result<Connection, String> {
    let stream = tokio::net::TcpStream::connect(to).await.map_err(|error| error.to_string())?;
    let shaken = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut open, connection) = shaken.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    open.ready().await.map_err(|error| error.to_string())?;
    Ok(open)
}

async fn ended(open: &mut Connection, to: SocketAddr, call: &Call) -> Result<u16, String> {
    let uri = format!("http://{to}/inference.GRPCInferenceService/{}", call.method);
    let mut request = hyper::Request::post(uri);
    for (name, value) in &call.headers {
        request = request.header(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let request = request.body(Full::from(call.body())).map_err(|error| error.to_string())?;
    let response = open.send_request(request).await.map_err(|error| format!("no response: {error:?}"))?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| format!("no end of {head:?}: {error:?}"))?;
    let status = body.trailers().and_then(status).or_else(|| status(&head.headers));
    status.ok_or_else(|| format!("no status: {head:?} {:?}", body.to_bytes()))
}

fn status(said: &HeaderMap) -> Option<u16> {
    said.get("grpc-status")?.to_str().ok()?.parse().ok()
}

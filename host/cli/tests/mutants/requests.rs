//! A request over HTTP/1.1 as parts that can be changed, and what is heard when it is sent.

use crate::changes::{self, Change};
use crate::harness::http::connected;
use crate::json;
use proptest::prelude::*;
use proptest::sample::Index;
use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};

/// A request; its `Host` and the length of its body are said when it is sent.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    /// How much of the body is JSON, the rest being bytes of tensors.
    json: usize,
    body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes(ANY)))
    }
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET".to_owned(), path: path.to_owned(), headers: Vec::new(), json: 0, body: Vec::new() }
    }

    pub(crate) fn post(path: &str, body: &[u8]) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let (method, path) = ("POST".to_owned(), path.to_owned());
        Self { method, path, headers, json: body.len(), body: body.to_vec() }
    }

    /// The same with bytes behind its JSON.
    pub(crate) fn with_tensors(mut self, bytes: &[u8]) -> Self {
        self.headers = vec![
            ("content-type".to_owned(), "application/octet-stream".to_owned()),
            (JSON_LENGTH.to_owned(), self.json.to_string()),
        ];
        self.body.extend(bytes);
        self
    }

    pub(crate) fn bytes(&self, to: SocketAddr) -> Vec<u8> {
        let Self { method, path, headers, body, .. } = self;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let host = if headers.contains("host: ") { String::new() } else { format!("host: {to}\r\n") };
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\n{host}{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
        [head.into_bytes(), body.clone()].concat()
    }

    /// Sends it; an answer must come.
    pub(crate) fn sent(&self, to: SocketAddr) -> std::io::Result<Answer> {
        let mut said = Vec::new();
        connected(to, &self.bytes(to))?.read_to_end(&mut said)?;
        let end = said.windows(4).position(|four| four == b"\r\n\r\n");
        let status = statuses(&said).first().copied();
        match (status, end) {
            (Some(status), Some(end)) => Ok(Answer { status, body: said.split_off(end + 4) }),
            _ => Err(std::io::Error::other(format!("no HTTP: {}", String::from_utf8_lossy(&said)))),
        }
    }

    fn change(&mut self, change: &Part) {
        match change {
            Part::Method(method) => (*method).clone_into(&mut self.method),
            Part::Segment(at, text) => self.segment(*at, text),
            Part::Query(text) => self.path += text,
            Part::Header(at, value) => {
                let at = at.index(self.headers.len().max(1));
                self.headers.iter_mut().skip(at).take(1).for_each(|header| value.clone_into(&mut header.1));
            }
            Part::NoHeader(at) => drop(take(&mut self.headers, *at)),
            Part::More((name, value)) => self.headers.push((name.clone(), value.clone())),
            Part::Json(change) => {
                let changed = json::changed(&self.body[..self.json], change);
                self.body.splice(..self.json, changed.iter().copied());
                self.json = changed.len();
                // As a client would have said it; that it may be wrong is another change.
                let said = self.headers.iter_mut().filter(|(name, _)| name == JSON_LENGTH);
                said.for_each(|(_, value)| *value = changed.len().to_string());
            }
            Part::Bytes(change) => {
                let mut behind = self.body.split_off(self.json);
                // Where there are no tensors, the JSON's bytes are meant.
                let bytes = if behind.is_empty() { &mut self.body } else { &mut behind };
                change.to(bytes);
                self.json = self.body.len();
                self.body.append(&mut behind);
            }
        }
    }

    fn segment(&mut self, at: Index, text: &str) {
        let mut segments: Vec<&str> = self.path.split('/').skip(1).collect();
        let at = at.index(segments.len());
        segments[at] = text;
        self.path = format!("/{}", segments.join("/"));
    }
}

/// Whoever is asked.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
const JSON_LENGTH: &str = "inference-header-content-length";

fn take<T>(list: &mut Vec<T>, at: Index) -> Option<T> {
    (!list.is_empty()).then(|| list.remove(at.index(list.len())))
}

/// A change of a request that stays one.
#[derive(Debug, Clone)]
enum Part {
    Method(&'static str),
    Segment(Index, String),
    Query(&'static str),
    Header(Index, String),
    NoHeader(Index),
    More((String, String)),
    Json((Index, json::Change)),
    Bytes(Change),
}

const SEGMENTS: [&str; 16] = [
    "",
    ".",
    "..",
    "%2e%2e",
    "%ff",
    "a b",
    "é",
    "tumour",
    "absent",
    "versions",
    "0",
    "1",
    "-1",
    "4294967296",
    "infer",
    "stats",
];
const VALUES: [&str; 24] = [
    "",
    "0",
    "1",
    "-1",
    "12",
    "4096",
    "99999999999999999999",
    "1.5",
    "application/json",
    "application/octet-stream",
    "text/plain",
    "*/*",
    "application/json; charset=utf-16",
    "application/grpc",
    "gzip",
    "identity",
    "Bearer",
    "Bearer sw_aaaa",
    "Basic YTpi",
    "localhost",
    "evil.example",
    "https://evil.example",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "é",
];
const NAMES: [&str; 14] = [
    JSON_LENGTH,
    "content-type",
    "content-encoding",
    "accept",
    "accept-encoding",
    "authorization",
    "origin",
    "host",
    "traceparent",
    "stepwell-tenant",
    "x-http-method-override",
    "range",
    "if-none-match",
    "upgrade",
];

fn part() -> impl Strategy<Value = Part> {
    let at = any::<Index>;
    let value = || {
        let long = (1..9_000_usize).prop_map(|length| "a".repeat(length));
        prop_oneof![8 => prop::sample::select(VALUES.as_slice()).prop_map(str::to_owned), 1 => long]
    };
    let segment = prop_oneof![
        8 => prop::sample::select(SEGMENTS.as_slice()).prop_map(str::to_owned),
        1 => (1..5_000_usize).prop_map(|length| "a".repeat(length)),
    ];
    let name = prop::sample::select(NAMES.as_slice()).prop_map(str::to_owned);
    prop_oneof![
        1 => prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "post", "BREW"])
            .prop_map(Part::Method),
        2 => (at(), segment).prop_map(|(at, text)| Part::Segment(at, text)),
        1 => prop::sample::select(vec!["?", "?a=1", "?%00", "#a", "?ready=true&ready", "/"]).prop_map(Part::Query),
        1 => (at(), value()).prop_map(|(at, value)| Part::Header(at, value)),
        1 => at().prop_map(Part::NoHeader),
        2 => (name, value()).prop_map(Part::More),
        6 => json::change().prop_map(Part::Json),
        4 => changes::change().prop_map(Part::Bytes),
    ]
}

/// One of the requests, changed in a place or two.
pub(crate) fn mutant(recorded: Vec<Request>) -> impl Strategy<Value = Request> {
    (prop::sample::select(recorded), prop::collection::vec(part(), 1..4)).prop_map(|(mut request, parts)| {
        parts.iter().for_each(|part| request.change(part));
        request
    })
}

/// One of the requests as its bytes, of which some are others.
pub(crate) fn damaged(recorded: Vec<Request>) -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(recorded), prop::collection::vec(changes::change(), 1..4)).prop_map(
        move |(request, changes)| {
            let mut bytes = request.bytes(ANY);
            changes.iter().for_each(|change| change.to(&mut bytes));
            bytes
        },
    )
}

/// The statuses of what is answered to these bytes, after which nothing comes; none where the connection is just ended.
pub(crate) fn heard(to: SocketAddr, bytes: &[u8]) -> Vec<u16> {
    let mut said = Vec::new();
    // A server that has heard enough may end the connection while it is written to.
    let _ = connected(to, b"").and_then(|mut stream| {
        stream.write_all(bytes)?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end(&mut said)
    });
    statuses(&said)
}

fn statuses(said: &[u8]) -> Vec<u16> {
    let said = String::from_utf8_lossy(said);
    let lines = said.split("HTTP/1.1 ").skip(1);
    lines.filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
}

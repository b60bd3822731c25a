//! A request of a step -> the answer. The one place where Stepwell calls out for a step: each hop is held against grants and
//! policy, goes to a vetted address, and carries only the secrets that both name.

use crate::address::{OutOfReach, Reach, Vetted};
use crate::denied;
use crate::secret::Hidden;
use crate::target::Target;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use types::{Fault, FaultKind, HttpGrant, METHODS};
use ureq::http::{HeaderName, HeaderValue, Method, Request, header};
use ureq::unversioned::transport::DefaultConnector;

const BODY_OUT_BYTES_MAX: usize = 16 << 20;
const BODY_IN_BYTES_MAX: u64 = 32 << 20;
const TIME_MAX: Duration = Duration::from_secs(60);
const REDIRECTS_MAX: u32 = 5;
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 8192;
/// A header with its secrets in it: the longest secret, and what stands round it.
const FILLED_HEADER_BYTES_MAX: usize = 128 << 10;
/// How often a waiting attempt asks whether it should give up.
const LOOK: Duration = Duration::from_millis(20);
/// What a failed request asks a retry to wait.
const RETRY_AFTER_MS: u64 = 1000;

/// Headers that say where a message begins, ends and goes: the server's to set.
const OURS: [&str; 13] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-connection",
    "accept-encoding",
    "user-agent",
];

/// What stands open for requests, and what may travel with them.
pub(crate) struct Doors {
    pub(crate) grants: Vec<HttpGrant>,
    pub(crate) policy: Vec<HttpGrant>,
    pub(crate) secrets: Vec<Hidden>,
}

impl Doors {
    /// Whether the secret may travel with some request of the step. Another's value in an answer is no echo of it, and to mask
    /// that would tell a step which guesses that its guess is right.
    fn may_send(&self, secret: &Hidden) -> bool {
        let named = self.grants.iter().any(|grant| grant.secrets.contains(&secret.name));
        named && self.policy.iter().any(|allowed| allowed.carries(&secret.name))
    }
}

/// A request as the step wrote it.
pub(crate) struct Wanted {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout_ms: u32,
}

pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Performs the request on a thread of its own, so that a cancellation does not wait for a slow server. Adds what was received
/// to `received`, of redirects and failures too.
pub(crate) fn fetch(
    doors: Doors,
    wanted: Wanted,
    patience: Duration,
    give_up: &dyn Fn() -> bool,
    received: &mut u64,
) -> Result<Fetched, Fault> {
    check(&wanted)?;
    let asked = match wanted.timeout_ms {
        0 => TIME_MAX,
        ms => Duration::from_millis(ms.into()).min(TIME_MAX),
    };
    let deadline = Instant::now() + asked.min(patience);
    let (sender, receiver) = channel();
    // Also of answers that are too large, or lead elsewhere.
    let came = Arc::new(AtomicU64::new(0));
    let came_there = Arc::clone(&came);
    let request = move || {
        let fetched = hops(&doors, wanted, deadline, &came_there);
        // Nobody may be listening any more.
        let _ = sender.send(fetched);
    };
    let started = std::thread::Builder::new().spawn(request);
    started.map_err(|error| Fault::host(format!("cannot start a request: {error}")))?;
    let fetched = loop {
        match receiver.recv_timeout(LOOK) {
            Ok(fetched) => break fetched,
            Err(RecvTimeoutError::Timeout) if give_up() => {
                break Err(Fault::new(FaultKind::Cancelled, "was cancelled"));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Err(Fault::host("a request ended without an answer")),
        }
    };
    *received += came.load(Ordering::Relaxed);
    fetched
}

fn check(wanted: &Wanted) -> Result<(), Fault> {
    let Wanted { method, headers, body, .. } = wanted;
    if !METHODS.contains(&method.as_str()) {
        let method: String = method.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(Fault::invalid(format!("`method`: `{method}` is none of {}", METHODS.join(", "))));
    }
    if body.len() > BODY_OUT_BYTES_MAX {
        return Err(Fault::invalid(format!("`body`: {} bytes, at most {BODY_OUT_BYTES_MAX}", body.len())));
    }
    if headers.len() > HEADERS_MAX {
        return Err(Fault::invalid(format!("`headers`: {}, at most {HEADERS_MAX}", headers.len())));
    }
    for (name, value) in headers {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
        let wrong = |why: &str| Err(Fault::invalid(format!("`headers`: `{shown}` {why}")));
        if OURS.contains(&name.to_ascii_lowercase().as_str()) {
            return wrong("is the server's to set");
        }
        if HeaderName::from_bytes(name.as_bytes()).is_err() || value.len() > HEADER_BYTES_MAX {
            return wrong("is no header name, or its value is longer than 8192 bytes");
        }
    }
    Ok(())
}

/// The request and its redirects.
fn hops(doors: &Doors, mut wanted: Wanted, deadline: Instant, received: &AtomicU64) -> Result<Fetched, Fault> {
    let mut target = Target::parse(&wanted.url)?;
    for _ in 0..=REDIRECTS_MAX {
        let answer = hop(doors, &wanted, &target, deadline, received)?;
        let location = answer.headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value.clone());
        let Some(location) = location.filter(|_| matches!(answer.status, 301 | 302 | 303 | 307 | 308)) else {
            return Ok(answer);
        };
        let next = target.redirected(&location)?;
        // As browsers do (RFC 9110, 15.4): what follows a changed method, and another origin, learns less.
        if answer.status == 303 || (answer.status < 303 && wanted.method == "POST") {
            wanted.method = if wanted.method == "HEAD" { "HEAD".to_owned() } else { "GET".to_owned() };
            wanted.body = Vec::new();
            wanted.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
        }
        if next.origin() != target.origin() {
            let held = |value: &str| doors.secrets.iter().any(|secret| secret.is_in(value.as_bytes()));
            let told = |name: &str| !["authorization", "cookie"].contains(&name.to_ascii_lowercase().as_str());
            wanted.headers.retain(|(name, value)| told(name) && !held(value));
        }
        target = next;
    }
    Err(Fault::new(FaultKind::Invalid, format!("`url`: more than {REDIRECTS_MAX} redirects")))
}

fn hop(
    doors: &Doors,
    wanted: &Wanted,
    target: &Target,
    deadline: Instant,
    received: &AtomicU64,
) -> Result<Fetched, Fault> {
    let (admitted, reach) = admitted(doors, &wanted.method, target)?;
    let request = with_secrets(doors, &admitted, wanted, target)?;
    let left = deadline.saturating_duration_since(Instant::now());
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .accept_encoding("identity")
        .user_agent("stepwell")
        .max_response_header_size(64 << 10)
        .timeout_global(Some(left.max(Duration::from_millis(1))))
        .build();
    let refusal = denied::private(admitted.grant, &target.origin(), reach == Reach::Private);
    let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), Vetted { reach, refusal });
    let mut response = agent.run(request).map_err(|error| failed(error, target))?;
    let body = response.body_mut().with_config().limit(BODY_IN_BYTES_MAX + 1).read_to_vec();
    let bytes = body.as_ref().map_or(BODY_IN_BYTES_MAX, |body| body.len() as u64);
    received.fetch_add(bytes, Ordering::Relaxed);
    let body = body.map_err(|error| failed(error, target))?;
    if body.len() as u64 > BODY_IN_BYTES_MAX {
        return Err(too_large());
    }
    let mask = |bytes: Vec<u8>| {
        doors.secrets.iter().filter(|secret| doors.may_send(secret)).fold(bytes, |bytes, secret| secret.masked(bytes))
    };
    let headers = response.headers().iter().map(|(name, value)| {
        let value = mask(value.as_bytes().to_vec());
        (name.as_str().to_owned(), String::from_utf8_lossy(&value).into_owned())
    });
    Ok(Fetched { status: response.status().as_u16(), headers: headers.collect(), body: mask(body) })
}

/// What covers a request: the first grant, and all that the policy says.
struct Admitted<'a> {
    grant: &'a HttpGrant,
    policy: Vec<&'a HttpGrant>,
}

/// What covers the request, and how far it lets it go.
fn admitted<'a>(doors: &'a Doors, method: &str, target: &Target) -> Result<(Admitted<'a>, Reach), Fault> {
    let Target { secure, host, port, uri } = target;
    let covers = |grant: &&HttpGrant| grant.allow.covers(method, *secure, host, *port, uri.path());
    let line = || denied::request(method, &target.origin(), uri.path());
    let grant = doors.grants.iter().find(covers).ok_or_else(|| line().fault(false))?;
    let policy: Vec<_> = doors.policy.iter().filter(|grant| covers(grant)).collect();
    let reach_of = |grant: &HttpGrant| match (grant.allow.names_address(), grant.private) {
        (true, _) => Reach::Named,
        (false, true) => Reach::Private,
        (false, false) => Reach::Public,
    };
    // The policy may name the address itself, or trust its tenant with private networks.
    let furthest = policy.iter().map(|grant| reach_of(grant)).max().ok_or_else(|| line().fault(true))?;
    Ok((Admitted { grant, policy }, reach_of(grant).min(furthest)))
}

/// The request as it is sent: values in the places of the secrets that grant and policy name, and no other secret in it.
fn with_secrets(
    doors: &Doors,
    Admitted { grant, policy }: &Admitted<'_>,
    wanted: &Wanted,
    target: &Target,
) -> Result<Request<Vec<u8>>, Fault> {
    let filled = |bytes: &[u8], what: &str, most: usize| -> Result<Vec<u8>, Fault> {
        let mut bytes = bytes.to_vec();
        for secret in doors.secrets.iter() {
            if !secret.is_in(&bytes) {
                continue;
            }
            if !grant.secrets.contains(&secret.name) {
                return Err(denied::secret_elsewhere(&secret.name, &target.origin(), grant));
            }
            if !policy.iter().any(|allowed| allowed.carries(&secret.name)) {
                return Err(denied::secret_beyond(&secret.name, &target.origin(), grant));
            }
            let over = || Fault::invalid(format!("`{what}`: more than {most} bytes once its secrets are put in"));
            bytes = secret.put_in(&bytes, most).ok_or_else(over)?;
        }
        Ok(bytes)
    };
    let method = Method::from_bytes(wanted.method.as_bytes()).map_err(Fault::host)?;
    let mut request = Request::new(filled(&wanted.body, "body", BODY_OUT_BYTES_MAX)?);
    *request.method_mut() = method;
    *request.uri_mut() = target.uri.clone();
    for (name, value) in &wanted.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(Fault::host)?;
        let mut value = HeaderValue::from_bytes(&filled(value.as_bytes(), "headers", FILLED_HEADER_BYTES_MAX)?)
            .map_err(|_| Fault::invalid(format!("`headers`: the value of `{header}` holds what no header may")))?;
        value.set_sensitive(true);
        request.headers_mut().append(header, value);
    }
    if !request.headers().contains_key(header::ACCEPT) {
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    }
    Ok(request)
}

fn too_large() -> Fault {
    let message = format!("`response`: larger than {} MiB", BODY_IN_BYTES_MAX >> 20);
    Fault::invalid(message).hinted("ask for less at a time, for instance with a `range` header")
}

/// Whether a later attempt may fare better is what the scheduler wants to know.
fn failed(error: ureq::Error, target: &Target) -> Fault {
    let origin = target.origin();
    match error {
        ureq::Error::Other(inner) => match inner.downcast::<OutOfReach>() {
            Ok(out) => out.0,
            Err(inner) => transient(&origin, &inner.to_string()),
        },
        ureq::Error::BodyExceedsLimit(_) => too_large(),
        ureq::Error::LargeResponseHeader(..) => Fault::invalid("`response`: its headers are larger than 64 KiB"),
        // It answered, and will not speak otherwise the next time.
        ureq::Error::Protocol(error) => {
            Fault::invalid(format!("`response`: {origin} does not answer in HTTP/1.1: {error}"))
        }
        ureq::Error::Http(error) => {
            Fault::invalid(format!("`response`: {origin} does not answer in HTTP/1.1: {error}"))
        }
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
            Fault::invalid(format!("`url`: {origin} does not prove who it is: {error}"))
        }
        other => transient(&origin, &other.to_string()),
    }
}

fn transient(origin: &str, why: &str) -> Fault {
    Fault::new(FaultKind::Transient { retry_after_ms: RETRY_AFTER_MS }, format!("{origin} did not answer: {why}"))
}

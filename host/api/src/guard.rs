//! Who is let in on the public address: who has a key, or what means this server and is meant as a request of a program.
//!
//! Any page in a browser of this machine can send requests to loopback. Three things tell them from an application's: a page
//! whose name was pointed here (DNS rebinding) sends that name as `Host`, no page may send JSON, or anything else that no form
//! sends, elsewhere unasked, and no page knows a key. What says no type at all (the protocol's clients do not) may not come from
//! a page either: a browser says `Origin` with all that it posts. So who has a key may call us by any name, which is what lets
//! us listen beyond loopback.

use crate::grpc::{TENANT, method};
use crate::hooks::is_hook;
use crate::inference::{Public, Refused, answer_of, error, no_endpoint, no_tenant};
use crate::places::Place;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use server::{Barred, Caller, Knock};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use types::{EndpointName, Id, Scope};

/// Told to all, for whoever watches over processes: it says nothing of any tenant but whether the one at the root is ready.
const OPEN: [&str; 2] = ["/v2/health/live", "/v2/health/ready"];

/// The endpoints that a key is for, where it is for some: with a request that may tell of any.
#[derive(Clone)]
pub(crate) struct Only(pub(crate) Arc<BTreeSet<EndpointName>>);

/// Hands on what is let in. Who speaks gRPC is refused in its words.
pub(crate) async fn let_in(State(public): State<Public>, request: Request, next: Next) -> Result<Response, Refused> {
    let is_grpc = method(request.uri().path()).is_some();
    match handed_on(public, request, next).await {
        Err(refused) if is_grpc => Ok(tonic::Status::from(refused).into_http()),
        answer => answer,
    }
}

async fn handed_on(public: Public, mut request: Request, next: Next) -> Result<Response, Refused> {
    expect_plain_path(request.uri().path())?;
    if is_page(request.uri().path()) && [Method::GET, Method::HEAD].contains(request.method()) {
        return Ok(crate::openapi::page().await);
    }
    let caller = if is_open(request.uri().path()) {
        Caller { tenant: None, has_key: false, only: BTreeSet::new() }
    } else {
        public.server.knock(&public.tenant, knock(&request)?).map_err(Refused::Barred)?
    };
    if let (true, Some(tenant), Some(place)) =
        (caller.has_key, &caller.tenant, request.extensions().get::<Arc<Place>>())
    {
        place.is_of(tenant);
    }
    if !caller.only.is_empty() {
        request.extensions_mut().insert(Only(Arc::new(caller.only)));
    }
    if !caller.has_key && !public.server.requires_keys() {
        expect_host(request.uri(), request.headers())?;
    }
    // A signed call may be of any kind: no page can sign.
    if request.method() == Method::POST && !is_hook(request.uri().path()) {
        expect_no_form(request.headers())?;
    }
    match caller.tenant {
        // A call's tenant stands in its metadata.
        Some(tenant) if method(request.uri().path()).is_some() => {
            let name = HeaderValue::from_str(tenant.as_str()).map_err(|_| Refused::Barred(Barred::BadKey))?;
            request.headers_mut().insert(TENANT, name);
            Ok(next.run(request).await)
        }
        // At the root stand the routes of whoever has the key.
        Some(tenant) if tenant != public.tenant && named(request.uri().path()).0.is_none() => {
            answer_of(public, tenant, request).await
        }
        _ => {
            expect_at_work(&public, request.uri().path())?;
            Ok(next.run(request).await)
        }
    }
}

/// That the tenant of the routes at the root is not suspended. Of one that a path or a call names, whoever answers it sees to that; what
/// is open says itself that nothing is ready, or nothing.
fn expect_at_work(public: &Public, path: &str) -> Result<(), Refused> {
    match is_open(path) || named(path).0.is_some() || method(path).is_some() {
        true => Ok(()),
        false => Ok(public.server.expect_active(&public.tenant)?),
    }
}

/// Every name here is written as it is, and who asks of what is read off the path in more than one place: what means the same
/// written otherwise is refused, so that none of them is told another name than the others.
fn expect_plain_path(path: &str) -> Result<(), Refused> {
    match path.contains('%') {
        false => Ok(()),
        true => {
            let text =
                "the path has an escape (`%`); names are of letters, digits and dashes, and are written as they are";
            Err(Refused::Said(StatusCode::BAD_REQUEST, text.to_owned()))
        }
    }
}

/// What needs no key: a signed call has its own proof of who calls.
fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || is_hook(path)
}

/// The page about the routes, at the root or beneath any name: the same for all, whether or not there is such a tenant. A browser has
/// no key to bring.
fn is_page(path: &str) -> bool {
    let (tenant, rest) = named(path);
    rest == "docs" && (tenant.is_some() || path == "/docs")
}

/// The tenant that a path names, and the path beneath it.
fn named(path: &str) -> (Option<&str>, &str) {
    match path.strip_prefix("/tenants/") {
        Some(rest) => rest.split_once('/').map_or((Some(rest), ""), |(tenant, rest)| (Some(tenant), rest)),
        None => (None, path.trim_start_matches('/')),
    }
}

fn knock(request: &Request) -> Result<Knock<'_>, Refused> {
    if let Some(method) = method(request.uri().path()) {
        let tenant = only(request.headers(), &TENANT);
        if tenant.is_none() && request.headers().contains_key(TENANT) {
            let text = format!("`{TENANT}` stands more than once or is no text");
            return Err(Refused::Said(StatusCode::BAD_REQUEST, text));
        }
        return called(request.headers(), tenant, scope_of(method));
    }
    let (tenant, rest) = named(request.uri().path());
    let (scope, endpoint) = asked(rest);
    // The document tells of as many as the key is for.
    let of_all = endpoint.is_none() && rest.starts_with("v2/models");
    Ok(Knock { key: key(request.headers())?, tenant, scope, endpoint, of_all })
}

/// A call of gRPC. Which endpoint it is about stands in its message: a key that is for some of them asks over HTTP.
fn called<'a>(headers: &'a HeaderMap, tenant: Option<&'a str>, scope: Scope) -> Result<Knock<'a>, Refused> {
    Ok(Knock { key: key(headers)?, tenant, scope, endpoint: None, of_all: true })
}

/// Whether the next message of a stream is let in: since it began its key may have been revoked or its rate used up.
pub(crate) fn let_on(public: &Public, headers: &HeaderMap) -> Result<(), Refused> {
    let knock = called(headers, only(headers, &TENANT), Scope::Predict)?;
    public.server.knock(&public.tenant, knock).map(drop).map_err(Refused::Barred)
}

/// What a path beneath a tenant asks for, and of which endpoint.
fn asked(path: &str) -> (Scope, Option<&str>) {
    let mut parts = path.split('/');
    match (parts.next(), parts.next()) {
        (Some("predict"), endpoint) => (Scope::Predict, endpoint),
        (Some("labels"), endpoint) => (Scope::Label, endpoint),
        (Some("metrics"), _) => (Scope::Metrics, None),
        // Statistics without a name are of all.
        (Some("v2"), Some("models")) => (Scope::Predict, parts.next().filter(|name| *name != "stats")),
        (Some("v2"), Some("repository")) => (Scope::Manage, parts.nth(1)),
        _ => (Scope::Predict, None),
    }
}

/// What a method of gRPC asks for.
fn scope_of(method: &str) -> Scope {
    if method.starts_with("Repository") { Scope::Manage } else { Scope::Predict }
}

/// The key that a request brings.
fn key(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    if !headers.contains_key(AUTHORIZATION) {
        return Ok(None);
    }
    let said = only(headers, &AUTHORIZATION).and_then(|said| said.split_once(' '));
    let key = said.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, key)| key.trim());
    // What we cannot read is no key of ours.
    key.map(Some).ok_or(Refused::Barred(Barred::BadKey))
}

/// Why nobody is let in, with the status that says so. A key's text is in none.
pub(crate) fn said(why: &Barred) -> (StatusCode, String) {
    match why {
        Barred::NoKey => (StatusCode::UNAUTHORIZED, "a key is needed: `Authorization: Bearer KEY`".to_owned()),
        Barred::BadKey => {
            let text = "the key is none that is good here: unknown, expired or revoked";
            (StatusCode::UNAUTHORIZED, text.to_owned())
        }
        Barred::NoTenant { name } => (StatusCode::NOT_FOUND, no_tenant(name)),
        Barred::NoEndpoint { name } => (StatusCode::NOT_FOUND, no_endpoint(name)),
        Barred::OutOfScope { key, of_endpoints: true, .. } => {
            (StatusCode::FORBIDDEN, format!("the key `{key}` is for some endpoints; this tells of all of them"))
        }
        Barred::OutOfScope { key, scope, .. } => {
            (StatusCode::FORBIDDEN, format!("the key `{key}` may not do this: it lacks the scope `{scope}`"))
        }
        Barred::TooOften { who, rate, retry_after_ms } => {
            let text = format!("{who} asks too often: {rate} is the most; go on in {retry_after_ms} ms");
            (StatusCode::TOO_MANY_REQUESTS, text)
        }
    }
}

/// The same as an answer.
pub(crate) fn barred(why: &Barred) -> Response {
    let (status, text) = said(why);
    let mut response = error(status, text);
    let challenge = "Bearer realm=\"stepwell\"";
    let refused = "Bearer realm=\"stepwell\", error=\"invalid_token\"";
    let (name, value) = match why {
        Barred::NoKey => (WWW_AUTHENTICATE, HeaderValue::from_static(challenge)),
        Barred::BadKey => (WWW_AUTHENTICATE, HeaderValue::from_static(refused)),
        Barred::TooOften { retry_after_ms, .. } => {
            (RETRY_AFTER, HeaderValue::from(retry_after_ms.div_ceil(1000).max(1)))
        }
        _ => return response,
    };
    response.headers_mut().insert(name, value);
    response
}

fn expect_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
    // In HTTP/2 the host is the address's.
    let said = only(headers, &HOST)
        .or(uri.authority().map(Authority::as_str).filter(|_| !headers.contains_key(HOST)))
        .ok_or_else(|| Refused::Said(StatusCode::BAD_REQUEST, "the request must have one `Host` header".to_owned()))?;
    match is_loopback(said) && uri.authority().is_none_or(|authority| is_loopback(authority.as_str())) {
        true => Ok(()),
        false => {
            let text =
                "this server is asked for as `localhost` or by its loopback address; the request's `Host` is another";
            Err(Refused::Said(StatusCode::MISDIRECTED_REQUEST, text.to_owned()))
        }
    }
}

/// Whether a `Host` is a name that nobody else can point here. The port is free: it may have been forwarded.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What programs send and no form can.
const TYPES: [&str; 4] = ["application/json", "application/octet-stream", "application/grpc", "application/grpc+proto"];

fn expect_no_form(headers: &HeaderMap) -> Result<(), Refused> {
    let is_known = |said: &str| {
        let said = said.split(';').next().unwrap_or_default().trim();
        TYPES.iter().any(|known| said.eq_ignore_ascii_case(known))
    };
    let is_untyped = !headers.contains_key(CONTENT_TYPE) && !headers.contains_key(ORIGIN);
    match is_untyped || only(headers, &CONTENT_TYPE).is_some_and(is_known) {
        true => Ok(()),
        false => {
            let text = "the request's `Content-Type` must be `application/json` (with curl: `--json` in place of `-d`)";
            Err(Refused::Said(StatusCode::UNSUPPORTED_MEDIA_TYPE, text.to_owned()))
        }
    }
}

/// The text of a header that stands once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_mean_this_machine_are_let_in() {
        for host in ["localhost", "LocalHost:80", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example:127",
            "0.0.0.0",
            "192.168.0.1",
            "[::]",
            "10.0.0.1:8080",
            "localhost/",
            "localhost evil",
            "evil.example@other",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn the_page_is_known_by_its_path() {
        for path in ["/docs", "/tenants/acme/docs", "/tenants/nobody/docs"] {
            assert!(is_page(path), "{path}");
        }
        for path in
            ["/", "/docs/", "//docs", "/openapi.json", "/predict/docs", "/tenants/docs", "/tenants/acme/v2/docs"]
        {
            assert!(!is_page(path), "{path}");
        }
    }

    #[test]
    fn a_path_says_what_is_asked_of_whom() {
        for (path, tenant, scope, endpoint) in [
            ("/predict/tumour", None, Scope::Predict, Some("tumour")),
            ("/v2/models/tumour/versions/1/infer", None, Scope::Predict, Some("tumour")),
            ("/tenants/acme/v2/models/tumour", Some("acme"), Scope::Predict, Some("tumour")),
            ("/tenants/acme/labels/tumour", Some("acme"), Scope::Label, Some("tumour")),
            ("/tenants/acme", Some("acme"), Scope::Predict, None),
            ("/tenants/", Some(""), Scope::Predict, None),
            ("/metrics", None, Scope::Metrics, None),
            ("/v2/repository/index", None, Scope::Manage, None),
            ("/v2/repository/models/tumour/load", None, Scope::Manage, Some("tumour")),
            ("/v2", None, Scope::Predict, None),
            ("//tenants/acme/v2", None, Scope::Predict, None),
        ] {
            let (named, rest) = named(path);
            assert_eq!((named, asked(rest)), (tenant, (scope, endpoint)), "{path}");
        }
    }

    #[test]
    fn a_call_of_grpc_says_its_tenant_once_or_not() {
        let knocked = |method: &str, tenants: &[&'static str]| {
            let mut request = Request::new(axum::body::Body::empty());
            *request.uri_mut() = format!("http://localhost/inference.GRPCInferenceService/{method}").parse().unwrap();
            for tenant in tenants {
                request.headers_mut().append(TENANT, HeaderValue::from_static(tenant));
            }
            knock(&request).map(|knock| (knock.scope, knock.tenant.map(str::to_owned))).ok()
        };
        assert_eq!(knocked("ModelInfer", &[]), Some((Scope::Predict, None)));
        assert_eq!(knocked("ModelInfer", &["acme"]), Some((Scope::Predict, Some("acme".to_owned()))));
        assert_eq!(knocked("RepositoryModelUnload", &["acme"]), Some((Scope::Manage, Some("acme".to_owned()))));
        assert_eq!(knocked("ModelInfer", &["acme", "acme"]), None);
    }

    #[test]
    fn a_key_is_a_bearers() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            key(&headers).map(|key| key.map(str::to_owned)).ok()
        };
        assert_eq!(read(&[]), Some(None));
        for good in ["Bearer abc", "bearer  abc", "BEARER abc "] {
            assert_eq!(read(&[good]), Some(Some("abc".to_owned())), "{good}");
        }
        for bad in [&["Basic abc"][..], &["abc"], &[""], &["Bearer a", "Bearer a"]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_what_no_form_sends_is_a_request() {
        let told = |values: &[(HeaderName, &'static str)]| {
            let all = values.iter().map(|(name, value)| (name, axum::http::HeaderValue::from_static(value)));
            expect_no_form(&all.fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            }))
            .is_ok()
        };
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;",
            "application/octet-stream",
            "application/grpc",
        ] {
            assert!(told(&[(CONTENT_TYPE, good)]), "{good}");
            assert!(told(&[(CONTENT_TYPE, good), (ORIGIN, "http://localhost:80")]), "{good}");
        }
        for bad in
            ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/plain; application/json"]
        {
            assert!(!told(&[(CONTENT_TYPE, bad)]), "{bad}");
        }
        assert!(told(&[]), "a program that says nothing");
        assert!(!told(&[(ORIGIN, "null")]), "a page that says nothing");
        assert!(!told(&[(CONTENT_TYPE, "application/json"), (CONTENT_TYPE, "text/plain")]));
    }

    #[test]
    fn the_host_stands_in_the_head_or_in_the_address() {
        let told = |uri: &str, host: Option<&'static str>| {
            let headers = host.map(|host| (HOST, axum::http::HeaderValue::from_static(host)));
            expect_host(&uri.parse().unwrap(), &headers.into_iter().collect()).is_ok()
        };
        assert!(told("/v2", Some("localhost")) && told("http://localhost/v2", None));
        assert!(told("http://localhost/v2", Some("127.0.0.1")));
        assert!(!told("/v2", None) && !told("http://evil.example/v2", None));
        assert!(
            !told("http://evil.example/v2", Some("localhost")) && !told("http://localhost/v2", Some("evil.example"))
        );
    }
}

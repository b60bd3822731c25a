//! Who is let in on the public address: what means this server, and is meant as a request of a program.
//!
//! Any page in a browser of this machine can send requests to loopback. Two things tell them from an application's: a page
//! whose name was pointed here (DNS rebinding) sends that name as `Host`, and no page may send JSON, or anything else that no
//! form sends, elsewhere unasked. What says no type at all (the protocol's clients do not) may not come from a page either:
//! a browser says `Origin` with all that it posts.

use crate::hooks::is_hook;
use crate::inference::Refused;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use std::net::IpAddr;

/// Hands on what is let in.
pub(crate) async fn let_in(request: Request, next: Next) -> Result<Response, Refused> {
    expect_host(request.uri(), request.headers())?;
    // A signed call may be of any kind: no page can sign.
    if request.method() == Method::POST && !is_hook(request.uri().path()) {
        expect_no_form(request.headers())?;
    }
    Ok(next.run(request).await)
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

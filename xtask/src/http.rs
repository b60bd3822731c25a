//! One HTTP/1.1 request -> its status and body. Just enough to be a caller of our own server on loopback.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection a request; the body of an error status is the error.
pub(crate) fn get(address: &str, path: &str) -> Result<Value> {
    send(address, "GET", path, "")
}

/// The same with a JSON body.
pub(crate) fn post(address: &str, path: &str, body: &Value) -> Result<Value> {
    send(address, "POST", path, &body.to_string())
}

fn send(address: &str, method: &str, path: &str, body: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot reach `{address}`"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("no answer to {method} {path}"))?;
    let (status, body) = parse(&answer).with_context(|| format!("no HTTP in the answer to {method} {path}"))?;
    match (200..300).contains(&status) {
        true if body.is_empty() => Ok(Value::Null),
        true => serde_json::from_str(body).with_context(|| format!("no JSON in the answer to {method} {path}")),
        false => bail!("{method} {path} answered {status}: {body}"),
    }
}

/// Status and body. The server closes after the answer, so the body is what is left.
fn parse(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_body() {
        assert_eq!(parse("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{}"), Some((200, "{}")));
        assert_eq!(parse("HTTP/1.1 503 Service Unavailable\r\n\r\n"), Some((503, "")));
        for no_http in ["", "HTTP/1.1 200 OK", "HTTP/1.1 2\r\n\r\n", "220 smtp\r\n\r\n"] {
            assert_eq!(parse(no_http), None, "{no_http}");
        }
    }
}

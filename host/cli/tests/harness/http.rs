//! One request over a connection of its own, as any client would send it; no library stands between.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Beyond any answer's time, so that a hang fails instead of hanging.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON: {error}\n{self:?}"))
    }

    /// An answer that is good.
    #[track_caller]
    pub(crate) fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }
}

/// Sends a request and reads the whole response. The error is that of a connection that broke.
pub(crate) fn request(to: SocketAddr, method: &str, path: &str, body: &[u8]) -> std::io::Result<Answer> {
    request_with(to, method, path, "", body)
}

/// The same with more headers, each with its line end.
pub(crate) fn request_with(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<Answer> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\n{headers}Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = connected(to, head.as_bytes())?;
    stream.write_all(body)?;
    answer(stream)
}

/// A connection that has said this much.
pub(crate) fn connected(to: SocketAddr, said: &[u8]) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(said)?;
    Ok(stream)
}

/// Reads one response of a connection that may go on; none if it ends before there is one.
pub(crate) fn next_answer(stream: &mut TcpStream) -> std::io::Result<Option<Answer>> {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(0) if read.is_empty() => return Ok(None),
            Ok(0) => return Err(std::io::Error::other("a head that breaks off")),
            Ok(_) => read.push(byte[0]),
            Err(error) if read.is_empty() && error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8(read).map_err(std::io::Error::other)?.to_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let length = field("content-length:").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Some(Answer { status, head, body: String::from_utf8(body).map_err(std::io::Error::other)? }))
}

/// Reads the one response of a connection that ends with it.
pub(crate) fn answer(mut stream: TcpStream) -> std::io::Result<Answer> {
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let response = String::from_utf8(response).map_err(std::io::Error::other)?;
    let broken = || std::io::Error::other(format!("no HTTP response: {response:?}"));
    let (head, body) = response.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

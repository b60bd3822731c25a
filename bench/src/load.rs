//! A closed loop of requests over kept connections: how many a second, and how long each takes.
//!
//! A small one of our own, so that whoever has a clone can measure: one thread, a request's bytes made once, an answer read by
//! its length. Each answer is looked at: one that is not `200` or says another thing than the first ends the measuring.

use anyhow::{Context, Result, bail, ensure};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A request, again and again.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) to: SocketAddr,
    pub(crate) request: Vec<u8>,
    pub(crate) connections: usize,
    pub(crate) time: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Load {
    /// A request of JSON.
    pub(crate) fn new(to: SocketAddr, path: &str, body: &str, connections: usize, time: Duration) -> Self {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self { to, request: request.into_bytes(), connections, time }
    }

    /// Puts the load on for its time.
    pub(crate) fn put_on(&self) -> Result<Took> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let begin = Instant::now();
        let mut times = runtime.block_on(async {
            let (mut clients, mut times) = (JoinSet::new(), Vec::new());
            (0..self.connections).for_each(|_| drop(clients.spawn(client(self.clone(), begin + self.time))));
            while let Some(client) = clients.join_next().await {
                times.extend(client??);
            }
            anyhow::Ok(times)
        })?;
        let seconds = begin.elapsed().as_secs_f64();
        times.sort();
        ensure!(!times.is_empty(), "nothing was answered");
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        Ok(Took { per_second: times.len() as f64 / seconds, p50: at(50), p99: at(99) })
    }
}

/// One connection until a moment: how long each of its requests took.
async fn client(load: Load, until: Instant) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(load.to).await?;
    stream.set_nodelay(true)?;
    let (mut times, mut buffer, mut first) = (Vec::new(), Vec::with_capacity(4096), None);
    // At least one, however little time there is.
    loop {
        let begin = Instant::now();
        stream.write_all(&load.request).await?;
        let body = answer(&mut stream, &mut buffer).await?;
        times.push(begin.elapsed());
        let first: &Vec<u8> = first.get_or_insert_with(|| buffer[body.clone()].to_vec());
        ensure!(same(first, &buffer[body]), "an answer differs: {}", String::from_utf8_lossy(&buffer));
        if Instant::now() >= until {
            return Ok(times);
        }
    }
}

/// Whether answers say the same: as long as the first, but for what names a prediction.
fn same(first: &[u8], answer: &[u8]) -> bool {
    first.len().abs_diff(answer.len()) < 8
}

/// Reads one answer into the buffer; gives where its body lies.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<std::ops::Range<usize>> {
    buffer.clear();
    loop {
        ensure!(stream.read_buf(buffer).await? > 0, "a connection ended in the middle of an answer");
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head]).context("a head that is no text")?;
        if !text.starts_with("HTTP/1.1 200") {
            bail!("an answer is not good: {}", String::from_utf8_lossy(buffer));
        }
        let said = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
        });
        let end = head + 4 + said.context("an answer without its length")?;
        if buffer.len() >= end {
            return Ok(head + 4..end);
        }
    }
}

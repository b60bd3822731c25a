//! The binary as a server: started on a free port, ready when it says so, stopped the way an operator stops it.

use crate::{http, shell};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);

/// A running server; dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    /// Starts `stepwell serve --listen 127.0.0.1:0`; it answers when this returns.
    pub(crate) fn start(mut serve: Command) -> Result<Self> {
        let mut child = serve.stdout(Stdio::piped()).spawn().context("cannot start `stepwell serve`")?;
        let lines = lines_of(child.stdout.take().context("the server's output is piped")?);
        // Made before its address is known, so that it is killed if that never comes.
        let mut server = Self { child, address: String::new() };
        let deadline = Instant::now() + READY_WITHIN;
        server.address = address_in(&lines, deadline)?;
        server.await_ready(deadline)?;
        Ok(server)
    }

    fn await_ready(&self, deadline: Instant) -> Result<()> {
        loop {
            match http::get(&self.address, "/v2/health/ready") {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error.context("the server is not ready")),
                Err(_) => std::thread::sleep(POLL),
            }
        }
    }

    /// Asks it to stop, and holds it to stopping soon and without an error.
    pub(crate) fn stop(mut self) -> Result<()> {
        shell::run(&mut shell::program("kill", &["-TERM", &self.child.id().to_string()]))?;
        let deadline = Instant::now() + STOPPED_WITHIN;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server was asked to stop and ended with {status}"),
                None if Instant::now() > deadline => bail!("the server did not stop within {STOPPED_WITHIN:?}"),
                None => std::thread::sleep(POLL),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it already ended, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it prints, read to the end whoever listens: a full pipe would stop it.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

fn address_in(lines: &Receiver<String>, deadline: Instant) -> Result<String> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).context("`stepwell serve` did not say where it listens")?;
        if let Some(address) = address(&line) {
            return Ok(address);
        }
    }
}

/// `127.0.0.1:PORT`, wherever it stands in a line.
fn address(line: &str) -> Option<String> {
    let start = line.find("127.0.0.1:")?;
    let (host, rest) = line[start..].split_at("127.0.0.1:".len());
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    port.parse::<u16>().ok().map(|port| format!("{host}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_wherever_it_stands() {
        for (line, expected) in [
            ("listening on http://127.0.0.1:8123/v2", Some("127.0.0.1:8123")),
            ("127.0.0.1:1", Some("127.0.0.1:1")),
            ("socket .stepwell/socket", None),
            ("127.0.0.1:x", None),
        ] {
            assert_eq!(address(line).as_deref(), expected, "{line}");
        }
    }
}

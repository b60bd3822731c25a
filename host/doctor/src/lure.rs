//! A server on this machine that no plugin is to reach by a name; it sends whoever asks at `/away` to such a name.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// For a request to arrive: who says nothing keeps nobody.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Lure {
    port: u16,
}

impl Lure {
    /// Listens until the process ends.
    pub(crate) fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // One that leaves early did not get in either.
                let _ = answer(stream, port);
            }
        });
        Ok(Self { port })
    }

    /// By its address, which is granted.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// By a name that leads to the same place.
    pub(crate) fn name(&self, path: &str) -> String {
        name(self.port, path)
    }
}

fn name(port: u16, path: &str) -> String {
    format!("http://localhost:{port}{path}")
}

fn answer(mut stream: TcpStream, port: u16) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let away = lines.next().transpose()?.is_some_and(|line| line.starts_with("GET /away "));
    // The head ends with an empty line.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (status, header) = match away {
        true => ("302 Found", format!("location: {}\r\n", name(port, "/inside"))),
        false => ("200 OK", String::new()),
    };
    write!(stream, "HTTP/1.1 {status}\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n")
}

//! The routers on their sockets, until somebody says stop.

use crate::connections::{self, AnswerTimes, DRAIN_TIME_MAX};
use crate::{Tls, local, public};
use server::Server;
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use types::{Fault, TenantId};

/// The most that an application's request may take with all that belongs to it: waiting for others, being answered and read.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);
/// The most that an application may read nothing of an answer that is there for it: so long it keeps its place of the room.
const UNTAKEN_TIME_MAX: Duration = Duration::from_secs(20);

/// Where the server can be reached.
pub struct Listening {
    pub address: SocketAddr,
}

/// Takes an address; one beyond loopback where everybody needs a key. What cannot be listened on is refused before anything
/// else is begun.
pub async fn bind(address: SocketAddr, requires_keys: bool) -> Result<TcpListener, Fault> {
    if !address.ip().is_loopback() && !requires_keys {
        let message = format!("will not listen on {address}: without API keys anybody could call the models");
        let hint = "let nobody in without a key: --require-keys (`stepwell key create NAME` makes one); or listen on \
                    127.0.0.1 and put a proxy that knows its callers before it";
        return Err(Fault::invalid(message).hinted(hint));
    }
    let cannot = |error: std::io::Error| {
        let fault = Fault::invalid(format!("cannot listen on {address}: {error}"));
        match error.kind() {
            std::io::ErrorKind::AddrInUse => fault.hinted(format!(
                "another process listens there, perhaps a `stepwell serve` (`ss -ltnp` shows which); name another port, or any \
                 that is free: --listen {}",
                SocketAddr::new(address.ip(), 0)
            )),
            _ => fault,
        }
    };
    TcpListener::bind(address).await.map_err(cannot)
}

/// Listens on the folder's socket (its owner only) and on a bound address, says where, and serves until `stop`.
///
/// Then nobody new is let in, live runs are left to be resumed, and answers that are under way have [`DRAIN_TIME_MAX`] to be
/// read. Dropped, it ends at once.
pub async fn listen(
    server: Arc<Server>,
    tenant: TenantId,
    socket: &Path,
    tcp: (TcpListener, Option<Arc<Tls>>),
    stop: impl Future<Output = ()>,
    listening: impl FnOnce(&Listening),
) -> Result<(), Fault> {
    let (socket, (tcp, tls)) = (OwnSocket(socket), tcp);
    let unix = socket.listen()?;
    listening(&Listening { address: tcp.local_addr().map_err(Fault::host)? });
    let (told, ending) = watch::channel(false);
    let (leaving, last) = (Arc::clone(&server), Arc::clone(&server));
    let end = async {
        stop.await;
        told.send_replace(true);
        // Whoever follows a run holds a connection open until the run is left. One that does not stop is killed with its
        // worker when this process ends.
        let left = tokio::task::spawn_blocking(move || leaving.leave());
        let _ = tokio::time::timeout(DRAIN_TIME_MAX, left).await;
    };
    // An owner may follow a run for as long as it takes.
    let owners = connections::serve(unix, None, local(Arc::clone(&server)), None, ending.clone());
    let times = AnswerTimes { whole: ANSWER_TIME_MAX, untaken: UNTAKEN_TIME_MAX };
    let applications = connections::serve(tcp, tls, public(server, tenant), Some(times), ending);
    tokio::join!(end, owners, applications);
    let written = tokio::task::spawn_blocking(move || last.write_predictions());
    written.await.map_err(Fault::host)
}

/// A socket that only the folder's owner can open. Dropped, it is gone; the next owner of the folder makes its own.
struct OwnSocket<'a>(&'a Path);

impl OwnSocket<'_> {
    /// Whoever held the folder before is gone: we hold its lock.
    fn listen(&self) -> Result<UnixListener, Fault> {
        let path = self.0;
        let cannot = |error: std::io::Error| Fault::host(format!("cannot listen on `{}`: {error}", path.display()));
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
            _ => {}
        }
        // The folder is 0700 already; the mode says so of the socket itself.
        let listener = UnixListener::bind(path).map_err(cannot)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(cannot)?;
        Ok(listener)
    }
}

impl Drop for OwnSocket<'_> {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(self.0);
    }
}

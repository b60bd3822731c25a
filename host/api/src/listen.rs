//! The routers on their sockets, until somebody says stop.

use crate::{local, public};
use server::Server;
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use types::{Fault, TenantId};

/// Where the server can be reached.
pub struct Listening {
    pub address: SocketAddr,
}

/// Takes a loopback address. What cannot be listened on is refused before anything else is begun.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    if !address.ip().is_loopback() {
        let message = format!("will not listen on {address}: without API keys anybody could call the models");
        return Err(
            Fault::invalid(message).hinted("listen on 127.0.0.1 and put a proxy that knows its callers before it")
        );
    }
    let cannot = |error: std::io::Error| Fault::invalid(format!("cannot listen on {address}: {error}"));
    TcpListener::bind(address).await.map_err(cannot)
}

/// Listens on the folder's socket (its owner only) and on a bound address, says where, and serves until `stop`. Requests
/// that are under way are answered.
pub async fn listen(
    server: Arc<Server>,
    tenant: TenantId,
    socket: &Path,
    tcp: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
    listening: impl FnOnce(&Listening),
) -> Result<(), Fault> {
    let unix = own_socket(socket)?;
    listening(&Listening { address: tcp.local_addr().map_err(Fault::host)? });
    let (told, ending) = watch::channel(false);
    tokio::spawn(async move {
        stop.await;
        // Nobody listens only when both have ended already.
        let _ = told.send(true);
    });
    let ended = |mut ending: watch::Receiver<bool>| async move {
        let _ = ending.wait_for(|ended| *ended).await;
    };
    let owners = axum::serve(unix, local(Arc::clone(&server))).with_graceful_shutdown(ended(ending.clone()));
    let applications = axum::serve(tcp, public(server, tenant)).with_graceful_shutdown(ended(ending));
    let served = tokio::try_join!(owners.into_future(), applications.into_future());
    // The next owner of the folder makes its own.
    let _ = std::fs::remove_file(socket);
    served.map(|_| ()).map_err(Fault::host)
}

/// A socket that only the folder's owner can open. Whoever held the folder before is gone: we hold its lock.
fn own_socket(path: &Path) -> Result<UnixListener, Fault> {
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

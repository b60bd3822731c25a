//! `serve`: becomes the owner of the data folder and stays.

use crate::args::Args;
use crate::open;
use crate::outcome::Failure;
use server::Folder;
use std::net::SocketAddr;
use std::sync::Arc;
use types::TenantId;

pub(crate) async fn serve(args: &Args, address: SocketAddr) -> Result<u8, Failure> {
    let folder = open::project(args)?;
    let socket = Folder::socket(&open::data(args)?);
    let tcp = api::bind(address).await?;
    let server = open::own(args)?;
    let tenant = TenantId::default_tenant();
    for (tenant, run) in server.resume_all().map_err(Failure::ours)? {
        anstream::eprintln!("resumed run {run} of tenant `{tenant}`");
    }
    let loading = Arc::clone(&server);
    let (whose, project) = (tenant.clone(), folder.clone());
    let loaded =
        tokio::task::spawn_blocking(move || loading.serve_project(&whose, &project)).await.map_err(Failure::ours)?;
    let endpoints = loaded.map_err(|error| match error {
        server::Error::Problems(problems) => Failure::problems(problems).in_folder(&folder),
        error => Failure::ours(error),
    })?;
    for (endpoint, version) in &endpoints {
        match version {
            Ok(version) => anstream::eprintln!("endpoint `{endpoint}` serves version {version}"),
            Err(fault) => anstream::eprintln!("endpoint `{endpoint}` is not ready: {fault}"),
        }
    }
    let json = args.json;
    let say = move |listening: &api::Listening| {
        let address = listening.address;
        match json {
            true => anstream::println!("{}", serde_json::json!({ "listening": format!("http://{address}") })),
            false => anstream::println!("listening on http://{address}"),
        }
    };
    let (signal, leaving) = (stopped(), Arc::clone(&server));
    // Live runs are left first: whoever follows one holds a connection open that would hold the end up.
    let stop = async move {
        signal.await;
        anstream::eprintln!("stopping; runs that are under way can be resumed");
        // A run that does not stop is killed with its worker when this process ends.
        let _ = tokio::task::spawn_blocking(move || leaving.leave()).await;
    };
    api::listen(server, tenant, &socket, tcp, stop, say).await?;
    Ok(0)
}

/// Ctrl-C or SIGTERM. Heard from the call on: whoever reads where we listen may end us at once.
fn stopped() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = signal(SignalKind::interrupt()).and_then(|one| Ok((one, signal(SignalKind::terminate())?)));
    async {
        let Ok((mut interrupt, mut terminate)) = signals else {
            // Without a handler the signal ends the process, which is what it asks for.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

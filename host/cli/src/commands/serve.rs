//! `serve`: becomes the owner of the data folder and stays.

use crate::args::Args;
use crate::open;
use crate::outcome::{CANCELLED, Failure, counted};
use crate::show;
use server::{Folder, Server};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use types::{Problem, TenantId};

/// Where applications come in, and how.
pub(crate) struct Door<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) require_keys: bool,
    /// Certificate and key.
    pub(crate) tls: Option<(&'a Path, &'a Path)>,
}

pub(crate) async fn serve(args: &Args, door: Door<'_>) -> Result<u8, Failure> {
    let folder = open::project(args)?;
    let socket = Folder::socket(&open::data(args)?);
    let tls = door.tls.map(|(certificate, key)| api::Tls::load(certificate, key)).transpose()?.map(Arc::new);
    let tcp = api::bind(door.address, door.require_keys).await?;
    if tls.is_none() && !door.address.ip().is_loopback() {
        let warning = show::styled("warning", show::BAD);
        anstream::eprintln!(
            "{warning}: keys and rows cross the network in the clear; --tls-cert and --tls-key encrypt them"
        );
    }
    let server = open::own(args)?;
    if door.require_keys {
        server.require_keys();
    }
    let tenant = args.tenant.clone();
    resume(&server, &folder);
    load_folder(&server, &tenant, &folder).await?;
    let deployed = Arc::clone(&server);
    let deployed = tokio::task::spawn_blocking(move || deployed.serve_deployments()).await.map_err(Failure::ours)?;
    deployed.map_err(api::Trouble::from)?.iter().for_each(|(tenant, ready)| tell(tenant, ready));
    server.keep_triggers(|text| anstream::eprintln!("{}", show::tame_lines(&text)));
    if let Some(tls) = &tls {
        renew_when_told(Arc::clone(tls));
    }
    let (json, scheme) = (args.json, if tls.is_some() { "https" } else { "http" });
    let say = move |listening: &api::Listening| {
        let at = format!("{scheme}://{}", listening.address);
        match json {
            true => anstream::println!("{}", serde_json::json!({ "listening": at })),
            false => anstream::println!("listening on {at}"),
        }
    };
    let asked = asked_to_stop();
    let times = |least: u32| {
        let mut asked = asked.clone();
        async move {
            if asked.wait_for(|times| *times >= least).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let stop = async {
        times(1).await;
        anstream::eprintln!("stopping; runs that are under way can be resumed; a second signal ends at once");
    };
    tokio::select! {
        served = api::listen(server, TenantId::default_tenant(), &socket, (tcp, tls), stop, say) => served.map(|()| 0).map_err(Failure::from),
        () = times(2) => Ok(CANCELLED),
    }
}

/// Serves what the folder's project names. What is wrong with the rest of the folder stops nothing, but whoever starts a server wants
/// to know; and what is deployed is served whatever became of the folder.
async fn load_folder(server: &Arc<Server>, tenant: &TenantId, folder: &Path) -> Result<(), Failure> {
    let loading = Arc::clone(server);
    let (whose, project) = (tenant.clone(), folder.to_owned());
    let loaded =
        tokio::task::spawn_blocking(move || loading.serve_project(&whose, &project)).await.map_err(Failure::ours)?;
    match loaded {
        Ok(endpoints) => {
            warn_of(
                &server::wrong_with(folder),
                folder,
                "no run of it would begin; what is served needs `stepwell.toml` alone",
            );
            endpoints.iter().for_each(|ready| tell(tenant, ready));
            Ok(())
        }
        Err(server::Error::Problems(_)) if server.has_deployments().map_err(api::Trouble::from)? => {
            warn_of(&server::wrong_with(folder), folder, "nothing of it is served but what is deployed");
            Ok(())
        }
        Err(server::Error::Problems(_)) => {
            Err(Failure::problems(server::wrong_with(folder)).in_folder(folder).so("nothing is served"))
        }
        Err(error) => Err(api::Trouble::from(error).into()),
    }
}

fn warn_of(problems: &[Problem], folder: &Path, so: &str) {
    for problem in problems {
        anstream::eprintln!("{}\n", show::warning(problem, folder));
    }
    if !problems.is_empty() {
        let warning = show::styled("warning", show::BAD);
        anstream::eprintln!("{warning}: {} in the project's folder: {so}", counted(problems));
    }
}

/// Goes on with runs that a crash interrupted, and says with which.
fn resume(server: &Arc<Server>, folder: &Path) {
    for (tenant, run, resumed) in server.resume_all(folder) {
        match resumed {
            Some(Ok(())) => anstream::eprintln!("resumed run {run} of tenant `{tenant}`"),
            Some(Err(error)) => anstream::eprintln!(
                "run {run} of tenant `{tenant}` is unfinished and cannot go on: {}",
                show::tame_lines(&error.to_string())
            ),
            None => anstream::eprintln!(
                "run {run} of tenant `{tenant}` is unfinished and began in another folder; \
                 `stepwell runs resume {run}` goes on with it there"
            ),
        }
    }
}

fn tell(tenant: &TenantId, (endpoint, version): &server::Readiness) {
    let whose = if tenant.is_default() { String::new() } else { format!(" of tenant `{tenant}`") };
    match version {
        Ok(version) => anstream::eprintln!("endpoint `{endpoint}`{whose} serves version {version}"),
        Err(fault) => {
            anstream::eprintln!("endpoint `{endpoint}`{whose} is not ready: {}", show::tame_lines(&fault.to_string()))
        }
    }
}

/// Has the certificate read again whenever SIGHUP comes. Without a handler the signal ends the process.
fn renew_when_told(tls: Arc<api::Tls>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match tls.reload() {
                Ok(()) => anstream::eprintln!("read the certificate again"),
                Err(fault) => {
                    anstream::eprintln!("the certificate stays as it was: {}", show::tame_lines(&fault.to_string()));
                }
            }
        }
    });
}

/// How often Ctrl-C or SIGTERM came. Heard from the call on: whoever reads where we listen may end us at once. Without a handler
/// the signal ends the process, which is what it asks for.
fn asked_to_stop() -> watch::Receiver<u32> {
    let (told, asked) = watch::channel(0);
    let signals = signal(SignalKind::interrupt()).and_then(|one| Ok((one, signal(SignalKind::terminate())?)));
    if let Ok((mut interrupt, mut terminate)) = signals {
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                told.send_modify(|times| *times += 1);
            }
        });
    }
    asked
}

//! `run`: starts a run and stays with it.

use super::path;
use crate::args::Args;
use crate::open::{self, Installation};
use crate::outcome::{self, Failure};
use crate::show::RunShow;
use api::{Line, RunRequest};
use std::sync::{Arc, Mutex, PoisonError};
use types::RunId;

pub(crate) async fn run(
    args: &Args,
    pipeline: Option<String>,
    options: server::RunOptions,
    explain: bool,
) -> Result<u8, Failure> {
    let folder = open::project(args)?;
    let mut installation = open::installation(args).await?;
    let request = RunRequest { folder: folder.clone(), pipeline, options };
    let show = RunShow::new(args.json, args.again()).explaining(explain);
    let show = attend(args, &mut installation, &path(args, "runs"), &request, show).await;
    show.map(|show| outcome::of_run(show.state())).map_err(|failure| failure.in_project(&folder))
}

/// Runs a pipeline of the folder's project as it was deployed.
pub(crate) async fn run_deployed(args: &Args, pipeline: Option<&str>) -> Result<u8, Failure> {
    let unnamed = || Failure::user("which pipeline is not said");
    // It becomes part of a path.
    let pipeline: types::PipelineName = pipeline.ok_or_else(unnamed)?.parse().map_err(wrong_name)?;
    let project = open::project_name(args)?;
    let mut installation = open::installation(args).await?;
    let path = path(args, &format!("deployments/{project}/pipelines/{pipeline}/runs"));
    let show = attend(args, &mut installation, &path, &(), RunShow::new(args.json, args.again())).await?;
    Ok(outcome::of_run(show.state()))
}

fn wrong_name(error: types::IdError) -> Failure {
    Failure::user(error.to_string())
}

/// Asks for a run at a path and shows it until it ends. Ctrl-C cancels it, once; a second one leaves at once.
pub(super) async fn attend(
    args: &Args,
    installation: &mut Installation,
    path: &str,
    request: &impl serde::Serialize,
    show: RunShow,
) -> Result<RunShow, Failure> {
    let show = Mutex::new(show);
    let started: Arc<Mutex<Option<RunId>>> = Arc::default();
    let listener = tokio::spawn(cancel_on_interrupt(
        Arc::clone(&started),
        canceller(args, installation)?,
        super::path(args, "runs"),
    ));
    let hear = |line: Line| {
        if let Line::Run { run } = &line {
            *started.lock().unwrap_or_else(PoisonError::into_inner) = Some(*run);
        }
        show.lock().unwrap_or_else(PoisonError::into_inner).hear(line);
    };
    let heard = installation.client.lines("POST", path, request, hear).await;
    listener.abort();
    let show = show.into_inner().unwrap_or_else(PoisonError::into_inner);
    show.clear();
    heard?;
    let run = *started.lock().unwrap_or_else(PoisonError::into_inner);
    if let (Some(run), false) = (run, args.json) {
        let detail: server::RunDetail = installation.client.get(&self::path(args, &format!("runs/{run}"))).await?;
        anstream::print!("{}", crate::show::run_measures(&detail));
        show.conclude(run);
    }
    Ok(show)
}

/// Who can cancel while the client is busy listening.
enum Canceller {
    /// Another connection to the owner.
    There(std::path::PathBuf),
    /// The server in this process.
    Here(Arc<server::Server>),
}

fn canceller(args: &Args, installation: &Installation) -> Result<Canceller, Failure> {
    match &installation.server {
        Some(server) => Ok(Canceller::Here(Arc::clone(server))),
        None => Ok(Canceller::There(server::Folder::socket(&open::data(args)?))),
    }
}

async fn cancel_on_interrupt(started: Arc<Mutex<Option<RunId>>>, canceller: Canceller, runs: String) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    let run = *started.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(run) = run {
        anstream::eprintln!("cancelling run {run}; Ctrl-C again leaves at once");
        let client = match canceller {
            Canceller::Here(server) => Ok(api::Client::here(server)),
            Canceller::There(socket) => api::Client::there(&socket).await,
        };
        if let Ok(mut client) = client
            && client.post(&format!("{runs}/{run}/cancel")).await.is_ok()
            && tokio::signal::ctrl_c().await.is_err()
        {
            return;
        }
    }
    // Nothing runs yet, or it does not stop: what runs here ends with this process and can be resumed.
    std::process::exit(130);
}

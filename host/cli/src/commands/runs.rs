//! `runs`: what ran, how far it is, what it said and gave.

use super::{path, print_json, told};
use crate::args::{Args, Runs};
use crate::open;
use crate::outcome::{self, Failure};
use crate::show::{self, RunShow};
use api::{Line, ReplayRequest, RerunRequest};
use run::RunEvent;
use server::{RunDetail, RunDiff, RunLine, TableRows};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use types::{Artifact, Id, OutputRef, PortName, RunState, StepName, Verdict};

/// The longest that the end of a cancelled run is waited for.
const CANCEL_TIME_MAX: Duration = Duration::from_secs(10);

pub(crate) async fn runs(args: &Args, command: &Runs) -> Result<u8, Failure> {
    let mut installation = open::installation(args).await?;
    let client = &mut installation.client;
    match command {
        Runs::List { pipeline, state, limit } => {
            let mut query = format!("runs?limit={limit}");
            query.extend(pipeline.iter().map(|pipeline| format!("&pipeline={pipeline}")));
            query.extend(state.iter().map(|state| format!("&state={state}")));
            let runs: Vec<RunLine> = client.get(&path(args, &query)).await?;
            if args.json {
                return print_json(&runs);
            }
            anstream::print!("{}", show::run_list(&runs, pipeline.is_none() && state.is_none()));
            Ok(0)
        }
        Runs::Show { run } => {
            let detail: RunDetail = client.get(&path(args, &format!("runs/{run}"))).await?;
            if args.json {
                return print_json(&detail);
            }
            anstream::print!("{}", show::run_detail(&detail));
            Ok(0)
        }
        Runs::Verdict { run, svg } => {
            let detail: RunDetail = client.get(&path(args, &format!("runs/{run}"))).await?;
            verdict(args, &detail, svg.as_deref())
        }
        Runs::Logs { run, step } => logs(args, &mut installation, *run, step.as_deref()).await,
        Runs::Resume { run } => {
            let found: RunDetail = client.get(&path(args, &format!("runs/{run}"))).await?;
            if found.line.state != types::RunState::Running {
                let state = found.line.state.ended();
                return Err(Failure::user(format!("run {run} {state} already; there is nothing to resume")));
            }
            again(args, &mut installation, &format!("runs/{run}/resume"), &()).await
        }
        Runs::Rerun { run, from } => {
            let request = RerunRequest { from: from.clone(), by: open::user() };
            again(args, &mut installation, &format!("runs/{run}/rerun"), &request).await
        }
        Runs::Replay { run } => replay(args, &mut installation, *run).await,
        Runs::Diff { a, b, all } => {
            let mut diff: RunDiff = client.get(&path(args, &format!("runs/{a}/diff/{b}"))).await?;
            diff.rows.retain(|row| *all || !row.same);
            told(args, &diff, &show::run_diff(&diff))
        }
        Runs::Cancel { run } => cancel(args, client, *run).await,
        Runs::Rows { run, output, limit } => {
            let output = parsed_output(output)?;
            let rows: TableRows = client.get(&path(args, &format!("runs/{run}/rows/{output}?limit={limit}"))).await?;
            if args.json {
                return print_json(&rows);
            }
            anstream::print!("{}", show::rows(&rows));
            Ok(0)
        }
    }
}

/// Its attempts are stopped, which takes a moment: whoever looks afterwards is not to find it running.
async fn cancel(args: &Args, client: &mut api::Client, run: u64) -> Result<u8, Failure> {
    client.post(&path(args, &format!("runs/{run}/cancel"))).await?;
    let events = path(args, &format!("runs/{run}/events"));
    let ended = client.lines("GET", &events, &(), |_: Line| {});
    let state = match tokio::time::timeout(CANCEL_TIME_MAX, ended).await {
        Ok(ended) => {
            ended?;
            client.get::<RunDetail>(&path(args, &format!("runs/{run}"))).await?.line.state
        }
        Err(_) => RunState::Running,
    };
    let text = match state {
        RunState::Cancelled => format!("cancelled run {run}\n"),
        RunState::Running => format!("run {run} was told to stop, and its attempts take their time\n"),
        state => format!("run {run} {} before it could be cancelled\n", state.ended()),
    };
    told(args, &serde_json::json!({ "run": run, "state": state }), &text)
}

/// A run that goes on from what another one has.
async fn again(
    args: &Args,
    installation: &mut open::Installation,
    rest: &str,
    request: &impl serde::Serialize,
) -> Result<u8, Failure> {
    let shown = RunShow::new(args.json, args.again());
    let shown = super::run::attend(args, installation, &path(args, rest), request, shown).await?;
    Ok(outcome::of_run(shown.state()))
}

/// What counts is whether the replay came out the same, however the run ended.
async fn replay(args: &Args, installation: &mut open::Installation, run: u64) -> Result<u8, Failure> {
    let (request, shown) = (ReplayRequest { by: open::user() }, RunShow::new(args.json, args.again()));
    let rest = path(args, &format!("runs/{run}/replay"));
    let shown = super::run::attend(args, installation, &rest, &request, shown).await?;
    match (shown.state(), shown.replayed()) {
        (Some(RunState::Cancelled) | None, _) | (_, None) => Ok(outcome::of_run(shown.state())),
        (_, Some(replayed)) => {
            if !args.json {
                anstream::print!("{}", show::replayed(replayed));
            }
            Ok(if replayed.same { 0 } else { outcome::FAILED })
        }
    }
}

/// The verdicts of a run; a picture is of the last.
fn verdict(args: &Args, run: &RunDetail, svg: Option<&Path>) -> Result<u8, Failure> {
    let verdicts: Vec<(&StepName, &Verdict)> = run
        .steps
        .iter()
        .flat_map(|step| step.outputs.values().map(move |artifact| (&step.step, artifact)))
        .filter_map(
            |(step, artifact)| if let Artifact::Verdict(verdict) = artifact { Some((step, verdict)) } else { None },
        )
        .collect();
    let Some((_, last)) = verdicts.last() else {
        return Err(Failure::not_found(format!("run {} has no verdict: no gate came to one", run.line.run)));
    };
    if let Some(file) = svg {
        let written = server::write_file(file, models::picture(last).as_bytes());
        written.map_err(|error| Failure::user(format!("cannot write `{}`: {error}", file.display())))?;
    }
    let text = verdicts.iter().map(|(step, verdict)| show::verdict(step, verdict)).collect::<String>();
    let told_of: BTreeMap<_, _> = verdicts.iter().map(|(step, verdict)| (step.to_string(), verdict)).collect();
    told(args, &told_of, &text)
}

/// Held against the form of names here: it becomes part of a path.
fn parsed_output(text: &str) -> Result<OutputRef, Failure> {
    let parts = text.split_once('.');
    let parsed = parts.and_then(|(step, port)| {
        Some(OutputRef { step: StepName::parse(step).ok()?, port: PortName::parse(port).ok()? })
    });
    parsed.ok_or_else(|| Failure::user(format!("`{text}` is no output: expected STEP.PORT, such as `parts.test`")))
}

async fn logs(args: &Args, installation: &mut open::Installation, run: u64, only: Option<&str>) -> Result<u8, Failure> {
    if let Some(step) = only {
        let detail: RunDetail = installation.client.get(&path(args, &format!("runs/{run}"))).await?;
        if !detail.steps.iter().any(|found| found.step.to_string() == step) {
            return Err(Failure::not_found(format!("run {run} has no step `{step}`")));
        }
    }
    let (json, mut count) = (args.json, 0_u64);
    let hear = |line| {
        let Line::Event { event } = line else { return };
        let RunEvent::Log { step, level, message, .. } = event.as_ref() else { return };
        if only.is_some_and(|only| only != step.to_string()) {
            return;
        }
        count += 1;
        match json {
            true => anstream::println!("{}", serde_json::to_string(&event).unwrap_or_default()),
            false => anstream::println!("{step}  {:<5}  {}", show::tame(level), show::tame_lines(message)),
        }
    };
    installation.client.lines("GET", &path(args, &format!("runs/{run}/events")), &(), hear).await?;
    if count == 0 && !json {
        let whose = only.map_or_else(|| format!("run {run}"), |step| format!("step `{step}` of run {run}"));
        anstream::eprintln!("{whose} wrote no log");
    }
    Ok(0)
}

//! What it costs to orchestrate: runs of steps that do next to nothing, asked for over the socket of the real server, durable, in
//! real workers and real wasm; and what many runs leave behind. Beside them Luigi and Dagster on the same pipelines.

use crate::Built;
use crate::figure::{Figure, LONG_ROUNDS, ROUNDS, Wanted};
use crate::history;
use crate::rivals::{self, Rival};
use crate::served::{LINEAR, Project, Served};
use ::run::RunEvent;
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Runs at once, each asked for by a client of its own.
const AT_ONCE: usize = 64;
/// Runs that a server has behind it when it starts.
const BEHIND: u64 = 10_000;
/// Runs during which a server must not grow, those before that fill its caches, and the longest that they may take.
const GROWING: u64 = 100_000;
const WARMING: u64 = 2_000;
const GROWING_MAX: Duration = Duration::from_secs(180);

pub(crate) fn measure(built: &Built, python: &Path, wanted: &Wanted) -> Result<()> {
    let (project, runtime) = (Project::new(built)?, Runtime::new()?);
    let served = Arc::new(Served::start(&project)?);
    // Before the rivals, whose removed files the kernel looks through for minutes wherever a file is made.
    if wanted.has("run.completions_per_s") {
        completions(&runtime, &served)?;
    }
    for (figure, name, goal) in [("run.linear10_ms", "linear", 8.0), ("run.fan100_ms", "fan", 60.0)] {
        if wanted.has(figure) {
            pipeline(&runtime, &served, python, name, figure, goal)?;
        }
    }
    if wanted.has("trigger.to_guest_ms") {
        to_guest(&runtime, &served)?;
    }
    drop(served);
    if wanted.has("run.first_step_ms") {
        first_step(&project, python)?;
    }
    if wanted.has("server.start_10k_runs_ms") {
        starting(built)?;
    }
    if wanted.has("server.rss_growth_100k_runs_mib") {
        growing(built, &runtime)?;
    }
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn figure(name: &str, of: Option<&str>, value: f64, unit: &str, goal: Option<f64>) {
    Figure { name, of, value, unit, goal }.print();
}

/// The best and the median of these times; the goal is the best one's, as all areas have it.
fn print(name: &str, mut times: Vec<Duration>, goal: f64) -> Result<Duration> {
    times.sort();
    let best = *times.first().context("no rounds")?;
    figure(name, None, millis(best), "ms", Some(goal));
    figure(name, Some("median"), millis(times[times.len() / 2]), "ms", None);
    Ok(best)
}

/// A warm run from asking to being told of the end, and a warm run of each rival, in turns.
fn pipeline(runtime: &Runtime, served: &Served, python: &Path, pipeline: &str, name: &str, goal: f64) -> Result<()> {
    let mut rivals = rivals::ready(python, pipeline)?;
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        // A connection that is idle for as long as a rival takes is closed.
        let mut client = runtime.block_on(served.client())?;
        times.push(runtime.block_on(client.run(pipeline))?);
        rivals.iter_mut().try_for_each(|rival| rival.turn(round))?;
    }
    let best = print(name, times, goal)?;
    rivals.iter().for_each(|rival| beside(name, best, rival));
    Ok(())
}

/// A rival's time, and ours over it.
fn beside(name: &str, ours: Duration, rival: &Rival) {
    figure(name, Some(rival.name), millis(rival.best), "ms", None);
    let ratio = ours.as_secs_f64() / rival.best.as_secs_f64();
    figure(&name.replace("_ms", "_ratio"), Some(rival.name), ratio, "ratio", None);
}

/// From asking to the guest's first line of log: what a trigger takes, but for its own door.
fn to_guest(runtime: &Runtime, served: &Served) -> Result<()> {
    let mut client = runtime.block_on(served.client())?;
    let begun = |event: &RunEvent| matches!(event, RunEvent::Log { .. });
    let once = |_| runtime.block_on(client.until("say", begun));
    print("trigger.to_guest_ms", (0..ROUNDS).map(once).collect::<Result<_>>()?, 20.0)?;
    Ok(())
}

/// Steps a second of many linear runs at once, from the first asking to the last end.
fn completions(runtime: &Runtime, served: &Arc<Served>) -> Result<()> {
    let mut best = Duration::MAX;
    for _ in 0..LONG_ROUNDS {
        let begin = Instant::now();
        runtime.block_on(async {
            let mut clients = JoinSet::new();
            for _ in 0..AT_ONCE {
                let served = Arc::clone(served);
                clients.spawn(async move { served.client().await?.run("linear").await });
            }
            ended(clients).await
        })?;
        best = best.min(begin.elapsed());
    }
    let value = (AT_ONCE * LINEAR) as f64 / best.as_secs_f64();
    figure("run.completions_per_s", Some("64 runs at once; more is better"), value, "1/s", Some(3_000.0));
    Ok(())
}

/// The first error of clients that run beside each other.
async fn ended<T: 'static>(mut clients: JoinSet<Result<T>>) -> Result<()> {
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// From the start of `stepwell run` to its first step's commit, no server being there.
fn first_step(project: &Project, python: &Path) -> Result<()> {
    let (mut times, mut luigi) = (Vec::with_capacity(ROUNDS), Duration::MAX);
    for _ in 0..ROUNDS {
        times.push(ours_to_first_step(project)?);
        luigi = luigi.min(rivals::first_step(python, "luigi")?);
    }
    let name = "run.first_step_ms";
    let best = print(name, times, 100.0)?;
    figure(name, Some("luigi"), millis(luigi), "ms", None);
    figure("run.first_step_ratio", Some("luigi"), best.as_secs_f64() / luigi.as_secs_f64(), "ratio", None);
    Ok(())
}

fn ours_to_first_step(project: &Project) -> Result<Duration> {
    let begin = Instant::now();
    let mut process = project.command(&["run", "linear", "--json"]).stdout(Stdio::piped()).spawn()?;
    let (mut lines, mut took) = (BufReader::new(process.stdout.take().context("no output")?).lines(), None);
    while let Some(line) = lines.next().transpose()? {
        if line.contains("\"step_committed\"") {
            took = took.or(Some(begin.elapsed()));
        }
    }
    ensure!(process.wait()?.success(), "the run did not end well");
    took.context("no step was committed")
}

/// From the server's start to its listening, with many runs behind it.
fn starting(built: &Built) -> Result<()> {
    for (pipeline, of) in [("one", "runs of 1 step"), ("linear", "runs of 10 steps")] {
        let project = Project::new(built)?;
        history::lengthen(&project, pipeline, BEHIND)?;
        // The first brings the index up to the journal.
        drop(Served::start(&project)?);
        let once = |_| Served::start(&project).map(|served| served.started);
        let times = (0..LONG_ROUNDS).map(once).collect::<Result<Vec<_>>>()?;
        let best = times.iter().min().context("no rounds")?;
        figure("server.start_10k_runs_ms", Some(of), millis(*best), "ms", Some(1_000.0));
    }
    Ok(())
}

/// What a server's memory grows by while it carries out runs of one step. Not so many fit into the time on a slow machine: then
/// the line says of how many it is.
fn growing(built: &Built, runtime: &Runtime) -> Result<()> {
    let project = Project::new(built)?;
    let served = Arc::new(Served::start(&project)?);
    carried_out(runtime, &served, WARMING, GROWING_MAX)?;
    let before = served.resident_kib()?;
    let count = carried_out(runtime, &served, GROWING, GROWING_MAX)?;
    let grown = served.resident_kib()?.saturating_sub(before) as f64 / 1024.0;
    let of = format!("{count} runs of 1 step");
    figure("server.rss_growth_100k_runs_mib", Some(&of), grown, "MiB", Some(20.0));
    Ok(())
}

/// Carries out so many runs, as many at once as there are clients, or as many as the time allows; says how many.
fn carried_out(runtime: &Runtime, served: &Arc<Served>, count: u64, most: Duration) -> Result<u64> {
    let (given, deadline) = (Arc::new(AtomicU64::new(0)), Instant::now() + most);
    let done = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (served, given, done) = (Arc::clone(served), Arc::clone(&given), Arc::clone(&done));
            clients.spawn(async move {
                let mut client = served.client().await?;
                while Instant::now() < deadline && given.fetch_add(1, Ordering::Relaxed) < count {
                    client.run("one").await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            });
        }
        ended(clients).await
    })?;
    Ok(done.load(Ordering::Relaxed))
}

//! What workers cost: an attempt to a warm one and back, what an idle one weighs, what a loud neighbour adds.

use crate::Built;
use crate::figure::{Figure, ROUNDS, best, each, micros};
use crate::side::pss_kib;
use anyhow::{Context, Result, anyhow, ensure};
use server::{Folder, LockedBy, Options, RunQuery, Server, WallPolicy};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use types::TenantId;

/// Tenants with an idle worker each.
const TENANTS: usize = 100;
/// Runs that the loud neighbour starts.
const RUNS: usize = 1000;
/// Dispatches a round.
const DISPATCHES: u32 = 50;

pub(crate) fn measure(built: &Built) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = open(built, folder.path())?;
    let noop = built.components.join("test-guests/noop.wasm");
    dispatching(&server, &noop)?;
    neighbours(&server, &noop, &loud_project(built, folder.path())?)?;
    server.leave();
    // A server of its own: the workers are counted.
    drop(server);
    let folder = tempfile::tempdir()?;
    let server = open(built, folder.path())?;
    idling(&server, &noop)
}

fn open(built: &Built, folder: &Path) -> Result<Arc<Server>> {
    let [data, cache, state] = ["data", "cache", "state"].map(|name| folder.join(name));
    let slots = std::thread::available_parallelism().map_or(2, usize::from);
    let LockedBy::Us(lock) = Folder::lock(&data)? else { return Err(anyhow!("somebody has a new folder")) };
    let (executable, plugins) = (built.stepwell.clone(), built.components.join("plugins"));
    let (walls, variables) = (WallPolicy::BestEffort, Default::default());
    Ok(Server::open(
        lock,
        Options { data, executable, plugins, cache, state, trusts_data: false, slots, walls, variables },
    )?
    .0)
}

fn tenant(server: &Server, name: &str) -> Result<TenantId> {
    let tenant = name.parse().context("a tenant's name")?;
    server.create_tenant(&tenant, None)?;
    Ok(tenant)
}

fn dispatching(server: &Server, noop: &Path) -> Result<()> {
    let quiet = tenant(server, "dispatching")?;
    server.noop(&quiet, noop)?;
    let mut dispatch = || dispatches(server, &quiet, noop).iter().sum::<Duration>() / DISPATCHES;
    let [time] = best(ROUNDS, [&mut dispatch]);
    Figure { name: "worker.dispatch_us", of: None, value: micros(time), unit: "us", goal: Some(300.0) }.print();
    Ok(())
}

fn dispatches(server: &Server, tenant: &TenantId, noop: &Path) -> Vec<Duration> {
    (0..DISPATCHES).map(|_| server.noop(tenant, noop).expect("it answered before")).collect()
}

/// The 99th percentile of a quiet tenant's dispatches, alone and beside one with loops, bombs, floods and a thousand runs.
fn neighbours(server: &Arc<Server>, noop: &Path, project: &Path) -> Result<()> {
    let (quiet, loud) = (tenant(server, "quiet")?, tenant(server, "loud")?);
    server.noop(&quiet, noop)?;
    let p99 = || {
        let mut times: Vec<_> = (0..ROUNDS).flat_map(|_| dispatches(server, &quiet, noop)).collect();
        times.sort();
        times[times.len() * 99 / 100]
    };
    let alone = p99();
    for run in 0..RUNS {
        let pipeline = ["loop", "native-memory", "log-flood", "loop"][run % 4];
        server.start(&loud, project, Some(pipeline), &Default::default(), &|_| {})?;
    }
    let beside = p99();
    let query = RunQuery { limit: Some(RUNS), ..RunQuery::default() };
    let waiting = server.runs(&loud, &query)?.iter().filter(|run| run.live).count();
    ensure!(waiting > RUNS / 2, "the neighbour was not loud all the while: {waiting} runs were left");
    for (of, time) in [("alone", alone), ("beside the neighbour", beside)] {
        Figure { name: "tenant.dispatch_p99_us", of: Some(of), value: micros(time), unit: "us", goal: None }.print();
    }
    let value = beside.as_secs_f64() / alone.as_secs_f64();
    Figure { name: "tenant.neighbour_p99_ratio", of: None, value, unit: "ratio", goal: Some(2.0) }.print();
    Ok(())
}

/// A pipeline of endless loops, one of memory bombs, one of log floods.
fn loud_project(built: &Built, folder: &Path) -> Result<PathBuf> {
    let project = folder.join("loud");
    std::fs::create_dir_all(project.join("pipelines"))?;
    std::fs::write(project.join("stepwell.toml"), "name = \"loud\"\n")?;
    std::fs::write(project.join("rows.csv"), "a\n1\n")?;
    std::fs::copy(built.components.join("plugins/abuse.wasm"), project.join("hostile.wasm"))?;
    for mode in ["loop", "native_memory", "log_flood"] {
        let pipeline = format!(
            "[steps.rows]\nplugin = \"csv\"\nparams = {{ path = \"rows.csv\" }}\ngrants = {{ files = [\".\"] }}\n\
             [steps.hostile]\nplugin = \"./hostile.wasm\"\ninputs = {{ rows = \"rows.table\" }}\n\
             params = {{ mode = \"{mode}\" }}\nlimits = {{ wall = \"60 s\", memory = \"300 MiB\" }}\n"
        );
        std::fs::write(project.join("pipelines").join(format!("{}.toml", mode.replace('_', "-"))), pipeline)?;
    }
    Ok(project)
}

/// The proportional share of memory of an idle worker, of a tenant each.
fn idling(server: &Server, noop: &Path) -> Result<()> {
    for number in 0..TENANTS {
        let tenant = tenant(server, &format!("tenant-{number}"))?;
        // The second is answered by the worker that did the first.
        each(2, || assert!(server.noop(&tenant, noop).is_ok(), "a no-op is answered"));
    }
    let workers = children()?;
    ensure!(workers.len() == TENANTS, "expected {TENANTS} idle workers, found {}", workers.len());
    let kib: u64 = workers.iter().map(|worker| pss_kib(*worker)).sum::<Result<_>>()?;
    let value = kib as f64 / 1024.0 / TENANTS as f64;
    Figure { name: "worker.idle_pss_mib", of: None, value, unit: "MiB", goal: Some(15.0) }.print();
    Ok(())
}

/// Processes that this one started.
fn children() -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("children")).context("the kernel tells of children")?;
        children.extend(text.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
    }
    Ok(children)
}

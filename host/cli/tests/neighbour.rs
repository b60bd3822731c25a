//! A tenant with endless loops, memory bombs, log floods and a queue of runs, and beside it one that does next to nothing: what
//! the second waits. Prints `tenant.neighbour_p99_ratio`, for whoever measures on a quiet machine.

use server::{Folder, LockedBy, Options, Server, WallPolicy};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use types::TenantId;

/// Dispatches a side; enough for a p99.
const ROUNDS: usize = 200;
/// Runs of the loud neighbour: more than the machine has slots for.
const RUNS: usize = 40;
/// Well below the limit `wall` of the neighbour's loops: nobody waits for one of these to end.
const WAIT_MAX: Duration = Duration::from_secs(10);

fn open(folder: &Path) -> Arc<Server> {
    let executable = PathBuf::from(env!("CARGO_BIN_EXE_stepwell"));
    let plugins = executable.with_file_name("plugins");
    let [data, cache, state] = ["data", "cache", "state"].map(|name| folder.join(name));
    let slots = std::thread::available_parallelism().map_or(2, usize::from);
    let LockedBy::Us(lock) = Folder::lock(&data).unwrap() else { panic!("somebody has a new folder") };
    let (walls, variables) = (WallPolicy::BestEffort, Default::default());
    Server::open(lock, Options { data, executable, plugins, cache, state, trusts_data: false, slots, walls, variables })
        .unwrap()
        .0
}

fn loud_project(folder: &Path) -> PathBuf {
    let project = folder.join("loud");
    let write = |path: &str, bytes: &[u8]| {
        std::fs::create_dir_all(project.join(path).parent().unwrap()).unwrap();
        std::fs::write(project.join(path), bytes).unwrap();
    };
    write("stepwell.toml", b"name = \"loud\"\n");
    write("rows.csv", b"a\n1\n");
    let guest = Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("plugins").join("abuse.wasm");
    write("hostile.wasm", &std::fs::read(guest).expect("`cargo xtask plugins` builds it"));
    for mode in ["loop", "native_memory", "log_flood"] {
        let pipeline = format!(
            "[steps.rows]\nplugin = \"csv\"\nparams = {{ path = \"rows.csv\" }}\ngrants = {{ files = [\".\"] }}\n\
             [steps.hostile]\nplugin = \"./hostile.wasm\"\ninputs = {{ rows = \"rows.table\" }}\n\
             params = {{ mode = \"{mode}\" }}\nlimits = {{ wall = \"60 s\", memory = \"300 MiB\" }}\n"
        );
        write(&format!("pipelines/{}.toml", mode.replace('_', "-")), pipeline.as_bytes());
    }
    project
}

/// No-op attempts of a tenant through the server, from being asked for to being answered; sorted.
fn dispatches(server: &Server, tenant: &TenantId, plugin: &Path) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| server.noop(tenant, plugin).unwrap()).collect();
    times.sort();
    times
}

fn p99(sorted: &[Duration]) -> f64 {
    sorted[sorted.len() * 99 / 100].as_secs_f64()
}

#[test]
fn a_quiet_tenant_waits_for_no_loud_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path());
    let (loud, quiet): (TenantId, TenantId) = ("loud".parse().unwrap(), "quiet".parse().unwrap());
    for tenant in [&loud, &quiet] {
        server.create_tenant(tenant, None).unwrap();
    }
    let plugin = Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("plugins").join("csv.wasm");
    server.noop(&quiet, &plugin).unwrap();
    let alone = dispatches(&server, &quiet, &plugin);
    let project = loud_project(folder.path());
    for run in 0..RUNS {
        let pipeline = ["loop", "native-memory", "log-flood", "loop"][run % 4];
        server.start(&loud, &project, Some(pipeline), &Default::default(), &|_| {}).unwrap();
    }
    let beside = dispatches(&server, &quiet, &plugin);
    let running = server.runs(&loud, &Default::default()).unwrap().iter().filter(|run| run.live).count();
    assert!(running >= RUNS / 2, "the neighbour was loud all the while: {running}");
    assert!(beside[ROUNDS - 1] < WAIT_MAX, "{:?}", beside[ROUNDS - 1]);
    let median = |sorted: &[Duration]| sorted[sorted.len() / 2];
    println!("dispatch alone {:?}, beside a loud neighbour {:?} (medians)", median(&alone), median(&beside));
    println!("tenant.neighbour_p99_ratio {:.2}", p99(&beside) / p99(&alone));
    server.leave();
}

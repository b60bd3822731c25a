//! What it costs to ask a model: rows over HTTP through a transformer and a predictor in wasm, in the real server; beside it
//! FastAPI with scikit-learn (`bench/rivals/serve.py`), the quickest of its kind, on the same rows and the same load.

use crate::Built;
use crate::figure::Figure;
use crate::load::{Load, Took};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tumour/data/tumour.csv");
const RIVAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/serve.py");
const MODELS: [&str; 3] = ["logistic", "gbdt", "mlp"];
const CONNECTIONS: [usize; 3] = [1, 8, 32];
/// A turn of one side under one load, and how many each gets.
const TURN: Duration = Duration::from_secs(2);
const TURNS: usize = 4;
/// Starts that the quickest is taken of.
const STARTS: usize = 5;
/// The longest that either side may take to be ready.
const READY_MAX: Duration = Duration::from_secs(120);

pub(crate) fn measure(built: &Built, python: &Path) -> Result<()> {
    let project = project(built)?;
    let row = Row::first()?;
    starting(built, &project, &row)?;
    let (ours, rival) = (Side::ours(built, &project)?, Side::rival(python)?);
    for model in MODELS {
        for connections in CONNECTIONS {
            compare(model, connections, &ours, &rival, &row)?;
        }
    }
    let mebibytes = ours.pss_kib()? as f64 / 1024.0;
    figure("serve.pss_mib", Some("server and workers, three models"), mebibytes, "MiB", Some(100.0));
    figure("serve.pss_mib", Some("fastapi"), rival.pss_kib()? as f64 / 1024.0, "MiB", None);
    Ok(())
}

fn figure(name: &str, of: Option<&str>, value: f64, unit: &str, goal: Option<f64>) {
    Figure { name, of, value, unit, goal }.print();
}

/// Both sides under the same load, in turns; of each the best turn counts.
fn compare(model: &str, connections: usize, ours: &Side, rival: &Side, row: &Row) -> Result<()> {
    let path = format!("/predict/{model}");
    let [ours, rival] = [(ours, &row.ours), (rival, &row.rival)]
        .map(|(side, body)| Load::new(side.address, &path, body, connections, TURN));
    let mut best: [Option<Took>; 2] = [None, None];
    for _ in 0..TURNS {
        for (load, best) in [&ours, &rival].into_iter().zip(&mut best) {
            let took = load.put_on()?;
            *best = Some(best.map_or(took, |best| Took {
                per_second: best.per_second.max(took.per_second),
                p50: best.p50.min(took.p50),
                p99: best.p99.min(took.p99),
            }));
        }
    }
    let [Some(ours), Some(rival)] = best else { return Ok(()) };
    let of = format!("{model} c{connections}");
    let ratio = ours.per_second / rival.per_second;
    figure("serve.throughput_vs_best_peer", Some(&format!("{of}; more is better")), ratio, "ratio", Some(10.0));
    figure("serve.requests_per_s", Some(&of), ours.per_second, "1/s", None);
    figure("serve.requests_per_s", Some(&format!("fastapi {of}")), rival.per_second, "1/s", None);
    if connections == 1 {
        figure("serve.p50_us_c1", Some(model), ours.p50.as_secs_f64() * 1e6, "us", Some(300.0));
        figure("serve.p50_us_c1", Some(&format!("fastapi {model}")), rival.p50.as_secs_f64() * 1e6, "us", None);
    }
    if connections == 8 {
        figure("serve.p99_ms_c8", Some(model), ours.p99.as_secs_f64() * 1e3, "ms", Some(2.0));
        figure("serve.p99_ms_c8", Some(&format!("fastapi {model}")), rival.p99.as_secs_f64() * 1e3, "ms", None);
    }
    Ok(())
}

/// From the start of the process to its first answer.
fn starting(built: &Built, project: &TempDir, row: &Row) -> Result<()> {
    let mut best = Duration::MAX;
    for _ in 0..STARTS {
        let begin = Instant::now();
        let ours = Side::ours(built, project)?;
        Load::new(ours.address, "/predict/logistic", &row.ours, 1, Duration::from_micros(1)).put_on()?;
        best = best.min(begin.elapsed());
    }
    figure("serve.ready_ms", None, best.as_secs_f64() * 1e3, "ms", Some(300.0));
    Ok(())
}

/// The first row of the table, as each side is asked about it.
struct Row {
    ours: String,
    rival: String,
}

impl Row {
    fn first() -> Result<Self> {
        let text = std::fs::read_to_string(TABLE)?;
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let (names, values) = (lines.next().context("no head")?, lines.next().context("no row")?);
        let is_feature = |(name, _): &(&&str, &&str)| !["sample", "diagnosis"].contains(*name);
        let features: Vec<_> = names.iter().zip(&values).filter(is_feature).collect();
        let named: Vec<_> = features.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let plain: Vec<_> = features.iter().map(|(_, value)| value.to_string()).collect();
        Ok(Self {
            ours: format!("{{\"rows\":[{{{}}}]}}", named.join(",")),
            rival: format!("{{\"x\":[[{}]]}}", plain.join(",")),
        })
    }
}

/// A project with the three models, trained and registered.
fn project(built: &Built) -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
        anyhow::Ok(std::fs::write(path, text)?)
    };
    write("data/tumour.csv", &std::fs::read_to_string(TABLE)?)?;
    let endpoint = |model: &&str| format!("[endpoints.{model}]\nmodel = \"{model}\"\nalias = \"champion\"\n");
    let endpoints: String = MODELS.iter().map(endpoint).collect();
    write("stepwell.toml", &format!("name = \"served\"\n{endpoints}"))?;
    for model in MODELS {
        let pipeline = format!(
            "[steps.rows]\nplugin = \"csv\"\nparams = {{ path = \"data/tumour.csv\" }}\ngrants = {{ files = [\"data\"] }}\n\
             [steps.scaled]\nplugin = \"standardize\"\nfit = \"rows.table\"\ninputs = {{ train = \"rows.table\" }}\n\
             params = {{ except = [\"sample\"] }}\n\
             [steps.model]\nplugin = \"{model}\"\ninputs = {{ train = \"scaled.train\" }}\nlabel = \"diagnosis\"\n\
             ignore = [\"sample\"]\n\
             [steps.registered]\nbuiltin = \"register\"\ninputs = {{ model = \"model.model\" }}\n\
             name = \"{model}\"\nalias = \"champion\"\n"
        );
        write(&format!("pipelines/{model}.toml"), &pipeline)?;
        let ran = crate::served::command(built, folder.path(), &["run", model]).output()?;
        ensure!(ran.status.success(), "`{model}` does not run: {}", String::from_utf8_lossy(&ran.stderr));
    }
    Ok(folder)
}

/// A server under load. Dropped, it is ended.
struct Side {
    child: Child,
    address: SocketAddr,
}

impl Side {
    fn ours(built: &Built, project: &TempDir) -> Result<Self> {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--json"];
        let mut command = crate::served::command(built, project.path(), &arguments);
        let (child, line) = said(&mut command)?;
        let told: serde_json::Value = serde_json::from_str(&line).with_context(|| format!("it said `{line}`"))?;
        let address = told["listening"].as_str().and_then(|url| url.strip_prefix("http://")?.parse().ok());
        Ok(Self { child, address: address.context("no address")? })
    }

    fn rival(python: &Path) -> Result<Self> {
        // Taken, and let go for the rival, which cannot say which one it took.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(python);
        // One thread, as the peers were measured: more only wait for each other when a row comes at a time.
        command.args([RIVAL, TABLE, &address.port().to_string()]).env("OMP_NUM_THREADS", "1");
        let (child, line) = said(&mut command)?;
        ensure!(line == "ready\n", "the rival said `{line}`");
        let side = Self { child, address };
        let begin = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            ensure!(begin.elapsed() < READY_MAX, "the rival does not listen");
            std::thread::yield_now();
        }
        Ok(side)
    }

    /// The proportional share of memory of the process and of those that it started.
    fn pss_kib(&self) -> Result<u64> {
        let own = self.child.id();
        let tasks = PathBuf::from(format!("/proc/{own}/task"));
        let mut all = vec![own];
        for task in std::fs::read_dir(tasks)? {
            let text = std::fs::read_to_string(task?.path().join("children"))?;
            all.extend(text.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
        all.into_iter().map(crate::side::pss_kib).sum()
    }
}

/// A process, and the first line that it says.
fn said(command: &mut Command) -> Result<(Child, String)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
    Ok((child, line))
}

impl Drop for Side {
    fn drop(&mut self) {
        crate::served::end(&mut self.child);
    }
}

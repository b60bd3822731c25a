//! What can be typed. The doc comments are the help.

use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Runs machine-learning pipelines whose every step is a sandboxed WebAssembly component.
///
/// A project is a folder: `stepwell.toml` names it, `pipelines/NAME.toml` says what its steps are and how they are wired.
/// `stepwell init` makes one that runs at once.
#[derive(Parser)]
#[command(
    name = "stepwell",
    version,
    after_help = "Exit codes: 0 done, 1 a fault of ours or of this machine, 2 the command line or the project is wrong, \
                  3 a run failed, 4 a gate rejected the model, 5 there is no such thing, 130 cancelled."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// The project's folder
    #[arg(long, short = 'C', global = true, default_value = ".", value_name = "FOLDER")]
    pub(crate) project: PathBuf,

    /// Where runs, models and tables are kept [default: .stepwell in the project's folder]
    #[arg(long, global = true, env = "STEPWELL_DATA", value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,

    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a new project that runs at once
    ///
    /// Writes `stepwell.toml`, a pipeline, real data to try it on and a README that says how to put your own data in.
    /// Nothing that exists is overwritten.
    Init {
        /// The folder to make; its last part names the project
        folder: PathBuf,
    },
    /// Say everything that is wrong with the project, without running it
    ///
    /// Checks the files, builds Python steps, asks every plugin what it needs and gives, and holds the wiring against that.
    /// `run` does the same first.
    Check {
        /// Only this pipeline
        pipeline: Option<String>,
        /// Accept plugins that differ from those that `stepwell.lock` pins
        #[arg(long)]
        update_lock: bool,
    },
    /// Run a pipeline and show its progress
    ///
    /// With a server on the same data folder the run is the server's and goes on if this command is killed; without one
    /// it is interrupted and `stepwell runs resume` goes on with it. Ctrl-C cancels it.
    Run {
        /// Which pipeline; needed if the project has several
        pipeline: Option<String>,
    },
    /// Look at runs, and go on with interrupted ones
    #[command(subcommand)]
    Runs(Runs),
    /// Look at registered models
    #[command(subcommand)]
    Model(Model),
    /// Serve the project's endpoints, and this data folder to the other commands
    ///
    /// Speaks the Open Inference Protocol v2: `GET /v2/models/NAME`, `POST /v2/models/NAME/infer`; and plainly
    /// `POST /predict/NAME` with {"rows": [{..}]}. Requests are JSON and say so (`Content-Type: application/json`). Resumes
    /// runs that a crash interrupted. Ctrl-C or SIGTERM ends it, once what is under way is answered or after 10 s; a second
    /// one at once.
    Serve {
        /// A loopback address; port 0 takes a free one
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
    /// A sandboxed process; started by the server, never by hand
    #[command(hide = true)]
    Worker,
}

#[derive(Subcommand)]
pub(crate) enum Runs {
    /// All runs, the newest first
    List,
    /// A run: its steps, what they used and gave, its verdict
    Show { run: u64 },
    /// What the steps of a run logged
    Logs {
        run: u64,
        /// Only this step
        #[arg(long)]
        step: Option<String>,
    },
    /// Go on with an interrupted run; steps that were committed are not repeated
    Resume { run: u64 },
    /// Stop a run
    Cancel { run: u64 },
    /// The first rows of a table that a step gave
    Rows {
        run: u64,
        /// STEP.PORT, such as `parts.test`
        output: String,
        /// How many, at most 10,000
        #[arg(long, default_value_t = 20)]
        limit: u64,
    },
}

#[derive(Subcommand)]
pub(crate) enum Model {
    /// All models, their versions and aliases
    List,
    /// A version: what it needs and gives, how good it is, where it came from
    Show {
        name: String,
        /// A number or an alias [default: the latest]
        version: Option<String>,
    },
}

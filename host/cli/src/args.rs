//! What can be typed. The doc comments are the help.

mod access;
mod audit;
mod endpoint;
mod model;
mod runs;
mod tenant;

pub(crate) use access::{Key, Predictions};
pub(crate) use audit::Audit;
pub(crate) use endpoint::Endpoint;
pub(crate) use model::Model;
pub(crate) use runs::Runs;
pub(crate) use tenant::{Secret, Tenant};

use clap::builder::{FalseyValueParser, PossibleValuesParser};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use types::{ProjectName, TenantId};

/// Runs machine-learning pipelines whose every step is a sandboxed WebAssembly component.
///
/// A project is a folder: `stepwell.toml` names it, `pipelines/NAME.toml` says what its steps are and how they are wired.
/// `stepwell init` makes one that runs at once.
#[derive(Parser)]
#[command(
    name = "stepwell",
    version,
    after_help = "Exit codes: 0 done, 1 a fault of ours or of this machine, 2 the command line or the project is wrong, \
                  3 a run or a test failed, 4 a gate rejected the model, 5 there is no such thing, 130 cancelled."
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

    /// Take the data folder as yours, wherever it came from, from now on
    ///
    /// What it holds is believed, such as the policies that say what steps may reach. One that came with a project from
    /// elsewhere is refused without this: remove it instead, unless you trust whoever made it.
    #[arg(long, global = true, env = "STEPWELL_TRUST_DATA", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) trust_data: bool,

    /// Whose runs, models, endpoints and secrets are meant
    #[arg(long, global = true, env = "STEPWELL_TENANT", default_value = "default", value_name = "NAME")]
    pub(crate) tenant: TenantId,

    /// Whether steps run where a wall of the operating system (Landlock, seccomp) cannot be raised round their process
    #[arg(long, global = true, env = "STEPWELL_WALLS", value_enum, default_value_t = Walls::BestEffort, value_name = "HOW")]
    pub(crate) walls: Walls,

    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Args {
    /// `stepwell` with those of its options by which a further command means the same runs: for hints that can be pasted.
    pub(crate) fn again(&self) -> String {
        let mut words = vec!["stepwell".to_owned()];
        if self.project != Path::new(".") {
            words.extend(["-C".to_owned(), pasted(&self.project)]);
        }
        if let Some(data) = &self.data {
            words.extend(["--data".to_owned(), pasted(data)]);
        }
        if !self.tenant.is_default() {
            words.extend(["--tenant".to_owned(), self.tenant.to_string()]);
        }
        words.join(" ")
    }
}

/// A path as a shell takes it.
fn pasted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// `NAME=VALUE`, read.
pub(crate) type Assignment = (String, serde_json::Value);

/// A value is JSON, or else a text.
fn assignment(text: &str) -> Result<Assignment, String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let duration = types::parse_duration(text).map_err(|error| error.to_string())?;
    u64::try_from(duration.as_millis()).map_err(|error| error.to_string())
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Walls {
    /// They run behind the others, with a warning
    BestEffort,
    /// None runs
    Required,
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
    #[command(after_long_help = limits())]
    Check {
        /// Only this pipeline
        pipeline: Option<String>,
        /// Show the columns of every table with their types
        #[arg(long)]
        columns: bool,
        /// Accept plugins that differ from those that `stepwell.lock` pins
        #[arg(long)]
        update_lock: bool,
        /// Even if one of them asks for more than the pinned one
        #[arg(long, requires = "update_lock")]
        accept: bool,
    },
    /// Run a pipeline and show its progress
    ///
    /// With a server on the same data folder the run is the server's and goes on if this command is killed; without one
    /// it is interrupted and `stepwell runs resume` goes on with it. Ctrl-C cancels it.
    Run {
        /// Which pipeline; needed if the project has several
        pipeline: Option<String>,
        /// As it was deployed, whatever the folder says now
        #[arg(long, requires = "pipeline", conflicts_with_all = ["param", "set", "no_cache", "explain"])]
        deployed: bool,
        /// Set a parameter of a step for this run: JSON, or else a text
        #[arg(long, value_name = "STEP.NAME=VALUE", value_parser = assignment)]
        param: Vec<Assignment>,
        /// Set what the project leaves open for this run, likewise
        #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
        set: Vec<Assignment>,
        /// Do every step, also where an earlier run did the same
        #[arg(long)]
        no_cache: bool,
        /// Say of each step why an earlier run's outputs stand for its own, or why they do not
        #[arg(long)]
        explain: bool,
    },
    /// Have the project run by itself: store it as it is now, as a version that schedules and other triggers start
    ///
    /// Checks and plans every pipeline, shows what differs from the version that runs now, and asks. What is deployed stays as
    /// it is whatever becomes of the folder; grants of files are still relative to it. A running `stepwell serve` starts the
    /// runs and serves the endpoints.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Without a terminal it goes on by itself, but not if a step would reach more than before: \
                  that needs --yes.\n\nExample: stepwell deploy --tenant acme --set region=eu"
    )]
    Deploy {
        #[command(subcommand)]
        command: Option<Deploy>,
        /// Set a setting of the project for this tenant; those of the version before stay
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Take what the project says of a setting again
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Look at runs, and go on with interrupted ones
    #[command(subcommand)]
    Runs(Runs),
    /// Forget runs that need not be kept, and remove what nothing names any more, in the journal too
    ///
    /// Only the tenant's. Never what a run that has not ended needs, nor what is behind a registered version, nor a pipeline's
    /// newest run that succeeded. Without --keep-runs and --older-than runs are kept as the deployed project's `[retention]` says,
    /// and where nothing is said only what no run names any more goes. It may be called while runs are under way.
    Gc {
        /// Say what would go, and remove nothing
        #[arg(long)]
        dry_run: bool,
        /// Of each pipeline keep so many runs that have ended
        #[arg(long, value_name = "NUMBER")]
        keep_runs: Option<u32>,
        /// Forget what ended longer ago, such as "90 d"
        #[arg(long, value_name = "TIME", value_parser = milliseconds)]
        older_than: Option<u64>,
    },
    /// Look at when pipelines run by themselves, hold them, and run a past span again
    ///
    /// Schedules fire once they are deployed (`stepwell deploy`), while `stepwell serve` runs. A PIPELINE here may be written
    /// as PROJECT/PIPELINE.
    #[command(subcommand)]
    Schedule(Schedule),
    /// Look at what starts deployed pipelines by itself
    ///
    /// Schedules, pipelines that follow others, files that change, sources that have more, and signed calls. They start runs while
    /// `stepwell serve` runs.
    #[command(subcommand)]
    Trigger(Trigger),
    /// Look at registered models, and decide which of their versions answers
    #[command(subcommand)]
    Model(Model),
    /// Look at who answers under which name, and hold or move canaries
    #[command(subcommand)]
    Endpoint(Endpoint),
    /// See that nobody changed the records or the blobs behind them
    #[command(subcommand)]
    Audit(Audit),
    /// Set values that steps send and never see
    #[command(subcommand)]
    Secret(Secret),
    /// Look at what endpoints predicted, and what became of it
    #[command(subcommand)]
    Predictions(Predictions),
    /// Let applications in: keys that they call endpoints with
    #[command(subcommand)]
    Key(Key),
    /// Keep several clients apart: what each may reach and use up
    #[command(subcommand)]
    Tenant(Tenant),
    /// Make, build, test, look at and add plugins
    #[command(subcommand)]
    Plugin(Plugin),
    /// Serve the project's endpoints, and this data folder to the other commands
    ///
    /// Speaks the Open Inference Protocol v2, over gRPC too: `GET /v2/models/NAME`, `POST /v2/models/NAME/infer`; and plainly
    /// `POST /predict/NAME` with {"rows": [{..}]}. `/docs` shows all of it in a browser. Those are the tenant `default`'s; another's
    /// lie beneath `/tenants/NAME`. Requests are JSON and say so (`Content-Type: application/json`). Resumes runs that a crash
    /// interrupted. What is wrong with the project's pipelines is told and stops nothing; a deployed project is served as it was
    /// deployed, whatever became of the folder. Ctrl-C or SIGTERM ends it, once what is under way is answered or after 10 s; a second one at once.
    Serve {
        /// Where; port 0 takes a free one. An address beyond loopback needs --require-keys
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// Let nobody in without a key, whichever tenant is meant
        ///
        /// A tenant that has a key lets nobody in without one anyhow. Only whether the server lives and is ready is told to all.
        #[arg(long, env = "STEPWELL_REQUIRE_KEYS", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
        require_keys: bool,
        /// Speak HTTPS with this certificate: PEM, the chain behind it in the same file. SIGHUP has both files read again
        #[arg(long, requires = "tls_key", value_name = "FILE")]
        tls_cert: Option<PathBuf>,
        /// The certificate's private key: PEM
        #[arg(long, requires = "tls_cert", value_name = "FILE")]
        tls_key: Option<PathBuf>,
    },
    /// Have plugins try to break out, and say which walls held on this machine
    ///
    /// Says which walls stand round the processes that run steps, what builds plugins here, and whether others may look into
    /// the data and cache folders. Then the plugins `abuse` and `abuse-roles` try: loops, bombs, floods, files and addresses
    /// that are not theirs, broken components, broken promises. It happens in a folder of its own, which goes afterwards, and
    /// takes less than a minute. The exit code is 0 if every wall held, 1 if one did not.
    Doctor,
    /// A sandboxed process; started by the server, never by hand
    #[command(hide = true)]
    Worker,
}

impl Command {
    /// Whether it starts workers, or may.
    pub(crate) fn has_plugins_run(&self) -> bool {
        matches!(
            self,
            Self::Check { .. }
                | Self::Plugin(Plugin::Add { .. } | Plugin::List)
                | Self::Run { .. }
                | Self::Deploy { command: None, .. }
                | Self::Serve { .. }
                | Self::Runs(Runs::Resume { .. } | Runs::Rerun { .. } | Runs::Replay { .. })
        )
    }
}

#[derive(Subcommand)]
pub(crate) enum Trigger {
    /// All triggers of the tenant's deployed pipelines: what each waits for, whether it can fire, when it comes next, and the run
    /// that it started last
    List,
}

#[derive(Subcommand)]
pub(crate) enum Schedule {
    /// When a pipeline is to run: by the clocks of its zone, in UTC, and why where clocks change
    ///
    /// Reads `[schedule]` in `pipelines/NAME.toml` and nothing else; no server is asked. A time is a date, which is meant as
    /// a whole, or a date and a time of day in the schedule's zone, or with `Z` or an offset.
    #[command(after_help = "A schedule:\n  \
          [schedule]\n  \
          cron = \"30 2 * * *\"       # minute, hour, day of month, month, day of week; or @daily\n  \
          zone = \"Europe/Berlin\"    # UTC if it is not written\n  \
          gap = \"next\"              # a time that clocks leave out runs when they go on; or \"skip\"\n  \
          fold = \"once\"             # a time that comes twice runs the first time; or \"twice\"\n  \
          missed = \"latest\"         # of what came while nothing ran; or \"all\", \"none\"\n  \
          catch_up = \"7 d\"          # how old what is made up for may be\n  \
          overlap = \"skip\"          # during a run; or \"buffer-one\", \"buffer-all\", \"cancel-other\", \"allow\"\n  \
          jitter = \"5 min\"          # starts up to so much later, each time alike; none if it is not written\n  \
          start = 2026-03-01\n  \
          end = 2026-12-31\n  \
          paused = false\n\n\
        What runs every hour or several times within one goes by real time instead, unless `gap` or `fold` is written.")]
    Preview {
        /// Which pipeline
        pipeline: String,
        /// The first moment that counts [default: now]
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// The last moment that counts
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        /// How many rows at most, up to 10,000
        #[arg(long, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=10_000))]
        count: u16,
    },
    /// All deployed schedules
    List,
    /// Hold a schedule: what comes meanwhile is passed over
    Pause { pipeline: String },
    /// Let a held schedule go on from now
    Resume { pipeline: String },
    /// What became of a schedule's last instants: their runs, and why others did not run
    History { pipeline: String },
    /// Run a past span again, both ends included; without a pipeline, look at what was asked for
    Backfill {
        #[arg(requires_all = ["from", "to"], conflicts_with = "cancel")]
        pipeline: Option<String>,
        /// The first moment, as in `preview`
        #[arg(long, value_name = "TIME", requires = "pipeline")]
        from: Option<String>,
        /// The last moment
        #[arg(long, value_name = "TIME", requires = "pipeline")]
        to: Option<String>,
        /// `buffer-all` runs one after another, `allow` several beside each other
        #[arg(long, value_name = "HOW", requires = "pipeline", value_parser = ["buffer-all", "allow"])]
        overlap: Option<String>,
        /// Which instants come first
        #[arg(long, value_name = "WHICH", requires = "pipeline", value_parser = ["oldest", "newest"])]
        order: Option<String>,
        /// Begin no more runs of this one
        #[arg(long, value_name = "NUMBER")]
        cancel: Option<u64>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Deploy {
    /// All deployed projects of the tenant
    List,
    /// All versions of a project
    History {
        /// [default: the one in the folder]
        name: Option<ProjectName>,
    },
    /// A version: its pipelines, what starts them, its endpoints
    Show {
        /// A number [default: the current one]
        version: Option<u32>,
        /// Which project [default: the one in the folder]
        #[arg(long, value_name = "NAME")]
        name: Option<ProjectName>,
    },
    /// Bring an earlier version back, as a new one
    Rollback {
        /// A number [default: the one that ran before]
        version: Option<u32>,
        /// Which project [default: the one in the folder]
        #[arg(long, value_name = "NAME")]
        name: Option<ProjectName>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum Plugin {
    /// Make a folder with a plugin that builds and passes its test
    ///
    /// It does something small in its role; change it into what you need. Its README says how to test, build and use it.
    /// Nothing that exists is overwritten.
    #[command(after_help = "Roles:\n  \
          collector    brings rows in from outside, a page at a time\n  \
          validator    judges rows; a check that fails stops the run\n  \
          transformer  tables to tables, without state\n  \
          fitted       row by row, with what it learnt; the same code in training and serving\n  \
          trainer      learns a model, and answers with it (the same plugin is the predictor)\n  \
          evaluator    measures predictions\n  \
          sink         brings rows, a report or a model out\n\n\
        Example: stepwell plugin new --lang python --role fitted z-score")]
    New {
        /// What it is written in
        #[arg(long, value_parser = PossibleValuesParser::new(crate::commands::plugin::languages()))]
        lang: String,
        /// What it is to a pipeline
        #[arg(long, value_parser = PossibleValuesParser::new(types::Role::ALL.map(types::Role::interface)))]
        role: String,
        /// Names the plugin and its folder, which is made in the project's folder: letters, digits and `-`
        name: String,
    },
    /// Build a plugin's source into a WebAssembly component, and see that it runs here
    ///
    /// The language is told by what lies there: `Cargo.toml` is Rust, `*.py`, `*.js`, `*.ts` or `*.c` a step. The first
    /// build fetches the language's tools and takes a minute or more; they are kept for all projects. The component is
    /// compiled in a worker and asked what it is; if it is refused, nothing is written.
    ///
    /// Such a step is only ever run in the sandbox. Cargo runs build scripts and macros of a Rust plugin and its dependencies
    /// on this machine, as you: build those you trust, and take others as components.
    Build {
        /// The plugin's folder, or its file
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Where the component goes: a file, or a folder that is there [default: NAME.wasm in the plugin's folder]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Run a plugin in the sandbox on its fixtures, and compare what it gives with what was recorded
    ///
    /// A fixture is `tests/NAME.toml` in the plugin's folder: a role, parameters and small tables. The plugin is built, or
    /// taken as the component that it is, and called as a run would call it; `tests/NAME.expected.json` has what it is to
    /// give. Exit code 3 if it gives something else.
    #[command(after_help = "A fixture:\n  \
          role = \"fitted\"\n  \
          params = { column = \"age\" }\n\n  \
          [inputs.fit]             # what it learns from; every other table is transformed\n  \
          csv = \"\"\"\n  \
          age:float64?,name:text   # a type a column; `?` where values may be null\n  \
          41,Ann\n  \
          ,Bob\n  \
          \"\"\"\n\n\
        Tables by role: transformer its ports; fitted `fit` and others; validator `table`, `reference`; trainer `train`,\n\
        `validation`, and `predict` for the predictor, with the keys `label`, `weight`, `features`; evaluator `candidate`,\n\
        `baseline`, with `slices`; sink `table`. More keys: `seed`, `grants` (relative to the plugin's folder),\n\
        `tolerance`, and for a fitted step state = { \"state.json\" = '..' }, which it restores instead of learning. A table may also be given as columns = [\"age:float64?\"] and json = '[{\"age\": 41}]'.\n\n\
        A fixture comes with the plugin, so what it grants is opened beneath a policy, as in a run: the plugin's own folder, the\n\
        clock and randomness. --allow opens more, in the words of `tenant policy`, and both must say it. A variable is\n\
        STEPWELL_VAR_NAME of the environment; a secret has a made-up value, `secret NAME`, and never one of a tenant's.")]
    Test {
        /// The plugin's folder or file, or a component
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Record what it gives now
        #[arg(long)]
        bless: bool,
        /// Let fixtures grant this too, such as 'http = ["GET http://localhost:8000/"]'
        #[arg(long, value_name = "LINE")]
        allow: Vec<String>,
    },
    /// Say what a component is, may be set to, and asks for
    ///
    /// What it asks for is read from its imports, not from its words: a component that does not import `http` cannot make
    /// a request, whatever a pipeline grants. Nothing of it runs but its description, in a sandbox.
    Inspect {
        /// A component's file, or the name of a plugin as a pipeline writes it
        #[arg(value_name = "FILE|NAME")]
        component: String,
        /// Say what is new against this one, and what is gone
        #[arg(long, value_name = "OLD")]
        diff: Option<String>,
    },
    /// Add a plugin to the project, so that its pipelines can name it
    ///
    /// The component is compiled in a worker, asked what it is, and copied to `plugins/NAME.wasm`; `stepwell.lock` pins its
    /// digest and what it asks for. One that takes another's place and asks for more is refused until `--accept`. Asking is
    /// not getting: a step reaches what its pipeline grants.
    Add {
        /// A component's file, a folder or file of source that is built, or the digest of a component in the data folder
        #[arg(value_name = "PATH|FOLDER|DIGEST")]
        component: String,
        /// Also if it asks for more than the one that it replaces
        #[arg(long)]
        accept: bool,
    },
    /// The plugins that the project's pipelines can name
    List,
    /// Measure the languages that plugins are written in: size, build, start and call, on this machine
    ///
    /// Builds the same small step in each, a z-score of a column with nulls that learns from rows, and has a worker time it in
    /// the sandbox, best of several rounds. Takes about two minutes, and longer the first time, when languages' tools are
    /// fetched.
    #[command(after_help = "Columns:\n  \
          component    bytes of the WebAssembly component\n  \
          first build  of a new folder: with dependencies, and with tools that are not there yet\n  \
          next build   after an edit\n  \
          native       from component to native code, once for each component: plugin add, check\n  \
          load         native code from disk, once a worker\n  \
          start        a fresh instance that restores what was learnt and answers one row\n  \
          1 row ..     one answer of an instance that stays, as in serving")]
    Languages {
        /// Only these [default: all]
        #[arg(value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(crate::commands::plugin::languages()))]
        languages: Vec<String>,
    },
    /// Remove a plugin that was added; refused while a step uses it
    Remove {
        /// As pipelines write it
        name: String,
    },
}

/// The keys of `limits` in a manifest.
fn limits() -> String {
    let rows = types::LimitKind::ALL.iter().map(|kind| {
        let default = kind.quantity(types::Limits::DEFAULT.get(*kind));
        vec![kind.key().to_owned(), default.to_string(), kind.about().counts.to_owned()]
    });
    let table = crate::show::table(&["limit", "default", "what it counts"], rows.collect());
    format!("Limits of a step, in `limits` of the project, a pipeline or the step:\n\n{table}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_json_or_else_a_text() {
        for (text, value) in [
            ("a.b=3", serde_json::json!(3)),
            ("a.b=[1, 2]", serde_json::json!([1, 2])),
            ("a.b=eu", "eu".into()),
            ("a.b=x=y", "x=y".into()),
            ("a.b=\"3\"", "3".into()),
            ("a.b=", "".into()),
        ] {
            assert_eq!(assignment(text), Ok(("a.b".to_owned(), value)), "{text}");
        }
        assert!(assignment("a.b").is_err());
    }

    #[test]
    fn a_further_command_means_the_same_runs() {
        for (typed, again) in [
            (&["run"][..], "stepwell"),
            (&["--tenant", "acme", "run"], "stepwell --tenant acme"),
            (&["-C", "my shop", "run", "--data", "/srv/d"], "stepwell -C 'my shop' --data /srv/d"),
        ] {
            let args = Args::parse_from([&["stepwell"], typed].concat());
            assert_eq!(args.again(), again);
        }
    }
}

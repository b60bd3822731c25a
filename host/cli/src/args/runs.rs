//! What can be typed about runs.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;
use types::{PipelineName, StepName};

/// How runs can stand, as the API writes it.
const STANDINGS: [&str; 6] = ["running", "interrupted", "succeeded", "rejected", "failed", "cancelled"];

#[derive(Subcommand)]
pub(crate) enum Runs {
    /// Runs, the newest first
    List {
        /// Only those of this pipeline
        #[arg(long, value_name = "NAME")]
        pipeline: Option<PipelineName>,
        /// Only those that stand so
        #[arg(long, value_parser = PossibleValuesParser::new(STANDINGS))]
        state: Option<String>,
        /// How many, at most 10,000
        #[arg(long, default_value_t = 50, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// A run: its steps, what they used and gave, its items and its verdict, and where its page lies
    Show { run: u64 },
    /// What a run's gate decided and why: each requirement, on all rows and on each slice
    Verdict {
        run: u64,
        /// Write a picture of it into this file
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// What the steps of a run logged
    Logs {
        run: u64,
        /// Only this step
        #[arg(long)]
        step: Option<String>,
    },
    /// Go on with an interrupted run; steps that were committed are not repeated
    Resume { run: u64 },
    /// Run the plan of a run again from a step on; what it had before that step stands
    ///
    /// The new run has the same plan, logical time and settings. Every step that committed and is neither STEP nor behind it is
    /// taken as it is.
    Rerun {
        run: u64,
        /// The first step that is done again
        #[arg(long, value_name = "STEP")]
        from: StepName,
    },
    /// Compute all of a run again, and compare every output with what it gave
    ///
    /// What the outside world has a say in is taken from the recording and told: collectors, sinks, registrations, and steps
    /// with grants. Exit code 3 if an output differs.
    Replay { run: u64 },
    /// How two runs differ: inputs, settings, plugins, outputs, measures
    Diff {
        #[arg(value_name = "RUN")]
        a: u64,
        #[arg(value_name = "OTHER")]
        b: u64,
        /// Show what is equal too
        #[arg(long)]
        all: bool,
    },
    /// Stop a run; one that is interrupted ends without going on
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

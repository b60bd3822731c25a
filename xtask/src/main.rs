//! A clone -> built plugins, a demo, the tests. `cargo xtask`, an alias in `.cargo/config.toml`.
//!
//! ```text
//!  plugins: toolchain::rust (a crate a plugin -> a component) -> TARGET/debug/plugins/NAME.wasm
//!  contract: wit/ -> docs/contract, a page an interface
//!  demo:    plugins -> the stepwell binary -> a run of examples/tumour -> a server -> predictions over HTTP
//!  test:    every check of the repository, a stage a line; stops at the first failure
//!  bench:   plugins and optimised binaries -> bench/ -> an area's figures, a JSON line each
//! ```
//! It drives other programs and knows no crate of `host/` but the one that builds plugins: what it proves, it proves of
//! the binary.

mod bench;
mod contract;
mod demo;
mod fuzz;
mod guests;
mod http;
mod pages;
mod places;
mod server;
mod shell;
mod test;

use anyhow::Result;
use std::process::ExitCode;

const HELP: &str = "\
Builds, shows and checks Stepwell. Run it anywhere in the repository.

Usage: cargo xtask COMMAND

Commands:
  demo     Builds everything, trains the model of examples/tumour step by step in sandboxes, serves it, and asks it about
           patients it has not seen. The first time it compiles for some minutes; after that it takes seconds.
  test     All checks: formatting, lints, the plugins, every test in Rust, Python and JavaScript. Stops at the first
           failure. This is what CI runs (.ci/run).
  plugins  Builds plugins/* as WebAssembly components to TARGET/debug/plugins/NAME.wasm, where the `stepwell` binary
           beside them finds them, and the guests of the tests to TARGET/debug/test-guests/. Installs the WebAssembly
           target of Rust if it is not there.
  fuzz     TARGET [--seconds N] [--seed N]: what strangers send, over and over, for N seconds (60). TARGET is components,
           chunks, tables, frames, manifest, tensors, trees, queries, requests, mutants or simulation. A failure
           prints its seed.
  bench    AREA [FIGURE]: builds with optimisations and prints the figures of an area, a JSON line each: name, value, unit,
           goal and the machine's load; with FIGURE those alone whose names begin so (not of serve, which is one
           measurement). AREA is sandbox, kernels, which installs PyTorch, LightGBM and DuckDB in the cache and runs them
           beside ours, run, which does so with Luigi and Dagster, or serve, with FastAPI and scikit-learn. Let nothing
           else run meanwhile.
  contract Writes docs/contract, a page an interface of wit/. With --bless also compiles the plugin that is kept for this
           version of the contract anew, and records what it gives (host/sandbox/tests/contract/README.md).
  help     This text.

TARGET is `target`, or CARGO_TARGET_DIR: set it to a folder outside the clone, and the next clone finds its dependencies
built.
What to do next: `cargo xtask demo`, then README.md.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<ExitCode> {
    match arguments {
        [] | ["help" | "--help" | "-h"] | [_, "--help" | "-h"] => print!("{HELP}"),
        ["plugins"] => guests::build_all()?,
        ["contract"] => contract::run(false)?,
        ["contract", "--bless"] => contract::run(true)?,
        ["demo"] => demo::run()?,
        ["test"] => test::run()?,
        ["bench", area] => bench::run(area, None)?,
        ["bench", area, beginning] => bench::run(area, Some(beginning))?,
        ["fuzz", target, options @ ..] => fuzz::run(target, options)?,
        other => {
            eprintln!(
                "error: no command `{}`; there are `demo`, `test`, `plugins`, `contract`, `fuzz`, `bench` and `help`",
                other.join(" ")
            );
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! argv <-> the server. Composes the whole: the only crate that reads the environment and decides what a tenant sees of it.

mod args;
mod commands;
mod memory;
mod open;
mod outcome;
mod show;

use clap::Parser;
use std::process::ExitCode;

/// Counts what a worker takes, and ends it at its limit; elsewhere only counts.
#[global_allocator]
static ALLOCATOR: worker::CappedAllocator = worker::CappedAllocator;

fn main() -> ExitCode {
    let args = typed();
    // A worker's threads are the guest's to use; it gets no runtime of ours.
    if matches!(args.command, args::Command::Worker) {
        return match worker::main() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(outcome::OURS),
        };
    }
    memory::keep_little();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("error: cannot start: {error}");
            return ExitCode::from(outcome::OURS);
        }
    };
    let json = args.json;
    let ended = runtime.block_on(commands::carry_out(args));
    // A request that is still being answered has nobody to answer to: what it does ends with this process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.show(json);
            ExitCode::from(failure.code)
        }
    }
}

/// Half of the processors' worth of threads: the rest are the workers', and a runtime that has threads to spare wakes a second one for
/// all that it hears.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let threads = std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

/// What was typed. An error quotes it, so it is read once more without what a terminal would obey.
fn typed() -> args::Args {
    args::Args::try_parse().unwrap_or_else(|error| {
        let tamed = std::env::args_os().map(|typed| show::tame(&typed.to_string_lossy()));
        args::Args::try_parse_from(tamed).err().unwrap_or(error).exit()
    })
}

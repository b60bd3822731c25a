//! `plugin languages`: the same small step in every language, built and called on this machine, as a table.

use super::build::{accepted, note};
use crate::args::Args;
use crate::commands::print_json;
use crate::open::{self, Scratch};
use crate::outcome::Failure;
use crate::show;
use serde::Serialize;
use server::TIMED_ROWS;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use toolchain::{LANGUAGES, Language, Tools};
use types::TenantId;

/// This build of `stepwell`, whose own part of a call is in every time; guests and wasmtime are optimised in either.
const PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

/// What was measured of a language. Times in the unit of their name.
#[derive(Serialize)]
struct Measured {
    language: &'static str,
    component_bytes: u64,
    first_build_s: f64,
    next_build_s: f64,
    native_s: f64,
    load_ms: f64,
    start_us: f64,
    /// A time for each number of rows in `TIMED_ROWS`.
    call_us: Vec<f64>,
}

pub(super) fn languages(args: &Args, chosen: &[String]) -> Result<u8, Failure> {
    let scratch = open::scratch(args)?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Option<f64> = load.split(' ').next().and_then(|first| first.parse().ok());
    let is_chosen = |language: &&Language| chosen.is_empty() || chosen.iter().any(|word| word == language.word);
    let measured = LANGUAGES.into_iter().filter(is_chosen).map(|language| measured(&scratch, language));
    let measured = measured.collect::<Result<Vec<_>, Failure>>()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if args.json {
        return print_json(&serde_json::json!({
            "profile": PROFILE, "cores": cores, "load": load, "rows": TIMED_ROWS, "languages": measured,
        }));
    }
    anstream::print!("{}", show::table(&HEAD, measured.iter().map(row).collect()));
    let load = load.map(|load| format!(", load {load} when it began")).unwrap_or_default();
    anstream::println!("\nby a {PROFILE} build of stepwell {} on {cores} cores{load}", env!("CARGO_PKG_VERSION"));
    Ok(0)
}

fn measured(scratch: &Scratch, language: &'static Language) -> Result<Measured, Failure> {
    let within = scratch.folder.0.join("languages").join(language.word);
    let (folder, step) = toolchain::example(&within, language)?;
    let component = within.join("zscore.wasm");
    let first = built(&folder, &component)?;
    // An edit that changes nothing but the file: no tool may take what it made before.
    std::fs::OpenOptions::new()
        .append(true)
        .open(step)
        .and_then(|mut step| step.write_all(b"\n"))
        .map_err(Failure::ours)?;
    let next = built(&folder, &component)?;
    let began = Instant::now();
    let plugin = accepted(scratch, &component, "zscore.wasm")?;
    let native = began.elapsed();
    note(format!("timing the step in {}", language.shown));
    let params = serde_json::json!({ "columns": ["x"] });
    let times = scratch.server.time(&TenantId::default_tenant(), plugin.digest, &params, "x").map_err(Failure::from)?;
    Ok(Measured {
        language: language.shown,
        component_bytes: plugin.bytes,
        first_build_s: first.as_secs_f64(),
        next_build_s: next.as_secs_f64(),
        native_s: native.as_secs_f64(),
        load_ms: times.load_us / 1e3,
        start_us: times.fresh_us,
        call_us: times.warm_us,
    })
}

fn built(folder: &Path, component: &Path) -> Result<Duration, Failure> {
    let began = Instant::now();
    toolchain::build(folder, component, &Tools { cache: &open::cache(), notes: &note })?;
    Ok(began.elapsed())
}

const HEAD: [&str; 10] = [
    "language",
    "component",
    "first build",
    "next build",
    "native",
    "load",
    "start",
    "1 row",
    "1,000 rows",
    "1,000,000 rows",
];

fn row(measured: &Measured) -> Vec<String> {
    let builds = [measured.first_build_s, measured.next_build_s, measured.native_s].map(|seconds| time(seconds * 1e6));
    let times = [measured.load_ms * 1e3, measured.start_us].into_iter().chain(measured.call_us.iter().copied());
    let own = [measured.language.to_owned(), show::bytes(measured.component_bytes)];
    own.into_iter().chain(builds).chain(times.map(time)).collect()
}

/// Microseconds, to two or three digits that count.
fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1e3 => (us, "us"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    format!("{value:.*} {unit}", usize::from(value < 9.95))
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_short() {
        for (us, expected) in
            [(0.94, "0.9 us"), (9.96, "10 us"), (140.2, "140 us"), (3_210.0, "3.2 ms"), (61_900_000.0, "62 s")]
        {
            assert_eq!(super::time(us), expected);
        }
    }
}

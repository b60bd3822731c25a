//! `plugin test`: a plugin in the sandbox on its fixtures, against what was recorded.

use super::build::{accepted, component, there};
use crate::args::Args;
use crate::commands::print_json;
use crate::open::{self, Scratch};
use crate::outcome::{FAILED, Failure};
use crate::show;
use serde_json::Value;
use server::{Fixture, Inspected, PolicyChange, Tried};
use std::collections::BTreeMap;
use std::path::Path;
use types::TenantId;

/// What came of one fixture.
enum Verdict {
    Passed,
    Recorded,
    /// Nothing was recorded yet.
    Unrecorded,
    /// What was expected and what came.
    Differs(String, String),
}

pub(super) fn test(args: &Args, path: &Path, bless: bool, allow: &[String]) -> Result<u8, Failure> {
    let source = open::project(args)?.join(path);
    there(&source, &path.display().to_string())?;
    let folder = if source.is_dir() { source.clone() } else { source.parent().unwrap_or(&source).to_owned() };
    // All of them, before a minute goes into a build.
    let fixtures = fixtures(&folder, path)?;
    let scratch = open::scratch(args)?;
    opened(&scratch, &fixtures, allow)?;
    let file = match source.extension().is_some_and(|end| end == "wasm") {
        true => source,
        false => component(&source, path, &scratch.folder)?,
    };
    let plugin = accepted(&scratch, &file, &path.display().to_string())?;
    let mut failed = 0;
    let mut told = Vec::new();
    for (name, fixture) in &fixtures {
        let (tried, verdict) = held(&scratch, &plugin, &folder, name, fixture, bless)?;
        let passed = matches!(verdict, Verdict::Passed | Verdict::Recorded);
        failed += usize::from(!passed);
        match args.json {
            true => told.push(serde_json::json!({ "test": name, "passed": passed, "recorded": tried.recorded })),
            false => print(name, &tried, &verdict),
        }
    }
    if args.json {
        print_json(&told)?;
    } else {
        anstream::println!("{}: {} passed, {failed} failed", plugin.descriptor.name, fixtures.len() - failed);
    }
    Ok(if failed == 0 { 0 } else { FAILED })
}

/// The fixtures in a plugin's folder by their names, at least one; `shown` is what the person called it.
fn fixtures(folder: &Path, shown: &Path) -> Result<BTreeMap<String, Fixture>, Failure> {
    let entries = std::fs::read_dir(folder.join("tests")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned));
    let (mut fixtures, mut problems) = (BTreeMap::new(), Vec::new());
    for name in names {
        let file = format!("tests/{name}.toml");
        match Fixture::load(&folder.join(&file), &file) {
            Ok(fixture) => drop(fixtures.insert(name, fixture)),
            Err(wrong) => problems.extend(wrong),
        }
    }
    match (problems.is_empty(), fixtures.is_empty()) {
        (false, _) => Err(Failure::problems(problems).in_folder(folder)),
        (true, false) => Ok(fixtures),
        (true, true) => {
            let message = format!("`{}` has no fixtures: expected `tests/NAME.toml`", shown.display());
            Err(Failure::user(message).hinted("`stepwell plugin new` makes a plugin with one"))
        }
    }
}

/// What fixtures may grant, and the secrets that they name. These are made up: a fixture may be a stranger's, and a test is to
/// go alike on any machine.
fn opened(scratch: &Scratch, fixtures: &BTreeMap<String, Fixture>, allow: &[String]) -> Result<(), Failure> {
    let tenant = TenantId::default_tenant();
    if !allow.is_empty() {
        scratch.server.change_policy(&tenant, PolicyChange::Allow { lines: allow.to_vec() })?;
    }
    for name in fixtures.values().flat_map(|fixture| &fixture.grants.http).flat_map(|grant| &grant.secrets) {
        scratch.server.set_secret(&tenant, name, format!("secret {name}").as_bytes())?;
    }
    Ok(())
}

/// Tries the plugin on one fixture and holds what came against the recording, or records it.
fn held(
    scratch: &Scratch,
    plugin: &Inspected,
    folder: &Path,
    name: &str,
    fixture: &Fixture,
    bless: bool,
) -> Result<(Tried, Verdict), Failure> {
    let tried = scratch.server.try_out(&TenantId::default_tenant(), plugin, fixture, folder);
    let tried = tried.map_err(|error| Failure::from(error).in_folder(folder))?;
    let file = folder.join("tests").join(format!("{name}.expected.json"));
    let got = show::recording(&tried.recorded);
    let verdict = match recorded(&file)? {
        Some(expected) if show::alike(&expected, &tried.recorded, fixture.tolerance) => Verdict::Passed,
        _ if bless => {
            let written = server::write_file(&file, got.as_bytes());
            written.map_err(|error| Failure::user(format!("cannot write `{}`: {error}", file.display())))?;
            Verdict::Recorded
        }
        Some(expected) => Verdict::Differs(show::recording(&expected), got),
        None => Verdict::Unrecorded,
    };
    Ok((tried, verdict))
}

/// Most bytes of a recording. A plugin's folder may be a stranger's: nothing waits for a pipe there or reads for ever.
const RECORDED_BYTES_MAX: u64 = 64 << 20;

fn recorded(file: &Path) -> Result<Option<Value>, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::user(format!("cannot read `{}`: {error}", file.display()));
    match server::read_file(file, RECORDED_BYTES_MAX) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| wrong(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(&error)),
    }
}

fn print(name: &str, tried: &Tried, verdict: &Verdict) {
    let (good, bad) = (|word| show::styled(word, show::GOOD), |word| show::styled(word, show::BAD));
    match verdict {
        Verdict::Passed => anstream::println!("  {} {name}", good("passed")),
        Verdict::Recorded => anstream::println!("  {} {name}: tests/{name}.expected.json", good("recorded")),
        Verdict::Unrecorded => {
            let got = show::recording(&tried.recorded);
            let lines: String = got.lines().map(|line| format!("    {}\n", show::tame(line))).collect();
            anstream::print!("  {} {name}: nothing is recorded yet; it gave\n{lines}", bad("failed"));
            anstream::println!("    if that is right, record it with --bless");
        }
        Verdict::Differs(expected, got) => {
            anstream::print!("  {} {name}: - expected, + got\n{}", bad("failed"), show::differences(expected, got));
            tried.logged.iter().for_each(|line| anstream::println!("    log {}", show::tame(line)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn what_is_no_recording_is_neither_waited_for_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        assert!(recorded(&file("none")).unwrap().is_none());
        std::fs::write(file("good"), "[1]").unwrap();
        assert_eq!(recorded(&file("good")).unwrap(), Some(serde_json::json!([1])));
        mknodat(CWD, file("pipe"), FileType::Fifo, Mode::from(0o600), 0).unwrap();
        std::fs::File::create(file("huge")).unwrap().set_len(10 << 30).unwrap();
        std::fs::create_dir(file("folder")).unwrap();
        for (name, says) in
            [("pipe", "it is not a file"), ("huge", "longer than 64 MiB"), ("folder", "it is not a file")]
        {
            let told = format!("{:?}", recorded(&file(name)).unwrap_err());
            assert!(told.contains(says), "{name}: {told}");
        }
    }
}

//! `doctor`: which walls stand on this machine, what tools and devices it has, who may look into our folders; then plugins that try to
//! break out, a line each.

use super::print_json;
use crate::args::Args;
use crate::outcome::{Failure, OURS};
use crate::{open, show};
use doctor::{ATTEMPTS, Attempt, Finding, Ground};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use server::{Folder, LockedBy, Walls};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use types::Devices;

/// What builds plugins: none is needed to run them. A compiler of C, and Node.js where it is not there, come from Python's index.
const TOOLS: [(&str, &str); 3] = [
    ("cargo", "plugins in Rust"),
    ("python3", "plugins in Python and C; brings Node.js"),
    ("node", "plugins in JavaScript and TypeScript, if it is 20 or newer"),
];

/// A tool, if it is there.
#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: Option<String>,
    builds: &'static str,
}

/// A folder of ours; `exposed` says who else may look into it.
#[derive(Serialize)]
struct Looked {
    what: &'static str,
    path: PathBuf,
    exposed: Option<String>,
}

pub(crate) fn doctor(args: &Args) -> Result<u8, Failure> {
    let began = Instant::now();
    // Removed last: the ground writes into it until then.
    let (_folder, ground) = ground(args)?;
    let (walls, tools, folders, devices) = (ground.walls()?, tools(), folders(args), worker::devices());
    if !args.json {
        print_machine(&walls, &tools, &folders, &devices);
    }
    let findings = attempts(&ground, args.json)?;
    let held = findings.iter().filter(|finding| finding.held).count();
    let all = held == findings.len();
    let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    if args.json {
        print_json(&serde_json::json!({
            "held": all, "took_us": took_us, "walls": walls, "tools": tools, "folders": folders, "attempts": findings,
            "devices": { "cuda": devices.built, "found": devices.found },
        }))?;
    } else {
        let verdict = match all {
            true => show::styled("all held", show::GOOD),
            false => show::styled(&format!("{} did not hold", findings.len() - held), show::BAD),
        };
        anstream::println!("\n{} attempts in {}: {verdict}", findings.len(), show::duration(took_us));
    }
    Ok(if all { 0 } else { OURS })
}

/// An installation of nobody's, in the cache, where nobody else can write.
fn ground(args: &Args) -> Result<((open::Temporary, Folder), Ground), Failure> {
    let temporary = open::Temporary::new("doctor");
    let folder = temporary.0.clone();
    let LockedBy::Us(lock) = Folder::lock(&folder)? else {
        return Err(Failure::ours(format!("`{}` is in use", folder.display())));
    };
    let server::Options { executable, plugins, walls, .. } = open::options(args, &folder)?;
    let ground = Ground::open(doctor::Options { folder, executable, plugins, walls })?;
    Ok(((temporary, lock), ground))
}

fn tools() -> Vec<Tool> {
    let version = |name: &str| {
        let said = Command::new(name).arg("--version").output().ok().filter(|said| said.status.success())?;
        let first = String::from_utf8_lossy(&said.stdout).lines().next()?.to_owned();
        Some(first.trim_start_matches(|c: char| !c.is_ascii_digit()).to_owned())
    };
    let mut tools: Vec<Tool> =
        TOOLS.into_iter().map(|(name, builds)| Tool { name, version: version(name), builds }).collect();
    let target =
        Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]).output();
    let there = target.is_ok_and(|said| PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()).is_dir());
    let version = there.then(|| "installed".to_owned());
    tools.insert(1, Tool { name: "wasm32-unknown-unknown", version, builds: "plugins in Rust" });
    tools
}

/// The data folder if there is a project, and the cache.
fn folders(args: &Args) -> Vec<Looked> {
    let data = open::data(args).ok().map(|path| ("data", path));
    let folders = data.into_iter().chain([("cache", open::cache())]);
    folders.map(|(what, path)| Looked { what, exposed: doctor::exposed(&path), path }).collect()
}

fn print_machine(walls: &Walls, tools: &[Tool], folders: &[Looked], devices: &Devices) {
    let walls = walls.iter().map(|wall| vec![wall.name.clone(), wall.reason().unwrap_or("stands").to_owned()]);
    anstream::println!("{}", show::table(&["wall round every worker", ""], walls.collect()));
    let missing = || "not found".to_owned();
    let tools = tools
        .iter()
        .map(|tool| vec![tool.name.to_owned(), tool.version.clone().unwrap_or_else(missing), tool.builds.to_owned()]);
    anstream::println!("{}", show::table(&["tool", "version", "builds"], tools.collect()));
    let folders = folders.iter().map(|folder| {
        let who = folder.exposed.clone().unwrap_or_else(|| "yours alone".to_owned());
        vec![folder.what.to_owned(), folder.path.display().to_string(), who]
    });
    anstream::println!("{}", show::table(&["folder", "path", ""], folders.collect()));
    let found = devices.found.iter().map(|device| vec![device.to_string(), "found".to_owned()]);
    let none = devices.lack().map(|lack| vec!["none".to_owned(), lack.to_owned()]);
    anstream::println!("{}", show::table(&["GPU", ""], found.chain(none).collect()));
}

/// Makes every attempt, and shows each when it ended.
fn attempts(ground: &Ground, json: bool) -> Result<Vec<Finding>, Failure> {
    let widths = widths();
    let bar = progress(json);
    bar.set_message("compiling the plugins that try");
    ground.prepare()?;
    if !json {
        let head = line(widths, " ", ["attempt", "what is tried", "stopped by", "in"]);
        bar.suspend(|| anstream::println!("{}", show::faint(&head)));
    }
    let mut findings = Vec::new();
    for attempt in &ATTEMPTS {
        bar.set_message(attempt.tried);
        let finding = ground.make(attempt)?;
        if !json {
            bar.suspend(|| print(widths, &finding));
        }
        findings.push(finding);
    }
    bar.finish_and_clear();
    Ok(findings)
}

fn progress(json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Of the columns, known before the first line.
fn widths() -> [usize; 3] {
    let widest = |text: fn(&Attempt) -> &'static str| {
        ATTEMPTS.iter().map(|attempt| text(attempt).chars().count()).max().unwrap_or(0)
    };
    [widest(|attempt| attempt.name), widest(|attempt| attempt.tried), widest(|attempt| attempt.wall)]
}

fn line([name, tried, wall]: [usize; 3], mark: &str, cells: [&str; 4]) -> String {
    let [a, b, c, d] = cells;
    format!("{mark} {a:<name$}  {b:<tried$}  {c:<wall$}  {d}")
}

fn print(widths: [usize; 3], finding: &Finding) {
    let Finding { name, tried, wall, held, ended, took_us, .. } = finding;
    let mark = if *held { show::styled("+", show::GOOD) } else { show::styled("x", show::BAD) };
    anstream::println!("{}", line(widths, &mark, [name, tried, wall, &show::duration(*took_us)]));
    if !held {
        anstream::println!("    {}: {}", show::styled("did not hold", show::BAD), show::tame_lines(ended));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_align_and_fit() {
        let widths = widths();
        let place = |mark| line(widths, mark, ["a", "b", "c", "500 ms"]).find("500 ms");
        assert_eq!(place(" "), place("+"));
        assert!(line(widths, "+", ["a", "b", "c", "500 ms"]).chars().count() <= 120, "a line is wider than a terminal");
    }
}

//! Each step of a run -> a line that a click opens: why it stands as it does, its attempts, what it was given, made and used.

use super::items::{class_of, folded};
use super::words::{self, duration, instant};
use crate::document::escaped;
use crate::reads::{AttemptDetail, RunDetail, StepDetail};
use std::fmt::Write;
use types::{Against, Artifact, Finding, Taken};

const STEPS_MAX: usize = 300;
const ATTEMPTS_MAX: usize = 20;
const FINDINGS_MAX: usize = 40;
/// Characters of why a step gave nothing, in its line.
const WHY_CHARS_MAX: usize = 160;
/// Failed items whose errors are told in full.
const FAILED_ITEMS_MAX: usize = 20;

/// All steps; of items only those that failed, for the others are with their family.
pub(super) fn section(run: &RunDetail) -> String {
    let steps: Vec<&StepDetail> = run.steps.iter().filter(|step| step.item.is_none()).collect();
    let failed = run.steps.iter().filter(|step| step.item.is_some() && words::state(step) == "failed");
    let shown = steps.iter().copied().take(STEPS_MAX).chain(failed.take(FAILED_ITEMS_MAX));
    let lines: String = shown.map(|step| line(run, step)).collect();
    let more = match steps.len().saturating_sub(STEPS_MAX) {
        0 => String::new(),
        more => format!("<p class=\"faint\">and {more} more steps</p>\n"),
    };
    format!("<h2>Steps</h2>\n<div class=\"steps\">\n{lines}</div>\n{more}")
}

fn line(run: &RunDetail, step: &StepDetail) -> String {
    let plugin = step.plugin.as_deref().unwrap_or("built in");
    let took = step.receipt.as_ref().filter(|receipt| receipt.wall_us > 0);
    let took = took.map(|receipt| duration(i64::try_from(receipt.wall_us).unwrap_or(i64::MAX)));
    let count = items(run, step).len();
    let does = if count > 0 { format!("runs for each of {count}") } else { format!("{}, {plugin}", step.work) };
    let title = format!(
        "<span><b>{}</b> {}</span><span class=\"{}\">{}</span><span>{}</span><span class=\"n\">{}</span>",
        escaped(&step.step.to_string()),
        escaped(&does),
        class_of(step),
        state(step),
        escaped(&came_to(step)),
        took.unwrap_or_default()
    );
    folded(&title, false, &inside(run, step))
}

/// How it stands; what was taken, from which run.
fn state(step: &StepDetail) -> String {
    match step.taken {
        Some(Taken::Cache { run } | Taken::Rerun { run } | Taken::Recording { run }) => format!("taken from run {run}"),
        None => words::state(step).to_owned(),
    }
}

/// In a line: what it gave, or why it gave nothing.
fn came_to(step: &StepDetail) -> String {
    let because = step.because.as_deref().and_then(|because| because.lines().next());
    because.map_or_else(|| gave(step), |because| because.chars().take(WHY_CHARS_MAX).collect())
}

/// What a step gave, in a line.
fn gave(step: &StepDetail) -> String {
    let one = |(port, artifact): (&types::PortName, &Artifact)| match artifact {
        Artifact::Table(found) => format!("{port} {} rows", found.rows),
        other if other.kind() == port.to_string() => port.to_string(),
        other => format!("{port} {}", other.kind()),
    };
    step.outputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn inside(run: &RunDetail, step: &StepDetail) -> String {
    let mut text = String::new();
    if let Some(because) = &step.because {
        let _ = writeln!(text, "<pre class=\"{}\">{}</pre>", class_of(step), escaped(because));
    }
    text += &definitions(&about(run, step));
    if step.ended_attempts.len() > 1 || step.begun.len() > 1 {
        text += &attempts(run, step);
    }
    for artifact in step.outputs.values() {
        if let Artifact::Findings { findings } = artifact {
            text += &checks(findings);
        }
    }
    text
}

/// What is known of a step: what, and in words.
fn about(run: &RunDetail, step: &StepDetail) -> Vec<(String, String)> {
    let mut about: Vec<(String, String)> = Vec::new();
    let mut say = |what: &str, words: String| about.push((what.to_owned(), words));
    if let Some(item) = &step.item {
        say("is", format!("item {} of {}: {}", item.index, item.step, item.label));
    }
    if let Some(taken) = step.taken {
        say("taken", words::taken_in_words(taken));
    }
    if let Some(began) = step.started_us {
        say("began", format!("{} UTC, {}", instant(began), into(run, began)));
    }
    say("attempts", step.attempts.to_string());
    if let Some(sentence) = step.best.as_ref().and_then(crate::fan::Best::sentence) {
        say("chose", sentence);
    }
    if let Some(Against { model, alias, version }) = &step.answers_with {
        let version = version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
        say("answers with", format!("{version} of model {model} ({alias})"));
    }
    for artifact in step.outputs.values() {
        match artifact {
            Artifact::Delivered { location, repeated } => {
                let again = if *repeated { ", as an earlier attempt had already done" } else { "" };
                say("delivered", format!("to {location}{again}"));
            }
            Artifact::Version { model, version } => say("registered", format!("model {model} version {version}")),
            _ => {}
        }
    }
    let inputs: Vec<_> = step.inputs.iter().map(|input| input.from.as_str()).collect();
    // What its items gave is said where they are.
    if !inputs.is_empty() && step.work != "gather" && step.best.is_none() {
        say("takes", inputs.join(", "));
    }
    about.extend(set_for_all(&items(run, step)));
    about.extend(set(step));
    about.extend(used(step));
    about
}

/// How long after the run began.
fn into(run: &RunDetail, us: i64) -> String {
    format!("{} into the run", duration((us - run.line.started_us).max(0)))
}

/// The steps that ran for a step's items.
fn items<'r>(run: &'r RunDetail, step: &StepDetail) -> Vec<&'r StepDetail> {
    run.steps.iter().filter(|other| other.item.as_ref().is_some_and(|item| item.step == step.step)).collect()
}

/// What the steps of all items were told to do.
fn set_for_all(items: &[&StepDetail]) -> Vec<(String, String)> {
    let Some((first, others)) = items.split_first() else { return Vec::new() };
    let others: Vec<_> = others.iter().map(|item| set(item)).collect();
    let for_all = |(at, (name, words)): (usize, (String, String))| {
        let is_same =
            others.iter().all(|other| other.get(at).is_some_and(|other| (&other.0, &other.1) == (&name, &words)));
        (name, if is_same { words } else { "another for each item".to_owned() })
    };
    set(first).into_iter().enumerate().map(for_all).collect()
}

/// What it was told to do.
fn set(step: &StepDetail) -> Vec<(String, String)> {
    let mut set = step.parameters.as_ref().map(words::parameters).unwrap_or_default();
    if step.plugin.is_some() {
        set.push(("seed".to_owned(), step.seed.to_string()));
        set.push(("device".to_owned(), step.device.to_string()));
    }
    set.extend(step.component.map(|component| ("component".to_owned(), component.short())));
    set.extend(manifest::grant_lines(&step.grants).into_iter().map(|line| ("granted".to_owned(), line)));
    set
}

fn used(step: &StepDetail) -> Vec<(String, String)> {
    let used = step.receipt.iter().flat_map(|receipt| receipt.used());
    let used: Vec<_> = used.map(|(kind, share)| format!("{} {}", kind.key(), share.shown(kind))).collect();
    if used.is_empty() { Vec::new() } else { vec![("used / limit".to_owned(), used.join(", "))] }
}

/// Name and words, a line each.
pub(super) fn definitions<N: AsRef<str>>(lines: &[(N, String)]) -> String {
    let line = |(name, words): &(N, String)| format!("<dt>{}<dd>{}\n", escaped(name.as_ref()), escaped(words));
    format!("<dl>\n{}</dl>\n", lines.iter().map(line).collect::<String>())
}

/// Every attempt: the last ones, if there are many.
fn attempts(run: &RunDetail, step: &StepDetail) -> String {
    let mut table = "<table><thead><tr><th>attempt<th>began<th>took<th>came to</thead>\n".to_owned();
    let ended = |number: u32| step.ended_attempts.iter().find(|ended| ended.attempt == number);
    let mut numbers: Vec<u32> =
        step.begun.keys().copied().chain(step.ended_attempts.iter().map(|ended| ended.attempt)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers.iter().skip(numbers.len().saturating_sub(ATTEMPTS_MAX)) {
        let (began, ended) = (step.begun.get(number).copied(), ended(*number));
        let took = began.zip(ended.and_then(|ended| ended.ended_us)).map(|(from, to)| duration((to - from).max(0)));
        let _ = writeln!(
            table,
            "<tr><td>{number}<td>{}<td>{}<td>{}</tr>",
            began.map(|began| into(run, began)).unwrap_or_default(),
            took.unwrap_or_default(),
            escaped(&outcome(step, ended))
        );
    }
    table + "</table>\n"
}

fn outcome(step: &StepDetail, ended: Option<&AttemptDetail>) -> String {
    match ended.map(|ended| &ended.fault) {
        None if !step.items.is_empty() => "divided its rows".to_owned(),
        None => "cut off".to_owned(),
        Some(None) => "committed".to_owned(),
        Some(Some(fault)) => {
            let hint = fault.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("failed: {}{hint}", fault.message)
        }
    }
}

/// What a validator found.
fn checks(findings: &[Finding]) -> String {
    let failed: Vec<&Finding> = findings.iter().filter(|finding| !finding.passed).collect();
    let mut text = format!("<p>{} checks of the data, {} failed.</p>\n", findings.len(), failed.len());
    if failed.is_empty() {
        return text;
    }
    text += "<table><thead><tr><th>check<th>column<th>expected<th>got</thead>\n";
    for finding in failed.iter().take(FINDINGS_MAX) {
        let cells =
            [&finding.check, finding.column.as_ref().unwrap_or(&String::new()), &finding.expected, &finding.observed]
                .map(|cell| format!("<td>{}", escaped(cell)));
        let _ = writeln!(text, "<tr>{}</tr>", cells.concat());
    }
    text + "</table>\n"
}

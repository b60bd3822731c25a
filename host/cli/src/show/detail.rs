//! Runs and tables, whole.

use super::family::families;
use super::progress::{delivered, measures};
use super::{day, duration, instant, precisely, table, tame, tame_lines};
use server::{RunDetail, RunLine, StepDetail, TableRows, step_state, taken_in_words};
use std::collections::BTreeMap;
use types::{
    Against, Artifact, Cause, DataType, Device, DeviceChoice, Field, Finding, LimitKind, Requirement, RunState, Series,
    Share, StepName, Verdict, VerdictLine,
};

/// Items of a family that are shown; at the end of a run only these many.
const ITEMS_MAX: usize = 1_000;
const ITEMS_AT_END_MAX: usize = 20;

/// Runs, a line each.
pub(crate) fn run_list(runs: &[RunLine], all: bool) -> String {
    match (runs.is_empty(), all) {
        (true, true) => return "no runs yet; `stepwell run` starts one\n".to_owned(),
        (true, false) => return "no such runs; without --pipeline and --state all are listed\n".to_owned(),
        (false, _) => {}
    }
    let rows = runs.iter().map(|run| {
        let pipeline = format!("{}/{}", run.project, run.pipeline);
        let took = run.finished_us.map(|end| duration((end - run.started_us).max(0) as u64)).unwrap_or_default();
        let cause = run.cause.word().to_owned();
        vec![run.run.to_string(), pipeline, state(run), cause, instant(run.started_us), took]
    });
    table(&["run", "pipeline", "state", "cause", "started (UTC)", "took"], rows.collect())
}

fn state(run: &RunLine) -> String {
    match (run.state, run.live) {
        (RunState::Running, false) => "interrupted".to_owned(),
        (state, _) => state.to_string(),
    }
}

/// A run with its steps, measures and verdict.
pub(crate) fn run_detail(run: &RunDetail) -> String {
    let line = &run.line;
    let mut text = format!("run {} of `{}/{}`: {}\n", line.run, line.project, line.pipeline, state(line));
    text += &format!("started {} UTC", instant(line.started_us));
    text +=
        &line.finished_us.map(|end| format!(", finished {}\n\n", instant(end))).unwrap_or_else(|| "\n\n".to_owned());
    text += &began(run);
    if state(line) == "interrupted" {
        text += &format!("nobody drives it; `stepwell runs resume {}` goes on with it\n\n", line.run);
    }
    text += &run.because.as_ref().map(|because| format!("{}\n\n", tame(because))).unwrap_or_default();
    let head = ["step", "does", "plugin", "state", "tries", "gave", "took"];
    text += &table(&head, alone(run).map(|step| step_row(run, step)).collect());
    text += &used(&run.steps);
    text += &not_run(run);
    for step in alone(run) {
        text += &step_notes(step);
    }
    text += &families(run, ITEMS_MAX);
    if let Some(report) = &run.report {
        text += &format!("\nreport: {}\n", report.display());
    }
    text
}

/// The steps that are no item's: these stand together, a line each.
fn alone(run: &RunDetail) -> impl Iterator<Item = &StepDetail> {
    run.steps.iter().filter(|step| step.item.is_none())
}

/// Why a run began and what was set for it, where there is something to tell.
fn began(run: &RunDetail) -> String {
    let mut lines = Vec::new();
    if run.line.cause != Cause::Manual || run.by.is_some() {
        lines.push(tame(&server::cause_in_words(&run.line.cause, run.by.as_deref())));
    }
    lines.extend(run.deployment.map(|version| {
        let content = run.deployed.as_ref().map(|deployed| format!(" ({})", deployed.content.short()));
        format!("deployed version {version}{}", content.unwrap_or_default())
    }));
    let set = run.overrides.iter().map(|(name, value)| format!("set: {} = {}", tame(name), tame(&value.to_string())));
    lines.extend(set);
    if lines.is_empty() { String::new() } else { format!("{}\n\n", lines.join("\n")) }
}

/// A value as a person reads it: a timestamp and a date as such, in UTC.
fn cell(column: &Field, value: Option<&serde_json::Value>) -> String {
    match (column.data_type, value) {
        (_, None | Some(serde_json::Value::Null)) => String::new(),
        (DataType::Timestamp, Some(serde_json::Value::Number(us))) => {
            us.as_i64().map_or_else(|| us.to_string(), precisely)
        }
        (DataType::Date, Some(serde_json::Value::Number(days))) => days.as_i64().map_or_else(|| days.to_string(), day),
        (_, Some(serde_json::Value::String(text))) => text.chars().take(40).collect(),
        (_, Some(other)) => other.to_string(),
    }
}

/// What a step does, and where, if the pipeline says anything of that: `train on cuda:0`, `train on cpu (auto)`.
pub(crate) fn does(work: &str, device: Device, asked: Option<DeviceChoice>) -> String {
    match (device, asked) {
        (Device::Cpu, None) => work.to_owned(),
        (device, Some(DeviceChoice::Auto)) => format!("{work} on {device} (auto)"),
        (device, _) => format!("{work} on {device}"),
    }
}

fn step_row(run: &RunDetail, step: &StepDetail) -> Vec<String> {
    let items = run.steps.iter().filter(|other| other.item.as_ref().is_some_and(|item| item.step == step.step)).count();
    let outputs = step.outputs.iter().map(|(port, artifact)| match artifact {
        Artifact::Table(found) => format!("{port} {} rows", found.rows),
        other if other.kind() == port.to_string() => port.to_string(),
        other => format!("{port} {}", other.kind()),
    });
    let wall_us = step.receipt.as_ref().map_or(0, |receipt| receipt.wall_us);
    vec![
        step.step.to_string(),
        match items {
            0 => does(&step.work, step.device, step.device_asked),
            items => format!("for each of {items}"),
        },
        step.plugin.clone().unwrap_or_default(),
        step_state(step).to_owned(),
        step.attempts.to_string(),
        outputs.collect::<Vec<_>>().join(", "),
        if wall_us > 0 { duration(wall_us) } else { String::new() },
    ]
}

/// What each step used of its limits; of the items of a step, the most that any of them did.
fn used(steps: &[StepDetail]) -> String {
    let mut most: Vec<(&StepName, BTreeMap<LimitKind, Share>, [u64; 2])> = Vec::new();
    for (step, receipt) in steps.iter().filter_map(|step| Some((step, step.receipt.as_ref()?))) {
        let name = step.item.as_ref().map_or(&step.step, |item| &item.step);
        let at = most.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
            most.push((name, BTreeMap::new(), [0; 2]));
            most.len() - 1
        });
        for (kind, share) in receipt.used() {
            let known = most[at].1.entry(kind).or_insert(share);
            *known = if share.used > known.used { share } else { *known };
        }
        let dropped = [receipt.log_lines_dropped, receipt.sayings_dropped];
        most[at].2.iter_mut().zip(dropped).for_each(|(known, more)| *known = known.saturating_add(more));
    }
    let row = |(name, shares, dropped): &(&StepName, BTreeMap<LimitKind, Share>, [u64; 2])| {
        let shares = shares.iter().map(|(kind, share)| format!("{} {}", kind.key(), share.shown(*kind)));
        let shares: Vec<_> = shares.chain(dropped_words(*dropped)).collect();
        (!shares.is_empty()).then(|| vec![name.to_string(), shares.join(", ")])
    };
    let rows: Vec<_> = most.iter().filter_map(row).collect();
    if rows.is_empty() { String::new() } else { format!("\n{}", table(&["step", "used / limit"], rows)) }
}

/// What was said beyond what is kept: lines of log, and metrics and progress.
fn dropped_words(counts: [u64; 2]) -> impl Iterator<Item = String> {
    let counts = counts.into_iter().zip(["lines of log", "metrics and words of progress"]);
    counts.filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what} dropped"))
}

/// What the evaluators of a run measured, those of items together.
pub(crate) fn run_measures(run: &RunDetail) -> String {
    let alone = alone(run).filter(|step| !is_about_items(step));
    let artifacts = alone.flat_map(|step| step.outputs.values().map(move |artifact| (step, artifact)));
    let measured = artifacts.filter_map(|(step, artifact)| match artifact {
        Artifact::Measures { measures: found } => Some((step, found)),
        _ => None,
    });
    let told = measured.map(|(step, found)| {
        format!("\n`{}` measured, with confidence intervals:\n{}", step.step, measured_table(found))
    });
    let told: String = told.chain([families(run, ITEMS_AT_END_MAX)]).collect();
    if told.is_empty() { told } else { format!("{told}\n") }
}

/// Whether its measures are the items': they stand in the items' table.
fn is_about_items(step: &StepDetail) -> bool {
    step.work == "gather" || step.best.is_some()
}

pub(super) fn measured_table(found: &[types::Measure]) -> String {
    table(&["measure", "of", "value"], measures(found))
}

/// The steps that a run left when it ended, in a line.
fn not_run(run: &RunDetail) -> String {
    let left: Vec<_> = alone(run).filter(|step| step.state == "not_run").collect();
    let names: Vec<_> = left.iter().map(|step| format!("`{}`", step.step)).collect();
    let because = left.first().and_then(|step| step.because.as_deref());
    because.map(|because| format!("\n{} not run: {}\n", names.join(", "), tame(because))).unwrap_or_default()
}

fn step_notes(step: &StepDetail) -> String {
    let mut text = String::new();
    if let Some(taken) = step.taken {
        text += &format!("\n`{}` was taken: {}\n", step.step, taken_in_words(taken));
    }
    if let Some(Against { model, alias, version: Some(version) }) = &step.answers_with {
        text += &format!("\n`{}` answered with version {version} of model `{model}` (`{}`)\n", step.step, tame(alias));
    }
    if let Some(because) = step.because.as_ref().filter(|_| step.state != "not_run") {
        text += &format!("\n`{}` {}: {}\n", step.step, step_state(step), tame_lines(because));
    }
    text += &step.receipt.as_ref().map(|receipt| told(&step.step, &receipt.series)).unwrap_or_default();
    for artifact in step.outputs.values() {
        match artifact {
            Artifact::Measures { .. } if is_about_items(step) => {}
            Artifact::Measures { measures: found } => {
                text += &format!("\n`{}` measured:\n{}", step.step, measured_table(found));
            }
            Artifact::Findings { findings } => text += &findings_text(step, findings),
            Artifact::Verdict(verdict) => text += &verdict_text(step, verdict),
            Artifact::Version { model, version } => {
                text += &format!("\n`{}` registered model `{model}` version {version}\n", step.step);
            }
            Artifact::Delivered { location, repeated } => {
                text += &format!("\n`{}` delivered {}\n", step.step, delivered(location, *repeated));
            }
            Artifact::Model { measures: found, .. } if !found.is_empty() && step.best.is_none() => {
                text += &format!("\n`{}` learnt:\n{}", step.step, measured_table(found));
            }
            Artifact::Table(_) | Artifact::State { .. } | Artifact::Model { .. } => {}
        }
    }
    text
}

/// The metrics that a step told while it worked, each from its first point to its last.
fn told(step: &StepName, series: &BTreeMap<String, Series>) -> String {
    if series.is_empty() {
        return String::new();
    }
    let end = |value: Option<f64>| value.map_or_else(|| "not finite".to_owned(), |value| format!("{value:.6}"));
    let row = |(name, series): (&String, &Series)| {
        vec![tame(name), end(series.first), end(series.last), series.points.to_string()]
    };
    format!("\n`{step}` told:\n{}", table(&["metric", "first", "last", "points"], series.iter().map(row).collect()))
}

fn findings_text(step: &StepDetail, findings: &[Finding]) -> String {
    let failed: Vec<_> = findings.iter().filter(|finding| !finding.passed).collect();
    let mut text = format!("\n`{}` checked {} things, {} failed\n", step.step, findings.len(), failed.len());
    for finding in failed {
        let column = finding.column.as_deref().map(tame).unwrap_or_default();
        let (check, expected, observed) = (tame(&finding.check), tame(&finding.expected), tame(&finding.observed));
        text += &format!("  {check} {column}: expected {expected}, got {observed}\n");
    }
    text
}

/// A verdict, line by line.
pub(crate) fn verdict(step: &StepName, verdict: &Verdict) -> String {
    if verdict.lines.iter().any(|line| line.found.is_some()) {
        return examination(step, verdict);
    }
    let ends = |interval: Option<types::Interval>| {
        interval.map(|interval| format!("[{:.4}, {:.4}]", interval.low, interval.high)).unwrap_or_default()
    };
    let row = |line: &VerdictLine| {
        let Requirement { measure, slice, bound, .. } = &line.requirement;
        let interval = if bound.is_relative() { line.difference_interval } else { line.interval };
        let of = slice.as_deref().map_or_else(|| "all rows".to_owned(), tame);
        let outcome = line.outcome().word().to_owned();
        vec![
            outcome,
            tame(measure),
            of,
            bound.to_string(),
            number(line.value),
            number(line.baseline_value),
            ends(interval),
        ]
    };
    let head = ["", "measure", "of", "asked", "value", "baseline", "interval"];
    let lines = table(&head, verdict.lines.iter().map(row).collect());
    format!("`{step}` {}\n\n{lines}", tame(&verdict.sentence))
}

/// An examination, check by check.
fn examination(step: &StepName, verdict: &Verdict) -> String {
    let row = |line: &VerdictLine| {
        let (outcome, found) = (line.outcome().word().to_owned(), line.found.as_deref().map(tame).unwrap_or_default());
        vec![outcome, tame(&line.requirement.measure), number(line.value), found]
    };
    let lines = table(&["", "check", "value", "found"], verdict.lines.iter().map(row).collect());
    format!("`{step}` {}\n\n{lines}", verdict.outcome().word())
}

fn number(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.4}")).unwrap_or_default()
}

fn verdict_text(step: &StepDetail, verdict: &Verdict) -> String {
    format!("\n`{}` {}\n", step.step, tame(&verdict.sentence))
}

/// The first rows of a table.
pub(crate) fn rows(shown: &TableRows) -> String {
    let head: Vec<String> = shown.columns.iter().map(|column| tame(&column.name)).collect();
    let cells =
        |row: &serde_json::Map<_, _>| shown.columns.iter().map(|column| cell(column, row.get(&column.name))).collect();
    let rows = shown.rows.iter().map(cells);
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    format!("{}{} of {} rows\n", table(&head, rows.collect()), shown.rows.len(), shown.total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Id;

    #[test]
    fn a_metric_is_told_from_its_first_point_to_its_last() {
        let (step, mut loss, mut broken) = (StepName::parse("model").unwrap(), Series::default(), Series::default());
        [2.0, 1.5, 0.125].into_iter().for_each(|value| loss.add(Some(value)));
        broken.add(None);
        let series = BTreeMap::from([("loss".to_owned(), loss), ("\u{1b}rate".to_owned(), broken)]);
        let shown = told(&step, &series);
        let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[1], ["`model`", "told:"]);
        assert!(words.contains(&vec!["loss", "2.000000", "0.125000", "3"]), "{shown}");
        assert!(words.contains(&vec!["\u{fffd}rate", "not", "finite", "not", "finite", "1"]), "{shown}");
        assert_eq!(told(&step, &BTreeMap::new()), "");
    }

    #[test]
    fn what_was_dropped_is_said_where_something_was() {
        for (counts, expected) in [
            ([0, 0], &[][..]),
            ([3, 0], &["3 lines of log dropped"]),
            ([0, 7], &["7 metrics and words of progress dropped"]),
            ([1, 2], &["1 lines of log dropped", "2 metrics and words of progress dropped"]),
        ] {
            assert_eq!(dropped_words(counts).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn where_a_step_computes_is_told_where_the_pipeline_asked() {
        let (cpu, gpu) = (Device::Cpu, Device::Cuda(1));
        for (device, asked, expected) in [
            (cpu, None, "train"),
            (cpu, Some(DeviceChoice::Device(cpu)), "train on cpu"),
            (cpu, Some(DeviceChoice::Auto), "train on cpu (auto)"),
            (gpu, Some(DeviceChoice::Auto), "train on cuda:1 (auto)"),
            (gpu, Some(DeviceChoice::Device(gpu)), "train on cuda:1"),
            // Of a run that was recorded before it was known who asked.
            (gpu, None, "train on cuda:1"),
        ] {
            assert_eq!(does("train", device, asked), expected);
        }
    }
}

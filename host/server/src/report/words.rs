//! What is known of a run -> words for people. Nothing here is escaped or tamed yet: whoever shows it does that.

use crate::fan::number;
use crate::reads::{Registration, RunDetail, StepDetail};
use serde_json::Value;
use types::{Artifact, Cause, FaultKind, Measure, RunState, Taken};

/// Lines of a step's parameters that are shown.
const LINES_MAX: usize = 100;
/// Characters of a value that are.
const VALUE_CHARS_MAX: usize = 300;
const DELIVERED_MAX: usize = 20;

/// Why a run began, and who wanted it where somebody did.
pub fn cause_in_words(cause: &Cause, by: Option<&str>) -> String {
    let asked = by.map(|by| format!(", asked for by {by}")).unwrap_or_default();
    match cause {
        Cause::Manual => format!("asked for by {}", by.unwrap_or("hand")),
        Cause::Rerun { of, from } => format!("run {of} again from `{from}` on{asked}"),
        Cause::Replay { of } => format!("replays run {of}{asked}"),
        Cause::Upstream { pipeline, run } => format!("after run {run} of `{pipeline}`"),
        Cause::Data { what, .. } => format!("new data: {what}"),
        Cause::Event { source, id } => format!("event {id} of {source}"),
        Cause::Schedule { at_us } => format!("scheduled for {} UTC", instant(*at_us)),
        Cause::Backfill { backfill, at_us } => format!("backfill {backfill}, for {} UTC{asked}", instant(*at_us)),
    }
}

/// Where a step's outputs are from that did not run.
pub fn taken_in_words(taken: Taken) -> String {
    match taken {
        Taken::Cache { run } => format!("run {run} did the same work on the same inputs"),
        Taken::Rerun { run } => format!("as in run {run}"),
        Taken::Recording { run } => format!("as recorded by run {run}"),
    }
}

/// A point in time, in UTC.
pub fn instant(us: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(us);
    time.map_or_else(|| us.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// A span of time.
pub(super) fn duration(us: i64) -> String {
    let seconds = us / 1_000_000;
    match us {
        ..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..60_000_000 => format!("{:.1} s", us as f64 / 1e6),
        60_000_000..3_600_000_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// How long it took; none while it goes on.
pub(super) fn took(run: &RunDetail) -> Option<String> {
    run.line.finished_us.map(|end| duration(end.saturating_sub(run.line.started_us).max(0)))
}

/// What is known of a run as a whole: what, and in words.
pub(super) fn facts(run: &RunDetail) -> Vec<(&'static str, String)> {
    let utc = |us: i64| format!("{} UTC", instant(us));
    let mut facts = vec![
        ("why it ran", cause_in_words(&run.line.cause, run.by.as_deref())),
        ("began", utc(run.line.started_us)),
        ("ended", run.line.finished_us.map_or_else(|| "not yet".to_owned(), utc)),
        ("took", took(run).unwrap_or_default()),
        ("logical time", utc(run.logical_time_us)),
        ("project", project(run)),
        ("pipeline", format!("{}, plan {}", run.line.pipeline, run.plan.short())),
        ("steps", counted(&run.steps)),
    ];
    let of_tenant = run.deployed.as_ref().map(|deployed| settings(&deployed.settings)).unwrap_or_default();
    facts.extend([("set for this run", settings(&run.overrides)), ("set for the tenant", of_tenant)]);
    let (delivered, checked) = (delivered(&run.steps), checked(&run.steps));
    facts.extend([("registered", registered(run)), ("delivered", delivered), ("checked", checked)]);
    facts.retain(|(_, words)| !words.is_empty());
    facts
}

fn registered(run: &RunDetail) -> String {
    let one = |made: &Registration| {
        let aliases: Vec<_> = made.aliases.keys().map(|alias| format!("`{alias}`")).collect();
        let aliases = if aliases.is_empty() { String::new() } else { format!(", now {}", aliases.join(" and ")) };
        format!("model {} version {} ({}){aliases}", made.model, made.version, made.digest.short())
    };
    run.registered.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What sinks brought out, and where to.
fn delivered(steps: &[StepDetail]) -> String {
    let given = steps.iter().flat_map(|step| step.outputs.values().map(move |artifact| (step, artifact)));
    let one = |(step, artifact): (&StepDetail, &Artifact)| match artifact {
        Artifact::Delivered { location, .. } => Some(format!("{} to {location}", step.step)),
        _ => None,
    };
    given.filter_map(one).take(DELIVERED_MAX).collect::<Vec<_>>().join("; ")
}

/// What validators found.
fn checked(steps: &[StepDetail]) -> String {
    let alone = steps.iter().filter(|step| step.item.is_none());
    let given = alone.flat_map(|step| step.outputs.values().map(move |artifact| (step, artifact)));
    let one = |(step, artifact): (&StepDetail, &Artifact)| {
        let Artifact::Findings { findings } = artifact else { return None };
        let failed = findings.iter().filter(|finding| !finding.passed).count();
        Some(format!("{}: {} checks of the data, {failed} failed", step.step, findings.len()))
    };
    given.filter_map(one).collect::<Vec<_>>().join("; ")
}

fn project(run: &RunDetail) -> String {
    let name = &run.line.project;
    match (&run.deployed, run.deployment) {
        (Some(deployed), _) => {
            format!("{name}, deployed version {} ({})", deployed.version, deployed.content.short())
        }
        (None, Some(version)) => format!("{name}, deployed version {version}"),
        (None, None) => format!("{name}, as it was in {}", run.folder.display()),
    }
}

/// How many steps there are, and how they stand: items are counted like any step.
fn counted(steps: &[StepDetail]) -> String {
    let mut states: Vec<(&str, usize)> = Vec::new();
    for state in steps.iter().map(state) {
        match states.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => states.push((state, 1)),
        }
    }
    let states: Vec<_> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    format!("{}: {}", steps.len(), states.join(", "))
}

/// Where a step stands, in a word or two: what was taken did not run.
pub fn state(step: &StepDetail) -> &str {
    let last = step.ended_attempts.last().and_then(|last| last.fault.as_ref());
    match (step.taken, step.state.as_str()) {
        (Some(_), _) => "taken",
        (None, "not_run") => "not run",
        (None, "cut_off") => "cut off",
        (None, "failed") if last.is_some_and(|fault| fault.kind == FaultKind::Cancelled) => "cancelled",
        (None, state) => state,
    }
}

/// How a run stands.
pub(super) fn standing(run: &RunDetail) -> String {
    match run.line.state {
        RunState::Running if !run.line.live => "interrupted".to_owned(),
        state => state.to_string(),
    }
}

/// A measure with its interval.
pub(super) fn measured(measure: &Measure) -> String {
    let interval = measure.interval.map(|interval| format!(" [{}, {}]", number(interval.low), number(interval.high)));
    format!("{}{}", number(measure.value), interval.unwrap_or_default())
}

fn settings(settings: &types::Settings) -> String {
    settings.iter().map(|(name, value)| format!("{name} = {}", plain(value))).collect::<Vec<_>>().join(", ")
}

/// Parameters, a line each: `fractions.train = 0.75`, `hidden = 16, 16`.
pub(super) fn parameters(value: &Value) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    flatten(String::new(), value, &mut lines);
    lines
}

fn flatten(name: String, value: &Value, lines: &mut Vec<(String, String)>) {
    if lines.len() >= LINES_MAX {
        return;
    }
    match value {
        // How deep it goes is bounded by the schema of the parameters.
        Value::Object(fields) if !fields.is_empty() => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(name, value, lines);
            }
        }
        Value::Object(_) if name.is_empty() => {}
        other => lines.push((name, plain(other))),
    }
}

fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if !values.iter().any(|value| value.is_array() || value.is_object()) => {
            values.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}

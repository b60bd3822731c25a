//! Two runs beside each other: how they differ, whether a replay came out the same; and what `gc` removed.

use super::{BAD, GOOD, bytes, duration, instant, precisely, styled, table, tame};
use serde_json::Value;
use server::{About, Collected, DiffRow, Replayed, ReplayedOutput, RunDiff};
use types::{Digest, Id, LimitKind, RunId, StepName};

/// So much of a value is shown.
const VALUE_CHARS_MAX: usize = 48;

/// The rows of a difference.
pub(crate) fn run_diff(diff: &RunDiff) -> String {
    if diff.rows.is_empty() {
        return format!("runs {} and {} differ in nothing that counts\n", diff.a, diff.b);
    }
    let (a, b) = (format!("run {}", diff.a), format!("run {}", diff.b));
    table(&["", "step", "what", &a, &b, "difference"], diff.rows.iter().map(diff_row).collect())
}

pub(super) fn diff_row(row: &DiffRow) -> Vec<String> {
    let difference = match (row.difference, row.same) {
        (Some(difference), false) => signed(row, difference),
        (_, true) => "same".to_owned(),
        (None, false) => String::new(),
    };
    let step = row.step.as_ref().map(ToString::to_string).unwrap_or_default();
    let [a, b] = sides(row);
    vec![row.about.word().to_owned(), step, name(row), a, b, difference]
}

/// Both values in words; as they are, where the words would be the same and the values are not.
fn sides(row: &DiffRow) -> [String; 2] {
    let told = |words: &dyn Fn(&Value) -> String| {
        [&row.a, &row.b].map(|value| value.as_ref().map_or_else(|| none(row.about), words))
    };
    let [mut a, mut b] = told(&|value| words(row, value));
    if a == b && !row.same {
        [a, b] = told(&|value| exactly(row, value));
    }
    types::beside([&a, &b], VALUE_CHARS_MAX)
}

/// What a run has not that the other has: of a setting that nobody gave it is the project's own.
fn none(about: About) -> String {
    if about == About::Setting { "the project's".to_owned() } else { "-".to_owned() }
}

/// A name without the unit, which the value has.
fn name(row: &DiffRow) -> String {
    let name =
        if row.about == About::Run { row.name.trim_end_matches("_us").trim_end_matches("_ms") } else { &row.name };
    if row.about == About::Run { name.replace('_', " ") } else { name.to_owned() }
}

fn words(row: &DiffRow, value: &Value) -> String {
    match (row.about, row.name.as_str()) {
        (About::Run, "cause") => serde_json::from_value(value.clone())
            .map_or_else(|_| shown(value), |cause| server::cause_in_words(&cause, None)),
        (About::Run, "logical_time_us") => value.as_i64().map_or_else(|| shown(value), instant),
        (About::Run, "duration_ms") => {
            value.as_u64().map_or_else(|| shown(value), |ms| duration(ms.saturating_mul(1000)))
        }
        (About::Limit, _) => {
            limit(row).zip(value.as_u64()).map_or_else(|| shown(value), |(kind, most)| kind.quantity(most).to_string())
        }
        (About::Measure, _) => value.as_f64().map_or_else(|| shown(value), |value| format!("{value:.4}")),
        _ => shown(value),
    }
}

/// To the last digit.
fn exactly(row: &DiffRow, value: &Value) -> String {
    match value.as_i64().filter(|_| row.name == "logical_time_us") {
        Some(us) => precisely(us),
        None => shown(value),
    }
}

fn limit(row: &DiffRow) -> Option<LimitKind> {
    LimitKind::ALL.iter().copied().find(|kind| kind.key() == row.name)
}

fn signed(row: &DiffRow, difference: f64) -> String {
    let sign = if difference < 0.0 { "-" } else { "+" };
    let size = difference.abs();
    match row.about {
        About::Run if row.name == "duration_ms" => format!("{sign}{}", duration((size as u64).saturating_mul(1000))),
        About::Run if row.name == "logical_time_us" => format!("{sign}{}", duration(size as u64)),
        About::Limit => limit(row).map_or_else(String::new, |kind| format!("{sign}{}", kind.quantity(size as u64))),
        About::Measure if size >= 0.0001 => format!("{difference:+.4}"),
        // Of two draws it says nothing.
        About::Seed => String::new(),
        About::Measure => format!("{difference:+.2e}"),
        _ => format!("{difference:+}"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => Digest::parse(text).map_or_else(|| text.clone(), |digest| digest.short()),
        other => other.to_string(),
    }
}

/// Whether a replay came out the same, output by output.
pub(crate) fn replayed(replayed: &Replayed) -> String {
    let rows = replayed.outputs.iter().map(replayed_row).collect();
    let mut text = format!("\n{}", table(&["step", "output", "recorded", "replayed", "same"], rows));
    text += &listed("taken from the recording, because the outside world has a say in it", &replayed.taken);
    text += &listed("left out, because the recording has nothing for it", &replayed.left_out);
    let differ = replayed.outputs.iter().filter(|output| !output.same).count();
    let (word, style) = if replayed.same { ("the same", GOOD) } else { ("not the same", BAD) };
    let of = format!("run {} is {} as run {}", replayed.run, styled(word, style), replayed.of);
    text + &match differ {
        0 => format!("{of}: {} outputs are equal\n", replayed.outputs.len()),
        differ => format!("{of}: {differ} of {} outputs differ\n", replayed.outputs.len()),
    }
}

fn replayed_row(output: &ReplayedOutput) -> Vec<String> {
    let side = |digest: &Option<Digest>, state: &Option<String>| match (digest, state) {
        (Some(digest), _) => digest.short(),
        (None, Some(state)) => types::beside([state, ""], VALUE_CHARS_MAX)[0].clone(),
        (None, None) => "-".to_owned(),
    };
    vec![
        output.step.to_string(),
        output.output.as_ref().map(ToString::to_string).unwrap_or_default(),
        side(&output.recorded, &output.recorded_state),
        side(&output.replayed, &output.replayed_state),
        if output.same { "yes" } else { "no" }.to_owned(),
    ]
}

fn listed(what: &str, steps: &[StepName]) -> String {
    let names: Vec<_> = steps.iter().map(|step| tame(step.as_str())).collect();
    if names.is_empty() { String::new() } else { format!("{what}: {}\n", names.join(", ")) }
}

/// What went, or would.
pub(crate) fn collected(collected: &Collected) -> String {
    let Collected { tenant, dry_run, runs, blobs, bytes: count, blobs_kept, journal_bytes } = collected;
    let (forgotten, removed) =
        if *dry_run { ("would be forgotten", "would be removed") } else { ("forgotten", "removed") };
    let mut text = format!("tenant `{tenant}`: {} {forgotten}{}\n", counted(runs.len() as u64, "run"), which(runs));
    text += &format!("{} of {} {removed}, {blobs_kept} kept\n", counted(*blobs, "blob"), bytes(*count));
    if *journal_bytes > 0 {
        text += &format!("{} of the journal {removed}\n", bytes(*journal_bytes));
    }
    text
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn which(runs: &[RunId]) -> String {
    match runs {
        [] => String::new(),
        [one] => format!(": {one}"),
        [first, .., last] => format!(", between {first} and {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(about: About, name: &str, a: Value, b: Value) -> DiffRow {
        let (step, name, same) = (None, name.to_owned(), a == b);
        let difference = b.as_f64().zip(a.as_f64()).map(|(b, a)| b - a);
        DiffRow {
            about,
            step,
            name,
            a: Some(a).filter(|a| !a.is_null()),
            b: Some(b).filter(|b| !b.is_null()),
            difference,
            same,
        }
    }

    #[test]
    fn values_are_said_as_people_read_them() {
        let (digest, long) = (Digest::of(b"a"), "x".repeat(60));
        let (cut, changed) = (format!("{}..", "x".repeat(46)), format!("..{}y", "x".repeat(12)));
        let scheduled = json!({ "cause": "schedule", "at_us": 0 });
        for (row, expected) in [
            (row(About::Output, "table", json!(digest), json!("eu")), ["table", &digest.short(), "eu", ""]),
            (row(About::Parameter, "depths", json!([1, 2]), Value::Null), ["depths", "[1,2]", "-", ""]),
            (row(About::Setting, "rate", json!(0.5), Value::Null), ["rate", "0.5", "the project's", ""]),
            (row(About::Key, "when", json!(long), json!(long)), ["when", &cut, &cut, "same"]),
            (row(About::Key, "when", json!(long), json!(format!("{long}y"))), ["when", &changed[..14], &changed, ""]),
            (
                row(About::Run, "cause", json!({ "cause": "manual" }), scheduled),
                ["cause", "asked for by hand", "scheduled for 1970-01-01 00:00:00 UTC", ""],
            ),
            (
                row(About::Run, "logical_time_us", json!(0), json!(60_000_000)),
                ["logical time", "1970-01-01 00:00:00", "1970-01-01 00:01:00", "+60.0 s"],
            ),
            (
                row(About::Run, "logical_time_us", json!(7), json!(250_000)),
                ["logical time", "1970-01-01 00:00:00.000007", "1970-01-01 00:00:00.25", "+249 ms"],
            ),
            (row(About::Run, "duration_ms", json!(2500), json!(40)), ["duration", "2.5 s", "40 ms", "-2.5 s"]),
            (row(About::Limit, "memory", json!(1 << 30), json!(2_u64 << 30)), ["memory", "1 GiB", "2 GiB", "+1 GiB"]),
            (row(About::Measure, "auc", json!(0.5), json!(0.75)), ["auc", "0.5000", "0.7500", "+0.2500"]),
            (
                row(About::Measure, "auc", json!(0.5), json!(0.5 + 2f64.powi(-20))),
                ["auc", "0.5", "0.5000009536743164", "+9.54e-7"],
            ),
            (row(About::Seed, "seed", json!(7), json!(8)), ["seed", "7", "8", ""]),
        ] {
            assert_eq!(diff_row(&row)[2..], expected.map(str::to_owned), "{}", row.name);
        }
    }

    #[test]
    fn what_goes_is_counted() {
        let mut found = Collected {
            tenant: "default".parse().unwrap(),
            dry_run: true,
            runs: vec![RunId(3)],
            blobs: 2,
            bytes: 2048,
            blobs_kept: 7,
            journal_bytes: 0,
        };
        let said = collected(&found);
        assert_eq!(
            said,
            "tenant `default`: 1 run would be forgotten: 3\n2 blobs of 2.0 KiB would be removed, 7 kept\n"
        );
        (found.dry_run, found.runs) = (false, vec![RunId(3), RunId(4), RunId(9)]);
        assert!(collected(&found).starts_with("tenant `default`: 3 runs forgotten, between 3 and 9\n"));
    }
}

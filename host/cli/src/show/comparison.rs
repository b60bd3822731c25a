//! Two runs beside each other: how they differ, whether a replay came out the same; and what `gc` removed.

use super::{BAD, GOOD, bytes, styled, table, tame};
use serde_json::Value;
use server::{Collected, DiffRow, Replayed, ReplayedOutput, RunDiff};
use types::{Digest, Id, RunId, StepName};

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
        (Some(difference), false) => format!("{difference:+}"),
        (_, true) => "same".to_owned(),
        (None, false) => String::new(),
    };
    let step = row.step.as_ref().map(ToString::to_string).unwrap_or_default();
    vec![row.about.word().to_owned(), step, row.name.clone(), value(row.a.as_ref()), value(row.b.as_ref()), difference]
}

fn value(value: Option<&Value>) -> String {
    let text = match value {
        None => return "-".to_owned(),
        Some(Value::String(text)) => Digest::parse(text).map_or_else(|| text.clone(), |digest| digest.short()),
        Some(other) => other.to_string(),
    };
    match text.chars().count() > VALUE_CHARS_MAX {
        true => text.chars().take(VALUE_CHARS_MAX - 2).chain("..".chars()).collect(),
        false => text,
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
        (None, Some(state)) => value(Some(&Value::from(state.as_str()))),
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

    #[test]
    fn values_are_short() {
        let digest = Digest::of(b"a");
        for (shown, expected) in [
            (Some(json!(digest)), digest.short()),
            (Some(json!("eu")), "eu".to_owned()),
            (Some(json!([1, 2])), "[1,2]".to_owned()),
            (None, "-".to_owned()),
            (Some(json!("x".repeat(60))), format!("{}..", "x".repeat(46))),
        ] {
            assert_eq!(value(shown.as_ref()), expected);
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

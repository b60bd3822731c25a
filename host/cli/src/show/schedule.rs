//! Schedules for a person's eyes: what one will do, what deployed ones do, what became of their instants.

use super::{BAD, instant, styled, table, tame};
use server::{BackfillLine, ScheduleHistory, ScheduleLine};
use trigger::{Preview, Row};
use types::Why;

pub(crate) fn schedule_list(lines: &[ScheduleLine]) -> String {
    if lines.is_empty() {
        return "no deployed pipeline has a schedule\n".to_owned();
    }
    let row = |line: &ScheduleLine| {
        let next = match (line.paused, line.next_us) {
            (true, _) => "paused".to_owned(),
            (false, Some(next)) => instant(next),
            (false, None) => "never".to_owned(),
        };
        let name = format!("{}/{}", line.project, line.pipeline);
        vec![name, line.cron.clone(), line.zone.clone(), next, line.waiting.len().to_string()]
    };
    table(&["pipeline", "cron", "zone", "next (UTC)", "waiting"], lines.iter().map(row).collect())
}

pub(crate) fn schedule_history(history: &ScheduleHistory) -> String {
    let ran = history.runs.iter().map(|run| {
        let of = run.backfill.map(|number| format!("backfill {number}")).unwrap_or_default();
        let state = run.state.map_or_else(|| "forgotten".to_owned(), |state| state.to_string());
        (run.at_us, vec![instant(run.at_us), format!("run {} {state}", run.run), of])
    });
    let passed = history
        .passed
        .iter()
        .map(|passed| (passed.at_us, vec![instant(passed.at_us), "no run".to_owned(), because(passed.why).to_owned()]));
    let mut rows: Vec<_> = ran.chain(passed).collect();
    rows.sort_by_key(|(at_us, _)| *at_us);
    match rows.is_empty() {
        true => "nothing has come yet\n".to_owned(),
        false => table(&["instant (UTC)", "what came of it", "why"], rows.into_iter().map(|(_, row)| row).collect()),
    }
}

fn because(why: Why) -> &'static str {
    match why {
        Why::Paused => "the schedule was paused",
        Why::TooOld => "missed, longer ago than `catch_up`",
        Why::Missed => "missed, and nothing is made up for",
        Why::Superseded => "a later one runs in its place",
        Why::Overlap => "an earlier run was under way",
        Why::Full => "too many waited",
    }
}

pub(crate) fn backfill_list(lines: &[BackfillLine]) -> String {
    if lines.is_empty() {
        return "no backfill was asked for\n".to_owned();
    }
    let row = |line: &BackfillLine| {
        let asked = &line.asked;
        let name = format!("{}/{}", asked.project, asked.pipeline);
        let state = match (line.ended_us, line.begun < line.runs) {
            (None, _) => "going on",
            (Some(_), true) => "cancelled",
            (Some(_), false) => "all begun",
        };
        let failed = if line.failed > 0 { styled(&line.failed.to_string(), BAD) } else { String::new() };
        let begun = format!("{} of {}", line.begun, line.runs);
        vec![
            asked.number.to_string(),
            name,
            instant(asked.from_us),
            instant(asked.to_us),
            begun,
            failed,
            state.to_owned(),
        ]
    };
    table(
        &["number", "pipeline", "from (UTC)", "to (UTC)", "begun", "failed", "state"],
        lines.iter().map(row).collect(),
    )
}

/// What it is, then a row each time it comes or clocks leave it out.
pub(crate) fn schedule_preview(preview: &Preview) -> String {
    let Preview { pipeline, cron, zone, paused, rows, more } = preview;
    let paused = if *paused { "; it is paused" } else { "" };
    let head = format!("pipeline `{pipeline}`: `{}` in {zone}{paused}\n", tame(cron));
    if rows.is_empty() {
        return head + "nothing comes in that time\n";
    }
    let more = if *more { "and more; `--count` shows them\n" } else { "" };
    // Starts are told of only where jitter makes them differ.
    let jitter = rows.iter().any(|row| row.starts.as_ref().is_some_and(|starts| *starts != row.utc));
    let titles: Vec<&str> = match jitter {
        true => vec!["local time", "UTC", "starts (UTC)", "why"],
        false => vec!["local time", "UTC", "why"],
    };
    let cells = |row: &Row| {
        let utc = if row.runs { row.utc.clone() } else { "no run".to_owned() };
        let mut cells = vec![row.local.clone(), utc];
        cells.extend(jitter.then(|| row.starts.clone().unwrap_or_else(|| "-".to_owned())));
        cells.push(row.why.clone().unwrap_or_default());
        cells
    };
    format!("{head}{}{more}", table(&titles, rows.iter().map(cells).collect()))
}

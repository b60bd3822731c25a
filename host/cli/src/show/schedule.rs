//! A schedule for a person's eyes.

use super::{table, tame};
use trigger::{Preview, Row};

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

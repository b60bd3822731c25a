//! Triggers for a person's eyes.

use super::{instant, table, tame};
use server::{TriggerLine, TriggerList, TriggerState};
use types::Cause;

pub(crate) fn trigger_list(list: &TriggerList) -> String {
    if list.triggers.is_empty() {
        return "nothing starts a deployed pipeline by itself\n".to_owned();
    }
    let row = |line: &TriggerLine| {
        let state = match &line.state {
            TriggerState::On => "on",
            TriggerState::Paused => "paused",
            TriggerState::Barred { .. } => "barred",
        };
        let last = line.last.as_ref().map(|last| {
            let why = because(&last.cause).map(|why| format!(", {why}")).unwrap_or_default();
            format!("{}, run {} {}{why}", instant(last.started_us), last.run, last.state)
        });
        vec![
            format!("{}/{}", line.project, line.pipeline),
            line.kind.word().to_owned(),
            line.waits_for.clone(),
            state.to_owned(),
            line.next_us.map(instant).unwrap_or_default(),
            last.unwrap_or_else(|| "never".to_owned()),
        ]
    };
    let head = ["pipeline", "trigger", "waits for", "state", "next (UTC)", "last (UTC)"];
    let mut text = table(&head, list.triggers.iter().map(row).collect());
    for line in &list.triggers {
        if let TriggerState::Barred { why, hint } = &line.state {
            let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            let said = format!("{}/{}: {}: {why}{hint}", line.project, line.pipeline, line.kind.word());
            text.push_str(&format!("{}\n", tame(&said)));
        }
    }
    if !list.are_kept {
        text.push_str("no server runs here: nothing starts by itself until `stepwell serve` does\n");
    }
    text
}

/// What of a cause its trigger does not say.
fn because(cause: &Cause) -> Option<String> {
    match cause {
        Cause::Schedule { at_us } => Some(format!("for {}", instant(*at_us))),
        Cause::Upstream { pipeline, run } => Some(format!("after run {run} of `{pipeline}`")),
        Cause::Data { source: Some(_), what } => Some(what.clone()),
        Cause::Event { source, id } => Some(format!("event {id} of {source}")),
        _ => None,
    }
}

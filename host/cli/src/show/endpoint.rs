//! Endpoints: who answers how much, what was counted, how far a canary is.

use super::{BAD, duration, instant, styled, table, tame};
use server::{EndpointDetail, ShadowLine, VersionSeen};
use types::{Phase, Rollout, RolloutMove};

/// Endpoints, a line each.
pub(crate) fn endpoint_list(endpoints: &[EndpointDetail]) -> String {
    if endpoints.is_empty() {
        return "no endpoints; `[endpoints.NAME]` in `stepwell.toml` names one\n".to_owned();
    }
    let row = |endpoint: &EndpointDetail| {
        let canary = endpoint.moves.last().map(|moved| standing(&moved.rollout)).unwrap_or_default();
        vec![endpoint.endpoint.to_string(), endpoint.model.to_string(), answers(endpoint), canary]
    };
    table(&["endpoint", "model", "answers", "canary"], endpoints.iter().map(row).collect())
}

/// `version 1 (champion) 90 %, version 2 (challenger) 10 %`.
fn answers(endpoint: &EndpointDetail) -> String {
    if endpoint.unloaded {
        return "nothing: it was unloaded".to_owned();
    }
    let Some(version) = endpoint.version else { return format!("nothing: no version is `{}`", endpoint.alias) };
    let others: u32 = endpoint.shares.iter().map(|share| u32::from(share.percent)).sum();
    let share = |version: u32, alias: &str, percent: u32| format!("version {version} ({alias}) {percent} %");
    let mut parts = vec![share(version, &endpoint.alias, 100_u32.saturating_sub(others))];
    parts.extend(endpoint.shares.iter().map(|other| share(other.version, &other.alias, other.percent.into())));
    parts.join(", ")
}

fn standing(rollout: &Rollout) -> String {
    let (candidate, phase) = (rollout.candidate, rollout.phase.word());
    match rollout.phase {
        Phase::Progressing | Phase::Paused => {
            let (step, steps) = ((rollout.step as usize + 1).min(rollout.steps.len()), rollout.steps.len());
            format!("version {candidate} {phase}, step {step} of {steps}, {} %", rollout.weight)
        }
        Phase::Promoted | Phase::Aborted => format!("version {candidate} {phase}"),
    }
}

/// An endpoint, whole.
pub(crate) fn endpoint(endpoint: &EndpointDetail) -> String {
    let of = endpoint.project.as_ref().map(|project| format!(" of deployed project `{project}`")).unwrap_or_default();
    let mut text = format!("endpoint `{}`{of}: model `{}`\n", endpoint.endpoint, endpoint.model);
    text += &format!("answers: {}\n", answers(endpoint));
    for (version, trouble) in &endpoint.troubles {
        text += &format!("{}: version {version} does not answer: {}\n", styled("trouble", BAD), tame(trouble));
    }
    text += &endpoint.shadow.as_ref().map(shadow).unwrap_or_default();
    if !endpoint.versions.is_empty() {
        let row = |seen: &VersionSeen| {
            let p95 = seen.p95_us.map(duration).unwrap_or_default();
            vec![seen.version.to_string(), seen.requests.to_string(), seen.errors.to_string(), p95]
        };
        let rows = endpoint.versions.iter().map(row).collect();
        text += &format!(
            "\ncounted since a weight was last set\n{}",
            table(&["version", "requests", "errors", "p95"], rows)
        );
    }
    if let Some(last) = endpoint.moves.last() {
        let waits = endpoint.waits_for.as_ref().map(|what| format!(", waits for {what}")).unwrap_or_default();
        text += &format!("\ncanary: {}{waits}\n", standing(&last.rollout));
        text += &table(
            &["when (UTC)", "candidate", "over", "weight", "is", "who", "why"],
            endpoint.moves.iter().map(move_row).collect(),
        );
    }
    text
}

fn shadow(shadow: &ShadowLine) -> String {
    let Some(version) = shadow.version else { return format!("shadow: no version is `{}`\n", tame(&shadow.alias)) };
    let found = &shadow.comparison;
    format!(
        "shadow: version {version} ({}) was asked {} times ({} errors, {} left out); {} of {} rows differ, by at most {:e}\n",
        tame(&shadow.alias),
        found.requests,
        found.errors,
        found.dropped,
        found.differing,
        found.rows,
        found.largest
    )
}

fn move_row(moved: &RolloutMove) -> Vec<String> {
    let RolloutMove { rollout, why, by, at_us, .. } = moved;
    vec![
        instant(*at_us),
        rollout.candidate.to_string(),
        rollout.stable.to_string(),
        format!("{} %", rollout.weight),
        rollout.phase.word().to_owned(),
        by.clone().unwrap_or_default(),
        why.clone(),
    ]
}

/// What became of a canary just now.
pub(crate) fn rollout_move(moved: &RolloutMove) -> String {
    format!("endpoint `{}`: {}\n", moved.endpoint, standing(&moved.rollout))
}

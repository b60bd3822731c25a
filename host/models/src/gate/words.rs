//! A verdict in a sentence: what decided it stands first, and slices that agree are told together.

use std::cmp::Reverse;
use types::{Against, Bound, Interval, Outcome, Requirement, VerdictLine};

/// Slices of a requirement that are told one by one.
const SLICES_TOLD: usize = 2;

type Asked<'a> = [(&'a Requirement, Vec<VerdictLine>)];

pub(super) fn sentence(passed: bool, outcome: Outcome, asked: &Asked, against: Option<&Against>) -> String {
    let verdict = match (passed, outcome) {
        (true, Outcome::Pass) => "passed".to_owned(),
        (true, Outcome::NoBaseline) => format!("passed without a comparison, {}", nobody(against)),
        (true, _) => "passed although inconclusive".to_owned(),
        (false, Outcome::NoBaseline) => format!("no baseline, {}", nobody(against)),
        (false, Outcome::Inconclusive) => "inconclusive, more rows are needed to tell".to_owned(),
        (false, _) => "failed".to_owned(),
    };
    let mut told: Vec<(Outcome, String)> = asked.iter().flat_map(|(_, lines)| of_requirement(lines, against)).collect();
    told.sort_by_key(|(outcome, _)| Reverse(*outcome));
    let told: Vec<String> = told.into_iter().map(|(_, words)| words).collect();
    match told.is_empty() {
        true => format!("{verdict}: nothing was required"),
        false => format!("{verdict}: {}", told.join("; ")),
    }
}

fn nobody(against: Option<&Against>) -> String {
    match against {
        Some(Against { model, alias, version: None }) => format!("no version of {model} is {alias} yet"),
        _ => "the baseline has no such measure".to_owned(),
    }
}

/// The first line by itself; of its slices those that did not pass, and how many did.
fn of_requirement(lines: &[VerdictLine], against: Option<&Against>) -> Vec<(Outcome, String)> {
    let Some((whole, slices)) = lines.split_first() else { return Vec::new() };
    let mut told = vec![(whole.outcome(), words(whole, against))];
    for outcome in [Outcome::Fail, Outcome::Inconclusive, Outcome::NoBaseline] {
        let alike: Vec<_> = slices.iter().filter(|line| line.outcome() == outcome).collect();
        told.extend(alike.iter().take(SLICES_TOLD).map(|line| (outcome, words(line, against))));
        if let Some(more) = alike.len().checked_sub(SLICES_TOLD).filter(|more| *more > 0) {
            told.push((outcome, format!("likewise in {more} more of its slices")));
        }
    }
    let good = slices.iter().filter(|line| line.outcome() == Outcome::Pass).count();
    if good > 0 {
        let measure = &whole.requirement.measure;
        let passed = found(&VerdictLine { outcome: Some(Outcome::Pass), ..whole.clone() });
        told.push((Outcome::Pass, format!("{measure} {passed} in {good} of {} slices", slices.len())));
    }
    told
}

fn words(line: &VerdictLine, against: Option<&Against>) -> String {
    let Requirement { measure, slice, bound, .. } = &line.requirement;
    let name = slice.as_ref().map_or_else(|| measure.clone(), |slice| format!("{measure} ({slice})"));
    let Some(value) = line.value else {
        return match line.outcome() {
            Outcome::Inconclusive => format!("{name} is undefined there"),
            _ => format!("{name} was not measured, expected {bound}"),
        };
    };
    if bound.is_relative() {
        return beside(line, &name, value, against);
    }
    let shown = if line.requirement.confident { number(value) } else { shown(*bound, value) };
    let interval = line.interval.map(|Interval { low, high }| format!(" [{low:.3}, {high:.3}]")).unwrap_or_default();
    format!("{name} {shown}{interval} {}", found(line))
}

/// A value and the baseline's.
fn beside(line: &VerdictLine, name: &str, value: f64, against: Option<&Against>) -> String {
    let Some(baseline) = line.baseline_value else {
        return format!("{name} {} has nothing to be compared with", number(value));
    };
    let whose = match against {
        Some(Against { model, version: Some(version), .. }) => format!("version {version} of {model}"),
        _ => "the baseline".to_owned(),
    };
    let interval = match line.difference_interval {
        Some(Interval { low, high }) => format!("[{low:.4}, {high:.4}]"),
        None => "(no interval: too few rows)".to_owned(),
    };
    let (ours, theirs, difference) = (number(value), number(baseline), number(value - baseline));
    let sign = if value < baseline { "" } else { "+" };
    format!("{name} {ours} beside {theirs} of {whose}, {sign}{difference} {interval}, {}", found(line))
}

/// What came out, as something that a measure is or is not.
fn found(line: &VerdictLine) -> String {
    let bound = line.requirement.bound;
    let is = match (bound, line.outcome(), line.requirement.confident) {
        (Bound::NotWorseBy(margin), outcome, _) => {
            let is = match outcome {
                Outcome::Pass => "is not",
                Outcome::Fail => "is",
                Outcome::Inconclusive | Outcome::NoBaseline => "may be",
            };
            return format!("{is} worse by more than {margin}");
        }
        (_, Outcome::Pass, false) => "is",
        (_, Outcome::Pass, true) => "is surely",
        (_, Outcome::Fail, false) => "is not",
        (_, Outcome::Fail, true) => "is surely not",
        (_, Outcome::Inconclusive | Outcome::NoBaseline, _) => "may or may not be",
    };
    format!("{is} {bound}")
}

/// Four decimals, unless the rounded value would fall on the other side of the bound than the true one does.
fn shown(bound: Bound, value: f64) -> String {
    let rounded = number(value);
    let side = |value: f64| match bound {
        Bound::AtLeast(least) => value >= least,
        Bound::AtMost(most) => value <= most,
        Bound::NotWorseBy(_) | Bound::BetterBy(_) => true,
    };
    let honest = rounded.parse().is_ok_and(|rounded| side(rounded) == side(value));
    if honest { rounded } else { value.to_string() }
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || (0.001..1e6).contains(&size) => {
            format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:.3e}"),
    }
}

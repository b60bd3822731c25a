//! A verdict in a sentence for a reader in a hurry: what decided it stands first, the worst slices among it, and what the table has
//! beyond that is counted.

use std::cmp::Reverse;
use types::{Against, Bound, Interval, Outcome, Requirement, VerdictLine};

/// Parts of a sentence.
const PARTS_TOLD: usize = 3;
/// Slices among them that are told one by one.
const SLICES_TOLD: usize = 2;

/// Something that a sentence may tell, of some lines of the verdict.
struct Part {
    outcome: Outcome,
    of_slice: bool,
    lines: usize,
    words: String,
}

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
    let mut parts: Vec<Part> = asked.iter().flat_map(|(_, lines)| of_requirement(lines, against)).collect();
    if parts.is_empty() {
        return format!("{verdict}: nothing was required");
    }
    parts.sort_by_key(|part| (Reverse(part.outcome), part.of_slice));
    let (mut told, mut slices) = (Vec::new(), 0);
    let mut rest = Vec::new();
    for part in parts {
        if told.len() == PARTS_TOLD || part.of_slice && slices == SLICES_TOLD {
            rest.push(part);
            continue;
        }
        slices += usize::from(part.of_slice);
        told.push(part.words);
    }
    told.extend(counted(&rest));
    format!("{verdict}: {}", told.join("; "))
}

/// "and 7 more (1 failed, 6 passed), see the table"; none if all was told.
fn counted(rest: &[Part]) -> Option<String> {
    let lines = |of: Option<Outcome>| {
        let these = rest.iter().filter(|part| of.is_none_or(|of| part.outcome == of));
        these.map(|part| part.lines).sum::<usize>()
    };
    let each = [Outcome::Fail, Outcome::Inconclusive, Outcome::NoBaseline, Outcome::Pass];
    let some = each.into_iter().filter(|outcome| lines(Some(*outcome)) > 0);
    let each: Vec<String> = some.map(|outcome| format!("{} {}", lines(Some(outcome)), outcome.word())).collect();
    (!rest.is_empty()).then(|| format!("and {} more ({}), see the table", lines(None), each.join(", ")))
}

fn nobody(against: Option<&Against>) -> String {
    match against {
        Some(Against { model, alias, version: None }) => format!("no version of {model} is {alias} yet"),
        _ => "the baseline has no such measure".to_owned(),
    }
}

/// The first line by itself; its slices that did not pass, the worst first, and how many did.
fn of_requirement(lines: &[VerdictLine], against: Option<&Against>) -> Vec<Part> {
    let Some((whole, slices)) = lines.split_first() else { return Vec::new() };
    let part = |line: &VerdictLine, of_slice| Part {
        outcome: line.outcome(),
        of_slice,
        lines: 1,
        words: words(line, against),
    };
    let (good, mut bad): (Vec<&VerdictLine>, Vec<_>) = slices.iter().partition(|line| line.outcome() == Outcome::Pass);
    bad.sort_by(|one, other| short_by(other).total_cmp(&short_by(one)));
    let mut parts = vec![part(whole, false)];
    parts.extend(bad.into_iter().map(|line| part(line, true)));
    if !good.is_empty() {
        let measure = &whole.requirement.measure;
        let passed = found(&VerdictLine { outcome: Some(Outcome::Pass), ..whole.clone() });
        let words = format!("{measure} {passed} in {} of {} slices", good.len(), slices.len());
        parts.push(Part { outcome: Outcome::Pass, of_slice: false, lines: good.len(), words });
    }
    parts
}

/// By how much a line lacks what is asked; slices of one requirement are put in order by it. One without a value says the least.
fn short_by(line: &VerdictLine) -> f64 {
    let Some(value) = line.value else { return f64::NEG_INFINITY };
    match line.requirement.bound {
        Bound::AtLeast(least) => least - value,
        Bound::AtMost(most) => value - most,
        Bound::NotWorseBy(_) | Bound::BetterBy(_) => {
            let gained = line.baseline_value.map_or(0.0, |baseline| value - baseline);
            if line.requirement.lowest { gained } else { -gained }
        }
    }
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

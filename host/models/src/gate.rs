//! Measures and what is asked of them -> a verdict, with a sentence for a reader in a hurry.
//!
//! A value is held against its bound as it is, or with its whole interval where `confident` asks for that. A difference to the
//! baseline is judged by its interval alone: it passes where the interval lies wholly on the good side of the margin, fails where
//! it lies wholly on the bad one, and is inconclusive in between. Intervals of slices are corrected for their number by the
//! evaluator, whose resamples they are made of.

mod words;

use std::collections::BTreeSet;
use types::{Against, Bound, Interval, Leniency, Measure, Outcome, Requirement, Verdict, VerdictLine};

/// Judges each requirement. One on a measure that was not taken fails, as does a value that is no finite number: a gate
/// opens only for what was shown. `against` is the registered version that the measures were compared with, if one was wanted.
pub fn gate(require: &[Requirement], measures: &[Measure], against: Option<Against>, leniency: Leniency) -> Verdict {
    let asked: Vec<(&Requirement, Vec<VerdictLine>)> = require
        .iter()
        .map(|requirement| {
            let line = |requirement: Requirement| judge(requirement, measures, leniency);
            (requirement, of_slices(requirement, measures).into_iter().map(line).collect())
        })
        .collect();
    let lines = || asked.iter().flat_map(|(_, lines)| lines);
    let outcome = lines().map(VerdictLine::outcome).max().unwrap_or(Outcome::Pass);
    let passed = lines().all(|line| line.passed);
    let sentence = words::sentence(passed, outcome, &asked, against.as_ref());
    let lines = asked.into_iter().flat_map(|(_, lines)| lines).collect();
    Verdict { passed, lines, sentence, outcome: Some(outcome), against }
}

/// The requirement on all rows or on the slice that it names, then on each slice of the columns that it names.
fn of_slices(requirement: &Requirement, measures: &[Measure]) -> Vec<Requirement> {
    let named: BTreeSet<&String> = measures.iter().filter_map(|measure| measure.slice.as_ref()).collect();
    let of = |columns: &String| {
        let found: Vec<_> = named.iter().filter(|slice| Measure::columns_of(slice) == *columns).copied().collect();
        // That nothing was measured there is a line of its own, and fails.
        if found.is_empty() { vec![columns.clone()] } else { found.into_iter().cloned().collect() }
    };
    let alone = Requirement { slices: Vec::new(), ..requirement.clone() };
    let slices = requirement.slices.iter().flat_map(of);
    let sliced: Vec<_> = slices.map(|slice| Requirement { slice: Some(slice), ..alone.clone() }).collect();
    [alone].into_iter().chain(sliced).collect()
}

fn judge(requirement: Requirement, measures: &[Measure], leniency: Leniency) -> VerdictLine {
    let found = measures
        .iter()
        .filter(|measure| measure.name == requirement.measure && measure.slice == requirement.slice)
        // If a measure was taken twice, the worse one counts.
        .max_by_key(|measure| outcome(&requirement, measure));
    let outcome = match found {
        Some(found) => outcome(&requirement, found),
        // Such as the recall of a slice without positives: more rows may have some.
        None if requirement.slice.as_ref().is_some_and(|slice| has_other(measures, slice)) => Outcome::Inconclusive,
        None => Outcome::Fail,
    };
    let passed = match outcome {
        Outcome::Pass => true,
        Outcome::NoBaseline => leniency.no_baseline,
        Outcome::Inconclusive => leniency.inconclusive,
        Outcome::Fail => false,
    };
    // A record is JSON, which has no NaN.
    let value = found.map(|measure| measure.value).filter(|value| value.is_finite());
    VerdictLine {
        requirement,
        value,
        interval: found.and_then(|measure| measure.interval),
        passed,
        outcome: Some(outcome),
        baseline_value: found.and_then(|measure| measure.baseline_value),
        difference_interval: found.and_then(|measure| measure.difference_interval),
        found: None,
    }
}

fn has_other(measures: &[Measure], slice: &str) -> bool {
    measures.iter().any(|measure| measure.slice.as_deref() == Some(slice))
}

fn outcome(requirement: &Requirement, measure: &Measure) -> Outcome {
    if !measure.value.is_finite() {
        return Outcome::Fail;
    }
    match requirement.bound {
        Bound::AtLeast(bound) | Bound::AtMost(bound) if requirement.confident => {
            let low_is_good = matches!(requirement.bound, Bound::AtMost(_));
            measure.interval.map_or(Outcome::Inconclusive, |interval| {
                beyond(oriented(interval, low_is_good), if low_is_good { -bound } else { bound })
            })
        }
        Bound::AtLeast(least) => settled(measure.value >= least),
        Bound::AtMost(most) => settled(measure.value <= most),
        Bound::NotWorseBy(_) | Bound::BetterBy(_) if measure.baseline_value.is_none() => Outcome::NoBaseline,
        Bound::NotWorseBy(margin) => {
            gained(requirement, measure).map_or(Outcome::Inconclusive, |gained| beyond(gained, -margin))
        }
        Bound::BetterBy(margin) => match gained(requirement, measure) {
            Some(gained) if gained.low > margin => Outcome::Pass,
            Some(gained) if gained.high <= margin => Outcome::Fail,
            _ => Outcome::Inconclusive,
        },
    }
}

fn settled(holds: bool) -> Outcome {
    if holds { Outcome::Pass } else { Outcome::Fail }
}

/// By how much the candidate is better; a negative number is worse.
fn gained(requirement: &Requirement, measure: &Measure) -> Option<Interval> {
    Some(oriented(measure.difference_interval?, requirement.lowest))
}

/// So that more is better.
fn oriented(interval: Interval, low_is_good: bool) -> Interval {
    match low_is_good {
        true => Interval { low: -interval.high, high: -interval.low },
        false => interval,
    }
}

/// Whether all of an interval is at or above a bound.
fn beyond(interval: Interval, bound: f64) -> Outcome {
    match (interval.low >= bound, interval.high < bound) {
        (true, _) => Outcome::Pass,
        (_, true) => Outcome::Fail,
        _ => Outcome::Inconclusive,
    }
}

#[cfg(test)]
mod tests;

//! Measures and what is asked of them -> a verdict, with a sentence for a reader in a hurry.

use types::{Bound, Interval, Measure, Requirement, Verdict, VerdictLine};

/// Judges each requirement. One on a measure that was not taken fails, as does a value that is no finite number: a gate
/// opens only for what was shown.
pub fn gate(require: &[Requirement], measures: &[Measure]) -> Verdict {
    let judged: Vec<_> = require.iter().map(|requirement| judge(requirement, measures)).collect();
    let passed = judged.iter().all(|(line, _)| line.passed);
    let sentence = sentence(passed, &judged);
    Verdict { passed, lines: judged.into_iter().map(|(line, _)| line).collect(), sentence }
}

/// A requirement's line and its words. If a measure was taken twice, the worse one counts.
fn judge(requirement: &Requirement, measures: &[Measure]) -> (VerdictLine, String) {
    let found = measures
        .iter()
        .filter(|measure| measure.name == requirement.measure && measure.slice == requirement.slice)
        .min_by_key(|measure| holds(requirement.bound, measure.value));
    let line = VerdictLine {
        requirement: requirement.clone(),
        // A record is JSON, which has no NaN; the sentence still tells it.
        value: found.map(|measure| measure.value).filter(|value| value.is_finite()),
        interval: found.and_then(|measure| measure.interval),
        passed: found.is_some_and(|measure| holds(requirement.bound, measure.value)),
    };
    (line, words(requirement, found))
}

fn holds(bound: Bound, value: f64) -> bool {
    value.is_finite()
        && match bound {
            Bound::AtLeast(least) => value >= least,
            Bound::AtMost(most) => value <= most,
        }
}

fn words(requirement: &Requirement, found: Option<&Measure>) -> String {
    let Requirement { measure, slice, bound } = requirement;
    let name = slice.as_ref().map_or_else(|| measure.clone(), |slice| format!("{measure} ({slice})"));
    let bound_words = match bound {
        Bound::AtLeast(least) => format!("at least {least}"),
        Bound::AtMost(most) => format!("at most {most}"),
    };
    let Some(found) = found else {
        return format!("{name} was not measured, expected {bound_words}");
    };
    let interval = found.interval.map(|Interval { low, high }| format!(" [{low:.3}, {high:.3}]")).unwrap_or_default();
    let verb = if holds(*bound, found.value) { "is" } else { "is not" };
    format!("{name} {}{interval} {verb} {bound_words}", shown(*bound, found.value))
}

/// Four decimals, unless the rounded value would fall on the other side of the bound than the true one does.
fn shown(bound: Bound, value: f64) -> String {
    let rounded = match value.abs() {
        size if size == 0.0 || (0.001..1e6).contains(&size) => {
            format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:.3e}"),
    };
    let honest = rounded.parse().is_ok_and(|rounded| holds(bound, rounded) == holds(bound, value));
    if honest && value.is_finite() { rounded } else { value.to_string() }
}

/// What failed stands first.
fn sentence(passed: bool, judged: &[(VerdictLine, String)]) -> String {
    let (good, bad): (Vec<_>, Vec<_>) = judged.iter().partition(|(line, _)| line.passed);
    let lines: Vec<_> = bad.into_iter().chain(good).map(|(_, words)| words.as_str()).collect();
    let verdict = if passed { "passed" } else { "failed" };
    match lines.is_empty() {
        true => format!("{verdict}: nothing was required"),
        false => format!("{verdict}: {}", lines.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(name: &str, value: f64, interval: Option<(f64, f64)>) -> Measure {
        let interval = interval.map(|(low, high)| Interval { low, high });
        Measure { name: name.to_owned(), slice: None, value, interval, baseline_value: None, difference_interval: None }
    }

    fn requirement(measure: &str, bound: Bound) -> Requirement {
        Requirement { measure: measure.to_owned(), slice: None, bound }
    }

    fn sentence_of(require: &[Requirement], measures: &[Measure]) -> (bool, String) {
        let verdict = gate(require, measures);
        (verdict.passed, verdict.sentence)
    }

    #[test]
    fn what_passes_reads_as_one_sentence() {
        let require = [requirement("roc_auc", Bound::AtLeast(0.99)), requirement("brier", Bound::AtMost(0.05))];
        let measures = [measure("brier", 0.019, None), measure("roc_auc", 0.99641, Some((0.99, 1.0)))];
        let expected = "passed: roc_auc 0.9964 [0.990, 1.000] is at least 0.99; brier 0.019 is at most 0.05";
        assert_eq!(sentence_of(&require, &measures), (true, expected.to_owned()));
    }

    #[test]
    fn what_fails_stands_first() {
        let require = [requirement("roc_auc", Bound::AtLeast(0.9)), requirement("brier", Bound::AtMost(0.05))];
        let measures = [measure("roc_auc", 1.0, None), measure("brier", 0.5, None)];
        let expected = "failed: brier 0.5 is not at most 0.05; roc_auc 1 is at least 0.9";
        assert_eq!(sentence_of(&require, &measures), (false, expected.to_owned()));
    }

    #[test]
    fn what_was_not_measured_fails() {
        let mut sliced = requirement("roc_auc", Bound::AtLeast(0.9));
        sliced.slice = Some("sex=f".to_owned());
        let expected = "failed: roc_auc (sex=f) was not measured, expected at least 0.9";
        assert_eq!(sentence_of(&[sliced], &[measure("roc_auc", 1.0, None)]), (false, expected.to_owned()));
    }

    #[test]
    fn what_is_no_finite_number_fails() {
        for (value, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
            let verdict = gate(&[requirement("auc", Bound::AtLeast(0.9))], &[measure("auc", value, None)]);
            assert_eq!(verdict.sentence, format!("failed: auc {text} is not at least 0.9"));
            assert_eq!((verdict.passed, verdict.lines[0].value), (false, None));
        }
    }

    #[test]
    fn the_worse_of_two_counts() {
        let twice = [measure("auc", 0.95, None), measure("auc", 0.5, None)];
        assert!(!gate(&[requirement("auc", Bound::AtLeast(0.9))], &twice).passed);
    }

    #[test]
    fn rounding_never_contradicts_the_verdict() {
        let expected = "failed: auc 0.98999999 is not at least 0.99";
        let verdict = sentence_of(&[requirement("auc", Bound::AtLeast(0.99))], &[measure("auc", 0.98999999, None)]);
        assert_eq!(verdict, (false, expected.to_owned()));
    }
}

//! Verdicts on made-up measures.

use super::*;
use types::Id;

fn measure(name: &str, value: f64, interval: Option<(f64, f64)>) -> Measure {
    let interval = interval.map(|(low, high)| Interval { low, high });
    Measure { name: name.to_owned(), slice: None, value, interval, baseline_value: None, difference_interval: None }
}

/// Beside a baseline of 0.9.
fn compared(name: &str, slice: Option<&str>, difference: f64, interval: Option<(f64, f64)>) -> Measure {
    let interval = interval.map(|(low, high)| Interval { low, high });
    let slice = slice.map(str::to_owned);
    let found = measure(name, 0.9 + difference, None);
    Measure { slice, baseline_value: Some(0.9), difference_interval: interval, ..found }
}

fn judged(require: &[Requirement], measures: &[Measure]) -> Verdict {
    gate(require, measures, None, Leniency::default())
}

fn sentence_of(require: &[Requirement], measures: &[Measure]) -> (bool, String) {
    let verdict = judged(require, measures);
    (verdict.passed, verdict.sentence)
}

fn champion(version: Option<u32>) -> Option<Against> {
    Some(Against { model: Id::parse("spam").unwrap(), alias: "champion".to_owned(), version })
}

#[test]
fn what_passes_reads_as_one_sentence() {
    let require = [Requirement::new("roc_auc", Bound::AtLeast(0.99)), Requirement::new("brier", Bound::AtMost(0.05))];
    let measures = [measure("brier", 0.019, None), measure("roc_auc", 0.99641, Some((0.99, 1.0)))];
    let expected = "passed: roc_auc 0.9964 [0.990, 1.000] is at least 0.99; brier 0.019 is at most 0.05";
    assert_eq!(sentence_of(&require, &measures), (true, expected.to_owned()));
}

#[test]
fn what_fails_stands_first() {
    let require = [Requirement::new("roc_auc", Bound::AtLeast(0.9)), Requirement::new("brier", Bound::AtMost(0.05))];
    let measures = [measure("roc_auc", 1.0, None), measure("brier", 0.5, None)];
    let expected = "failed: brier 0.5 is not at most 0.05; roc_auc 1 is at least 0.9";
    assert_eq!(sentence_of(&require, &measures), (false, expected.to_owned()));
}

#[test]
fn what_was_not_measured_fails() {
    let sliced = Requirement { slice: Some("sex=f".to_owned()), ..Requirement::new("roc_auc", Bound::AtLeast(0.9)) };
    let expected = "failed: roc_auc (sex=f) was not measured, expected at least 0.9";
    assert_eq!(sentence_of(&[sliced], &[measure("roc_auc", 1.0, None)]), (false, expected.to_owned()));
}

#[test]
fn what_is_no_finite_number_fails() {
    for value in [f64::NAN, f64::INFINITY] {
        let verdict = judged(&[Requirement::new("auc", Bound::AtLeast(0.9))], &[measure("auc", value, None)]);
        assert_eq!((verdict.passed, verdict.lines[0].value), (false, None));
    }
}

#[test]
fn the_worse_of_two_counts() {
    let twice = [measure("auc", 0.95, None), measure("auc", 0.5, None)];
    assert!(!judged(&[Requirement::new("auc", Bound::AtLeast(0.9))], &twice).passed);
}

#[test]
fn rounding_never_contradicts_the_verdict() {
    let expected = "failed: auc 0.98999999 is not at least 0.99";
    let require = [Requirement::new("auc", Bound::AtLeast(0.99))];
    assert_eq!(sentence_of(&require, &[measure("auc", 0.98999999, None)]), (false, expected.to_owned()));
}

#[test]
fn a_whole_interval_must_lie_there_where_that_is_asked() {
    let least = Requirement { confident: true, ..Requirement::new("auc", Bound::AtLeast(0.9)) };
    let most = Requirement { confident: true, ..Requirement::new("auc", Bound::AtMost(0.9)) };
    for (interval, at_least, at_most) in [
        (Some((0.91, 0.99)), Outcome::Pass, Outcome::Fail),
        (Some((0.80, 0.89)), Outcome::Fail, Outcome::Pass),
        (Some((0.85, 0.95)), Outcome::Inconclusive, Outcome::Inconclusive),
        (None, Outcome::Inconclusive, Outcome::Inconclusive),
    ] {
        let measures = [measure("auc", 0.9, interval)];
        let outcome = |requirement: &Requirement| judged(std::slice::from_ref(requirement), &measures).outcome();
        assert_eq!((outcome(&least), outcome(&most)), (at_least, at_most), "{interval:?}");
    }
}

#[test]
fn a_difference_is_judged_by_its_interval() {
    let (worse, better) = (Bound::NotWorseBy(0.01), Bound::BetterBy(0.01));
    for (interval, not_worse, is_better) in [
        ((0.02, 0.04), Outcome::Pass, Outcome::Pass),
        ((-0.005, 0.04), Outcome::Pass, Outcome::Inconclusive),
        ((-0.005, 0.005), Outcome::Pass, Outcome::Fail),
        ((-0.02, 0.02), Outcome::Inconclusive, Outcome::Inconclusive),
        ((-0.05, -0.02), Outcome::Fail, Outcome::Fail),
    ] {
        let (low, high) = interval;
        let outcome = |bound, lowest, interval| {
            let requirement = Requirement { lowest, ..Requirement::new("m", bound) };
            judged(&[requirement], &[compared("m", None, 0.0, Some(interval))]).outcome()
        };
        assert_eq!((outcome(worse, false, interval), outcome(better, false, interval)), (not_worse, is_better));
        let mirrored = (-high, -low);
        assert_eq!((outcome(worse, true, mirrored), outcome(better, true, mirrored)), (not_worse, is_better));
    }
    let without = judged(&[Requirement::new("m", worse)], &[compared("m", None, 0.0, None)]);
    assert_eq!(without.outcome(), Outcome::Inconclusive);
}

#[test]
fn the_same_predictions_are_not_worse() {
    let same = compared("auc", None, 0.0, Some((0.0, 0.0)));
    assert!(judged(&[Requirement::new("auc", Bound::NotWorseBy(0.0))], &[same]).passed);
}

#[test]
fn every_slice_counts_and_those_that_pass_are_counted() {
    let slices = vec!["region".to_owned()];
    let requirement = Requirement { slices, ..Requirement::new("auc", Bound::NotWorseBy(0.01)) };
    let measures = [
        compared("auc", None, 0.01, Some((0.0, 0.02))),
        compared("auc", Some("region=eu"), 0.01, Some((0.0, 0.02))),
        compared("auc", Some("region=us"), 0.0, Some((-0.005, 0.02))),
        compared("auc", Some("region=asia"), -0.05, Some((-0.08, -0.02))),
        compared("auc", Some("region=eu x plan=pro"), -0.5, Some((-0.6, -0.4))),
        compared("recall", Some("region=oz"), 0.0, Some((0.0, 0.0))),
    ];
    let verdict = gate(&[requirement], &measures, champion(Some(3)), Leniency::default());
    assert_eq!((verdict.outcome(), verdict.passed, verdict.lines.len()), (Outcome::Fail, false, 5));
    let expected = "failed: auc (region=asia) 0.85 beside 0.9 of version 3 of spam, -0.05 [-0.0800, -0.0200], is worse \
                    by more than 0.01; auc (region=oz) is undefined there; auc 0.91 beside 0.9 of version 3 of spam, \
                    +0.01 [0.0000, 0.0200], is not worse by more than 0.01; and 2 more (2 passed), see the table";
    assert_eq!(verdict.sentence, expected);
}

/// A reader in a hurry has the worst of them; the table has each.
#[test]
fn of_many_slices_the_worst_two_are_told_and_the_others_counted() {
    let requirement = |bound| Requirement { slices: vec!["region".to_owned()], ..Requirement::new("auc", bound) };
    let require = [requirement(Bound::NotWorseBy(0.01)), requirement(Bound::AtLeast(0.8))];
    // The later, the worse: seven fail beside the baseline, one is unclear there, and one falls below 0.8.
    let of = |slice: u32| {
        let (name, difference) = (format!("region={slice}"), 0.04 - f64::from(slice) / 75.0);
        compared("auc", Some(&name), difference, Some((difference - 0.01, difference + 0.01)))
    };
    let measures: Vec<Measure> =
        [compared("auc", None, 0.0, Some((-0.005, 0.005)))].into_iter().chain((0..12).map(of)).collect();
    let verdict = gate(&require, &measures, champion(Some(3)), Leniency::default());
    assert_eq!(verdict.lines.len(), 26, "the table is whole");
    let expected = "failed: auc (region=11) 0.7933 beside 0.9 of version 3 of spam, -0.1067 [-0.1167, -0.0967], is worse by \
                    more than 0.01; auc (region=10) 0.8067 beside 0.9 of version 3 of spam, -0.0933 [-0.1033, -0.0833], is \
                    worse by more than 0.01; auc 0.9 beside 0.9 of version 3 of spam, +0 [-0.0050, 0.0050], is not worse by \
                    more than 0.01; and 23 more (6 failed, 1 inconclusive, 16 passed), see the table";
    assert_eq!(verdict.sentence, expected);
}

#[test]
fn slices_that_nobody_measured_fail() {
    let slices = vec!["region x plan".to_owned()];
    let requirement = Requirement { slices, ..Requirement::new("auc", Bound::AtLeast(0.5)) };
    let expected = "failed: auc (region x plan) was not measured, expected at least 0.5; auc 0.9 is at least 0.5";
    assert_eq!(sentence_of(&[requirement], &[measure("auc", 0.9, None)]), (false, expected.to_owned()));
}

#[test]
fn what_is_neither_yes_nor_no_is_let_through_only_where_the_gate_says_so() {
    let relative = Requirement::new("auc", Bound::NotWorseBy(0.01));
    let first = [Requirement::new("auc", Bound::AtLeast(0.8)), relative.clone()];
    let alone = [measure("auc", 0.9, None)];
    let unclear = [compared("auc", None, 0.0, Some((-0.1, 0.1)))];
    for (inconclusive, no_baseline) in [(false, true), (true, false)] {
        let leniency = Leniency { inconclusive, no_baseline };
        let verdict = gate(&first, &alone, champion(None), leniency);
        assert_eq!((verdict.outcome(), verdict.passed), (Outcome::NoBaseline, no_baseline));
        assert!(verdict.sentence.contains("no version of spam is champion yet"), "{}", verdict.sentence);
        let verdict = gate(std::slice::from_ref(&relative), &unclear, champion(Some(1)), leniency);
        assert_eq!((verdict.outcome(), verdict.passed), (Outcome::Inconclusive, inconclusive));
    }
    let bad =
        gate(&[Requirement::new("auc", Bound::AtLeast(0.95)), relative], &alone, champion(None), Leniency::default());
    assert!(!bad.passed, "a first model passes its absolute thresholds or not at all");
}

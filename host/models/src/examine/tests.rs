//! Candidates and what is said of them.

use super::*;

/// One with which nothing is wrong.
fn sound() -> (Weights, Conduct) {
    let weights = Weights { tensors: 2, numbers: 11, ..Weights::default() };
    let took_ms = (1..=100).map(f64::from).collect();
    let answering = Conduct { rows: 8, recorded: true, took_ms, memory_bytes: 30 << 20, ..Conduct::default() };
    (weights, answering)
}

fn series(first: f64, last: f64, points: u64) -> Option<Series> {
    let finite = |value: f64| value.is_finite().then_some(value);
    Some(Series { first: finite(first), last: finite(last), points })
}

#[track_caller]
fn says(verdict: &Verdict, passed: bool, sentence: &str) {
    assert_eq!((verdict.sentence.as_str(), verdict.passed), (sentence, passed));
    assert_eq!(verdict.outcome(), if passed { Outcome::Pass } else { Outcome::Fail });
}

#[test]
fn a_sound_candidate_passes_line_by_line() {
    let (weights, answering) = sound();
    let budget = Budget { latency_ms: Some(99), memory_bytes: Some(30 << 20) };
    let verdict = examine(&weights, Some(("loss", series(0.6875, 0.05, 12))), Some(&answering), budget);
    says(
        &verdict,
        true,
        "passed: all 11 numbers of its 2 tensors are finite; `loss` fell from 0.6875 to 0.05; all numbers in 8 answers are \
         finite; 8 requests are answered as recorded, alone and together; of 100 requests 99 % took 99.00 ms or less and half \
         50.00 ms, within the budget of 99 ms; its worker had 30 MiB resident, within the budget of 30 MiB",
    );
    let lines: Vec<_> = verdict.lines.iter().map(|line| (line.requirement.measure.as_str(), line.value)).collect();
    let expected = [
        ("bad_weights", Some(0.0)),
        ("loss", Some(0.05)),
        ("bad_answers", Some(0.0)),
        ("other_answers", Some(0.0)),
        ("latency_ms", Some(99.0)),
        ("memory_mib", Some(30.0)),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_nobody_asks_for_is_not_judged() {
    let (weights, answering) = sound();
    let verdict = examine(&weights, None, Some(&answering), Budget::default());
    assert_eq!(verdict.lines.len(), 3);
    let none = Weights::default();
    let answering = Conduct { recorded: false, ..answering };
    let sentence = "passed: there were no weights to look at; all numbers in 8 answers are finite; 8 requests are answered the same alone \
                    and together";
    says(&examine(&none, None, Some(&answering), Budget::default()), true, sentence);
}

/// That nobody looked is not to be read as that all is well.
#[test]
fn what_was_looked_at_is_told() {
    let unread = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    for (weights, expected) in [
        (Weights { written: 70, ..Weights::default() }, "all 70 numbers of its JSON files are finite"),
        (
            Weights { tensors: 2, numbers: 11, written: 70, ..Weights::default() },
            "all 11 numbers of its 2 tensors and 70 of its JSON files are finite",
        ),
        (
            Weights { written: 4, unread: unread(&["weights.bin"]), ..Weights::default() },
            "all 4 numbers of its JSON files are finite, and nobody looked into `weights.bin`",
        ),
        (
            Weights { unread: unread(&["weights.bin", "b", "c"]), ..Weights::default() },
            "there were no weights to look at, and nobody looked into `weights.bin` and 2 more",
        ),
    ] {
        let verdict = examine(&weights, None, Some(&sound().1), Budget::default());
        assert_eq!(verdict.lines[0].found.as_deref(), Some(expected));
    }
}

#[test]
fn what_is_wrong_is_said_first() {
    let (weights, answering) = sound();
    let check = |weights: &Weights, loss: Option<Series>, answering: &Conduct, budget, first: &str| {
        let verdict = examine(weights, Some(("loss", loss)), Some(answering), budget);
        assert!(verdict.sentence.starts_with(&format!("failed: {first}; ")), "{}", verdict.sentence);
        assert!(!verdict.passed && verdict.lines.iter().filter(|line| !line.passed).count() == 1);
    };
    let (fell, free) = (series(2.0, 1.0, 3), Budget::default());
    for (loss, first) in [
        (None, "its training told no series `loss`"),
        (series(1.0, 1.0, 9), "`loss` did not fall: 1 at first, 1 at last"),
        (series(1.0, 1.5, 9), "`loss` did not fall: 1 at first, 1.5 at last"),
        (series(1.0, f64::NAN, 9), "`loss` did not fall: 1 at first, no finite number at last"),
        (series(1.0, 1.0, 1), "its training told `loss` once only, so it is not known whether it fell"),
    ] {
        check(&weights, loss, &answering, free, first);
    }
    let (first_bad, first_other) = (Some("`p` of row 3".to_owned()), Some("row 3: `p` is 1 alone".to_owned()));
    let bad = Conduct { bad: 4, first_bad, ..answering.clone() };
    check(
        &weights,
        fell,
        &bad,
        free,
        "it answers `p` of row 3 with no finite number, the first of 4 numbers in its answers that are not",
    );
    let other = Conduct { other: 1, first_other, ..answering.clone() };
    check(&weights, fell, &other, free, "row 3: `p` is 1 alone");
    let latency = Budget { latency_ms: Some(98), memory_bytes: None };
    let first = "of 100 requests 99 % took 99.00 ms or less and half 50.00 ms, beyond the budget of 98 ms";
    check(&weights, fell, &answering, latency, first);
    let memory = Budget { latency_ms: None, memory_bytes: Some((30 << 20) - 1) };
    check(&weights, fell, &answering, memory, "its worker had 30 MiB resident, beyond the budget of 31457279 B");
}

#[test]
fn a_candidate_with_bad_weights_is_not_asked() {
    let first = Some("`w`[0, 3] in `weights.safetensors` of step `model` is NaN".to_owned());
    let verdict = examine(
        &Weights { tensors: 2, numbers: 11, bad: 5, first, ..Weights::default() },
        None,
        None,
        Budget::default(),
    );
    says(
        &verdict,
        false,
        "failed: `w`[0, 3] in `weights.safetensors` of step `model` is NaN, the first of 5 numbers of its weights that are not \
         finite; it was not asked anything",
    );
}

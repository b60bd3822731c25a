//! What was seen of a candidate before it serves -> a verdict, each check a line in words.
//!
//! A gate judges how good the answers are; this judges whether there is anything sound that answers, the same way each time, in
//! time and in the room that its endpoint has.

use types::{Bound, Budget, Outcome, Quantity, Requirement, Series, Verdict, VerdictLine};

/// What stands in the files of a model and of the fitted steps before it, as far as they are tensors or JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    pub tensors: u64,
    /// In tensors.
    pub numbers: u64,
    /// Numbers in JSON files.
    pub written: u64,
    /// Files of other kinds, into which nobody looked.
    pub unread: Vec<String>,
    /// Those that are no finite number.
    pub bad: u64,
    /// Where the first one stands and what it is: "`w`[0, 3] in `weights.safetensors` of step `model` is NaN".
    pub first: Option<String>,
}

/// How a candidate answered where it would serve.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conduct {
    /// Rows that it was asked about, one by one and then together.
    pub rows: u64,
    /// Numbers that are not finite, among all that it answered.
    pub bad: u64,
    /// "`probability` of row 3".
    pub first_bad: Option<String>,
    /// Rows with another answer than before.
    pub other: u64,
    /// "row 3: `probability` is 0.25 asked alone, 0.5 among others".
    pub first_other: Option<String>,
    /// Whether the answers were held against those of the run.
    pub recorded: bool,
    /// What each request of one row took, in milliseconds; at least one.
    pub took_ms: Vec<f64>,
    /// The most that its worker had resident.
    pub memory_bytes: u64,
}

/// Judges. A candidate whose weights are bad was not asked: `answering` is none. `loss` is the series that is to have gone down,
/// by its name; none of it if the training told no such series.
pub fn examine(
    weights: &Weights,
    loss: Option<(&str, Option<Series>)>,
    answering: Option<&Conduct>,
    budget: Budget,
) -> Verdict {
    let mut lines = vec![of_weights(weights)];
    lines.extend(loss.map(|(name, series)| of_loss(name, series)));
    if let Some(answering) = answering {
        lines.extend([of_answers(answering), of_repeats(answering)]);
        lines.extend(budget.latency_ms.map(|most| of_latency(answering, most)));
        lines.extend(budget.memory_bytes.map(|most| of_memory(answering, most)));
    }
    let passed = lines.iter().all(|line| line.passed);
    // What decided it is told, and the rest is counted.
    let decided: Vec<&VerdictLine> = lines.iter().filter(|line| line.passed == passed).collect();
    let mut told: Vec<String> = decided.iter().filter_map(|line| line.found.clone()).collect();
    if answering.is_none() {
        told.push("it was not asked anything".to_owned());
    }
    match lines.len() - decided.len() {
        0 => {}
        1 => told.push("the other check passed".to_owned()),
        more => told.push(format!("{more} other checks passed")),
    }
    let outcome = if passed { Outcome::Pass } else { Outcome::Fail };
    let sentence = types::sentence(format!("{}: {}", outcome.word(), told.join("; ")));
    Verdict { passed, lines, sentence, outcome: Some(outcome), against: None }
}

/// A line on a number that may be at most so much.
fn line(measure: &str, most: f64, value: Option<f64>, passed: bool, found: String) -> VerdictLine {
    VerdictLine {
        requirement: Requirement::new(measure, Bound::AtMost(most)),
        // A record is JSON, which has no NaN.
        value: value.filter(|value| value.is_finite()),
        interval: None,
        passed,
        outcome: Some(if passed { Outcome::Pass } else { Outcome::Fail }),
        baseline_value: None,
        difference_interval: None,
        found: Some(found),
    }
}

fn of_weights(weights: &Weights) -> VerdictLine {
    let Weights { tensors, numbers, written, unread, bad, first } = weights;
    let looked = match (tensors, written) {
        _ if first.is_some() => String::new(),
        (0, 0) => "there were no weights to look at".to_owned(),
        (0, _) => format!("all {written} numbers of its JSON files are finite"),
        (_, 0) => format!("all {numbers} numbers of its {tensors} tensors are finite"),
        _ => format!("all {numbers} numbers of its {tensors} tensors and {written} of its JSON files are finite"),
    };
    let found = match (first, &unread[..]) {
        (Some(first), _) => format!("{first}{}", of_many(*bad, "numbers of its weights that are not finite")),
        (_, []) => looked,
        (_, [file]) => format!("{looked}, and nobody looked into `{file}`"),
        (_, [file, more @ ..]) => format!("{looked}, and nobody looked into `{file}` and {} more", more.len()),
    };
    line("bad_weights", 0.0, Some(*bad as f64), *bad == 0, found)
}

/// The first one was named already.
fn of_many(count: u64, what: &str) -> String {
    if count > 1 { format!(", the first of {count} {what}") } else { String::new() }
}

fn of_loss(name: &str, series: Option<Series>) -> VerdictLine {
    let Some(Series { first, last, points }) = series else {
        let found = format!("its training told no series `{name}`");
        return line(name, 0.0, None, false, found);
    };
    let said = |value: Option<f64>| value.map_or_else(|| "no finite number".to_owned(), number);
    let fell = first.zip(last).is_some_and(|(first, last)| last < first);
    let found = match (points, fell) {
        (1, _) => format!("its training told `{name}` once only, so it is not known whether it fell"),
        (_, true) => format!("`{name}` fell from {} to {}", said(first), said(last)),
        (_, false) => format!("`{name}` did not fall: {} at first, {} at last", said(first), said(last)),
    };
    line(name, first.unwrap_or_default(), last, fell, found)
}

fn of_answers(Conduct { rows, bad, first_bad, .. }: &Conduct) -> VerdictLine {
    let found = match first_bad {
        Some(first) => {
            format!("it answers {first} with no finite number{}", of_many(*bad, "numbers in its answers that are not"))
        }
        None => format!("all numbers in {rows} answers are finite"),
    };
    line("bad_answers", 0.0, Some(*bad as f64), *bad == 0, found)
}

fn of_repeats(Conduct { rows, other, first_other, recorded, .. }: &Conduct) -> VerdictLine {
    let found = match first_other {
        Some(first) => format!("{first}{}", of_many(*other, "rows that it answers one way and another")),
        None if *recorded => format!("{rows} requests are answered as recorded, alone and together"),
        None => format!("{rows} requests are answered the same alone and together"),
    };
    line("other_answers", 0.0, Some(*other as f64), *other == 0, found)
}

fn of_latency(answering: &Conduct, most_ms: u64) -> VerdictLine {
    let mut took = answering.took_ms.clone();
    took.sort_unstable_by(f64::total_cmp);
    let (p50, p99) = (percentile(&took, 0.5), percentile(&took, 0.99));
    let passed = p99 <= most_ms as f64;
    let asked = took.len();
    let found = format!(
        "of {asked} requests 99 % took {p99:.2} ms or less and half {p50:.2} ms, {} the budget of {}",
        within(passed),
        Quantity::Milliseconds(most_ms)
    );
    line("latency_ms", most_ms as f64, Some(p99), passed, found)
}

fn of_memory(answering: &Conduct, most_bytes: u64) -> VerdictLine {
    let passed = answering.memory_bytes <= most_bytes;
    let (used, most) = (Quantity::Bytes(answering.memory_bytes), Quantity::Bytes(most_bytes));
    let found = format!("its worker had {} resident, {} the budget of {most}", used.about(), within(passed));
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    line("memory_mib", mib(most_bytes), Some(mib(answering.memory_bytes)), passed, found)
}

fn within(passed: bool) -> &'static str {
    if passed { "within" } else { "beyond" }
}

/// Of sorted values the smallest that this share of them does not exceed.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).or(sorted.last()).copied().unwrap_or_default()
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || (0.001..1e6).contains(&size) => {
            format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:.3e}"),
    }
}

#[cfg(test)]
mod tests;

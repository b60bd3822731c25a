//! What two versions answered -> whether the newer one is worse than it may be. Pure.
//!
//! Something counts against a candidate if it is beyond its bound by more than chance explains, at a level of 1 %. It is
//! judged once, at a number of requests that was fixed beforehand: looking again and again would find something by chance.
//!
//! - errors: the lower end of the one-sided 99 % interval of the difference of two proportions (Newcombe's, of Wilson scores)
//! - latency: the lower end of the one-sided 99 % interval of the candidate's 95th percentile (of order statistics)
//! - shift: the largest difference of the distributions, over half-lines for numbers (two-sample Kolmogorov-Smirnov) and over
//!   single words for texts, against the critical value of Kolmogorov and Smirnov
//! - labels that came back: see `labelled`

use crate::guard::Look;
use crate::labelled::{self, Labelled};
use std::collections::BTreeMap;
use types::Analysis;

/// Values of a kind that are kept, the latest.
const KEPT: usize = 4096;
/// Different words of a column; those beyond count as one.
const WORDS_MAX: usize = 1000;
/// Columns of an answer that are looked at.
const COLUMNS_MAX: usize = 100;
/// The 99th percentile of the standard normal distribution.
pub(crate) const Z: f64 = 2.326_347_874_040_841;
/// sqrt(-ln(0.01 / 2) / 2): the asymptotic critical value of Kolmogorov and Smirnov at 1 %.
const KOLMOGOROV: f64 = 1.627_623_630_718_729_3;

/// What one version answered since a time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Window {
    pub requests: u64,
    /// Those that failed, not by their sender's fault.
    pub errors: u64,
    /// Of its predictions of that time, those whose labels have come; they are counted elsewhere, and by whoever asks for them.
    pub labelled: Labelled,
    /// Of a candidate: what both versions came to, now and then.
    looks: Vec<Look>,
    seconds: Latest,
    columns: BTreeMap<String, Column>,
}

/// Values of a column.
#[derive(Debug, Clone, PartialEq)]
enum Column {
    Numbers(Latest),
    Words(BTreeMap<String, u64>),
}

/// The latest values.
#[derive(Debug, Clone, Default, PartialEq)]
struct Latest {
    values: Vec<f64>,
    next: usize,
}

/// Values that an answer has in a column.
#[derive(Debug, Clone, Copy)]
pub enum Answered<'a> {
    Numbers(&'a [f64]),
    Words(&'a [String]),
}

/// What an analysis comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// Too few were answered yet, or too few labels came.
    Open,
    Good(String),
    Bad(String),
}

impl Window {
    /// Takes note of an answered request.
    pub fn answered(&mut self, seconds: f64) {
        self.requests += 1;
        self.seconds.add(seconds);
    }

    /// Takes note of one that failed.
    pub fn failed(&mut self) {
        self.requests += 1;
        self.errors += 1;
    }

    /// Takes note of what a candidate, and the stable version with so many errors and requests, came to by now.
    pub fn look(&mut self, stable: (u64, u64)) {
        self.looks.push(Look { stable, candidate: (self.errors, self.requests) });
    }

    pub fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// The 95th percentile of the seconds that answers took.
    pub fn p95_seconds(&self) -> Option<f64> {
        p95(&self.seconds.sorted(), 0.0)
    }

    /// Takes note of what an answer has in a column.
    pub fn saw(&mut self, column: &str, values: Answered<'_>) {
        if !self.columns.contains_key(column) {
            if self.columns.len() >= COLUMNS_MAX {
                return;
            }
            let empty = match values {
                Answered::Numbers(_) => Column::Numbers(Latest::default()),
                Answered::Words(_) => Column::Words(BTreeMap::new()),
            };
            self.columns.insert(column.to_owned(), empty);
        }
        match (self.columns.get_mut(column), values) {
            (Some(Column::Numbers(latest)), Answered::Numbers(values)) => {
                values.iter().filter(|value| value.is_finite()).for_each(|value| latest.add(*value));
            }
            (Some(Column::Words(counts)), Answered::Words(words)) => {
                for word in words {
                    let known = counts.len() < WORDS_MAX || counts.contains_key(word);
                    *counts.entry(if known { word.clone() } else { String::new() }).or_default() += 1;
                }
            }
            _ => {}
        }
    }
}

impl Latest {
    fn add(&mut self, value: f64) {
        match self.values.get_mut(self.next) {
            Some(oldest) => *oldest = value,
            None => self.values.push(value),
        }
        self.next = (self.next + 1) % KEPT;
    }

    fn sorted(&self) -> Vec<f64> {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        values
    }
}

/// Holds a candidate against the version that it is to replace.
pub fn judge(analysis: &Analysis, stable: &Window, candidate: &Window) -> Judgement {
    let is_enough = |of: &Window| of.requests >= analysis.requests && of.labelled.count >= analysis.labels;
    if !is_enough(stable) || !is_enough(candidate) {
        return Judgement::Open;
    }
    let found = [
        analysis.error_rate.map(|bound| errors(bound, stable, candidate)),
        analysis.latency_ratio.map(|bound| latency(bound, stable, candidate)),
        analysis.shift.map(|bound| shift(bound, stable, candidate)),
        analysis.accuracy_loss.map(|bound| labelled::accuracy(bound, &stable.labelled, &candidate.labelled)),
        analysis.mae_increase.map(|bound| labelled::mae(bound, &stable.labelled, &candidate.labelled)),
    ];
    let (bad, good): (Vec<_>, Vec<_>) = found.into_iter().flatten().partition(|(is_bad, _)| *is_bad);
    let said = |lines: Vec<(bool, String)>| lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("; ");
    if bad.is_empty() { Judgement::Good(said(good)) } else { Judgement::Bad(said(bad)) }
}

fn errors(bound: f64, stable: &Window, candidate: &Window) -> (bool, String) {
    let (old, new) = ((stable.errors, stable.requests), (candidate.errors, candidate.requests));
    let rate = |(errors, requests): (u64, u64)| errors as f64 / requests.max(1) as f64;
    let least = least_increase(old, new);
    let said = format!(
        "{:.2} % of requests failed, {:.2} % with the stable version: at least {:.2} points more, {:.2} are allowed",
        100.0 * rate(new),
        100.0 * rate(old),
        100.0 * least,
        100.0 * bound
    );
    (least > bound, said)
}

/// The lower end of Newcombe's one-sided 99 % interval of the difference of two proportions.
pub(crate) fn least_increase((old_errors, old): (u64, u64), (new_errors, new): (u64, u64)) -> f64 {
    let (p_old, p_new) = (old_errors as f64 / old.max(1) as f64, new_errors as f64 / new.max(1) as f64);
    let (low, _) = wilson(new_errors, new);
    let (_, high) = wilson(old_errors, old);
    p_new - p_old - ((p_new - low).powi(2) + (high - p_old).powi(2)).sqrt()
}

/// Wilson's score interval of a proportion.
fn wilson(errors: u64, requests: u64) -> (f64, f64) {
    let (n, p) = (requests.max(1) as f64, errors as f64 / requests.max(1) as f64);
    let scale = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (centre - half, centre + half)
}

fn latency(bound: f64, stable: &Window, candidate: &Window) -> (bool, String) {
    let (old, new) = (stable.seconds.sorted(), candidate.seconds.sorted());
    let (Some(old), Some(point), Some(least)) = (p95(&old, 0.0), p95(&new, 0.0), p95(&new, Z)) else {
        return (false, "no request was answered, so no time was taken".to_owned());
    };
    let said = format!(
        "the 95th percentile is {:.2} ms, {:.2} ms with the stable version; {bound} times that are allowed",
        1000.0 * point,
        1000.0 * old
    );
    (least > bound * old, said)
}

/// The 95th percentile of sorted values, or, so many standard deviations below its rank, the lower end of its interval.
fn p95(sorted: &[f64], z: f64) -> Option<f64> {
    let n = sorted.len() as f64;
    let rank = (0.95 * n - z * (0.95 * 0.05 * n).sqrt()).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

/// Of all columns the one that shifted most.
fn shift(bound: f64, stable: &Window, candidate: &Window) -> (bool, String) {
    let mut most: Option<(f64, f64, &str)> = None;
    for (name, new) in &candidate.columns {
        let Some(old) = stable.columns.get(name) else { continue };
        let Some((distance, n, m)) = distance(old, new) else { continue };
        let chance = KOLMOGOROV * ((n + m) / (n * m)).sqrt();
        if most.is_none_or(|(_, least, _)| distance - chance > least) {
            most = Some((distance, distance - chance, name));
        }
    }
    let Some((distance, beyond_chance, name)) = most else {
        return (false, "no column of the answers can be compared".to_owned());
    };
    let by_chance = if distance > bound && beyond_chance <= 0.0 { ", and chance explains so much" } else { "" };
    let said = format!("column {name} shifted by {distance:.3}, {bound} is allowed{by_chance}");
    (distance > bound && beyond_chance > 0.0, said)
}

/// The largest difference of two distributions, and the counts behind each.
fn distance(old: &Column, new: &Column) -> Option<(f64, f64, f64)> {
    let (distance, n, m) = match (old, new) {
        (Column::Numbers(old), Column::Numbers(new)) => {
            let (old, new) = (old.sorted(), new.sorted());
            (kolmogorov_smirnov(&old, &new), old.len() as f64, new.len() as f64)
        }
        (Column::Words(old), Column::Words(new)) => {
            let (n, m) = (old.values().sum::<u64>() as f64, new.values().sum::<u64>() as f64);
            let share = |counts: &BTreeMap<String, u64>, word: &str, all: f64| {
                counts.get(word).copied().unwrap_or(0) as f64 / all.max(1.0)
            };
            let words = old.keys().chain(new.keys());
            let most = words.map(|word| (share(old, word, n) - share(new, word, m)).abs()).fold(0.0, f64::max);
            (most, n, m)
        }
        _ => return None,
    };
    (n > 0.0 && m > 0.0).then_some((distance, n, m))
}

/// The two-sample statistic of sorted values.
fn kolmogorov_smirnov(old: &[f64], new: &[f64]) -> f64 {
    let (mut i, mut j, mut most) = (0, 0, 0.0_f64);
    while i < old.len() && j < new.len() {
        let at = old[i].min(new[j]);
        while old.get(i).is_some_and(|value| *value <= at) {
            i += 1;
        }
        while new.get(j).is_some_and(|value| *value <= at) {
            j += 1;
        }
        most = most.max((i as f64 / old.len() as f64 - j as f64 / new.len() as f64).abs());
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(requests: u64, errors: u64, seconds: impl Fn(u64) -> f64) -> Window {
        let mut window = Window::default();
        (0..requests - errors).for_each(|at| window.answered(seconds(at)));
        (0..errors).for_each(|_| window.failed());
        window
    }

    fn numbers(values: &[f64]) -> Window {
        let mut window = window(values.len() as u64, 0, |_| 0.001);
        window.saw("probability", Answered::Numbers(values));
        window
    }

    fn analysis(requests: u64) -> Analysis {
        let (error_rate, latency_ratio, shift) = Default::default();
        Analysis { requests, error_rate, latency_ratio, shift, labels: 0, accuracy_loss: None, mae_increase: None }
    }

    fn is_bad(judgement: &Judgement) -> bool {
        matches!(judgement, Judgement::Bad(_))
    }

    /// 300 and 200 numbers that are spread otherwise.
    fn spread() -> (Vec<f64>, Vec<f64>) {
        let value = |i: u64| ((i * 7919) % 1000) as f64 / 1000.0;
        ((0..300).map(value).collect(), (0..200).map(|i| value(i).powf(1.5)).collect())
    }

    fn sorted(values: &[f64]) -> Vec<f64> {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    }

    #[track_caller]
    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-12, "{got}, expected {expected}");
    }

    /// Of SciPy 1.17.1: `stats.ks_2samp(a, b).statistic`.
    #[test]
    fn the_shift_of_numbers_is_scipys() {
        let (a, b) = spread();
        near(kolmogorov_smirnov(&sorted(&a), &sorted(&b)), 0.161_666_666_666_666_65);
        let rounded = |values: &[f64]| sorted(&values.iter().map(|x| (10.0 * x).floor() / 10.0).collect::<Vec<_>>());
        near(kolmogorov_smirnov(&rounded(&a), &rounded(&b)), 0.16);
        let apart: Vec<f64> = b.iter().map(|x| x + 2.0).collect();
        near(kolmogorov_smirnov(&sorted(&a), &sorted(&apart)), 1.0);
    }

    /// Of statsmodels 0.15.0: `proportion_confint(k, n, alpha=0.02, method="wilson")` and
    /// `confint_proportions_2indep(k, n, l, m, method="newcomb", compare="diff", alpha=0.02)[0]`.
    #[test]
    fn the_intervals_of_errors_are_statsmodels() {
        for ((errors, requests), (low, high)) in [
            ((0, 50), (0.0, 0.097_666_655_988_237_9)),
            ((3, 200), (0.004_271_704_955_211_005, 0.051_284_447_051_773_65)),
            ((199, 200), (0.964_604_615_047_745_2, 0.999_312_301_976_053_7)),
        ] {
            let got = wilson(errors, requests);
            near(got.0, low);
            near(got.1, high);
        }
        for (new, old, expected) in [
            ((10, 200), (2, 300), 0.009_253_136_373_135_011),
            ((0, 100), (0, 100), -0.051_340_453_183_810_68),
            ((50, 100), (1, 1000), 0.385_536_426_627_294_9),
            ((5, 500), (20, 500), -0.056_553_326_666_815_67),
        ] {
            near(least_increase(old, new), expected);
        }
    }

    #[test]
    fn it_is_open_until_both_have_answered_enough() {
        let (few, many) = (window(9, 9, |_| 0.0), window(10, 0, |_| 0.0));
        let asked = Analysis { error_rate: Some(0.0), ..analysis(10) };
        assert_eq!(judge(&asked, &many, &few), Judgement::Open);
        assert_eq!(judge(&asked, &few, &many), Judgement::Open);
        assert!(matches!(judge(&asked, &many, &many), Judgement::Good(_)));
        let asked = Analysis { labels: 20, accuracy_loss: Some(0.1), ..asked };
        let labelled = |count| Window { labelled: (0..count).map(|_| 0.0).collect(), ..many.clone() };
        for (stable, candidate) in [(20, 19), (19, 20)] {
            assert_eq!(judge(&asked, &labelled(stable), &labelled(candidate)), Judgement::Open);
        }
        assert!(matches!(judge(&asked, &labelled(20), &labelled(20)), Judgement::Good(_)));
        let wrong = Window { labelled: (0..20).map(|_| 1.0).collect(), ..many.clone() };
        assert!(is_bad(&judge(&asked, &labelled(20), &wrong)));
    }

    #[test]
    fn chance_does_not_count_and_more_than_chance_does() {
        let old = window(500, 5, |_| 0.001);
        let asked = Analysis { error_rate: Some(0.01), ..analysis(100) };
        assert!(!is_bad(&judge(&asked, &old, &window(100, 4, |_| 0.001))), "4 of 100 may be 1 of 100");
        let judged = judge(&asked, &old, &window(100, 20, |_| 0.001));
        assert!(is_bad(&judged), "{judged:?}");
        assert!(!is_bad(&judge(&Analysis { error_rate: Some(0.5), ..asked }, &old, &window(100, 20, |_| 0.001))));
    }

    #[test]
    fn slower_is_told_from_a_few_slow_ones() {
        let asked = Analysis { latency_ratio: Some(1.5), ..analysis(100) };
        let old = window(500, 0, |at| 0.001 + at as f64 * 1e-6);
        assert!(!is_bad(&judge(&asked, &old, &window(100, 0, |at| if at < 5 { 1.0 } else { 0.001 }))), "5 of 100");
        let judged = judge(&asked, &old, &window(100, 0, |_| 0.01));
        assert!(matches!(&judged, Judgement::Bad(why) if why.contains("10.00 ms, 1.47 ms")), "{judged:?}");
        let failed = window(100, 100, |_| 0.0);
        assert!(!is_bad(&judge(&asked, &old, &failed)), "nothing was timed: errors are for another bound");
    }

    #[test]
    fn a_shift_is_beyond_its_bound_and_beyond_chance() {
        let asked = |bound| Analysis { shift: Some(bound), ..analysis(10) };
        let (a, b) = spread();
        assert!(is_bad(&judge(&asked(0.1), &numbers(&a), &numbers(&b))));
        assert!(!is_bad(&judge(&asked(0.3), &numbers(&a), &numbers(&b))), "more is allowed");
        let few = judge(&asked(0.1), &numbers(&a[..20]), &numbers(&b[..20]));
        assert!(matches!(&few, Judgement::Good(why) if why.ends_with("and chance explains so much")), "{few:?}");
        let words = |malignant: usize, all: usize| {
            let mut window = window(all as u64, 0, |_| 0.001);
            let word = |at| if at < malignant { "malignant".to_owned() } else { "benign".to_owned() };
            window.saw("prediction", Answered::Words(&(0..all).map(word).collect::<Vec<_>>()));
            window
        };
        let judged = judge(&asked(0.1), &words(100, 500), &words(250, 500));
        assert_eq!(judged, Judgement::Bad("column prediction shifted by 0.300, 0.1 is allowed".to_owned()));
        assert!(!is_bad(&judge(&asked(0.1), &words(100, 500), &words(120, 500))));
        assert!(!is_bad(&judge(&asked(0.1), &words(100, 500), &numbers(&a))), "nothing in common");
    }

    #[test]
    fn a_window_is_bounded() {
        let mut window = Window::default();
        for at in 0..10_000u64 {
            window.answered(at as f64);
            window.saw(&format!("c{at}"), Answered::Numbers(&[f64::NAN, 1.0]));
            window.saw("c0", Answered::Numbers(&[at as f64]));
            window.saw("words", Answered::Words(&[format!("{at}")]));
        }
        window.saw("c1", Answered::Words(&["a".to_owned()]));
        assert_eq!((window.seconds.values.len(), window.columns.len()), (KEPT, COLUMNS_MAX));
        assert_eq!(window.seconds.sorted().first(), Some(&((10_000 - KEPT) as f64)), "the latest are kept");
        let Some(Column::Numbers(latest)) = window.columns.get("c0") else { panic!("{window:?}") };
        assert_eq!(latest.values.len(), KEPT);
    }
}

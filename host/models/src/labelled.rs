//! What two versions predicted and what became of it -> whether the newer one is wrong by more than it may be. Pure.
//!
//! Each labelled prediction has a loss: of a class 1 if it was wrong and 0 if not, of a number how far it was off. The losses of two
//! versions are compared once, at a level of 1 %, as what they answered is (`analysis`):
//!
//! - classes: the lower end of the one-sided 99 % interval of the difference of two proportions (Newcombe's, of Wilson scores)
//! - numbers: the lower end of the one-sided 99 % interval of the difference of two means (Welch's)

use crate::analysis::least_increase;

/// The losses of a version's labelled predictions, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Labelled {
    pub count: u64,
    /// Of those, what was no number, so that nothing can be said of how far it was off.
    unfinite: u64,
    sum: f64,
    /// Of the squares of the differences from the mean.
    squares: f64,
}

impl FromIterator<f64> for Labelled {
    /// Of losses; one that is no number counts apart.
    fn from_iter<I: IntoIterator<Item = f64>>(losses: I) -> Self {
        let (mut all, mut mean) = (Self::default(), 0.0);
        for loss in losses {
            all.count += 1;
            if !loss.is_finite() {
                all.unfinite += 1;
                continue;
            }
            all.sum += loss;
            // Welford's: no sum of large squares is taken from another.
            let away = loss - mean;
            mean += away / all.finite();
            all.squares += away * (loss - mean);
        }
        all
    }
}

impl Labelled {
    fn finite(&self) -> f64 {
        (self.count - self.unfinite) as f64
    }

    fn mean(&self) -> f64 {
        self.sum / self.finite().max(1.0)
    }

    /// The square of the mean's standard error.
    fn uncertainty(&self) -> f64 {
        self.squares / (self.finite() - 1.0).max(1.0) / self.finite().max(1.0)
    }
}

/// Classes: whether fewer are right by more than the bound, and how many are.
pub(crate) fn accuracy(bound: f64, stable: &Labelled, candidate: &Labelled) -> (bool, String) {
    let wrong = |of: &Labelled| (of.sum.round() as u64, of.count);
    if [stable, candidate].iter().all(|of| of.count > 0 && of.sum.round() as u64 == of.count) {
        let labels = stable.count + candidate.count;
        return (
            true,
            format!("none of {labels} labels is what either version predicted; they may be spelled otherwise"),
        );
    }
    let least = least_increase(wrong(stable), wrong(candidate));
    let percent = |of: &Labelled| 100.0 * (1.0 - of.mean());
    let said = format!(
        "{:.2} % of {} labelled predictions are right, {:.2} % of {} with the stable version: at least {:.2} points fewer, {:.2} are \
         allowed",
        percent(candidate),
        candidate.count,
        percent(stable),
        stable.count,
        100.0 * least,
        100.0 * bound
    );
    (least > bound, said)
}

/// Numbers: whether they are off by more than the bound further in the mean, and how far they are.
pub(crate) fn mae(bound: f64, stable: &Labelled, candidate: &Labelled) -> (bool, String) {
    let unfinite = |of: &Labelled| (of.unfinite, of.count);
    if least_increase(unfinite(stable), unfinite(candidate)) > 0.0 {
        let (count, of) = unfinite(candidate);
        return (true, format!("{count} of {of} labelled predictions are no number"));
    }
    let least = least_difference(stable, candidate);
    let said = format!(
        "the mean absolute error of {} labelled predictions is {:.6}, {:.6} of {} with the stable version: at least {least:.6} more, \
         {bound} is allowed",
        candidate.count,
        candidate.mean(),
        stable.mean(),
        stable.count,
    );
    (least > bound, said)
}

/// The lower end of Welch's one-sided 99 % interval of the difference of two means.
fn least_difference(old: &Labelled, new: &Labelled) -> f64 {
    let (a, b) = (old.uncertainty(), new.uncertainty());
    let difference = new.mean() - old.mean();
    if a + b == 0.0 {
        // Both are always off by the same.
        return difference;
    }
    let part = |uncertainty: f64, of: &Labelled| uncertainty * uncertainty / (of.finite() - 1.0).max(1.0);
    let freedom = (a + b) * (a + b) / (part(a, old) + part(b, new));
    difference - student(freedom) * (a + b).sqrt()
}

/// The 99th percentile of Student's distribution, by Cornish and Fisher's expansion (Abramowitz and Stegun, 26.7.5): to 1e-4 from
/// 19 degrees of freedom on, which 20 labels of each have.
fn student(freedom: f64) -> f64 {
    let z = crate::analysis::Z;
    let (z3, z5, z7, z9) = (z.powi(3), z.powi(5), z.powi(7), z.powi(9));
    let terms = [
        (z3 + z) / 4.0,
        (5.0 * z5 + 16.0 * z3 + 3.0 * z) / 96.0,
        (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / 384.0,
        (79.0 * z9 + 776.0 * z7 + 1482.0 * z5 - 1920.0 * z3 - 945.0 * z) / 92160.0,
    ];
    terms.iter().rev().fold(0.0, |sum, term| (sum + term) / freedom) + z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() < tolerance, "{got}, expected {expected}");
    }

    fn losses(count: u32, loss: impl Fn(f64) -> f64) -> Labelled {
        (0..count).map(|i| loss(i.into())).collect()
    }

    /// Of SciPy 1.17.1: `stats.t.ppf(0.99, df)`; to 1e-4.
    #[test]
    fn the_percentile_of_student_is_scipys() {
        for (freedom, expected) in [
            (19.0, 2.539_483_190_623_962_5),
            (19.5, 2.533_570_734_327_281),
            (30.5, 2.455_004_641_497_561),
            (100.0, 2.364_217_366_238_481_3),
            (1e6, 2.326_351_603_120_805),
        ] {
            near(student(freedom), expected, 1e-4);
        }
    }

    /// Of SciPy 1.17.1: `stats.ttest_ind(new, old, equal_var=False).confidence_interval(0.98).low`; to 1e-4.
    #[test]
    fn the_interval_of_means_is_scipys() {
        let old = losses(200, |i| i.sin().abs());
        near(least_difference(&old, &losses(60, |j| j.cos().abs() * 1.5 + 0.1)), 0.264_120_822_928_246_4, 1e-4);
        near(least_difference(&old, &losses(25, |j| j.cos().abs() * 3.0)), 0.812_187_365_270_942_8, 1e-4);
        near(least_difference(&losses(20, |_| 1.0), &losses(20, |_| 3.0)), 2.0, 1e-12);
    }

    #[test]
    fn wrong_classes_count_beyond_chance() {
        let wrong = |wrong: u32, of: u32| losses(of, |i| f64::from(u8::from(i < f64::from(wrong))));
        let (is_bad, said) = accuracy(0.02, &wrong(40, 400), &wrong(60, 200));
        assert!(is_bad);
        assert_eq!(
            said,
            "70.00 % of 200 labelled predictions are right, 90.00 % of 400 with the stable version: at least 11.98 points fewer, \
             2.00 are allowed"
        );
        assert!(!accuracy(0.02, &wrong(40, 400), &wrong(30, 200)).0, "30 of 200 may be 20 of 200");
        assert!(!accuracy(0.15, &wrong(40, 400), &wrong(60, 200)).0, "more is allowed");
        assert!(!accuracy(0.0, &wrong(60, 200), &wrong(0, 200)).0, "better is not worse");
        let (is_bad, said) = accuracy(0.5, &wrong(20, 20), &wrong(30, 30));
        assert!(is_bad && said.starts_with("none of 50 labels is what either version predicted"), "{said}");
    }

    #[test]
    fn numbers_that_are_further_off_count_beyond_chance_and_so_do_those_that_are_none() {
        let old = losses(200, |i| i.sin().abs());
        let worse = losses(60, |j| j.cos().abs() * 1.5 + 0.1);
        assert!(mae(0.2, &old, &worse).0);
        assert!(!mae(0.3, &old, &worse).0, "0.42 more, which may be 0.26 by chance");
        assert!(!mae(0.0, &worse, &old).0);
        let none = losses(60, |j| if j < 10.0 { f64::NAN } else { 0.0 });
        assert_eq!(mae(0.2, &old, &none), (true, "10 of 60 labelled predictions are no number".to_owned()));
        assert!(!mae(0.2, &none, &none).0);
    }
}

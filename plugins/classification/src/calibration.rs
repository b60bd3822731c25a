//! Probabilities with what came true -> the line on which their log-odds would have to lie (Cox, 1958). Pure.
//!
//! The line is a logistic regression of the label on the log-odds: a slope of 1 and an intercept of 0 are calibrated, a slope below
//! 1 says that probabilities are too sure of themselves, an intercept above 0 that they are too low.

/// Looks at the rows until a line is found, at most. Newton's method takes fewer than ten as a rule.
const PASSES_MAX: usize = 100;
/// A step so small is the last: the next would have the square of it.
const STEP_MIN: f64 = 1e-9;

/// The log-odds of a probability, clipped as the log loss is.
pub(crate) fn logit(probability: f64) -> f64 {
    let probability = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    (probability / (1.0 - probability)).ln()
}

/// A row: its log-odds, whether it is positive, and how often it counts, once at least.
pub(crate) type Row = (f64, bool, f64);

/// Slope and intercept of the likeliest line through rows by rising log-odds; none where no line is: of one class, of one
/// probability, or where a threshold parts the classes.
pub(crate) fn line(rows: &[Row]) -> Option<[f64; 2]> {
    if !overlap(rows) {
        return None;
    }
    let mut at = [1.0, 0.0];
    let (mut gradient, mut step) = newton(rows, at)?;
    for _ in 0..PASSES_MAX {
        let next = [at[0] + step[0], at[1] + step[1]];
        if largest(step) <= STEP_MIN {
            return Some(next);
        }
        // Along the step the likelihood rises and then falls: where it falls steeply, or is flat, the step went too far.
        let rise = |gradient: [f64; 2]| gradient[0] * step[0] + gradient[1] * step[1];
        match newton(rows, next) {
            Some((there, further)) if rise(there) >= -0.5 * rise(gradient) => {
                (at, gradient, step) = (next, there, further);
            }
            _ => step = step.map(|part| part / 2.0),
        }
    }
    None
}

fn largest(step: [f64; 2]) -> f64 {
    step[0].abs().max(step[1].abs())
}

/// Whether the log-odds of the two classes lie among each other, so that the likelihood has a top.
fn overlap(rows: &[Row]) -> bool {
    let ends = |class: bool| {
        let mut of_class = rows.iter().filter(|row| row.1 == class).map(|row| row.0);
        let first = of_class.next()?;
        Some((first, of_class.next_back().unwrap_or(first)))
    };
    let (Some((low, high)), Some((from, to))) = (ends(true), ends(false)) else { return false };
    low < to && from < high
}

/// The gradient of the log likelihood at a line, and Newton's step from there.
fn newton(rows: &[Row], [slope, intercept]: [f64; 2]) -> Option<([f64; 2], [f64; 2])> {
    let (mut gradient, mut curve) = ([0.0; 2], [0.0; 3]);
    for (logit, positive, count) in rows {
        let said = 1.0 / (1.0 + (-(slope * logit + intercept)).exp());
        let off = count * (f64::from(u8::from(*positive)) - said);
        let weight = count * said * (1.0 - said);
        gradient = [gradient[0] + off * logit, gradient[1] + off];
        curve = [curve[0] + weight * logit * logit, curve[1] + weight * logit, curve[2] + weight];
    }
    let determinant = curve[0] * curve[2] - curve[1] * curve[1];
    let step = [
        (curve[2] * gradient[0] - curve[1] * gradient[1]) / determinant,
        (curve[0] * gradient[1] - curve[1] * gradient[0]) / determinant,
    ];
    step.iter().all(|part| part.is_finite()).then_some((gradient, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows
    }

    /// `python3 plugins/evaluation/reference.py`, `calibration`   (statsmodels 0.15.0)
    #[test]
    fn the_line_is_statsmodels() {
        let made = |i: u32| {
            let part = |of: u32, all: u32| (f64::from(of % all) + 0.5) / f64::from(all);
            let (probability, chance) = (part(i * 7919, 1000), part(i * 104_729 + 13, 997));
            let true_odds = 0.3 + 0.6 * (probability / (1.0 - probability)).ln();
            (logit(probability), chance < 1.0 / (1.0 + (-true_odds).exp()), 1.0)
        };
        let rows = sorted((0..200).map(made).collect());
        assert_eq!(rows.iter().filter(|row| row.1).count(), 115);
        let [slope, intercept] = line(&rows).unwrap();
        assert!((slope - 0.595_399_297_205_154_8).abs() < 1e-10, "{slope}");
        assert!((intercept - 0.393_597_966_861_163_44).abs() < 1e-10, "{intercept}");
    }

    #[test]
    fn where_no_line_is_there_is_none() {
        let rows = |rows: &[(f64, bool)]| sorted(rows.iter().map(|(odds, positive)| (*odds, *positive, 1.0)).collect());
        for none in [
            rows(&[]),
            rows(&[(0.0, true), (1.0, true)]),
            // One probability.
            rows(&[(0.5, true), (0.5, false), (0.5, true)]),
            // Parted, either way, and but for a tie.
            rows(&[(-1.0, false), (1.0, true)]),
            rows(&[(-1.0, true), (1.0, false)]),
            rows(&[(-1.0, false), (0.0, false), (0.0, true), (1.0, true)]),
        ] {
            assert_eq!(line(&none), None, "{none:?}");
        }
        assert!(line(&rows(&[(-1.0, false), (0.0, true), (1.0, false)])).is_some());
    }

    #[test]
    fn a_step_that_would_leap_over_the_top_is_cut() {
        // Sure mistakes at both ends, and a class that is rare: Newton's first step from slope 1 goes far beyond.
        let rows: Vec<Row> = vec![
            (logit(0.0), true, 1.0),
            (-2.0, false, 500.0),
            (0.0, true, 3.0),
            (2.0, true, 2.0),
            (logit(1.0), false, 1.0),
        ];
        let [slope, intercept] = line(&rows).unwrap();
        let (gradient, _) = newton(&rows, [slope, intercept]).unwrap();
        assert!(largest(gradient) < 1e-6, "{slope} {intercept} {gradient:?}");
    }
}

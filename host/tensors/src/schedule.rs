//! A step's number -> its learning rate.

use crate::Error;
use crate::optimiser::within;

/// How the rate decays after the warm-up. Steps are counted from the warm-up's end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    Constant,
    /// Times the factor after every so many steps.
    Step {
        every: u64,
        factor: f64,
    },
    /// Times the factor after every step.
    Exponential(f64),
    /// Half a cosine down to a last rate, which then stays (Loshchilov and Hutter, 2017, without restarts).
    Cosine {
        steps: u64,
        last_rate: f64,
    },
}

/// Rises to `rate` in a line over `warm_up` steps, then decays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    pub rate: f64,
    pub warm_up: u64,
    pub decay: Decay,
}

/// The learning rate of a step, counted from 0. Sum, product, and logarithm, exponential and cosine of the `libm` crate: the
/// same bits on any machine.
pub fn learning_rate(schedule: Schedule, step: u64) -> Result<f64, Error> {
    let Schedule { rate, warm_up, decay } = schedule;
    within("rate", rate, 0.0, f64::INFINITY)?;
    check(decay)?;
    if step < warm_up {
        return Ok(rate * (step + 1) as f64 / warm_up as f64);
    }
    let step = step - warm_up;
    Ok(match decay {
        Decay::Constant => rate,
        Decay::Step { every, factor } => rate * libm::pow(factor, (step / every) as f64),
        Decay::Exponential(factor) => rate * libm::pow(factor, step as f64),
        Decay::Cosine { steps, last_rate } => {
            let done = step.min(steps) as f64 / steps as f64;
            last_rate + (rate - last_rate) * (1.0 + libm::cos(std::f64::consts::PI * done)) / 2.0
        }
    })
}

fn check(decay: Decay) -> Result<(), Error> {
    let whole = |name: &str, steps: u64| match steps {
        0 => Err(Error::invalid(name, "is 0, expected at least 1 step")),
        _ => Ok(()),
    };
    // A factor of 1 is no decay, but no mistake.
    let factor = |factor: f64| within("factor", factor, 0.0, 1.0f64.next_up());
    match decay {
        Decay::Constant => Ok(()),
        Decay::Step { every, factor: by } => whole("every", every).and(factor(by)),
        Decay::Exponential(by) => factor(by),
        Decay::Cosine { steps, last_rate } => {
            whole("steps", steps).and(within("last-rate", last_rate, 0.0, f64::INFINITY))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(warm_up: u64, decay: Decay, steps: &[u64]) -> Vec<f64> {
        steps.iter().map(|&step| learning_rate(Schedule { rate: 0.8, warm_up, decay }, step).unwrap()).collect()
    }

    #[test]
    fn each_decay_by_hand() {
        assert_eq!(rates(4, Decay::Constant, &[0, 1, 3, 4, 99]), [0.2, 0.4, 0.8, 0.8, 0.8]);
        let step = Decay::Step { every: 3, factor: 0.5 };
        assert_eq!(rates(0, step, &[0, 2, 3, 5, 6]), [0.8, 0.8, 0.4, 0.4, 0.2]);
        assert_eq!(rates(2, Decay::Exponential(0.5), &[1, 2, 3, 4]), [0.8, 0.8, 0.4, 0.2]);
        let cosine = rates(0, Decay::Cosine { steps: 4, last_rate: 0.2 }, &[0, 2, 4, 9]);
        let expected = [0.8, 0.5, 0.2, 0.2];
        assert!(cosine.iter().zip(expected).all(|(rate, expected)| (rate - expected).abs() < 1e-15), "{cosine:?}");
    }

    #[test]
    fn odd_schedules_are_errors() {
        for (rate, decay) in [
            (f64::NAN, Decay::Constant),
            (-1.0, Decay::Constant),
            (1.0, Decay::Step { every: 0, factor: 0.5 }),
            (1.0, Decay::Exponential(1.5)),
            (1.0, Decay::Cosine { steps: 0, last_rate: 0.0 }),
            (1.0, Decay::Cosine { steps: 5, last_rate: f64::INFINITY }),
        ] {
            assert!(learning_rate(Schedule { rate, warm_up: 0, decay }, 7).is_err(), "{rate} {decay:?}");
        }
        assert!(learning_rate(Schedule { rate: 1.0, warm_up: u64::MAX, decay: Decay::Constant }, u64::MAX - 1).is_ok());
    }
}

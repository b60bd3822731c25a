//! True numbers by series and time -> what the seasonal naive forecast is off by. Pure.
//!
//! That forecast says what was true a season ago. Seasons are counted in times that a series has, not in time that passed: of a month of
//! working days the fifth day back is a week ago.

use std::collections::BTreeMap;
use stepwell::{Error, Result};

/// For each row the mean absolute error of its series' seasonal naive forecast. A series with no more times than a season has
/// none, NaN, and one that repeats itself has 0. Rows of a series and a time, such as those of two horizons, must tell one truth.
pub(crate) fn scales(series: &[usize], times: &[i64], truth: &[f64], season: usize) -> Result<Vec<f64>> {
    let mut known: BTreeMap<usize, BTreeMap<i64, f64>> = BTreeMap::new();
    for (row, ((series, time), truth)) in series.iter().zip(times).zip(truth).enumerate() {
        let first = *known.entry(*series).or_default().entry(*time).or_insert(*truth);
        if first != *truth {
            let reason =
                format!("expected one true number of a series and a time, got {first} and, in row {row}, {truth}");
            return Err(Error::invalid("time", reason));
        }
    }
    let scale = |times: &BTreeMap<i64, f64>| {
        let (before, after) = (times.values(), times.values().skip(season));
        let errors: Vec<f64> = before.zip(after).map(|(before, after)| (after - before).abs()).collect();
        errors.iter().sum::<f64>() / errors.len() as f64
    };
    let scales: BTreeMap<usize, f64> = known.iter().map(|(series, times)| (*series, scale(times))).collect();
    Ok(series.iter().map(|series| scales[series]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `python3 plugins/evaluation/reference.py`, `seasonal`   (NumPy, by the definition)
    #[test]
    fn the_scale_is_of_the_series_and_its_season() {
        let truth = [3.0, 5.0, 4.0, 7.0, 6.5, 10.0, 20.0, 15.0];
        let series = [0, 0, 0, 0, 0, 1, 1, 1];
        // Rows come in any order.
        let times = [1, 3, 2, 5, 4, 30, 10, 20];
        let scaled = |season| scales(&series, &times, &truth, season).unwrap();
        let near = |got: &[f64], expected: f64| got.iter().all(|got| (got - expected).abs() < 1e-12);
        for (season, first, second) in [(1, 1.0, 5.0), (2, 2.166_666_666_666_666_5, 10.0)] {
            let got = scaled(season);
            assert!(near(&got[..5], first) && near(&got[5..], second), "{season}: {got:?}");
        }
        assert!(scaled(3)[5..].iter().all(|scale| scale.is_nan()));
    }

    #[test]
    fn two_horizons_of_a_time_count_once_and_tell_one_truth() {
        let scaled = |truth: &[f64]| scales(&[0; 4], &[1, 2, 2, 3], truth, 1);
        assert_eq!(scaled(&[1.0, 3.0, 3.0, 4.0]), Ok(vec![1.5; 4]));
        let said = scaled(&[1.0, 3.0, 2.0, 4.0]).unwrap_err().to_string();
        assert!(said.contains("got 3 and, in row 2, 2"), "{said}");
    }
}

//! Numbers and forecasts beside scikit-learn.

use super::*;

/// `python3 plugins/evaluation/reference.py` with scikit-learn 1.9.1; equal to 1e-12.
fn assert_expected(sample: &Judged, expected: &[(&str, f64)]) {
    let values = sample.measure(&vec![1; sample.units()]);
    let named: Vec<(String, Option<f64>)> = sample.names().into_iter().zip(values).collect();
    let undefined = named.iter().filter(|(_, value)| value.is_none()).count();
    assert_eq!(named.len() - undefined, expected.len(), "{named:?}");
    for (name, value) in expected {
        let found = named.iter().find(|(known, _)| known == name).and_then(|(_, found)| *found);
        assert!(found.is_some_and(|found| (found - value).abs() < 1e-12), "{name}: {found:?} beside {value}");
    }
}

const TRUTHS: [f64; 7] = [3.0, -0.5, 2.0, 7.0, 4.2, 1.5, 8.0];
const PREDICTED: [f64; 7] = [2.5, 0.1, 2.0, 8.0, 3.9, 1.9, 6.5];

fn rows() -> Vec<Row> {
    TRUTHS.into_iter().zip(PREDICTED).map(|(truth, predicted)| Row { truth, predicted }).collect()
}

fn judged(groups: Option<(Vec<usize>, usize)>) -> Judged {
    let end = |by: f64| PREDICTED.map(|predicted| predicted + by).to_vec();
    let (low, high, scale) = (end(-0.55), end(0.55), vec![0.5, 0.5, 0.5, 2.0, 2.0, 2.0, 2.0]);
    let quantiles = vec![(0.1, low.clone()), (0.9, high.clone())];
    Judged::new(rows(), quantiles, Some((low, high)), Some(scale), groups)
}

#[test]
fn values_are_scikit_learns() {
    assert_expected(
        &judged(None),
        &[
            ("mean_error", -0.04285714285714289),
            ("mae", 0.6142857142857144),
            ("rmse", 0.7662524761087934),
            ("r2", 0.9258390472753518),
            ("mape", 0.29073129251700675),
            ("smape", 0.40448803694239793),
            ("wape", 0.16412213740458018),
            ("bias", -0.011450381679389323),
            ("max_error", 1.5),
            ("median_absolute_error", 0.5),
            ("mase", 0.5428571428571429),
            ("pinball@0.1", 0.13071428571428573),
            ("pinball@0.9", 0.18642857142857144),
            ("coverage", 0.5714285714285714),
            ("interval_width", 1.1),
        ],
    );
}

#[test]
fn a_count_is_as_many_rows_and_a_group_all_of_its_own() {
    let picked = judged(None).pick(&[0, 0, 2, 3, 3, 3]).measure(&[1; 6]);
    let counted = judged(None).measure(&[2, 0, 1, 3, 0, 0, 0]);
    let near = |(a, b): (&Option<f64>, &Option<f64>)| (a.unwrap() - b.unwrap()).abs() < 1e-12;
    assert!(counted.iter().zip(&picked).all(near), "{counted:?} {picked:?}");
    let groups = judged(Some((vec![0, 0, 1, 1, 2, 2, 2], 3)));
    assert_eq!((groups.units(), groups.pick(&[2, 4, 5]).units()), (3, 2));
    let twice = judged(None).measure(&[2, 2, 1, 1, 0, 0, 0]);
    assert_eq!(groups.measure(&[2, 1, 0]), twice);
}

#[test]
fn what_has_no_value_has_none() {
    let row = |truth, predicted| Row { truth, predicted };
    let undefined = |rows: Vec<Row>| {
        let sample = Judged::new(rows, Vec::new(), None, None, None);
        let values = sample.measure(&vec![1; sample.units()]);
        let missing = sample.names().into_iter().zip(values).filter(|(_, value)| value.is_none());
        missing.map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(undefined(vec![row(0.0, 1.0), row(2.0, 1.0)]), ["mape"]);
    assert_eq!(undefined(vec![row(2.0, 1.0), row(2.0, 3.0)]), ["r2"]);
    assert_eq!(undefined(Vec::new()).len(), NAMES.len());
}

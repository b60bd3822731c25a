//! Splits of small histograms, against all possible ones and against what LightGBM does.

use super::*;

fn rules() -> Rules {
    let (min_child_samples, min_child_hessian, min_gain) = (1, 0.0, 0.0);
    Rules { l2: 0.0, min_child_samples, min_child_hessian, min_gain, categorical_l2: 0.0, categorical_smoothing: 0.0 }
}

/// Bins of so many rows with these gradients, hessian 1 a row; the last is what is missing.
fn bins(rows: &[(f64, u64)]) -> Vec<Sums> {
    rows.iter().map(|&(gradient, rows)| Sums { gradient, hessian: rows as f64, rows }).collect()
}

fn best_of(bins: &[Sums], kind: Kind, rules: &Rules, bounds: Bounds) -> Option<Split> {
    Node { total: bins.iter().copied().sum(), bounds, rules }.best(7, kind, bins, 0.0)
}

fn ordered(bins: &[Sums], rules: &Rules) -> Option<Split> {
    best_of(bins, Kind::Ordered { monotone: 0 }, rules, Bounds::NONE)
}

#[test]
fn the_gain_is_what_the_sides_score_above_the_node() {
    // Residuals -1 -1 | 2 2: the means are apart by 3.
    let split = ordered(&bins(&[(-1.0, 1), (-1.0, 1), (2.0, 1), (2.0, 1), (0.0, 0)]), &rules()).unwrap();
    assert_eq!((split.feature, &split.left), (7, &Left::UpTo { bin: 1, missing: true }));
    assert_eq!(split.gain, 4.0 / 2.0 + 16.0 / 2.0 - 4.0 / 4.0);
    assert_eq!(split.values, [1.0, -2.0]);
    let damped = ordered(&bins(&[(-1.0, 1), (-1.0, 1), (2.0, 1), (2.0, 1), (0.0, 0)]), &Rules { l2: 2.0, ..rules() });
    let damped = damped.unwrap();
    assert!((damped.gain - (4.0 / 4.0 + 16.0 / 4.0 - 4.0 / 6.0)).abs() < 1e-12, "{damped:?}");
    assert_eq!(damped.values, [0.5, -1.0]);
}

#[test]
fn what_is_missing_goes_where_it_gains_more() {
    let split = |missing: f64| ordered(&bins(&[(-2.0, 2), (2.0, 2), (missing, 2)]), &rules()).unwrap().left;
    assert_eq!(split(-2.0), Left::UpTo { bin: 0, missing: true });
    assert_eq!(split(2.0), Left::UpTo { bin: 0, missing: false });
    // Values that say nothing: all of them against what is missing.
    let split = ordered(&bins(&[(1.0, 1), (1.0, 1), (-4.0, 2)]), &rules()).unwrap();
    assert_eq!(split.left, Left::UpTo { bin: 1, missing: false });
}

#[test]
fn where_nothing_was_missing_it_goes_with_the_many() {
    let split = |left, right| ordered(&bins(&[(-2.0, left), (2.0, right), (0.0, 0)]), &rules()).unwrap().left;
    assert_eq!(split(3, 2), Left::UpTo { bin: 0, missing: true });
    assert_eq!(split(2, 3), Left::UpTo { bin: 0, missing: false });
}

#[test]
fn no_side_is_smaller_than_asked() {
    let skewed = bins(&[(-9.0, 2), (1.0, 4), (1.0, 4), (0.0, 0)]);
    let at = |rules: &Rules| ordered(&skewed, rules).map(|split| split.left);
    assert_eq!(at(&rules()), Some(Left::UpTo { bin: 0, missing: false }));
    assert_eq!(at(&Rules { min_child_samples: 3, ..rules() }), Some(Left::UpTo { bin: 1, missing: true }));
    assert_eq!(at(&Rules { min_child_hessian: 2.5, ..rules() }), Some(Left::UpTo { bin: 1, missing: true }));
    assert_eq!(at(&Rules { min_child_samples: 5, ..rules() }), None);
    assert_eq!(at(&Rules { min_gain: 1e3, ..rules() }), None);
}

#[test]
fn equal_rows_are_not_split() {
    let equal = bins(&[(0.3, 3), (0.1, 1), (0.7, 7), (0.0, 0)]);
    assert_eq!(ordered(&equal, &rules()), None, "what rounding leaves is no gain");
}

#[test]
fn a_monotone_split_keeps_the_order_of_its_values() {
    // Values 1, -1, 2: the best split is at bin 1 either way, and forbidden for a falling prediction.
    let wave = bins(&[(-1.0, 1), (1.0, 1), (-2.0, 1), (0.0, 0)]);
    let at = |monotone| best_of(&wave, Kind::Ordered { monotone }, &rules(), Bounds::NONE).map(|split| split.left);
    assert_eq!(at(0), Some(Left::UpTo { bin: 1, missing: true }));
    assert_eq!(at(1), Some(Left::UpTo { bin: 1, missing: true }));
    assert_eq!(at(-1), Some(Left::UpTo { bin: 0, missing: false }));
    let bounds = Bounds { low: -0.5, high: 0.5 };
    let split = best_of(&wave, Kind::Ordered { monotone: 1 }, &rules(), bounds).unwrap();
    assert!(split.values.iter().all(|value| (-0.5..=0.5).contains(value)), "{split:?}");
}

#[test]
fn few_categories_are_held_against_the_others_one_by_one() {
    let few = bins(&[(-3.0, 3), (1.0, 1), (4.0, 2), (0.0, 0)]);
    let split = best_of(&few, Kind::Categories, &rules(), Bounds::NONE).unwrap();
    // 9 / 3 + 25 / 3 - 4 / 6; of the others the third gains 8 + 4 / 4 - 4 / 6.
    assert_eq!(split.left, Left::Among(vec![0]));
    assert_eq!(split.sides[0], few[0]);
    assert!((split.gain - 32.0 / 3.0).abs() < 1e-12, "{split:?}");
}

/// Whatever the categories, sorting by the mean finds the best set of all: Fisher's theorem, where no limit cuts in.
#[test]
fn many_categories_are_split_as_well_as_any_set_can() {
    let many = bins(&[(3.0, 2), (-1.0, 1), (0.5, 3), (-4.0, 2), (2.0, 1), (-0.2, 4), (0.0, 0)]);
    let split = best_of(&many, Kind::Categories, &rules(), Bounds::NONE).unwrap();
    let total: Sums = many.iter().copied().sum();
    let gain = |set: u32| {
        let left: Sums = many.iter().enumerate().filter(|(bin, _)| set >> bin & 1 == 1).map(|(_, bin)| *bin).sum();
        free_score(left, 0.0) + free_score(total - left, 0.0) - free_score(total, 0.0)
    };
    let best = (1..63).map(gain).fold(0.0, f64::max);
    assert!((split.gain - best).abs() < 1e-12, "{split:?}, of all sets {best}");
}

#[test]
fn a_rare_category_is_not_told_apart() {
    let many = bins(&[(-1.0, 20), (1.0, 20), (2.0, 20), (3.0, 20), (-40.0, 2), (0.0, 0)]);
    let rules = Rules { categorical_smoothing: 10.0, ..rules() };
    let Left::Among(left) = best_of(&many, Kind::Categories, &rules, Bounds::NONE).unwrap().left else { panic!() };
    assert!(!left.contains(&4), "{left:?}");
    assert!(left.len() <= 2, "the smaller side is told apart: {left:?}");
}

#[test]
fn a_histogram_is_read_bin_by_bin() {
    let words = [1.5_f64.to_le_bytes(), 2.5_f64.to_le_bytes(), 7_u64.to_le_bytes()].concat();
    let sums = Sums { gradient: 1.5, hessian: 2.5, rows: 7 };
    assert_eq!(crate::sums::decode(&[words.clone(), words].concat()), [sums, sums]);
}

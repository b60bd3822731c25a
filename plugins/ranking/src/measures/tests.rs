//! Three queries beside scikit-learn; in the last one scores are equal.

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

const RELEVANCE: [f64; 15] = [3.0, 2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 1.0];
const SCORES: [f64; 15] = [0.9, 0.2, 0.8, 0.1, 0.7, 0.4, 0.3, 0.2, 0.1, 0.5, 0.5, 0.5, 0.9, 0.1, 0.05];
const GROUPS: [usize; 15] = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2];

fn judged(scores: [f64; 15]) -> Judged {
    let items = RELEVANCE.into_iter().zip(scores).map(|(relevance, score)| Item { relevance, score }).collect();
    Judged::new(items, (GROUPS.to_vec(), 3), Cutoffs(vec![2]))
}

#[test]
fn values_are_scikit_learns() {
    assert_expected(
        &judged(SCORES),
        &[
            ("mrr", 0.5555555555555555),
            ("map", 0.5277777777777778),
            ("ndcg@2", 0.31457685186742207),
            ("hit_rate@2", 0.3333333333333333),
            ("precision@2", 0.16666666666666666),
            ("recall@2", 0.1111111111111111),
            ("map@2", 0.16666666666666666),
        ],
    );
}

#[test]
fn a_ranker_that_tells_nothing_apart_gains_nothing_from_the_order_of_rows() {
    let values = judged([0.0; 15]).measure(&[1, 1, 1]);
    let mrr = values[0].unwrap();
    assert!((mrr - (1.0 / 3.0 + 1.0 / 4.0 + 1.0 / 4.0) / 3.0).abs() < 1e-12, "the last of equals: {mrr}");
}

#[test]
fn a_query_without_relevant_items_counts_in_nothing() {
    let sample = judged(SCORES);
    let rows: Vec<usize> = (0..15).filter(|row| !(GROUPS[*row] == 1 && RELEVANCE[*row] > 0.0)).collect();
    let without = sample.pick(&rows);
    assert_eq!(without.units(), 3);
    assert_eq!(without.measure(&[1, 5, 1]), sample.measure(&[1, 0, 1]));
    assert_eq!(without.measure(&[0, 1, 0])[0], None);
}

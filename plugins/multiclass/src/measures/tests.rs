//! Three classes that occur and a fourth that is only predicted, beside scikit-learn.

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

const PROBABILITIES: [[f64; 4]; 12] = [
    [0.7, 0.1, 0.1, 0.1],
    [0.2, 0.5, 0.2, 0.1],
    [0.4, 0.3, 0.2, 0.1],
    [0.1, 0.6, 0.2, 0.1],
    [0.2, 0.6, 0.1, 0.1],
    [0.1, 0.1, 0.8, 0.0],
    [0.5, 0.1, 0.3, 0.1],
    [0.9, 0.05, 0.05, 0.0],
    [0.1, 0.3, 0.5, 0.1],
    [0.2, 0.2, 0.5, 0.1],
    [0.6, 0.2, 0.1, 0.1],
    [0.1, 0.3, 0.2, 0.4],
];

fn judged() -> Judged {
    let classes: Vec<String> = ["a", "b", "c", "d"].map(String::from).into();
    let places = |text: &str| text.bytes().map(|class| usize::from(class - b'a')).collect::<Vec<_>>();
    let label = places("aabbbccabcab");
    let column = |class: usize| PROBABILITIES.iter().map(|row| row[class]).collect();
    let scores = Some(Scores::new((0..4).map(column).collect(), &label, vec![1, 2]));
    Judged { classes, label, predicted: places("ababbcaaccad"), scores, beta: None }
}

#[test]
fn values_are_scikit_learns() {
    let mut expected = vec![
        ("accuracy", 0.5833333333333334),
        ("balanced_accuracy", 0.6055555555555555),
        ("precision_macro", 0.4833333333333333),
        ("recall_macro", 0.4541666666666666),
        ("f1_macro", 0.45833333333333326),
        ("precision_weighted", 0.6444444444444444),
        ("recall_weighted", 0.5833333333333334),
        ("f1_weighted", 0.5972222222222222),
        ("log_loss", 0.7780110160422109),
        ("ece", 0.3),
        ("roc_auc_macro", 0.9216600529100528),
        ("top@1", 0.5833333333333334),
        ("top@2", 0.9166666666666666),
        ("precision:a", 0.6),
        ("recall:a", 0.75),
        ("f1:a", 0.6666666666666666),
        ("precision:b", 0.6666666666666666),
        ("recall:b", 0.4),
        ("f1:b", 0.5),
        ("precision:c", 0.6666666666666666),
        ("recall:c", 0.6666666666666666),
        ("f1:c", 0.6666666666666666),
        ("roc_auc:a", 0.90625),
        ("roc_auc:b", 0.9142857142857143),
        ("roc_auc:c", 0.9444444444444444),
    ];
    // Nobody has class d, and one row is predicted to.
    expected.extend([("precision:d", 0.0), ("f1:d", 0.0)]);
    assert_expected(&judged(), &expected);
}

#[test]
fn f_beta_is_measured_where_it_is_asked_for() {
    let judged = Judged { beta: Some(2.0), ..judged() };
    let values = judged.measure(&[1; 12]);
    let named: Vec<(String, Option<f64>)> = judged.names().into_iter().zip(values).collect();
    for (name, expected) in [
        ("f1_macro", 0.45833333333333326),
        ("fbeta_macro@2", 0.4539337474120083),
        ("fbeta_weighted@2", 0.5859213250517598),
        ("f1:b", 0.5),
        ("fbeta@2:a", 0.7142857142857143),
        ("fbeta@2:b", 0.43478260869565216),
        ("fbeta@2:c", 0.6666666666666666),
        ("roc_auc:a", 0.90625),
    ] {
        let found = named.iter().find(|(known, _)| known == name).and_then(|(_, found)| *found);
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{name}: {found:?} beside {expected}");
    }
}

#[test]
fn a_count_is_as_many_rows() {
    let rows = [0, 0, 2, 3, 5, 5, 5, 9];
    let mut counts = [0; 12];
    rows.iter().for_each(|row| counts[*row] += 1);
    let (counted, picked) = (judged().measure(&counts), judged().pick(&rows).measure(&[1; 8]));
    let near = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-12,
        (a, b) => a == b,
    };
    assert!(counted.iter().zip(&picked).all(near), "{counted:?} {picked:?}");
}

#[test]
fn without_probabilities_there_are_fewer_measures() {
    let bare = Judged { scores: None, ..judged() };
    assert_eq!(bare.names().len(), bare.measure(&[1; 12]).len());
    assert!(!bare.names().iter().any(|name| name == "log_loss"));
}

//! Values of scikit-learn 1.9.1 on six rows, each with the line that made it.

use super::*;

/// python: X = numpy.array([[1, 2, 0.5], [2, 1, -1], [3, 5, 2], [4, 4, 0], [5, 7, 1], [6, 5, -2]])
fn columns() -> Vec<Vec<f64>> {
    vec![vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![2.0, 1.0, 5.0, 4.0, 7.0, 5.0], vec![0.5, -1.0, 2.0, 0.0, 1.0, -2.0]]
}

fn fitted(json: &str) -> Result<Pca> {
    let columns = columns();
    let means: Vec<f64> = columns.iter().map(|column| column.iter().sum::<f64>() / 6.0).collect();
    let product = |a: usize, b: usize| {
        columns[a].iter().zip(&columns[b]).map(|(x, y)| (x - means[a]) * (y - means[b])).sum::<f64>()
    };
    let products = (0..9).map(|at| product(at / 3, at % 3)).collect();
    let params = stepwell::parse::<Params>(json)?.checked()?;
    Pca::learn(
        ["a", "b", "c"].map(String::from).to_vec(),
        Moments { weight: 6.0, means: means.clone(), products },
        &params,
    )
}

fn near(got: &[f64], expected: &[f64]) {
    let near = got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-12);
    assert!(near && got.len() == expected.len(), "{got:?} {expected:?}");
}

#[test]
fn components_are_scikit_learns() {
    let pca = fitted(r#"{"components": 2}"#).unwrap();
    // python: m = PCA(2).fit(X); m.components_, m.explained_variance_, m.explained_variance_ratio_
    near(&pca.components[0].loadings, &[0.6250962802261452, 0.7791891861923503, 0.046030995734825164]);
    near(&pca.components[1].loadings, &[-0.4493742912422321, 0.31103303362342616, 0.8374492213654214]);
    near(&[pca.components[0].variance, pca.components[1].variance], &[7.426241648011437, 2.869180936784942]);
    near(&[pca.components[0].share, pca.components[1].share], &[0.7180894421928867, 0.2774389302290033]);
    // python: m.transform(X)[:2].ravel()
    near(
        &pca.components(&columns(), 6)[..4],
        &[-3.1019394913938867, 0.8503068364276536, -3.3250788909623297, -1.166274320486137],
    );
}

#[test]
fn whitened_components_have_variance_one() {
    let pca = fitted(r#"{"components": 2, "whiten": true}"#).unwrap();
    // python: PCA(2, whiten=True).fit(X).transform(X)[:2].ravel()
    near(
        &pca.components(&columns(), 6)[..4],
        &[-1.1382791566427104, 0.501991891814534, -1.2201617750042932, -0.6885282199719895],
    );
}

#[test]
fn a_share_of_the_variance_chooses_how_many() {
    // python: PCA(0.6).fit(X).n_components_, PCA(0.95).fit(X).n_components_
    let count = |json: &str| fitted(json).unwrap().components.len();
    assert_eq!([count(r#"{"variance": 0.6}"#), count(r#"{"variance": 0.95}"#)], [1, 2]);
    assert_eq!(enough(&[0.5, 0.3, 0.2], 1.0), 3);
    assert_eq!(enough(&[0.5, 0.3, 0.2], 0.5), 2, "more than the share, as scikit-learn has it");
}

#[test]
fn rows_are_answered_one_by_one_to_the_same_bits() {
    let pca = fitted("{}").unwrap();
    let whole = pca.components(&columns(), 6);
    for row in 0..6 {
        let alone: Vec<Vec<f64>> = columns().iter().map(|column| vec![column[row]]).collect();
        assert_eq!(pca.components(&alone, 1), whole[row * 3..row * 3 + 3]);
    }
}

#[test]
fn a_column_without_variance_whitens_to_nothing() {
    let moments = Moments { weight: 4.0, means: vec![1.0, 5.0], products: vec![12.0, 0.0, 0.0, 0.0] };
    let params = stepwell::parse::<Params>(r#"{"whiten": true}"#).unwrap();
    let pca = Pca::learn(vec!["a".into(), "b".into()], moments, &params).unwrap();
    assert_eq!(pca.components.iter().map(|component| component.scale).collect::<Vec<_>>(), [0.5, 0.0]);
}

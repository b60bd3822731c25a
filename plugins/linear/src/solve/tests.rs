//! Values of scikit-learn 1.9.1 on six rows, each with the line that made it. All begin with
//! X = [[1, 2, 0.5], [2, 1, -1], [3, 5, 2], [4, 4, 0], [5, 7, 1], [6, 5, -2]]; y = [1.2, 0.7, 4.1, 3.3, 6.2, 3.9]; n = 6

use super::*;

const ROWS: [[f64; 3]; 6] =
    [[1.0, 2.0, 0.5], [2.0, 1.0, -1.0], [3.0, 5.0, 2.0], [4.0, 4.0, 0.0], [5.0, 7.0, 1.0], [6.0, 5.0, -2.0]];
const LABEL: [f64; 6] = [1.2, 0.7, 4.1, 3.3, 6.2, 3.9];

/// The products of columns; each is a function of the row.
fn products(columns: &[fn(&[f64; 3]) -> f64]) -> Products {
    let centred = |values: Vec<f64>| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.into_iter().map(|value| value - mean).collect::<Vec<f64>>()
    };
    let columns: Vec<Vec<f64>> = columns.iter().map(|column| centred(ROWS.iter().map(column).collect())).collect();
    let label = centred(LABEL.to_vec());
    Products {
        gram: columns.iter().flat_map(|a| columns.iter().map(|b| dot(a, b)).collect::<Vec<_>>()).collect(),
        with_label: columns.iter().map(|column| dot(column, &label)).collect(),
        label: dot(&label, &label),
        constant: columns.iter().map(|column| dot(column, column) == 0.0).collect(),
    }
}

fn three() -> Products {
    products(&[|row| row[0], |row| row[1], |row| row[2]])
}

fn near(got: &[f64], expected: &[f64], tolerance: f64) {
    let near = got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() <= tolerance);
    assert!(near && got.len() == expected.len(), "{got:?} {expected:?}");
}

#[test]
fn least_squares_are_scikit_learns() {
    // python: m = LinearRegression().fit(X, y); m.coef_, ((y - m.predict(X)) ** 2).sum()
    let Solved { coefficients, dependent } = three().least_squares(0.0);
    near(&coefficients, &[0.174357239512854, 0.7682002706359957, 0.1746955345060887], 1e-13);
    near(&[three().squared_error(&coefficients)], &[0.17739512855209758], 1e-12);
    assert_eq!(dependent, [0; 0]);
    // python: Ridge(alpha=2.5, tol=1e-12).fit(X, y).coef_
    let ridge = three().least_squares(2.5).coefficients;
    near(&ridge, &[0.290230735394089, 0.6134522333746558, 0.23996480985324053], 1e-13);
}

#[test]
fn a_column_that_others_make_up_has_no_coefficient() {
    // python: LinearRegression().fit(X[:, :2], y).coef_
    let two = [-0.019512195121951636, 0.9338414634146349];
    let columns: [fn(&[f64; 3]) -> f64; 4] = [|_| 7.0, |row| row[0], |row| row[1], |row| row[0] - 3.0 * row[1]];
    let Solved { coefficients, dependent } = products(&columns).least_squares(0.0);
    near(&coefficients, &[0.0, two[0], two[1], 0.0], 1e-13);
    assert_eq!(dependent, [0, 3]);
    // A penalty leaves nothing open: the third share is the sum of what equal columns would have.
    assert_eq!(products(&columns[1..]).least_squares(0.1).dependent, [0; 0]);
}

#[test]
fn lasso_and_elastic_net_are_scikit_learns() {
    let descended = |l1: f64, l2: f64| three().descend(l1, l2, vec![0.0; 3], 1e-12, 10_000);
    // python: Lasso(alpha=3 / n, tol=1e-14).fit(X, y).coef_
    near(&descended(3.0, 0.0).coefficients, &[0.0, 0.7958333333333334, 0.0], 1e-11);
    // python: ElasticNet(alpha=3.5 / n, l1_ratio=1.5 / 3.5, tol=1e-14, max_iter=100000).fit(X, y).coef_
    near(&descended(1.5, 2.0).coefficients, &[0.04382470119522448, 0.7653386454183233, 0.0], 1e-11);
    near(&descended(1e-9, 0.0).coefficients, &three().least_squares(0.0).coefficients, 1e-8);
}

#[test]
fn descent_from_the_minimum_stays_there() {
    let end = three().descend(1.5, 2.0, vec![0.0; 3], 1e-12, 10_000);
    assert_eq!(three().descend(1.5, 2.0, end.coefficients.clone(), 1e-11, 10_000).sweeps, 0);
    let stopped = three().descend(0.0, 0.0, vec![0.0; 3], 1e-12, 1);
    assert!(stopped.sweeps == 1 && stopped.violation > 1e-12, "{stopped:?}");
}

//! A symmetric matrix -> its eigenvalues and eigenvectors, the greatest first, by Jacobi's rotations (Golub and Van Loan,
//! Matrix Computations, 8.5): slower than a way by tridiagonal matrices, and a page long.

/// Sweeps over all pairs; 6 to 10 suffice for any matrix that fits.
const SWEEPS_MAX: usize = 50;

/// Eigenvalues in falling order, each with its eigenvector of length 1. Of a vector the sign is the one that makes its
/// largest element positive, as scikit-learn has it.
pub(crate) fn eigen(mut matrix: Vec<f64>, width: usize) -> Vec<(f64, Vec<f64>)> {
    // Row i is the vector that belongs to the matrix' i-th diagonal element.
    let mut vectors = vec![0.0; width * width];
    (0..width).for_each(|i| vectors[i * width + i] = 1.0);
    let greatest = (0..width).map(|i| matrix[i * width + i].abs()).fold(0.0, f64::max);
    for _ in 0..SWEEPS_MAX {
        let mut rotated = false;
        for p in 0..width {
            for q in p + 1..width {
                if matrix[p * width + q].abs() > f64::EPSILON * greatest {
                    rotate(&mut matrix, &mut vectors, width, p, q);
                    rotated = true;
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let mut pairs: Vec<_> = vectors
        .chunks(width.max(1))
        .enumerate()
        .map(|(i, vector)| (matrix[i * width + i], turned(vector.to_vec())))
        .collect();
    // Stable: equal eigenvalues keep the order of the columns.
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs
}

/// Makes the element at p, q zero, which it is not.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], width: usize, p: usize, q: usize) {
    let (off, first, second) = (matrix[p * width + q], matrix[p * width + p], matrix[q * width + q]);
    let half = (second - first) / (2.0 * off);
    let tangent = half.signum() / (half.abs() + half.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    rows(matrix, width, p, q, cosine, sine);
    for k in 0..width {
        let (a, b) = (matrix[k * width + p], matrix[k * width + q]);
        matrix[k * width + p] = cosine * a - sine * b;
        matrix[k * width + q] = sine * a + cosine * b;
    }
    (matrix[p * width + q], matrix[q * width + p]) = (0.0, 0.0);
    rows(vectors, width, p, q, cosine, sine);
}

fn rows(matrix: &mut [f64], width: usize, p: usize, q: usize, cosine: f64, sine: f64) {
    let (before, after) = matrix.split_at_mut(q * width);
    for (a, b) in before[p * width..(p + 1) * width].iter_mut().zip(&mut after[..width]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

fn turned(mut vector: Vec<f64>) -> Vec<f64> {
    let largest =
        vector.iter().fold(0.0_f64, |largest, value| if value.abs() > largest.abs() { *value } else { largest });
    if largest < 0.0 {
        vector.iter_mut().for_each(|value| *value = -*value);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn values_and_vectors_are_numpys() {
        // python: numpy.linalg.eigh([[4, 1, -2], [1, 2, 0], [-2, 0, 3]])   (numpy 2.4.6)
        let pairs = eigen(vec![4.0, 1.0, -2.0, 1.0, 2.0, 0.0, -2.0, 0.0, 3.0], 3);
        let expected = [
            (5.732050807568877, [0.7886751345948129, 0.21132486540518713, -0.5773502691896257]),
            (2.2679491924311233, [0.2113248654051871, 0.7886751345948126, 0.5773502691896257]),
            (1.0, [0.5773502691896257, -0.5773502691896256, 0.5773502691896255]),
        ];
        for ((value, vector), (expected, elements)) in pairs.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-13, "{value} {expected}");
            assert!(vector.iter().zip(elements).all(|(got, expected)| (got - expected).abs() < 1e-13), "{vector:?}");
        }
    }

    #[test]
    fn a_large_matrix_is_taken_apart() {
        let width = 40;
        // Hilbert's, whose eigenvalues span twenty powers of ten.
        let matrix: Vec<f64> = (0..width * width).map(|at| 1.0 / (at / width + at % width + 1) as f64).collect();
        let pairs = eigen(matrix.clone(), width);
        for (i, (value, vector)) in pairs.iter().enumerate() {
            for (row, element) in matrix.chunks(width).zip(vector) {
                assert!((product(row, vector) - value * element).abs() < 1e-13, "{i}");
            }
            for (j, (_, other)) in pairs.iter().enumerate() {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((product(vector, other) - expected).abs() < 1e-13, "{i} {j}");
            }
        }
        assert!(pairs.windows(2).all(|pair| pair[0].0 >= pair[1].0));
    }

    #[test]
    fn nothing_is_taken_apart_into_nothing() {
        assert_eq!(eigen(Vec::new(), 0), []);
        assert_eq!(eigen(vec![0.0; 4], 2), [(0.0, vec![1.0, 0.0]), (0.0, vec![0.0, 1.0])]);
        assert_eq!(eigen(vec![-3.0], 1), [(-3.0, vec![1.0])]);
    }
}

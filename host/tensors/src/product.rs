//! Matrices -> their product, over leading dimensions that broadcast.

use crate::graph::{pull, sum_to};
use crate::{Error, Tensor, shape};
use candle_core::{Result as Native, Tensor as Array};

impl Tensor {
    /// Matrix product of the last two dimensions; the others broadcast.
    pub fn matmul(&self, right: &Tensor) -> Result<Self, Error> {
        right.expect_type("right", self.element_type())?;
        let shape = product_shape(self.dims(), right.dims())?;
        if self.is_vacant() || right.is_vacant() {
            return Self::vacant(&shape, &[self, right]);
        }
        let (a, b) = (self.value.clone(), right.value.clone());
        let value = product(&a, &b)?;
        let (left, other) = (a.clone(), b.clone());
        let to_left = pull(move |g| sum_to(&product(g, &b.t()?)?, a.dims()));
        let to_right = pull(move |g| match other.rank() {
            // One product over all rows, instead of one a matrix and their sum.
            2 => rows(&left)?.t()?.matmul(&rows(g)?),
            _ => sum_to(&product(&left.t()?, g)?, other.dims()),
        });
        Ok(Self::result(value, [(self, to_left), (right, to_right)]))
    }
}

fn product_shape(left: &[usize], right: &[usize]) -> Result<Vec<usize>, Error> {
    let mismatch = |expected: &str| Error::Shape {
        operation: "matmul",
        expected: expected.to_owned(),
        got: format!("{left:?} and {right:?}"),
    };
    let ([a @ .., m, k], [b @ .., l, n]) = (left, right) else {
        return Err(mismatch("matrices, of at least two dimensions each"));
    };
    if k != l {
        return Err(mismatch("as many columns on the left as rows on the right"));
    }
    let mut shape = shape::broadcast("matmul", a, b)?;
    shape.extend([m, n]);
    shape::within_limits(shape)
}

/// The product of arrays that fit and have elements.
fn product(a: &Array, b: &Array) -> Native<Array> {
    if b.rank() == 2 {
        let mut shape = a.dims().to_vec();
        shape.pop();
        shape.push(b.dim(1)?);
        return rows(a)?.matmul(&plain(b)?)?.reshape(shape);
    }
    let batch = a.shape().clone().into_dims();
    let other = b.dims();
    let leading = shape::broadcast("matmul", &batch[..batch.len() - 2], &other[..other.len() - 2])
        .map_err(|error| candle_core::Error::Msg(error.to_string()))?;
    let product = stack(a, &leading)?.matmul(&stack(b, &leading)?)?;
    let mut shape = leading;
    shape.extend_from_slice(&product.dims()[1..]);
    product.reshape(shape)
}

/// All rows of all matrices as one matrix.
fn rows(x: &Array) -> Native<Array> {
    match x.rank() {
        2 => plain(x),
        _ => x.reshape(((), x.dim(x.rank() - 1)?)),
    }
}

/// One dimension of matrices: candle takes at most two leading dimensions.
fn stack(x: &Array, leading: &[usize]) -> Native<Array> {
    let matrix = &x.dims()[x.rank() - 2..];
    let count: usize = leading.iter().product();
    plain(&x.broadcast_as([leading, matrix].concat())?.reshape(vec![count, matrix[0], matrix[1]])?)
}

/// Row-major or its transpose: the strides that candle's kernel takes.
fn plain(x: &Array) -> Native<Array> {
    match x.is_contiguous() || x.t()?.is_contiguous() {
        true => Ok(x.clone()),
        false => x.contiguous(),
    }
}

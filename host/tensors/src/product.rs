//! Matrices -> their product, over leading dimensions that broadcast.

use crate::array::{Elements, Real, in_rows};
use crate::graph::{Pull, pull, sum_to};
use crate::native::{Array, Native};
use crate::{Error, Tensor, shape};
use candle_core::{CpuStorage, InplaceOp1, Layout};

impl Tensor {
    /// Matrix product of the last two dimensions; the others broadcast.
    pub fn matmul(&self, right: &Tensor) -> Result<Self, Error> {
        self.expect_real("left")?;
        right.expect_type("right", self.element_type())?;
        let shape = product_shape(self.dims(), right.dims())?;
        if self.is_vacant() || right.is_vacant() {
            return Self::vacant(&shape, &[self, right]);
        }
        let value = product(&self.value, &right.value)?;
        let (to_left, to_right) = back(&self.value, &right.value);
        Ok(Self::result(value, [(self, to_left), (right, to_right)]))
    }

    /// This [.., inputs] times `weights` [inputs, outputs], plus `bias` [outputs].
    pub fn linear(&self, weights: &Tensor, bias: Option<&Tensor>) -> Result<Self, Error> {
        let [inputs, outputs] = *weights.dims() else {
            let got = format!("weights {:?}", weights.dims());
            return Err(Error::Shape { operation: "linear", expected: "weights [inputs, outputs]".to_owned(), got });
        };
        if self.dims().last() != Some(&inputs) {
            let (expected, got) = (format!("[.., {inputs}] beside weights {:?}", weights.dims()), self.dims());
            return Err(Error::Shape { operation: "linear", expected, got: format!("{got:?}") });
        }
        let mut shape = self.dims().to_vec();
        shape.pop();
        let rows = self.reshaped(&[shape.iter().product(), inputs])?;
        shape.push(outputs);
        let shape = shape::within_limits(shape)?;
        let made = match bias {
            Some(bias) => rows.affine(weights, bias)?,
            None => rows.matmul(weights)?,
        };
        made.reshaped(&shape)
    }

    /// A matrix times another, plus the bias in every row.
    fn affine(&self, weights: &Tensor, bias: &Tensor) -> Result<Self, Error> {
        bias.expect_shape("linear", "bias", &weights.dims()[1..])?;
        if self.is_vacant() || weights.is_vacant() {
            return self.matmul(weights)?.binary(crate::Binary::Add, bias);
        }
        self.expect_real("left")?;
        weights.expect_type("weights", self.element_type())?;
        bias.expect_type("bias", self.element_type())?;
        let value = product(&self.value, &weights.value)?;
        let value = match value.is_beside() {
            true => value.plus(&bias.value)?,
            false => {
                value.change(&PlusRow(bias.value.contiguous()?))?;
                value
            }
        };
        let (to_left, to_weights) = back(&self.value, &weights.value);
        let width = bias.dims().to_vec();
        let to_bias = pull(move |g| sum_to(g, &width));
        Ok(Self::result(value, [(self, to_left), (weights, to_weights), (bias, to_bias)]))
    }
}

/// Adds a row to every row of a matrix, in the matrix's own memory.
struct PlusRow(Array);

impl InplaceOp1 for PlusRow {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        let wrong = |error: Error| candle_core::Error::Msg(error.to_string());
        match storage {
            CpuStorage::F64(matrix) => plus_row(matrix, &Elements::of(&self.0).map_err(wrong)?),
            CpuStorage::F32(matrix) => plus_row(matrix, &Elements::of(&self.0).map_err(wrong)?),
            _ => return Err(candle_core::Error::Msg("a product is of floats".to_owned())),
        }
        Ok(())
    }
}

fn plus_row<T: Real>(matrix: &mut [T], added: &[T]) {
    in_rows(matrix, added.len(), |_, row| row.iter_mut().zip(added).for_each(|(value, &added)| *value += added));
}

/// The gradients of a product by its left and by its right. A transpose is a matter of strides, no copy.
fn back(a: &Array, b: &Array) -> (Pull, Pull) {
    let (left, right) = (a.dims().to_vec(), b.dims().to_vec());
    let (a, b) = (a.clone(), b.clone());
    let to_left = pull(move |g| sum_to(&product(g, &b.t()?)?, &left));
    let to_right = pull(move |g| match right.len() {
        // One product over all rows, instead of one a matrix and their sum.
        2 => rows(&a)?.t()?.matmul(&rows(g)?),
        _ => sum_to(&product(&a.t()?, g)?, &right),
    });
    (to_left, to_right)
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
        shape.push(b.dims()[1]);
        return in_any_company(&rows(a)?, &plain(b)?)?.reshape(shape);
    }
    let batch = a.dims();
    let other = b.dims();
    let leading = shape::broadcast("matmul", &batch[..batch.len() - 2], &other[..other.len() - 2])?;
    let product = in_any_company(&stack(a, &leading)?, &stack(b, &leading)?)?;
    let mut shape = leading;
    shape.extend_from_slice(&product.dims()[1..]);
    product.reshape(shape)
}

/// Terms that candle's kernel sums in one go where there are few rows and columns; where there are more it parts them otherwise.
const TERMS_AT_ONCE: usize = 512;
/// As many rows and columns are few.
const FEW: usize = 64;
/// Results that the kernel sums side by side where the columns of the right lie one behind the other.
const SIDE_BY_SIDE: usize = 256;

/// The product of matrices, or of stacks of them, of which each row has the same bits whatever others there are: a model's answer about a row
/// is the one by which it was judged. The kernel (`gemm` 0.19, `gemm_basic_generic`) sums in another order for a single row, for a single
/// column, for few of both with many terms, and for few results of columns that lie in one piece: it is never asked for those.
pub(crate) fn in_any_company(a: &Array, b: &Array) -> Native<Array> {
    if a.is_beside() {
        return a.matmul(b);
    }
    let (down, across) = (a.rank() - 2, a.rank() - 1);
    let (rows, terms, columns) = (a.dims()[down], a.dims()[across], b.dims()[across]);
    let wide = columns.max(2);
    let high = match terms > TERMS_AT_ONCE && wide <= FEW {
        true => rows.max(FEW + 1),
        false => rows.max(2),
    };
    let grown = |x: &Array, dimension: usize, more: usize| match more {
        0 => Ok(x.clone()),
        more => x.pad_with_zeros(dimension, 0, more),
    };
    let (a, b) = (grown(a, down, high - rows)?, grown(b, across, wide - columns)?);
    let b = if high * wide <= SIDE_BY_SIDE { b.contiguous()? } else { b };
    let product = a.matmul(&b)?;
    match (high, wide) == (rows, columns) {
        true => Ok(product),
        false => product.narrow(down, 0, rows)?.narrow(across, 0, columns)?.force_contiguous(),
    }
}

/// All rows of all matrices as one matrix.
fn rows(x: &Array) -> Native<Array> {
    match x.rank() {
        2 => plain(x),
        rank => x.reshape((x.dims()[..rank - 1].iter().product::<usize>(), x.dims()[rank - 1])),
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

//! Columns of numbers in the host -> their weighted means and centred products, piece by piece.
//!
//! What least squares, principal components and discriminants need of a table of any length: the guest sees one number a pair
//! of columns, never a row. Two passes, so that large means cost no digits.

use crate::bindings::stepwell::tensor::tensors::Reduction;
use crate::tensor::ElementType::Float64;
use crate::{Error, Result, Table, Tensor, finite, training};

/// Values of one piece in the host: 32 MiB.
const PIECE_VALUES: u64 = 1 << 22;

/// Means and centred products of some columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// The sum of the rows' weights; without weights their number.
    pub weight: f64,
    /// The weighted mean of each column.
    pub means: Vec<f64>,
    /// Row-major, as many rows and columns as columns: the weighted sum of the products of two columns' distances from their
    /// means. Divided by `weight` it is their covariance.
    pub products: Vec<f64>,
}

impl Moments {
    /// Of columns of a table, with the row weights of another. Nulls, values that are not finite, and no rows are errors that
    /// name a column.
    pub fn of(table: &Table, columns: &[String], weight: Option<&str>) -> Result<Self> {
        let first = columns.first().ok_or_else(|| Error::invalid("columns", "expected at least one, got none"))?;
        if table.rows() == 0 {
            return Err(Error::invalid(first, "expected rows to learn from, got none"));
        }
        let (weight_sum, means) = means(table, columns, weight)?;
        let centre = Tensor::from_f64(&means)?;
        let mut products: Option<Tensor> = None;
        for piece in pieces(table, columns.len()) {
            let centred = (&Tensor::from_table(&piece, columns, Float64)? - &centre)?;
            let left = match weight {
                Some(name) => (&centred * &Tensor::from_table(&piece, &[name.into()], Float64)?)?,
                None => (&centred * 1.0)?,
            };
            let product = left.transpose(0, 1)?.matmul(&centred)?;
            products = Some(match products {
                Some(before) => (&before + &product)?,
                None => product,
            });
        }
        let products = products.map_or(Ok(Vec::new()), |products| products.to_f64())?;
        let width = columns.len();
        finite::check_columns(columns, "a sum of squares", (0..width).map(|column| products[column * width + column]))?;
        Ok(Self { weight: weight_sum, means, products })
    }

    /// The centred product of two columns.
    pub fn product(&self, row: usize, column: usize) -> f64 {
        self.products[row * self.means.len() + column]
    }
}

fn means(table: &Table, columns: &[String], weight: Option<&str>) -> Result<(f64, Vec<f64>)> {
    let (mut total, mut least) = (0.0, f64::INFINITY);
    let mut sums = vec![0.0; columns.len()];
    for piece in pieces(table, columns.len()) {
        let values = Tensor::from_table(&piece, columns, Float64)?;
        let sum = match weight {
            Some(name) => {
                let weights = Tensor::from_table(&piece, &[name.into()], Float64)?;
                total += weights.sum()?.item()?;
                least = weights.reduce(Reduction::Min, None, false)?.item()?.min(least);
                weights.transpose(0, 1)?.matmul(&values)?
            }
            None => {
                total += piece.rows() as f64;
                values.reduce(Reduction::Sum, Some(0), true)?
            }
        };
        sums.iter_mut().zip(sum.to_f64()?).for_each(|(all, more)| *all += more);
    }
    if let Some(name) = weight {
        training::checked(name, total, least)?;
    }
    finite::check_columns(columns, "a sum", sums.iter().copied())?;
    Ok((total, sums.into_iter().map(|sum| sum / total).collect()))
}

/// The table in slices whose values fit into one piece.
fn pieces(table: &Table, width: usize) -> impl Iterator<Item = Table> {
    let rows = (PIECE_VALUES / width as u64).max(1);
    (0..table.rows()).step_by(rows as usize).map(move |start| table.slice(start, rows))
}

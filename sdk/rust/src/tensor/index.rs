//! `x.at(index![1..3, .., 0])`: part of a tensor, as NumPy writes `x[1:3, :, 0]`.

use crate::{Error, Result, Tensor};
use std::ops::{Range, RangeFrom, RangeFull, RangeTo};

/// What becomes of one dimension. Numbers below 0 count from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// One position; the dimension goes away.
    At(i64),
    /// From a position to before another, or to the end. Cut off at the ends, as in Python.
    Range(i64, Option<i64>),
    /// A new dimension of length 1.
    New,
}

impl From<i64> for Index {
    fn from(position: i64) -> Self {
        Self::At(position)
    }
}

impl From<Range<i64>> for Index {
    fn from(range: Range<i64>) -> Self {
        Self::Range(range.start, Some(range.end))
    }
}

impl From<RangeFrom<i64>> for Index {
    fn from(range: RangeFrom<i64>) -> Self {
        Self::Range(range.start, None)
    }
}

impl From<RangeTo<i64>> for Index {
    fn from(range: RangeTo<i64>) -> Self {
        Self::Range(0, Some(range.end))
    }
}

impl From<RangeFull> for Index {
    fn from(_: RangeFull) -> Self {
        Self::Range(0, None)
    }
}

impl From<()> for Index {
    fn from((): ()) -> Self {
        Self::New
    }
}

/// Indices of the first dimensions, for [`Tensor::at`]: positions, ranges, and `()` for a new dimension.
#[macro_export]
macro_rules! index {
    ($($each:expr),* $(,)?) => { &[$($crate::tensor::Index::from($each)),*] };
}

/// What is cut out of a dimension: its number, where the cut starts, how long it is.
type Cut = (u32, u32, u32);

impl Tensor {
    /// Part of the first dimensions; the others stay whole.
    pub fn at(&self, indices: &[Index]) -> Result<Tensor> {
        let (cuts, shape) = cuts(indices, &self.shape())?;
        let mut part = None;
        for (dimension, start, length) in cuts {
            part = Some(part.as_ref().unwrap_or(self).narrow(dimension, start, length)?);
        }
        part.as_ref().unwrap_or(self).reshape(&shape)
    }
}

/// The cuts to be made, and the shape of what they leave.
fn cuts(indices: &[Index], shape: &[u32]) -> Result<(Vec<Cut>, Vec<u32>)> {
    let (mut cuts, mut left) = (Vec::new(), Vec::new());
    let mut dimensions = shape.iter().zip(0..);
    for index in indices {
        if *index == Index::New {
            left.push(1);
            continue;
        }
        let (&length, dimension) = dimensions
            .next()
            .ok_or_else(|| Error::invalid("index", format!("expected at most {} dimensions", shape.len())))?;
        let from_end = |position: i64| if position < 0 { position + i64::from(length) } else { position };
        let (start, end) = match *index {
            Index::At(position) => {
                let at = from_end(position);
                if !(0..i64::from(length)).contains(&at) {
                    let expected =
                        format!("expected a position below {length} in dimension {dimension}, got {position}");
                    return Err(Error::invalid("index", expected));
                }
                (at, at + 1)
            }
            Index::Range(start, end) => (from_end(start), end.map_or(i64::from(length), from_end)),
            Index::New => continue,
        };
        let [start, end] = [start, end].map(|position| position.clamp(0, i64::from(length)) as u32);
        let kept = end.saturating_sub(start);
        if kept != length {
            cuts.push((dimension, start, kept));
        }
        if !matches!(index, Index::At(_)) {
            left.push(kept);
        }
    }
    left.extend(dimensions.map(|(length, _)| length));
    Ok((cuts, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(indices: &[Index], expected: &[Cut], shape: &[u32]) {
        assert_eq!(cuts(indices, &[2, 3, 4]).unwrap(), (expected.to_vec(), shape.to_vec()));
    }

    #[test]
    fn as_numpy_gives_them() {
        check(index![], &[], &[2, 3, 4]);
        check(index![1], &[(0, 1, 1)], &[3, 4]);
        check(index![.., -1], &[(1, 2, 1)], &[2, 4]);
        check(index![.., 1..3, ..2], &[(1, 1, 2), (2, 0, 2)], &[2, 2, 2]);
        check(index![(), .., (), -2..], &[(1, 1, 2)], &[1, 2, 1, 2, 4]);
        check(index![5..9], &[(0, 2, 0)], &[0, 3, 4]);
        check(index![.., 2..1, ()], &[(1, 2, 0)], &[2, 0, 1, 4]);
    }

    #[test]
    fn what_is_no_index() {
        for indices in [index![2] as &[Index], index![-3], index![.., .., .., ..]] {
            assert!(cuts(indices, &[2, 3, 4]).is_err(), "{indices:?}");
        }
    }
}

//! Rows in the host -> their distances to centres, and what follows from them. The guest sees one number a centre and column.
//!
//! Rows are centred at the columns' means: |x|^2 - 2 x c + |c|^2, which one product of matrices gives for all rows and
//! centres, then loses few digits.

use stepwell::tensor::{Binary, Comparison, ElementType::Float64, Reduction};
use stepwell::{Error, Result, Rng, Table, Tensor, finite};

/// Values of one piece in the host: 32 MiB.
const PIECE_VALUES: u64 = 1 << 22;

/// Rows, piece by piece.
pub(crate) struct Rows {
    pieces: Vec<Piece>,
    features: usize,
}

struct Piece {
    /// [rows, features], centred.
    values: Tensor,
    /// [rows, 1]: |x|^2.
    squares: Tensor,
    /// [rows, 1].
    weights: Tensor,
}

/// Points, one after another; each has a number a feature.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Centres {
    pub(crate) values: Vec<f64>,
    pub(crate) features: usize,
}

impl Centres {
    pub(crate) fn count(&self) -> usize {
        self.values.len() / self.features
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks(self.features)
    }

    /// The sum of the squared distances that the points moved.
    pub(crate) fn moved(&self, to: &Self) -> f64 {
        self.values.iter().zip(&to.values).map(|(from, to)| (from - to) * (from - to)).sum()
    }
}

/// The rows of each centre, together.
pub(crate) struct Assigned {
    /// Weighted sums of the rows' values.
    pub(crate) sums: Centres,
    /// Weights of the rows.
    pub(crate) weights: Vec<f64>,
    /// The weighted sum of the squared distances.
    pub(crate) inertia: f64,
}

impl Rows {
    pub(crate) fn new(table: &Table, features: &[String], weight: Option<&str>, means: &[f64]) -> Result<Self> {
        let centre = Tensor::from_f64(means)?;
        let rows = (PIECE_VALUES / features.len() as u64).max(1);
        let piece = |start: u64| {
            let slice = table.slice(start, rows);
            let values = (&Tensor::from_table(&slice, features, Float64)? - &centre)?;
            let squares = values.square()?.reduce(Reduction::Sum, Some(1), true)?;
            let weights = match weight {
                Some(name) => Tensor::from_table(&slice, &[name.to_string()], Float64)?,
                None => Tensor::full(&[slice.rows() as u32, 1], Float64, 1.0)?,
            };
            Ok(Piece { values, squares, weights })
        };
        let pieces = (0..table.rows()).step_by(rows as usize).map(piece).collect::<Result<_>>()?;
        Ok(Self { pieces, features: features.len() })
    }

    /// Each row goes to its nearest centre; of equally near ones to the first.
    pub(crate) fn assign(&self, centres: &Centres) -> Result<Assigned> {
        let (width, count) = (self.features, centres.count());
        let mut assigned = Assigned {
            sums: Centres { values: vec![0.0; centres.values.len()], features: width },
            weights: vec![0.0; count],
            inertia: 0.0,
        };
        let (centres, places) = (Prepared::new(centres)?, Tensor::from_f64(&numbered(count))?);
        for piece in &self.pieces {
            let distances = piece.distances(&centres)?;
            let rows = piece.rows();
            let nearest = (&distances * -1.0)?.argmax(1)?.cast(Float64)?.reshape(&[rows, 1])?;
            let members = (&nearest.compare(Comparison::Eq, &places)? * &piece.weights)?;
            let sums = members.transpose(0, 1)?.matmul(&piece.values)?.to_f64()?;
            let weights = members.reduce(Reduction::Sum, Some(0), false)?.to_f64()?;
            assigned.sums.values.iter_mut().zip(sums).for_each(|(all, more)| *all += more);
            assigned.weights.iter_mut().zip(weights).for_each(|(all, more)| *all += more);
            assigned.inertia += (&distances.reduce(Reduction::Min, Some(1), true)? * &piece.weights)?.sum()?.item()?;
        }
        Ok(assigned)
    }

    /// The rows that are farthest from their centres, the farthest first.
    pub(crate) fn farthest(&self, centres: &Centres, count: usize) -> Result<Vec<Vec<f64>>> {
        let centres = Prepared::new(centres)?;
        let mut far: Vec<(f64, usize, u32)> = Vec::new();
        for (place, piece) in self.pieces.iter().enumerate() {
            let nearest = piece.distances(&centres)?.reduce(Reduction::Min, Some(1), true)?;
            let distances = (&nearest * &piece.weights)?.to_f64()?;
            far.extend(distances.iter().enumerate().map(|(row, distance)| (*distance, place, row as u32)));
            far.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
            far.truncate(count);
        }
        far.into_iter().map(|(_, place, row)| self.pieces[place].row(row)).collect()
    }

    /// How far each row is from the nearest of the points chosen so far, times its weight; before any, its weight.
    pub(crate) fn potential(&self) -> Result<Potential<'_>> {
        let distances: Vec<Tensor> =
            self.pieces.iter().map(|piece| &piece.weights * 0.0).collect::<Result<Vec<_>>>()?;
        let weighted: Vec<Tensor> = self.pieces.iter().map(|piece| &piece.weights * 1.0).collect::<Result<_>>()?;
        let sums = weighted.iter().map(|weighted| weighted.sum()?.item()).collect::<Result<_>>()?;
        Ok(Potential { rows: self, distances, weighted, sums, chosen: false })
    }
}

/// What k-means++ (Arthur and Vassilvitskii, 2007) draws from.
pub(crate) struct Potential<'a> {
    rows: &'a Rows,
    /// A tensor [rows, 1] a piece.
    distances: Vec<Tensor>,
    weighted: Vec<Tensor>,
    /// Of `weighted`, a piece.
    sums: Vec<f64>,
    chosen: bool,
}

impl Potential<'_> {
    pub(crate) fn total(&self) -> f64 {
        self.sums.iter().sum()
    }

    /// A row, with a chance in proportion to its potential.
    pub(crate) fn draw(&self, random: &mut Rng) -> Result<Vec<f64>> {
        let mut left = random.uniform() * self.total();
        // Rounding may leave nothing at the end: then the last row that has any is meant.
        let last = self.sums.iter().rposition(|sum| *sum > 0.0).unwrap_or(0);
        let place = (0..last).find(|place| passed(&mut left, self.sums[*place])).unwrap_or(last);
        let within = self.weighted[place].to_f64()?;
        let last = within.iter().rposition(|value| *value > 0.0).unwrap_or(0);
        let row = (0..last).find(|row| passed(&mut left, within[*row])).unwrap_or(last);
        self.rows.pieces[place].row(row as u32)
    }

    /// The total after each of these points alone were chosen as well.
    pub(crate) fn totals_with(&self, points: &Centres) -> Result<Vec<f64>> {
        let mut totals = vec![0.0; points.count()];
        let points = Prepared::new(points)?;
        for (piece, before) in self.rows.pieces.iter().zip(&self.distances) {
            let distances = self.nearer(before, piece.distances(&points)?)?;
            let sums = (&distances * &piece.weights)?.reduce(Reduction::Sum, Some(0), false)?.to_f64()?;
            totals.iter_mut().zip(sums).for_each(|(all, more)| *all += more);
        }
        Ok(totals)
    }

    pub(crate) fn choose(&mut self, point: &Centres) -> Result<()> {
        let point = Prepared::new(point)?;
        for place in 0..self.distances.len() {
            let piece = &self.rows.pieces[place];
            self.distances[place] = self.nearer(&self.distances[place], piece.distances(&point)?)?;
            self.weighted[place] = (&self.distances[place] * &piece.weights)?;
            self.sums[place] = self.weighted[place].sum()?.item()?;
        }
        self.chosen = true;
        Ok(())
    }

    fn nearer(&self, before: &Tensor, distances: Tensor) -> Result<Tensor> {
        if self.chosen { distances.binary(Binary::Minimum, before) } else { Ok(distances) }
    }
}

/// Takes a share from what is left; whether that was all of it.
fn passed(left: &mut f64, share: f64) -> bool {
    let within = *left < share;
    if !within {
        *left -= share;
    }
    within
}

/// Centres in the host.
struct Prepared {
    /// [features, centres]
    transposed: Tensor,
    /// [1, centres]: |c|^2.
    squares: Tensor,
}

impl Prepared {
    fn new(centres: &Centres) -> Result<Self> {
        let (count, width) = (centres.count() as u32, centres.features as u32);
        let values = Tensor::from_f64(&centres.values)?.reshape(&[count, width])?;
        let squares = values.square()?.reduce(Reduction::Sum, Some(1), true)?.reshape(&[1, count])?;
        Ok(Self { transposed: values.transpose(0, 1)?, squares })
    }
}

impl Piece {
    fn rows(&self) -> u32 {
        self.values.shape().first().copied().unwrap_or_default()
    }

    fn row(&self, row: u32) -> Result<Vec<f64>> {
        self.values.narrow(0, row, 1)?.to_f64()
    }

    /// [rows, centres]: squared distances. Rounding makes none negative.
    fn distances(&self, centres: &Prepared) -> Result<Tensor> {
        let products = (&self.values.matmul(&centres.transposed)? * -2.0)?;
        (&(&products + &self.squares)? + &centres.squares)?.binary_scalar(Binary::Maximum, 0.0)
    }
}

fn numbered(count: usize) -> Vec<f64> {
    (0..count).map(|place| place as f64).collect()
}

/// That there are rows enough to tell so many clusters apart.
pub(crate) fn enough(potential: f64, chosen: usize, wanted: usize) -> Result<()> {
    finite::check("the sum of the rows' squared distances", potential)?;
    match potential > 0.0 {
        true => Ok(()),
        false => {
            let reason = format!("expected at most as many as there are distinct rows, {chosen}, got {wanted}");
            Err(Error::invalid("clusters", reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_drawn_in_its_turn() {
        let chosen = |mut left: f64| [0.5, 0.0, 0.25, 0.25].iter().position(|share| passed(&mut left, *share));
        assert_eq!([chosen(0.0), chosen(0.49), chosen(0.5), chosen(0.75)], [Some(0), Some(0), Some(2), Some(3)]);
        assert_eq!(chosen(1.0), None);
    }

    #[test]
    fn rows_that_are_all_alike_are_one_cluster() {
        assert_eq!(enough(0.1, 1, 2), Ok(()));
        let reason = "expected at most as many as there are distinct rows, 1, got 2";
        assert_eq!(enough(0.0, 1, 2), Err(Error::invalid("clusters", reason)));
        let beyond = enough(f64::NAN, 1, 2).unwrap_err();
        assert!(matches!(&beyond, Error::Permanent(said) if said.contains("squared distances")), "{beyond:?}");
    }
}

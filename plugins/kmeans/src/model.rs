//! A trained model: its files, and its answers.
//!
//! A row's distances are summed in the guest, feature by feature, so that their bits do not depend on how many rows came with
//! it.

use serde::{Deserialize, Serialize};
use stepwell::{Error, Result, SavedFiles, Table, Weights, finite};

const HEADER: &str = "model.json";
const WEIGHTS: &str = "weights.safetensors";
/// Rows whose distances are in memory together.
const BLOCK_ROWS: u64 = 4096;

/// What stands in `model.json`; the numbers stand in `weights.safetensors`, as `centres` [clusters, features].
#[derive(Serialize, Deserialize)]
struct Header {
    features: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) features: Vec<String>,
    /// Cluster by cluster, in the features' own units.
    pub(crate) centres: Vec<f64>,
}

impl Model {
    pub(crate) fn save(&self) -> Result<SavedFiles> {
        let shape = [self.centres.len() / self.features.len(), self.features.len()];
        let weights = Weights::new().f64("centres", &shape, self.centres.clone());
        let header = Header { features: self.features.clone() };
        Ok(SavedFiles::new().json(HEADER, &header)?.bytes(WEIGHTS, weights.finite()?.write()?))
    }

    pub(crate) fn load(files: &SavedFiles) -> Result<Self> {
        let Header { features } = files.read_json(HEADER)?;
        let mut weights = Weights::read(WEIGHTS, files.read(WEIGHTS)?)?;
        let clusters = weights.shape("centres")?.first().copied().unwrap_or_default();
        let centres = weights.take_f64("centres", &[clusters, features.len()])?;
        match centres.is_empty() {
            true => Err(Error::invalid(WEIGHTS, "expected at least one centre of at least one feature, got none")),
            false => Ok(Self { features, centres }),
        }
    }

    /// The cluster of each row, and its distance to that cluster's centre.
    pub(crate) fn nearest(&self, rows: &Table) -> Result<(Vec<i64>, Vec<f64>)> {
        let (mut clusters, mut distances) = (Vec::new(), Vec::new());
        for start in (0..rows.rows()).step_by(BLOCK_ROWS as usize) {
            let block = rows.slice(start, BLOCK_ROWS);
            let columns =
                self.features.iter().map(|feature| values(&block, feature, start)).collect::<Result<Vec<_>>>()?;
            for row in 0..block.rows() {
                let (cluster, squared) = self.of_row(|feature| columns[feature][row as usize]);
                clusters.push(cluster as i64);
                distances.push(squared.sqrt());
            }
        }
        finite::check_rows("the distance to the nearest centre", &distances)?;
        Ok((clusters, distances))
    }

    /// The nearest centre, of equally near ones the first, and the squared distance.
    fn of_row(&self, value: impl Fn(usize) -> f64) -> (usize, f64) {
        let mut best = (0, f64::INFINITY);
        for (cluster, centre) in self.centres.chunks(self.features.len()).enumerate() {
            let squared = centre.iter().enumerate().map(|(feature, centre)| (value(feature) - centre).powi(2)).sum();
            if squared < best.1 {
                best = (cluster, squared);
            }
        }
        best
    }
}

/// `start` is the position of the block's first row.
fn values(block: &Table, feature: &str, start: u64) -> Result<Vec<f64>> {
    let values = block.f64(feature)?.required()?;
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(row) => {
            let (got, row) = (values[row], start + row as u64);
            Err(Error::invalid(feature, format!("expected a finite number in every row, got {got} in row {row}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model { features: vec!["a".into(), "b".into()], centres: vec![0.0, 0.0, 3.0, 4.0, 6.0, 8.0] }
    }

    #[test]
    fn a_saved_model_is_the_same_model() {
        assert_eq!(Model::load(&model().save().unwrap()), Ok(model()));
    }

    #[test]
    fn the_nearest_centre_wins_and_of_equals_the_first() {
        let of = |row: [f64; 2]| model().of_row(|feature| row[feature]);
        assert_eq!(of([3.0, 5.0]), (1, 1.0));
        assert_eq!(of([1.5, 2.0]), (0, 6.25));
    }
}

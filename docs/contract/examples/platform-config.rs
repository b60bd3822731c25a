use serde::Deserialize;
use stepwell::{Result, Rng};

#[derive(Deserialize)]
struct Params {
    fraction: f64,
}

/// Rows drawn with the step's seed: the same in every run of the same pipeline.
pub fn drawn(rows: usize) -> Result<Vec<usize>> {
    let Params { fraction } = stepwell::params()?;
    let mut random = Rng::from_seed(stepwell::seed());
    Ok((0..rows).filter(|_| random.uniform() < fraction).collect())
}

use stepwell::{Result, SavedFiles, Tables};

/// Named tables come in and go out by their ports.
pub fn swapped(inputs: &Tables) -> Result<Tables> {
    let train = inputs.get("train")?;
    Ok(Tables::new().and("rows", train.slice(0, 100)))
}

/// A saved state is a few named files.
pub fn saved(mean: f64) -> SavedFiles {
    SavedFiles::new().bytes("mean.f64", mean.to_le_bytes().to_vec())
}

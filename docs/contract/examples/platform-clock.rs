use stepwell::{Result, real};

/// Granted by `grants = { clock = true }`.
pub fn is_stale(written_us: i64) -> Result<bool> {
    Ok(real::now()? - written_us > 24 * 60 * 60 * 1_000_000)
}

use stepwell::{Result, real};

/// Granted by `grants = { randomness = true }`.
pub fn name() -> Result<String> {
    Ok(real::random_bytes(16)?.iter().map(|byte| format!("{byte:02x}")).collect())
}

use stepwell::{Result, environment};

/// Granted by `grants = { environment = ["REGION"] }`; set as `STEPWELL_VAR_REGION` where the pipeline runs.
pub fn region() -> Result<String> {
    Ok(environment::variable("REGION")?.unwrap_or_else(|| "eu".into()))
}

use stepwell::{Error, Result};

/// `invalid-input` names what is wrong; `transient` asks for another attempt, after so many milliseconds.
pub fn checked(column: &str, values: &[f64], service_is_up: bool) -> Result<()> {
    if values.is_empty() {
        return Err(Error::invalid(column, "expected rows to learn from, got none"));
    }
    match service_is_up {
        true => Ok(()),
        false => Err(Error::Transient(("the service is starting".into(), 5_000))),
    }
}

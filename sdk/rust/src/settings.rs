//! What the pipeline set for this step: its parameters, seed and logical time.

use crate::bindings::stepwell::platform::config;
use crate::{Error, Result, column::Timestamp};
use serde::de::DeserializeOwned;

/// The step's parameters as a type of the plugin's own. Give it `#[serde(deny_unknown_fields)]` and defaults; a wrong
/// value is an error that names the parameter.
pub fn params<T: DeserializeOwned>() -> Result<T> {
    parse(&config::parameters())
}

/// As [`params`], from a text: for tests that run natively, without a host.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let name = match error.path().to_string() {
            path if path == "." => "params".into(),
            path => path,
        };
        let reason = error.into_inner().to_string();
        // The position is one in a JSON text that the user never saw.
        let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(text, _)| text);
        Error::invalid(name, reason)
    })
}

/// Seed of everything random in this step; equal over re-runs. See [`Rng`](crate::Rng).
pub fn seed() -> u64 {
    config::seed()
}

/// The run's logical time: the scheduled instant, not the clock.
pub fn logical_time() -> Timestamp {
    Timestamp(config::logical_time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        #[serde(default)]
        rate: f64,
        column: String,
    }

    #[test]
    fn errors_name_the_parameter() {
        let fails = |json: &str| parse::<Params>(json).unwrap_err();
        let wrong = Error::invalid("rate", r#"invalid type: string "fast", expected f64"#);
        assert_eq!(fails(r#"{"column": "a", "rate": "fast"}"#), wrong);
        assert_eq!(fails("{}"), Error::invalid("params", "missing field `column`"));
        let unknown = Error::invalid("colum", "unknown field `colum`, expected `rate` or `column`");
        assert_eq!(fails(r#"{"colum": "a"}"#), unknown);
    }
}

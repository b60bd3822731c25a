//! How often something may be done: so many times in a span of time.

use serde::{Deserialize, Serialize};
use std::fmt;

/// At most `count` in `per_ms`, written as `100/s`, `60/min`, `1000/h` or `5000/d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    pub count: u32,
    pub per_ms: u64,
}

const UNITS: [(&str, u64); 4] = [("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Rate {
    /// The rate that a text writes. The error is a lowercase fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rate = || {
            let (count, unit) = text.split_once('/')?;
            let (_, per_ms) = UNITS.into_iter().find(|(name, _)| *name == unit.trim())?;
            let count = count.trim().parse().ok().filter(|count| *count > 0)?;
            Some(Self { count, per_ms })
        };
        let shown = || text.chars().take(40).collect::<String>();
        rate().ok_or_else(|| format!("`{}` is no rate: expected one such as 100/s (s, min, h, d)", shown()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, per_ms)| *per_ms == self.per_ms).map_or("ms", |(name, _)| name);
        f.pad(&format!("{}/{unit}", self.count))
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl TryFrom<String> for Rate {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_as_it_is_written() {
        for text in ["100/s", "60/min", "1000/h", "1/d"] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Rate::parse(" 5 / min ").unwrap(), Rate { count: 5, per_ms: 60_000 });
        for bad in ["", "100", "0/s", "-1/s", "1.5/s", "1/ms", "1/week", "4294967296/s", "/s"] {
            assert!(Rate::parse(bad).is_err(), "{bad}");
        }
    }
}

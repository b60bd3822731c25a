//! "512 MiB" and "10 min" -> numbers, and back.

use std::fmt;
use std::time::Duration;

/// A number with what it counts. Shown as a manifest would write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    Bytes(u64),
    Milliseconds(u64),
    Count(u64),
}

const BYTES: &[(u64, &str)] = &[(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")];
const TIMES: &[(u64, &str)] = &[(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];

impl Quantity {
    /// The number, and the units in which it is said; a count has none.
    fn parts(self) -> (u64, &'static [(u64, &'static str)]) {
        match self {
            Self::Bytes(number) => (number, BYTES),
            Self::Milliseconds(number) => (number, TIMES),
            Self::Count(number) => (number, &[]),
        }
    }

    /// What was measured, for a person: "64.2 MiB", "1.5 s".
    pub fn about(self) -> String {
        let (number, units) = self.parts();
        match units.iter().find(|(scale, _)| number >= *scale).or(units.last()) {
            Some((scale, unit)) => {
                let text = format!("{:.1}", number as f64 / *scale as f64);
                format!("{} {unit}", text.trim_end_matches(".0"))
            }
            None => number.to_string(),
        }
    }
}

impl fmt::Display for Quantity {
    /// In the largest unit that says it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, units) = self.parts();
        let exact = units.iter().find(|(scale, _)| number >= *scale && number % scale == 0);
        match exact.or(units.last()) {
            Some((scale, unit)) => write!(f, "{} {unit}", number / scale),
            None => write!(f, "{number}"),
        }
    }
}

/// Why a text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: expected a whole number and one of {units}, such as \"{example}\"")]
pub struct QuantityError {
    pub text: String,
    pub what: &'static str,
    pub units: &'static str,
    pub example: &'static str,
}

/// Bytes from a number and a unit: B, kB, MB, GB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024).
pub fn parse_bytes(text: &str) -> Result<u64, QuantityError> {
    let scale = |unit: &str| {
        Some(match unit {
            "B" => 1,
            "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return None,
        })
    };
    quantity(text, scale).ok_or_else(|| QuantityError {
        text: text.chars().take(80).collect(),
        what: "a size",
        units: "B, KiB, MiB, GiB, TiB, kB, MB, GB",
        example: "512 MiB",
    })
}

/// A duration from a number and a unit: ms, s, min, h, d.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let scale = |unit: &str| {
        Some(match unit {
            "ms" => 1,
            "s" => 1_000,
            "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        })
    };
    quantity(text, scale).map(Duration::from_millis).ok_or_else(|| QuantityError {
        text: text.chars().take(80).collect(),
        what: "a duration",
        units: "ms, s, min, h, d",
        example: "10 min",
    })
}

fn quantity(text: &str, scale: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    number.checked_mul(scale(text[digits..].trim())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!(parse_bytes("512 MiB"), Ok(512 << 20));
        assert_eq!(parse_bytes("1kB"), Ok(1000));
        assert_eq!(parse_duration("10 min"), Ok(Duration::from_secs(600)));
        for text in ["512 MiB", "1 B", "1 TiB", "1023 B", "0 B"] {
            assert_eq!(Quantity::Bytes(parse_bytes(text).unwrap()).to_string(), text);
        }
        for text in ["90 s", "10 min", "1 d", "1500 ms"] {
            let ms = parse_duration(text).unwrap().as_millis() as u64;
            assert_eq!(Quantity::Milliseconds(ms).to_string(), text);
        }
        for (quantity, about) in [
            (Quantity::Bytes(0), "0 B"),
            (Quantity::Bytes(1_536), "1.5 KiB"),
            (Quantity::Bytes(64 << 20), "64 MiB"),
            (Quantity::Milliseconds(1_499), "1.5 s"),
            (Quantity::Count(12_345), "12345"),
        ] {
            assert_eq!(quantity.about(), about);
        }
        for bad in ["", "512", "MiB", "-1 MiB", "1.5 GiB", "99999999999999 TiB", "1 mib"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}

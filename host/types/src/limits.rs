//! "512 MiB" and "10 min" -> numbers; and the limits that they set for one attempt of a step.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most that one attempt may use. Every field is enforced by `worker` or `sandbox`, and a test trips it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of the guest, all its linear memories and tables together.
    pub guest_memory_bytes: u64,
    /// Memory of the whole worker beyond its idle state: guest, tables and tensors.
    pub memory_bytes: u64,
    /// From assignment to answer, after which the worker is killed.
    pub wall_ms: u64,
    /// Live handles to tables, tensors and files.
    pub handles: u32,
    /// Lines of log, beyond which they are dropped and counted.
    pub log_lines: u32,
    /// Bytes of all outputs together.
    pub output_bytes: u64,
}

impl Default for Limits {
    /// What a step gets when its manifest says nothing: enough for a laptop's data, too little to hurt the laptop.
    fn default() -> Self {
        Self {
            guest_memory_bytes: 512 << 20,
            memory_bytes: 2 << 30,
            wall_ms: 600_000,
            handles: 10_000,
            log_lines: 10_000,
            output_bytes: 8 << 30,
        }
    }
}

/// The limits that a manifest names; the others keep their default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsPatch {
    pub guest_memory_bytes: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub wall_ms: Option<u64>,
    pub handles: Option<u32>,
    pub log_lines: Option<u32>,
    pub output_bytes: Option<u64>,
}

impl LimitsPatch {
    /// These limits over the others.
    pub fn over(self, base: Limits) -> Limits {
        Limits {
            guest_memory_bytes: self.guest_memory_bytes.unwrap_or(base.guest_memory_bytes),
            memory_bytes: self.memory_bytes.unwrap_or(base.memory_bytes),
            wall_ms: self.wall_ms.unwrap_or(base.wall_ms),
            handles: self.handles.unwrap_or(base.handles),
            log_lines: self.log_lines.unwrap_or(base.log_lines),
            output_bytes: self.output_bytes.unwrap_or(base.output_bytes),
        }
    }
}

/// A number of a limit, with what it counts. Shown as a manifest would write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    Bytes(u64),
    Milliseconds(u64),
    Count(u64),
}

impl LimitsPatch {
    /// The limits that are named, by their keys in a manifest.
    pub fn named(&self) -> Vec<(&'static str, Quantity)> {
        use Quantity::{Bytes, Count, Milliseconds};
        let all = [
            ("guest_memory", self.guest_memory_bytes.map(Bytes)),
            ("memory", self.memory_bytes.map(Bytes)),
            ("wall", self.wall_ms.map(Milliseconds)),
            ("handles", self.handles.map(u64::from).map(Count)),
            ("log_lines", self.log_lines.map(u64::from).map(Count)),
            ("output", self.output_bytes.map(Bytes)),
        ];
        all.into_iter().filter_map(|(key, quantity)| Some((key, quantity?))).collect()
    }

    /// These limits where they are named, else the others.
    pub fn or(self, base: Self) -> Self {
        Self {
            guest_memory_bytes: self.guest_memory_bytes.or(base.guest_memory_bytes),
            memory_bytes: self.memory_bytes.or(base.memory_bytes),
            wall_ms: self.wall_ms.or(base.wall_ms),
            handles: self.handles.or(base.handles),
            log_lines: self.log_lines.or(base.log_lines),
            output_bytes: self.output_bytes.or(base.output_bytes),
        }
    }
}

impl From<Limits> for LimitsPatch {
    /// All of them named.
    fn from(limits: Limits) -> Self {
        Self {
            guest_memory_bytes: Some(limits.guest_memory_bytes),
            memory_bytes: Some(limits.memory_bytes),
            wall_ms: Some(limits.wall_ms),
            handles: Some(limits.handles),
            log_lines: Some(limits.log_lines),
            output_bytes: Some(limits.output_bytes),
        }
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (number, units): (u64, &[(u64, &str)]) = match self {
            Self::Bytes(number) => {
                (*number, &[(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")])
            }
            Self::Milliseconds(number) => {
                (*number, &[(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")])
            }
            Self::Count(number) => return write!(f, "{number}"),
        };
        // The largest unit that says it exactly.
        let fits = units.iter().find(|(scale, _)| number >= *scale && number % scale == 0);
        let (scale, unit) = fits.or(units.last()).copied().unwrap_or((1, ""));
        write!(f, "{} {unit}", number / scale)
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
        what: "an amount of memory",
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
        for bad in ["", "512", "MiB", "-1 MiB", "1.5 GiB", "99999999999999 TiB", "1 mib"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}

//! What a prediction is called: where it is logged, where it is answered, and where its label comes back.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Crockford's base 32: no letter is taken for a digit, and texts sort as numbers do.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_BYTES: usize = 26;
const RANDOM_BITS: u32 = 80;

/// A prediction of a row. Later ones are larger, and nobody guesses one: a millisecond and 80 random bits, written as a ULID in
/// lower case. Those of one request follow each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PredictionId(u128);

impl PredictionId {
    /// The first of a request.
    pub fn first(at_us: i64, random: [u8; 10]) -> Self {
        let ms = u128::from(u64::try_from(at_us / 1000).unwrap_or(0)) & ((1 << 48) - 1);
        let mut bytes = [0; 16];
        bytes[6..].copy_from_slice(&random);
        // One bit is left, so that counting on never reaches the next millisecond.
        bytes[6] &= 0x7f;
        Self(ms << RANDOM_BITS | u128::from_be_bytes(bytes))
    }

    /// That of a request's row, counted from 0.
    pub fn row(self, row: u64) -> Self {
        Self(self.0.wrapping_add(row.into()))
    }

    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub fn at_ms(self) -> u64 {
        (self.0 >> RANDOM_BITS) as u64
    }

    /// The prediction that a text names; none if it names none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TEXT_BYTES {
            return None;
        }
        let digit = |byte: u8| DIGITS.iter().position(|digit| *digit == byte.to_ascii_lowercase());
        let folded = text.bytes().try_fold(0u128, |number, byte| {
            let digit = digit(byte)? as u128;
            number.checked_mul(32)?.checked_add(digit)
        });
        folded.map(Self)
    }
}

impl fmt::Display for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_BYTES];
        let mut rest = self.0;
        for place in text.iter_mut().rev() {
            *place = DIGITS[(rest % 32) as usize];
            rest /= 32;
        }
        f.pad(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<PredictionId> for String {
    fn from(id: PredictionId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for PredictionId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| "it is no prediction's id".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_their_times_do_and_read_back() {
        let id = |at_us, random| PredictionId::first(at_us, [random; 10]);
        let rising = [id(0, 0), id(0, 1), id(999, 2), id(1000, 0), id(1_700_000_000_000_000, 0xff)];
        let rising = rising.into_iter().chain([rising[4].row(1), rising[4].row(99_999), id(1_700_000_000_001_000, 0)]);
        let rising: Vec<_> = rising.collect();
        let texts: Vec<_> = rising.iter().map(ToString::to_string).collect();
        assert!(rising.is_sorted_by(|a, b| a < b) && texts.is_sorted(), "{texts:?}");
        for (id, text) in rising.iter().zip(&texts) {
            assert_eq!(PredictionId::parse(text), Some(*id));
            assert_eq!(PredictionId::parse(&text.to_uppercase()), Some(*id));
        }
        assert_eq!(rising[4].at_ms(), 1_700_000_000_000);
        let beyond = "z".repeat(26);
        for bad in ["", "0", &texts[0][1..], &texts[0].replace('0', "u"), &beyond, &"é".repeat(13)] {
            assert_eq!(PredictionId::parse(bad), None, "{bad}");
        }
    }
}

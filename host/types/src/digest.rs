//! Bytes -> their name. BLAKE3, 32 bytes, written as 64 hexadecimal digits.

use serde::{Deserialize, Serialize};
use std::{fmt, io};

/// The name of bytes: equal bytes, equal name, on every machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Of all that a reader gives.
    pub fn of_reader(mut reader: impl io::Read) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut reader, &mut hasher)?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// Of a value's JSON text. Stable for structs, whose fields keep their order, and for maps that are sorted.
    pub fn of_json(value: &impl Serialize) -> Self {
        Self::of(&serde_json::to_vec(value).expect("the vocabulary is plain data, which always has a JSON form"))
    }

    /// From 32 raw bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 64 hexadecimal digits; none if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Whether they are the same, found out in the same time whatever they are.
    pub fn is_secretly(&self, other: &Self) -> bool {
        blake3::Hash::from(self.0) == blake3::Hash::from(other.0)
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every digest of every record and of every name of work goes through here.
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| "a digest is 64 hexadecimal digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let digest = Digest::of(b"stepwell");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::of_reader(&b"stepwell"[..]).unwrap(), digest);
        assert!(digest.is_secretly(&Digest::of(b"stepwell")) && !digest.is_secretly(&Digest::of(b"steep")));
        assert_eq!(Digest::parse("+f"), None);
        assert_eq!(Digest::parse(&"é".repeat(32)), None);
    }
}

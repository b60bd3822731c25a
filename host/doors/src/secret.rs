//! Values that a step never sees: it holds placeholders, the edge puts the values in and masks their echoes.

use std::collections::BTreeMap;
use std::fmt;
use types::Fault;

/// A secret value. It cannot be printed or serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// An echo of fewer bytes may be chance; masking it would change answers that hold no secret.
pub const MASKED_BYTES_MIN: usize = 4;
const MASK: &[u8] = b"***";

impl Secret {
    /// Wraps a value; it must not be empty.
    pub fn new(value: Vec<u8>) -> Option<Self> {
        (!value.is_empty()).then_some(Self(value))
    }

    /// The value, for storing it.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Placeholders of one attempt: they hold a number that nobody can guess, so that no text of a step's data is one by chance.
#[derive(Debug)]
pub(crate) struct Placeholders {
    nonce: String,
}

/// A placeholder's text and what stands behind it.
#[derive(Debug, Clone)]
pub(crate) struct Hidden {
    pub(crate) name: String,
    placeholder: Vec<u8>,
    value: Secret,
}

impl Placeholders {
    pub(crate) fn new() -> Result<Self, Fault> {
        let mut bytes = [0; 16];
        fill(&mut bytes)?;
        Ok(Self { nonce: bytes.iter().map(|byte| format!("{byte:02x}")).collect() })
    }

    pub(crate) fn text(&self, name: &str) -> String {
        format!("stepwell-secret:{name}:{}", self.nonce)
    }

    pub(crate) fn with_values(&self, secrets: &BTreeMap<String, Secret>) -> Vec<Hidden> {
        let hidden = secrets.iter().map(|(name, value)| Hidden {
            name: name.clone(),
            placeholder: self.text(name).into_bytes(),
            value: value.clone(),
        });
        let mut hidden: Vec<_> = hidden.collect();
        // The longest first, lest a shorter one that begins it leaves its rest unmasked.
        hidden.sort_by_key(|secret| std::cmp::Reverse(secret.value.0.len()));
        hidden
    }
}

impl Hidden {
    /// Whether the bytes hold the placeholder.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        find(bytes, &self.placeholder).is_some()
    }

    /// The bytes with the value in the placeholder's place; none if they become more than `most`. A value may be a thousand
    /// times as long as its placeholder, so this is known before anything is allocated.
    pub(crate) fn put_in(&self, bytes: &[u8], most: usize) -> Option<Vec<u8>> {
        let (mut count, mut from) = (0, 0);
        while let Some(at) = find(&bytes[from..], &self.placeholder) {
            (count, from) = (count + 1, from + at + self.placeholder.len());
        }
        let length = bytes.len() - count * self.placeholder.len() + count * self.value.0.len();
        (length <= most).then(|| replace(bytes, &self.placeholder, &self.value.0))
    }

    /// The bytes without the value.
    pub(crate) fn masked(&self, bytes: Vec<u8>) -> Vec<u8> {
        match self.value.0.len() >= MASKED_BYTES_MIN && find(&bytes, &self.value.0).is_some() {
            true => replace(&bytes, &self.value.0, MASK),
            false => bytes,
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        let at = from + at;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn replace(bytes: &[u8], wanted: &[u8], by: &[u8]) -> Vec<u8> {
    let (mut replaced, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some(at) = find(rest, wanted) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(by);
        rest = &rest[at + wanted.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

/// The operating system's randomness.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Fault> {
    getrandom::fill(bytes).map_err(Fault::host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_and_masked() {
        let placeholders = Placeholders::new().unwrap();
        let text = placeholders.text("TOKEN");
        let secrets = BTreeMap::from([("TOKEN".to_owned(), Secret::new(b"s3cr3t".to_vec()).unwrap())]);
        let hidden = &placeholders.with_values(&secrets)[0];
        let header = format!("Bearer {text}, again {text}.");
        assert!(hidden.is_in(header.as_bytes()));
        let filled = b"Bearer s3cr3t, again s3cr3t.";
        assert_eq!(hidden.put_in(header.as_bytes(), filled.len()).as_deref(), Some(&filled[..]));
        assert_eq!(hidden.put_in(header.as_bytes(), filled.len() - 1), None);
        assert_eq!(hidden.masked(b"you sent s3cr3ts3cr3t".to_vec()), b"you sent ******");
        assert!(
            !hidden.is_in(Placeholders::new().unwrap().text("TOKEN").as_bytes()),
            "another attempt's is worth nothing"
        );
        assert!(!format!("{hidden:?}").contains("s3cr3t"));
    }

    #[test]
    fn a_secret_that_begins_another_leaves_nothing_of_it() {
        let secret = |value: &str| Secret::new(value.as_bytes().to_vec()).unwrap();
        let secrets = BTreeMap::from([("A".to_owned(), secret("token")), ("B".to_owned(), secret("token-of-more"))]);
        let hidden = Placeholders::new().unwrap().with_values(&secrets);
        let mask = |bytes: &[u8]| hidden.iter().fold(bytes.to_vec(), |bytes, secret| secret.masked(bytes));
        assert_eq!(mask(b"token-of-more, token"), b"***, ***");
    }
}

//! Float64 vectors <-> a `.safetensors` file, so that other tools can read the weights as well.
//!
//! The format: 8 bytes little-endian length of a JSON header, the header, then the values. The header says type, shape and
//! place of each tensor. Vectors of float64 are all a linear model needs, and all that is read here.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stepwell::{Error, Result};

#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The vectors as the content of a file.
pub(crate) fn write(vectors: &[(&str, &[f64])]) -> Result<Vec<u8>> {
    let mut header = BTreeMap::new();
    let mut data = Vec::new();
    for (name, values) in vectors {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let shape = vec![values.len()];
        header.insert(name, Entry { dtype: "F64".into(), shape, data_offsets: [start, data.len()] });
    }
    let mut header = serde_json::to_vec(&header).map_err(|error| Error::permanent(error.to_string()))?;
    // The values begin at a multiple of eight.
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = header.len() as u64;
    Ok([&length.to_le_bytes(), header.as_slice(), &data].concat())
}

/// The vector of that name in the content of a file called `file`.
pub(crate) fn read(file: &str, content: &[u8], name: &str) -> Result<Vec<f64>> {
    vector(content, name).ok_or_else(|| {
        Error::invalid(
            file,
            format!("expected a safetensors file with a vector `{name}` of F64, got {} bytes", content.len()),
        )
    })
}

fn vector(content: &[u8], name: &str) -> Option<Vec<f64>> {
    let (length, rest) = content.split_first_chunk()?;
    let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let header: BTreeMap<String, Entry> = serde_json::from_slice(header).ok()?;
    let entry = header.get(name).filter(|entry| entry.dtype == "F64")?;
    let (words, rest) = data.get(entry.data_offsets[0]..entry.data_offsets[1])?.as_chunks();
    let whole = rest.is_empty() && entry.shape == [words.len()];
    whole.then(|| words.iter().map(|word| f64::from_le_bytes(*word)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back_to_the_bit() {
        let values = [0.1, -0.0, f64::MIN_POSITIVE, 1e300];
        let content = write(&[("coefficients", &values), ("intercept", &[7.0])]).unwrap();
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read("w", &content, "coefficients").unwrap()), bits(&values));
        assert_eq!(read("w", &content, "intercept").unwrap(), [7.0]);
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let content = write(&[("a", &[1.0, 2.0])]).unwrap();
        assert!((0..content.len()).all(|end| read("w", &content[..end], "a").is_err()));
        assert!(read("w", &content, "b").is_err());
        assert!(read("w", &[255; 64], "a").is_err());
    }
}

//! Arrays of numbers <-> a `.safetensors` file, so that other tools can read a model's weights as well.
//!
//! The format: 8 bytes little-endian length of a JSON header, the header, then the values. The header says type, shape and
//! place of each array. Arrays of float32 and float64 are read and written, in the order of their names.

use crate::{Error, Result, finite};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Named arrays on their way to a file, or out of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Array>);

#[derive(Clone, Debug, PartialEq)]
struct Array {
    shape: Vec<usize>,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    Float32(Vec<f32>),
    Float64(Vec<f64>),
}

/// What the header says of an array.
#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

impl Values {
    fn dtype(&self) -> &'static str {
        match self {
            Self::Float32(_) => "F32",
            Self::Float64(_) => "F64",
        }
    }

    fn write(&self, data: &mut Vec<u8>) {
        match self {
            Self::Float32(values) => data.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            Self::Float64(values) => data.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        }
    }

    /// None of another type, or of bytes that are no whole number of values.
    fn read(dtype: &str, bytes: &[u8]) -> Option<Self> {
        match dtype {
            "F32" => {
                let (words, rest) = bytes.as_chunks();
                rest.is_empty().then(|| Self::Float32(words.iter().map(|word| f32::from_le_bytes(*word)).collect()))
            }
            "F64" => {
                let (words, rest) = bytes.as_chunks();
                rest.is_empty().then(|| Self::Float64(words.iter().map(|word| f64::from_le_bytes(*word)).collect()))
            }
            _ => None,
        }
    }

    fn first_not_finite(&self) -> Option<f64> {
        match self {
            Self::Float32(values) => values.iter().find(|value| !value.is_finite()).copied().map(f64::from),
            Self::Float64(values) => values.iter().find(|value| !value.is_finite()).copied(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Float32(values) => values.len(),
            Self::Float64(values) => values.len(),
        }
    }
}

impl Weights {
    /// No arrays yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an array of float64, row-major, as many as its shape says.
    pub fn f64(mut self, name: &str, shape: &[usize], values: Vec<f64>) -> Self {
        self.0.insert(name.into(), Array { shape: shape.into(), values: Values::Float64(values) });
        self
    }

    /// Adds an array of float32, row-major, as many as its shape says.
    pub fn f32(mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Self {
        self.0.insert(name.into(), Array { shape: shape.into(), values: Values::Float32(values) });
        self
    }

    /// That all numbers are finite, or an error that names the first array in which one is not.
    pub fn finite(self) -> Result<Self> {
        for (name, Array { values, .. }) in &self.0 {
            let found = values.first_not_finite();
            found.map_or(Ok(()), |number| finite::check(&format!("every number of the model's `{name}`"), number))?;
        }
        Ok(self)
    }

    /// The content of the file.
    pub fn write(&self) -> Result<Vec<u8>> {
        let mut header = BTreeMap::new();
        let mut data = Vec::new();
        for (name, Array { shape, values }) in &self.0 {
            if shape.iter().product::<usize>() != values.len() {
                let reason = format!("expected as many values as the shape {shape:?} says, got {}", values.len());
                return Err(Error::invalid(name, reason));
            }
            let start = data.len();
            values.write(&mut data);
            let (dtype, shape) = (values.dtype().into(), shape.clone());
            header.insert(name, Entry { dtype, shape, data_offsets: [start, data.len()] });
        }
        let mut header = serde_json::to_vec(&header).map_err(|error| Error::permanent(error.to_string()))?;
        // The values begin at a multiple of eight.
        header.resize(header.len().next_multiple_of(8), b' ');
        let length = header.len() as u64;
        Ok([&length.to_le_bytes(), header.as_slice(), &data].concat())
    }

    /// The arrays in the content of a file, which errors call `file`.
    pub fn read(file: &str, content: &[u8]) -> Result<Self> {
        let arrays = arrays(content).ok_or_else(|| {
            let got = content.len();
            Error::invalid(
                file,
                format!("expected a safetensors file of F32 and F64, got {got} bytes of something else"),
            )
        })?;
        Ok(Self(arrays))
    }

    /// The array of float64 of that name and shape; errors call it by its name.
    pub fn take_f64(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        match self.take(name, shape)? {
            Values::Float64(values) => Ok(values),
            other => Err(Error::invalid(name, format!("expected values of F64, got {}", other.dtype()))),
        }
    }

    /// The array of float32 of that name and shape; errors call it by its name.
    pub fn take_f32(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        match self.take(name, shape)? {
            Values::Float32(values) => Ok(values),
            other => Err(Error::invalid(name, format!("expected values of F32, got {}", other.dtype()))),
        }
    }

    /// The shape of an array.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        self.0.get(name).map(|array| array.shape.as_slice()).ok_or_else(|| self.missing(name))
    }

    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Values> {
        let got = self.shape(name)?;
        if got != shape {
            return Err(Error::invalid(name, format!("expected an array of shape {shape:?}, got {got:?}")));
        }
        let array = self.0.remove(name).ok_or_else(|| self.missing(name))?;
        Ok(array.values)
    }

    fn missing(&self, name: &str) -> Error {
        let names: Vec<&String> = self.0.keys().collect();
        Error::invalid(name, format!("expected an array of this name, got {names:?}"))
    }
}

fn arrays(content: &[u8]) -> Option<BTreeMap<String, Array>> {
    let (length, rest) = content.split_first_chunk()?;
    let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let mut header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    // What another tool said of the file.
    header.remove("__metadata__");
    let array = |(name, entry): (String, serde_json::Value)| {
        let Entry { dtype, shape, data_offsets: [start, end] } = serde_json::from_value(entry).ok()?;
        let values = Values::read(&dtype, data.get(start..end)?)?;
        let count = shape.iter().try_fold(1_usize, |count, length| count.checked_mul(*length))?;
        (count == values.len()).then_some((name, Array { shape, values }))
    };
    header.into_iter().map(array).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back_to_the_bit() {
        let values = vec![0.1, -0.0, f64::MIN_POSITIVE, 1e300];
        let written = Weights::new().f64("b", &[4], values.clone()).f32("a", &[1, 2], vec![0.1, 7.0]);
        let mut read = Weights::read("w", &written.write().unwrap()).unwrap();
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read.take_f64("b", &[4]).unwrap()), bits(&values));
        assert_eq!(read.take_f32("a", &[1, 2]), Ok(vec![0.1, 7.0]));
        assert!(read.take_f32("a", &[1, 2]).is_err(), "it was taken");
    }

    #[test]
    fn another_shape_or_type_is_refused_by_name() {
        let weights = || Weights::new().f64("b", &[2], vec![1.0, 2.0]);
        let error = Error::invalid("b", "expected an array of shape [1, 2], got [2]");
        assert_eq!(weights().take_f64("b", &[1, 2]), Err(error));
        assert_eq!(weights().take_f32("b", &[2]), Err(Error::invalid("b", "expected values of F32, got F64")));
        assert_eq!(weights().shape("c"), Err(Error::invalid("c", r#"expected an array of this name, got ["b"]"#)));
        assert!(Weights::new().f64("b", &[3], vec![1.0]).write().is_err());
    }

    #[test]
    fn an_array_that_is_not_finite_is_named() {
        let weights = || Weights::new().f64("b", &[1], vec![1e300]);
        assert!(weights().finite().is_ok());
        let error = weights().f32("layer1.bias", &[2], vec![0.0, f32::NAN]).finite().unwrap_err();
        assert!(matches!(&error, Error::Permanent(said) if said.contains("`layer1.bias`")), "{error:?}");
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let content = Weights::new().f64("a", &[2], vec![1.0, 2.0]).write().unwrap();
        assert!(Weights::read("w", &content).is_ok());
        assert!((0..content.len()).all(|end| Weights::read("w", &content[..end]).is_err()));
        assert!(Weights::read("w", &[255; 64]).is_err());
    }
}

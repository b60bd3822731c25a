//! A protobuf message -> its fields, each where it lies. Nothing a stranger sends becomes objects before it is counted: two
//! bytes of a message can be a hundred of a struct.

use crate::ServeError;
use prost::encoding::{WireType, decode_key, decode_varint};

pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed32([u8; 4]),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
}

/// The fields of a message, by number, to its end or to the first that is broken.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), ServeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u32, Value<'a>), ServeError> {
        let broken = |error: prost::DecodeError| no_message(&error.to_string());
        let (number, wire_type) = decode_key(&mut self.0).map_err(broken)?;
        let value = match wire_type {
            WireType::Varint => Value::Varint(decode_varint(&mut self.0).map_err(broken)?),
            WireType::ThirtyTwoBit => Value::Fixed32(self.fixed()?),
            WireType::SixtyFourBit => Value::Fixed64(self.fixed()?),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut self.0).map_err(broken)?).unwrap_or(usize::MAX);
                let (value, rest) = self.0.split_at_checked(length).ok_or_else(breaks_off)?;
                self.0 = rest;
                Value::Bytes(value)
            }
            WireType::StartGroup | WireType::EndGroup => return Err(no_message("it has a group")),
        };
        Ok((number, value))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], ServeError> {
        let (value, rest) = self.0.split_first_chunk().ok_or_else(breaks_off)?;
        self.0 = rest;
        Ok(*value)
    }
}

/// The integers of a packed field.
pub(crate) struct Varints<'a>(pub(crate) &'a [u8]);

impl Iterator for Varints<'_> {
    type Item = Result<u64, ServeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let value = decode_varint(&mut self.0).map_err(|error| no_message(&error.to_string()));
        if value.is_err() {
            self.0 = &[];
        }
        Some(value)
    }
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(&self) -> Result<&'a [u8], ServeError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(no_message("a field has another wire type")),
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str, ServeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| no_message("a text is no UTF-8"))
    }
}

fn breaks_off() -> ServeError {
    no_message("it breaks off within a field")
}

pub(crate) fn no_message(why: &str) -> ServeError {
    ServeError::Syntax(format!("it is no message of the protocol: {why}"))
}

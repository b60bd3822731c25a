//! Damage to any bytes.

use proptest::prelude::*;
use proptest::sample::Index;

/// One change of some bytes.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    /// What begins here and is so long goes, or comes twice.
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

/// Bytes that mean something to somebody who reads HTTP, JSON or protobuf.
const MEANING: [&[u8]; 12] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b"\"",
    b"{",
    b"]",
    b",",
    b"-",
    b"%00",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xc3",
    b"9e999",
];

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    let meant = prop::sample::select(MEANING.as_slice()).prop_map(<[u8]>::to_vec);
    let bytes = prop_oneof![meant, prop::collection::vec(any::<u8>(), 1..9)];
    prop_oneof![
        (place(), 1..=u8::MAX).prop_map(|(at, byte)| Change::Flip(at, byte)),
        (place(), bytes).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place(), 1..20_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (place(), 1..200_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        place().prop_map(Change::Cut),
    ]
}

impl Change {
    pub(crate) fn to(&self, bytes: &mut Vec<u8>) {
        // Behind the last byte is a place too.
        let places = bytes.len() + 1;
        let at = |index: &Index| index.index(places);
        match self {
            Self::Flip(place, mask) => {
                let place = at(place);
                bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= mask);
            }
            Self::Insert(place, more) => {
                let place = at(place);
                bytes.splice(place..place, more.iter().copied());
            }
            Self::Remove(place, length) => {
                let place = at(place);
                let end = bytes.len().min(place + length);
                bytes.drain(place..end);
            }
            Self::Repeat(place, length) => {
                let place = at(place);
                let end = bytes.len().min(place + length);
                let again = bytes[place..end].to_vec();
                bytes.splice(end..end, again);
            }
            Self::Cut(place) => bytes.truncate(at(place)),
        }
    }
}

//! Protobuf by its wire format alone: written for the recorded calls, and read into fields that can be changed one by one.

use proptest::prelude::*;
use proptest::sample::Index;

/// A field: its number, and what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Field(pub(crate) u64, pub(crate) Held);

#[derive(Debug, Clone)]
pub(crate) enum Held {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(Vec<u8>),
    /// Bytes that read as a message.
    Message(Vec<Field>),
}

pub(crate) fn text(number: u64, text: &str) -> Field {
    Field(number, Held::Bytes(text.as_bytes().to_vec()))
}

pub(crate) fn varint(number: u64, value: u64) -> Field {
    Field(number, Held::Varint(value))
}

pub(crate) fn message(number: u64, fields: Vec<Field>) -> Field {
    Field(number, Held::Message(fields))
}

pub(crate) fn bytes(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Field(number, held) in fields {
        let mut begun = |wire: u64| varint_to(&mut bytes, number.wrapping_shl(3) | wire);
        match held {
            Held::Varint(value) => {
                begun(0);
                varint_to(&mut bytes, *value);
            }
            Held::Fixed64(value) => {
                begun(1);
                bytes.extend(value);
            }
            Held::Fixed32(value) => {
                begun(5);
                bytes.extend(value);
            }
            Held::Bytes(value) => {
                begun(2);
                varint_to(&mut bytes, value.len() as u64);
                bytes.extend(value);
            }
            Held::Message(inner) => {
                let inner = self::bytes(inner);
                begun(2);
                varint_to(&mut bytes, inner.len() as u64);
                bytes.extend(inner);
            }
        }
    }
    bytes
}

fn varint_to(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// What becomes of a field.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Removed,
    Twice,
    Number(u64),
    /// Of another kind than its reader expects, or of another value.
    Held(Held),
    /// Bytes that are so much longer.
    Longer(usize),
    /// As its own only field, so deep.
    Deep(usize),
}

const NUMBERS: [u64; 10] = [0, 1, 2, 7, 127, 128, 1 << 31, 1 << 53, i64::MAX as u64, u64::MAX];

pub(crate) fn change() -> impl Strategy<Value = (Index, Change)> {
    let number = || prop::sample::select(NUMBERS.as_slice());
    let held = prop_oneof![
        3 => number().prop_map(Held::Varint),
        1 => any::<[u8; 8]>().prop_map(Held::Fixed64),
        1 => any::<[u8; 4]>().prop_map(Held::Fixed32),
        2 => prop::collection::vec(any::<u8>(), 0..12).prop_map(Held::Bytes),
    ];
    let change = prop_oneof![
        2 => Just(Change::Removed),
        2 => Just(Change::Twice),
        2 => prop_oneof![0..12_u64, number()].prop_map(Change::Number),
        4 => held.prop_map(Change::Held),
        1 => (1..5_000_usize).prop_map(Change::Longer),
        1 => (1..200_usize).prop_map(Change::Deep),
    ];
    (any::<Index>(), change)
}

/// Changes one of the fields of a message, at any depth.
pub(crate) fn changed(fields: &mut Vec<Field>, (at, change): &(Index, Change)) {
    let count = count(fields);
    if count > 0 {
        descend(fields, &mut at.index(count), change);
    }
}

fn count(fields: &[Field]) -> usize {
    let within = |Field(_, held): &Field| if let Held::Message(inner) = held { count(inner) } else { 0 };
    fields.iter().map(|field| 1 + within(field)).sum()
}

/// Whether the field was found, which so many others stand before.
fn descend(fields: &mut Vec<Field>, left: &mut usize, change: &Change) -> bool {
    for at in 0..fields.len() {
        if *left == 0 {
            apply(fields, at, change);
            return true;
        }
        *left -= 1;
        if let Held::Message(inner) = &mut fields[at].1
            && descend(inner, left, change)
        {
            return true;
        }
    }
    false
}

fn apply(fields: &mut Vec<Field>, at: usize, change: &Change) {
    let field = &mut fields[at];
    match change {
        Change::Removed => drop(fields.remove(at)),
        Change::Twice => {
            let again = field.clone();
            fields.push(again);
        }
        Change::Number(number) => field.0 = *number,
        Change::Held(held) => field.1 = held.clone(),
        Change::Longer(length) => {
            let mut longer = bytes(std::slice::from_ref(field));
            longer.resize(longer.len() + length, b'a');
            field.1 = Held::Bytes(longer);
        }
        Change::Deep(depth) => {
            for _ in 0..*depth {
                field.1 = Held::Message(vec![field.clone()]);
            }
        }
    }
}

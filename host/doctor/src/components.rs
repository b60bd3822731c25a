//! Components that are bytes only: none is meant to be run, some are not meant to be compiled to their end.

/// The preamble of a component, and that of a core module (version and layer).
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Functions of the endless one, and the rounds of arithmetic in each: 20 MB of straight code.
const FUNCTIONS: usize = 2_000;
const ROUNDS: usize = 1_000;

/// The component, cut at eight places.
pub(crate) fn truncated(component: &[u8]) -> Vec<Vec<u8>> {
    (1..=8).map(|eighth| component[..(component.len() * eighth / 8).saturating_sub(1)].to_vec()).collect()
}

/// The component with one bit flipped: in the preamble, and at places all over it.
pub(crate) fn flipped(component: &[u8]) -> Vec<Vec<u8>> {
    let places = [6, 9].into_iter().chain((1..5).map(|fifth| component.len() * fifth / 5));
    let places = places.filter(|place| *place < component.len());
    places
        .map(|place| {
            let mut bytes = component.to_vec();
            bytes[place] ^= 1;
            bytes
        })
        .collect()
}

/// Text, a core module, and a component that exports nothing.
pub(crate) fn of_another_world(_component: &[u8]) -> Vec<Vec<u8>> {
    vec![b"(component)".to_vec(), MODULE.to_vec(), COMPONENT.to_vec()]
}

/// An instance without functions under a name that this host does not offer.
pub(crate) fn with_foreign_import(_component: &[u8]) -> Vec<Vec<u8>> {
    const NAME: &[u8] = b"wasi:cli/environment@0.2.0";
    // Type 0: an instance type of no declarations. Import: a plain name, an instance of type 0.
    let import = [&[1, 0], counted(NAME).as_slice(), &[5, 0]].concat();
    vec![[&COMPONENT[..], &section(7, &[1, 0x42, 0]), &section(10, &import)].concat()]
}

/// Thousands of large functions that an optimiser has to look at, one value handed from each round to the next.
pub(crate) fn endless(_component: &[u8]) -> Vec<Vec<u8>> {
    // local.get 0, i64.const 3, i64.mul, local.tee 0, i64.popcnt, local.set 0
    const ROUND: [u8; 10] = [0x20, 0, 0x42, 3, 0x7e, 0x22, 0, 0x7b, 0x21, 0];
    // One local of type i64.
    let body = [&[1, 1, 0x7e][..], &ROUND.repeat(ROUNDS), &[0x0b]].concat();
    let body = counted(&body);
    let types = section(1, &[1, 0x60, 0, 0]);
    let functions = section(3, &[number(FUNCTIONS), vec![0; FUNCTIONS]].concat());
    let code = section(10, &[number(FUNCTIONS), body.repeat(FUNCTIONS)].concat());
    let module = [&MODULE[..], &types, &functions, &code].concat();
    vec![[&COMPONENT[..], &section(1, &module)].concat()]
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], counted(content).as_slice()].concat()
}

/// Bytes behind their number.
fn counted(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len()).as_slice(), bytes].concat()
}

/// Unsigned LEB128.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        match value {
            0 => {
                bytes.push(low);
                return bytes;
            }
            _ => bytes.push(low | 0x80),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_webassembly_writes_them() {
        for (value, expected) in [(0, &[0][..]), (127, &[127]), (128, &[0x80, 1]), (624_485, &[0xe5, 0x8e, 0x26])] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn damage_is_damage_of_any_component() {
        for length in [0, 1, 7, 8, 100] {
            let component = vec![0; length];
            assert!(truncated(&component).iter().all(|cut| cut.len() < length.max(1)));
            assert!(flipped(&component).iter().all(|flipped| *flipped != component));
        }
        assert_eq!(flipped(&[0; 100]).len(), 6);
    }
}

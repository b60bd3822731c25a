//! Where the records of a folded segment lie: they lie elsewhere than the index says, so a list of their places, by sequence, stands at
//! the segment's end. Who wants a record reads of the list what halving it again and again takes, and then the record.

use super::scan;
use super::segment::{self, FRAME_BYTES, HEADER_BYTES};
use crate::{Error, Result};
use std::cmp::Ordering;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use types::Digest;

const NUMBER_BYTES: u64 = 8;
/// A sequence and an offset.
const ENTRY_BYTES: u64 = 2 * NUMBER_BYTES;

/// A list in the making.
#[derive(Default)]
pub(super) struct Places {
    entries: Vec<u8>,
    count: u64,
}

impl Places {
    /// In the order of their sequences.
    pub(super) fn add(&mut self, sequence: u64, offset: u64) {
        self.entries.extend([sequence, offset].map(u64::to_le_bytes).as_flattened());
        self.count += 1;
    }

    /// The list as a segment ends with it, behind so much of the chain.
    pub(super) fn encode(&self, chain: &Digest) -> Vec<u8> {
        segment::encode_places(&[self.entries.as_slice(), &self.count.to_le_bytes()].concat(), chain)
    }
}

/// Where the record of a sequence lies in a folded segment; none if it is one that was folded away.
pub(super) fn find(path: &Path, file: &File, sequence: u64) -> Result<Option<u64>> {
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let last = length.saturating_sub(NUMBER_BYTES);
    let [count] = numbers(path, file, last)?;
    let first = count.checked_mul(ENTRY_BYTES).and_then(|bytes| last.checked_sub(bytes));
    let first = first.filter(|first| *first >= HEADER_BYTES + FRAME_BYTES as u64);
    let first = first.ok_or_else(|| scan::damaged(path, last, format!("a list of {count} places")))?;
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        let [found, offset] = numbers(path, file, first + middle * ENTRY_BYTES)?;
        match found.cmp(&sequence) {
            Ordering::Equal => return Ok(Some(offset)),
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
        }
    }
    Ok(None)
}

fn numbers<const COUNT: usize>(path: &Path, file: &File, offset: u64) -> Result<[u64; COUNT]> {
    let mut bytes = [[0; NUMBER_BYTES as usize]; COUNT];
    file.read_exact_at(bytes.as_flattened_mut(), offset).map_err(Error::io("read", path))?;
    Ok(bytes.map(u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use super::super::{Mark, segment::SegmentHeader};
    use super::*;
    use std::fs;

    /// A folded segment of records 5 to 7 whose list says so of them; and the mark where its pieces begin.
    fn folded(offsets: [u64; 3]) -> (Vec<u8>, Mark) {
        let previous = Digest::of(b"before");
        let mut bytes = SegmentHeader { number: 2, first: 5, previous, is_folded: true }.encode();
        let (mut chain, mut places) = (previous, Places::default());
        for (sequence, offset) in (5..).zip(offsets) {
            let payload = segment::payload(sequence, sequence, "{}");
            chain = segment::encode(&mut bytes, 0, &chain, payload.as_bytes());
            places.add(sequence, offset);
        }
        bytes.extend(places.encode(&chain));
        (bytes, Mark { sequence: 4, chain: previous, segment: 2, offset: HEADER_BYTES })
    }

    /// Where they lie, each frame being as long.
    fn offsets() -> [u64; 3] {
        let frame = segment::frame_bytes(segment::payload(5, 5, "{}").len());
        [0, 1, 2].map(|at| HEADER_BYTES + at * frame)
    }

    fn checked(bytes: &[u8], mut mark: Mark) -> Result<Option<u64>> {
        scan::check(Path::new("2"), bytes, &mut mark, false, |_| ())
    }

    #[test]
    fn a_list_that_is_not_that_of_its_records_is_found() {
        let (bytes, mark) = folded(offsets());
        assert!(matches!(checked(&bytes, mark.clone()), Ok(None)));
        let list = bytes.len() - FRAME_BYTES - 7 * NUMBER_BYTES as usize;
        let lacks = |bytes: &[u8]| {
            let error = checked(bytes, mark.clone()).expect_err("a wrong list").to_string();
            assert!(error.contains("the list of places at its end is not that of its records"), "{error}");
        };
        lacks(&bytes[..list]);
        lacks(&[&bytes, b"more".as_slice()].concat());
        let [first, second, third] = offsets();
        lacks(&folded([second, first, third]).0);
    }

    #[test]
    fn a_record_is_found_by_its_sequence_whatever_the_file_says() {
        let folder = tempfile::tempdir().expect("made");
        let path = folder.path().join("2");
        let look = |bytes: &[u8], sequence: u64| {
            fs::write(&path, bytes).expect("written");
            find(&path, &File::open(&path).expect("opened"), sequence)
        };
        let (bytes, _) = folded(offsets());
        for (sequence, offset) in (5..).zip(offsets()) {
            assert_eq!(look(&bytes, sequence).expect("looked"), Some(offset));
        }
        for sequence in [0, 4, 8, u64::MAX] {
            assert_eq!(look(&bytes, sequence).expect("looked"), None);
        }
        for count in [1_000_000, u64::MAX / ENTRY_BYTES, u64::MAX] {
            let bytes = [&bytes[..bytes.len() - 8], &count.to_le_bytes()].concat();
            assert!(matches!(look(&bytes, 5), Err(Error::Damaged { .. })), "{count}");
        }
        assert!(look(&bytes[..7], 5).is_err());
    }
}

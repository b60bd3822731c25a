//! A closed segment -> the same without the records that nobody asks for any more. Of a stretch of them a gap is left: how many they
//! were, and the chain's hash behind each of their batches. So the chain goes on, and every head that somebody kept is still in it.

use super::places::Places;
use super::scan::{self, Piece};
use super::segment::{self, HEADER_BYTES, SegmentHeader};
use super::{FOLDING, Mark, whole};
use crate::disk::sync_folder;
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use types::Digest;

/// A segment is written anew only if at least one part of so many goes.
const PART: u64 = 4;

/// A segment as it would be.
pub(crate) struct Fold {
    path: PathBuf,
    bytes: Vec<u8>,
    pub(crate) segment: u64,
    /// Records in its gaps.
    pub(crate) gone: u64,
    /// So many bytes shorter than the segment is now.
    pub(crate) saved: u64,
}

/// A stretch of records that go.
struct Gap {
    /// The chain before it.
    previous: Digest,
    records: u64,
    chains: Vec<Digest>,
}

impl Fold {
    /// Reads a closed segment, which must be in order; `is_spent` says of each record whether it goes.
    pub(crate) fn of<R: DeserializeOwned>(path: &Path, is_spent: &dyn Fn(&R) -> bool) -> Result<Self> {
        let bytes = whole(path)?;
        let (header, mut mark) = begin(path, &bytes)?;
        scan::check(path, &bytes, &mut mark.clone(), false, |_| ())?;
        let mut folded = SegmentHeader { is_folded: true, ..header }.encode();
        let (mut gap, mut gone, mut places) = (None::<Gap>, 0, Places::default());
        while let Some((piece, end)) = scan::piece(path, &bytes, &mark)? {
            let (records, chains) = match piece {
                Piece::Gap(chains) => (end.sequence - mark.sequence, chains),
                Piece::Record { place, payload, ends_batch } => {
                    let record: R = scan::record(path, &place, payload)?;
                    if !is_spent(&record) {
                        close(&mut gap, &mark, &mut folded);
                        places.add(place.sequence, folded.len() as u64);
                        folded.extend(&bytes[mark.offset as usize..end.offset as usize]);
                        mark = end;
                        continue;
                    }
                    (1, if ends_batch { vec![end.chain] } else { Vec::new() })
                }
            };
            let open = gap.get_or_insert(Gap { previous: mark.chain, records: 0, chains: Vec::new() });
            (open.records, gone) = (open.records + records, gone + records);
            open.chains.extend(chains);
            mark = end;
        }
        close(&mut gap, &mark, &mut folded);
        folded.extend(places.encode(&mark.chain));
        let saved = (bytes.len() as u64).saturating_sub(folded.len() as u64);
        Ok(Self { path: path.to_owned(), bytes: folded, segment: mark.segment, gone, saved })
    }

    /// Whether enough would go.
    pub(crate) fn is_worth_it(&self) -> bool {
        self.saved > 0 && self.saved * PART >= self.saved + self.bytes.len() as u64
    }

    /// Names the segment as it would be.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Writes it beside the segment. A crash leaves it there, and the next open removes it.
    pub(crate) fn draft(&self) -> Result<()> {
        let draft = self.path.with_file_name(FOLDING);
        let mut file = File::create(&draft).map_err(Error::io("make", &draft))?;
        file.write_all(&self.bytes).and_then(|()| file.sync_all()).map_err(Error::io("write", &draft))
    }

    /// Puts what was drafted in the segment's place. Whoever reads the old one meanwhile goes on reading it.
    pub(crate) fn take(&self) -> Result<()> {
        fs::rename(self.path.with_file_name(FOLDING), &self.path).map_err(Error::io("name", &self.path))?;
        sync_folder(self.path.parent().unwrap_or(&self.path))
    }
}

/// Writes the gap that ends at `mark`, if one is open.
fn close(gap: &mut Option<Gap>, mark: &Mark, folded: &mut Vec<u8>) {
    let Some(Gap { previous, records, mut chains }) = gap.take() else { return };
    if chains.last() != Some(&mark.chain) {
        chains.push(mark.chain);
    }
    segment::encode_gap(folded, &previous, records, &chains);
}

/// A segment's header, and the mark behind it as the header says it.
fn begin(path: &Path, bytes: &[u8]) -> Result<(SegmentHeader, Mark)> {
    let header = SegmentHeader::decode(path, bytes)?;
    let (sequence, chain, segment) = (header.first.saturating_sub(1), header.previous, header.number);
    Ok((header, Mark { sequence, chain, segment, offset: HEADER_BYTES }))
}

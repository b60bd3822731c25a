//! A segment's bytes -> batches, or where and how they are damaged.
//!
//! What a crash leaves behind is the last write, unfinished: cut short, or with holes of zeros. That, and only that, is a
//! torn tail; nobody was told of it. Whatever else does not check is damage, and damage is an error: a batch that is
//! there whole, or that others follow, was acknowledged, because the next write begins when the last is on disk.

use super::places::Places;
use super::segment::{self, Entry, FRAME_BYTES, HEADER_BYTES, PAYLOAD_START, SegmentHeader};
use super::{Mark, Place};
use crate::{Error, Result};
use serde::de::{DeserializeOwned, IgnoredAny};
use std::path::Path;
use types::Digest;

/// So many zero bytes in a row are a hole: neither a payload nor a frame's header has them.
const HOLE_BYTES: usize = 24;

/// Where a batch does not check.
struct Flaw {
    offset: u64,
    /// The sequence of the batch's first record.
    batch: u64,
    what: String,
}

/// The mark behind a segment's header, which must continue where the one before it ended.
pub(super) fn begin(path: &Path, bytes: &[u8], number: u64, before: &Mark) -> Result<Mark> {
    let header = SegmentHeader::decode(path, bytes)?;
    let expected = if before.offset == 0 { before.segment } else { before.segment + 1 };
    let what = if (header.number, number) != (expected, expected) {
        format!("segment {} in file {number} where {expected} is expected", header.number)
    } else if header.first != before.sequence + 1 {
        format!("the segment begins with record {}, expected {}", header.first, before.sequence + 1)
    } else if header.previous != before.chain {
        format!("the segment follows {}, expected {}", header.previous.short(), before.chain.short())
    } else {
        return Ok(Mark { segment: number, offset: HEADER_BYTES, ..before.clone() });
    };
    Err(Error::Damaged { path: path.to_owned(), offset: 0, what })
}

/// Moves `mark` behind the last whole batch, showing each batch's end. Returns the length of a torn tail, which only the
/// last segment can have.
pub(super) fn check(
    path: &Path,
    bytes: &[u8],
    mark: &mut Mark,
    is_last: bool,
    mut visit: impl FnMut(&Mark),
) -> Result<Option<u64>> {
    if segment::is_folded(bytes) {
        return check_folded(path, bytes, mark, is_last, &mut visit).map(|()| None);
    }
    loop {
        match batch(bytes, mark) {
            Ok(None) => return Ok(None),
            Ok(Some((_, end))) => {
                visit(&end);
                *mark = end;
            }
            Err(flaw) if is_last && is_torn(&bytes[flaw.offset as usize..], flaw.batch) => {
                return Ok(Some(bytes.len() as u64 - mark.offset));
            }
            Err(flaw) => return Err(damaged(path, flaw.offset, flaw.what)),
        }
    }
}

/// What was folded is whole: it was on disk before it had its name, and behind it lay the record of that.
fn check_folded(
    path: &Path,
    bytes: &[u8],
    mark: &mut Mark,
    is_last: bool,
    visit: &mut impl FnMut(&Mark),
) -> Result<()> {
    let mut places = Places::default();
    while let Some((piece, end)) = piece(path, bytes, mark)? {
        if let Piece::Record { place, .. } = piece {
            places.add(place.sequence, place.offset);
        }
        visit(&end);
        *mark = end;
    }
    if bytes[mark.offset as usize..] != places.encode(&mark.chain) {
        return Err(damaged(path, mark.offset, "the list of places at its end is not that of its records".to_owned()));
    }
    match is_last {
        true => Err(damaged(path, mark.offset, "it was folded, so that others followed; they are gone".to_owned())),
        false => Ok(()),
    }
}

/// Shows each batch behind `mark` with its records, and moves `mark` to the end. Of a folded segment each record is shown alone,
/// and what lies within a gap as batches without any.
pub(super) fn records<R: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    mark: &mut Mark,
    visit: &mut impl FnMut(Vec<(Place, R)>, &Mark) -> Result<()>,
) -> Result<()> {
    if segment::is_folded(bytes) {
        return pieces(path, bytes, mark, visit);
    }
    while let Some((frames, end)) = batch(bytes, mark).map_err(|flaw| damaged(path, flaw.offset, flaw.what))? {
        let mut records = Vec::with_capacity(frames.len());
        for (place, payload) in frames {
            let record = record(path, &place, payload)?;
            records.push((place, record));
        }
        visit(records, &end)?;
        *mark = end;
    }
    Ok(())
}

fn pieces<R: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    mark: &mut Mark,
    visit: &mut impl FnMut(Vec<(Place, R)>, &Mark) -> Result<()>,
) -> Result<()> {
    while let Some((piece, end)) = piece(path, bytes, mark)? {
        match piece {
            Piece::Record { place, payload, .. } => {
                let record = record(path, &place, payload)?;
                visit(vec![(place, record)], &end)?;
            }
            Piece::Gap(chains) => {
                chains.into_iter().try_for_each(|chain| visit(Vec::new(), &Mark { chain, ..end.clone() }))?;
            }
        }
        *mark = end;
    }
    Ok(())
}

pub(super) fn record<R: DeserializeOwned>(path: &Path, place: &Place, payload: &[u8]) -> Result<R> {
    let entry: Entry<R> =
        serde_json::from_slice(payload).map_err(|error| damaged(path, place.offset, error.to_string()))?;
    if entry.sequence != place.sequence {
        let what = format!("record {} where {} is expected", entry.sequence, place.sequence);
        return Err(damaged(path, place.offset, what));
    }
    Ok(entry.record)
}

/// What stands at a place of a segment.
pub(super) enum Piece<'a> {
    Record {
        place: Place,
        payload: &'a [u8],
        ends_batch: bool,
    },
    /// Records that are no more, by the hashes behind their batches.
    Gap(Vec<Digest>),
}

/// The piece at `mark` of a segment that is not torn, and the mark behind it; none at the end, which a list of places can follow.
pub(super) fn piece<'a>(path: &Path, bytes: &'a [u8], mark: &Mark) -> Result<Option<(Piece<'a>, Mark)>> {
    if mark.offset == bytes.len() as u64 {
        return Ok(None);
    }
    let flaw = |what: String| damaged(path, mark.offset, what);
    let frame = segment::decode(bytes.get(mark.offset as usize..).unwrap_or_default()).map_err(flaw)?;
    if frame.previous != mark.chain {
        let (got, expected) = (frame.previous.short(), mark.chain.short());
        return Err(flaw(format!("the frame follows {got} in the chain, expected {expected}")));
    }
    if segment::is_places(&frame) {
        return Ok(None);
    }
    let offset = mark.offset + segment::frame_bytes(frame.payload.len());
    let Some(gap) = segment::gap(&frame) else {
        let (sequence, chain) = (mark.sequence + 1, segment::chain(&frame.previous, frame.payload));
        let place = Place { sequence, segment: mark.segment, offset: mark.offset };
        let piece = Piece::Record { place, payload: frame.payload, ends_batch: frame.left == 0 };
        return Ok(Some((piece, Mark { sequence, chain, segment: mark.segment, offset })));
    };
    let (records, chains) = gap.map_err(flaw)?;
    // So that what is counted on from there has room.
    let sequence = mark.sequence.checked_add(records).filter(|last| *last < u64::MAX / 2);
    let sequence = sequence.ok_or_else(|| flaw(format!("a gap of {records} records")))?;
    let chain = chains.last().copied().unwrap_or(mark.chain);
    Ok(Some((Piece::Gap(chains), Mark { sequence, chain, segment: mark.segment, offset })))
}

/// Frames of a batch with their places.
type Frames<'a> = Vec<(Place, &'a [u8])>;

/// The batch at `mark` and the mark behind it; none at the end of the bytes.
fn batch<'a>(bytes: &'a [u8], mark: &Mark) -> Result<Option<(Frames<'a>, Mark)>, Flaw> {
    let (mut end, mut frames, mut left) = (mark.clone(), Vec::new(), None);
    if mark.offset == bytes.len() as u64 {
        return Ok(None);
    }
    while left != Some(0) {
        let flaw = |what: String| Flaw { offset: end.offset, batch: mark.sequence + 1, what };
        let rest = bytes.get(end.offset as usize..).unwrap_or_default();
        if rest.is_empty() {
            return Err(flaw("the file ends within a batch".to_owned()));
        }
        let frame = segment::decode(rest).map_err(flaw)?;
        if frame.previous != end.chain {
            let (got, expected) = (frame.previous.short(), end.chain.short());
            return Err(flaw(format!("the frame follows {got} in the chain, expected {expected}")));
        }
        if left.is_some_and(|before: u32| before != frame.left + 1) {
            return Err(flaw(format!("{} frames are to follow, expected {}", frame.left, left.unwrap_or(0) - 1)));
        }
        left = Some(frame.left);
        end.sequence += 1;
        frames.push((Place { sequence: end.sequence, segment: end.segment, offset: end.offset }, frame.payload));
        end.chain = segment::chain(&frame.previous, frame.payload);
        end.offset += segment::frame_bytes(frame.payload.len());
    }
    Ok(Some((frames, end)))
}

/// Whether the bytes from a flaw on are what an unfinished write of `batch` left.
fn is_torn(tail: &[u8], batch: u64) -> bool {
    let mut starts: Vec<usize> =
        tail.windows(PAYLOAD_START.len()).enumerate().filter(|(_, w)| *w == PAYLOAD_START).map(|(at, _)| at).collect();
    if tail.len() > FRAME_BYTES && !starts.contains(&FRAME_BYTES) {
        starts.push(FRAME_BYTES);
    }
    let frames = starts.iter().filter_map(|start| start.checked_sub(FRAME_BYTES)).map(|at| &tail[at..]);
    if frames.clone().any(|frame| is_of_later_batch(frame, batch)) {
        return false;
    }
    has_hole(tail) || !frames.clone().any(ends_the_file)
}

/// Whether a whole frame stands here that was written when `batch` was already on disk.
fn is_of_later_batch(bytes: &[u8], batch: u64) -> bool {
    let payload = segment::decode(bytes).map(|frame| frame.payload);
    payload.is_ok_and(|payload| {
        serde_json::from_slice::<Entry<IgnoredAny>>(payload).is_ok_and(|entry| entry.batch > batch)
    })
}

/// Whether a frame stands here to its end, and with it the file's, going by its length or by its payload.
fn ends_the_file(bytes: &[u8]) -> bool {
    let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    FRAME_BYTES + length == bytes.len() || serde_json::from_slice::<Entry<IgnoredAny>>(&bytes[FRAME_BYTES..]).is_ok()
}

fn has_hole(tail: &[u8]) -> bool {
    // A payload ends with a brace, so a zero at the end is a hole that the file's end cuts short.
    tail.last() == Some(&0) || tail.windows(HOLE_BYTES).any(|window| window.iter().all(|byte| *byte == 0))
}

pub(super) fn damaged(path: &Path, offset: u64, what: String) -> Error {
    Error::Damaged { path: path.to_owned(), offset, what }
}

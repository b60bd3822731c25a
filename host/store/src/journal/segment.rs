//! The bytes of a segment: a header, then frames.
//!
//! ```text
//!  header: "stepwell" | version u32 | number u64 | first sequence u64 | previous chain hash 32 | CRC32 of these u32
//!  frame:  payload length u32 | CRC32 of what follows and the length u32 | left u32 | previous chain hash 32 | payload
//! ```
//! Numbers are little-endian. `left` counts the frames of the batch that follow. The chain hash behind a frame is
//! blake3(previous || payload). The payload is JSON without zero bytes: `{"sequence":7,"batch":6,"record":{..}}`, `batch`
//! being the sequence of the batch's first record.
//!
//! A segment of version 3 was folded: any of its frames may be a gap, whose `left` is all ones and whose payload is
//! `records u64 | chain hash 32, once or more`: so many records are no more, and these are the hashes behind their batches, the last
//! one behind all of them. It checks the chain that goes on from there; what was hashed nobody can check any more. Its last frame,
//! whose `left` is all ones but one, says where its records lie: `sequence u64 | offset u64` a record, then how many `u64`. (Version 2
//! lacked that frame and was never released.)

use crate::{Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use types::Digest;

pub(super) const HEADER_BYTES: u64 = 64;
/// Before the payload.
pub(super) const FRAME_BYTES: usize = 44;
/// What every payload begins with.
pub(super) const PAYLOAD_START: &[u8] = b"{\"sequence\":";
const MAGIC: &[u8; 8] = b"stepwell";
const VERSION: u32 = 1;
/// Of a segment some of whose frames are gaps.
const FOLDED: u32 = 3;
/// Stands for `left` in a gap: no batch has so many frames.
const GAP: u32 = u32::MAX;
/// Stands for `left` in the list of places.
const PLACES: u32 = u32::MAX - 1;

/// What stands at the beginning of a segment.
pub(super) struct SegmentHeader {
    pub(super) number: u64,
    /// The sequence of its first record.
    pub(super) first: u64,
    /// The chain hash before its first record.
    pub(super) previous: Digest,
    pub(super) is_folded: bool,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::from(MAGIC);
        bytes.extend(if self.is_folded { FOLDED } else { VERSION }.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.previous.as_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the header at the start of `bytes`.
    pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |what: &str| Error::Damaged { path: path.to_owned(), offset: 0, what: what.to_owned() };
        let Some(header) = bytes.get(..HEADER_BYTES as usize) else {
            return Err(damaged("the segment's header is cut short"));
        };
        if !header.starts_with(MAGIC) {
            return Err(damaged("no journal segment begins like this"));
        }
        if crc32fast::hash(&header[..60]) != u32_at(header, 60) {
            return Err(damaged("the header's checksum does not match"));
        }
        match u32_at(header, 8) {
            version @ (VERSION | FOLDED) => Ok(Self {
                number: u64_at(header, 12),
                first: u64_at(header, 20),
                previous: digest_at(header, 28),
                is_folded: version == FOLDED,
            }),
            got => Err(Error::Format { path: path.to_owned(), expected: FOLDED, got }),
        }
    }
}

/// What a payload says; `R` is what the journal's owner records.
#[derive(Deserialize)]
pub(super) struct Entry<R> {
    pub(super) sequence: u64,
    pub(super) batch: u64,
    pub(super) record: R,
}

/// A frame whose checksum matches.
pub(super) struct Frame<'a> {
    pub(super) left: u32,
    pub(super) previous: Digest,
    pub(super) payload: &'a [u8],
}

/// The payload of a record that is JSON already.
pub(super) fn payload(sequence: u64, batch: u64, record: &str) -> String {
    format!("{{\"sequence\":{sequence},\"batch\":{batch},\"record\":{record}}}")
}

/// A frame's size, its payload included.
pub(super) fn frame_bytes(payload: usize) -> u64 {
    (FRAME_BYTES + payload) as u64
}

/// The chain hash behind a frame.
pub(super) fn chain(previous: &Digest, payload: &[u8]) -> Digest {
    Digest::from_bytes(*blake3::Hasher::new().update(previous.as_bytes()).update(payload).finalize().as_bytes())
}

/// Whether a segment with a header in order was folded.
pub(super) fn is_folded(bytes: &[u8]) -> bool {
    u32_at(bytes, 8) == FOLDED
}

/// Adds a gap; the last of the hashes stands behind it.
pub(super) fn encode_gap(bytes: &mut Vec<u8>, previous: &Digest, records: u64, chains: &[Digest]) {
    let mut payload = Vec::from(records.to_le_bytes());
    chains.iter().for_each(|chain| payload.extend(chain.as_bytes()));
    encode(bytes, GAP, previous, &payload);
}

/// The frame of a list of places, behind so much of the chain.
pub(super) fn encode_places(payload: &[u8], previous: &Digest) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_BYTES + payload.len());
    encode(&mut bytes, PLACES, previous, payload);
    bytes
}

/// Whether a frame is the list of places, and thus no piece of the journal.
pub(super) fn is_places(frame: &Frame<'_>) -> bool {
    frame.left == PLACES
}

/// How many records a gap stands for, and the hashes behind their batches; none of a frame that is no gap.
pub(super) fn gap(frame: &Frame<'_>) -> Option<Result<(u64, Vec<Digest>), String>> {
    if frame.left != GAP {
        return None;
    }
    let Some((records, hashes)) = frame.payload.split_first_chunk() else {
        return Some(Err("a gap that is cut short".to_owned()));
    };
    let (hashes, rest) = hashes.as_chunks();
    Some(match hashes.is_empty() || !rest.is_empty() {
        true => Err("a gap without whole hashes".to_owned()),
        false => Ok((u64::from_le_bytes(*records), hashes.iter().map(|hash| Digest::from_bytes(*hash)).collect())),
    })
}

/// Adds a frame and returns the chain hash behind it.
pub(super) fn encode(bytes: &mut Vec<u8>, left: u32, previous: &Digest, payload: &[u8]) -> Digest {
    let length = u32::try_from(payload.len()).expect("a batch is smaller than 4 GiB").to_le_bytes();
    let start = bytes.len();
    bytes.extend(length);
    bytes.extend([0; 4]);
    bytes.extend(left.to_le_bytes());
    bytes.extend(previous.as_bytes());
    bytes.extend(payload);
    let checksum = checksum(length, &bytes[start + 8..]).to_le_bytes();
    bytes[start + 4..start + 8].copy_from_slice(&checksum);
    chain(previous, payload)
}

/// The frame at the start of `bytes`, or what is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Result<Frame<'_>, String> {
    if bytes.len() < FRAME_BYTES {
        return Err(format!("{} bytes where a frame's header takes {FRAME_BYTES}", bytes.len()));
    }
    let end = FRAME_BYTES + u32_at(bytes, 0) as usize;
    let Some(frame) = bytes.get(..end) else {
        return Err(format!("a frame of {end} bytes where {} are left", bytes.len()));
    };
    if checksum([frame[0], frame[1], frame[2], frame[3]], &frame[8..]) != u32_at(frame, 4) {
        return Err("the frame's checksum does not match".to_owned());
    }
    Ok(Frame { left: u32_at(frame, 8), previous: digest_at(frame, 12), payload: &frame[FRAME_BYTES..] })
}

/// Reads one frame of a file and what its payload says.
pub(super) fn read<R: DeserializeOwned>(path: &Path, file: &File, offset: u64) -> Result<Entry<R>> {
    let damaged = |what: String| Error::Damaged { path: path.to_owned(), offset, what };
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let mut bytes = vec![0; FRAME_BYTES];
    file.read_exact_at(&mut bytes, offset).map_err(Error::io("read", path))?;
    let end = FRAME_BYTES + u32_at(&bytes, 0) as usize;
    // Asked before the memory is: a damaged length must not ask for 4 GiB.
    if offset + end as u64 > length {
        return Err(damaged(format!("a frame of {end} bytes in a file of {length}")));
    }
    bytes.resize(end, 0);
    file.read_exact_at(&mut bytes[FRAME_BYTES..], offset + FRAME_BYTES as u64).map_err(Error::io("read", path))?;
    let frame = decode(&bytes).map_err(damaged)?;
    serde_json::from_slice(frame.payload).map_err(|error| damaged(error.to_string()))
}

fn checksum(length: [u8; 4], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(rest);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes are four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes are eight bytes"))
}

fn digest_at(bytes: &[u8], at: usize) -> Digest {
    Digest::from_bytes(bytes[at..at + 32].try_into().expect("32 bytes are 32 bytes"))
}

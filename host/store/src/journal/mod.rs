//! Records -> an append-only, hash-chained file, and back.
//!
//! A journal is a folder of segments, numbered from 1. What is written at once is one batch: it counts as a whole or not
//! at all, because each frame says how many of its batch follow. Who queues and who writes is `tenant`'s affair.

mod fold;
mod places;
mod scan;
mod segment;

pub(crate) use fold::Fold;

use crate::disk::{Folders, entries, sync_folder};
use crate::{Error, Result};
use segment::{Entry, HEADER_BYTES, SegmentHeader};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use types::{Digest, TenantId};

/// A batch that would grow a segment beyond this begins the next one. Small in tests, so that they cross the border often.
const SEGMENT_BYTES: u64 = if cfg!(test) { 4 << 10 } else { 64 << 20 };
/// The most one batch may hold, so that a segment can be read whole.
pub(crate) const BATCH_BYTES_MAX: usize = 32 << 20;
/// What no segment that we wrote exceeds: a full one, or one of a single batch with its frames.
const SEGMENT_BYTES_MAX: u64 = SEGMENT_BYTES + 2 * BATCH_BYTES_MAX as u64;
/// A segment that is not yet one.
const UNBORN: &str = "new-segment";
/// What is to stand in a segment's place.
const FOLDING: &str = "folded-segment";

/// Whose records a journal holds. Its chain begins with the owner, so that a journal moved to another is noticed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner<'a> {
    Tenant(&'a TenantId),
    Installation,
}

/// A point between two batches: all up to `sequence` lies before it. Reaches disk, in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Of the last record before it; 0 if there is none.
    pub(crate) sequence: u64,
    /// Of everything before it.
    pub(crate) chain: Digest,
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl Mark {
    /// Whether something of a segment lies before it.
    fn has(&self, segment: u64) -> bool {
        self.offset > 0 && segment <= self.segment
    }
}

/// Where a record lies. Reaches disk, in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Counted from 1 over the whole journal.
    pub(crate) sequence: u64,
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl Place {
    /// In a list, where there is one a record.
    pub(crate) const BYTES: usize = 24;

    /// Its three numbers: as JSON has it where there are many.
    pub(crate) fn numbers(&self) -> [u64; 3] {
        [self.sequence, self.segment, self.offset]
    }

    pub(crate) fn of([sequence, segment, offset]: [u64; 3]) -> Self {
        Self { sequence, segment, offset }
    }

    /// The same, each little-endian: as a list has it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.numbers().map(u64::to_le_bytes).concat()
    }

    /// The places in a list.
    pub(crate) fn list(bytes: &[u8]) -> Result<Vec<Self>> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let (places, more) = numbers.as_chunks::<3>();
        if !rest.is_empty() || !more.is_empty() {
            let why = format!("a list of places has {} bytes, {} each are expected", bytes.len(), Self::BYTES);
            return Err(Error::Index { path: "index".into(), why });
        }
        Ok(places.iter().map(|numbers| Self::of(numbers.map(u64::from_le_bytes))).collect())
    }
}

/// A batch in the making: payloads with their places, if the draft is written next.
pub(crate) struct Draft {
    first: u64,
    segment: u64,
    offset: u64,
    payloads: Vec<String>,
}

impl Draft {
    /// Adds a record's JSON and says where it will lie.
    pub(crate) fn add(&mut self, record: &str) -> Place {
        let sequence = self.first + self.payloads.len() as u64;
        let place = Place { sequence, segment: self.segment, offset: self.offset };
        let payload = segment::payload(sequence, self.first, record);
        self.offset += segment::frame_bytes(payload.len());
        self.payloads.push(payload);
        place
    }

    /// How many were added: what [`Draft::cut`] takes to forget those that follow.
    pub(crate) fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Forgets all but the first `len`.
    pub(crate) fn cut(&mut self, len: usize) {
        for payload in self.payloads.drain(len..) {
            self.offset -= segment::frame_bytes(payload.len());
        }
    }
}

/// What opening a journal found.
pub(crate) struct Found {
    /// Where it was cut, and by how many bytes.
    pub(crate) torn: Option<(PathBuf, u64, u64)>,
    /// Whether the expected mark lies in it.
    pub(crate) holds: bool,
}

/// A journal and its end. After an error of `make_room` or `write` nothing may be written to it: the file's end is unknown.
pub(crate) struct Log {
    folder: PathBuf,
    tail: Mark,
    file: Option<File>,
}

impl Log {
    /// Opens or makes the journal in `folder`, checks all of it and cuts a torn tail off.
    pub(crate) fn open(
        folders: &Folders,
        folder: &Path,
        owner: Owner<'_>,
        expected: Option<&Mark>,
    ) -> Result<(Self, Found)> {
        folders.ensure(folder)?;
        let mut log = Self { folder: folder.to_owned(), tail: genesis(owner), file: None };
        let segments = segment_files(folder)?;
        let mut found = Found { torn: None, holds: false };
        for (at, (number, path)) in segments.iter().enumerate() {
            let bytes = whole(path)?;
            let is_last = at + 1 == segments.len();
            log.tail = scan::begin(path, &bytes, *number, &log.tail)?;
            let cut = scan::check(path, &bytes, &mut log.tail, is_last, |mark| found.holds |= Some(mark) == expected)?;
            if let Some(lost) = cut {
                truncate(path, log.tail.offset)?;
                found.torn = Some((path.clone(), log.tail.offset, lost));
            }
        }
        if let Some((_, path)) = segments.last() {
            log.file = Some(OpenOptions::new().write(true).open(path).map_err(Error::io("open", path))?);
        }
        Ok((log, found))
    }

    /// Behind the last record.
    pub(crate) fn end(&self) -> Mark {
        self.tail.clone()
    }

    /// Begins a new segment if the current one has no room for so many bytes.
    pub(crate) fn make_room(&mut self, bytes: usize) -> Result<()> {
        let is_empty = self.tail.offset == HEADER_BYTES;
        if self.file.is_some() && (is_empty || self.tail.offset + bytes as u64 <= SEGMENT_BYTES) {
            return Ok(());
        }
        let number = if self.file.is_some() { self.tail.segment + 1 } else { self.tail.segment };
        let header =
            SegmentHeader { number, first: self.tail.sequence + 1, previous: self.tail.chain, is_folded: false };
        let (unborn, path) = (self.folder.join(UNBORN), segment_path(&self.folder, number));
        let mut file = File::create(&unborn).map_err(Error::io("make", &unborn))?;
        file.write_all(&header.encode()).and_then(|()| file.sync_all()).map_err(Error::io("write", &unborn))?;
        fs::rename(&unborn, &path).map_err(Error::io("name", &path))?;
        sync_folder(&self.folder)?;
        self.file = Some(file);
        self.tail = Mark { segment: number, offset: HEADER_BYTES, ..self.tail.clone() };
        Ok(())
    }

    /// An empty batch at the journal's end.
    pub(crate) fn draft(&self) -> Draft {
        let Mark { sequence, segment, offset, .. } = self.tail;
        Draft { first: sequence + 1, segment, offset, payloads: Vec::new() }
    }

    /// Writes and syncs a draft that was begun at the end as it is now; returns the new end.
    pub(crate) fn write(&mut self, draft: &Draft) -> Result<Mark> {
        let (mut bytes, mut chain) = (Vec::new(), self.tail.chain);
        for (at, payload) in draft.payloads.iter().enumerate() {
            let left = draft.payloads.len() - at - 1;
            chain = segment::encode(&mut bytes, left as u32, &chain, payload.as_bytes());
        }
        let path = segment_path(&self.folder, self.tail.segment);
        let file = self.file.as_ref().expect("`make_room` came first");
        file.write_all_at(&bytes, self.tail.offset).map_err(Error::io("write", &path))?;
        file.sync_data().map_err(Error::io("sync", &path))?;
        self.tail.sequence += draft.payloads.len() as u64;
        self.tail.offset = draft.offset;
        self.tail.chain = chain;
        Ok(self.tail.clone())
    }

    /// Shows every batch behind `from` (all of them if none), in order, with the mark at its end.
    pub(crate) fn replay<R: DeserializeOwned>(
        &self,
        owner: Owner<'_>,
        from: Option<&Mark>,
        mut visit: impl FnMut(Vec<(Place, R)>, &Mark) -> Result<()>,
    ) -> Result<()> {
        let mut mark = from.cloned().unwrap_or_else(|| genesis(owner));
        for (number, path) in segment_files(&self.folder)? {
            if number < mark.segment {
                continue;
            }
            let bytes = whole(&path)?;
            if number > mark.segment || mark.offset == 0 {
                mark = scan::begin(&path, &bytes, number, &mark)?;
            }
            scan::records(&path, &bytes, &mut mark, &mut visit)?;
        }
        Ok(())
    }

    #[cfg(test)]
    /// Makes every later write fail, as a broken disk does.
    pub(crate) fn break_file(&mut self) {
        self.file = Some(File::open(segment_path(&self.folder, self.tail.segment)).expect("the segment is there"));
    }
}

/// A journal that was only looked at.
pub(crate) struct Inspected {
    /// Up to here it is whole.
    pub(crate) end: Mark,
    /// Bytes of an unfinished write behind it.
    pub(crate) torn: u64,
    /// Why it is not whole any further.
    pub(crate) flaw: Option<Error>,
    /// Segments that were folded, by the digests of their bytes.
    pub(crate) folded: Vec<(u64, Digest)>,
}

/// Shows every batch of a journal with the mark at its end, and changes nothing on disk. What lies behind `until` is left out:
/// somebody may be writing it.
pub(crate) fn inspect<R: DeserializeOwned>(
    folder: &Path,
    owner: Owner<'_>,
    until: Option<&Mark>,
    mut visit: impl FnMut(Vec<R>, &Mark),
) -> Inspected {
    let mut found = Inspected { end: genesis(owner), torn: 0, flaw: None, folded: Vec::new() };
    found.flaw = inspect_segments(folder, until, &mut found, &mut visit).err();
    found
}

fn inspect_segments<R: DeserializeOwned>(
    folder: &Path,
    until: Option<&Mark>,
    found: &mut Inspected,
    visit: &mut impl FnMut(Vec<R>, &Mark),
) -> Result<()> {
    let (segments, _) = listed(folder)?;
    let segments: Vec<_> =
        segments.into_iter().filter(|(number, _)| until.is_none_or(|until| until.has(*number))).collect();
    for (at, (number, path)) in segments.iter().enumerate() {
        let mut bytes = whole(path)?;
        if bytes.len() as u64 >= HEADER_BYTES && segment::is_folded(&bytes) {
            found.folded.push((*number, Digest::of(&bytes)));
        }
        if let Some(until) = until.filter(|until| until.segment == *number) {
            bytes.truncate(usize::try_from(until.offset).unwrap_or(usize::MAX));
        }
        let begin = scan::begin(path, &bytes, *number, &found.end)?;
        let mut end = begin.clone();
        let checked = scan::check(path, &bytes, &mut end, at + 1 == segments.len(), |_| ());
        bytes.truncate(usize::try_from(end.offset).unwrap_or(usize::MAX));
        found.end = begin;
        let mut mark = found.end.clone();
        scan::records(path, &bytes, &mut mark, &mut |records, end| {
            visit(records.into_iter().map(|(_, record)| record).collect(), end);
            found.end = end.clone();
            Ok(())
        })?;
        found.torn = checked?.unwrap_or(0);
    }
    Ok(())
}

/// Reads the records at these places.
pub(crate) fn read<R: DeserializeOwned>(folder: &Path, places: &[Place]) -> Result<Vec<R>> {
    let mut opened: Option<(u64, Opened)> = None;
    let mut records = Vec::with_capacity(places.len());
    for place in places {
        if opened.as_ref().is_none_or(|(number, _)| *number != place.segment) {
            opened = Some((place.segment, Opened::at(&segment_path(folder, place.segment))?));
        }
        let (_, opened) = opened.as_ref().expect("it was opened just now");
        let (Opened { path, file, .. }, offset) = (opened, opened.offset(place)?);
        let entry: Entry<R> = segment::read(path, file, offset)?;
        if entry.sequence != place.sequence {
            let what = format!("record {} where {} is expected", entry.sequence, place.sequence);
            return Err(scan::damaged(path, offset, what));
        }
        records.push(entry.record);
    }
    Ok(records)
}

/// A segment that records are read of.
struct Opened {
    path: PathBuf,
    file: File,
    /// Since then records lie elsewhere than the index says.
    is_folded: bool,
}

impl Opened {
    fn at(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let mut header = [0; HEADER_BYTES as usize];
        file.read_exact_at(&mut header, 0).map_err(Error::io("read", path))?;
        Ok(Self { path: path.to_owned(), file, is_folded: segment::is_folded(&header) })
    }

    fn offset(&self, place: &Place) -> Result<u64> {
        if !self.is_folded {
            return Ok(place.offset);
        }
        let gone = || scan::damaged(&self.path, place.offset, format!("record {} was folded away", place.sequence));
        places::find(&self.path, &self.file, place.sequence)?.ok_or_else(gone)
    }
}

/// The segments that are written no more, of a journal that ends there.
pub(crate) fn closed(folder: &Path, end: &Mark) -> Result<Vec<PathBuf>> {
    let segments = listed(folder)?.0.into_iter();
    Ok(segments.filter(|(number, _)| *number < end.segment).map(|(_, path)| path).collect())
}

/// Before the first record.
fn genesis(owner: Owner<'_>) -> Mark {
    let chain = match owner {
        Owner::Tenant(tenant) => Digest::of(format!("stepwell journal of tenant `{tenant}`").as_bytes()),
        Owner::Installation => Digest::of(b"stepwell journal of the installation"),
    };
    Mark { sequence: 0, chain, segment: 1, offset: 0 }
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.segment"))
}

/// The segments in order, once what is none yet is gone.
fn segment_files(folder: &Path) -> Result<Segments> {
    let (segments, unborn) = listed(folder)?;
    for path in unborn {
        // Nothing of it counts yet: it has no record, or none that its segment lacks.
        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    Ok(segments)
}

/// Segments by their numbers.
type Segments = Vec<(u64, PathBuf)>;

/// The segments in order, and what is none yet. A hole in the numbers shows when the next header is read.
fn listed(folder: &Path) -> Result<(Segments, Vec<PathBuf>)> {
    let (mut segments, mut unborn) = (Vec::new(), Vec::new());
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.strip_suffix(".segment").and_then(|digits| digits.parse().ok()) {
            Some(number) => segments.push((number, path)),
            None if [UNBORN, FOLDING].contains(&name.as_str()) => unborn.push(path),
            None => return Err(Error::Foreign { path, why: "expected `00000001.segment` and the like".to_owned() }),
        }
    }
    segments.sort();
    Ok((segments, unborn))
}

/// A segment, if it is none that only a stranger could have made.
fn whole(path: &Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path).map_err(Error::io("read", path))?.len();
    if length > SEGMENT_BYTES_MAX {
        let what = format!("a segment of {length} bytes, at most {SEGMENT_BYTES_MAX} are expected");
        return Err(Error::Damaged { path: path.to_owned(), offset: SEGMENT_BYTES_MAX, what });
    }
    fs::read(path).map_err(Error::io("read", path))
}

fn truncate(path: &Path, length: u64) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path).map_err(Error::io("open", path))?;
    file.set_len(length).and_then(|()| file.sync_all()).map_err(Error::io("truncate", path))
}

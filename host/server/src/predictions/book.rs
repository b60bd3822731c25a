//! One endpoint's predictions: what was noted and is not written yet, the files that grow, and what goes again.

use super::files::{self, FILE_MS, LogFile, unusable};
use super::labels::LabelLog;
use super::rows::{self, Alike, Note};
use crate::{Error, locked};
use data::{LogWriter, Table};
use manifest::LogSettings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use types::{EndpointName, Fault, ModelName, PredictionId};

/// The most that waits to be written; what comes beyond is counted and not logged.
const BUFFER_BYTES_MAX: u64 = 32 << 20;
/// With so much nobody waits for more.
const MUCH_BYTES: u64 = 4 << 20;
/// What a request takes there besides its rows and answers, about.
const NOTE_BYTES: u64 = 200;
/// Where the next file begins.
const FILE_BYTES: u64 = 16 << 20;
/// Files that grow beside each other, of as many layouts: versions that answer together may answer with other columns.
const OPEN_MAX: usize = 4;
/// How often it is looked for what is too old, unless a file begins.
const CLEAR_US: i64 = 3_600_000_000;
/// Files whose ids are kept in memory beside those of the ones that grow, 16 bytes a prediction.
const REMEMBERED: usize = 8;

/// A request and its answer.
pub(crate) struct Noted {
    /// When it came.
    pub(crate) at_us: i64,
    pub(crate) latency_us: u64,
    pub(crate) model: ModelName,
    pub(crate) version: u32,
    /// Of the caller's own, if one came with it.
    pub(crate) trace: Option<Arc<str>>,
    pub(crate) rows: Table,
    pub(crate) predictions: Table,
}

/// What became of a note.
pub(crate) struct Told {
    pub(crate) id: PredictionId,
    /// Nothing was waiting before it.
    pub(crate) is_first: bool,
    pub(crate) is_much: bool,
}

/// An endpoint's log, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionLog {
    pub endpoint: EndpointName,
    pub files: u64,
    pub bytes: u64,
    /// None if nothing is kept.
    pub since_us: Option<i64>,
    pub labels: u64,
    /// Since the server began, in rows: those logged, and those that are not, for there was no room for them, or their disk did
    /// not take them.
    pub logged: u64,
    pub dropped: u64,
    pub unwritten: u64,
    /// Why some were not written last.
    pub trouble: Option<String>,
    /// Bytes behind the last whole rows of files that a crash cut short.
    pub torn_bytes: u64,
}

#[derive(Default)]
struct Buffer {
    noted: Vec<Alike>,
    bytes: u64,
    is_closed: bool,
}

/// The files that grow, and when it was last looked for what is too old.
#[derive(Default)]
struct Growing {
    /// The one that was written last is the last.
    open: Vec<Open>,
    cleared_us: Option<i64>,
    trouble: Option<String>,
}

/// A file that grows.
struct Open {
    first: PredictionId,
    file: LogWriter,
    /// The ids in it, sorted, once somebody has looked for one.
    ids: Option<Vec<PredictionId>>,
}

impl Open {
    /// Whether more may come.
    fn has_room(&self, now_us: i64) -> Result<bool, data::Error> {
        let now_ms = u64::try_from(now_us / 1000).unwrap_or(0);
        Ok(now_ms.saturating_sub(self.first.at_ms()) < FILE_MS && self.file.bytes()? < FILE_BYTES)
    }
}

#[derive(Default)]
struct Counts {
    logged: AtomicU64,
    dropped: AtomicU64,
    unwritten: AtomicU64,
}

/// The sorted ids of a file of so many bytes.
type Remembered = (LogFile, Arc<Vec<PredictionId>>);

/// What is kept of an endpoint's predictions.
pub(crate) struct Book {
    endpoint: EndpointName,
    pub(super) folder: PathBuf,
    settings: Mutex<LogSettings>,
    buffer: Mutex<Buffer>,
    /// Held from taking what the buffer has until that is written: whoever looks for a prediction sees it in one of both.
    growing: Mutex<Growing>,
    remembered: Mutex<Vec<Remembered>>,
    counts: Counts,
    pub(super) labels: LabelLog,
}

impl Book {
    pub(crate) fn new(endpoint: EndpointName, folder: PathBuf) -> Self {
        let labels = LabelLog::new(folder.join("labels"));
        let (settings, buffer, growing, remembered, counts) = Default::default();
        Self { endpoint, folder, settings, buffer, growing, remembered, counts, labels }
    }

    pub(crate) fn settle(&self, settings: LogSettings) {
        *locked(&self.settings) = settings;
    }

    /// The share of requests that is logged.
    pub(crate) fn sample(&self) -> f64 {
        locked(&self.settings).sample
    }

    /// Takes note of a request, if there is room and its lot is drawn; all its rows or none.
    pub(crate) fn note(&self, noted: Noted, now_us: i64) -> Result<Told, Error> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| Fault::host(format!("no randomness for an id: {error}")))?;
        let id = PredictionId::first(now_us, random);
        let told = |is_first, is_much| Ok(Told { id, is_first, is_much });
        // The last bits, which say nothing of the others.
        let lot = f64::from(u32::from_be_bytes([random[6], random[7], random[8], random[9]])) / 4_294_967_296.0;
        if lot >= locked(&self.settings).sample {
            return told(false, false);
        }
        let rows = noted.rows.rows();
        let bytes = NOTE_BYTES.saturating_add(noted.rows.bytes()).saturating_add(noted.predictions.bytes());
        let mut buffer = locked(&self.buffer);
        if buffer.is_closed || buffer.bytes.saturating_add(bytes) > BUFFER_BYTES_MAX {
            self.counts.dropped.fetch_add(rows, Ordering::Relaxed);
            return told(false, false);
        }
        let (is_first, was_much) = (buffer.noted.is_empty(), buffer.bytes > MUCH_BYTES);
        buffer.bytes += bytes;
        let place = buffer.noted.iter().position(|alike| alike.is_like(&noted)).unwrap_or_else(|| {
            buffer.noted.push(Alike::new(&noted));
            buffer.noted.len() - 1
        });
        buffer.noted[place].add(id, noted).map_err(Fault::host)?;
        let is_much = buffer.bytes > MUCH_BYTES && !was_much;
        told(is_first, is_much)
    }

    /// Takes no more notes: the tenant goes, and its folder with it.
    pub(crate) fn close(&self) {
        // Whoever writes is waited for.
        let mut growing = locked(&self.growing);
        *locked(&self.buffer) = Buffer { is_closed: true, ..Buffer::default() };
        growing.open.clear();
    }

    /// Writes what was noted, and removes what is not to be kept any longer.
    pub(crate) fn write(&self, now_us: i64) {
        let mut growing = locked(&self.growing);
        let noted = {
            let mut buffer = locked(&self.buffer);
            if buffer.is_closed {
                return;
            }
            buffer.bytes = 0;
            std::mem::take(&mut buffer.noted)
        };
        for alike in noted {
            let rows = alike.notes.iter().map(|note| note.rows).sum();
            match self.add(&mut growing, alike, now_us) {
                Ok(()) => {
                    self.counts.logged.fetch_add(rows, Ordering::Relaxed);
                }
                Err(fault) => {
                    self.counts.unwritten.fetch_add(rows, Ordering::Relaxed);
                    (growing.trouble, growing.cleared_us) = (Some(fault.to_string()), None);
                }
            }
        }
        if growing.cleared_us.is_none_or(|at_us| now_us.saturating_sub(at_us) >= CLEAR_US) {
            growing.cleared_us = Some(now_us);
            if let Err(fault) = self.clear(&mut growing, now_us) {
                growing.trouble = Some(fault.to_string());
            }
        }
    }

    /// Adds requests of the same columns to the file that has them. One that cannot be written grows no more.
    fn add(&self, growing: &mut Growing, alike: Alike, now_us: i64) -> Result<(), Fault> {
        let wrong = |error: data::Error| unusable(&self.folder, &error);
        let first = alike.notes.first().map_or_else(|| PredictionId::first(now_us, [0; 10]), |note| note.first);
        let ids: Vec<_> = alike.notes.iter().flat_map(Note::ids).collect();
        let table = alike.table().map_err(wrong)?;
        let place = growing.open.iter().position(|open| open.file.schema() == table.schema());
        let mut open = match place.map(|place| growing.open.remove(place)) {
            Some(open) if open.has_room(now_us).map_err(wrong)? => open,
            _ => {
                growing.cleared_us = None;
                Open { first, file: self.begin(first, &table)?, ids: None }
            }
        };
        open.file.append(&table).map_err(wrong)?;
        if let Some(known) = &mut open.ids {
            known.extend(ids);
            // Nearly sorted as they come.
            known.sort();
        }
        growing.open.push(open);
        if growing.open.len() > OPEN_MAX {
            growing.open.remove(0);
        }
        Ok(())
    }

    fn begin(&self, first: PredictionId, table: &Table) -> Result<LogWriter, Fault> {
        let made = || {
            files::make(&self.folder, 1)?;
            let path = files::place(&self.folder, first, table.schema());
            let file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
            std::fs::File::open(&self.folder)?.sync_all()?;
            Ok(file)
        };
        let file = made().map_err(|error: std::io::Error| unusable(&self.folder, &error))?;
        LogWriter::create(file, table.schema().clone()).map_err(|error| unusable(&self.folder, &error))
    }

    fn clear(&self, growing: &mut Growing, now_us: i64) -> Result<(), Fault> {
        let settings = locked(&self.settings).clone();
        let files = files::listed(&self.folder)?;
        let now_ms = u64::try_from(now_us / 1000).unwrap_or(0);
        let gone: BTreeSet<&LogFile> =
            files::beyond(&files, settings.keep_ms, settings.bytes, now_ms).into_iter().collect();
        for file in &gone {
            growing.open.retain(|open| open.first != file.first);
            std::fs::remove_file(&file.path).map_err(|error| unusable(&file.path, &error))?;
        }
        // A label is younger than what it is for.
        let oldest = files.iter().find(|file| !gone.contains(file));
        oldest.map_or(Ok(()), |oldest| self.labels.clear(oldest.first.at_ms()))
    }

    /// Those of the predictions that are logged, or about to be.
    pub(super) fn known(&self, ids: &BTreeSet<PredictionId>) -> Result<BTreeSet<PredictionId>, Fault> {
        let mut growing = locked(&self.growing);
        let mut known = BTreeSet::new();
        for note in locked(&self.buffer).noted.iter().flat_map(|alike| &alike.notes) {
            known.extend(ids.range(note.first..note.first.row(note.rows)));
        }
        let files = files::listed(&self.folder)?;
        let mut wanted: BTreeSet<&LogFile> = BTreeSet::new();
        for id in ids.difference(&known) {
            wanted.extend(files::holding(&files, *id));
        }
        for file in wanted {
            let mut take = |held: &[PredictionId]| known.extend(ids.iter().filter(|id| held.binary_search(id).is_ok()));
            match growing.open.iter_mut().find(|open| open.first == file.first) {
                None => take(&self.remembered(file)?),
                Some(Open { ids: Some(held), .. }) => take(held),
                Some(Open { ids: none, .. }) => take(none.insert(read_ids(file)?)),
            }
        }
        Ok(known)
    }

    /// The ids of a file that grows no more. Those of the files that were asked for last are kept.
    fn remembered(&self, file: &LogFile) -> Result<Arc<Vec<PredictionId>>, Fault> {
        let mut remembered = locked(&self.remembered);
        let found = remembered.iter().position(|(known, _)| known == file);
        let held = match found {
            Some(place) => remembered.remove(place).1,
            None => Arc::new(read_ids(file)?),
        };
        remembered.truncate(REMEMBERED - 1);
        remembered.insert(0, (file.clone(), Arc::clone(&held)));
        Ok(held)
    }

    /// The log in numbers.
    pub(crate) fn told(&self) -> Result<PredictionLog, Error> {
        let trouble = locked(&self.growing).trouble.clone();
        let files = files::listed(&self.folder)?;
        let mut torn_bytes = 0;
        for file in &files {
            let read = data::open_log(&file.path).map_err(|error| unusable(&file.path, &error))?;
            torn_bytes += read.map_or(file.bytes, |read| read.torn_bytes);
        }
        let count = |counted: &AtomicU64| counted.load(Ordering::Relaxed);
        Ok(PredictionLog {
            endpoint: self.endpoint.clone(),
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
            since_us: files.first().map(|file| i64::try_from(file.first.at_ms() * 1000).unwrap_or(i64::MAX)),
            labels: self.labels.read()?.len() as u64,
            logged: count(&self.counts.logged),
            dropped: count(&self.counts.dropped),
            unwritten: count(&self.counts.unwritten),
            trouble,
            torn_bytes,
        })
    }
}

/// The ids of a file, sorted.
fn read_ids(file: &LogFile) -> Result<Vec<PredictionId>, Fault> {
    let wrong = |error: data::Error| unusable(&file.path, &error);
    let read = data::open_log(&file.path).map_err(wrong)?;
    let mut ids = read.map_or(Ok(Vec::new()), |read| rows::ids(&read.rows)).map_err(wrong)?;
    ids.sort_unstable();
    Ok(ids)
}

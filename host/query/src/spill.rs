//! Rows that do not fit the memory <-> files in the worker's scratch folder, counted.

use bytes::Bytes;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures_util::stream::{self, Stream};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Read at a time.
const PIECE_BYTES: usize = 128 << 10;

/// The part of the scratch folder that one query may fill.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: Option<PathBuf>,
    most: u64,
    files: AtomicU64,
    used: AtomicU64,
    peak: AtomicU64,
    /// What was wanted when it was too much.
    wanted: AtomicU64,
}

impl Disk {
    pub(crate) fn new(folder: Option<PathBuf>, most: u64) -> Self {
        let (files, used, peak, wanted) = Default::default();
        Self { folder, most, files, used, peak, wanted }
    }

    pub(crate) fn has_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// The most that lay there at once.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// What was wanted and what there is, if that was too much.
    pub(crate) fn exceeded(&self) -> Option<(u64, u64)> {
        let wanted = self.wanted.load(Ordering::Relaxed);
        (wanted > 0).then_some((wanted, self.most))
    }

    fn charge(&self, bytes: u64) -> std::io::Result<()> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > self.most {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            self.wanted.fetch_max(used, Ordering::Relaxed);
            return Err(std::io::Error::other("the query fills more of the disk than it may"));
        }
        self.peak.fetch_max(used, Ordering::Relaxed);
        Ok(())
    }
}

/// Where the engine gets its files. A file is gone when nobody holds it any more.
#[derive(Debug)]
pub(crate) struct Spills(pub(crate) Arc<Disk>);

impl TempFileFactory for Spills {
    fn create_temp_file(&self, _: &str) -> Result<Arc<dyn SpillFile>> {
        let Some(folder) = &self.0.folder else {
            return Err(DataFusionError::ResourcesExhausted(
                "there is no folder for rows beyond the memory".to_owned(),
            ));
        };
        let number = self.0.files.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("query-{number}.spill"));
        // One that another query left is another's no more: queries of a worker come one after another.
        let file = File::create(&path)?;
        Ok(Arc::new(Spill { path, file, bytes: Arc::default(), disk: Arc::clone(&self.0) }))
    }
}

struct Spill {
    path: PathBuf,
    file: File,
    bytes: Arc<AtomicU64>,
    disk: Arc<Disk>,
}

impl Drop for Spill {
    fn drop(&mut self) {
        // A walled worker may remove no file: it gives the room back, and its server sweeps the name away.
        if self.file.set_len(0).is_ok() {
            self.disk.used.fetch_sub(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

impl SpillFile for Spill {
    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn size(&self) -> Option<u64> {
        Some(self.bytes.load(Ordering::Relaxed))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let file = File::open(&self.path)?;
        Ok(Box::pin(stream::iter(Pieces(Some(file)))))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        let (file, bytes, disk) = (self.file.try_clone()?, Arc::clone(&self.bytes), Arc::clone(&self.disk));
        Ok(Box::new(Writer { file, bytes, disk }))
    }
}

/// A file from its start, a piece at a time, until its end or the first error.
struct Pieces(Option<File>);

impl Iterator for Pieces {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = vec![0; PIECE_BYTES];
        let read = self.0.as_mut()?.read(&mut piece);
        match read {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some(Ok(piece.into()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => self.next(),
            Err(error) => {
                self.0 = None;
                Some(Err(error.into()))
            }
        }
    }
}

struct Writer {
    file: File,
    bytes: Arc<AtomicU64>,
    disk: Arc<Disk>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.disk.charge(bytes.len() as u64)?;
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        // Never read after a crash: nothing need be durable.
        Ok(())
    }
}

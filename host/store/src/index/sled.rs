//! The index in sled 0.34. sled may lose what it has not flushed, may panic on damage and fails to see some of it: a panic
//! is caught and becomes an error, after which the database is not touched again; the rest is `survey`'s to find.

use super::{Index, Op, VisitBack, broken};
use crate::{Error, Result};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// What a look-up of today reads again and again is small; the rest is the page cache's. sled counts what it caches as it lies on
/// disk, and holds some three times as much in memory.
const CACHE_BYTES: u64 = 1 << 20;
/// What is written is gathered in a buffer of this size, and some twenty of them that are done with wait for their end where many
/// threads read: half a mebibyte each, sled's own choice, would be most of what a server holds.
const SEGMENT_BYTES: usize = 128 << 10;

/// A sled database in a folder of its own.
pub(crate) struct SledIndex {
    path: PathBuf,
    /// None only while it is dropped or written anew.
    db: RwLock<Option<sled::Db>>,
    /// Something panicked within; its locks and caches mean nothing any more.
    panicked: AtomicBool,
}

impl SledIndex {
    /// Opens or makes it. [`Error::Index`] means that its contents are at fault, and only then.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let db = RwLock::new(Some(open_db(path)?));
        Ok(Self { path: path.to_owned(), db, panicked: AtomicBool::new(false) })
    }

    fn guarded<T>(&self, work: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T> {
        if self.panicked.load(Ordering::Acquire) {
            return Err(broken(&self.path, "it panicked before"));
        }
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let Some(db) = db.as_ref() else { return Err(broken(&self.path, "it was not written anew to its end")) };
        match catch_unwind(AssertUnwindSafe(|| work(db))) {
            Ok(done) => done.map_err(|error| judge(&self.path, error)),
            Err(panic) => {
                self.panicked.store(true, Ordering::Release);
                Err(broken(&self.path, panic_text(&*panic)))
            }
        }
    }
}

impl Index for SledIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.guarded(|db| Ok(db.get(key)?.map(|value| value.to_vec())))
    }
    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        self.guarded(|db| {
            for entry in db.scan_prefix(prefix) {
                let (key, value) = entry?;
                visit(&key, &value);
            }
            Ok(())
        })
    }
    fn scan_back(&self, prefix: &[u8], visit: VisitBack<'_>) -> Result<()> {
        self.guarded(|db| {
            for entry in db.scan_prefix(prefix).rev() {
                let (key, value) = entry?;
                if visit(&key, &value).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
    fn commit(&self, ops: Vec<Op>) -> Result<()> {
        let mut batch = sled::Batch::default();
        for Op { key, value } in ops {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.guarded(|db| db.apply_batch(batch))
    }
    fn flush(&self) -> Result<()> {
        self.guarded(|db| db.flush().map(|_| ()))
    }
    fn rewrite(&self) -> Result<()> {
        let mut held = self.db.write().unwrap_or_else(PoisonError::into_inner);
        let mut batch = sled::Batch::default();
        for entry in held.iter().flat_map(|db| db.iter()) {
            let (key, value) = entry.map_err(|error| judge(&self.path, error))?;
            batch.insert(key, value);
        }
        *held = None;
        // Without it, the next open makes a new one from the journals.
        std::fs::remove_dir_all(&self.path).map_err(Error::io("remove", &self.path))?;
        let db = reopened(&self.path)?;
        db.apply_batch(batch).and_then(|()| db.flush()).map_err(|error| judge(&self.path, error))?;
        *held = Some(db);
        Ok(())
    }
}

/// Once the threads of the one that was just closed have let its lock go, which they do a moment later.
fn reopened(path: &Path) -> Result<sled::Db> {
    for _ in 0..1000 {
        match open_db(path) {
            Err(Error::Busy { .. }) => std::thread::sleep(std::time::Duration::from_millis(5)),
            opened => return opened,
        }
    }
    open_db(path)
}

fn open_db(path: &Path) -> Result<sled::Db> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).segment_size(SEGMENT_BYTES);
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(opened) => opened.map_err(|error| judge(path, error)),
        Err(panic) => Err(broken(path, panic_text(&*panic))),
    }
}

impl Drop for SledIndex {
    fn drop(&mut self) {
        let db = self.db.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // Dropping flushes; a database that panicked could do so again, and what it would write is worth nothing.
        match self.panicked.load(Ordering::Acquire) {
            true => std::mem::forget(db),
            false => drop(catch_unwind(AssertUnwindSafe(|| drop(db)))),
        }
    }
}

/// Whether the contents are at fault, another process, or the system.
fn judge(path: &Path, error: sled::Error) -> Error {
    match error {
        // sled has no kind for it; to quarantine a database that another process has open would be the worst mistake.
        sled::Error::Io(source) if source.to_string().contains("could not acquire lock") => {
            Error::Busy { path: path.to_owned() }
        }
        sled::Error::Io(source)
            if !matches!(source.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::Other) =>
        {
            Error::Io { what: "use index", path: path.to_owned(), source }
        }
        damage => broken(path, damage),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("sled panicked: {}", text.unwrap_or("without a word"))
}

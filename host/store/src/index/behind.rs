//! An index that is told of changes a moment later, of many at once: whoever appends a record waits for the journal, never for
//! the database. What it was not told of yet is read from memory. A crash leaves it behind by as much, which the next open
//! makes up for from the journal.

use super::{Changes, Index, Op, VisitBack, broken};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::mem;
use std::ops::ControlFlow::Continue;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// From the first change that waits to its being handed on.
const PATIENCE: Duration = Duration::from_millis(100);
/// Whoever commits beyond hands on himself.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// An index with what it is not told of yet, and the thread that tells it. Dropped, it has told all.
pub(crate) struct Behind<I> {
    lagging: Arc<Lagging<I>>,
    thread: Option<JoinHandle<()>>,
}

/// An index and what it is not told of yet.
pub(crate) struct Lagging<I> {
    path: PathBuf,
    below: I,
    ahead: Mutex<Ahead>,
    more: Condvar,
    /// Held by whoever hands on: batches arrive in order.
    handing: Mutex<()>,
}

#[derive(Default)]
struct Ahead {
    waiting: Changes,
    bytes: usize,
    /// On its way down, and read from here until it is there.
    leaving: Arc<Changes>,
    /// Why nothing can be handed on any more.
    failed: Option<String>,
    closing: bool,
}

impl<I: Index + 'static> Behind<I> {
    /// Over an index of this path.
    pub(crate) fn over(path: &Path, below: I) -> Result<Self> {
        let lagging = Arc::new(Lagging::over(path, below));
        let hands = Arc::clone(&lagging);
        let thread = std::thread::Builder::new().name("index".to_owned()).spawn(move || hands.keep_handing_on());
        let thread = Some(thread.map_err(Error::io("start a thread for the index", path))?);
        Ok(Self { lagging, thread })
    }
}

impl<I> Drop for Behind<I> {
    fn drop(&mut self) {
        self.lagging.ahead().closing = true;
        self.lagging.more.notify_all();
        // One that panicked left the index behind; the next open sees to it.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl<I: Index + 'static> Index for Behind<I> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.lagging.get(key)
    }
    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        self.lagging.scan(prefix, visit)
    }
    fn scan_back(&self, prefix: &[u8], visit: VisitBack<'_>) -> Result<()> {
        self.lagging.scan_back(prefix, visit)
    }
    fn commit(&self, ops: Vec<Op>) -> Result<()> {
        self.lagging.commit(ops)
    }
    fn flush(&self) -> Result<()> {
        self.lagging.flush()
    }
    fn rewrite(&self) -> Result<()> {
        self.lagging.rewrite()
    }
}

impl<I> Lagging<I> {
    pub(crate) fn over(path: &Path, below: I) -> Self {
        let (ahead, more, handing) = Default::default();
        Self { path: path.to_owned(), below, ahead, more, handing }
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().expect("no holder of this lock panics")
    }
}

impl<I: Index> Lagging<I> {
    fn keep_handing_on(&self) {
        loop {
            let ahead = self.ahead();
            let idle = |ahead: &mut Ahead| ahead.waiting.is_empty() && !ahead.closing;
            let ahead = self.more.wait_while(ahead, idle).expect("no holder of this lock panics");
            let waited = self.more.wait_timeout_while(ahead, PATIENCE, |ahead| !ahead.closing);
            let is_last = waited.expect("no holder of this lock panics").0.closing;
            // Whoever commits next is told of an error.
            if self.hand_on().is_err() || is_last {
                return;
            }
        }
    }

    /// Tells the index of all that waits, as one.
    pub(crate) fn hand_on(&self) -> Result<()> {
        let _in_order = self.handing.lock().expect("no holder of this lock panics");
        self.hand_on_in_order()
    }

    fn hand_on_in_order(&self) -> Result<()> {
        let leaving = {
            let mut ahead = self.ahead();
            self.expect_whole(&ahead)?;
            ahead.bytes = 0;
            ahead.leaving = Arc::new(mem::take(&mut ahead.waiting));
            Arc::clone(&ahead.leaving)
        };
        if leaving.is_empty() {
            return Ok(());
        }
        let ops = leaving.iter().map(|(key, value)| Op { key: key.clone(), value: value.clone() });
        let handed = self.below.commit(ops.collect());
        let mut ahead = self.ahead();
        match &handed {
            Ok(()) => ahead.leaving = Arc::default(),
            // What was on its way can still be read.
            Err(error) => ahead.failed = Some(error.to_string()),
        }
        handed
    }

    fn expect_whole(&self, ahead: &Ahead) -> Result<()> {
        ahead.failed.as_ref().map_or(Ok(()), |why| Err(broken(&self.path, why)))
    }

    /// What is not told yet of the keys with a prefix.
    fn ahead_of(&self, prefix: &[u8]) -> Changes {
        let ahead = self.ahead();
        let of = |changes: &Changes| {
            let from = changes.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
            from.map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>()
        };
        let mut both = of(&ahead.leaving);
        both.extend(of(&ahead.waiting));
        both
    }
}

impl<I: Index> Index for Lagging<I> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let known = {
            let ahead = self.ahead();
            ahead.waiting.get(key).or_else(|| ahead.leaving.get(key)).cloned()
        };
        known.map_or_else(|| self.below.get(key), Ok)
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let ahead = self.ahead_of(prefix);
        let mut ahead = ahead.iter().peekable();
        self.below.scan(prefix, &mut |key, value| {
            while let Some((before, new)) = ahead.next_if(|(before, _)| before.as_slice() < key) {
                new.iter().for_each(|new| visit(before, new));
            }
            match ahead.next_if(|(same, _)| same.as_slice() == key) {
                Some((_, new)) => new.iter().for_each(|new| visit(key, new)),
                None => visit(key, value),
            }
        })?;
        ahead.for_each(|(key, new)| new.iter().for_each(|new| visit(key, new)));
        Ok(())
    }

    fn scan_back(&self, prefix: &[u8], visit: VisitBack<'_>) -> Result<()> {
        let ahead = self.ahead_of(prefix);
        let mut ahead = ahead.iter().rev().peekable();
        let mut shown = |key: &[u8], new: &Option<Vec<u8>>| new.as_ref().map_or(Continue(()), |new| visit(key, new));
        let mut flow = Continue(());
        self.below.scan_back(prefix, &mut |key, value| {
            while flow.is_continue()
                && let Some((after, new)) = ahead.next_if(|(after, _)| after.as_slice() > key)
            {
                flow = shown(after, new);
            }
            if flow.is_continue() {
                flow = match ahead.next_if(|(same, _)| same.as_slice() == key) {
                    Some((_, new)) => shown(key, new),
                    None => shown(key, &Some(value.to_vec())),
                };
            }
            flow
        })?;
        if flow.is_continue() {
            // Enough is no error.
            let _ = ahead.try_for_each(|(key, new)| shown(key, new));
        }
        Ok(())
    }

    fn commit(&self, ops: Vec<Op>) -> Result<()> {
        let is_full = {
            let mut ahead = self.ahead();
            self.expect_whole(&ahead)?;
            if ahead.waiting.is_empty() {
                self.more.notify_all();
            }
            for Op { key, value } in ops {
                ahead.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                ahead.waiting.insert(key, value);
            }
            ahead.bytes > WAITING_BYTES_MAX
        };
        if is_full { self.hand_on() } else { Ok(()) }
    }

    fn flush(&self) -> Result<()> {
        self.hand_on()?;
        self.below.flush()
    }

    fn rewrite(&self) -> Result<()> {
        let _in_order = self.handing.lock().expect("no holder of this lock panics");
        self.hand_on_in_order()?;
        self.below.rewrite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::MemoryIndex;
    use proptest::prelude::*;
    use std::ops::ControlFlow::Break;

    /// Something that is done to an index.
    #[derive(Debug, Clone)]
    enum Move {
        Commit(Vec<(u8, Option<u8>)>),
        HandOn,
        Read(u8),
        Scan(Option<u8>),
        ScanBack(Option<u8>, usize),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let key = 0_u8..12;
        let one = prop_oneof![
            4 => proptest::collection::vec((key.clone(), proptest::option::of(any::<u8>())), 1..5).prop_map(Move::Commit),
            2 => Just(Move::HandOn),
            2 => key.clone().prop_map(Move::Read),
            2 => proptest::option::of(0_u8..3).prop_map(Move::Scan),
            2 => (proptest::option::of(0_u8..3), 0_usize..9).prop_map(|(prefix, most)| Move::ScanBack(prefix, most)),
        ];
        proptest::collection::vec(one, 1..60)
    }

    /// Three prefixes of four keys each.
    fn key(number: u8) -> Vec<u8> {
        vec![number / 4, number % 4]
    }

    fn scanned(index: &dyn Index, prefix: Option<u8>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        index.scan(&Vec::from_iter(prefix), &mut |key, value| found.push((key.to_vec(), value.to_vec()))).unwrap();
        found
    }

    fn scanned_back(index: &dyn Index, prefix: Option<u8>, most: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            found.push((key.to_vec(), value.to_vec()));
            if found.len() >= most { Break(()) } else { Continue(()) }
        };
        index.scan_back(&Vec::from_iter(prefix), &mut visit).unwrap();
        found
    }

    proptest! {
        /// Whenever it is told, it reads like one that was told at once.
        #[test]
        fn what_waits_is_read_as_if_it_were_there(moves in moves()) {
            let (plain, lagging) = (MemoryIndex::default(), Lagging::over(Path::new("index"), MemoryIndex::default()));
            for one in moves {
                match one {
                    Move::Commit(changes) => {
                        let ops = || changes.iter().map(|(number, value)| {
                            Op { key: key(*number), value: value.map(|value| vec![value]) }
                        }).collect();
                        plain.commit(ops()).unwrap();
                        lagging.commit(ops()).unwrap();
                    }
                    Move::HandOn => lagging.hand_on().unwrap(),
                    Move::Read(number) => {
                        prop_assert_eq!(lagging.get(&key(number)).unwrap(), plain.get(&key(number)).unwrap());
                    }
                    Move::Scan(prefix) => prop_assert_eq!(scanned(&lagging, prefix), scanned(&plain, prefix)),
                    Move::ScanBack(prefix, most) => {
                        prop_assert_eq!(scanned_back(&lagging, prefix, most), scanned_back(&plain, prefix, most));
                    }
                }
            }
            lagging.hand_on().unwrap();
            prop_assert_eq!(scanned(&lagging.below, None), scanned(&plain, None));
        }
    }

    /// Takes nothing.
    struct Full;

    impl Index for Full {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>> {
            Ok(None)
        }
        fn scan(&self, _: &[u8], _: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
            Ok(())
        }
        fn scan_back(&self, _: &[u8], _: VisitBack<'_>) -> Result<()> {
            Ok(())
        }
        fn commit(&self, _: Vec<Op>) -> Result<()> {
            Err(broken(Path::new("index"), "the disk is full"))
        }
        fn flush(&self) -> Result<()> {
            Ok(())
        }
        fn rewrite(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_index_that_takes_nothing_more_is_told_to_whoever_commits_next_and_still_read() {
        let lagging = Lagging::over(Path::new("index"), Full);
        let put = || vec![Op::put(*b"a", vec![1])];
        lagging.commit(put()).unwrap();
        assert!(lagging.hand_on().unwrap_err().to_string().contains("the disk is full"));
        assert!(lagging.commit(put()).unwrap_err().to_string().contains("the disk is full"));
        assert_eq!(lagging.get(b"a").unwrap(), Some(vec![1]));
    }

    #[test]
    fn what_is_dropped_has_told_all() {
        let behind = Behind::over(Path::new("index"), MemoryIndex::default()).unwrap();
        behind.commit(vec![Op::put(*b"a", vec![1])]).unwrap();
        let lagging = Arc::clone(&behind.lagging);
        drop(behind);
        assert_eq!(lagging.below.get(b"a").unwrap(), Some(vec![1]));
    }
}

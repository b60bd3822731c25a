//! The index as a map in memory: what sled is held against in tests.

use super::{Index, Op, VisitBack};
use crate::Result;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Forgets everything when it is dropped.
#[derive(Default)]
pub(crate) struct MemoryIndex(Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Index for MemoryIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.lock().expect("not poisoned").get(key).cloned())
    }
    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let map = self.0.lock().expect("not poisoned");
        map.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix)).for_each(|(k, v)| visit(k, v));
        Ok(())
    }
    fn scan_back(&self, prefix: &[u8], visit: VisitBack<'_>) -> Result<()> {
        let map = self.0.lock().expect("not poisoned");
        let mut entries = map.iter().rev().filter(|(key, _)| key.starts_with(prefix));
        // Enough is no error.
        let _ = entries.try_for_each(|(key, value)| visit(key, value));
        Ok(())
    }
    fn commit(&self, ops: Vec<Op>) -> Result<()> {
        let mut map = self.0.lock().expect("not poisoned");
        for Op { key, value } in ops {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }
    fn flush(&self) -> Result<()> {
        Ok(())
    }
    fn rewrite(&self) -> Result<()> {
        Ok(())
    }
}

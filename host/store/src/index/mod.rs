//! What is derived from the journals, for fast reads. Two kinds: sled on disk, behind what it is not told of yet, and a
//! `BTreeMap` for tests.
//!
//! An [`Index`] is an ordered map that knows nothing of tenants. [`Walls`] is one tenant's part of it: the only place
//! where a key gets its tenant. With every commit go the journal's mark that it reflects and the sum of all entries'
//! hashes, so that an index can be held against the journal and against itself ([`survey`]).

mod behind;
#[cfg(test)]
mod memory;
mod sled;

pub(crate) use self::sled::SledIndex;
pub(crate) use behind::Behind;
#[cfg(test)]
pub(crate) use memory::MemoryIndex;

use crate::journal::Mark;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use types::{Digest, Id, TenantId};

/// Raised whenever `apply` derives something else; an index of another format is rebuilt.
const FORMAT: u32 = 5;
const POSITION: &[u8] = b"position";

/// One entry, key and value.
pub(crate) type KeyValue = (Vec<u8>, Vec<u8>);

/// Is shown an entry, key and value, and says whether it has seen enough.
pub(crate) type VisitBack<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An ordered map that keeps a batch whole. What it holds may lag behind after a crash, but never skips a batch.
pub(crate) trait Index: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// Shows the entries whose keys begin with `prefix`, in order.
    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;
    /// The same from the last entry backwards, until `visit` has seen enough.
    fn scan_back(&self, prefix: &[u8], visit: VisitBack<'_>) -> Result<()>;
    /// All or none of the operations.
    fn commit(&self, ops: Vec<Op>) -> Result<()>;
    fn flush(&self) -> Result<()>;
    /// Writes everything anew, so that no file holds what was removed. A crash meanwhile leaves an index that lags behind.
    fn rewrite(&self) -> Result<()>;
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) key: Vec<u8>,
    /// None: the key goes.
    pub(crate) value: Option<Vec<u8>>,
}

impl Op {
    pub(crate) fn put(key: impl Into<Vec<u8>>, value: Vec<u8>) -> Self {
        Self { key: key.into(), value: Some(value) }
    }
    pub(crate) fn remove(key: impl Into<Vec<u8>>) -> Self {
        Self { key: key.into(), value: None }
    }
}

/// What can be looked up in.
pub(crate) trait View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    fn range(&self, prefix: &[u8]) -> Result<Vec<KeyValue>>;
}

/// How far a tenant's part of the index is. Reaches disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Position {
    format: u32,
    pub(crate) mark: Mark,
    /// Of all other entries: the exclusive or of their hashes.
    sum: Digest,
}

/// One tenant's part of an index.
pub(crate) struct Walls {
    index: Arc<dyn Index>,
    prefix: Vec<u8>,
}

impl Walls {
    pub(crate) fn new(index: Arc<dyn Index>, tenant: &TenantId) -> Self {
        // No id holds a zero byte, so no tenant's prefix begins another's. `deletion` removes by the same prefix.
        Self { index, prefix: [tenant.as_str().as_bytes(), b"\0"].concat() }
    }

    fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }

    pub(crate) fn position(&self) -> Result<Option<Position>> {
        self.get(POSITION)?.map(|value| crate::reads::decode(&value)).transpose()
    }

    /// Shows the entries under a prefix, in order, without keeping any.
    pub(crate) fn each(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        self.index.scan(&self.key(prefix), &mut |key, value| visit(&key[self.prefix.len()..], value))
    }

    /// Shows the values under a prefix from the last one backwards, until `visit` has seen enough.
    pub(crate) fn each_back(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<()> {
        self.index.scan_back(&self.key(prefix), &mut |_, value| visit(value))
    }

    /// Makes the changes and moves the position to `mark`, as one. One thread at a time for a tenant.
    pub(crate) fn commit(&self, changes: Changes, mark: Mark) -> Result<()> {
        let mut sum = self.position()?.map_or(Digest::from_bytes([0; 32]), |position| position.sum);
        let mut ops = Vec::with_capacity(changes.len() + 1);
        for (key, value) in changes {
            for entry in [self.get(&key)?.as_ref(), value.as_ref()].into_iter().flatten() {
                sum = xor(&sum, &entry_hash(&key, entry));
            }
            ops.push(Op { key: self.key(&key), value });
        }
        ops.push(Op::put(self.key(POSITION), encode(&Position { format: FORMAT, mark, sum })));
        self.index.commit(ops)
    }
}

impl View for Walls {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.index.get(&self.key(key))
    }
    fn range(&self, prefix: &[u8]) -> Result<Vec<KeyValue>> {
        let mut entries = Vec::new();
        self.index.scan(&self.key(prefix), &mut |key, value| {
            entries.push((key[self.prefix.len()..].to_vec(), value.to_vec()));
        })?;
        Ok(entries)
    }
}

/// What becomes of keys; none: the key goes.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A view with changes laid over it.
pub(crate) struct Staged<'a> {
    base: &'a dyn View,
    changes: Changes,
}

impl<'a> Staged<'a> {
    pub(crate) fn over(base: &'a dyn View) -> Self {
        Self { base, changes: Changes::new() }
    }
    pub(crate) fn add(&mut self, ops: Vec<Op>) {
        self.changes.extend(ops.into_iter().map(|op| (op.key, op.value)));
    }
    pub(crate) fn absorb(&mut self, changes: Changes) {
        self.changes.extend(changes);
    }
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }
    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }
}

impl View for Staged<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }
    fn range(&self, prefix: &[u8]) -> Result<Vec<KeyValue>> {
        let mut entries: BTreeMap<_, _> = self.base.range(prefix)?.into_iter().collect();
        for (key, value) in self.changes.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix)) {
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        Ok(entries.into_iter().collect())
    }
}

/// Reads all of an index: how far each tenant's part is, or why it cannot be believed.
pub(crate) fn survey(index: &dyn Index) -> Result<Result<BTreeMap<TenantId, Position>, String>> {
    let mut parts: BTreeMap<Vec<u8>, (Digest, Option<Vec<u8>>)> = BTreeMap::new();
    index.scan(b"", &mut |key, value| {
        let (tenant, rest) = key.split_at(key.iter().position(|byte| *byte == 0).unwrap_or(key.len()));
        let part = parts.entry(tenant.to_vec()).or_insert((Digest::from_bytes([0; 32]), None));
        match rest.strip_prefix(b"\0") {
            Some(POSITION) => part.1 = Some(value.to_vec()),
            other => part.0 = xor(&part.0, &entry_hash(other.unwrap_or_default(), value)),
        }
    })?;
    Ok(parts.into_iter().map(|(tenant, (sum, position))| believe(&tenant, &sum, position)).collect())
}

fn believe(tenant: &[u8], sum: &Digest, position: Option<Vec<u8>>) -> Result<(TenantId, Position), String> {
    let text = String::from_utf8_lossy(tenant);
    let id = TenantId::parse(&text).map_err(|error| error.to_string())?;
    let value = position.ok_or_else(|| format!("tenant `{id}` has no position"))?;
    let position: Position = serde_json::from_slice(&value).map_err(|error| format!("position of `{id}`: {error}"))?;
    if position.format != FORMAT {
        return Err(format!("its format is {}, expected {FORMAT}", position.format));
    }
    match position.sum == *sum {
        true => Ok((id, position)),
        false => Err(format!("entries of tenant `{id}` do not add up to what was committed")),
    }
}

fn entry_hash(key: &[u8], value: &[u8]) -> Digest {
    let length = (key.len() as u64).to_le_bytes();
    Digest::from_bytes(*blake3::Hasher::new().update(&length).update(key).update(value).finalize().as_bytes())
}

fn xor(left: &Digest, right: &Digest) -> Digest {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    Digest::from_bytes(std::array::from_fn(|at| left[at] ^ right[at]))
}

/// A value as it is stored.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the vocabulary is plain data, which always has a JSON form")
}

/// The index cannot be used; what it was derived from can.
fn broken(path: &std::path::Path, why: impl std::fmt::Display) -> Error {
    Error::Index { path: path.to_owned(), why: why.to_string() }
}

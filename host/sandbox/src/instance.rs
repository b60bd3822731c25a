//! One instance in its own store: tables in, tables out, and what a trap means.

use crate::bindings::{WitError, wit_step};
use crate::engine::{Plugin, STACK_BYTES_MAX};
use crate::state::{Failure, State, Usage, amount, told};
use data::Table;
use std::path::Path;
use types::{Digest, FILES_MAX, Fault, LimitKind, Quantity, SavedFile, TableRef};
use wasmtime::component::{InstancePre, Resource};
use wasmtime::{Store, Trap};

/// Handles that do not count as the guest's: to its own objects, and those lent to it for one call.
const HANDLES_SPARE: usize = 64;
/// The most that one call brings from a guest, its lists and texts together: a chunk, and room for what stands round it.
pub(crate) const CALL_BYTES_MAX: usize = data::CHUNK_BYTES_MAX * 2;
/// The most that the parts of one saved state may hold together.
const SAVED_BYTES_MAX: u64 = 1 << 30;

pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    pub(crate) instance: wasmtime::component::Instance,
    pub(crate) pre: InstancePre<State>,
}

/// The functions of a role, if the component has it. A macro, because each role is a type of its own.
macro_rules! exported {
    ($instance:expr, $role:ident) => {
        $crate::bindings::role::$role::GuestIndices::new(&$instance.pre)
            .and_then(|indices| indices.load(&mut $instance.store, &$instance.instance))
            .map_err(|_| types::Fault::guest(concat!("does not export the role `", stringify!($role), "`")))
    };
}
pub(crate) use exported;

impl Instance {
    pub(crate) fn start(plugin: &Plugin, state: State) -> Result<Self, Fault> {
        let state = state.on(plugin.device.clone());
        let handles = state.limits.handles as usize;
        let mut store = Store::new(&plugin.engine, state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(CALL_BYTES_MAX);
        // `State::hold` reaches its limit first, and names it.
        store.set_max_component_handles(handles.saturating_add(HANDLES_SPARE));
        match plugin.pre.instantiate(&mut store) {
            Ok(instance) => Ok(Self { store, instance, pre: plugin.pre.clone() }),
            Err(error) => Err(trapped(&mut store, error)),
        }
    }

    /// Counts anew: each request that a warm instance answers has the limits for itself.
    pub(crate) fn begin_request(&mut self) {
        self.store.data_mut().usage = Usage::default();
    }

    /// What an export gave: its answer, what it said went wrong, or how it ended.
    pub(crate) fn settle<T>(&mut self, called: wasmtime::Result<Result<T, WitError>>) -> Result<T, Fault> {
        match called {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.store.data_mut().tripped.take().unwrap_or_else(|| told(error))),
            Err(error) => Err(trapped(&mut self.store, error)),
        }
    }

    /// Has the guest do again what it did, unheard, and counted once. Not one that asked the world for anything: that may
    /// have answered otherwise by now, and what is brought out would be brought out twice.
    pub(crate) fn again<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        let state = self.store.data_mut();
        if state.asked_the_world {
            return Ok(None);
        }
        let before = state.usage;
        state.unheard = true;
        let done = act(self);
        let state = self.store.data_mut();
        state.unheard = false;
        state.usage = Usage { guest_memory_bytes: state.usage.guest_memory_bytes, ..before };
        done.map(Some)
    }

    /// Opens a stored table and hands it to the guest.
    pub(crate) fn give(&mut self, reference: &TableRef) -> Result<Resource<Table>, Fault> {
        let table = self.open(reference)?;
        self.hand(table)
    }

    /// Opens a stored table for the host's own eyes.
    pub(crate) fn open(&self, reference: &TableRef) -> Result<Table, Fault> {
        let table = data::open(reference, |digest| self.store.data().doors.blob(digest));
        table.map_err(|error| match error {
            data::Error::Damaged(_) | data::Error::Io { .. } => Fault::damaged(error),
            error => Fault::host(error),
        })
    }

    /// Hands the columns that the guest declared to read, and no others.
    pub(crate) fn show(&mut self, table: &Table, reads: &[String]) -> Result<Resource<Table>, Fault> {
        let shown = table.select(reads).map_err(|error| Fault::invalid(error.to_string()))?;
        self.hand(shown)
    }

    /// Hands a table to the guest.
    pub(crate) fn hand(&mut self, table: Table) -> Result<Resource<Table>, Fault> {
        let state = self.store.data_mut();
        state.usage.rows_in += table.rows();
        state.hold(table).map_err(|failure| match failure {
            Failure::Told(error) => told(error),
            Failure::Trap(error) => Fault::host(error),
        })
    }

    /// Takes a table back from the guest.
    pub(crate) fn receive(&mut self, handle: Resource<Table>) -> Result<Table, Fault> {
        let table = self.store.data_mut().let_go(handle);
        table.map_err(|error| Fault::guest(format!("returned a table that it does not own: {error}")))
    }

    /// Stores a table for the server to adopt, within the step's limit.
    pub(crate) fn keep(&mut self, table: &Table) -> Result<TableRef, Fault> {
        data::check_kept(table).map_err(|error| Fault::guest(error.to_string()))?;
        let state = self.store.data_mut();
        over_output(state, table.rows(), table.bytes())?;
        let mut failed = None;
        let written = data::write(table, |part| match state.leave(&part.bytes) {
            Ok(_) => Ok(()),
            Err(fault) => {
                failed = Some(fault);
                Err(data::Error::Shape("a part could not be stored".to_owned()))
            }
        });
        let reference = written.map_err(|error| failed.unwrap_or_else(|| Fault::host(error)))?;
        state.usage.rows_out += reference.rows;
        state.usage.bytes_out += reference.bytes;
        // Its files have heads, too: what the receipt says is what is held against the limit.
        over_output(state, 0, 0)?;
        Ok(reference)
    }

    /// Stores the files of a saved state or a model.
    pub(crate) fn keep_files(&mut self, files: Vec<wit_step::SavedFile>) -> Result<Vec<SavedFile>, Fault> {
        // Before the names are held against each other.
        if files.len() > FILES_MAX {
            return Err(Fault::guest(format!("saved {} files, at most {FILES_MAX}", files.len())));
        }
        let state = self.store.data_mut();
        let total: u64 = files.iter().map(|file| file.content.len() as u64).sum();
        if total > SAVED_BYTES_MAX {
            return Err(Fault::guest(format!("saved {}, at most {}", amount(total), amount(SAVED_BYTES_MAX))));
        }
        over_output(state, 0, total)?;
        state.usage.bytes_out += total;
        let mut kept: Vec<SavedFile> = Vec::new();
        for file in files {
            check_name(&file.name, &kept)?;
            let left = state.leave(&file.content)?;
            kept.push(SavedFile { name: file.name, ..left });
        }
        Ok(kept)
    }

    /// Reads the files of a saved state or a model for the guest.
    pub(crate) fn load_files(&mut self, files: &[SavedFile]) -> Result<Vec<wit_step::SavedFile>, Fault> {
        let state = self.store.data_mut();
        files
            .iter()
            .map(|file| {
                let content = stored(&state.doors.blob(&file.digest), &file.digest)
                    .map_err(|why| format!("cannot read stored file `{}`, blob {}: {why}", file.name, file.digest))
                    .map_err(Fault::damaged)?;
                Ok(wit_step::SavedFile { name: file.name.clone(), content })
            })
            .collect()
    }
}

/// The bytes of a blob, if they are those that its name says: a data folder may have come with a stranger's project. The error
/// is a fragment that says why not.
pub fn stored(path: &Path, digest: &Digest) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    match Digest::of(&bytes) {
        found if found == *digest => Ok(bytes),
        found => Err(format!("its digest is {}, expected {}", found.short(), digest.short())),
    }
}

/// Whether the step may give so much more. If not, the receipt has what it wanted to give.
fn over_output(state: &mut State, rows: u64, bytes: u64) -> Result<(), Fault> {
    let (total, limit) = (state.usage.rows_out.saturating_add(rows), state.limits.rows);
    if total > limit {
        state.usage.rows_out = total;
        return Err(Fault::beyond(LimitKind::Rows, format!("gives {total} rows of outputs"), limit));
    }
    let (total, limit) = (state.usage.bytes_out.saturating_add(bytes), state.limits.output_bytes);
    if total > limit {
        state.usage.bytes_out = total;
        return Err(Fault::beyond(LimitKind::Output, format!("gives {} of outputs", amount(total)), limit));
    }
    Ok(())
}

fn check_name(name: &str, before: &[SavedFile]) -> Result<(), Fault> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if !(1..=128).contains(&name.len()) || !name.bytes().all(allowed) {
        let shown: String = name.chars().take(80).collect();
        return Err(Fault::guest(format!("saved a file named `{shown}`, expected 1 to 128 of `a-z 0-9 . _ -`")));
    }
    match before.iter().any(|file| file.name == name) {
        true => Err(Fault::guest(format!("saved two files named `{name}`"))),
        false => Ok(()),
    }
}

/// A trap as a fault: the limit that led to it, or what the guest did.
fn trapped(store: &mut Store<State>, error: wasmtime::Error) -> Fault {
    if let Some(fault) = store.data_mut().tripped.take() {
        return fault;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => {
            Fault::guest("the plugin gave up (trap: unreachable); a Rust guest does so when it panics")
                .hinted("its last log lines may say why: `stepwell runs logs`")
        }
        Some(Trap::StackOverflow) => {
            let limit = Quantity::Bytes(STACK_BYTES_MAX as u64);
            Fault::guest(format!(
                "the plugin's calls nest too deep (trap: stack overflow); a guest has {limit} of stack"
            ))
        }
        Some(Trap::MemoryOutOfBounds) => Fault::guest("the plugin reached beyond its memory (trap: out of bounds)")
            .hinted("a Rust guest does so when its calls nest too deep"),
        Some(trap) => Fault::guest(format!("the plugin trapped: {trap}")),
        None => broken(&error.root_cause().to_string()),
    }
}

/// What wasmtime refused without a trap. It has no type for a call that brings too much, only a sentence.
fn broken(reason: &str) -> Fault {
    match reason.contains("fuel allocated for hostcalls has been exhausted") {
        true => {
            let limit = Quantity::Bytes(CALL_BYTES_MAX as u64);
            Fault::guest(format!("the plugin passed more in one call than the {limit} that are taken"))
                .hinted("pass it in parts: a table chunk by chunk, a file write by write")
        }
        false => Fault::guest(format!("the plugin broke the contract: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_under_a_name_that_is_not_theirs_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, digest) = (folder.path().join("blob"), Digest::of(b"rows"));
        assert!(stored(&path, &digest).is_err(), "there is none");
        std::fs::write(&path, b"rows").unwrap();
        assert_eq!(stored(&path, &digest), Ok(b"rows".to_vec()));
        std::fs::write(&path, b"evil").unwrap();
        let told = format!("its digest is {}, expected {}", Digest::of(b"evil").short(), digest.short());
        assert_eq!(stored(&path, &digest), Err(told));
    }
}

//! `stepwell:platform/files`: the server opens, the guest reads and writes through the descriptor.

use crate::bindings::WitError;
use crate::bindings::stepwell::platform::errors;
use crate::bindings::stepwell::platform::files;
use crate::state::{Answer, Failure, State, amount};
use ports::{Ask, Told};
use std::io::Write;
use std::os::unix::fs::FileExt;
use types::{Fault, LimitKind};
use wasmtime::component::Resource;

/// The most that one read gives.
const READ_BYTES_MAX: u32 = 4 << 20;
/// The most that one write takes.
const WRITE_BYTES_MAX: usize = 4 << 20;

/// A file that the server opened for this attempt.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenFile {
    file: std::fs::File,
    size: u64,
}

/// A file that has no name yet; the server gives it one.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct NewFile {
    number: u32,
    file: std::fs::File,
}

impl files::Host for State {
    fn create(&mut self, path: String) -> Answer<Resource<NewFile>> {
        self.enter()?;
        match self.world().ask(Ask::Create { path }, &[])? {
            (Told::Created { number }, _, Some(file)) => self.hold(NewFile { number, file }),
            _ => Err(another()),
        }
    }

    fn list_files(&mut self, folder: String) -> Answer<Vec<String>> {
        self.enter()?;
        let listed = self.world().ask(Ask::List { path: folder }, &[]);
        match listed.map_err(|fault| Failure::of_door(fault, "folder"))? {
            (Told::Listed, names, _) => {
                let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
                Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
            }
            _ => Err(another()),
        }
    }

    fn open(&mut self, path: String) -> Answer<Resource<OpenFile>> {
        self.enter()?;
        let file = self.world().open(&path)?;
        let size = file.metadata().map_err(|error| Failure::Trap(error.into()))?.len();
        self.hold(OpenFile { file, size })
    }
}

impl files::HostNewFile for State {
    fn write(&mut self, file: Resource<NewFile>, data: Vec<u8>) -> Answer<()> {
        self.enter()?;
        if data.len() > WRITE_BYTES_MAX {
            let (used, limit) = (data.len() as u64, WRITE_BYTES_MAX as u64);
            let over = errors::BudgetExceeded { kind: "chunk".to_owned(), used, limit };
            return Err(Failure::Told(WitError::BudgetExceeded(over)));
        }
        self.write_out(data.len() as u64)?;
        let written = self.resources.get_mut(&file)?.file.write_all(&data);
        written.map_err(|error| Failure::Told(WitError::Permanent(format!("cannot write: {error}"))))
    }

    fn finish(&mut self, file: Resource<NewFile>) -> Answer<()> {
        self.enter()?;
        let NewFile { number, .. } = self.let_go(file)?;
        match self.world().ask(Ask::Finish { number }, &[])? {
            (Told::Finished, ..) => Ok(()),
            _ => Err(another()),
        }
    }

    fn drop(&mut self, file: Resource<NewFile>) -> wasmtime::Result<()> {
        self.let_go(file)?;
        Ok(())
    }
}

impl State {
    /// Charges bytes that leave the step to its limit `output`.
    fn write_out(&mut self, bytes: u64) -> Answer<()> {
        let (total, limit) = (self.usage.bytes_out.saturating_add(bytes), self.limits.output_bytes);
        // Also what was too much stands in the receipt.
        self.usage.bytes_out = total;
        if total > limit {
            let done = format!("wrote {} to files", amount(total));
            return Err(self.trip(Fault::beyond(LimitKind::Output, done, limit)).into());
        }
        Ok(())
    }
}

/// The server's answer does not belong to the question.
pub(crate) fn another() -> Failure {
    Failure::Trap(wasmtime::Error::msg("the server answered another question"))
}

impl files::HostFile for State {
    fn size(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(self.resources.get(&file)?.size)
    }

    fn read(&mut self, file: Resource<OpenFile>, offset: u64, length: u32) -> Answer<Vec<u8>> {
        self.enter()?;
        let open = self.resources.get(&file)?;
        let left = open.size.saturating_sub(offset).min(u64::from(length.min(READ_BYTES_MAX)));
        let mut bytes = vec![0; left as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match open.file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Trap(error.into())),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn drop(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<()> {
        self.let_go(file)?;
        Ok(())
    }
}

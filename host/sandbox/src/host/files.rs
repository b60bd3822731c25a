//! `stepwell:platform/files`: the server opens, the guest reads through the descriptor.

use crate::bindings::stepwell::platform::files;
use crate::state::{Answer, Failure, State};
use std::os::unix::fs::FileExt;
use wasmtime::component::Resource;

/// The most that one read gives.
const READ_BYTES_MAX: u32 = 4 << 20;

/// A file that the server opened for this attempt.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenFile {
    file: std::fs::File,
    size: u64,
}

impl files::Host for State {
    fn open(&mut self, path: String) -> Answer<Resource<OpenFile>> {
        self.usage.host_calls += 1;
        let file = self.doors.open(&path)?;
        let size = file.metadata().map_err(|error| Failure::Trap(error.into()))?.len();
        self.hold(OpenFile { file, size })
    }
}

impl files::HostFile for State {
    fn size(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<u64> {
        self.usage.host_calls += 1;
        Ok(self.resources.get(&file)?.size)
    }

    fn read(&mut self, file: Resource<OpenFile>, offset: u64, length: u32) -> Answer<Vec<u8>> {
        self.usage.host_calls += 1;
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
        self.resources.delete(file)?;
        Ok(())
    }
}

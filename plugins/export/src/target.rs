//! Where bytes go: into a new file, or beside those of a file that is there, to see whether they are the same.

use stepwell::files::{self, File, NewFile};
use stepwell::{Error, Result};

/// The most bytes of one call to the host.
const PIECE_BYTES: usize = 1 << 20;

/// Takes bytes in order.
pub(crate) trait Target {
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

impl Target for NewFile {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        bytes.chunks(PIECE_BYTES).try_for_each(|piece| NewFile::write(self, piece))
    }
}

/// A whole new file, or none.
pub(crate) fn write_new(path: &str, content: impl FnOnce(&mut NewFile) -> Result<()>) -> Result<()> {
    let mut file = files::create(path)?;
    content(&mut file)?;
    NewFile::finish(file)
}

/// What was read of a file: granted, or a text in a test.
pub(crate) trait Source {
    fn size(&self) -> u64;
    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>>;
}

impl Source for File {
    fn size(&self) -> u64 {
        File::size(self)
    }

    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>> {
        File::read(self, offset, length)
    }
}

/// A file that is there, and how far it agrees with the bytes so far.
pub(crate) struct Existing<S = File> {
    file: S,
    offset: u64,
    is_same: bool,
}

impl Existing {
    /// The file of this name; none if there is none. What else keeps it from being read will keep it from being written: a
    /// step that lacks its grant is told at once of the one for writing, which lets it read, too.
    pub(crate) fn open(path: &str) -> Result<Option<Self>> {
        match files::open(path) {
            Ok(file) => Ok(Some(Self { file, offset: 0, is_same: true })),
            Err(Error::InvalidInput(_) | Error::Denied(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<S: Source> Existing<S> {
    /// Whether it held these bytes and no more.
    pub(crate) fn is_equal(&self) -> bool {
        self.is_same && self.offset == self.file.size()
    }
}

impl<S: Source> Target for Existing<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.is_same = self.is_same && self.file.read(self.offset, piece.len() as u32)? == piece;
            self.offset += piece.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Source for Vec<u8> {
        fn size(&self) -> u64 {
            self.len() as u64
        }

        fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>> {
            Ok(self.iter().skip(offset as usize).take(length as usize).copied().collect())
        }
    }

    #[test]
    fn only_the_very_same_bytes_are_equal() {
        let long = vec![7; PIECE_BYTES + 5];
        for (file, written, expected) in [
            (&b"rows"[..], &[&b"ro"[..], b"ws"][..], true),
            (b"", &[], true),
            (b"", &[b""], true),
            (b"rows", &[b"ro"], false),
            (b"rows", &[b"rows", b"!"], false),
            (b"rows", &[b"rOws"], false),
            (&long, &[&long], true),
            (&long, &[&long[1..]], false),
        ] {
            let mut existing = Existing { file: file.to_vec(), offset: 0, is_same: true };
            written.iter().try_for_each(|bytes| existing.write(bytes)).unwrap();
            assert_eq!(existing.is_equal(), expected, "{:?}", written.first());
        }
    }
}

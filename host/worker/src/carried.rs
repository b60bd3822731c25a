//! Small files that a worker leaves, in the body of the message that names them: making and removing a file costs more than
//! they do. Larger ones go through the scratch folder.
//!
//! ```text
//!  body: file*      file: length u32, little-endian | bytes
//! ```

use std::collections::BTreeMap;
use types::{Digest, Fault};

/// The largest file that is carried.
const FILE_BYTES_MAX: usize = 64 << 10;
/// What one message carries at most.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The worker's end: files on their way into the next message that names them.
#[derive(Default)]
pub(crate) struct Carried(Vec<u8>);

impl Carried {
    /// Takes a file with it, if it is small and there is room.
    pub(crate) fn take(&mut self, file: &[u8]) -> bool {
        let fits = file.len() <= FILE_BYTES_MAX && self.0.len() + 4 + file.len() <= BODY_BYTES_MAX;
        if fits {
            self.0.extend((file.len() as u32).to_le_bytes());
            self.0.extend(file);
        }
        fits
    }

    /// The body of the message.
    pub(crate) fn body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// The server's end: the files by what their bytes are, whatever the worker calls them.
pub(crate) fn files(body: &[u8]) -> Result<BTreeMap<Digest, &[u8]>, Fault> {
    let nonsense = || Fault::guest("the worker carried files in a form that is none");
    if body.len() > BODY_BYTES_MAX {
        return Err(nonsense());
    }
    let (mut files, mut rest) = (BTreeMap::new(), body);
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<4>().ok_or_else(nonsense)?;
        let (file, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(nonsense)?;
        files.insert(Digest::of(file), file);
        rest = behind;
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_small_is_carried_and_the_rest_is_not() {
        let mut carried = Carried::default();
        assert!(carried.take(b"") && carried.take(b"weights"));
        assert!(!carried.take(&[7; FILE_BYTES_MAX + 1]));
        let body = carried.body();
        let found = files(&body).unwrap();
        assert_eq!(found, BTreeMap::from([(Digest::of(b""), &b""[..]), (Digest::of(b"weights"), &b"weights"[..])]));
        assert!(files(&carried.body()).unwrap().is_empty(), "they are carried once");
        while carried.take(&[7; FILE_BYTES_MAX]) {}
        assert!(carried.take(b"another"), "there is room for what is smaller");
        assert!(files(&carried.body()).is_ok());
        assert!(files(&vec![0; BODY_BYTES_MAX + 4]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_files_or_refused(body in proptest::collection::vec(prop_oneof![3 => 0_u8..3, 1 => any::<u8>()], 0..60)) {
            if let Ok(found) = files(&body) {
                prop_assert!(found.iter().all(|(digest, file)| *digest == Digest::of(file)));
                let carried: usize = found.values().map(|file| 4 + file.len()).sum();
                prop_assert!(carried <= body.len());
            }
        }
    }
}

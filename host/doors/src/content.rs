//! The bytes of a file that a step wrote -> whether they are code, or run some when they are read, whatever the file is called.
//! What has no mark of its own (a script, a pickle of the oldest protocols) goes by its name alone: see `kept`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What is looked at of each end: a header, and the names in the directory of an archive.
const LOOKED_AT: u64 = 64 << 10;

const MODULE: &str = "a component";
const NATIVE: &str = "a native library or program";
const PICKLE: &str = "a pickle, which runs code when it is read";

/// What the file is, if a step may not write it.
pub(crate) fn code(file: &File) -> io::Result<Option<&'static str>> {
    let bytes = file.metadata()?.len();
    let piece = |from: u64| {
        let mut piece = vec![0; (bytes - from).min(LOOKED_AT) as usize];
        file.read_exact_at(&mut piece, from).map(|()| piece)
    };
    Ok(of(&piece(0)?, &piece(bytes.saturating_sub(LOOKED_AT))?))
}

/// By a file's first bytes and its last ones, which overlap in a small one.
fn of(first: &[u8], last: &[u8]) -> Option<&'static str> {
    match first {
        [0, b'a', b's', b'm', ..] => Some(MODULE),
        [0x7f, b'E', b'L', b'F', ..] => Some(NATIVE),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => Some(NATIVE),
        [b'M', b'Z', ..] if has(first, b"PE\0\0") => Some(NATIVE),
        [0x80, 2..=5, ..] if is_pickle(first) => Some(PICKLE),
        // Python's arrays of objects, and archives such as PyTorch's.
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] if has(&first[..first.len().min(256)], b"'|O'") => Some(PICKLE),
        [b'P', b'K', 3, 4, ..] if [first, last].iter().any(|piece| has(piece, b".pkl")) => Some(PICKLE),
        _ => None,
    }
}

/// The head of safetensors is a length, which may begin like a pickle: 640 is `80 02 00 ..`.
fn is_pickle(first: &[u8]) -> bool {
    let is_length = first.len() > 8 && first[4..8] == [0; 4] && first[8] == b'{';
    first.len() > 2 && !is_length
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn code_is_known_by_its_bytes_and_data_is_not_taken_for_it() {
        for (bytes, is) in [
            (&b"\0asm\x0d\0\x01\0"[..], Some(MODULE)),
            (b"\x7fELF\x02\x01", Some(NATIVE)),
            (b"\xcf\xfa\xed\xfe\x07", Some(NATIVE)),
            (b"MZ\x90\0\0\0PE\0\0", Some(NATIVE)),
            // `pickle.dumps(print)` of Python.
            (b"\x80\x04\x95\x16\0\0\0\0\0\0\0\x8c\x08builtins\x94\x8c\x05print\x94\x93\x94.", Some(PICKLE)),
            (b"\x80\x02cos\nsystem\n.", Some(PICKLE)),
            (b"\x93NUMPY\x01\0v\0{'descr': '|O', 'shape': (1,), }", Some(PICKLE)),
            (b"PK\x03\x04\0\0model/data.pkl\x80\x02", Some(PICKLE)),
            (b"", None),
            (b"\x80", None),
            (b"MZ,PE\n1,2\n", None),
            (b"\x80\x02\0\0\0\0\0\0{\"weights\":{", None),
            (b"\x80\x02\x28\0\0\0\0\0{\"weights\":{", None),
            (b"\x93NUMPY\x01\0v\0{'descr': '<f8', 'shape': (1,), }", None),
            (b"PK\x03\x04\0\0xl/workbook.xml", None),
            (b"name,note\nmodel.pkl,'|O'\n", None),
            ("\u{80}".as_bytes(), None),
        ] {
            assert_eq!(of(bytes, bytes), is, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_long_archive_names_its_pickle_at_its_end() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"PK\x03\x04").unwrap();
        file.write_all(&vec![7; 3 * LOOKED_AT as usize]).unwrap();
        assert_eq!(code(&file).unwrap(), None);
        file.write_all(b"PK\x01\x02model/data.pkl").unwrap();
        assert_eq!(code(&file).unwrap(), Some(PICKLE));
    }
}

//! Native code that a worker made -> the folder that only the server writes. It is copied, never renamed: the worker may hold
//! its own file open and write to it after any check, and what lies in the folder is run.

use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use types::{Digest, Fault, Role, SavedFile};

/// Native code of one component. A Python component's has 80 MB.
pub(crate) const CODE_BYTES_MAX: u64 = 1 << 30;
/// What a component may ask for: interfaces, and bytes of an interface's name.
const IMPORTS_MAX: usize = 1_000;
const IMPORT_BYTES_MAX: usize = 1_024;

/// What a worker says that compiling gave.
pub(crate) struct Code {
    pub(crate) component: Digest,
    pub(crate) file: SavedFile,
    pub(crate) fingerprint: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) imports: Vec<String>,
}

/// Copies the code that lies in `scratch` to `folder`, if its bytes have the digest that was said; durable when it returns.
pub(crate) fn keep(folder: &Path, scratch: &Path, code: &Code) -> Result<(), Fault> {
    check(code)?;
    fs::create_dir_all(folder).map_err(ours)?;
    let stem = format!("{}.{}", code.component, code.fingerprint);
    let shape = serde_json::json!({"roles": code.roles, "imports": code.imports}).to_string();
    let mut left = open_left(&scratch.join(code.file.digest.to_string()))?;
    // The shape first: code without a shape is never looked for.
    place(folder, &format!("{stem}.json"), |draft| draft.write_all(shape.as_bytes()).map_err(ours))?;
    place(folder, &format!("{stem}.cwasm"), |draft| {
        std::io::copy(&mut left, draft).and_then(|_| draft.rewind()).map_err(ours)?;
        match Digest::of_reader(draft).map_err(ours)? {
            got if got == code.file.digest => Ok(()),
            got => Err(Fault::guest(format!("left code of digest {got}, the worker said {}", code.file.digest))),
        }
    })
}

fn check(code: &Code) -> Result<(), Fault> {
    if code.fingerprint.len() != 16 || !code.fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Fault::guest("a worker named its engine wrongly"));
    }
    let long = code.imports.iter().any(|import| import.len() > IMPORT_BYTES_MAX);
    match code.roles.len() > Role::ALL.len() || code.imports.len() > IMPORTS_MAX || long {
        true => Err(Fault::guest(format!("asks for more than {IMPORTS_MAX} interfaces, or one with a giant's name"))),
        false => Ok(()),
    }
}

/// Opens what a worker left: a regular file of one name, not through a link, without waiting at a pipe.
fn open_left(path: &Path) -> Result<std::io::Take<File>, Fault> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let theirs = |error: rustix::io::Errno| Fault::guest(format!("left no code that can be opened: {error}"));
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(theirs)?);
    let found = file.metadata().map_err(ours)?;
    match found.is_file() && found.nlink() == 1 && found.len() <= CODE_BYTES_MAX {
        true => Ok(file.take(found.len())),
        false => Err(Fault::guest("left no code: expected a regular file of one name and at most 1 GiB")),
    }
}

/// Makes a file of the folder, whole or not at all.
fn place(folder: &Path, name: &str, write: impl FnOnce(&mut File) -> Result<(), Fault>) -> Result<(), Fault> {
    let draft = folder.join(format!(".{name}"));
    // What a crash left; if it cannot be removed, making it anew says why.
    let _ = fs::remove_file(&draft);
    let options = File::options().read(true).write(true).create_new(true).mode(0o600).clone();
    let mut file = options.open(&draft).map_err(ours)?;
    let placed = write(&mut file).and_then(|()| {
        file.sync_all().and_then(|()| fs::rename(&draft, folder.join(name))).map_err(ours)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(ours)
    });
    if placed.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&draft);
    }
    placed
}

fn ours(error: std::io::Error) -> Fault {
    Fault::host(format!("cannot keep compiled code: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn code(bytes: &[u8]) -> Code {
        let digest = Digest::of(bytes);
        Code {
            component: Digest::of(b"component"),
            file: SavedFile { name: digest.to_string(), digest, bytes: bytes.len() as u64 },
            fingerprint: "0123456789abcdef".to_owned(),
            roles: vec![Role::Fitted],
            imports: Vec::new(),
        }
    }

    #[test]
    fn what_is_kept_is_out_of_its_writers_reach() {
        let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let code = code(b"code");
        let stem = folder.path().join(format!("{}.{}", code.component, code.fingerprint));
        let mut held = File::create(scratch.path().join(code.file.digest.to_string())).unwrap();
        held.write_all(b"code").unwrap();
        // What a crash left, and what somebody put there to have it written through.
        symlink(
            scratch.path().join("elsewhere"),
            folder.path().join(format!(".{}.{}.cwasm", code.component, code.fingerprint)),
        )
        .unwrap();
        keep(folder.path(), scratch.path(), &code).unwrap();
        held.write_all(b" and more, by a worker that is still alive").unwrap();
        assert_eq!(fs::read(stem.with_added_extension("cwasm")).unwrap(), b"code");
        assert_eq!(fs::read(stem.with_added_extension("json")).unwrap(), br#"{"imports":[],"roles":["fitted"]}"#);
        assert!(!scratch.path().join("elsewhere").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        keep(folder.path(), scratch.path(), &code).expect_err("it has other bytes by now");
        assert_eq!(fs::read(stem.with_added_extension("cwasm")).unwrap(), b"code");
    }

    #[test]
    fn what_is_no_code_is_refused_and_leaves_nothing_to_run() {
        type Leave = fn(&Path);
        let cases: [(&str, Leave); 6] = [
            ("digest", |file| fs::write(file, b"other").unwrap()),
            ("regular", |file| fs::create_dir(file).unwrap()),
            ("opened", |file| {
                fs::write(file.with_file_name("code"), b"code").unwrap();
                symlink("code", file).unwrap();
            }),
            ("one name", |file| {
                fs::write(file.with_file_name("code"), b"code").unwrap();
                fs::hard_link(file.with_file_name("code"), file).unwrap();
            }),
            ("regular", |file| {
                rustix::fs::mknodat(rustix::fs::CWD, file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
            }),
            ("opened", |_| ()),
        ];
        for (expected, leave) in cases {
            let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let code = code(b"code");
            leave(&scratch.path().join(code.file.digest.to_string()));
            let fault = keep(folder.path(), scratch.path(), &code).unwrap_err();
            assert_eq!(fault.kind, types::FaultKind::Guest);
            assert!(fault.message.contains(expected), "{fault}, expected {expected}");
            let left = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
            assert!(left.map(|name| name.into_string().unwrap()).all(|name| name.ends_with(".json")));
        }
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for fingerprint in ["", "../../../../../x", "0123456789abcdeg", "0123456789abcdef0"] {
            let code = Code { fingerprint: fingerprint.to_owned(), ..code(b"code") };
            assert_eq!(
                keep(folder.path(), scratch.path(), &code).unwrap_err().message,
                "a worker named its engine wrongly"
            );
        }
        let greedy = Code { imports: vec![String::new(); IMPORTS_MAX + 1], ..code(b"code") };
        assert!(keep(folder.path(), scratch.path(), &greedy).is_err());
    }
}

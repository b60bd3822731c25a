//! A path that a guest names -> a descriptor, if it lies beneath a granted root. The kernel resolves it beneath the root
//! (`openat2`), so no `..`, absolute path or symbolic link leads out.

use crate::denied::{self, Line};
use crate::shown;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, linkat, openat2, renameat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use types::{Fault, FileGrant, Grants};

/// Opens a file for reading.
pub(crate) fn open(path: &str, base: &Path, grants: &Grants, policy: &Grants) -> Result<File, Fault> {
    let wanted = Path::new(path);
    let line = |folder: &str| denied::read(&shown(wanted), folder);
    let (root, below) = admitted(path, grants, policy, false, line)?;
    open_beneath(&base.join(root), below, &shown(wanted)).map_err(|error| error.fault(wanted, line))
}

/// A file without a name yet, in the folder where it will have one.
#[derive(Debug)]
pub(crate) struct NewFile {
    folder: OwnedFd,
    name: String,
    file: File,
    shown: String,
}

/// Begins a file beneath a folder granted for writing. Gives what finishes it, and the descriptor to write to.
pub(crate) fn create(path: &str, base: &Path, grants: &Grants, policy: &Grants) -> Result<(NewFile, File), Fault> {
    let wanted = Path::new(path);
    let line = |folder: &str| denied::write(&shown(wanted), folder);
    let (root, below) = admitted(path, grants, policy, true, line)?;
    let nameless = || Fault::invalid(format!("cannot write `{}`: it names no file", shown(wanted)));
    let name = below.file_name().and_then(|name| name.to_str()).ok_or_else(nameless)?;
    let within = below.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: Errno| match error {
        Errno::XDEV => refused(wanted, line),
        error => Fault::invalid(format!("cannot write `{}`: {}", shown(wanted), reason(error))),
    };
    let root = folder(&base.join(root)).map_err(failed)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat2(&root, within, flags, Mode::empty(), BENEATH).map_err(failed)?;
    // Without a name: if nobody finishes it, it never was.
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat2(&folder, ".", flags, Mode::from(0o644), BENEATH).map_err(failed)?;
    let file = File::from(file);
    let descriptor = file.try_clone().map_err(Fault::host)?;
    Ok((NewFile { folder, name: name.to_owned(), file, shown: shown(wanted) }, descriptor))
}

impl NewFile {
    /// Makes the bytes durable, then gives them the name; whatever had it is replaced, a folder excepted.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        let failed = |error: Errno| Fault::invalid(format!("cannot write `{}`: {}", self.shown, reason(error)));
        self.file.sync_all().map_err(|error| Fault::host(format!("cannot write `{}`: {error}", self.shown)))?;
        // A file cannot be linked over another: it gets a name of its own first.
        let mut number = [0; 8];
        crate::secret::fill(&mut number)?;
        let own = format!(".stepwell-{:016x}", u64::from_le_bytes(number));
        let open = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        linkat(CWD, open, &self.folder, &own, AtFlags::SYMLINK_FOLLOW).map_err(failed)?;
        if let Err(error) = renameat(&self.folder, &own, &self.folder, &self.name) {
            let _ = unlinkat(&self.folder, &own, AtFlags::empty());
            return Err(failed(error));
        }
        Ok(())
    }
}

const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// The root that grants the path, and the path below it; the policy must allow it too.
fn admitted<'a>(
    path: &'a str,
    grants: &'a Grants,
    policy: &Grants,
    write: bool,
    line: impl Fn(&str) -> Line,
) -> Result<(&'a str, &'a Path), Fault> {
    let wanted = Path::new(path);
    let covers = |grant: &&FileGrant| (grant.write || !write) && grant.below(wanted).is_some();
    let root = grants.files.iter().find(covers).filter(|_| !path.contains('\0'));
    let root = root.ok_or_else(|| refused(wanted, &line))?;
    if !policy.files.iter().any(|grant| covers(&grant)) {
        return Err(line(&folder_of(wanted)).fault(true));
    }
    Ok((&root.path, root.below(wanted).unwrap_or(wanted)))
}

fn refused(wanted: &Path, line: impl Fn(&str) -> Line) -> Fault {
    line(&folder_of(wanted)).fault(false)
}

/// The folder that a grant of this file would name.
fn folder_of(wanted: &Path) -> String {
    let folder = wanted.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    shown(folder)
}

fn folder(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Why a file did not open.
enum Unopened {
    /// It leads out of the root.
    Outside,
    Fault(Fault),
}

impl Unopened {
    fn fault(self, wanted: &Path, line: impl Fn(&str) -> Line) -> Fault {
        match self {
            Self::Outside => refused(wanted, line),
            Self::Fault(fault) => fault,
        }
    }
}

fn open_beneath(root: &Path, below: &Path, shown: &str) -> Result<File, Unopened> {
    let invalid = |why: &str| Unopened::Fault(Fault::invalid(format!("cannot open `{shown}`: {why}")));
    let missing = |error: Errno| match error {
        Errno::XDEV => Unopened::Outside,
        error => invalid(&reason(error)),
    };
    if below.as_os_str().is_empty() {
        // The grant names the file itself.
        let name = root.file_name().ok_or(Unopened::Outside)?;
        return open_beneath(root.parent().unwrap_or(Path::new("/")), Path::new(name), shown);
    }
    let folder = folder(root).map_err(missing)?;
    // NONBLOCK: a named pipe must not hold the server up; only regular files pass the check below.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = File::from(openat2(&folder, below, flags, Mode::empty(), BENEATH).map_err(missing)?);
    match file.metadata().map_err(|error| Unopened::Fault(Fault::host(error)))?.is_file() {
        true => Ok(file),
        false => Err(invalid("it is not a regular file")),
    }
}

fn reason(error: Errno) -> String {
    match error {
        Errno::NOENT => "there is no such file or folder".to_owned(),
        Errno::NOTDIR => "a part of the path is not a folder".to_owned(),
        Errno::ISDIR => "it is a folder".to_owned(),
        Errno::ACCESS => "the server may not (permissions)".to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use types::FaultKind;

    #[test]
    fn only_regular_files_beneath_a_root() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        std::fs::create_dir_all(base.join("data/deep")).unwrap();
        std::fs::write(base.join("data/deep/rows.csv"), "a\n1\n").unwrap();
        std::fs::write(base.join("secret"), "s").unwrap();
        std::os::unix::fs::symlink("../secret", base.join("data/out")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", base.join("data/absolute")).unwrap();
        std::os::unix::fs::symlink("deep/rows.csv", base.join("data/inside")).unwrap();
        let granted =
            |path: &str| Grants { files: vec![FileGrant { path: path.to_owned(), write: false }], ..Grants::default() };
        let open = |path: &str, root: &str| open(path, base, &granted(root), &Grants::everything());
        for good in ["data/deep/rows.csv", "data/inside", "data/./deep/rows.csv"] {
            assert!(open(good, "data").is_ok(), "{good}");
        }
        for (bad, kind) in [
            ("secret", FaultKind::Denied),
            ("data/../secret", FaultKind::Denied),
            ("data/out", FaultKind::Denied),
            ("data/absolute", FaultKind::Denied),
            ("/etc/hostname", FaultKind::Denied),
            ("", FaultKind::Denied),
            ("data\0", FaultKind::Denied),
            ("database", FaultKind::Denied),
            ("data", FaultKind::Invalid),
            ("data/deep", FaultKind::Invalid),
            ("data/none.csv", FaultKind::Invalid),
        ] {
            assert_eq!(open(bad, "data").unwrap_err().kind, kind, "{bad}");
        }
        assert!(open("data/deep/rows.csv", "data/deep/rows.csv").is_ok());
        assert_eq!(open("data/inside", "data/deep/rows.csv").unwrap_err().kind, FaultKind::Denied);
        // The whole file system, granted by the pipeline, is not what a policy of the project's folder allows.
        let outside = super::open("/etc/hostname", base, &granted("/"), &granted(".")).unwrap_err();
        assert_eq!(outside.kind, FaultKind::Denied);
        assert!(outside.message.contains("policy"), "{outside}");
    }

    #[test]
    fn a_new_file_is_there_once_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        std::fs::create_dir_all(base.join("out/sub")).unwrap();
        std::fs::create_dir_all(base.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", base.join("out/link")).unwrap();
        std::os::unix::fs::symlink("../secret", base.join("out/dangling")).unwrap();
        let files = vec![
            FileGrant { path: "out".to_owned(), write: true },
            FileGrant { path: "data".to_owned(), write: false },
        ];
        let grants = Grants { files, ..Grants::default() };
        let create = |path: &str| create(path, base, &grants, &Grants::everything());
        let names = || {
            let mut names: Vec<_> =
                std::fs::read_dir(base.join("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = names();
        let (abandoned, mut descriptor) = create("out/rows.csv").unwrap();
        descriptor.write_all(b"half").unwrap();
        drop((abandoned, descriptor));
        assert_eq!(names(), before, "an abandoned file leaves nothing");
        for text in ["first", "second"] {
            let (file, mut descriptor) = create("out/sub/rows.csv").unwrap();
            descriptor.write_all(text.as_bytes()).unwrap();
            file.finish().unwrap();
            assert_eq!(std::fs::read_to_string(base.join("out/sub/rows.csv")).unwrap(), text);
        }
        // A link of the name is replaced, never followed.
        let (file, _) = create("out/dangling").unwrap();
        file.finish().unwrap();
        assert!(!base.join("secret").exists() && base.join("out/dangling").is_file());
        assert!(create("out/sub").unwrap().0.finish().is_err(), "a folder keeps its name");
        for bad in ["out/link/rows.csv", "data/rows.csv", "out/../x", "out/none/rows.csv", "out", "out/", "/tmp/x", ""]
        {
            let fault = create(bad).map(|_| ()).unwrap_err();
            assert!(matches!(fault.kind, FaultKind::Denied | FaultKind::Invalid), "{bad}: {fault:?}");
        }
        assert_eq!(std::fs::read_dir(base.join("elsewhere")).unwrap().count(), 0);
    }
}

//! A path that a guest names -> a descriptor, if it lies beneath a granted root. Runs in the server.

use ports::Grants;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use std::fs::File;
use std::path::{Component, Path};
use types::{Fault, FaultKind};

/// Opens a file for reading. Resolved by the kernel beneath the root (`openat2`), so no `..`, absolute or symbolic link leads out.
pub(crate) fn open(path: &str, grants: &Grants) -> Result<File, Fault> {
    let shown: String = path.chars().filter(|c| !c.is_control()).take(200).collect();
    let wanted = Path::new(path);
    if path.contains('\0') || wanted.components().any(|part| matches!(part, Component::ParentDir)) {
        return Err(denied(&shown, wanted));
    }
    for root in &grants.files {
        let root = Path::new(root);
        let Ok(below) = wanted.strip_prefix(root) else { continue };
        return open_beneath(&grants.base.join(root), below, &shown, wanted);
    }
    Err(denied(&shown, wanted))
}

fn open_beneath(root: &Path, below: &Path, shown: &str, wanted: &Path) -> Result<File, Fault> {
    let missing = |error: Errno| Fault::invalid(format!("cannot open `{shown}`: {}", reason(error)));
    if below.as_os_str().is_empty() {
        // The grant names the file itself.
        let name = root.file_name().ok_or_else(|| denied(shown, wanted))?;
        return open_beneath(root.parent().unwrap_or(Path::new("/")), Path::new(name), shown, wanted);
    }
    let folder =
        rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(missing)?;
    // NONBLOCK: a named pipe must not hold the server up; only regular files pass the check below.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let opened = openat2(&folder, below, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS);
    match opened {
        Ok(descriptor) => {
            let file = File::from(descriptor);
            match file.metadata().map_err(Fault::host)?.is_file() {
                true => Ok(file),
                false => Err(Fault::invalid(format!("cannot open `{shown}`: it is not a regular file"))),
            }
        }
        Err(Errno::XDEV) => Err(denied(shown, wanted)),
        Err(error) => Err(missing(error)),
    }
}

fn reason(error: Errno) -> String {
    match error {
        Errno::NOENT => "there is no such file".to_owned(),
        Errno::NOTDIR => "a part of the path is not a folder".to_owned(),
        error => error.to_string(),
    }
}

fn denied(shown: &str, wanted: &Path) -> Fault {
    let folder = wanted.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Fault::new(FaultKind::Denied, format!("reading `{shown}` is not granted"))
        .hinted(format!("grant it in the pipeline: grants = {{ files = [{:?}] }}", folder.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let grants = Grants { base: base.to_owned(), files: vec!["data".to_owned()] };
        for good in ["data/deep/rows.csv", "data/inside", "data/./deep/rows.csv"] {
            assert!(open(good, &grants).is_ok(), "{good}");
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
            assert_eq!(open(bad, &grants).unwrap_err().kind, kind, "{bad}");
        }
        let file = Grants { base: base.to_owned(), files: vec!["data/deep/rows.csv".to_owned()] };
        assert!(open("data/deep/rows.csv", &file).is_ok());
        assert_eq!(open("data/inside", &file).unwrap_err().kind, FaultKind::Denied);
    }
}

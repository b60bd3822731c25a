//! A path that a guest names -> a descriptor, if it lies beneath a granted root. The kernel resolves it beneath the root
//! (`openat2`), so no `..`, absolute path or symbolic link leads out.

use crate::denied::{self, Line};
use crate::{Authority, shown};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, linkat, openat2, renameat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use types::{Fault, FaultKind, FileGrant, Grants};

/// Opens a file for reading.
pub(crate) fn open(path: &str, base: &Path, grants: &Grants, authority: &Authority) -> Result<File, Fault> {
    let wanted = Path::new(path);
    let line = |folder: &str| denied::read(&shown(wanted), folder);
    let (root, below) = admitted(path, grants, &authority.policy, false, line)?;
    let failed = |error: Errno| unopened(error, "open", wanted, line);
    let (anchor, target) = anchored(base, root, below).map_err(failed)?;
    // NONBLOCK: a named pipe must not hold the server up; only regular files pass the check below.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = File::from(openat2(&anchor, &target, flags, Mode::empty(), BENEATH).map_err(failed)?);
    if !file.metadata().map_err(Fault::host)?.is_file() {
        return Err(Fault::invalid(format!("cannot open `{}`: it is not a regular file", shown(wanted))));
    }
    match is_ours(&real_path(&file)?, authority) {
        true => Err(ours(wanted)),
        false => Ok(file),
    }
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
pub(crate) fn create(
    path: &str,
    base: &Path,
    grants: &Grants,
    authority: &Authority,
) -> Result<(NewFile, File), Fault> {
    let wanted = Path::new(path);
    let line = |folder: &str| denied::write(&shown(wanted), folder);
    let (root, below) = admitted(path, grants, &authority.policy, true, line)?;
    let nameless = || Fault::invalid(format!("cannot write `{}`: it names no file", shown(wanted)));
    let name = below.file_name().and_then(|name| name.to_str()).ok_or_else(nameless)?;
    let within = below.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: Errno| unopened(error, "write", wanted, line);
    let (anchor, target) = anchored(base, root, within).map_err(failed)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat2(&anchor, &target, flags, Mode::empty(), BENEATH).map_err(failed)?;
    let project = real_path(&folder_at(base).map_err(failed)?)?;
    let real = real_path(&folder)?.join(name);
    if is_ours(&real, authority) || real.strip_prefix(&project).is_ok_and(is_the_projects_own) {
        return Err(ours(wanted));
    }
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

fn folder_at(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// The root, opened, and what is resolved beneath it. A relative root lies in the project's folder and may not lead out of it; an
/// absolute one goes through no link.
fn anchored(base: &Path, root: &str, below: &Path) -> Result<(OwnedFd, PathBuf), Errno> {
    let root = Path::new(root);
    let is_whole = below.as_os_str().is_empty() || below == Path::new(".");
    // A grant of a file names its folder, too.
    let (folder, target) = match (is_whole, root.parent(), root.file_name()) {
        (true, Some(parent), Some(name)) => (parent, PathBuf::from(name)),
        _ => (root, below.to_owned()),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if root.is_absolute() {
        let straight = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        return Ok((openat2(CWD, folder, flags, Mode::empty(), straight)?, target));
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Ok((openat2(folder_at(base)?, folder, flags, Mode::empty(), BENEATH)?, target))
}

/// Where an open file or folder lies, links resolved.
fn real_path(opened: &impl AsRawFd) -> Result<PathBuf, Fault> {
    std::fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd())).map_err(Fault::host)
}

/// Whether it lies where the installation keeps what no step may see: blobs, journals, secrets, native code.
fn is_ours(real: &Path, authority: &Authority) -> bool {
    authority.private.iter().any(|folder| real.starts_with(folder)) || real.iter().any(|part| part == ".stepwell")
}

/// What a project is made of, or its tools execute: no step writes it, whatever is granted.
pub(crate) fn is_the_projects_own(below: &Path) -> bool {
    let first = below.iter().find(|part| *part != ".").and_then(|part| part.to_str()).unwrap_or_default();
    ["pipelines", "steps", "plugins", "stepwell.toml", "stepwell.lock"].contains(&first) || first.starts_with(".git")
}

fn ours(wanted: &Path) -> Fault {
    let message = format!("`{}` is not for steps: it is the installation's or the project's own", shown(wanted));
    Fault::new(FaultKind::Denied, message).hinted("keep what steps read and write in folders of their own")
}

/// Why a file did not open.
fn unopened(error: Errno, what: &str, wanted: &Path, line: impl Fn(&str) -> Line) -> Fault {
    match error {
        Errno::XDEV => refused(wanted, line),
        error => Fault::invalid(format!("cannot {what} `{}`: {}", shown(wanted), reason(error))),
    }
}

fn reason(error: Errno) -> String {
    match error {
        Errno::NOENT => "there is no such file or folder".to_owned(),
        Errno::NOTDIR => "a part of the path is not a folder".to_owned(),
        Errno::ISDIR => "it is a folder".to_owned(),
        Errno::LOOP => "it goes through a link; grant the folder where that leads".to_owned(),
        Errno::ACCESS => "the server may not (permissions)".to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn allowed(policy: Grants) -> Authority {
        Authority { policy, ..Authority::default() }
    }

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
        let open = |path: &str, root: &str| open(path, base, &granted(root), &allowed(Grants::everything()));
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
        let outside = super::open("/etc/hostname", base, &granted("/"), &allowed(granted("."))).unwrap_err();
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
        let create = |path: &str| create(path, base, &grants, &allowed(Grants::everything()));
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

    #[test]
    fn a_root_that_is_a_link_leads_nowhere_and_what_is_ours_is_not_for_steps() {
        let folder = tempfile::tempdir().unwrap();
        let (base, data) = (folder.path().join("project"), folder.path().join("installation"));
        for below in ["project/.stepwell", "project/.git", "project/steps", "project/out", "elsewhere", "installation"]
        {
            std::fs::create_dir_all(folder.path().join(below)).unwrap();
        }
        std::fs::write(folder.path().join("elsewhere/rows.csv"), "a\n").unwrap();
        std::fs::write(base.join(".stepwell/secret"), "s").unwrap();
        std::fs::write(data.join("secret"), "s").unwrap();
        std::os::unix::fs::symlink("../elsewhere", base.join("data")).unwrap();
        std::fs::write(base.join("steps/secret"), "s").unwrap();
        std::os::unix::fs::symlink("..", base.join("out/up")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), folder.path().join("link")).unwrap();
        let file = |path: String| FileGrant { path, write: true };
        let link = folder.path().join("link").display().to_string();
        let absolute = data.display().to_string();
        let files = ["data".to_owned(), ".".to_owned(), link.clone(), absolute.clone()].map(file).to_vec();
        let grants = Grants { files, ..Grants::default() };
        let private = vec![data.canonicalize().unwrap()];
        let authority = Authority { private, ..allowed(Grants::everything()) };
        let read = |path: &str| open(path, &base, &grants, &authority).map(drop).unwrap_err().kind;
        let write = |path: &str| create(path, &base, &grants, &authority).map(drop).unwrap_err().kind;
        for path in ["data/rows.csv", ".stepwell/secret", &format!("{absolute}/secret")] {
            assert_eq!(read(path), FaultKind::Denied, "{path}");
        }
        assert_eq!(read(&format!("{link}/rows.csv")), FaultKind::Invalid);
        for path in [
            "data/x",
            ".stepwell/x",
            ".git/config",
            ".gitignore",
            "steps/a.py",
            "stepwell.toml",
            &format!("{absolute}/x"),
        ] {
            assert_eq!(write(path), FaultKind::Denied, "{path}");
        }
        assert!(create("out/x", &base, &grants, &authority).is_ok());
        // A link below a root does not lead to the rest of the project either.
        let narrow = Grants { files: vec![FileGrant { path: "out".to_owned(), write: true }], ..Grants::default() };
        let up = open("out/up/steps/secret", &base, &narrow, &authority).map(drop).unwrap_err();
        assert_eq!(up.kind, FaultKind::Denied);
    }
}

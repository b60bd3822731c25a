//! A path that a guest names -> a descriptor, if it lies beneath a granted root and a root of the policy. The kernel resolves
//! it beneath both (`openat2`), so no `..`, absolute path or symbolic link leads out of either.

use crate::denied::{self, Line};
use crate::kept::is_kept;
use crate::{Authority, content, shown};
use rustix::fs::{
    AtFlags, CWD, Dir, DirEntry, FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstatfs, linkat, openat2,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use types::{Fault, FaultKind, FileGrant, Grants};

/// Opens a file for reading.
pub(crate) fn open(path: &str, base: &Path, grants: &Grants, authority: &Authority) -> Result<File, Fault> {
    let wanted = Path::new(path);
    let line = |folder: &Path| denied::read(wanted, folder);
    let way = admitted(path, grants, &authority.policy, false, line)?;
    let failed = |error: Errno| unopened(error, "open", wanted, way.by_policy, line);
    // NONBLOCK: a named pipe must not hold the server up; only regular files pass the check below.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let links = if way.is_named { ResolveFlags::NO_SYMLINKS } else { ResolveFlags::empty() };
    let anchor = way.anchor(base).map_err(failed)?;
    let file = File::from(openat2(&anchor, way.target, flags, Mode::empty(), BENEATH | links).map_err(failed)?);
    if !file.metadata().map_err(Fault::host)?.is_file() {
        return Err(Fault::invalid(format!("cannot open `{}`: it is not a regular file", shown(wanted))));
    }
    if fstatfs(&file).map_err(Fault::host)?.f_type == PROC_SUPER_MAGIC {
        return Err(of_processes(wanted));
    }
    match is_ours(&real_path(&file)?, authority) {
        true => Err(ours(wanted)),
        false => Ok(file),
    }
}

/// The most entries of a folder that is listed.
const LISTED_MAX: usize = 10_000;

/// The names of a folder's regular files, sorted: neither hidden ones nor links, nor names that are no text.
pub(crate) fn list(path: &str, base: &Path, grants: &Grants, authority: &Authority) -> Result<Vec<String>, Fault> {
    let wanted = Path::new(path);
    // What is to be granted is the folder itself.
    let line = |_: &Path| denied::read(wanted, wanted);
    let way = admitted(path, grants, &authority.policy, false, line)?;
    let failed = |error: Errno| unopened(error, "list", wanted, way.by_policy, line);
    let anchor = way.anchor(base).map_err(failed)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat2(&anchor, way.target, flags, Mode::empty(), BENEATH).map_err(failed)?;
    if fstatfs(&folder).map_err(Fault::host)?.f_type == PROC_SUPER_MAGIC {
        return Err(of_processes(wanted));
    }
    if is_ours(&real_path(&folder)?, authority) {
        return Err(ours(wanted));
    }
    let mut names = Vec::new();
    let entries = Dir::read_from(&folder).map_err(failed)?;
    let is_here = |entry: &Result<DirEntry, Errno>| {
        entry.as_ref().is_ok_and(|entry| matches!(entry.file_name().to_bytes(), b"." | b".."))
    };
    for (count, entry) in entries.filter(|entry| !is_here(entry)).enumerate() {
        if count >= LISTED_MAX {
            let message = format!("cannot list `{}`: it has more than {LISTED_MAX} entries", shown(wanted));
            return Err(Fault::invalid(message));
        }
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if !name.starts_with('.') && is_regular(&folder, &entry) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// One that has just gone is none.
fn is_regular(folder: &OwnedFd, entry: &DirEntry) -> bool {
    let kind = match entry.file_type() {
        // Not every file system says it.
        FileType::Unknown => statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
            .map_or(FileType::Unknown, |found| FileType::from_raw_mode(found.st_mode)),
        kind => kind,
    };
    kind == FileType::RegularFile
}

/// A file without a name yet, in the folder where it will have one.
#[derive(Debug)]
pub(crate) struct NewFile {
    folder: OwnedFd,
    name: String,
    file: File,
    /// Within the project, where what is code is not written.
    is_of_project: bool,
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
    let line = |folder: &Path| denied::write(wanted, folder);
    let way = admitted(path, grants, &authority.policy, true, line)?;
    let nameless = || Fault::invalid(format!("cannot write `{}`: it names no file", shown(wanted)));
    let name = way.granted.file_name().and_then(|name| name.to_str()).ok_or_else(nameless)?;
    let within = way.target.parent().filter(|parent| !is_here(parent)).unwrap_or(Path::new("."));
    let failed = |error: Errno| unopened(error, "write", wanted, way.by_policy, line);
    let anchor = way.anchor(base).map_err(failed)?;
    let folder = openat2(&anchor, within, FOLDER, Mode::empty(), BENEATH).map_err(failed)?;
    let project = real_path(&folder_at(base).map_err(failed)?)?;
    let real = real_path(&folder)?.join(name);
    if is_ours(&real, authority) {
        return Err(ours(wanted));
    }
    let of_project = real.strip_prefix(&project).ok();
    if of_project.is_some_and(is_kept) {
        return Err(kept(wanted));
    }
    // Without a name: if nobody finishes it, it never was.
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat2(&folder, ".", flags, Mode::from(0o644), BENEATH).map_err(failed)?;
    let file = File::from(file);
    let descriptor = file.try_clone().map_err(Fault::host)?;
    let (name, is_of_project, shown) = (name.to_owned(), of_project.is_some(), shown(wanted));
    Ok((NewFile { folder, name, file, is_of_project, shown }, descriptor))
}

impl NewFile {
    /// Makes the bytes durable, then gives them the name; whatever had it is replaced, a folder excepted.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        let failed = |error: Errno| Fault::invalid(format!("cannot write `{}`: {}", self.shown, reason(error)));
        let lost = |error: std::io::Error| Fault::host(format!("cannot write `{}`: {error}", self.shown));
        self.file.sync_all().map_err(lost)?;
        let open = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        // What the worker got writes, and does not read.
        if self.is_of_project
            && let Some(what) = content::code(&File::open(&open).map_err(lost)?).map_err(lost)?
        {
            return Err(coded(&self.shown, what));
        }
        // A file cannot be linked over another: it gets a name of its own first.
        let mut number = [0; 8];
        crate::secret::fill(&mut number)?;
        let own = format!(".stepwell-{:016x}", u64::from_le_bytes(number));
        linkat(CWD, open, &self.folder, &own, AtFlags::SYMLINK_FOLLOW).map_err(failed)?;
        if let Err(error) = renameat(&self.folder, &own, &self.folder, &self.name) {
            let _ = unlinkat(&self.folder, &own, AtFlags::empty());
            return Err(failed(error));
        }
        Ok(())
    }
}

const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// How a folder is opened that is only gone through.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The way to a path that a grant and the policy cover. Both roots begin the path, so the narrower lies below the wider, as
/// text; each leg is resolved beneath the one before, so that a link leads out of neither.
struct Way<'a> {
    /// The wider root and, below it, the narrower: folders.
    legs: [&'a Path; 2],
    /// What is left, below both.
    target: &'a Path,
    /// What of the path lies below the grant.
    granted: &'a Path,
    is_absolute: bool,
    /// Whether the policy is the narrower, and so what a link leads out of.
    by_policy: bool,
    /// Whether the policy names the file itself: it means no other, wherever a link leads.
    is_named: bool,
}

impl<'a> Way<'a> {
    fn through(wanted: &'a Path, grant: &'a FileGrant, policy: &'a FileGrant) -> Option<Self> {
        let (granted, allowed) = (grant.below(wanted)?, policy.below(wanted)?);
        let by_policy = depth(allowed) < depth(granted);
        let (wider, narrower, rest) = if by_policy { (grant, policy, allowed) } else { (policy, grant, granted) };
        let outer = Path::new(&wider.path);
        let is_absolute = outer.is_absolute();
        let (outer, inner) = (outer.strip_prefix("/").unwrap_or(outer), wider.below(Path::new(&narrower.path))?);
        // A root that is the file itself stands for the folder that it lies in.
        let (legs, target) = match (is_here(rest), is_here(inner)) {
            (false, _) => ([outer, inner], rest),
            (true, false) => ([outer, folder_in(inner)], name_in(inner)),
            (true, true) => ([folder_in(outer), Path::new(".")], name_in(outer)),
        };
        Some(Self { legs, target, granted, is_absolute, by_policy, is_named: is_here(allowed) })
    }

    /// The folder that the target is resolved beneath. Relative roots lie in the project's folder and may not lead out of it;
    /// absolute ones go through no link.
    fn anchor(&self, base: &Path) -> Result<OwnedFd, Errno> {
        let (start, links) = match self.is_absolute {
            true => (Path::new("/"), ResolveFlags::NO_SYMLINKS),
            false => (base, ResolveFlags::empty()),
        };
        let legs = self.legs.iter().filter(|leg| !is_here(leg));
        legs.cloned()
            .try_fold(folder_at(start)?, |folder, leg| openat2(folder, leg, FOLDER, Mode::empty(), BENEATH | links))
    }
}

fn depth(path: &Path) -> usize {
    path.components().count()
}

/// Whether the path leads nowhere further.
fn is_here(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new(".")
}

fn folder_in(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn name_in(path: &Path) -> &Path {
    path.file_name().map_or(Path::new("."), Path::new)
}

/// The way to the path: through the first grant that covers it, and the widest that the policy says.
fn admitted<'a>(
    path: &'a str,
    grants: &'a Grants,
    policy: &'a Grants,
    write: bool,
    line: impl Fn(&Path) -> Line,
) -> Result<Way<'a>, Fault> {
    let wanted = Path::new(path);
    let covers = |grant: &&FileGrant| (grant.write || !write) && grant.below(wanted).is_some();
    let grant = grants.files.iter().find(covers).filter(|_| !path.contains('\0'));
    let grant = grant.ok_or_else(|| refused(wanted, false, &line))?;
    let allowed = policy.files.iter().filter(covers).max_by_key(|allowed| allowed.below(wanted).map(depth));
    let way = allowed.and_then(|allowed| Way::through(wanted, grant, allowed));
    way.ok_or_else(|| refused(wanted, true, line))
}

/// The fault of the policy, or of the pipeline's grants.
fn refused(wanted: &Path, by_policy: bool, line: impl Fn(&Path) -> Line) -> Fault {
    line(folder_of(wanted)).fault(by_policy)
}

/// The folder that a grant of this file would name.
fn folder_of(wanted: &Path) -> &Path {
    wanted.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn folder_at(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, FOLDER, Mode::empty())
}

/// Where an open file or folder lies, links resolved.
fn real_path(opened: &impl AsRawFd) -> Result<PathBuf, Fault> {
    std::fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd())).map_err(Fault::host)
}

/// Whether it lies where the installation keeps what no step may see: blobs, journals, secrets, native code.
fn is_ours(real: &Path, authority: &Authority) -> bool {
    authority.private.iter().any(|folder| real.starts_with(folder)) || real.iter().any(|part| part == ".stepwell")
}

fn ours(wanted: &Path) -> Fault {
    let message = format!("`{}` is not for steps: it is the installation's own", shown(wanted));
    Fault::new(FaultKind::Denied, message).hinted("keep what steps read and write in folders of their own")
}

/// The server's own among them: its memory and its environment are files there.
fn of_processes(wanted: &Path) -> Fault {
    Fault::new(FaultKind::Denied, format!("`{}` is not for steps: it tells of running processes", shown(wanted)))
}

fn kept(wanted: &Path) -> Fault {
    let message =
        format!("`{}` is not for steps to write: the project is made of it, or something executes it", shown(wanted));
    Fault::new(FaultKind::Denied, message)
        .hinted("write what is no source, component or hidden file, in a folder of its own such as `out`")
}

fn coded(shown: &str, what: &str) -> Fault {
    Fault::new(FaultKind::Denied, format!("`{shown}` is not for steps to write: it is {what}"))
        .hinted("write data that nothing executes: rows as CSV or JSON, weights as safetensors")
}

/// Why a file did not open.
fn unopened(error: Errno, what: &str, wanted: &Path, by_policy: bool, line: impl Fn(&Path) -> Line) -> Fault {
    match error {
        // Nothing but a link is left that could lead out: `..` was refused.
        Errno::XDEV => denied::led_out(line(folder_of(wanted)), by_policy),
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
    use std::os::unix::ffi::OsStrExt;

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
        for link in ["data/out", "data/absolute"] {
            let fault = open(link, "data").unwrap_err();
            let hint = fault.hint.clone().unwrap();
            assert!(fault.message.ends_with("is not granted: a link on the way leads out of its folder"), "{fault}");
            assert!(hint.contains("the folder that the link points to") && !hint.contains("grants ="), "{hint}");
        }
        assert!(open("data/deep/rows.csv", "data/deep/rows.csv").is_ok());
        assert_eq!(open("data/inside", "data/deep/rows.csv").unwrap_err().kind, FaultKind::Denied);
        for memory in ["/proc/self/mem", "/proc/self/environ"] {
            assert_eq!(open(memory, "/").unwrap_err().kind, FaultKind::Denied, "{memory}");
        }
        // The whole file system, granted by the pipeline, is not what a policy of the project's folder allows.
        let outside = super::open("/etc/hostname", base, &granted("/"), &allowed(granted("."))).unwrap_err();
        assert_eq!(outside.kind, FaultKind::Denied);
        assert!(outside.message.contains("policy"), "{outside}");
    }

    #[test]
    fn a_folder_is_listed_beneath_a_root_and_tells_of_regular_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        std::fs::create_dir_all(base.join("data/deep")).unwrap();
        std::fs::create_dir_all(base.join("other")).unwrap();
        std::fs::create_dir_all(base.join("data/.stepwell")).unwrap();
        for name in ["data/b.csv", "data/a.csv", "data/.hidden", "data/deep/c.csv", "other/d.csv"] {
            std::fs::write(base.join(name), "").unwrap();
        }
        std::fs::write(base.join("data").join(std::ffi::OsStr::from_bytes(b"\xff.csv")), "").unwrap();
        std::os::unix::fs::symlink("a.csv", base.join("data/link.csv")).unwrap();
        std::os::unix::fs::symlink("../other", base.join("data/out")).unwrap();
        std::os::unix::fs::symlink("deep", base.join("data/in")).unwrap();
        std::os::unix::fs::symlink("/etc", base.join("data/etc")).unwrap();
        let granted =
            |path: &str| Grants { files: vec![FileGrant { path: path.to_owned(), write: false }], ..Grants::default() };
        let list = |path: &str, root: &str, policy: Grants| list(path, base, &granted(root), &allowed(policy));
        for (path, root, names) in [
            ("data", "data", &["a.csv", "b.csv"][..]),
            ("data/", "data", &["a.csv", "b.csv"]),
            ("data/deep", "data", &["c.csv"]),
            ("data/in", "data", &["c.csv"]),
            ("data/deep", "data/deep", &["c.csv"]),
            (".", ".", &[]),
        ] {
            assert_eq!(list(path, root, Grants::everything()).unwrap(), names, "{path}");
            assert_eq!(list(path, root, granted(root)).unwrap(), names, "{path}");
        }
        for (path, root, kind) in [
            ("data", "data/deep", FaultKind::Denied),
            ("data", "data/a.csv", FaultKind::Denied),
            ("data/..", "data", FaultKind::Denied),
            ("data/../other", "data", FaultKind::Denied),
            ("data/out", "data", FaultKind::Denied),
            ("data/etc", "data", FaultKind::Denied),
            ("data/.stepwell", "data", FaultKind::Denied),
            ("/etc", "data", FaultKind::Denied),
            ("/proc/self", "/", FaultKind::Denied),
            ("data\0", "data", FaultKind::Denied),
            ("", "data", FaultKind::Denied),
            ("data/a.csv", "data", FaultKind::Invalid),
            ("data/none", "data", FaultKind::Invalid),
        ] {
            assert_eq!(list(path, root, Grants::everything()).unwrap_err().kind, kind, "{path}");
        }
        for (path, root, hint) in [
            ("data", "data/deep", "files = [\"data\"]"),
            ("data/out", "data", "grant the folder that the link points to"),
            ("data/etc", "data", "grant the folder that the link points to"),
            ("data/etc", "data/etc", "grant the folder that the link points to"),
            ("", "data", "the project's folder is `.`"),
        ] {
            let told = list(path, root, Grants::everything()).unwrap_err().hint.unwrap();
            assert!(told.contains(hint), "{path} {root}: {told}");
        }
        let other = list("data", "data", granted("other")).unwrap_err();
        assert!(other.message.contains("policy"), "{other}");
        for number in 1..LISTED_MAX {
            std::fs::File::create(base.join(format!("other/{number}"))).unwrap();
        }
        assert_eq!(list("other", "other", Grants::everything()).unwrap().len(), LISTED_MAX);
        std::fs::File::create(base.join("other/more")).unwrap();
        let many = list("other", "other", Grants::everything()).unwrap_err();
        assert!(many.message.contains("more than 10000 entries"), "{many}");
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
        let files = vec![FileGrant { path: "/".to_owned(), write: true }];
        let absolute = Grants { files, ..Grants::default() };
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
        // Whatever it is called, a pickle is none of them; beyond the project what lies where is not ours to know.
        for (base, is_written) in [(base.to_owned(), false), (base.join("elsewhere"), true)] {
            let path = folder.path().canonicalize().unwrap().join("out/rows.csv").display().to_string();
            let (file, mut descriptor) =
                super::create(&path, &base, &absolute, &allowed(Grants::everything())).unwrap();
            descriptor.write_all(b"\x80\x04\x95\x04\0\0\0").unwrap();
            let finished = file.finish();
            assert_eq!(finished.is_ok(), is_written, "{finished:?}");
            assert_eq!(folder.path().join("out/rows.csv").exists(), is_written);
        }
        std::fs::remove_file(base.join("out/rows.csv")).unwrap();
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
            "out/.envrc",
            "out/total.js",
            "steps/rows.csv",
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

    /// A grant may be wider than the policy, as text; what it opens may not.
    #[test]
    fn a_link_leads_out_of_no_policy() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let base = folder.join("acme");
        for below in ["acme/data/deep", "acme/other", "victim"] {
            std::fs::create_dir_all(folder.join(below)).unwrap();
        }
        for file in ["acme/data/deep/rows.csv", "acme/other/rows.csv", "acme/data/other.csv", "victim/rows.csv"] {
            std::fs::write(folder.join(file), "a\n").unwrap();
        }
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, folder.join(at)).unwrap();
        link("../../victim", "acme/data/link");
        link("../other", "acme/data/aside");
        link("deep/rows.csv", "acme/data/inside");
        link("other.csv", "acme/data/named.csv");
        let at = |below: &str| folder.join(below).display().to_string();
        let of =
            |path: &str| Grants { files: vec![FileGrant { path: path.to_owned(), write: true }], ..Grants::default() };
        let absolute = at("acme");
        for (grant, policy, path, reads) in [
            ("/", absolute.as_str(), at("acme/data/deep/rows.csv"), true),
            ("/", &absolute, at("acme/data/inside"), true),
            ("/", &absolute, at("acme/data/link/rows.csv"), false),
            (&absolute, "/", at("acme/data/deep/rows.csv"), true),
            (&absolute, "/", at("acme/data/link/rows.csv"), false),
            ("/", &at("acme/data/deep/rows.csv"), at("acme/data/deep/rows.csv"), true),
            (".", "data", "data/inside".to_owned(), true),
            (".", "data", "data/aside/rows.csv".to_owned(), false),
            // A root that is itself a link out of the other.
            ("data/aside", "data", "data/aside/rows.csv".to_owned(), false),
            ("data", "data/aside", "data/aside/rows.csv".to_owned(), false),
            ("data/aside", ".", "data/aside/rows.csv".to_owned(), true),
            // What the policy names is that file; what the pipeline names may be a link to its neighbour.
            ("data/named.csv", ".", "data/named.csv".to_owned(), true),
            (".", "data/named.csv", "data/named.csv".to_owned(), false),
            ("data/other.csv", "data/other.csv", "data/other.csv".to_owned(), true),
        ] {
            let (grants, authority) = (of(grant), allowed(of(policy)));
            assert_eq!(open(&path, &base, &grants, &authority).is_ok(), reads, "{grant} {policy} {path}");
        }
        let policy = allowed(of(&absolute));
        let fault = open(&at("acme/data/link/rows.csv"), &base, &of("/"), &policy).unwrap_err();
        assert!(fault.kind == FaultKind::Denied && fault.message.contains("policy"), "{fault}");
        let fault = create(&at("acme/data/link/new"), &base, &of("/"), &policy).map(drop).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied);
        create(&at("acme/data/new"), &base, &of("/"), &policy).unwrap().0.finish().unwrap();
        create("data/only.csv", &base, &of("data"), &allowed(of("data/only.csv"))).unwrap().0.finish().unwrap();
        assert!(base.join("data/new").is_file() && base.join("data/only.csv").is_file());
        assert_eq!(std::fs::read_dir(folder.join("victim")).unwrap().count(), 1);
    }
}

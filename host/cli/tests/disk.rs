//! A disk that is full, one that may only be read, blobs that are gone or altered -> an error that says what and where, an exit code, no
//! success that is none; and once it is mended the same command works.
//!
//! The full disk is a small file system of its own, where one may be mounted. Elsewhere a file that may not grow stands for it.

mod harness;

use harness::serving::Serving;
use harness::{Said, command, stepwell};
use ports::Journal;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use store::Store;
use tempfile::TempDir;
use types::{Digest, Record, RunId, TenantId};

const PIPELINE: &str = r#"
[steps.rows]
plugin = "csv"
params = { path = "data/rows.csv", page_rows = 5000 }
grants = { files = ["data"] }

[steps.parts]
plugin = "split"
inputs = { table = "rows.table" }
params = { fractions = { train = 0.75, test = 0.25 } }
seed = 7

[steps.scaled]
plugin = "standardize"
fit = "parts.train"
inputs = { train = "parts.train", test = "parts.test" }
params = { except = ["id"] }
"#;
const ROWS: u32 = 20_000;
/// Of the small file system.
const ROOM_MEBIBYTES: u32 = 16;
/// What is left of it when a run begins: nothing, too little for a step (with 900 it is the worker that finds out), enough.
const LEFT_KIB: [u64; 8] = [0, 256, 640, 900, 1_200, 1_600, 2_000, 6_000];

/// A project whose data folder can be put back to where no run was.
struct Disk {
    // Dropped before the folder that it is mounted in.
    room: Option<Room>,
    folder: TempDir,
    data: PathBuf,
}

/// A small file system. Dropped, it is gone.
struct Room(PathBuf);

impl Room {
    /// None where nothing may be mounted.
    fn mounted(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={ROOM_MEBIBYTES}m,mode=0700");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).status();
        mount.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }

    fn remount(&self, how: &str) {
        let mount = || Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status().unwrap();
        // A worker whose server has gone may hold a file for a moment longer.
        let deadline = Instant::now() + Duration::from_secs(20);
        while !mount().success() {
            assert!(Instant::now() < deadline, "cannot mount {} {how}", self.0.display());
            std::thread::yield_now();
        }
    }

    /// Leaves so much of it, until the file that is given is removed.
    fn fill(&self, left_kib: u64) -> PathBuf {
        let found = rustix::fs::statvfs(&self.0).unwrap();
        let free = found.f_bavail * found.f_frsize;
        let ballast = self.0.join("ballast");
        fs::write(&ballast, vec![0; free.saturating_sub(left_kib << 10) as usize]).unwrap();
        ballast
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Also while something still has it open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

impl Disk {
    /// Its data folder in a room of its own, if there may be one; plugins compiled.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, bytes: &[u8]| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        write("stepwell.toml", b"name = \"narrow\"\n");
        write("pipelines/main.toml", PIPELINE.as_bytes());
        let rows: String = (0..ROWS).map(|id| format!("{id},{}\n", f64::from(id * 7919 % 10_007) / 10_007.0)).collect();
        write("data/rows.csv", format!("id,value\n{rows}").as_bytes());
        let room = Room::mounted(&folder.path().join("room"));
        let data = folder.path().join("room/stored");
        let disk = Self { room, folder, data };
        disk.stepwell(&["check"]).expect("check, which needs `cargo xtask plugins`", 0, &[]);
        copy(&disk.data, &disk.kept());
        disk
    }

    /// The data folder as it was before any run.
    fn kept(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    fn reset(&self) {
        fs::remove_dir_all(&self.data).unwrap();
        copy(&self.kept(), &self.data);
    }

    fn stepwell(&self, arguments: &[&str]) -> Said {
        stepwell(self.folder.path(), &[&["--data", self.data.to_str().unwrap()], arguments].concat())
    }

    /// Each run's state, the newest first.
    fn states(&self) -> Vec<String> {
        let listed = self.stepwell(&["runs", "list", "--json"]).json();
        listed.as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap().to_owned()).collect()
    }

    /// The same command, once everything is mended.
    #[track_caller]
    fn runs_again(&self, what: &str) {
        self.stepwell(&["run"]).expect(what, 0, &["succeeded"]);
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.data.join("tenants/default/blobs").join(&name[..2]).join(&name[2..])
    }

    /// Records of a run. Nobody else may have the folder.
    fn records(&self, run: u64) -> Vec<Record> {
        let store = Store::open(&self.data).unwrap().0;
        store.run_records(&TenantId::default_tenant(), RunId(run)).unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    // As the folder itself is: a data folder is its owner's alone.
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Whatever room is left, a run ends honestly, and well once there is room.
#[test]
fn a_full_disk_is_named_and_nothing_succeeds_that_did_not() {
    let disk = Disk::new();
    let Some(room) = &disk.room else {
        eprintln!("nothing may be mounted here: `a_file_that_may_not_grow_is_named` stands for it");
        return;
    };
    let (mut ends, mut is_hinted) = (BTreeSet::new(), false);
    for left in LEFT_KIB {
        let what = format!("a run with {left} KiB left");
        disk.reset();
        let ballast = room.fill(left);
        let said = disk.stepwell(&["run"]);
        fs::remove_file(ballast).unwrap();
        let (code, states) = (said.code.unwrap(), disk.states());
        match code {
            0 => assert_eq!(states, ["succeeded"], "{what}"),
            _ => {
                said.expect(&what, code, &["No space left on device", disk.data.to_str().unwrap()]);
                is_hinted |= format!("{said:?}").contains("the disk of the data folder is full");
                assert!(
                    !said.out.contains("bug of the host") && !said.err.contains("bug of the host"),
                    "{what}: {said:?}"
                );
                assert!(states.iter().all(|state| state != "succeeded"), "{what}: {states:?}");
            }
        }
        ends.insert(code);
        disk.runs_again(&what);
    }
    // Refused before it began, a step that failed, and a run that had room.
    assert_eq!(ends, BTreeSet::from([0, 1, 3]));
    assert!(is_hinted, "a worker that finds the disk full says what to do");
}

/// A journal that could not be written takes nothing more; the next server goes on from what is on disk.
#[test]
fn a_disk_that_fills_under_a_server_interrupts_its_runs() {
    let disk = Disk::new();
    let Some(room) = &disk.room else {
        eprintln!("nothing may be mounted here: the journal's own tests have a disk that breaks");
        return;
    };
    disk.runs_again("the first run");
    let data = disk.data.to_str().unwrap();
    let serving = Serving::of_data(disk.folder.path(), &disk.data);
    let ballast = room.fill(0);
    // A file has a little room to its block's end: until that is used up too, it is a step that fails.
    let interrupted = (0..4).map(|_| disk.stepwell(&["run"])).find(|said| said.code != Some(3));
    let no_room = ["takes no more records", "No space left on device", data];
    interrupted.expect("a journal of a few blocks").expect("a run without room", 1, &no_room);
    fs::remove_file(ballast).unwrap();
    disk.stepwell(&["run"]).expect("a run after it", 1, &["mend the disk, then start the server again"]);
    assert!(serving.terminate().0.success());
    let states = disk.states();
    assert_eq!(states[0], "running", "the newest stands still: {states:?}");
    let newest = states.len().to_string();
    disk.stepwell(&["runs", "resume", &newest]).expect("the run that had no room", 0, &["succeeded"]);
    disk.runs_again("a run once there is room");
    assert_eq!(disk.states()[..2], ["succeeded"; 2]);
}

/// The index is the first file that must grow. The signal that comes with the limit is not to end the process: it is ignored, as
/// it is in a service.
#[test]
fn a_file_that_may_not_grow_is_named() {
    let disk = Disk::new();
    let data = disk.data.to_str().unwrap();
    let told = command(disk.folder.path(), &[]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 80; exec \"$0\" \"$@\"", told.get_program().to_str().unwrap()]);
    limited.args(["--data", data, "run"]).current_dir(disk.folder.path());
    for (name, value) in told.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let ended = limited.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { code: ended.status.code(), out: text(&ended.stdout), err: text(&ended.stderr) };
    said.expect("a run whose files may not grow", 1, &["File too large", data]);
    assert_eq!(disk.states(), [""; 0], "nothing began");
    disk.runs_again("a run whose files may grow");
}

#[test]
fn a_folder_that_may_only_be_read_is_named() {
    let disk = Disk::new();
    let Some(room) = &disk.room else {
        eprintln!("nothing may be mounted here, and whoever runs the tests may write whatever a mode says");
        return;
    };
    let data = disk.data.to_str().unwrap();
    room.remount("ro");
    for asked in [&["run"][..], &["runs", "list"], &["serve", "--listen", "127.0.0.1:0"]] {
        disk.stepwell(asked).expect(&asked.join(" "), 1, &["Read-only file system", data]);
    }
    room.remount("rw");
    disk.runs_again("a run in a folder that may be written");
}

/// What a collector got earlier is a part of what it gives now.
#[test]
fn a_page_that_is_gone_or_altered_fails_the_run_that_needs_it() {
    let disk = Disk::new();
    disk.runs_again("the first run");
    let records = disk.records(1);
    let page = records.iter().find_map(|record| match record {
        Record::PageCommitted { table, .. } => Some(table.parts[0]),
        _ => None,
    });
    let page = page.expect("the collector gave pages");
    let (file, name) = (disk.blob(page), page.to_string());
    let kept = disk.folder.path().join("page");
    fs::copy(&file, &kept).unwrap();
    fs::remove_file(&file).unwrap();
    disk.stepwell(&["run"]).expect("a run without a page", 3, &["has no blob", &name]);
    fs::copy(&kept, &file).unwrap();
    disk.runs_again("a run with its page");
    alter(&file);
    disk.stepwell(&["run"]).expect(
        "a run with an altered page",
        3,
        &["was altered", &name[2..], "the data folder is damaged"],
    );
    fs::copy(&kept, &file).unwrap();
    disk.runs_again("a run with its page as it was");
    assert_eq!(disk.states(), ["succeeded", "failed", "succeeded", "failed", "succeeded"]);
}

/// What is shown is what was stored, or an error.
#[test]
fn an_output_that_is_gone_or_altered_is_not_shown() {
    let disk = Disk::new();
    disk.runs_again("the first run");
    let shown = disk.stepwell(&["runs", "show", "1", "--json"]).json();
    let scaled = shown["steps"].as_array().unwrap().iter().find(|step| step["step"] == "scaled").unwrap();
    let part: Digest = scaled["outputs"]["test"]["parts"][0].as_str().and_then(Digest::parse).unwrap();
    let (file, name) = (disk.blob(part), part.to_string());
    let rows = || disk.stepwell(&["runs", "rows", "1", "scaled.test", "--limit", "1"]);
    rows().expect("rows as they are", 0, &["1 of 5000 rows"]);
    alter(&file);
    rows().expect("altered rows", 1, &["was altered", &name[2..], "`stepwell audit verify`"]);
    fs::remove_file(&file).unwrap();
    rows().expect("rows that are gone", 1, &["has no blob", &name]);
    // A run makes them anew.
    disk.runs_again("a run over it");
    rows().expect("rows made anew", 0, &["1 of 5000 rows"]);
}

/// Flips a bit in the middle of the values.
fn alter(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let at = bytes.len() * 2 / 3;
    bytes[at] ^= 4;
    // A blob is written by nobody, by its mode.
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

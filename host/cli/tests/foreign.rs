//! A project from a stranger -> what it ships in its `.stepwell` leads nowhere and is never executed natively, and no file
//! of it runs outside the sandbox.

mod harness;

use harness::{Project, compiled};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

const OUTSIDE: &str = "a file of somebody else";

/// Puts something into the data folder at a path. The last is a folder outside, which holds `file`.
type Ship = fn(&Path, &Path);

/// What a folder at the path would lead to, and a file.
const FOLDER: Ship = |place, outside| symlink(outside, place).unwrap();
const FILE: Ship = |place, outside| symlink(outside.join("file"), place).unwrap();
const SECOND_NAME: Ship = |place, outside| fs::hard_link(outside.join("file"), place).unwrap();
const SOCKET: Ship = |place, _| drop(UnixListener::bind(place).unwrap());
const PIPE: Ship = |place, _| assert!(std::process::Command::new("mkfifo").arg(place).status().unwrap().success());

#[test]
fn a_data_folder_that_leads_out_is_refused_and_nothing_outside_is_touched() {
    for (place, ship, kind) in [
        ("tenants", FOLDER, "link"),
        ("tenants/default", FOLDER, "link"),
        ("tenants/default/logs", FOLDER, "link"),
        ("tenants/default/logs/1.ndjson", FILE, "link"),
        ("tenants/default/logs/1.ndjson", SECOND_NAME, "file with a second name"),
        ("tenants/default/reports", FOLDER, "link"),
        ("tenants/default/reports/run-1.html", FILE, "link"),
        ("tenants/default/reports/run-1.html", SECOND_NAME, "file with a second name"),
        ("tenants/default/incoming", FOLDER, "link"),
        ("tenants/default/scratch", FOLDER, "link"),
        ("tenants/default/journal", FOLDER, "link"),
        ("tenants/default/blobs", FOLDER, "link"),
        ("tenants/default/blobs/ab", FOLDER, "link"),
        ("index", FOLDER, "link"),
        ("index/db", FILE, "link"),
        ("lock", SECOND_NAME, "file with a second name"),
        ("socket", FILE, "link"),
        ("tenants/default/logs/pipe", PIPE, "pipe"),
        ("tenants/socket", SOCKET, "socket"),
    ] {
        let (project, outside) = (Project::cold(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("file"), OUTSIDE).unwrap();
        let shipped = project.path(".stepwell").join(place);
        fs::create_dir_all(shipped.parent().unwrap()).unwrap();
        ship(&shipped, outside.path());
        for command in [&["check"][..], &["run"], &["runs", "list"], &["serve", "--listen", "127.0.0.1:0"]] {
            let says = format!("`.stepwell/{place}` is a {kind}; a data folder holds none");
            project.stepwell(command).expect(place, 2, &[&says, "remove the data folder if it came with a project"]);
        }
        assert_eq!(fs::read_to_string(outside.path().join("file")).unwrap(), OUTSIDE, "{place}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{place}: something was left outside");
    }
}

#[test]
fn the_data_folder_or_its_lock_as_a_link_is_refused() {
    for (place, says) in
        [(".stepwell", "is a link, expected a folder"), (".stepwell/lock", "cannot use the data folder")]
    {
        let (project, outside) = (Project::cold(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("file"), OUTSIDE).unwrap();
        let target = if place == ".stepwell" { outside.path().to_owned() } else { outside.path().join("file") };
        fs::create_dir_all(project.path(place).parent().unwrap()).unwrap();
        symlink(target, project.path(place)).unwrap();
        let said = project.stepwell(&["check"]);
        assert!(matches!(said.code, Some(1 | 2)) && said.err.contains(says), "{said:?}");
        assert_eq!(fs::read_to_string(outside.path().join("file")).unwrap(), OUTSIDE, "{place}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{place}: something was left outside");
    }
}

/// What it says is believed, so it is refused before: here a policy that lets steps read everything.
#[test]
fn a_data_folder_from_elsewhere_is_refused_until_it_is_trusted() {
    let project = Project::cold();
    let all = "files = [{ path = \"/\", write = true }]";
    project.stepwell(&["tenant", "policy", "default", "--allow", all]).expect("a folder of one's own", 0, &[]);
    let (mark, state) = (project.read(".stepwell/mark"), project.path(".cache/state"));
    for (whose, marked) in
        [("elsewhere", Some(mark.as_str())), ("an earlier version", None), ("a path", Some("../known"))]
    {
        // Somebody else's machine knows nothing of it.
        fs::remove_dir_all(&state).unwrap();
        match marked {
            Some(mark) => project.write(".stepwell/mark", mark),
            None => fs::remove_file(project.path(".stepwell/mark")).unwrap(),
        }
        for command in [
            &["check"][..],
            &["run"],
            &["runs", "list"],
            &["runs", "resume", "1"],
            &["tenant", "policy", "default"],
            &["secret", "list"],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            project.stepwell(command).expect(whose, 2, &["was not made by you here", "remove it", "--trust-data"]);
        }
        project.stepwell(&["runs", "list", "--trust-data"]).expect(whose, 0, &[]);
        project.stepwell(&["runs", "list"]).expect("it is known from now on", 0, &[]);
        assert_ne!(project.read(".stepwell/mark"), mark, "whoever sent it has seen its mark");
    }
    fs::remove_dir_all(&state).unwrap();
    let said = |value: &str| {
        let mut command = harness::command(&project.path(""), &["runs", "list"]);
        command.env("STEPWELL_TRUST_DATA", value).status().unwrap().code()
    };
    assert_eq!([said("0"), said("1"), said("0")], [Some(2), Some(0), Some(0)]);
    // A new one is one's own without a word.
    fs::remove_dir_all(project.path(".stepwell")).unwrap();
    project.stepwell(&["tenant", "policy", "default"]).expect("a new folder", 0, &["path = \".\""]);
}

#[test]
fn what_workers_left_is_removed_with_its_links_at_the_next_start() {
    let (project, outside) = (Project::new(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("file"), OUTSIDE).unwrap();
    let left = project.path(".stepwell/tenants/default/scratch/1-0");
    fs::create_dir_all(&left).unwrap();
    symlink(outside.path(), left.join("link")).unwrap();
    project.stepwell(&["check"]).expect("check", 0, &[]);
    assert!(!left.exists());
    assert_eq!(fs::read_to_string(outside.path().join("file")).unwrap(), OUTSIDE);
}

#[test]
fn others_may_not_look_into_the_data_folder_and_the_cache() {
    let project = Project::new();
    let folders = [project.path(".stepwell"), project.path(".cache/stepwell")];
    for folder in &folders {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    project.stepwell(&["check"]).expect("check", 0, &[]);
    for folder in &folders {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
    }
}

/// Garbage under the names that native code has would fail to load, were it looked at.
#[test]
fn native_code_that_a_project_ships_is_not_loaded() {
    let project = Project::new();
    let ours = compiled::folder_of(&project.path("")).join("default");
    let shipped = project.path(".stepwell/tenants/default/compiled");
    fs::create_dir_all(&shipped).unwrap();
    let mut forged = 0;
    for entry in fs::read_dir(&ours).unwrap().map(Result::unwrap) {
        fs::write(shipped.join(entry.file_name()), "\x7fELF, forged").unwrap();
        forged += usize::from(entry.file_name().to_str().unwrap().ends_with(".cwasm"));
    }
    assert!(forged >= 5, "native code lies elsewhere: {forged} files in {}", ours.display());
    // Nor when there is no other.
    for _ in 0..2 {
        project.stepwell(&["check"]).expect("check", 0, &["is sound"]);
        assert_eq!(fs::read_dir(&ours).unwrap().count(), fs::read_dir(&shipped).unwrap().count());
        fs::remove_dir_all(&ours).unwrap();
    }
}

/// Native code is kept in the user's cache under the digest of its component: a blob with other bytes must not become it.
#[test]
fn a_component_that_a_project_ships_under_anothers_name_is_not_compiled() {
    let project = Project::new();
    let forged = components(&project.path(".stepwell/tenants/default/blobs"));
    assert!(forged.len() >= 5, "components lie elsewhere: {forged:?}");
    for blob in &forged {
        fs::remove_file(blob).unwrap();
        fs::write(blob, "\0asm, forged").unwrap();
    }
    fs::remove_dir_all(compiled::folder_of(&project.path(""))).unwrap();
    project.stepwell(&["check"]).expect("check", 0, &["is sound"]);
    let mended = forged.iter().filter(|blob| fs::read(blob).unwrap() != b"\0asm, forged").count();
    assert!(mended >= 5, "{mended} of {forged:?}");
}

fn components(blobs: &Path) -> Vec<std::path::PathBuf> {
    let folders = fs::read_dir(blobs).unwrap().map(|folder| folder.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
    files.filter(|file| fs::read(file).unwrap().starts_with(b"\0asm")).collect()
}

/// The command works in the project's folder, where Python would look first for what the build imports.
#[test]
fn a_build_runs_no_file_of_the_project() {
    let project = Project::cold();
    let step = "from stepwell import RowWise\n\n\nclass Same(RowWise):\n    reads = {}\n    adds = {}\n\n    \
                def apply(self, rows):\n        return rows\n";
    project.write("steps/same.py", step);
    let pipeline = "[steps.rows]\nplugin = \"csv\"\nparams = { path = \"data/tumour.csv\" }\ngrants = { files = [\"data\"] }\n\
                    [steps.same]\nplugin = \"./steps/same.py\"\ninputs = { rows = \"rows.table\" }\n";
    project.write(harness::TRAIN, pipeline);
    for decoy in ["stepwell/__init__.py", "stepwell/build.py", "venv.py", "argparse.py", "steps/argparse.py", "ast.py"]
    {
        project.write(decoy, "open('ran', 'w').close()\nraise SystemExit(0)\n");
    }
    project.stepwell(&["check"]).expect("check", 0, &["building `steps/same.py`", "is sound"]);
    for ran in ["ran", "steps/ran", ".cache/stepwell/ran"] {
        assert!(!project.path(ran).exists(), "a file of the project ran outside the sandbox");
    }
    let built = fs::read_dir(project.path(".cache/stepwell/built")).unwrap();
    let names: Vec<_> = built.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 1, "a build leaves the component alone, in the cache: {names:?}");
    assert!(!project.path(".stepwell/built").exists());
}

/// The first use of the tool makes an environment with the machine's own Python, here one that stops after saying whose
/// `venv` it would run.
#[test]
fn the_environment_of_the_tool_is_not_made_by_a_file_of_the_project() {
    let project = Project::cold();
    project.write("steps/same.py", "");
    project.write(harness::TRAIN, "[steps.same]\nplugin = \"./steps/same.py\"\n");
    project.write("venv.py", "open('ran', 'w').close()\n");
    project.write("bin/python3", "#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\npython3 \"$@\" --help >&2\nexit 1\n");
    fs::set_permissions(project.path("bin/python3"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = harness::command(&project.path(""), &["check"]);
    let path = format!("{}:/usr/bin:/bin", project.path("bin").display());
    let said = command.env("PATH", path).env("XDG_CACHE_HOME", project.path("empty")).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("making a Python environment") && text.contains("--clear"), "{text}");
    for ran in ["ran", "empty/stepwell/ran"] {
        assert!(!project.path(ran).exists(), "a file of the project ran outside the sandbox: {text}");
    }
}

//! What a person gets wrong -> what is said about it, with which exit code; nothing is registered, and the same command
//! works once the cause is mended. Each case is a project of its own.

mod harness;

use harness::{Project, Said, TRAIN};
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, Write};
use std::net::TcpListener;
use std::process::Stdio;

/// A way to spoil a project.
enum Spoil<'a> {
    /// In the pipeline: this text, that one instead.
    Pipeline(&'a str, &'a str),
    /// In another file.
    File(&'a str, &'a str, &'a str),
    Remove(&'a str),
    /// A line of the data: its first two cells, and how many of the others stay.
    Data {
        line: usize,
        cells: &'a str,
        rest: usize,
    },
    /// The split is done by `./own.wasm`, which holds these bytes.
    Plugin(fn(Vec<u8>) -> Vec<u8>),
}

/// Every cell after the first two.
const ALL: usize = 30;
const DATA: &str = "data/tumour.csv";

/// Spoils a project. Gives the file that mends it, and what it must hold.
fn spoil(project: &Project, how: &Spoil<'_>) -> (String, Vec<u8>) {
    let before = |file: &str| (file.to_owned(), std::fs::read(project.path(file)).unwrap());
    match how {
        Spoil::Pipeline(old, new) => {
            let kept = before(TRAIN);
            project.edit(TRAIN, old, new);
            kept
        }
        Spoil::File(file, old, new) => {
            let kept = before(file);
            project.edit(file, old, new);
            kept
        }
        Spoil::Remove(file) => {
            let kept = before(file);
            std::fs::remove_file(project.path(file)).unwrap();
            kept
        }
        Spoil::Data { line, cells, rest } => {
            let kept = before(DATA);
            project.edit_line(DATA, *line, |text| {
                let kept: Vec<&str> = text.split(',').skip(2).take(*rest).collect();
                format!("{cells},{}", kept.join(","))
            });
            kept
        }
        Spoil::Plugin(change) => {
            let own = std::fs::read(plugin("split")).unwrap();
            project.edit(TRAIN, "\"split\"", "\"./own.wasm\"");
            project.write("own.wasm", change(own.clone()));
            ("own.wasm".to_owned(), own)
        }
    }
}

fn plugin(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("plugins").join(format!("{name}.wasm"))
}

/// Spoils a project, holds what `run` says, mends it and runs again. `{at}` in a fragment is where the text that was put
/// into the pipeline stands.
fn check(name: &str, how: Spoil<'_>, code: i32, fragments: &[&str]) {
    let project = Project::new();
    let (file, mended) = spoil(&project, &how);
    let at = match &how {
        Spoil::Pipeline(_, new) => place(&project, new),
        Spoil::Plugin(_) => place(&project, "./own.wasm"),
        _ => String::new(),
    };
    let fragments: Vec<String> = fragments.iter().map(|fragment| fragment.replace("{at}", &at)).collect();
    let fragments: Vec<&str> = fragments.iter().map(String::as_str).collect();
    project.stepwell(&["run"]).expect(name, code, &fragments);
    if code == 2 {
        project.stepwell(&["check"]).expect(&format!("{name}, checked"), 2, &fragments);
        assert_eq!(project.stepwell(&["runs", "list", "--json"]).json(), json!([]), "{name}: a run began");
    }
    assert_eq!(project.stepwell(&["model", "list", "--json"]).json(), json!([]), "{name}: something was registered");
    project.write(&file, mended);
    project.stepwell(&["run"]).expect(&format!("{name}, mended"), 0, &["registered model `tumour` version 1"]);
}

/// `pipelines/train.toml:LINE:` of a text's first line.
fn place(project: &Project, text: &str) -> String {
    let first = text.lines().next().unwrap();
    let line = project.read(TRAIN).lines().position(|line| line.contains(first)).unwrap() + 1;
    format!("{TRAIN}:{line}:")
}

#[test]
fn misspelt_keys_stop_before_anything_runs() {
    use Spoil::{File, Pipeline};
    let unknown = ["{at}", "unknown key `plugn` in step `parts`", "did you mean `plugin`?", "^^^^^"];
    check("a key of a step", Pipeline("plugin = \"split\"", "plugn = \"split\""), 2, &unknown);
    let says = ["stepwell.toml:", "unknown key `modle` in an endpoint", "did you mean `model`?"];
    check("a key of the project", File("stepwell.toml", "model =", "modle ="), 2, &says);
    let says = ["{at}", "plugin `split` has no parameter `statify`", "did you mean `stratify`?"];
    check("a parameter", Pipeline("stratify =", "statify ="), 2, &says);
    let says = ["{at}", "there is no plugin `standardise`", "did you mean `standardize`?"];
    check("a plugin", Pipeline("\"standardize\"", "\"standardise\""), 2, &says);
    let says = ["{at}", "this is not TOML"];
    check("no TOML", Pipeline("seed = 7", "seed = "), 2, &says);
}

#[test]
fn all_problems_are_told_at_once() {
    let project = Project::new();
    project.edit(TRAIN, "\"standardize\"", "\"standardise\"");
    project.edit(TRAIN, "plugin = \"split\"", "plugn = \"split\"");
    project.edit("stepwell.toml", "alias", "alais");
    let said = project.stepwell(&["run"]);
    said.expect(
        "several mistakes",
        2,
        &["unknown key `plugn`", "unknown key `alais`", "problems in the project; nothing was run"],
    );
}

#[test]
fn wrong_wiring_names_both_ends() {
    use Spoil::Pipeline;
    let says = ["{at}", "step `parts` takes `cheked.table`", "no such step", "did you mean `checked`?"];
    check("no such step", Pipeline("\"checked.table\"", "\"cheked.table\""), 2, &says);
    let says = ["{at}", "step `parts` takes `checked.tabel`", "no such port", "did you mean `table`?"];
    check("no such port", Pipeline("\"checked.table\"", "\"checked.tabel\""), 2, &says);
    let says = ["{at}", "step `model` wants column `diagnos`", "`scaled.train`", "did you mean `diagnosis`?"];
    check("no such column", Pipeline("label = \"diagnosis\"\nignore", "label = \"diagnos\"\nignore"), 2, &says);
}

#[test]
fn wrong_parameters_stop_before_anything_runs() {
    use Spoil::{Pipeline, Remove};
    let says = ["{at}", "step `parts`: parameter `fractions.test` is a string, expected number"];
    check("a text for a number", Pipeline("test = 0.25", "test = \"x\""), 2, &says);
    let says = ["step `parts`", "`fractions`", "expected fractions that sum to 1, got a sum of 1.5"];
    check("fractions beyond 1", Pipeline("test = 0.25", "test = 0.75"), 2, &says);
    let says = ["step `checked`", "columns.mean_radius.type", "expected the name of a type", "got `flot64`"];
    check("no type", Pipeline("mean_radius = { type = \"float64\"", "mean_radius = { type = \"flot64\""), 2, &says);
    let says = [TRAIN, "step `patients`", "cannot open `data/tumour.csv`", "no such file"];
    check("no data", Remove(DATA), 2, &says);
    check("no pipeline", Remove(TRAIN), 2, &["the project has no pipelines", "pipelines/NAME.toml"]);
    check("no manifest", Remove("stepwell.toml"), 2, &["there is no `stepwell.toml`"]);
}

#[test]
fn a_device_that_cannot_be_had_stops_before_anything_runs() {
    let with = |plugin: &str, device: &str| format!("plugin = \"{plugin}\"\ndevice = \"{device}\"");
    let (learner, fitted) = ("plugin = \"logistic\"", "plugin = \"standardize\"");
    let absent = ["step `model`: there is no `cuda:7`", "say `device = \"auto\"`", "train.toml"];
    check("no such device", Spoil::Pipeline(learner, &with("logistic", "cuda:7")), 2, &absent);
    let unlike = ["cannot have the device `auto`", "the same bits here and behind an endpoint"];
    check("a served step", Spoil::Pipeline(fitted, &with("standardize", "auto")), 2, &unlike);
}

#[test]
fn broken_rows_fail_the_run_and_name_the_line() {
    use Spoil::{Data, Pipeline};
    let says = ["step `patients`", "`data/tumour.csv`", "line 100", "expected 32 cells, got 12", "run 1 failed"];
    check("a short row", Data { line: 100, cells: "99,14.5", rest: 10 }, 3, &says);
    let says = [
        "step `patients`",
        "`data/tumour.csv`: line 100, column `mean_radius`: expected a number like the 568 others, got `abc`",
        "columns = { mean_radius = \"text\" }",
    ];
    check("a cell of text, type inferred", Data { line: 100, cells: "99,abc", rest: ALL }, 2, &says);
    let says = ["step `checked`", "type of `mean_radius`", "expected int64, got float64", "run 1 failed"];
    check("another type", Pipeline("mean_radius = { type = \"float64\"", "mean_radius = { type = \"int64\""), 3, &says);
    let says = ["step `checked`", "`mean_radus`", "expected present, got absent"];
    check("an absent column", Pipeline("columns.mean_radius", "columns.mean_radus"), 3, &says);
}

#[test]
fn a_cell_that_is_not_of_its_stated_type_is_named_with_its_line() {
    let project = Project::new();
    let path = "params = { path = \"data/tumour.csv\" }";
    project.edit(TRAIN, path, "params = { path = \"data/tumour.csv\", columns = { mean_radius = \"float64\" } }");
    let whole = project.read(DATA);
    project.edit_line(DATA, 100, |line| line.replacen(line.split(',').nth(1).unwrap(), "abc", 1));
    let says =
        ["step `patients`", "`data/tumour.csv`", "line 100, column `mean_radius`: expected `float64`, got `abc`"];
    project.stepwell(&["run"]).expect("a cell of text, type stated", 3, &says);
    project.write(DATA, whole);
    project.run();
}

#[test]
fn violated_rules_show_the_offending_rows() {
    use Spoil::Data;
    let says = ["step `checked`", "min of `mean_radius`", "expected at least 0", "row 99: -5.5", "run 1 failed"];
    check("out of range", Data { line: 100, cells: "99,-5.5", rest: ALL }, 3, &says);
    let says = ["step `checked`", "unique of `sample`", "expected each value once", "row 99: 7", "run 1 failed"];
    check("twice", Data { line: 100, cells: "7,14.5", rest: ALL }, 3, &says);
}

#[test]
fn a_gate_that_fails_registers_nothing() {
    use Spoil::Pipeline;
    let says = ["gate failed", "roc_auc", "is not at least 0.9999", "run 1 rejected"];
    check("a high bar", Pipeline("at_least = 0.99", "at_least = 0.9999"), 4, &says);
    let says = ["gate failed", "rocauc was not measured", "run 1 rejected"];
    check("no such measure", Pipeline("\"roc_auc\"", "\"rocauc\""), 4, &says);
}

#[test]
fn plugins_that_are_none_are_refused() {
    use Spoil::{File, Pipeline, Plugin};
    let none = ["{at}", "step `parts`", "not a component that can run here"];
    check("cut off", Plugin(|bytes| bytes[..5000].to_vec()), 2, &none);
    check("empty", Plugin(|_| Vec::new()), 2, &none);
    check("a core module", Plugin(|_| b"\0asm\x01\0\0\0".to_vec()), 2, &none);
    check("a text", Plugin(|_| b"I am no plugin".to_vec()), 2, &none);
    check("a flipped bit", Plugin(flipped), 2, &["{at}", "step `parts`"]);
    check(
        "absent",
        Spoil::File(TRAIN, "\"split\"", "\"./absent.wasm\""),
        2,
        &[TRAIN, "`./absent.wasm` cannot be read"],
    );
    let says = ["{at}", "`../own.wasm`", "begins with `./`"];
    check("outside", Pipeline("\"split\"", "\"../own.wasm\""), 2, &says);
    let lock = Project::new().read("stepwell.lock");
    let pinned = lock.lines().find_map(|line| line.strip_prefix("digest = \"")).unwrap();
    let (pinned, other) = (&pinned[..12], pinned[..12].chars().rev().collect::<String>());
    let says = ["stepwell.lock", "expected", &other, "got", pinned, "stepwell check --update-lock"];
    check("not the pinned one", File("stepwell.lock", pinned, &other), 2, &says);
}

#[test]
fn step_files_without_end_are_refused() {
    for (file, bytes, most) in [("own.wasm", 257 << 20, "256 MiB"), ("steps/own.py", 17 << 20, "16 MiB")] {
        let project = Project::new();
        project.edit(TRAIN, "\"split\"", &format!("\"./{file}\""));
        project.write(file, "");
        File::options().write(true).open(project.path(file)).unwrap().set_len(bytes).unwrap();
        let longer = format!("it is longer than {most}");
        project.stepwell(&["run"]).expect(
            file,
            2,
            &[&place(&project, &format!("\"./{file}\"")), "cannot read", &longer],
        );
    }
}

/// The opcode of an instruction in the middle becomes one that there is not.
fn flipped(mut bytes: Vec<u8>) -> Vec<u8> {
    // In the layer field, which says component; a bit elsewhere may stand in a text that nobody reads.
    bytes[6] ^= 1;
    bytes
}

#[test]
fn every_flipped_bit_is_an_error_or_harmless() {
    let project = Project::new();
    let own = std::fs::read(plugin("split")).unwrap();
    project.edit(TRAIN, "\"split\"", "\"./own.wasm\"");
    for part in 1..=12 {
        let mut bytes = own.clone();
        let place = own.len() * part / 13;
        bytes[place] ^= 1 << (part % 8);
        project.write("own.wasm", &bytes);
        let said = project.stepwell(&["check", "--update-lock"]);
        let code = said.code.unwrap();
        assert!(code == 0 || code == 2, "bit {} of byte {place}: {said:?}", part % 8);
        said.expect("a flipped bit", code, &[]);
    }
    project.write("own.wasm", own);
    project.stepwell(&["check", "--update-lock"]).expect("mended", 0, &[]);
    project.run();
}

#[test]
fn an_accepted_lock_is_kept() {
    let project = Project::new();
    let lock = project.read("stepwell.lock");
    let digest = lock.lines().find_map(|line| line.strip_prefix("digest = \"")).unwrap();
    let other: String = digest[..12].chars().rev().collect();
    project.edit("stepwell.lock", &digest[..12], &other);
    project.stepwell(&["run"]).expect("another plugin", 2, &["--update-lock"]);
    project.stepwell(&["check", "--update-lock"]).expect("accepted", 0, &["is sound"]);
    assert_eq!(project.read("stepwell.lock"), lock);
    project.run();
}

#[test]
fn mended_data_is_read_again() {
    let project = Project::new();
    project.run();
    let radius = |run: u64, sample: i64| {
        let rows = project.rows(run, "patients.table");
        let found: Vec<_> = rows.iter().filter(|row| row["sample"] == sample).collect();
        assert_eq!(found.len(), 1, "sample {sample} of {} rows", rows.len());
        found[0]["mean_radius"].as_f64().unwrap()
    };
    let sample: i64 = project.read(DATA).lines().nth(299).unwrap().split(',').next().unwrap().parse().unwrap();
    let set = |to: &str| {
        project.edit_line(DATA, 300, |line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{},{to},{}", cells[0], cells[2..].join(","))
        })
    };
    set("-1.5");
    project.stepwell(&["run"]).expect("broken in the middle", 3, &["min of `mean_radius`", "-1.5"]);
    set("15.625");
    project.run();
    assert_eq!(radius(3, sample), 15.625);
    let appended = project.read(DATA).lines().nth(1).unwrap().replacen("1,", "5001,", 1);
    project.write(DATA, project.read(DATA) + &appended + "\n");
    let said = project.stepwell(&["run", "--json"]);
    said.expect("an appended row", 0, &["\"event\":\"page\",\"step\":\"patients\",\"attempt\":1,\"rows\":1,"]);
    assert_eq!(project.rows(4, "patients.table").len(), 570);
    assert_eq!(radius(4, 5001), radius(4, 1));
}

#[test]
fn a_python_step_that_does_not_parse_is_named_with_its_line() {
    let project = Project::new();
    let step = include_str!("../../../examples/tumour/steps/concavity_by_size.py");
    let spoiled = step.replacen("class ConcavityBySize(RowWise):", "class ConcavityBySize(RowWise:", 1);
    let line = step.lines().position(|line| line.starts_with("class")).unwrap() + 1;
    project.write("steps/derive.py", &spoiled);
    let derived = "[steps.derived]\nplugin = \"./steps/derive.py\"\ninputs = { train = \"scaled.train\", test = \"scaled.test\" }\n";
    project.write(TRAIN, project.read(TRAIN).replace("scaled.t", "derived.t") + "\n" + derived);
    let says = [&place(&project, "./steps/derive.py"), "`steps/derive.py`", &format!("line {line}"), "expected Python"];
    project.stepwell(&["run"]).expect("no Python", 2, &says);
    assert_eq!(project.stepwell(&["model", "list", "--json"]).json(), json!([]));
    project.write("steps/derive.py", step);
    project.run();
}

#[test]
fn serving_needs_a_free_loopback_address() {
    let project = Project::new();
    project.run();
    for outside in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let said = project.stepwell(&["serve", "--listen", outside]);
        said.expect(outside, 2, &["will not listen on", outside, "127.0.0.1"]);
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = project.stepwell(&["serve", "--listen", &address]);
    said.expect("a taken port", 2, &["cannot listen on", &address, "in use", "--listen 127.0.0.1:0"]);
    assert!(!project.path(".stepwell/socket").exists());
    drop(taken);
    let (ended, _) = project.serve().terminate();
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn a_data_folder_has_one_owner() {
    let project = Project::new();
    let mut lock = File::options().write(true).truncate(true).open(project.path(".stepwell/lock")).unwrap();
    lock.lock().unwrap();
    let own = std::process::id().to_string();
    lock.write_all(own.as_bytes()).unwrap();
    let refused = |arguments: &[&str]| -> Said { project.stepwell(arguments) };
    let every: [&[&str]; 6] = [
        &["run"],
        &["check"],
        &["runs", "list"],
        &["model", "list"],
        &["serve", "--listen", "127.0.0.1:0"],
        &["runs", "show", "1"],
    ];
    for arguments in every {
        let in_use = format!("in use by process {own}");
        let says = ["data folder", ".stepwell", &in_use, "stepwell serve"];
        refused(arguments).expect(&arguments.join(" "), 2, &says);
    }
    // One that is to listen is waited for; it ends here before it does.
    write!(lock, " serve").unwrap();
    let mut waiting = harness::command(&project.path(""), &["runs", "list"]);
    let mut waiting = waiting.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("waiting for `stepwell serve`") && told.contains("does not listen yet"), "{told}");
    lock.unlock().unwrap();
    assert!(waiting.wait().unwrap().success());
    lock.lock().unwrap();
    // As a killed server's children have it, until they begin their own program.
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let dead = child.id();
    lock.set_len(0).unwrap();
    lock.rewind().unwrap();
    write!(lock, "{dead}").unwrap();
    let left = format!("in use by what process {dead}, which is dead, left behind");
    refused(&["runs", "list"]).expect("it is still held after a while", 2, &[&left]);
    drop(lock);
    project.run();
}

#[test]
fn what_a_stranger_named_does_nothing_to_a_terminal() {
    let project = Project::new();
    let named = "x\u{1b}[2J\u{202e}\nerror: another";
    for arguments in [["runs", "rows", "1", named], ["model", "show", named, "1"], ["-C", named, "runs", "list"]] {
        let said = project.stepwell(&arguments);
        assert_ne!(said.code, Some(0), "{arguments:?}");
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.err.contains(obeyed), "{:?}", said.err);
        assert!(!said.err.lines().skip(1).any(|line| line.starts_with("error")), "{:?}", said.err);
    }
}

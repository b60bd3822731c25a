//! Every command: the same answer alone as beside a server, its help, its JSON, its exit codes, and no panic whatever is
//! typed.

mod harness;

use harness::{Project, Said, stepwell};
use serde_json::{Value, json};

/// What reads only, and so must answer alike to the letter.
const READS: [&[&str]; 17] = [
    &["runs", "list"],
    &["runs", "list", "--state", "succeeded", "--limit", "1"],
    &["runs", "diff", "1", "1", "--all"],
    &["runs", "show", "1"],
    &["runs", "logs", "1"],
    &["runs", "logs", "1", "--step", "model"],
    &["runs", "rows", "1", "predicted.table"],
    &["runs", "rows", "1", "predicted.table", "--limit", "0"],
    &["model", "list"],
    &["model", "show", "tumour"],
    &["model", "show", "tumour", "champion"],
    &["check"],
    &["check", "train"],
    &["runs", "show", "77"],
    &["runs", "logs", "77"],
    &["model", "show", "absent"],
    &["gc", "--dry-run", "--keep-runs", "1"],
];

fn answers(project: &Project) -> Vec<Said> {
    let plain = READS.iter().map(|arguments| project.stepwell(arguments));
    let json = READS.iter().map(|arguments| project.stepwell(&[arguments, &["--json"][..]].concat()));
    plain.chain(json).collect()
}

#[test]
fn reading_is_the_same_alone_and_beside_a_server() {
    let project = Project::new();
    project.run();
    // Whoever loads a version for the first time keeps golden requests of it, and what shows the version tells of them.
    project.serve().terminate();
    let alone = answers(&project);
    let serving = project.serve();
    let beside = answers(&project);
    for (position, (alone, beside)) in alone.iter().zip(&beside).enumerate() {
        assert_eq!(alone, beside, "`{}`", READS[position % READS.len()].join(" "));
    }
    for (position, said) in alone.iter().enumerate() {
        let arguments = READS[position % READS.len()];
        let code = if arguments.iter().any(|word| ["77", "absent"].contains(word)) { 5 } else { 0 };
        said.expect(&arguments.join(" "), code, &[]);
    }
    drop(serving);
    // A server that was killed left its socket; nobody listens there, so the command is the owner again.
    assert!(project.path(".stepwell/socket").exists());
    assert_eq!(answers(&project), alone);
}

#[test]
fn running_is_the_same_alone_and_beside_a_server() {
    let project = Project::new();
    let run = || project.stepwell(&["run", "--no-cache"]);
    let alone = (run(), project.stepwell(&["run", "train", "--no-cache", "--json"]));
    let serving = project.serve();
    let beside = (run(), project.stepwell(&["run", "train", "--no-cache", "--json"]));
    assert_eq!(without_numbers(&alone.0), without_numbers(&beside.0));
    assert_eq!(events(&alone.1), events(&beside.1));
    let runs = project.stepwell(&["runs", "list", "--json"]).json();
    let numbers: Vec<_> = runs.as_array().unwrap().iter().map(|run| run["run"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    drop(serving);
    project.edit(harness::TRAIN, "at_least = 0.99", "at_least = 0.9999");
    let alone = run();
    alone.expect("a gate that fails, alone", 4, &["run 5 rejected"]);
    let _serving = project.serve();
    let beside = run();
    beside.expect("a gate that fails, beside a server", 4, &["run 6 rejected"]);
    assert_eq!(without_numbers(&alone), without_numbers(&beside));
}

/// What a run says, without what it cost and which number it has.
fn without_numbers(said: &Said) -> (Vec<String>, String) {
    let line = |line: &str| {
        let kept = line.split("  (").next().unwrap_or(line);
        kept.chars().filter(|letter| !letter.is_ascii_digit()).collect()
    };
    (said.out.lines().map(line).collect(), said.err.clone())
}

/// The events of `run --json` that every run of the same plan has, in their order.
fn events(said: &Said) -> Vec<Value> {
    said.expect("run --json", 0, &[]);
    let lines = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let chatter = ["log", "progress", "metric", "page"];
    let of = |line: Value| {
        let event = &line["event"];
        let kind = event["event"].as_str().or(event["kind"].as_str()).or(event["type"].as_str()).map(str::to_owned);
        (!chatter.contains(&kind.as_deref().unwrap_or_default())).then(|| json!([line["line"], kind, event["step"]]))
    };
    let events: Vec<Value> = lines.filter_map(of).collect();
    assert!(events.len() > 18, "nine steps start and commit: {events:?}");
    events
}

#[test]
fn help_says_what_a_command_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let helps: [(&[&str], &str); 39] = [
        (&[], "Exit codes: 0 done"),
        (&["init"], "Make a new project that runs at once"),
        (&["check"], "without running it"),
        (&["run"], "Run a pipeline and show its progress"),
        (&["runs"], "Look at runs"),
        (&["runs", "list"], "the newest first"),
        (&["runs", "show"], "its steps, what they used and gave"),
        (&["runs", "logs"], "What the steps of a run logged"),
        (&["runs", "resume"], "Go on with an interrupted run"),
        (&["runs", "cancel"], "Stop a run"),
        (&["runs", "rows"], "STEP.PORT"),
        (&["runs", "rerun"], "what it had before that step stands"),
        (&["runs", "replay"], "compare every output"),
        (&["runs", "diff"], "How two runs differ"),
        (&["gc"], "Say what would go"),
        (&["schedule"], "fire once they are deployed"),
        (&["schedule", "preview"], "why where clocks change"),
        (&["schedule", "list"], "All deployed schedules"),
        (&["schedule", "pause"], "Hold a schedule"),
        (&["schedule", "resume"], "go on from now"),
        (&["schedule", "history"], "why others did not run"),
        (&["schedule", "backfill"], "both ends included"),
        (&["trigger"], "starts deployed pipelines by itself"),
        (&["trigger", "list"], "whether it can fire"),
        (&["deploy"], "shows what differs"),
        (&["deploy", "history"], "All versions of a project"),
        (&["deploy", "rollback"], "Bring an earlier version back"),
        (&["model"], "Look at registered models"),
        (&["model", "list"], "their versions and aliases"),
        (&["model", "show"], "what it needs and gives"),
        (&["serve"], "Open Inference Protocol v2"),
        (&["secret"], "steps send and never see"),
        (&["secret", "set"], "standard input"),
        (&["tenant"], "several clients apart"),
        (&["tenant", "create"], "unless a policy says otherwise"),
        (&["tenant", "policy"], "from the next attempt on"),
        (&["tenant", "quota"], "CPU time of its workers in a day"),
        (&["tenant", "suspend"], "can be resumed later"),
        (&["tenant", "delete"], "whether anything is left"),
    ];
    for (words, phrase) in helps {
        let said = stepwell(folder.path(), &[words, &["--help"][..]].concat());
        said.expect(&format!("{} --help", words.join(" ")), 0, &[]);
        let text = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(phrase) && text.contains("--json"), "`{phrase}` in the help of {words:?}:\n{}", said.out);
    }
    stepwell(folder.path(), &["--version"]).expect("--version", 0, &["stepwell 0"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "help makes nothing");
}

#[test]
fn json_holds_what_the_text_says() {
    let project = Project::new();
    project.run();
    let json = |arguments: &[&str]| project.stepwell(&[arguments, &["--json"][..]].concat()).json();
    let runs = json(&["runs", "list"]);
    assert_eq!(
        (&runs[0]["run"], &runs[0]["state"], &runs[0]["pipeline"]),
        (&json!(1), &json!("succeeded"), &json!("train"))
    );
    let shown = json(&["runs", "show", "1"]);
    assert_eq!(shown["summary"], runs[0]);
    assert!(shown["steps"].as_array().unwrap().iter().all(|step| step["state"] == "committed"), "{shown}");
    assert_eq!(json(&["model", "list"]), json!([{ "model": "tumour", "versions": [1], "aliases": { "champion": 1 } }]));
    let version = json(&["model", "show", "tumour", "champion"]);
    assert_eq!((&version["model"], &version["version"], &version["run"]), (&json!("tumour"), &json!(1), &json!(1)));
    assert_eq!(version["request"].as_array().unwrap().len(), 30);
    let checked = json(&["check"]);
    assert_eq!((&checked[0]["pipeline"], &checked[0]["served"]), (&json!("train"), &json!(["scaled", "model"])));
    let rows = json(&["runs", "rows", "1", "predicted.table", "--limit", "3"]);
    assert_eq!((rows["rows"].as_array().unwrap().len(), &rows["total"]), (3, &json!(142)));
    let made = json(&["init", "another"]);
    assert_eq!(made["project"], "another");
}

#[test]
fn a_schedule_is_previewed() {
    let project = Project::cold();
    let preview = |arguments: &[&str]| project.stepwell(&[&["schedule", "preview"], arguments].concat());
    preview(&["train"]).expect("no schedule", 5, &["pipeline `train` has no schedule", "schedule.cron"]);
    preview(&["trian"]).expect("no pipeline", 5, &["no pipeline `trian`", "did you mean `train`?"]);
    let table = "[schedule]\ncron = \"30 2 * * *\"\nzone = \"Europe/Berlin\"\n\n[steps.patients]";
    project.edit(harness::TRAIN, "[steps.patients]", table);
    let spring = ["train", "--from", "2026-03-28", "--to", "2026-03-30"];
    let moved = "clocks go forward over 02:30: runs when they go on";
    let rows = ["`30 2 * * *` in Europe/Berlin", "2026-03-29 03:00:00 +02:00  2026-03-29T01:00:00Z", moved];
    preview(&spring).expect("spring", 0, &rows);
    let said = preview(&[&spring[..], &["--count", "2", "--json"]].concat()).json();
    assert_eq!((&said["rows"][1]["why"], &said["more"]), (&json!(moved), &json!(true)));
    preview(&["train"]).expect("from now on", 0, &["and more"]);
    preview(&["train", "--from", "soon"]).expect("no time", 2, &["--from: `soon` is no point in time"]);
    preview(&["train", "--count", "10001"]).expect("too many", 2, &["10001", "1..=10000"]);
    assert!(!project.path(".stepwell").exists(), "a preview makes nothing");
    project.edit(harness::TRAIN, "30 2 * * *", "0 30 2 * * *");
    preview(&["train"]).expect("a wrong one", 2, &["seconds are not part of it: write `30 2 * * *`"]);
}

#[test]
fn check_says_whether_a_schedule_is_deployed() {
    let project = Project::new();
    let silent = "has a schedule that is not deployed";
    assert!(!project.stepwell(&["check"]).err.contains(silent));
    project.edit(harness::TRAIN, "[steps.patients]", "[schedule]\ncron = \"@daily\"\n\n[steps.patients]");
    project.stepwell(&["check"]).expect("a schedule", 0, &["pipeline `train` is sound", silent, "`stepwell deploy`"]);
    project.stepwell(&["deploy", "--yes"]).expect("deploy", 0, &["deployed version 1"]);
    assert!(!project.stepwell(&["check"]).err.contains(silent));
    project.edit(harness::TRAIN, "@daily", "@hourly");
    project.stepwell(&["check"]).expect("another schedule", 0, &[silent]);
}

#[test]
fn logs_are_kept_with_their_step() {
    let project = Project::new();
    project.edit(
        harness::TRAIN,
        "label = \"diagnosis\"\nignore",
        "params = { max_iterations = 1 }\nlabel = \"diagnosis\"\nignore",
    );
    project.edit(harness::TRAIN, "at_least = 0.99", "at_least = 0.5");
    let warning = "stopped after 1 iterations";
    project.run().expect("a warning is shown as it comes", 0, &[&format!("warn: {warning}")]);
    let logs = |arguments: &[&str]| project.stepwell(&[&["runs", "logs", "1"], arguments].concat());
    logs(&[]).expect("logs", 0, &["model  warn", warning]);
    assert_eq!(logs(&["--step", "model"]), logs(&[]));
    assert_eq!(logs(&["--step", "parts"]).out, "");
    let said = logs(&["--json"]).out;
    let line: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!((&line["step"], &line["level"]), (&json!("model"), &json!("warn")), "{said}");
}

#[test]
fn what_is_not_there_is_said() {
    let project = Project::new();
    project.run();
    let cases: [(&[&str], i32, &str); 21] = [
        (&["runs", "show", "77"], 5, "there is no run 77"),
        (&["runs", "show", "0"], 5, "there is no run 0"),
        (&["runs", "logs", "77"], 5, "there is no run 77"),
        (&["runs", "logs", "1", "--step", "absent"], 5, "run 1 has no step `absent`"),
        (&["runs", "resume", "77"], 5, "there is no run 77"),
        (&["runs", "resume", "1"], 2, "run 1 has succeeded already"),
        (&["runs", "cancel", "77"], 5, "there is no run 77"),
        (&["runs", "cancel", "1"], 2, "run 1 has succeeded already"),
        (&["runs", "rows", "77", "predicted.table"], 5, "there is no run 77"),
        (&["runs", "rows", "1", "absent.table"], 5, "run 1 has no output `absent.table`"),
        (&["runs", "rows", "1", "model.model"], 2, "`model.model` is a model, not a table"),
        (&["runs", "rows", "1", "predicted"], 2, "expected STEP.PORT"),
        (&["model", "show", "absent"], 5, "there is no model `absent`"),
        (&["model", "show", "tumour", "99"], 5, "model `tumour` has no version `99`"),
        (&["model", "show", "tumour", "absent"], 5, "model `tumour` has no version `absent`"),
        (&["run", "trian"], 5, "did you mean `train`?"),
        (&["check", "trian"], 5, "did you mean `train`?"),
        (&["-C", "absent", "run"], 2, "cannot use the folder `absent`"),
        (&["-C", "data", "runs", "list"], 2, "it has no `stepwell.toml`"),
        (&["frobnicate"], 2, "unrecognized subcommand"),
        (&["runs", "frobnicate"], 2, "unrecognized subcommand"),
    ];
    let check = || {
        for (arguments, code, says) in cases {
            project.stepwell(arguments).expect(&arguments.join(" "), code, &[says]);
        }
    };
    check();
    let _serving = project.serve();
    check();
}

#[test]
fn nothing_that_is_typed_makes_a_panic() {
    let project = Project::new();
    project.run();
    let check = || {
        for strange in strange_texts() {
            let strange = strange.as_str();
            let typed: [&[&str]; 16] = [
                &["run", strange],
                &["check", strange],
                &["runs", "show", strange],
                &["runs", "logs", strange],
                &["runs", "logs", "1", "--step", strange],
                &["runs", "resume", strange],
                &["runs", "cancel", strange],
                &["runs", "rows", strange, "predicted.table"],
                &["runs", "rows", "1", strange],
                &["runs", "rows", "1", "predicted.table", "--limit", strange],
                &["model", "show", strange],
                &["model", "show", "tumour", strange],
                &["serve", "--listen", strange],
                &["-C", strange, "frobnicate"],
                &["--data", strange, "frobnicate"],
                &[strange],
            ];
            for arguments in typed {
                let said = project.stepwell(arguments);
                let code = said.code.expect("no signal");
                let large = arguments.contains(&"--limit") && code == 0;
                assert!(large || [2, 5].contains(&code), "{arguments:?}: {said:?}");
                said.expect(&format!("{arguments:?}"), code, &[]);
            }
        }
    };
    check();
    let _serving = project.serve();
    check();
}

fn strange_texts() -> Vec<String> {
    let long = "x".repeat(4000);
    let texts = [
        "",
        " ",
        "..",
        "../..",
        "/",
        "-1",
        "0x10",
        "18446744073709551615",
        "18446744073709551616",
        "1e400",
        "NaN",
        "a.b.c",
        "a/b.c",
        "%2e%2e%2f.table",
        "predicted.table?limit=1",
        "predicted.table#x",
        "predicted.table x",
        "ä.ö",
        "\u{1b}[31m",
        "a\nb",
        &long,
    ];
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn init_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let init = |name: &str| stepwell(folder.path(), &["init", name]);
    init("tumour").expect("a new folder", 0, &["made project `tumour`", "stepwell -C tumour run"]);
    let manifest = folder.path().join("tumour/stepwell.toml");
    std::fs::write(&manifest, "mine").unwrap();
    init("tumour").expect("a project", 2, &["is there already; nothing was written"]);
    assert_eq!(std::fs::read_to_string(&manifest).unwrap(), "mine");
    std::fs::create_dir_all(folder.path().join("half/data")).unwrap();
    std::fs::write(folder.path().join("half/README.md"), "mine").unwrap();
    init("half").expect("a folder with a README", 2, &["README.md", "nothing was written"]);
    assert!(!folder.path().join("half/stepwell.toml").exists());
    for bad in ["no name", "1st", "äö", ""] {
        let said = init(bad);
        said.expect(bad, 2, &[]);
    }
    std::fs::write(folder.path().join("file"), "mine").unwrap();
    init("file").expect("a file", 2, &["cannot make"]);
    let mut there: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, ["file", "half", "tumour"]);
}

#[test]
fn init_takes_a_folder_that_is_there_but_holds_nothing_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("here/.git")).unwrap();
    let here = folder.path().join("here");
    stepwell(&here, &["init", "."]).expect("init .", 0, &["made project `here`"]);
    stepwell(&here, &["init", "."]).expect("init . again", 2, &["nothing was written"]);
}

//! The registry as a person uses it: aliases move with a record and come back, versions carry tags, cards and differences, and
//! one travels as a file; the records can be audited.

mod harness;

use harness::{Project, TRAIN};
use serde_json::{Value, json};

/// A project with two versions that answer otherwise; the second is the champion.
fn two_versions() -> Project {
    let project = Project::new();
    project.edit(TRAIN, "at_least = 0.99", "at_least = 0.9");
    let said =
        "alias = \"champion\"\nintended_use = \"A second reading.\"\nlimitations = \"One hospital | its patients.\"";
    project.edit(TRAIN, "alias = \"champion\"", said);
    project.run();
    project.edit(TRAIN, "seed = 7", "seed = 8");
    project.run();
    project
}

fn champion(project: &Project) -> Value {
    project.stepwell(&["model", "list", "--json"]).json()[0]["aliases"]["champion"].clone()
}

#[test]
fn an_alias_moves_with_a_record_and_comes_back_with_the_next_request() {
    let project = two_versions();
    let serving = project.serve();
    let rows = project.rows(1, "parts.test");
    let version = || {
        serving.post("/v2/models/tumour/infer", serving.infer_body(&rows[..1]).to_string()).good()["model_version"]
            .clone()
    };
    assert_eq!(version(), "2");
    let second = serving.infer(&rows);
    project.stepwell(&["model", "promote", "tumour", "1", "--why", "2 is wrong for men"]).expect(
        "promote",
        0,
        &["is version 1 now, from version 2"],
    );
    assert_eq!(version(), "1");
    assert_ne!(serving.infer(&rows), second);
    project.stepwell(&["model", "rollback", "tumour"]).expect("rollback", 0, &["is version 2 now, from version 1"]);
    assert_eq!((version(), serving.infer(&rows)), (json!("2"), second));
    drop(serving);
    // Without a server the command does it itself.
    project.stepwell(&["model", "rollback", "tumour", "--why", "again"]).expect("rollback", 0, &["is version 1 now"]);
    let again = project.stepwell(&["model", "rollback", "tumour"]);
    again.expect("nothing before", 2, &["no version of model `tumour` was `champion` before version 1"]);
    let history = project.stepwell(&["model", "history", "tumour", "--json"]).json();
    let moves: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|moved| json!([moved["from"], moved["to"], moved["rollback"]]))
        .collect();
    assert_eq!(json!(moves), json!([[null, 1, false], [1, 2, false], [2, 1, false], [1, 2, true], [2, 1, true]]));
    assert_eq!(history[2]["why"], "2 is wrong for men");
    // A machine of tests may run without USER: then the user's number says who it was.
    let user = std::env::var("USER").ok().filter(|name| !name.is_empty());
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    assert!(history.as_array().unwrap().iter().all(|moved| moved["by"] == json!(user)), "{history}");
    project.stepwell(&["model", "history", "tumour"]).expect(
        "history",
        0,
        &["2 is wrong for men", "rollback: again", "run 2 registered it"],
    );
    let at = |time: &str| project.stepwell(&["model", "at", "tumour", time, "--json"]).json()["moved"]["to"].clone();
    assert_eq!((at("2020-01-01"), at("2099-01-01T00:00Z")), (Value::Null, json!(1)));
    project.stepwell(&["model", "at", "tumour", "2099-01-01"]).expect(
        "at",
        0,
        &["version 1 of model `tumour` was `champion`", "again"],
    );
}

#[test]
fn an_alias_is_taken_away_and_comes_back_but_not_from_an_endpoint() {
    let project = two_versions();
    project.stepwell(&["model", "promote", "tumour", "1", "--alias", "trial", "--why", "x"]).expect("promote", 0, &[]);
    let unalias = |alias: &str| project.stepwell(&["model", "unalias", "tumour", alias, "--why", "done with it"]);
    unalias("trial").expect("unalias", 0, &["`trial` of model `tumour` is no version now, from version 1"]);
    assert_eq!(project.stepwell(&["model", "list", "--json"]).json()[0]["aliases"], json!({ "champion": 2 }));
    project.stepwell(&["model", "history", "tumour"]).expect("history", 0, &["done with it"]);
    project.stepwell(&["model", "at", "tumour", "2099-01-01", "--alias", "trial"]).expect(
        "at",
        0,
        &["no version of model `tumour` was `trial`, since", "done with it"],
    );
    let back = project.stepwell(&["model", "rollback", "tumour", "--alias", "trial"]);
    back.expect("rollback", 0, &["`trial` of model `tumour` is version 1 now"]);
    let serving = project.serve();
    unalias("champion").expect("an endpoint has it", 2, &["endpoint `tumour` answers with `champion`"]);
    drop(serving);
    assert_eq!(champion(&project), 2);
    // Nobody answers with it while nothing is served.
    unalias("champion").expect("unalias", 0, &["is no version now"]);
    project.stepwell(&["audit", "verify"]).expect("audit", 0, &[]);
}

#[test]
fn a_version_that_asks_for_other_columns_is_promoted_with_a_warning() {
    let project = two_versions();
    project.edit(TRAIN, "ignore = [\"sample\"]", "ignore = [\"sample\", \"mean_area\"]");
    // Without the step that reads all of them.
    project.edit(TRAIN, "\"scaled.train\"", "\"parts.train\"");
    project.edit(TRAIN, "\"scaled.test\"", "\"parts.test\"");
    project.run();
    let promote = |version: &str| project.stepwell(&["model", "promote", "tumour", version, "--why", "x"]);
    promote("2").expect("back", 0, &["warning: its requests have `mean_area` (float64) besides"]);
    promote("3").expect("again", 0, &["warning: its requests have no `mean_area`"]);
    project.stepwell(&["model", "rollback", "tumour"]).expect("rollback", 0, &["`mean_area` (float64) besides"]);
    let alike = promote("1");
    alike.expect("alike", 0, &["is version 1 now"]);
    assert!(!alike.err.contains("warning"), "{alike:?}");
}

#[test]
fn what_cannot_be_moved_or_written_is_refused() {
    let project = Project::new();
    project.run();
    for (arguments, code, says) in [
        (&["promote", "tumour", "1", "--why", "x"][..], 2, "`champion` of model `tumour` is version 1 already"),
        (&["promote", "tumour", "9", "--why", "x"], 5, "model `tumour` has no version `9`; it has 1"),
        (&["promote", "tumour", "1", "--alias", "9", "--why", "x"], 2, "`9` is no alias"),
        (&["promote", "tumour", "1", "--alias", "challenger", "--why", " "], 2, "the reason is empty"),
        (&["promote", "tumour", "1", "--alias", "challenger"], 2, "--why"),
        (&["promote", "absent", "1", "--why", "x"], 5, "there is no model `absent`"),
        (&["rollback", "tumour", "--alias", "nobody"], 2, "no version of model `tumour` was ever `nobody`"),
        (&["tag", "tumour", "1", "Stage=x"], 2, "`Stage` is no key of a tag"),
        (&["untag", "tumour", "1", "stage"], 5, "has no tag `stage`"),
        (&["at", "tumour", "soon"], 2, "`soon` is no point in time"),
        (&["import", "absent.stepwell"], 2, "cannot read"),
        (&["export", "tumour", "1", "stepwell.toml"], 2, "it is there already"),
        (&["export", "tumour", "1", "absent/1.tar"], 2, "there is no such file or folder"),
        (&["unalias", "tumour", "challenger", "--why", "x"], 5, "no version of model `tumour` is `challenger`"),
        (&["unalias", "tumour", "champion", "--why", " "], 2, "the reason is empty"),
        (&["unalias", "tumour", "champion"], 2, "--why"),
    ] {
        project.stepwell(&[&["model"], arguments].concat()).expect(&format!("{arguments:?}"), code, &[says]);
    }
    let long = format!("stage={}", "x".repeat(2000));
    project.stepwell(&["model", "tag", "tumour", "1", &long]).expect("a long value", 2, &["at most 1024"]);
    assert_eq!(champion(&project), 1);
}

#[test]
fn a_version_carries_tags_a_card_and_differences() {
    let project = two_versions();
    project.stepwell(&["model", "tag", "tumour", "champion", "stage=trial"]).expect("tag", 0, &["stage = trial"]);
    project.stepwell(&["model", "tag", "tumour", "2", "reviewed"]).expect("tag", 0, &["reviewed, stage = trial"]);
    project.stepwell(&["model", "untag", "tumour", "2", "stage"]).expect("untag", 0, &["tags: reviewed"]);
    project.stepwell(&["model", "show", "tumour"]).expect("show", 0, &["tags: reviewed", "aliases: champion"]);
    let card = project.stepwell(&["model", "card", "tumour"]);
    card.expect(
        "card",
        0,
        &[
            "# Model card: tumour, version 2",
            "A second reading.",
            "One hospital \\| its patients.",
            "| parts.train | 427 |",
            "| roc_auc | all rows |",
            "The gate passed",
            "| model | plugin logistic |",
            "run 2 registered it",
            "| tag | reviewed |",
        ],
    );
    project.stepwell(&["model", "card", "tumour", "1", "--html", "card.html"]).expect("html", 0, &["wrote card.html"]);
    let html = project.read("card.html");
    assert!(html.starts_with("<!doctype html>") && html.contains("<h1>Model card: tumour, version 1</h1>"), "{html}");
    assert!(html.contains("One hospital | its patients."), "{html}");
    let diff = project.stepwell(&["model", "diff", "tumour", "1", "champion"]);
    diff.expect("diff", 0, &["version 1", "version 2", "roc_auc", "file", "input"]);
    assert!(!diff.out.contains("column"), "equal columns are not told: {}", diff.out);
    project.stepwell(&["model", "diff", "tumour", "1", "1"]).expect("diff", 0, &["differ in nothing that counts"]);
    // The same again is another version that answers alike.
    project.run();
    project.stepwell(&["model", "show", "tumour"]).expect("show", 0, &["answers alike, bit for bit: version 2"]);
}

#[test]
fn a_version_travels_as_a_file_and_answers_alike_elsewhere() {
    let project = two_versions();
    let elsewhere = Project::new();
    let file = elsewhere.path("tumour-1.tar");
    let file = file.to_str().unwrap();
    project.stepwell(&["model", "export", "tumour", "1", file]).expect("export", 0, &["wrote version 1 of `tumour`"]);
    elsewhere.stepwell(&["model", "import", file]).expect(
        "import",
        0,
        &["registered version 1 of model `tumour`", "no alias"],
    );
    elsewhere.stepwell(&["model", "import", file]).expect(
        "again",
        2,
        &["version 1 of model `tumour` is this one already"],
    );
    elsewhere.stepwell(&["model", "import", file, "--name", "other"]).expect("import", 0, &["model `other`"]);
    elsewhere.stepwell(&["model", "promote", "tumour", "1", "--why", "from afar"]).expect("promote", 0, &[]);
    // It was never loaded; the other was, and what it answered then comes along.
    assert!(!elsewhere.stepwell(&["model", "show", "tumour"]).out.contains("golden"));
    drop(project.serve());
    let loaded = elsewhere.path("tumour-2.tar");
    let loaded = loaded.to_str().unwrap();
    project.stepwell(&["model", "export", "tumour", "2", loaded]).expect("export", 0, &[]);
    elsewhere.stepwell(&["model", "import", loaded]).expect("import", 0, &["registered version 2"]);
    elsewhere.stepwell(&["model", "show", "tumour", "2"]).expect("show", 0, &["golden requests: 8"]);
    elsewhere.stepwell(&["model", "card", "other"]).expect(
        "card",
        0,
        &[
            "of another installation, where it was tumour 1",
            "Imported from a file: its measures, verdict, purpose and lineage are the word of whoever made the file",
            "As its file says; nothing of this was measured here.",
            "Its file says: the gate",
        ],
    );
    let page = elsewhere.stepwell(&["model", "card", "other", "--html", "card.html"]);
    page.expect("card", 0, &[]);
    assert!(elsewhere.read("card.html").contains("Its file says: the gate"));
    let says =
        ["from a file;", "are the word of whoever made the file", "measured, as its file says", "its file says: gate"];
    elsewhere.stepwell(&["model", "show", "other"]).expect("show", 0, &says);
    let own = project.stepwell(&["model", "card", "tumour"]);
    own.expect("card", 0, &["The gate"]);
    assert!(!own.out.contains("file says"), "{}", own.out);
    elsewhere.stepwell(&["audit", "verify"]).expect("audit", 0, &["sound"]);
    let rows = project.rows(1, "parts.test");
    let expected: Vec<_> =
        project.rows(1, "predicted.table").iter().map(|row| row["probability"].as_f64().unwrap().to_bits()).collect();
    let answered: Vec<_> = elsewhere.serve().infer(&rows).into_iter().map(f64::to_bits).collect();
    assert_eq!(answered, expected);
    let mut bytes = std::fs::read(file).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[last] ^= 1;
    elsewhere.write("changed.tar", bytes);
    let changed = elsewhere.stepwell(&["model", "import", "changed.tar", "--name", "third"]);
    changed.expect(
        "changed",
        2,
        &["the file is no exported model", "do not have that digest", "nothing was registered"],
    );
}

#[test]
fn an_audit_says_what_was_changed_beside_a_server_and_without_one() {
    let project = Project::new();
    project.run();
    let heads = project.stepwell(&["audit", "head", "--json"]).json();
    let head = heads[0]["head"].as_str().unwrap().to_owned();
    project.stepwell(&["audit", "verify", "--head", &head]).expect("verify", 0, &["sound", "tenant default"]);
    let serving = project.serve();
    project.stepwell(&["model", "tag", "tumour", "1", "stage=trial"]).expect("tag", 0, &[]);
    project.stepwell(&["audit", "verify", "--head", &head]).expect("verify beside a server", 0, &["sound"]);
    let version = project.stepwell(&["model", "show", "tumour", "--json"]).json();
    let weights = version["predictor"]["state"][0]["digest"].as_str().unwrap().to_owned();
    let blob = project.path(&format!(".stepwell/tenants/default/blobs/{}/{}", &weights[..2], &weights[2..]));
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, b"others").unwrap();
    project.stepwell(&["audit", "verify"]).expect("a changed blob", 1, &["its bytes were changed", "not sound"]);
    drop(serving);
    let other = "00".repeat(32);
    let found = project.stepwell(&["audit", "verify", "--head", &other, "--json"]);
    assert_eq!(found.code, Some(1), "{found:?}");
    let found: Value = serde_json::from_str(&found.out).unwrap();
    let flaws: Vec<_> = found["flaws"].as_array().unwrap().iter().map(|flaw| flaw.as_str().unwrap()).collect();
    assert_eq!(flaws.len(), 2, "{flaws:?}");
    assert!(flaws[0].contains(&other) && flaws[1].contains(&weights[2..]), "{flaws:?}");
    // What is too damaged to be opened can be audited all the same.
    let segment = project.path(".stepwell/tenants/default/journal/00000001.segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    project.stepwell(&["runs", "list"]).expect("a server opens nothing damaged", 1, &["is damaged at byte"]);
    project.stepwell(&["audit", "verify"]).expect("an audit", 1, &["is damaged at byte", "not sound"]);
    project.stepwell(&["audit", "verify", "--head", "x"]).expect("no hash", 2, &["64 hexadecimal digits"]);
}

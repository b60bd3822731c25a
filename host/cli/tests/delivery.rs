//! Delivery as an application sees it: shares that are kept, canaries that take over or do not, and no request dropped or mixed
//! when versions change under load.

mod harness;

use harness::http::request;
use harness::serving::Serving;
use harness::{Project, TRAIN};
use ports::Journal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use types::{Golden, ModelName, Record, TenantId};

/// Beyond the time that anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);
const INFER: &str = "/v2/models/tumour/infer";

/// A project whose endpoint says this, with two versions that answer otherwise: 1 is the champion.
fn project(traffic: &str) -> Project {
    let project = Project::new();
    project.edit(TRAIN, "at_least = 0.99", "at_least = 0.9");
    project.run();
    project.edit(TRAIN, "seed = 7", "seed = 8");
    project.edit(TRAIN, "alias = \"champion\"\n", "");
    project.run();
    let manifest = project.read("stepwell.toml");
    project.write("stepwell.toml", format!("{manifest}\n{traffic}"));
    project
}

fn promote(project: &Project, version: &str, alias: &str) {
    let arguments = ["model", "promote", "tumour", version, "--alias", alias, "--why", "a test"];
    project.stepwell(&arguments).expect("promote", 0, &[]);
}

/// What each version answers to a request, asked alone.
fn answers(project: &Project, body: &dyn Fn(&Serving) -> String) -> BTreeMap<String, Value> {
    let serving = project.serve();
    let body = body(&serving);
    let mut answers = BTreeMap::new();
    for version in ["1", "2"] {
        if champion(project) != version.parse::<u64>().unwrap() {
            promote(project, version, "champion");
        }
        let answer = serving.post(INFER, &body).good();
        assert_eq!(answer["model_version"], version);
        answers.insert(version.to_owned(), answer["outputs"].clone());
    }
    promote(project, "1", "champion");
    assert_ne!(answers["1"], answers["2"]);
    answers
}

fn champion(project: &Project) -> Value {
    project.stepwell(&["model", "list", "--json"]).json()[0]["aliases"]["champion"].clone()
}

fn endpoint(project: &Project) -> Value {
    project.stepwell(&["endpoint", "show", "tumour", "--json"]).json()
}

/// Asks until the endpoint is as it should be; the versions that answered.
#[track_caller]
fn ask_until(project: &Project, serving: &Serving, body: &str, is_so: &dyn Fn(&Value) -> bool) -> Vec<String> {
    let deadline = Instant::now() + DEADLINE;
    let mut versions = Vec::new();
    loop {
        for _ in 0..20 {
            versions.push(serving.post(INFER, body).good()["model_version"].as_str().unwrap().to_owned());
        }
        let endpoint = endpoint(project);
        if is_so(&endpoint) {
            return versions;
        }
        assert!(Instant::now() < deadline, "{endpoint:#}\n{}", serving.said());
    }
}

fn phase(endpoint: &Value) -> &str {
    endpoint["moves"].as_array().unwrap().last().and_then(|moved| moved["rollout"]["phase"].as_str()).unwrap_or("none")
}

fn one_row(project: &Project) -> impl Fn(&Serving) -> String {
    let rows = project.rows(1, "parts.test");
    move |serving| serving.infer_body(&rows[..1]).to_string()
}

#[test]
fn a_share_is_kept_and_a_key_stays_with_its_version() {
    let project = project("split = { challenger = 25 }\nsticky = { column = \"mean_radius\" }\n");
    promote(&project, "2", "challenger");
    let rows = project.rows(1, "parts.test");
    let serving = project.serve();
    let version = |row: &Value| {
        let body = serving.infer_body(std::slice::from_ref(row)).to_string();
        serving.post(INFER, body).good()["model_version"].as_str().unwrap().to_owned()
    };
    let first: Vec<_> = rows.iter().map(version).collect();
    let challenged = first.iter().filter(|version| *version == "2").count();
    assert!((15..=60).contains(&challenged), "{challenged} of 142 keys, about 36 were expected");
    assert_eq!(rows.iter().map(version).collect::<Vec<_>>(), first, "the same key, the same version");
    let shares = endpoint(&project)["shares"].clone();
    assert_eq!(shares, json!([{ "alias": "challenger", "version": 2, "percent": 25 }]));
    // Whoever wants one of the versions can have it, and is told of both.
    let about = |path: &str| serving.get(&format!("/v2/models/tumour{path}")).good();
    assert_eq!(about("")["versions"], json!(["1", "2"]));
    let body = serving.infer_body(&rows[..1]).to_string();
    for version in ["1", "2"] {
        let at = format!("/versions/{version}");
        assert_eq!(
            (&about(&at)["versions"], &about(&format!("{at}/ready"))["ready"]),
            (&json!(["1", "2"]), &json!(true))
        );
        let answer = serving.post(&format!("/v2/models/tumour{at}/infer"), &body).good();
        assert_eq!(answer["model_version"], version);
        let stats = about(&format!("{at}/stats"))["model_stats"].clone();
        assert_eq!((&stats[0]["version"], stats.as_array().unwrap().len()), (&json!(version), 1));
        assert!(stats[0]["execution_count"].as_u64() > Some(20), "{stats}");
    }
    assert_eq!(about("/stats")["model_stats"].as_array().unwrap().len(), 2);
    let index = serving.post("/v2/repository/index", "{}").good();
    assert_eq!(
        (&index[0]["version"], &index[1]["version"], &index[1]["state"]),
        (&json!("1"), &json!("2"), &json!("READY"))
    );
    assert_eq!(serving.get("/v2/models/tumour/versions/3").status, 404);
    drop(serving);
    project.edit("stepwell.toml", "sticky = { column = \"mean_radius\" }\n", "");
    let serving = project.serve();
    let body = serving.infer_body(&rows[..1]).to_string();
    let versions: Vec<_> = (0..200).map(|_| serving.post(INFER, &body).good()["model_version"].clone()).collect();
    let challenged = versions.iter().filter(|version| **version == "2").count();
    assert!((48..=52).contains(&challenged), "{challenged} of 200, 50 were expected");
    project.stepwell(&["endpoint", "list"]).expect(
        "list",
        0,
        &["version 1 (champion) 75 %, version 2 (challenger) 25 %"],
    );
}

#[test]
fn a_canary_takes_over_step_by_step_and_a_restart_goes_on() {
    let project = project(
        "[endpoints.tumour.canary]\nalias = \"challenger\"\nsteps = [{ set_weight = 20 }, { pause = {} }, \
         { analyse = { requests = 20, error_rate = 0.01, latency_ratio = 1000, shift = 1.0 } }, { set_weight = 60 }, { pause = \"1 ms\" }]\n",
    );
    let body = one_row(&project);
    let serving = project.serve();
    let asked = body(&serving);
    assert_eq!(phase(&endpoint(&project)), "none");
    promote(&project, "2", "challenger");
    let versions = ask_until(&project, &serving, &asked, &|endpoint| phase(endpoint) == "paused");
    assert!(versions.iter().any(|version| version == "1"));
    drop(serving);
    // Commands work without a server as well, and the next one goes on where this one was.
    project.stepwell(&["endpoint", "list"]).expect("list", 0, &["version 2 paused, step 2 of 5, 20 %"]);
    project.stepwell(&["endpoint", "resume", "tumour", "--why", "looks good"]).expect("resume", 0, &["progressing"]);
    let serving = project.serve();
    let versions = ask_until(&project, &serving, &asked, &|endpoint| phase(endpoint) == "promoted");
    assert!(["1", "2"].iter().all(|version| versions.iter().any(|seen| seen == version)), "{versions:?}");
    assert_eq!(serving.post(INFER, &asked).good()["model_version"], "2");
    assert_eq!(champion(&project), 2);
    let said = project.stepwell(&["endpoint", "show", "tumour"]);
    said.expect("show", 0, &["looks good", "the pause is over", "all steps are done", "0.00 % of requests failed"]);
    project.stepwell(&["model", "history", "tumour"]).expect(
        "history",
        0,
        &["canary of endpoint `tumour`: all steps are done"],
    );
    project.stepwell(&["endpoint", "abort", "tumour"]).expect("over", 2, &["version 2, is promoted"]);
    project.stepwell(&["model", "rollback", "tumour"]).expect("rollback", 0, &["is version 1 now"]);
    assert_eq!(serving.post(INFER, &asked).good()["model_version"], "1");
    project.stepwell(&["audit", "verify"]).expect("audit", 0, &["sound"]);
}

/// Nothing begins by itself where somebody took a candidate back; they may have it tried again. Who deploys other steps meanwhile is
/// told that these are not its own.
#[test]
fn a_candidate_that_was_taken_back_is_tried_again_and_keeps_the_steps_that_it_began_with() {
    let project = project("canary = { alias = \"challenger\", steps = [{ set_weight = 10 }, { pause = {} }] }\n");
    project.stepwell(&["deploy", "--yes"]).expect("deploy", 0, &["deployed version 1"]);
    let serving = project.serve();
    let body = one_row(&project)(&serving);
    promote(&project, "2", "challenger");
    let weighs = |weight: u64| {
        move |endpoint: &Value| {
            let moves = endpoint["moves"].as_array().unwrap();
            let last = moves.last().map(|moved| moved["rollout"].clone()).unwrap_or_default();
            (last["phase"].as_str(), last["weight"].as_u64()) == (Some("paused"), Some(weight))
        }
    };
    let verb = |verb: &str| project.stepwell(&["endpoint", verb, "tumour"]);
    ask_until(&project, &serving, &body, &weighs(10));
    verb("promote").expect("promote", 0, &["version 2 promoted"]);
    project.stepwell(&["model", "rollback", "tumour"]).expect("rollback", 0, &["is version 1 now"]);
    verb("show").expect("show", 0, &["version 2 promoted, waits for `stepwell endpoint resume tumour`"]);
    let again = "is promoted and was taken back; `stepwell endpoint resume tumour` begins it anew";
    verb("promote").expect("promote", 2, &[again]);
    verb("resume").expect("resume", 0, &["version 2 progressing"]);
    ask_until(&project, &serving, &body, &weighs(10));
    project.edit("stepwell.toml", "set_weight = 10", "set_weight = 20");
    let said = project.stepwell(&["deploy", "--yes"]);
    said.expect("deploy", 0, &["the canary of version 2 is under way and keeps its old steps", "deployed version 2"]);
    ask_until(&project, &serving, &body, &weighs(10));
    verb("abort").expect("abort", 0, &["version 2 aborted"]);
    verb("resume").expect("resume", 0, &[]);
    ask_until(&project, &serving, &body, &weighs(20));
    let alike = project.stepwell(&["deploy", "rollback", "--yes"]);
    alike.expect("a version that is brought back", 0, &["keeps its old steps"]);
}

#[test]
fn a_candidate_that_decides_otherwise_is_rolled_back_by_itself() {
    let project = project(
        "[endpoints.tumour.canary]\nalias = \"challenger\"\nsteps = [{ set_weight = 50 }, { analyse = { requests = 40, shift = 0.1 } }]\n",
    );
    let serving = project.serve();
    promote(&project, "2", "challenger");
    // Always the same row: both versions give one probability each, and not the same.
    let asked = one_row(&project)(&serving);
    ask_until(&project, &serving, &asked, &|endpoint| phase(endpoint) == "aborted");
    project.stepwell(&["endpoint", "show", "tumour"]).expect(
        "show",
        0,
        &["column probability shifted by 1.000, 0.1 is allowed"],
    );
    let versions: Vec<_> = (0..20).map(|_| serving.post(INFER, &asked).good()["model_version"].clone()).collect();
    assert!(versions.iter().all(|version| version == "1"), "{versions:?}");
    assert_eq!(champion(&project), 1);
    project.stepwell(&["endpoint", "promote", "tumour"]).expect("over", 2, &["is aborted"]);
    project.stepwell(&["endpoint", "resume", "tumour"]).expect("anew", 0, &["progressing, step 1 of 2"]);
    project.stepwell(&["endpoint", "promote", "tumour", "--why", "I know"]).expect("promote", 0, &["promoted"]);
    assert_eq!(
        (champion(&project), serving.post(INFER, &asked).good()["model_version"].clone()),
        (json!(2), json!("2"))
    );
}

/// A model of `x` alone behind the endpoint `tumour`, by this plugin's table; it gets the next version's number.
fn trained_by(project: &Project, model: &str, alias: &str) {
    project.write(
        TRAIN,
        format!(
            "[steps.rows]\nplugin = \"csv\"\nparams = {{ path = \"data/rows.csv\" }}\ngrants = {{ files = [\"data\"] }}\n\
             [steps.model]\ninputs = {{ train = \"rows.table\" }}\n{model}\n\
             [steps.registered]\nbuiltin = \"register\"\ninputs = {{ model = \"model.model\" }}\nname = \"tumour\"\n{alias}\n"
        ),
    );
    project.stepwell(&["run", "train"]).expect("run", 0, &["registered model `tumour`"]);
}

/// Asks for predictions of `x`, tells what each version's should have been, and says what versions answered.
fn ask_and_label(serving: &Serving, xs: &[f64], truth: impl Fn(f64) -> Value) -> Vec<u64> {
    let mut versions = Vec::new();
    let mut labels = Vec::new();
    for x in xs {
        let answer = serving.post("/predict/tumour", json!({ "rows": [{ "x": x }] }).to_string()).good();
        versions.push(answer["version"].as_u64().unwrap());
        labels.push(json!({ "prediction_id": answer["prediction_ids"][0], "label": truth(*x) }));
    }
    let told = serving.post("/labels/tumour", json!({ "labels": labels }).to_string()).good();
    assert_eq!(told["accepted"], xs.len());
    versions
}

/// Rows of `x` with what is to be learnt of them.
fn rows(project: &Project, truth: impl Fn(u32) -> bool) {
    let rows: String = (0..40).map(|i| format!("{i}.5,{}\n", truth(i))).collect();
    project.write("data/rows.csv", format!("x,y\n{rows}"));
}

/// A candidate that learnt the opposite answers as fast, without an error: only the labels tell.
#[test]
fn a_candidate_that_is_wrong_is_rolled_back_once_labels_came() {
    let project = Project::cold();
    let canary = "[endpoints.tumour.canary]\nalias = \"challenger\"\nsteps = [{ set_weight = 50 }, \
                  { analyse = { labels = 20, accuracy_loss = 0.1 } }]\n";
    project.write("stepwell.toml", format!("{}\n{canary}", project.read("stepwell.toml")));
    rows(&project, |i| i > 20);
    let logistic = "plugin = \"logistic\"\nlabel = \"y\"";
    trained_by(&project, logistic, "alias = \"champion\"");
    rows(&project, |i| i <= 20);
    trained_by(&project, logistic, "");
    let serving = project.serve();
    promote(&project, "2", "challenger");
    let weighed = |endpoint: &Value| endpoint["shares"][0]["percent"] == 50;
    let deadline = Instant::now() + DEADLINE;
    while !weighed(&endpoint(&project)) {
        assert!(Instant::now() < deadline, "{:#}", endpoint(&project));
    }
    let xs: Vec<f64> = (0..30).map(|i| f64::from(i % 5) + if i % 2 == 0 { 1.0 } else { 33.0 }).collect();
    let truth = |x: f64| json!(x > 20.0);
    let versions = ask_and_label(&serving, &xs, truth);
    assert!([1, 2].iter().all(|version| versions.contains(version)), "{versions:?}");
    let shown = project.stepwell(&["endpoint", "show", "tumour"]);
    shown.expect("too few", 0, &["waits for labels of 20 predictions of each version", ": 15 and 15 so far"]);
    // Labels are on the disk: a server that starts again counts on.
    drop(serving);
    let serving = project.serve();
    ask_and_label(&serving, &xs, truth);
    let deadline = Instant::now() + DEADLINE;
    while phase(&endpoint(&project)) != "aborted" {
        assert!(Instant::now() < deadline, "{:#}\n{}", endpoint(&project), serving.said());
    }
    let shown = project.stepwell(&["endpoint", "show", "tumour"]);
    shown.expect("aborted", 0, &["0.00 % of 30 labelled predictions are right, 100.00 % of 30"]);
    assert_eq!(champion(&project), 1);
}

/// Nobody waits for the analysis, nor for whoever is to end the pause.
#[test]
fn a_candidate_that_fails_always_is_stopped_within_tens_of_requests_while_it_is_paused() {
    let project = Project::moody();
    let canary = "[endpoints.tumour.canary]\nalias = \"challenger\"\nsteps = [{ set_weight = 50 }, { pause = {} }, \
                  { analyse = { requests = 100000, error_rate = 0.05 } }]\n";
    project.write("stepwell.toml", format!("{}\n{canary}", project.read("stepwell.toml")));
    project.write("data/rows.csv", "x\n1.5\n2.5\n");
    trained_by(&project, "plugin = \"./moody.wasm\"\nparams = { obeys = false }", "alias = \"champion\"");
    trained_by(&project, "plugin = \"./moody.wasm\"", "");
    let serving = project.serve();
    promote(&project, "2", "challenger");
    let deadline = Instant::now() + DEADLINE;
    while phase(&endpoint(&project)) != "paused" {
        assert!(Instant::now() < deadline, "{:#}", endpoint(&project));
    }
    // A row that the candidate refuses and the other does not.
    let ask = || serving.post("/predict/tumour", json!({ "rows": [{ "x": -1.0 }] }).to_string()).status;
    let mut statuses = Vec::new();
    while phase(&endpoint(&project)) == "paused" {
        statuses.extend((0..4).map(|_| ask()));
        assert!(Instant::now() < deadline, "{:#}", endpoint(&project));
    }
    let refused = statuses.iter().filter(|status| **status == 400).count();
    assert!((8..=32).contains(&refused), "stopped after {refused} of {} were refused", statuses.len());
    assert_eq!(phase(&endpoint(&project)), "aborted");
    let shown = project.stepwell(&["endpoint", "show", "tumour"]);
    shown.expect("aborted", 0, &["of its first", "with the stable version meanwhile", "5.00 are allowed"]);
    assert!((0..10).all(|_| ask() == 200));
}

/// It answers what the other answers, and is slow about it.
#[test]
fn a_candidate_that_is_slow_is_rolled_back_by_itself() {
    let project = Project::moody();
    let canary = "[endpoints.tumour.canary]\nalias = \"challenger\"\nsteps = [{ set_weight = 50 }, \
                  { analyse = { requests = 20, error_rate = 0.01, latency_ratio = 2, shift = 0.1 } }]\n";
    project.write("stepwell.toml", format!("{}\n{canary}", project.read("stepwell.toml")));
    trained_by(&project, "plugin = \"./moody.wasm\"\nparams = { obeys = false }", "alias = \"champion\"");
    trained_by(&project, "plugin = \"./moody.wasm\"", "");
    let serving = project.serve();
    promote(&project, "2", "challenger");
    // A row over which the candidate thinks for tenths of a second.
    let ask = || serving.post("/predict/tumour", json!({ "rows": [{ "x": -5.0 }] }).to_string()).good();
    let deadline = Instant::now() + DEADLINE;
    let mut versions = Vec::new();
    while phase(&endpoint(&project)) != "aborted" {
        for answer in (0..4).map(|_| ask()) {
            assert_eq!(answer["predictions"], json!([{ "multiplied": -10.0 }]));
            versions.push(answer["version"].clone());
        }
        assert!(Instant::now() < deadline, "{:#}\n{}", endpoint(&project), serving.said());
    }
    assert!([1, 2].iter().all(|version| versions.iter().filter(|seen| *seen == version).count() >= 20), "{versions:?}");
    let shown = project.stepwell(&["endpoint", "show", "tumour"]);
    shown.expect("aborted", 0, &["the 95th percentile is", "with the stable version; 2 times that are allowed"]);
    assert!(!shown.out.contains("of requests failed,") && !shown.out.contains("shifted by"), "{shown:?}");
    assert!((0..10).all(|_| ask()["version"] == 1));
    assert_eq!(champion(&project), 1);
}

/// What a version predicts and what an analysis compares must fit, before anybody is answered by it.
#[test]
fn labels_that_do_not_fit_what_is_predicted_end_a_canary_before_it_begins() {
    let project = Project::moody();
    let canary = "[endpoints.tumour.canary]\nalias = \"challenger\"\nsteps = [{ set_weight = 50 }, \
                  { analyse = { labels = 20, accuracy_loss = 0.1 } }]\n";
    project.write("stepwell.toml", format!("{}\n{canary}", project.read("stepwell.toml")));
    let moody = |factor| format!("plugin = \"./moody.wasm\"\nparams = {{ factor = {factor} }}");
    trained_by(&project, &moody(2), "alias = \"champion\"");
    trained_by(&project, &moody(3), "alias = \"challenger\"");
    let serving = project.serve();
    let deadline = Instant::now() + DEADLINE;
    while phase(&endpoint(&project)) != "aborted" {
        assert!(Instant::now() < deadline, "{:#}\n{}", endpoint(&project), serving.said());
    }
    let shown = project.stepwell(&["endpoint", "show", "tumour"]);
    shown.expect("refused", 0, &["`accuracy_loss` compares", "its first column `multiplied` is float64"]);
    drop(serving);
    project.edit("stepwell.toml", "accuracy_loss = 0.1", "mae_increase = 0.5");
    let serving = project.serve();
    project.stepwell(&["endpoint", "resume", "tumour"]).expect("anew", 0, &["progressing"]);
    let xs: Vec<f64> = (0..10).map(f64::from).collect();
    let deadline = Instant::now() + DEADLINE;
    while phase(&endpoint(&project)) != "aborted" {
        ask_and_label(&serving, &xs, |x| json!(2.0 * x));
        assert!(Instant::now() < deadline, "{:#}\n{}", endpoint(&project), serving.said());
    }
    let shown = project.stepwell(&["endpoint", "show", "tumour"]);
    shown.expect("worse", 0, &["the mean absolute error of", "0.000000 of"]);
}

#[test]
fn a_shadow_is_compared_and_answers_nobody() {
    let project = project("shadow = \"trial\"\n");
    promote(&project, "2", "trial");
    let serving = project.serve();
    let asked = one_row(&project)(&serving);
    let versions = ask_until(&project, &serving, &asked, &|endpoint| {
        endpoint["shadow"]["comparison"]["requests"].as_u64() >= Some(10)
    });
    assert!(versions.iter().all(|version| version == "1"), "{versions:?}");
    let comparison = endpoint(&project)["shadow"]["comparison"].clone();
    assert_eq!((&comparison["errors"], &comparison["differing"]), (&json!(0), &comparison["rows"]), "{comparison}");
    assert!(comparison["largest"].as_f64() > Some(0.0), "{comparison}");
    project.stepwell(&["endpoint", "show", "tumour"]).expect("show", 0, &["shadow: version 2 (trial) was asked"]);
}

#[test]
fn no_request_is_dropped_or_mixed_while_versions_change_under_load() {
    let project = project("");
    let body = one_row(&project);
    let expected = answers(&project, &body);
    let serving = project.serve();
    let (address, asked, ended) = (serving.address, body(&serving), AtomicBool::new(false));
    let workers = serving.workers().len();
    let counts: Vec<BTreeMap<String, u32>> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut counts = BTreeMap::new();
                    while !ended.load(Ordering::SeqCst) {
                        let answer = request(address, "POST", INFER, asked.as_bytes()).unwrap().good();
                        let version = answer["model_version"].as_str().unwrap().to_owned();
                        assert_eq!(answer["outputs"], expected[&version], "an answer of version {version}");
                        *counts.entry(version).or_default() += 1;
                    }
                    counts
                })
            })
            .collect();
        for version in ["2", "1", "2", "1", "2"] {
            promote(&project, version, "champion");
            assert_eq!(serving.post(INFER, &asked).good()["model_version"], version, "the next request");
        }
        ended.store(true, Ordering::SeqCst);
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    let of = |version: &str| counts.iter().filter_map(|counts| counts.get(version)).sum::<u32>();
    assert!(of("1") > 0 && of("2") > 0, "{counts:?}");
    // What nothing asks for any more gives its memory back: as many workers as with the one version at first.
    let deadline = Instant::now() + DEADLINE;
    while serving.workers().len() > workers {
        assert!(Instant::now() < deadline, "workers stay: {:?}", serving.workers());
        std::thread::yield_now();
    }
}

#[test]
fn a_version_that_cannot_answer_gets_no_alias() {
    let project = project("");
    let serving = project.serve();
    let version = project.stepwell(&["model", "show", "tumour", "2", "--json"]).json();
    let weights = version["predictor"]["state"][0]["digest"].as_str().unwrap().to_owned();
    std::fs::remove_file(project.path(&format!(".stepwell/tenants/default/blobs/{}/{}", &weights[..2], &weights[2..])))
        .unwrap();
    let refused = project.stepwell(&["model", "promote", "tumour", "2", "--why", "a test"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert_eq!(
        (champion(&project), serving.post(INFER, one_row(&project)(&serving)).good()["model_version"].clone()),
        (json!(1), json!("1"))
    );
}

#[test]
fn a_version_that_answers_otherwise_than_it_did_answers_nobody() {
    let project = project("");
    let serving = project.serve();
    promote(&project, "2", "champion");
    promote(&project, "1", "champion");
    project.stepwell(&["model", "show", "tumour"]).expect("show", 0, &["golden requests: 8"]);
    drop(serving);
    let (tenant, model): (TenantId, ModelName) = (TenantId::default_tenant(), "tumour".parse().unwrap());
    let (store, _) = store::Store::open(&project.path(".stepwell")).unwrap();
    let golden = |version| store.golden(&tenant, &model, version).unwrap().expect("recorded when it was loaded");
    let golden = Golden { answer: golden(2).answer, ..golden(1) };
    let record = Record::GoldenRecorded { model: model.clone(), version: 1, golden, at_us: 1 };
    store.append(&tenant, &[record]).unwrap();
    drop(store);
    let serving = project.serve();
    let said = serving.said();
    assert!(said.contains("version 1 of model `tumour` answers 8 recorded requests otherwise"), "{said}");
    let readiness = ["/v2/health/ready", "/v2/models/tumour/ready", "/v2/models/tumour/versions/1/ready"];
    let ready = || readiness.map(|path| serving.get(path).status);
    assert_eq!(ready(), [503; 3]);
    assert_eq!(serving.post(INFER, one_row(&project)(&serving)).status, 500);
    let index = serving.post("/v2/repository/index", "{}").good();
    assert_eq!(index[0]["state"], "UNAVAILABLE", "{index}");
    let metrics = serving.get("/metrics").body;
    let counted = "stepwell_requests_total{tenant=\"default\",endpoint=\"tumour\",version=\"1\",ended=\"failed\"} 1";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    promote(&project, "2", "champion");
    assert_eq!(readiness[..2].iter().map(|path| serving.get(path).status).collect::<Vec<_>>(), [200; 2]);
    assert_eq!(serving.post(INFER, one_row(&project)(&serving)).good()["model_version"], "2");
    let back = project.stepwell(&["model", "rollback", "tumour"]);
    back.expect("a rollback to it", 2, &["answers 8 recorded requests otherwise"]);
    assert_eq!(champion(&project), 2);
}

#[test]
fn what_an_endpoint_cannot_be_told_is_an_error_with_its_place() {
    let project = Project::cold();
    let manifest = project.read("stepwell.toml");
    for (traffic, says) in [
        ("split = { champion = 10 }", "`split` names `champion`, the endpoint's own alias"),
        ("split = { a = 60, b = 50 }", "`split` gives away 110 of 100 requests"),
        ("split = { a = 0 }", "`a` is 0, expected 1 to 100"),
        ("sticky = { header = \"x-user\" }", "`sticky` says nothing where one version answers everything"),
        ("split = { a = 1 }\nsticky = { }", "`sticky` names one of `column` and `header`"),
        ("split = { a = 1 }\ncanary = { alias = \"b\", steps = [{ set_weight = 1 }] }", "either `split` or `canary`"),
        ("canary = { alias = \"b\", steps = [] }", "`steps` has 0 steps"),
        ("canary = { steps = [{ set_weight = 1 }] }", "`canary` lacks its `alias`"),
        ("canary = { alias = \"b\", steps = [{ set_weight = 101 }] }", "`set_weight` is 101, expected 0 to 100"),
        ("canary = { alias = \"b\", steps = [{ set_weight = 1, pause = \"1 s\" }] }", "a step is one of"),
        ("canary = { alias = \"b\", steps = [{ pause = \"soon\" }] }", "`soon`"),
        ("canary = { alias = \"b\", steps = [{ analyse = { requests = 10 } }] }", "`analyse` compares nothing"),
        ("canary = { alias = \"b\", steps = [{ analyse = { shift = 0.1 } }] }", "`analyse` lacks its `requests`"),
        (
            "canary = { alias = \"b\", steps = [{ set_weight = 5 }, { analyse = { requests = 19, shift = 0.1 } }] }",
            "`requests` is 19, expected 20 to 1000000",
        ),
        (
            "canary = { alias = \"b\", steps = [{ analyse = { requests = 20, shift = 0.1 } }, { set_weight = 5 }] }",
            "the candidate gets 0 of 100 requests",
        ),
        (
            "canary = { alias = \"b\", steps = [{ set_weight = 100 }, { analyse = { requests = 20, shift = 0.1 } }] }",
            "the candidate gets 100 of 100 requests",
        ),
        (
            "canary = { alias = \"b\", steps = [{ analyse = { requests = 10, shift = 2 } }] }",
            "`shift` is 2, expected 0 to 1",
        ),
        ("canary = { alias = \"b\", steps = [{ analyse = { accuracy_loss = 0.1 } }] }", "`analyse` lacks its `labels`"),
        (
            "canary = { alias = \"b\", steps = [{ analyse = { labels = 19, accuracy_loss = 0.1 } }] }",
            "`labels` is 19, expected 20 to 50000",
        ),
        (
            "canary = { alias = \"b\", steps = [{ analyse = { labels = 20, requests = 5, mae_increase = 1 } }] }",
            "`analyse` has `requests` and compares nothing of them",
        ),
        (
            "canary = { alias = \"b\", steps = [{ analyse = { labels = 20, mae_increase = 1, accuracy_loss = 0.1 } }] }",
            "has both `accuracy_loss` and `mae_increase`",
        ),
        (
            "log = { sample = 0 }\ncanary = { alias = \"b\", steps = [{ analyse = { labels = 20, mae_increase = 1 } }] }",
            "`analyse` waits for labels, and no prediction is logged",
        ),
        ("canary = { alias = \"b\", steps = [{ wait = 1 }] }", "`wait`"),
        ("shadow = \"champion\"", "`shadow` names `champion`"),
    ] {
        project.write("stepwell.toml", format!("{manifest}\n{traffic}\n"));
        project.stepwell(&["check"]).expect(traffic, 2, &[says, "stepwell.toml:"]);
    }
}

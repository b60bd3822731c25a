//! Keys as whoever runs the server makes them and as applications send them.

mod harness;

use harness::Project;
use harness::http::{Answer, request, request_with};
use harness::serving::Serving;
use serde_json::Value;

const PREDICT: &str = "/predict/absent";

/// A key of a tenant, with these options.
fn key(project: &Project, tenant: &str, name: &str, options: &[&str]) -> String {
    let words = [&["--tenant", tenant, "key", "create", name], options].concat();
    let made = project.stepwell(&words);
    made.expect("key create", 0, &["shown this once"]);
    made.out.trim().to_owned()
}

fn error(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    answer.json()["error"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

/// What is asked of an endpoint that is not there is told apart from what is not let in.
#[test]
fn a_key_lets_its_holder_in_and_nobody_else() {
    let project = Project::cold();
    project.stepwell(&["tenant", "create", "acme"]).expect("tenant create", 0, &[]);
    let serving = project.serve();
    assert!(error(&serving.post(PREDICT, "{}"), 404).contains("no endpoint"), "nobody needs a key");
    let mistyped = project.stepwell(&["key", "create", "mistyped", "--endpoint", "tumor", "--endpoint", "tumour"]);
    mistyped.expect("key create", 0, &["no endpoint `tumor` is deployed or served so far; those that are: `tumour`"]);
    mistyped.expect("key create", 0, &["the first of tenant `default`: whoever has no key is let in no more"]);
    let useless = project.stepwell(&["key", "create", "useless", "--scope", "metrics", "--endpoint", "tumour"]);
    useless.expect(
        "key create",
        2,
        &["is for some endpoints, and `metrics` tells of all of them", "without `--endpoint`"],
    );
    project.stepwell(&["key", "revoke", "mistyped"]).expect("key revoke", 0, &[]);
    let ours = key(&project, "default", "app", &[]);
    let acmes = key(&project, "acme", "app", &["--scope", "predict,label", "--endpoint", "tumour", "--expires", "90d"]);
    let answer = serving.post(PREDICT, "{}");
    assert!(error(&answer, 401).contains("a key is needed"));
    assert!(answer.head.to_lowercase().contains("www-authenticate: bearer realm=\"stepwell\""), "{answer:?}");
    assert!(error(&serving.ask("POST", PREDICT, &bearer(&ours), "{}"), 404).contains("no endpoint `absent`"));
    assert!(
        error(&serving.ask("POST", "/tenants/acme/predict/tumour", &bearer(&acmes), "{}"), 404)
            .contains("no endpoint `tumour`")
    );
    for wrong in ["Bearer stepwell_x", "Basic eDp5", "", &ours] {
        assert!(error(&serving.ask("POST", PREDICT, wrong, "{}"), 401).contains("none that is good"), "{wrong}");
    }
    let strangers = ["acme", "nobody"]
        .map(|tenant| error(&serving.ask("GET", &format!("/tenants/{tenant}/v2"), &bearer(&ours), ""), 404));
    assert_eq!(
        strangers.map(|text| text.replace("acme", "nobody")),
        ["there is no tenant `nobody`"; 2].map(str::to_owned)
    );
    let unkeyed = ["acme", "nobody"].map(|tenant| error(&serving.get(&format!("/tenants/{tenant}/v2")), 401));
    assert_eq!(unkeyed[0], unkeyed[1]);
    for open in ["/v2/health/live", "/v2/health/ready"] {
        assert_ne!(serving.get(open).status, 401, "{open}");
    }
    assert!(
        error(&serving.ask("POST", "/labels/absent", &bearer(&ours), "{}"), 403).contains("lacks the scope `label`")
    );
    project.stepwell(&["key", "revoke", "app"]).expect("key revoke", 0, &["revoked the key `app`"]);
    assert!(error(&serving.ask("POST", PREDICT, &bearer(&ours), "{}"), 401).contains("revoked"));
    let listed = project.stepwell(&["--tenant", "acme", "key", "list"]);
    listed.expect("key list", 0, &["app", "predict, label", "tumour", "until 2"]);
    let json = project.stepwell(&["key", "list", "--json"]);
    let lines: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&lines[0]["state"], &lines[0]["name"]), (&"revoked".into(), &"app".into()));
    let secrets = [&ours, &acmes].map(|key| key.trim_start_matches("stepwell_").to_owned());
    let (_, said) = serving.terminate();
    for text in [&said, &listed.out, &json.out] {
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "a key in {text}");
    }
}

/// A browser brings no key: the page is told to all, and asks for one. What it shows is told to who has one.
#[test]
fn the_page_is_open_and_the_document_tells_a_key_of_its_endpoints() {
    let project = Project::new();
    project.run();
    project.edit("stepwell.toml", "[endpoints.tumour]", "[endpoints.other]\nmodel = \"tumour\"\n\n[endpoints.tumour]");
    let all = key(&project, "default", "all", &["--scope", "predict,metrics"]);
    let some = key(&project, "default", "some", &["--endpoint", "tumour"]);
    let serving = project.serve();
    let pages = ["/docs", "/tenants/default/docs", "/tenants/nobody/docs"].map(|path| {
        let page = serving.get(path);
        assert_eq!(page.status, 200, "{path}");
        page.body
    });
    assert!(pages.iter().all(|page| *page == pages[0]), "it tells nobody who is there");
    assert!(!pages[0].contains("tumour"), "{}", pages[0]);
    assert!(error(&serving.get("/openapi.json"), 401).contains("a key is needed"));
    let paths = |key: &str| {
        let document = serving.ask("GET", "/openapi.json", &bearer(key), "").good();
        assert_eq!(document["components"]["securitySchemes"]["key"]["scheme"], "bearer");
        document["paths"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let (all, some) = (paths(&all), paths(&some));
    for (path, is_all) in [("/predict/other", true), ("/metrics", true), ("/predict/tumour", false), ("/v2", false)] {
        let told = [&all, &some].map(|paths| paths.iter().any(|told| told == path));
        assert_eq!(told, [true, !is_all], "{path}");
    }
}

#[test]
fn who_asks_too_often_is_told_when_to_go_on() {
    let project = Project::cold();
    let slow = key(&project, "default", "slow", &["--rate", "2/h"]);
    let serving = project.serve();
    let ask = || serving.ask("POST", PREDICT, &bearer(&slow), "{}");
    assert_eq!([ask().status, ask().status], [404, 404]);
    let answer = ask();
    assert!(error(&answer, 429).contains("key `slow` asks too often: 2/h is the most"));
    let wait = answer.head.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse::<u64>().ok()).unwrap();
    assert!((1700..=1800).contains(&wait), "{wait}");
    project.stepwell(&["tenant", "quota", "default", "--requests", "1/h"]).expect("quota", 0, &["requests", "1/h"]);
    let free = key(&project, "default", "free", &[]);
    let ask = || serving.ask("POST", PREDICT, &bearer(&free), "{}");
    assert_eq!(ask().status, 404);
    assert!(error(&ask(), 429).contains("tenant `default` asks too often"));
}

/// Who is asked and who is charged is read off the same letters.
#[test]
fn a_name_that_is_written_otherwise_dodges_no_quota() {
    let project = Project::cold();
    project.stepwell(&["tenant", "create", "acme"]).expect("tenant create", 0, &[]);
    project.stepwell(&["tenant", "quota", "acme", "--requests", "1/h"]).expect("quota", 0, &[]);
    let serving = project.serve();
    serving.get("/tenants/acme/v2").good();
    assert!(error(&serving.get("/tenants/acme/v2"), 429).contains("tenant `acme` asks too often"));
    for path in ["/tenants/%61cme/v2", "/%74enants/acme/v2", "/tenants%2facme/v2", "/tenants/%2561cme/v2"] {
        assert!(error(&serving.get(path), 400).contains("has an escape"), "{path}");
    }
}

/// Beyond loopback, under any name, for who has a key alone.
#[test]
fn with_keys_required_any_address_and_any_name_will_do() {
    let project = Project::cold();
    let ours = key(&project, "default", "app", &[]);
    let serving = Serving::with(&project.path(""), &["--listen", "0.0.0.0:0", "--require-keys"]);
    assert!(serving.said().contains("cross the network in the clear"), "{}", serving.said());
    let to = (std::net::Ipv4Addr::LOCALHOST, serving.address.port()).into();
    let named = |authorization: &str| {
        let headers = format!("X-Forwarded-Host: models.example.com\r\n{authorization}");
        request_with(to, "GET", "/v2", &headers, b"").unwrap()
    };
    assert_eq!(named(&format!("Authorization: Bearer {ours}\r\n")).good()["name"], "stepwell");
    assert!(error(&named(""), 401).contains("a key is needed"));
    assert!(error(&request(to, "GET", "/tenants/nobody/v2", b"").unwrap(), 401).contains("a key is needed"));
}

#[test]
fn nothing_of_a_suspended_tenant_answers() {
    let project = Project::cold();
    let serving = project.serve();
    let tenant = |what: &str| project.stepwell(&["tenant", what, "acme"]).expect(what, 0, &[]);
    tenant("create");
    serving.get("/tenants/acme/v2").good();
    tenant("suspend");
    let paths = ["/v2", "/v2/models/stats", "/v2/models/absent", "/metrics", "/openapi.json"];
    for path in paths.iter().chain(&["/v2/health/ready"]) {
        let told = error(&serving.get(&format!("/tenants/acme{path}")), 403);
        assert!(told.contains("tenant `acme` is suspended"), "{path}: {told}");
    }
    assert!(error(&serving.post("/tenants/acme/predict/absent", "{}"), 403).contains("is suspended"));
    serving.get("/v2").good();
    tenant("resume");
    serving.get("/tenants/acme/v2").good();
    // So it is at the root, where no path names the tenant; the process lives, and nothing is ready.
    project.stepwell(&["tenant", "suspend", "default"]).expect("suspend", 0, &[]);
    for path in paths {
        let told = error(&serving.get(path), 403);
        assert!(told.contains("tenant `default` is suspended"), "{path}: {told}");
    }
    assert!(error(&serving.post("/predict/absent", "{}"), 403).contains("is suspended"));
    serving.get("/v2/health/live").good();
    assert_eq!(serving.get("/v2/health/ready").status, 503);
    serving.get("/tenants/acme/v2").good();
    project.stepwell(&["tenant", "resume", "default"]).expect("resume", 0, &[]);
    serving.get("/v2").good();
}

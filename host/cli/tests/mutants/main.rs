//! Whole requests over every form that a model is served in: each is good as it was recorded, and is then changed somewhere, in its
//! path, a header, its JSON, the bytes of its tensors, its protobuf. Whatever comes of it is the caller's mistake, never the server's, and
//! a good request is answered right afterwards.

mod changes;
mod grpc;
#[path = "../harness/mod.rs"]
mod harness;
mod json;
mod messages;
mod recorded;
mod requests;

use grpc::Calls;
use harness::serving::Serving;
use harness::{Project, TRAIN};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use requests::Request;
use serde_json::{Value, json};
use std::fmt::Debug;

/// Mutants a form of requests.
const CASES: u32 = 400;

/// A column of each type that a request may bring as text, number or truth; all but `x` may be left out.
const ROWS: &str = "x,whole,flag,word,day,at,half\n\
                    1.5,2,true,a,2024-01-02,2024-01-02T03:04:05Z,0.5\n\
                    2.5,3,false,é,2024-01-03,2024-01-02T03:04:06Z,0.25\n";

/// A server of a model behind `tumour`, and behind `spare`, which is unloaded again and again.
fn deployed() -> (Project, Serving) {
    let project = Project::moody();
    project.write("data/rows.csv", ROWS);
    let types = "columns = { day = \"date\", at = \"timestamp\", half = \"float32\" }";
    project.edit(TRAIN, "path = \"data/rows.csv\"", &format!("path = \"data/rows.csv\", {types}"));
    let train = "inputs = { train = \"rows.table\" }";
    let all = "features = [\"x\", \"whole\", \"flag\", \"word\", \"day\", \"at\", \"half\"]";
    project.edit(TRAIN, train, &format!("{train}\n{all}"));
    // No finite number has a product that is none, and no row is refused.
    project.edit(TRAIN, "factor = 2", "factor = 0.5, obeys = false");
    let manifest = project.read("stepwell.toml");
    project.write("stepwell.toml", format!("{manifest}\n[endpoints.spare]\nmodel = \"tumour\"\n"));
    project.run();
    let serving = project.serve();
    (project, serving)
}

/// The same mutants each time, unless `cargo xtask fuzz` says a seed.
fn runner() -> TestRunner {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(0),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    TestRunner::new(Config { rng_seed, ..config })
}

fn hold<S: Strategy>(mutants: &S, is_held: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S::Value: Debug,
{
    runner().run(mutants, is_held).unwrap_or_else(|found| panic!("{found}"));
}

/// A good request, right after another one.
fn answers_still(serving: &Serving) -> Result<(), TestCaseError> {
    let body = json!({ "rows": [{ "x": 1.25 }] }).to_string();
    let good = Request::post("/predict/tumour", body.as_bytes()).sent(serving.address);
    let said = good.map_err(|error| TestCaseError::fail(format!("a good request afterwards: {error}")))?;
    let answer: Value = serde_json::from_slice(&said.body).unwrap_or_default();
    prop_assert_eq!(&answer["predictions"], &json!([{ "multiplied": 0.625 }]), "a good request afterwards: {:?}", said);
    Ok(())
}

fn no_panic(serving: Serving) {
    let (status, said) = serving.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// Whatever a request says, it is answered; and where its words are none of HTTP's, at least it is ended.
#[test]
fn a_changed_request_over_http_is_its_callers_mistake() {
    let (_project, serving) = deployed();
    let recorded = recorded::over_http(&serving);
    for request in &recorded {
        let answer = request.sent(serving.address).unwrap_or_else(|error| panic!("{request:?}: {error}"));
        assert_eq!(answer.status, 200, "{request:?}: {answer:?}");
    }
    hold(&requests::mutant(recorded), |mutant| {
        let answer = mutant.sent(serving.address);
        let answer = answer.map_err(|error| TestCaseError::fail(format!("no answer: {error}")))?;
        prop_assert!((200..500).contains(&answer.status), "{:?}", answer);
        answers_still(&serving)
    });
    no_panic(serving);
}

/// Damage to the bytes on the wire: the client says that these were all, and hears nothing that blames the server.
#[test]
fn bytes_that_are_no_request_end_only_themselves() {
    let (_project, serving) = deployed();
    hold(&requests::damaged(recorded::over_http(&serving)), |bytes| {
        let statuses = requests::heard(serving.address, &bytes);
        prop_assert!(statuses.iter().all(|status| (100..500).contains(status)), "{:?}", statuses);
        answers_still(&serving)
    });
    no_panic(serving);
}

#[test]
fn a_changed_call_over_grpc_is_its_callers_mistake() {
    let (_project, serving) = deployed();
    let calls = Calls::to(serving.address);
    let recorded = recorded::over_grpc();
    for call in &recorded {
        assert_eq!(calls.status(call), Ok(grpc::OK), "{call:?}");
    }
    hold(&grpc::mutant(recorded), |call| {
        let status = calls.status(&call).map_err(TestCaseError::fail)?;
        prop_assert!(!grpc::OURS.contains(&status), "status {status}");
        answers_still(&serving)
    });
    no_panic(serving);
}

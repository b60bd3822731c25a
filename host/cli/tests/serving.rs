//! `stepwell serve` as an application sees it: the protocol over HTTP, the same bits as in the batch, no request lost when a
//! version changes or a worker dies.

mod harness;

use harness::http::{Answer, connected, next_answer, request};
use harness::serving::{Serving, signal};
use harness::{Project, TRAIN};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Beyond the time that anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
const INFER: &str = "/v2/models/tumour/infer";

fn served() -> (Project, Serving) {
    let project = Project::new();
    project.run();
    let serving = project.serve();
    (project, serving)
}

#[test]
fn the_protocol_describes_the_endpoint() {
    let (_project, serving) = served();
    let get = |path: &str| serving.get(path).good();
    assert_eq!(get("/v2")["name"], "stepwell");
    assert_eq!(get("/v2/health/live")["live"], true);
    assert_eq!(get("/v2/health/ready")["ready"], true);
    assert_eq!(get("/v2/models/tumour/ready"), json!({ "name": "tumour", "ready": true }));
    assert_eq!(get("/v2/models/tumour/versions/1/ready")["ready"], true);
    let metadata = get("/v2/models/tumour");
    assert_eq!((&metadata["name"], &metadata["versions"]), (&json!("tumour"), &json!(["1"])));
    assert_eq!(metadata["inputs"].as_array().unwrap().len(), 30);
    assert_eq!(metadata["inputs"][0], json!({ "name": "mean_radius", "datatype": "FP64", "shape": [-1] }));
    let outputs: Vec<_> = metadata["outputs"].as_array().unwrap().iter().map(|output| &output["name"]).collect();
    assert_eq!(outputs, ["prediction", "probability"]);
    assert_eq!(get("/v2/models/tumour/versions/1"), metadata);
    assert!(serving.get("/v2").head.to_lowercase().contains("content-type: application/json"));
}

#[test]
fn http_gives_the_same_bits_as_the_batch() {
    let (project, serving) = served();
    let (rows, predicted) = (project.rows(1, "parts.test"), project.rows(1, "predicted.table"));
    let batch: Vec<u64> = predicted.iter().map(|row| row["probability"].as_f64().unwrap().to_bits()).collect();
    assert_eq!((rows.len(), batch.len()), (142, 142));
    let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(serving.infer(&rows)), batch, "in one request");
    let single: Vec<u64> = rows.iter().flat_map(|row| bits(serving.infer(std::slice::from_ref(row)))).collect();
    assert_eq!(single, batch, "row by row");
    let answer = serving.post("/predict/tumour", serving.plain_body(&rows).to_string()).good();
    let field =
        |name: &str| answer["predictions"].as_array().unwrap().iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    let plain = field("probability").iter().map(|value| value.as_f64().unwrap().to_bits()).collect::<Vec<_>>();
    assert_eq!(plain, batch, "by the plain route");
    let predictions: Vec<Value> = predicted.iter().map(|row| row["prediction"].clone()).collect();
    assert_eq!(field("prediction"), predictions);
}

#[test]
fn an_answer_echoes_the_id_and_gives_the_outputs_asked_for() {
    let (project, serving) = served();
    let mut body = serving.infer_body(&project.rows(1, "parts.test")[..2]);
    body["id"] = json!("request 7");
    body["outputs"] = json!([{ "name": "prediction" }]);
    let answer = serving.post(INFER, body.to_string()).good();
    assert_eq!(
        (&answer["id"], &answer["model_name"], &answer["model_version"]),
        (&json!("request 7"), &json!("tumour"), &json!("1"))
    );
    assert_eq!(answer["outputs"].as_array().unwrap().len(), 1);
    assert_eq!((&answer["outputs"][0]["datatype"], &answer["outputs"][0]["shape"]), (&json!("BYTES"), &json!([2])));
}

/// Holds an error of the protocol: whose fault it is, and one text.
#[track_caller]
fn refused(what: &str, answer: &Answer, status: u16, says: &str) {
    let body = answer.json();
    let error = body["error"].as_str().unwrap_or_else(|| panic!("{what}: no error text in {answer:?}"));
    assert_eq!(answer.status, status, "{what}: {error}");
    assert!(error.contains(says), "{what}: `{says}` is not in `{error}`");
    assert_eq!(body.as_object().unwrap().len(), 1, "{what}: {body}");
}

#[test]
fn what_the_caller_gets_wrong_is_the_callers_fault() {
    let (project, serving) = served();
    let good = serving.infer_body(&project.rows(1, "parts.test")[..2]);
    let infer = |change: &dyn Fn(&mut Value)| {
        let mut body = good.clone();
        change(&mut body);
        serving.post(INFER, body.to_string())
    };
    let input = |key: &'static str, value: Value| infer(&move |body| body["inputs"][3][key] = value.clone());
    refused("no JSON", &serving.post(INFER, "{"), 400, "cannot read the request");
    refused("nothing", &serving.post(INFER, ""), 400, "cannot read the request");
    refused("no UTF-8", &serving.post(INFER, [0xff, 0xfe]), 400, "cannot read the request");
    refused("a list", &serving.post(INFER, "[]"), 400, "");
    refused(
        "no inputs",
        &serving.post(INFER, "{\"inputs\": []}"),
        400,
        "30 inputs are missing: `mean_radius` (FP64), ",
    );
    let missing = infer(&|body| drop(body["inputs"].as_array_mut().unwrap().remove(3)));
    refused("a missing column", &missing, 400, "input `mean_area` (FP64) is missing");
    let twice = infer(&|body| body["inputs"][3]["name"] = json!("mean_radius"));
    refused("a column twice", &twice, 400, "stands twice");
    refused("an unknown column", &input("name", json!("size")), 400, "`size` is unknown");
    refused("a wrong datatype", &input("datatype", json!("BYTES")), 400, "input `mean_area` has datatype `BYTES`");
    refused("no datatype", &input("datatype", json!("FP65")), 400, "FP65");
    refused("too few values", &input("data", json!([1.0])), 400, "input `mean_area` has 1 values");
    refused("another length", &infer(&shorter), 400, "input `mean_area` has 1 rows");
    refused("a wrong shape", &input("shape", json!([2, 7])), 400, "shape [2, 7]");
    refused("a negative shape", &input("shape", json!([-2])), 400, "");
    refused("a huge shape", &input("shape", json!([u64::MAX])), 400, "");
    refused("no rows", &input("shape", json!([0])), 400, "0 rows");
    refused("a null", &input("data", json!([1.0, null])), 400, "null");
    refused("a text", &input("data", json!([1.0, "x"])), 400, "`x`");
    let not_a_number = good.to_string().replacen("\"data\":[", "\"data\":[NaN,", 1);
    refused("NaN", &serving.post(INFER, not_a_number), 400, "cannot read the request");
    let beyond = good.to_string().replacen("\"data\":[", "\"data\":[1e999,", 1);
    refused("1e999", &serving.post(INFER, beyond), 400, "");
    let deep = format!("{{\"inputs\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    refused("a deep list", &serving.post(INFER, deep), 400, "");
    serving.post(INFER, good.to_string()).good();
    no_panic(serving);
}

/// One row less in one input than in the others.
fn shorter(body: &mut Value) {
    body["inputs"][3]["shape"] = json!([1]);
    let first = body["inputs"][3]["data"][0].take();
    body["inputs"][3]["data"] = json!([first]);
}

#[test]
fn the_plain_route_and_the_paths_refuse_alike() {
    let (project, serving) = served();
    let good = serving.plain_body(&project.rows(1, "parts.test")[..2]);
    let plain = |row: &dyn Fn(&mut Value)| {
        let mut body = good.clone();
        row(&mut body["rows"][1]);
        serving.post("/predict/tumour", body.to_string())
    };
    refused("no JSON", &serving.post("/predict/tumour", "{\"rows\": "), 400, "cannot read the request");
    refused("no rows", &serving.post("/predict/tumour", "{\"rows\": []}"), 400, "row");
    let expected = "30 columns are missing: `mean_radius` (float64, row 0), ";
    refused("an empty row", &serving.post("/predict/tumour", "{\"rows\": [{}]}"), 400, expected);
    refused("a null", &plain(&|row| row["worst_concavity"] = json!(null)), 400, "`worst_concavity` is null");
    refused("no row", &plain(&|row| *row = json!(7)), 400, "");
    refused("a text", &plain(&|row| row["mean_area"] = json!("large")), 400, "mean_area");
    refused("an unknown column", &plain(&|row| row["size"] = json!(1)), 400, "size");
    refused(
        "a missing column",
        &plain(&|row| drop(row.as_object_mut().unwrap().remove("mean_area"))),
        400,
        "mean_area",
    );
    for (path, says) in [
        ("/v2/models/absent", "there is no endpoint `absent`"),
        ("/v2/models/absent/ready", "there is no endpoint `absent`"),
        ("/v2/models/...", "there is no endpoint"),
        ("/v2/models/tumour/versions/2", "does not serve version `2`"),
        ("/v2/models/tumour/versions/x", "does not serve version `x`"),
        ("/v2/nothing", "there is no such route"),
        ("/", "there is no such route"),
        ("/v1/tenants/default/runs", "there is no such route"),
    ] {
        refused(path, &serving.get(path), 404, says);
    }
    refused("no endpoint", &serving.post("/v2/models/absent/infer", "{}"), 404, "there is no endpoint `absent`");
    refused("no endpoint", &serving.post("/predict/absent", "{}"), 404, "there is no endpoint `absent`");
    refused("a wrong method", &serving.get(INFER), 405, "method");
    no_panic(serving);
}

/// A project of the tenant `acme`, with a small model behind the endpoint `tumour`.
fn served_to_acme() -> (Project, Serving) {
    let project = Project::cold();
    let rows: String = (0..40).map(|i| format!("{i}.5,{}\n", i > 20)).collect();
    project.write("data/rows.csv", format!("x,y\n{rows}"));
    let pipeline = "[steps.rows]\nplugin = \"csv\"\nparams = { path = \"data/rows.csv\" }\ngrants = { files = [\"data\"] }\n\
                    [steps.model]\nplugin = \"logistic\"\ninputs = { train = \"rows.table\" }\nlabel = \"y\"\n\
                    [steps.registered]\nbuiltin = \"register\"\ninputs = { model = \"model.model\" }\n\
                    name = \"tumour\"\nalias = \"champion\"\n";
    project.write(TRAIN, pipeline);
    project.stepwell(&["tenant", "create", "acme"]).expect("tenant create", 0, &[]);
    project.stepwell(&["--tenant", "acme", "run"]).expect("run", 0, &["registered model `tumour`"]);
    let serving = Serving::of_tenant(&project.path(""), "acme");
    (project, serving)
}

/// What is asked beneath `/tenants/acme` is answered as at the root: each route there is, what each refuses, and the paths
/// that are none.
#[test]
fn another_tenant_has_every_route_beneath_its_name() {
    let (_project, serving) = served_to_acme();
    let get = |path: &str| serving.get(&format!("/tenants/acme{path}"));
    let post = |path: &str, body: &Value| serving.post(&format!("/tenants/acme{path}"), body.to_string());
    assert_eq!(get("/v2").good()["name"], "stepwell");
    assert_eq!(get("/v2/health/live").good()["live"], true);
    assert_eq!(get("/v2/health/ready").good()["ready"], true);
    let metadata = get("/v2/models/tumour").good();
    assert_eq!((&metadata["name"], &metadata["versions"]), (&json!("tumour"), &json!(["1"])));
    assert_eq!(get("/v2/models/tumour/versions/1").good(), metadata);
    for path in ["/v2/models/tumour/ready", "/v2/models/tumour/versions/1/ready"] {
        assert_eq!(get(path).good(), json!({ "name": "tumour", "ready": true }), "{path}");
    }
    let tensors = json!({ "inputs": [{ "name": "x", "datatype": "FP64", "shape": [2], "data": [1.5, 30.5] }] });
    let answer = post("/v2/models/tumour/infer", &tensors).good();
    assert_eq!(answer["outputs"].as_array().unwrap().len(), 2, "{answer}");
    // Of the prediction ids each answer has its own.
    assert_eq!(post("/v2/models/tumour/versions/1/infer", &tensors).good()["outputs"], answer["outputs"]);
    let predictions = post("/predict/tumour", &json!({ "rows": [{ "x": 1.5 }, { "x": 30.5 }] })).good();
    assert_eq!(predictions["predictions"].as_array().unwrap().len(), 2, "{predictions}");
    let nothing = json!({});
    for path in ["/v2/models/absent/infer", "/v2/models/absent/versions/1/infer", "/predict/absent"] {
        refused(path, &post(path, &nothing), 404, "there is no endpoint `absent`");
    }
    for (path, status, says) in [
        ("/v2/models/absent", 404, "there is no endpoint `absent`"),
        ("/v2/models/absent/ready", 404, "there is no endpoint `absent`"),
        ("/v2/models/absent/versions/1", 404, "there is no endpoint `absent`"),
        ("/v2/models/tumour/versions/2", 404, "does not serve version `2`"),
        ("/v2/models/tumour/versions/2/ready", 404, "does not serve version `2`"),
        ("/v2/models/%ff", 400, "has an escape"),
        ("/v2/models/tumour/versions/%ff", 400, "has an escape"),
        ("/v2/models/tumour/infer", 405, "method"),
        ("/v2/nothing", 404, "there is no such route"),
        ("/tenants/acme/v2", 404, "there is no such route"),
    ] {
        refused(path, &get(path), status, says);
    }
    refused("another's at the root", &serving.get("/v2/models/tumour"), 404, "there is no endpoint `tumour`");
    refused("nobody's", &serving.get("/tenants/nobody/v2/models/tumour"), 404, "there is no tenant `nobody`");
    no_panic(serving);
}

/// Who comes under the name of a tenant that is gone begins with nothing.
#[test]
fn what_was_counted_goes_with_its_tenant() {
    let (project, serving) = served_to_acme();
    let counted = || {
        let stats = serving.get("/tenants/acme/v2/models/tumour/stats").good();
        let metrics = serving.get("/tenants/acme/metrics").body;
        (stats["model_stats"][0]["execution_count"].clone(), metrics.contains("ended=\"answered\"} 1"))
    };
    serving.post("/tenants/acme/predict/tumour", json!({ "rows": [{ "x": 1.5 }] }).to_string()).good();
    assert_eq!(counted(), (json!(1), true));
    project.stepwell(&["tenant", "delete", "acme", "--yes"]).expect("tenant delete", 0, &["nothing of it remains"]);
    project.stepwell(&["tenant", "create", "acme"]).expect("tenant create", 0, &[]);
    project.stepwell(&["--tenant", "acme", "run"]).expect("run", 0, &["registered model `tumour`"]);
    project.stepwell(&["--tenant", "acme", "deploy", "--yes"]).expect("deploy", 0, &["deployed version 1"]);
    assert_eq!(counted(), (json!(0), false));
    no_panic(serving);
}

#[test]
fn an_unloaded_endpoint_gives_its_worker_back_until_it_is_loaded() {
    let (project, serving) = served();
    let rows = project.rows(1, "parts.test");
    let before = serving.infer(&rows);
    // Beside the endpoint's there may be one that waits for steps.
    let loaded = serving.workers().len();
    // A terminal's Ctrl-C is said to the server's process group, and the server ends what is under way: no attempt dies of it.
    let group = |process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().split(' ').nth(2).unwrap().parse::<u32>().unwrap()
    };
    assert!(serving.workers().iter().all(|worker| group(*worker) == *worker));
    assert_eq!(serving.post("/v2/repository/models/tumour/unload", "").status, 200);
    let deadline = Instant::now() + DEADLINE;
    while serving.workers().len() >= loaded {
        assert!(Instant::now() < deadline, "an unloaded endpoint keeps its worker");
        std::thread::yield_now();
    }
    let body = serving.infer_body(&rows[..1]);
    refused("unloaded", &serving.post(INFER, body.to_string()), 503, "endpoint `tumour` was unloaded");
    project.stepwell(&["endpoint", "list"]).expect("endpoint list", 0, &["nothing: it was unloaded"]);
    assert_eq!(serving.get("/v2/models/tumour/ready").status, 503);
    assert!(serving.workers().len() < loaded, "asking has loaded it");
    assert_eq!(serving.post("/v2/repository/models/tumour/load", "{}").status, 200);
    assert_eq!(serving.infer(&rows), before);
    no_panic(serving);
}

#[test]
fn the_openapi_document_tells_of_routes_that_are_there() {
    let (project, serving) = served();
    let document = serving.get("/openapi.json").good();
    let columns = &document["components"]["schemas"]["tumour.row"]["properties"];
    // A file may lack any value; the model takes no row without one.
    assert_eq!(columns["mean_radius"], json!({ "type": "number", "format": "double" }));
    let required = document["components"]["schemas"]["tumour.row"]["required"].as_array().unwrap();
    assert_eq!(required.len(), 30, "{required:?}");
    let paths = document["paths"].as_object().unwrap();
    for (path, _) in paths.iter().filter(|(_, methods)| methods.get("get").is_some()) {
        let answer = serving.get(&path.replace("{version}", "1"));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let rows = serving.plain_body(&project.rows(1, "parts.test")[..1]);
    let posts: Vec<_> =
        paths.keys().filter(|path| path.contains("tumour") && paths[*path].get("post").is_some()).collect();
    assert_eq!(posts, ["/labels/tumour", "/predict/tumour", INFER, "/v2/models/tumour/versions/{version}/infer"]);
    serving.post(posts[1], rows.to_string()).good();
    let page = serving.get("/docs");
    assert!(page.status == 200 && page.body.starts_with("<!doctype html>"), "{page:?}");
    // Nothing of it comes from elsewhere.
    assert!(!page.body.contains("://"), "{page:?}");
}

fn no_panic(serving: Serving) {
    let (status, said) = serving.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_new_version_takes_over_without_a_failed_request() {
    let (project, serving) = served();
    let body = serving.infer_body(&project.rows(1, "parts.test")[..1]).to_string();
    let address = serving.address;
    let ended = AtomicBool::new(false);
    let versions: Vec<String> = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut versions = Vec::new();
            let deadline = Instant::now() + DEADLINE;
            // The endpoint moves by itself once the run has registered: the first request after the run must see it.
            while Instant::now() < deadline {
                let last = ended.load(Ordering::SeqCst);
                let answer = request(address, "POST", INFER, body.as_bytes()).unwrap().good();
                versions.push(answer["model_version"].as_str().unwrap().to_owned());
                if last {
                    break;
                }
            }
            versions
        });
        project.edit(TRAIN, "seed = 7", "seed = 8");
        project.edit(TRAIN, "at_least = 0.99", "at_least = 0.9");
        project.run();
        ended.store(true, Ordering::SeqCst);
        asking.join().unwrap()
    });
    assert!(versions.is_sorted(), "{versions:?}");
    assert_eq!((versions.first().unwrap().as_str(), versions.last().unwrap().as_str()), ("1", "2"));
    let (rows, predicted) = (project.rows(2, "parts.test"), project.rows(2, "predicted.table"));
    let batch: Vec<u64> = predicted.iter().map(|row| row["probability"].as_f64().unwrap().to_bits()).collect();
    assert_eq!(serving.infer(&rows).into_iter().map(f64::to_bits).collect::<Vec<_>>(), batch);
    no_panic(serving);
}

#[test]
fn a_run_that_the_gate_rejects_leaves_the_endpoint_alone() {
    let (project, serving) = served();
    project.edit(TRAIN, "at_least = 0.99", "at_least = 0.9999");
    project.stepwell(&["run"]).expect("a gate that fails", 4, &["run 2 rejected"]);
    assert_eq!(serving.get("/v2/models/tumour").good()["versions"], json!(["1"]));
    assert_eq!(serving.infer(&project.rows(1, "parts.test")).len(), 142);
}

#[test]
fn an_endpoint_without_a_version_says_so_until_there_is_one() {
    let project = Project::new();
    let serving = project.serve();
    assert!(serving.said().contains("endpoint `tumour` is not ready"), "{}", serving.said());
    assert_eq!(serving.get("/v2/health/live").good()["live"], true);
    assert_eq!(serving.get("/v2/health/ready").status, 503);
    assert_eq!(serving.get("/v2/models/tumour/ready").status, 503);
    let answer = serving.post(INFER, "{\"inputs\": []}");
    refused("nothing to serve", &answer, 503, "model `tumour` has no version `champion` yet");
    assert!(answer.head.to_lowercase().contains("retry-after:"), "{answer:?}");
    project.run();
    assert_eq!(serving.get("/v2/health/ready").good()["ready"], true);
    assert_eq!(serving.infer(&project.rows(1, "parts.test")).len(), 142);
}

#[test]
fn a_request_after_its_worker_was_killed_is_answered() {
    let (project, serving) = served();
    let rows = project.rows(1, "parts.test");
    let before = serving.infer(&rows);
    // Leaves warm workers behind, which die too: neither a run nor a request may be handed a dead one.
    project.run();
    for _ in 0..3 {
        let workers = serving.workers();
        assert!(!workers.is_empty(), "no worker serves");
        workers.iter().for_each(|worker| signal("-KILL", *worker));
        assert_eq!(serving.infer(&rows), before);
        assert!(serving.workers().iter().all(|worker| !workers.contains(worker)), "the killed ones are gone");
    }
    serving.workers().iter().for_each(|worker| signal("-KILL", *worker));
    project.run();
    no_panic(serving);
}

#[test]
fn the_end_is_clean_and_leaves_the_folder_to_the_next() {
    let (project, serving) = served();
    let workers = serving.workers();
    assert!(project.path(".stepwell/socket").exists());
    let (status, said) = serving.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!project.path(".stepwell/socket").exists());
    let deadline = Instant::now() + DEADLINE;
    for worker in workers {
        while std::path::Path::new(&format!("/proc/{worker}")).exists() {
            assert!(Instant::now() < deadline, "worker {worker} outlives its server");
            std::thread::yield_now();
        }
    }
    project.stepwell(&["runs", "list"]).expect("runs list", 0, &["succeeded"]);
    assert_eq!(project.serve().terminate().0.code(), Some(0));
}

/// Who keeps asking while the server ends is answered whole, is told that this was the last answer, or is not let in: no answer
/// breaks off.
#[test]
fn the_end_breaks_no_answer_off() {
    let (project, serving) = served();
    let rows = project.rows(1, "parts.test");
    let body = serving.infer_body(&rows[..1]).to_string();
    let address = serving.address;
    let head = format!(
        "POST {INFER} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answered = std::sync::atomic::AtomicUsize::new(0);
    let ends: Vec<(u32, bool)> = std::thread::scope(|scope| {
        let ask = || {
            let mut stream = connected(address, b"").unwrap();
            let mut count = 0;
            while stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).is_ok() {
                let Some(answer) = next_answer(&mut stream).expect("no answer breaks off") else {
                    return (count, false);
                };
                assert_eq!(answer.status, 200, "{answer:?}");
                count += 1;
                answered.fetch_add(1, Ordering::SeqCst);
                if answer.head.contains("connection: close") {
                    return (count, true);
                }
            }
            (count, false)
        };
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        let deadline = Instant::now() + DEADLINE;
        while answered.load(Ordering::SeqCst) < 50 {
            assert!(Instant::now() < deadline, "nobody is answered");
            std::thread::yield_now();
        }
        let (status, said) = serving.terminate();
        assert_eq!(status.code(), Some(0), "{said}");
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert!(ends.iter().all(|(count, _)| *count > 0), "{ends:?}");
    assert!(ends.iter().any(|(_, told)| *told), "nobody was told that it is the last answer: {ends:?}");
    assert!(request(address, "GET", "/v2", b"").is_err());
}

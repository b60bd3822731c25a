//! `stepwell serve` asked by many at once: requests are computed together, each gets the bits that it would get alone, what
//! one of them does to the worker is no other's loss, and too many are refused at once.

mod harness;

use harness::http::{Answer, answer, connected, request};
use harness::serving::Serving;
use harness::{Project, TRAIN};
use serde_json::{Value, json};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Beyond the time that anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

// What `guests/moody` does with a row.
const REFUSED: f64 = -1.0;
const TRAPPED: f64 = -2.0;
const ENDLESS: f64 = -3.0;
const GREEDY: f64 = -4.0;
const SLOW: f64 = -5.0;

fn moody() -> (Project, Serving) {
    let project = Project::moody();
    project.run();
    let serving = project.serve();
    (project, serving)
}

fn ask(serving: &Serving, x: f64) -> Answer {
    let body = json!({ "rows": [{ "x": x }] }).to_string();
    request(serving.address, "POST", "/predict/tumour", body.as_bytes()).unwrap()
}

/// Every value asked about at the same time: the answers in their order.
fn all_at_once(serving: &Serving, values: &[f64]) -> Vec<Answer> {
    std::thread::scope(|scope| {
        let asking: Vec<_> = values.iter().map(|x| scope.spawn(|| ask(serving, *x))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

#[track_caller]
fn doubled(answer: &Answer, x: f64) {
    assert_eq!(answer.good()["predictions"], json!([{ "multiplied": 2.0 * x }]));
}

#[track_caller]
fn refused(answer: &Answer, status: u16, says: &str) {
    let body = answer.json();
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(body["error"].as_str().is_some_and(|text| text.contains(says)), "`{says}` is not in {body}");
}

/// Each of these is one request's own doing; whoever was computed with it gets what is right.
#[test]
fn what_a_request_does_to_its_worker_is_no_others_loss() {
    let (_project, serving) = moody();
    let mut values: Vec<f64> = (0..40).map(f64::from).collect();
    for (bad, status, says) in [(REFUSED, 400, "refused row 0"), (TRAPPED, 500, "gave up"), (GREEDY, 504, "memory")] {
        values[20] = bad;
        for _ in 0..3 {
            let answers = all_at_once(&serving, &values);
            for (x, answer) in values.iter().zip(&answers) {
                match *x == bad {
                    true => refused(answer, status, says),
                    false => doubled(answer, *x),
                }
            }
        }
    }
    no_panic(serving);
}

/// One request that never ends holds its endpoint up for as long as its deadline; meanwhile a bounded number waits, and one
/// more is told at once to come again.
#[test]
fn too_many_are_refused_at_once_and_the_others_are_answered() {
    let (_project, serving) = moody();
    let (begun, values) = (Instant::now(), vec![1.0; 100]);
    let busy = std::thread::scope(|scope| {
        let endless = scope.spawn(|| ask(&serving, ENDLESS));
        let answers = all_at_once(&serving, &values);
        refused(&endless.join().unwrap(), 504, "`wall` of 10 s");
        answers.into_iter().filter(|answer| answer.status != 200).collect::<Vec<_>>()
    });
    // At least as many as have no place behind the endless one, if all came while it was computed.
    assert!(begun.elapsed() < DEADLINE);
    assert!(!busy.is_empty() && busy.len() < 100, "{} of 100 were refused", busy.len());
    for answer in &busy {
        assert_eq!(answer.status, 429, "{answer:?}");
        assert!(answer.head.to_lowercase().contains("retry-after: 1\r\n"), "{answer:?}");
    }
    doubled(&ask(&serving, 3.0), 3.0);
    no_panic(serving);
}

/// What is under way when the end is asked for is answered.
#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let (_project, serving) = moody();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&serving, SLOW))).collect();
        let begun = Instant::now();
        while !serving
            .get("/metrics")
            .body
            .contains("stepwell_requests_in_flight{tenant=\"default\",endpoint=\"tumour\",version=\"1\"} 4")
        {
            assert!(begun.elapsed() < DEADLINE);
        }
        serving.ask_to_stop();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    answers.iter().for_each(|answer| doubled(answer, SLOW));
    // It was asked once; a second time would end it at once.
    ended_well(serving.ended());
}

#[test]
fn what_was_computed_together_is_told_to_prometheus_and_a_trace_goes_on() {
    let (_project, serving) = moody();
    let values: Vec<f64> = (0..64).map(f64::from).collect();
    let mut together = String::new();
    for _ in 0..20 {
        all_at_once(&serving, &values).iter().zip(&values).for_each(|(answer, x)| doubled(answer, *x));
        together = serving.get("/metrics").body;
    }
    let labels = "{tenant=\"default\",endpoint=\"tumour\",version=\"1\"";
    let number = |name: &str| {
        let line = together.lines().find_map(|line| line.strip_prefix(&format!("stepwell_{name} ")));
        line.unwrap_or_else(|| panic!("no `{name}` in\n{together}")).parse::<f64>().unwrap()
    };
    assert_eq!(number(&format!("requests_total{labels},ended=\"answered\"}}")), 1280.0);
    assert_eq!(number(&format!("rows_total{labels}}}")), 1280.0);
    assert!(number(&format!("batch_requests_sum{labels}}}")) > 1280.0, "nothing was computed together:\n{together}");
    assert!(number(&format!("predict_seconds_sum{labels}}}")) > 0.0);
    assert_eq!(serving.get("/tenants/nobody/metrics").status, 404);
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let head = format!("GET /v2 HTTP/1.1\r\nHost: {}\r\n{trace}\r\nConnection: close\r\n\r\n", serving.address);
    let told = answer(connected(serving.address, head.as_bytes()).unwrap()).unwrap();
    assert!(told.head.contains("traceparent: 00-0af7651916cd43dd8448eb211c80319c-"), "{told:?}");
    assert!(!told.head.contains("b7ad6b7169203331"), "{told:?}");
    no_panic(serving);
}

fn no_panic(serving: Serving) {
    ended_well(serving.terminate());
}

fn ended_well((status, said): (ExitStatus, String)) {
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// The three kinds of model that there are: sums, trees, layers.
#[test]
fn whatever_comes_together_the_bits_are_the_same() {
    let project = Project::cold();
    let mut endpoints = "name = \"together\"\n".to_owned();
    for model in ["logistic", "gbdt", "mlp"] {
        endpoints += &format!("[endpoints.{model}]\nmodel = \"{model}\"\nalias = \"champion\"\n");
    }
    project.write("stepwell.toml", endpoints);
    std::fs::remove_file(project.path(TRAIN)).unwrap();
    for model in ["logistic", "gbdt", "mlp"] {
        let pipeline = format!(
            "[steps.rows]\nplugin = \"csv\"\nparams = {{ path = \"data/tumour.csv\" }}\ngrants = {{ files = [\"data\"] }}\n\
             [steps.scaled]\nplugin = \"standardize\"\nfit = \"rows.table\"\ninputs = {{ train = \"rows.table\" }}\n\
             params = {{ except = [\"sample\"] }}\n\
             [steps.model]\nplugin = \"{model}\"\ninputs = {{ train = \"scaled.train\" }}\nlabel = \"diagnosis\"\n\
             ignore = [\"sample\"]\n\
             [steps.registered]\nbuiltin = \"register\"\ninputs = {{ model = \"model.model\" }}\n\
             name = \"{model}\"\nalias = \"champion\"\n"
        );
        project.write(&format!("pipelines/{model}.toml"), pipeline);
        project.stepwell(&["run", model]).expect("run", 0, &["registered model"]);
    }
    let (serving, rows) = (project.serve(), project.rows(1, "rows.table"));
    let rows: Vec<Value> = rows.into_iter().take(96).map(asked).collect();
    for model in ["logistic", "gbdt", "mlp"] {
        let path = format!("/predict/{model}");
        let predict = |rows: &[Value]| {
            let answer = serving.post(&path, json!({ "rows": rows }).to_string()).good();
            answer["predictions"].as_array().unwrap().clone()
        };
        let together = predict(&rows);
        let one_by_one: Vec<Value> = std::thread::scope(|scope| {
            let asking: Vec<_> = rows.iter().map(|row| scope.spawn(|| predict(std::slice::from_ref(row)))).collect();
            asking.into_iter().flat_map(|asked| asked.join().unwrap()).collect()
        });
        // JSON's numbers are the shortest that give the same bits.
        assert_eq!(one_by_one, together, "{model}");
    }
    no_panic(serving);
}

/// A row without what is no feature.
fn asked(mut row: Value) -> Value {
    let columns = row.as_object_mut().unwrap();
    columns.remove("sample");
    columns.remove("diagnosis");
    row
}

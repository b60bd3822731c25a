//! Everything but schedules that starts a deployed pipeline, for real: signed calls over HTTP, files that change, a source that
//! has more, another pipeline that succeeded; and who is told when one fails.

mod harness;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::http::{self, Answer};
use harness::serving::Serving;
use harness::{Project, command};
use ring::hmac;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Beyond what anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(90);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const ROWS: &str = r#"
[steps.rows]
plugin = "csv"
params = { path = "data/rows.csv" }
grants = { files = ["data"] }
"#;

/// A project of these pipelines, deployed.
fn deployed(head: &str, pipelines: &[(&str, &str)]) -> Project {
    let project = undeployed(head, pipelines);
    project.stepwell(&["deploy", "--yes"]).expect("deploy", 0, &["deployed version 1"]);
    project
}

/// The same before that.
fn undeployed(head: &str, pipelines: &[(&str, &str)]) -> Project {
    let project = Project::new();
    project.write("stepwell.toml", format!("name = \"shop\"\n{head}"));
    project.write("data/rows.csv", "a,b\n1,x\n2,y\n");
    std::fs::remove_file(project.path(harness::TRAIN)).unwrap();
    for (name, text) in pipelines {
        project.write(&format!("pipelines/{name}.toml"), text);
    }
    set(&project, "HOOK", SECRET);
    project
}

fn set(project: &Project, name: &str, value: &str) {
    let mut command = command(&project.path("."), &["secret", "set", name]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// The runs of a pipeline that have ended, once there are so many.
#[track_caller]
fn ended(project: &Project, pipeline: &str, count: usize) -> Vec<Value> {
    let begin = Instant::now();
    loop {
        let runs = project.stepwell(&["runs", "list", "--json"]).json();
        let is_its = |run: &&Value| run["pipeline"] == pipeline && run["state"] != "running";
        let found: Vec<_> = runs.as_array().unwrap().iter().filter(is_its).cloned().collect();
        assert!(found.len() <= count, "more than {count} runs of {pipeline}: {found:#?}");
        if found.len() == count {
            return found;
        }
        assert!(begin.elapsed() < DEADLINE, "{} of {count} runs of {pipeline}: {runs:#}", found.len());
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn signature(secret: &str, id: &str, seconds: u64, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let message = [id.as_bytes(), b".", seconds.to_string().as_bytes(), b".", body].concat();
    format!("v1,{}", STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &message)))
}

/// A signed call, with these headers beside.
fn call(server: &Serving, path: &str, secret: &str, id: &str, seconds: u64, body: &str, more: &[&str]) -> Answer {
    let (to, length) = (server.address, body.len());
    let signature = signature(secret, id, seconds, body.as_bytes());
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Length: {length}\r\nConnection: close\r\n");
    head.push_str(&format!("webhook-id: {id}\r\nwebhook-timestamp: {seconds}\r\nwebhook-signature: {signature}\r\n"));
    more.iter().for_each(|header| head.push_str(&format!("{header}\r\n")));
    let mut stream = http::connected(to, format!("{head}\r\n").as_bytes()).unwrap();
    // A body that is too large is refused before it comes.
    if body.len() <= 64 << 10 {
        stream.write_all(body.as_bytes()).unwrap();
    }
    http::answer(stream).unwrap()
}

/// The head of a call that nobody signed, and whose body is too large.
fn announced(server: &Serving, path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n", server.address)
}

#[test]
fn a_signed_call_starts_one_run_and_an_unsigned_one_learns_nothing() {
    let main = format!("[triggers]\nwebhook = {{ secret = \"HOOK\" }}\n{ROWS}");
    let project = deployed("", &[("main", &main), ("silent", ROWS)]);
    let server = project.serve();
    let path = "/hooks/shop/main";
    let right = |id: &str, body: &str, more: &[&str]| call(&server, path, SECRET, id, now(), body, more);
    let first = right("msg_1", "{}", &[]);
    assert_eq!(first.status, 202, "{first:?}");
    let again = right("msg_1", "{}", &[]);
    assert_eq!((again.status, again.json()), (200, first.json()), "{again:?}");
    let event = r#"{"specversion":"1.0","id":"7","source":"/orders","type":"sold"}"#;
    let structured = right("msg_2", event, &["content-type: application/cloudevents+json"]);
    assert_eq!(structured.status, 202, "{structured:?}");
    let another = right("msg_3", event, &[]);
    assert_eq!((another.status, another.json()), (200, structured.json()), "the same event in another call");
    let forged = right("msg_1", "{}", &["ce-specversion: 1.0", "ce-id: 8", "ce-source: /orders"]);
    assert_eq!((forged.status, forged.json()), (200, first.json()), "what is not signed makes no other event of it");
    assert_eq!(right("msg.4", "{}", &[]).status, 401, "an id with a dot could be cut elsewhere");
    assert_eq!(right("msg_4", r#"{"specversion":"0.3","id":"7","source":"s"}"#, &[]).status, 400);
    assert_eq!(right("msg_5", &"x".repeat((64 << 10) + 1), &[]).status, 413);
    let refused = [
        call(&server, path, "whsec_AAAA", "msg_6", now(), "{}", &[]),
        call(&server, path, SECRET, "msg_6", now() - 3600, "{}", &[]),
        call(&server, "/hooks/shop/silent", SECRET, "msg_6", now(), "{}", &[]),
        call(&server, "/hooks/shop/nothing", SECRET, "msg_6", now(), "{}", &[]),
        call(&server, "/hooks/other/main", SECRET, "msg_6", now(), "{}", &[]),
        call(&server, "/hooks/.../main", SECRET, "msg_6", now(), "{}", &[]),
        call(&server, "/tenants/nobody/hooks/shop/main", SECRET, "msg_6", now(), "{}", &[]),
        call(&server, "/tenants/No-Body/hooks/shop/main", SECRET, "msg_6", now(), "{}", &[]),
        call(&server, "/tenants/default/hooks/shop/silent", SECRET, "msg_6", now(), "{}", &[]),
        // Refused before what it announces comes, wherever.
        http::answer(http::connected(server.address, announced(&server, path).as_bytes()).unwrap()).unwrap(),
        server.post(path, "{}"),
    ];
    for answer in &refused {
        assert_eq!((answer.status, &answer.body), (401, &refused[0].body), "{answer:?}");
    }
    assert_eq!(server.get(path).status, 405);
    // Nor does it learn more from what is too large, or of another kind.
    let large = "x".repeat((64 << 10) + 1);
    for tenant in ["default", "nobody"] {
        let path = format!("/tenants/{tenant}/hooks/shop/main");
        assert_eq!(call(&server, &path, "whsec_AAAA", "msg_7", now(), &large, &[]).status, 413, "{tenant}");
        assert_eq!(server.get(&path).status, 405, "{tenant}");
    }
    let runs = ended(&project, "main", 2);
    assert!(runs.iter().all(|run| run["state"] == "succeeded"), "{runs:#?}");
    // A restart forgets no event.
    server.terminate();
    let server = project.serve();
    assert_eq!(call(&server, path, SECRET, "msg_1", now(), "{}", &[]).json(), first.json());
}

#[test]
fn a_pipeline_follows_another_that_succeeded() {
    let first = format!("[triggers]\nwebhook = {{ secret = \"HOOK\" }}\n{ROWS}");
    let then = format!("[triggers]\nafter = [\"first\"]\n{ROWS}");
    let last = format!("[triggers]\nafter = [\"then\"]\n{ROWS}");
    let project = deployed("", &[("first", &first), ("then", &then), ("last", &last)]);
    // One that ends while no server looks is followed once one does; one of the folder is not.
    project.stepwell(&["run", "--deployed", "first"]).expect("run", 0, &["succeeded"]);
    project.stepwell(&["run", "first"]).expect("run", 0, &["succeeded"]);
    let server = project.serve();
    ended(&project, "last", 1);
    assert_eq!(call(&server, "/hooks/shop/first", SECRET, "msg_1", now(), "", &[]).status, 202);
    ended(&project, "last", 2);
    project.write("data/rows.csv", "");
    assert_eq!(call(&server, "/hooks/shop/first", SECRET, "msg_2", now(), "", &[]).status, 202);
    let failed = ended(&project, "first", 4);
    assert_eq!(failed[0]["state"], "failed", "{failed:#?}");
    ended(&project, "then", 2);
}

#[test]
fn files_that_changed_start_one_run() {
    let rows = ROWS.replace("\"data/rows.csv\"", "\"incoming/*.csv\", columns = { a = \"int64\", b = \"text\" }");
    let rows = rows.replace("[\"data\"]", "[\"incoming\"]");
    let main = format!("[triggers]\nfiles = [\"incoming/*.csv\"]\n{rows}");
    let project = undeployed("", &[("main", &main)]);
    project.write("incoming/rows.csv", "a,b\n1,x\n2,y\n");
    project.stepwell(&["deploy", "--yes"]).expect("deploy", 0, &["deployed version 1"]);
    let server = project.serve();
    // What is there is taken note of by the first look: a run comes only of what changes after it.
    let begin = Instant::now();
    let mut written = 0;
    while !project.stepwell(&["runs", "list"]).out.contains("main") {
        assert!(begin.elapsed() < DEADLINE, "no run: {}", server.said());
        if begin.elapsed() > Duration::from_secs(30 * written) {
            written += 1;
            project.write(&format!("incoming/more-{written}.csv"), "a,b\n3,z\n");
        }
    }
    let runs = ended(&project, "main", 1);
    assert_eq!(runs[0]["state"], "succeeded");
    let what = runs[0]["cause"]["what"].as_str().unwrap();
    assert!(what.starts_with("new incoming/more-"), "{what}");
    let rows = |run: &Value| project.rows(run["run"].as_u64().unwrap(), "rows.table").len();
    let came = rows(&runs[0]);
    assert!(came > 2, "the rows of `incoming/rows.csv`, and those of what came: {came}");
    project.write("incoming/other.txt", "no CSV");
    std::fs::remove_file(project.path("incoming/more-1.csv")).unwrap();
    let runs = ended(&project, "main", 2);
    assert_eq!(runs[0]["cause"]["what"], "gone incoming/more-1.csv");
    assert!(rows(&runs[0]) >= came, "what is gone keeps the rows that it brought");
}

#[test]
fn a_source_that_has_more_starts_a_run_and_is_not_read_twice() {
    let main = format!("[triggers]\nsource = {{ step = \"rows\", every = \"10 s\" }}\n{ROWS}");
    let project = deployed("", &[("main", &main)]);
    let server = project.serve();
    let runs = ended(&project, "main", 1);
    assert_eq!(runs[0]["state"], "succeeded", "{}", server.said());
    let run = runs[0]["run"].as_u64().unwrap();
    assert_eq!(project.rows(run, "rows.table").len(), 2, "what was looked at is read once");
    let text = project.read("data/rows.csv");
    project.write("data/rows.csv", text + "3,z\n");
    let runs = ended(&project, "main", 2);
    assert_eq!(project.rows(runs[0]["run"].as_u64().unwrap(), "rows.table").len(), 3);
}

#[test]
fn a_run_that_failed_is_told_of_signed_and_where_the_policy_allows() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/told", listener.local_addr().unwrap());
    let main =
        format!("[triggers]\nwebhook = {{ secret = \"HOOK\" }}\n{}", ROWS.replace("data/rows.csv", "data/nowhere.csv"));
    let head = format!("[notify]\nurl = \"{url}\"\nsecret = \"HOOK\"\n");
    // A collector that finds nothing does not pass the check.
    let project = Project::new();
    project.write("data/nowhere.csv", "a,b\n1,x\n");
    project.write("stepwell.toml", format!("name = \"shop\"\n{head}"));
    std::fs::remove_file(project.path(harness::TRAIN)).unwrap();
    project.write("pipelines/main.toml", main);
    let unsigned = "no call can be signed, because the tenant has no secret `HOOK`";
    let untold = ["nobody can be told, because", "does not let a message to"];
    let wanting = [unsigned, untold[0], untold[1], "deployed version 1"];
    project.stepwell(&["deploy", "--yes"]).expect("deploy", 0, &wanting);
    set(&project, "HOOK", SECRET);
    std::fs::remove_file(project.path("data/nowhere.csv")).unwrap();
    let (heard, told) = channel();
    std::thread::spawn(move || {
        // The first message finds nobody at home.
        for status in ["503 Service Unavailable", "204 No Content"] {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = heard.send(request(&mut stream));
            stream
                .write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())
                .unwrap();
        }
    });
    let server = project.serve();
    assert_eq!(call(&server, "/hooks/shop/main", SECRET, "msg_1", now(), "", &[]).status, 202);
    ended(&project, "main", 1);
    let begin = Instant::now();
    while !server.said().contains("nobody could be told") {
        assert!(
            begin.elapsed() < DEADLINE,
            "a policy that does not name the address lets it through: {}",
            server.said()
        );
    }
    let line = format!("http = [\"POST {url}\"]");
    project.stepwell(&["tenant", "policy", "default", "--allow", &line]).expect("policy", 0, &[]);
    assert_eq!(call(&server, "/hooks/shop/main", SECRET, "msg_2", now(), "", &[]).status, 202);
    let [first, second] = [(); 2].map(|()| told.recv_timeout(DEADLINE).expect("a message"));
    assert_eq!((&first.0["webhook-id"], &first.1), (&second.0["webhook-id"], &second.1), "the same, again");
    let (headers, body) = second;
    let seconds = headers["webhook-timestamp"].as_str().unwrap().parse().unwrap();
    let id = headers["webhook-id"].as_str().unwrap();
    assert_eq!(headers["webhook-signature"], signature(SECRET, id, seconds, body.as_bytes()));
    let message: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&message["type"], &message["run"], &message["pipeline"]),
        (&"run.failed".into(), &2.into(), &"main".into())
    );
    assert_eq!((&message["state"], &message["failed"][0]["step"]), (&"failed".into(), &"rows".into()), "{message:#}");
    assert!(!body.contains("whsec_"), "{body}");
}

/// Headers, by their names in lower case, and body of a request.
fn request(stream: &mut std::net::TcpStream) -> (Value, String) {
    let mut reader = BufReader::new(stream);
    let mut headers = serde_json::Map::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) => drop(headers.insert(name.to_ascii_lowercase(), value.into())),
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let length = headers["content-length"].as_str().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (Value::Object(headers), String::from_utf8(body).unwrap())
}

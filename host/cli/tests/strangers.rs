//! `stepwell serve` among strangers: what they leave half said, what they send too much of, and who asks in whose name.

mod harness;

use harness::Project;
use harness::http::{Answer, answer, connected};
use harness::serving::Serving;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What a client has 10 s for, and the end too; with room for a busy machine.
const BOUNDED: Duration = Duration::from_secs(25);
/// Well below what anything has 10 s for.
const AT_ONCE: Duration = Duration::from_secs(8);
/// Beyond the time that anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

fn head(serving: &Serving, body: usize) -> String {
    let host = serving.address;
    format!(
        "POST /predict/tumour HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {body}\r\n"
    )
}

/// Connections that are left open in every state there is, once the server has them.
fn half_open(serving: &Serving) -> Vec<TcpStream> {
    let open = |said: String| connected(serving.address, said.as_bytes()).unwrap();
    let (host, half_a_body) = (serving.address, head(serving, 100));
    let states = vec![
        open(String::new()),
        open(format!("GET /v2 HTTP/1.1\r\nHost: {host}\r\nX-Half: ")),
        open(half_a_body + "\r\n{"),
    ];
    // Connections are taken in their order: one that is answered has all before it taken.
    serving.get("/v2").good();
    states
}

/// A connection that was answered and is kept.
fn kept_alive(serving: &Serving) -> TcpStream {
    let request = format!("GET /v2 HTTP/1.1\r\nHost: {}\r\n\r\n", serving.address);
    let mut stream = connected(serving.address, request.as_bytes()).unwrap();
    let mut answered = [0; 12];
    stream.read_exact(&mut answered).unwrap();
    assert_eq!(&answered, b"HTTP/1.1 200");
    stream
}

#[test]
fn half_open_connections_do_not_keep_the_server() {
    let project = Project::new();
    let serving = project.serve();
    let left_open = half_open(&serving);
    let begin = Instant::now();
    let (status, said) = serving.terminate();
    assert!(begin.elapsed() < BOUNDED, "{:?}: {said}", begin.elapsed());
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!project.path(".stepwell/socket").exists());
    drop(left_open);
}

#[test]
fn idle_connections_end_with_the_server_at_once() {
    let serving = Project::new().serve();
    let idle = kept_alive(&serving);
    let begin = Instant::now();
    let (status, said) = serving.terminate();
    assert!(begin.elapsed() < AT_ONCE, "{:?}: {said}", begin.elapsed());
    assert_eq!(status.code(), Some(0), "{said}");
    drop(idle);
}

#[test]
fn a_second_signal_ends_at_once() {
    let project = Project::new();
    let serving = project.serve();
    let left_open = half_open(&serving);
    let begin = Instant::now();
    serving.ask_to_stop();
    while !serving.said().contains("stopping") {
        assert!(begin.elapsed() < DEADLINE, "the first signal is not heard: {}", serving.said());
        std::thread::yield_now();
    }
    let (status, said) = serving.terminate();
    assert!(begin.elapsed() < AT_ONCE, "{:?}: {said}", begin.elapsed());
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(!project.path(".stepwell/socket").exists());
    drop(left_open);
}

#[test]
fn a_head_that_does_not_end_and_an_idle_connection_are_not_kept() {
    let serving = Project::new().serve();
    let begin = Instant::now();
    let half = connected(serving.address, b"GET /v2 HTTP/1.1\r\nX-Half: ").unwrap();
    // HTTP/2 as a client begins it, which then asks nothing.
    let preface = connected(serving.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let half_preface = connected(serving.address, b"PRI * HT").unwrap();
    for mut stream in [kept_alive(&serving), half, preface, half_preface] {
        // The server's end of it; the test's own limit for a read is above.
        stream.read_to_end(&mut Vec::new()).unwrap();
        assert!(begin.elapsed() < BOUNDED, "{:?}", begin.elapsed());
    }
}

/// The most connections there may be at once.
const CONNECTIONS_MAX: usize = 256;

/// Half-sent bodies, for which nobody needs a key, keep nobody out: the one that has been sent for longest makes room.
#[test]
fn half_a_body_makes_room() {
    let serving = Project::new().serve();
    let signed = format!("webhook-id: msg_1\r\nwebhook-timestamp: {}\r\nwebhook-signature: v1,AAAA\r\n", now());
    let hook = head(&serving, 100).replace("/predict/tumour", "/hooks/shop/main") + &signed;
    let half = [hook, head(&serving, 100)].map(|head| head + "Expect: 100-continue\r\n\r\n");
    let open = |i: usize| connected(serving.address, half[i % 2].as_bytes()).unwrap();
    let mut busy: Vec<_> = (0..CONNECTIONS_MAX).map(open).collect();
    for stream in &mut busy {
        // The server is in the middle of a request once it asks for the body.
        let mut answered = [0; 25];
        stream.read_exact(&mut answered).unwrap();
        assert_eq!(&answered, b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    serving.get("/v2").good();
    let mut said = Vec::new();
    // Its end, and no answer; where opening them all took this machine long it was told before that it took too long.
    drop(busy.remove(0).read_to_end(&mut said));
    let said = String::from_utf8_lossy(&said);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    let mut latest = busy.pop().unwrap();
    latest.write_all(&[b' '; 100]).unwrap();
    let mut said = [0; 12];
    latest.read_exact(&mut said).unwrap();
    // Nothing was trained yet.
    assert_eq!(String::from_utf8_lossy(&said), "HTTP/1.1 503", "the one that came last is kept");
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// What a tenant's callers send, and do not end, leaves room for the callers of another.
#[test]
fn one_tenants_half_sent_bodies_leave_room_for_anothers() {
    let project = Project::new();
    project.stepwell(&["tenant", "create", "acme"]).expect("tenant create", 0, &[]);
    let serving = project.serve();
    let (head, part) = (head(&serving, 32 << 20) + "\r\n", vec![b' '; 24 << 20]);
    let _loud: Vec<_> = std::thread::scope(|scope| {
        let send = || {
            let mut stream = connected(serving.address, head.as_bytes()).unwrap();
            // Some are refused at once.
            drop(stream.write_all(&part));
            stream
        };
        let sending: Vec<_> = (0..16).map(|_| scope.spawn(send)).collect();
        sending.into_iter().map(|sent| sent.join().unwrap()).collect()
    });
    refused("acme", &serving.post("/tenants/acme/predict/absent", "{}"), 404, "no endpoint `absent`");
}

/// Whoever keeps all places by asking something now and then keeps nobody out, and loses the place that is idle longest.
#[test]
fn an_idle_connection_makes_room() {
    let serving = Project::new().serve();
    let mut idle: Vec<_> = (0..CONNECTIONS_MAX).map(|_| kept_alive(&serving)).collect();
    let begin = Instant::now();
    for _ in 0..3 {
        serving.get("/v2").good();
    }
    assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
    // The rest of its one answer, then its end, and not because it was idle for too long.
    let mut longest = idle.remove(0);
    longest.set_read_timeout(Some(AT_ONCE)).unwrap();
    longest.read_to_end(&mut Vec::new()).unwrap();
    let again = format!("GET /v2 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", serving.address);
    let mut latest = idle.pop().unwrap();
    latest.write_all(again.as_bytes()).unwrap();
    let mut said = String::new();
    latest.read_to_string(&mut said).unwrap();
    assert!(said.contains("HTTP/1.1 200"), "the one that asked last is kept: {said}");
}

/// What keeps its place without a word, or with half of one, makes room too, within a second.
#[test]
fn half_a_head_makes_room() {
    let serving = Project::new().serve();
    let half = format!("GET /v2 HTTP/1.1\r\nHost: {}\r\nX-Half: ", serving.address);
    let begin = Instant::now();
    let _half: Vec<_> = (0..CONNECTIONS_MAX).map(|_| connected(serving.address, half.as_bytes()).unwrap()).collect();
    serving.get("/v2").good();
    assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
}

/// Holds an error of the protocol.
#[track_caller]
fn refused(what: &str, answer: &Answer, status: u16, says: &str) {
    let body = answer.json();
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert!(answer.head.to_lowercase().contains("content-type: application/json"), "{what}: {answer:?}");
    assert!(body["error"].as_str().is_some_and(|text| text.contains(says)), "{what}: {body}");
    assert_eq!(body.as_object().unwrap().len(), 1, "{what}: {body}");
}

#[test]
fn whoever_asks_in_another_name_or_form_is_refused_in_the_protocols_words() {
    let serving = Project::new().serve();
    let (host, json) = (format!("Host: {}", serving.address), "Content-Type: application/json");
    let infer = "POST /v2/models/tumour/infer";
    for (line, headers, status, says) in [
        ("GET /v2", vec!["Host: evil.example"], 421, "asked for as `localhost`"),
        ("GET /v2", vec!["Host: 127.0.0.1.evil.example:8080"], 421, "asked for as `localhost`"),
        ("GET http://evil.example/v2", vec![&host], 421, "asked for as `localhost`"),
        ("GET /nothing", vec!["Host: evil.example"], 421, "asked for as `localhost`"),
        ("GET /v2", vec!["X-Forwarded-Host: localhost"], 400, "one `Host` header"),
        ("GET /v2", vec![&host, "Host: localhost"], 400, "one `Host` header"),
        (
            infer,
            vec![&host, "Origin: https://evil.example"],
            415,
            "must be `application/json` (with curl: `--json` in place of `-d`)",
        ),
        (infer, vec![&host, "Content-Type: application/x-www-form-urlencoded"], 415, "must be `application/json`"),
        (infer, vec![&host, "Content-Type: text/plain"], 415, "must be `application/json`"),
        ("POST /predict/tumour", vec![&host, "Content-Type: multipart/form-data"], 415, "must be `application/json`"),
        ("POST /predict/tumour", vec![&host, json, "Content-Encoding: gzip"], 415, "has a `Content-Encoding`"),
        ("POST /labels/tumour", vec![&host, json, "Content-Encoding: gzip"], 415, "has a `Content-Encoding`"),
        (infer, vec![&host, json, "Content-Length: 33554433"], 413, "larger than 32 MiB"),
        ("POST /predict/tumour", vec![&host, json, "Content-Length: 999999999999"], 413, "larger than 32 MiB"),
        ("GET /v2/models/%ff", vec![&host], 400, "has an escape"),
        ("GET /v2/models/%ff/ready", vec![&host], 400, "has an escape"),
        ("GET /v2/models/tumour/versions/%ff", vec![&host], 400, "has an escape"),
        ("POST /v2/models/%ff/infer", vec![&host, json], 400, "has an escape"),
        ("POST /v2/models/tumour/versions/%ff/infer", vec![&host, json], 400, "has an escape"),
        ("POST /predict/%ff", vec![&host, json], 400, "has an escape"),
        ("OPTIONS /predict/tumour", vec![&host], 405, "does not take this method"),
        ("DELETE /v2", vec![&host], 405, "does not take this method"),
    ] {
        let request = format!("{line} HTTP/1.1\r\n{}\r\nConnection: close\r\n\r\n", headers.join("\r\n"));
        let said = answer(connected(serving.address, request.trim_start().as_bytes()).unwrap()).unwrap();
        refused(&request, &said, status, says);
    }
    for host in ["localhost", "localhost:1", "127.0.0.1", "[::1]:8080"] {
        let request = format!("GET /v2 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        answer(connected(serving.address, request.as_bytes()).unwrap()).unwrap().good();
    }
}

/// A body of 32 MiB: as often the unit as there is room.
fn filled(begin: &str, unit: &str, end: &str) -> String {
    let room = (32 << 20) - begin.len() - end.len();
    let mut body = begin.to_owned() + &unit.repeat(room / unit.len());
    body.pop();
    body + end
}

#[test]
fn requests_of_the_most_bytes_take_little_memory() {
    let project = Project::new();
    project.run();
    let serving = project.serve();
    let tensor = |rest: &str| format!(r#"{{"inputs":[{{"name":"mean_area","datatype":"FP64",{rest}:["#);
    for (path, body) in [
        ("/predict/tumour", filled("{\"rows\":[", "{},", "]}")),
        ("/predict/tumour", filled("{\"rows\":[", "{\"a\":1},", "]}")),
        ("/predict/tumour", filled("{\"rows\":[{\"mean_area\":[", "[],", "]}]}")),
        ("/v2/models/tumour/infer", filled(&tensor(r#""shape":[1],"data""#), "1,", "]}]}")),
        ("/v2/models/tumour/infer", filled(&tensor(r#""data":[1],"shape""#), "1,", "]}]}")),
        ("/v2/models/tumour/infer", filled("{\"inputs\":[],\"parameters\":{\"a\":[", "[],", "]}}")),
    ] {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..3).map(|_| scope.spawn(|| serving.post(path, &body))).collect();
            asking.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        answers.iter().for_each(|answer| refused(&body[..60], answer, 400, ""));
    }
    // Three bodies at a time, and some of each twice while it grows. One of them took 4 GB when it was read first and judged then.
    assert!(serving.peak_mebibytes() < 400, "{} MiB", serving.peak_mebibytes());
    assert_eq!(serving.infer(&project.rows(1, "parts.test")).len(), 142);
}

#[test]
fn a_body_that_is_too_long_and_says_nothing_of_it_is_refused() {
    let serving = Project::new().serve();
    let host = serving.address;
    let head = format!(
        "POST /predict/tumour HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let mut stream = connected(host, head.as_bytes()).unwrap();
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    for _ in 0..32 {
        stream.write_all(chunk.as_bytes()).unwrap();
    }
    stream.write_all(b"1\r\n \r\n0\r\n\r\n").unwrap();
    let mut said = [0; 12];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 413");
}

/// Whoever sends all of it before reading anything finds out why it was refused.
#[test]
fn a_body_that_is_too_large_is_refused_in_words_that_reach_its_sender() {
    let serving = Project::new().serve();
    for path in ["/predict/tumour", "/v2/models/tumour/infer"] {
        refused(path, &serving.post(path, " ".repeat(40 << 20)), 413, "larger than 32 MiB");
    }
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A client of HTTP/2 that asks for predictions of `x` and takes each request back at once.
fn taken_back(serving: &Serving, requests: u32) -> Vec<u8> {
    const HEADERS: u8 = 1;
    const DATA: u8 = 0;
    const RESET: u8 = 3;
    const SETTINGS: u8 = 4;
    let host = serving.address.to_string();
    let said = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/predict/tumour"),
        (":authority", &host),
        ("content-type", "application/json"),
    ];
    // Each as it is, in no table.
    let literal = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
    let head = said.map(|(name, value)| [vec![0], literal(name), literal(value)].concat()).concat();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    for stream in (1..).step_by(2).take(requests as usize) {
        bytes.extend(frame(HEADERS, 4, stream, &head));
        bytes.extend(frame(DATA, 1, stream, b"{\"rows\":[{\"x\":1.5}]}"));
        bytes.extend(frame(RESET, 0, stream, &8_u32.to_be_bytes()));
    }
    bytes
}

/// Over HTTP/2 a request costs its client nothing if it takes it back, and is asked for all the same ("rapid reset").
#[test]
fn requests_that_are_taken_back_at_once_leave_nothing_behind() {
    let project = Project::moody();
    project.run();
    let serving = project.serve();
    let good = || serving.post("/predict/tumour", r#"{"rows": [{"x": 1.5}]}"#).good();
    good();
    for requests in [1, 10, 1_000] {
        let bytes = taken_back(&serving, requests);
        for _ in 0..20 {
            // One that goes too far is ended while it is still writing.
            drop(connected(serving.address, &bytes));
        }
        good();
    }
    let left = "stepwell_requests_in_flight{tenant=\"default\",endpoint=\"tumour\",version=\"1\"} 0";
    let begin = Instant::now();
    while !serving.get("/metrics").body.lines().any(|line| line == left) {
        assert!(begin.elapsed() < DEADLINE, "{}", serving.get("/metrics").body);
        std::thread::yield_now();
    }
    let (status, said) = serving.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

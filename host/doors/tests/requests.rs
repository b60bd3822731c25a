//! Requests against a real server on this machine: what is granted goes through, what is not never leaves.

use doors::{Authority, Egress, Keeper, Secret};
use ports::{Ask, Told};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use types::{Fault, FaultKind, Grants, HttpGrant, HttpPattern, LimitKind, Limits, QuotaKind};

/// Answers by path and keeps what came.
struct Server {
    port: u16,
    came: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let came = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&came);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || answer(stream.unwrap(), &kept, port));
            }
        });
        Self { port, came }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn came(&self) -> Vec<String> {
        std::mem::take(&mut *self.came.lock().unwrap())
    }
}

fn answer(stream: TcpStream, kept: &Mutex<Vec<String>>, port: u16) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(count) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = count.trim().parse().unwrap();
        }
        request += &line;
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request += &String::from_utf8_lossy(&body);
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    kept.lock().unwrap().push(request.clone());
    let mut stream = stream;
    let mut say = |status: &str, headers: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
        // The other side may have had enough.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    };
    match path.as_str() {
        "/ok/echo" => say("200 OK", "x-echo: yes\r\n", request.as_bytes()),
        "/ok/teapot" => say("418 I'm a teapot", "", b""),
        "/ok/here" => say("302 Found", "location: /ok/echo\r\n", b""),
        "/ok/up" => say("302 Found", "location: /secret\r\n", b""),
        "/ok/metadata" => say("302 Found", "location: http://169.254.169.254/latest/\r\n", b""),
        "/ok/localhost" => say("307 Temporary", &format!("location: http://localhost:{port}/ok/echo\r\n"), b""),
        "/ok/round" => say("302 Found", "location: /ok/round\r\n", b""),
        "/ok/big" => say("200 OK", "", &vec![b'x'; (32 << 20) + 1]),
        "/ok/spaced" => say("200 OK", "bad name: x\r\n", b""),
        "/ok/numberless" => say("yes", "", b""),
        // Accepts and says nothing, until the other side leaves.
        "/ok/silent" => drop(reader.read(&mut [0])),
        _ => say("404 Not Found", "", b"nothing"),
    }
}

fn grant(allow: String) -> HttpGrant {
    HttpGrant { allow: HttpPattern::parse(&allow).unwrap(), secrets: Vec::new(), private: false }
}

fn http(grants: Vec<HttpGrant>) -> Grants {
    Grants { http: grants, ..Grants::default() }
}

fn keeper(grants: Grants, policy: Grants) -> Keeper {
    let secrets = BTreeMap::from([
        ("TOKEN".to_owned(), Secret::new(b"s3cr3t-value".to_vec()).unwrap()),
        ("OTHER".to_owned(), Secret::new(b"another-value".to_vec()).unwrap()),
    ]);
    let authority = Authority { policy, secrets, ..Authority::default() };
    Keeper::new(grants, ".".into(), authority, Limits::DEFAULT).unwrap()
}

struct Got {
    status: u16,
    body: String,
}

fn fetch(keeper: &mut Keeper, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Result<Got, Fault> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let ask = Ask::Fetch { method: method.to_owned(), url: url.to_owned(), headers, timeout_ms: 0 };
    match keeper.answer(ask, body.as_bytes().to_vec(), Duration::from_secs(30), &|| false)? {
        (Told::Fetched { status, .. }, body, None) => Ok(Got { status, body: String::from_utf8(body).unwrap() }),
        other => panic!("{:?}", other.0),
    }
}

fn denied(got: Result<Got, Fault>, part: &str) {
    let fault = got.err().expect("a refusal");
    assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
    let whole = format!("{fault}; {}", fault.hint.clone().unwrap_or_default());
    assert!(whole.contains(part), "{whole}");
}

#[test]
fn what_requests_carry_is_bounded_for_all_attempts_of_a_tenant() {
    let server = Server::start();
    let egress = Arc::new(Egress::new(0, Some(1000)));
    let attempt = || {
        let grants = http(vec![grant(format!("GET,POST {}", server.url("/ok/")))]);
        let authority =
            Authority { policy: Grants::everything(), egress: Some(Arc::clone(&egress)), ..Authority::default() };
        Keeper::new(grants, ".".into(), authority, Limits::DEFAULT).unwrap()
    };
    let (mut first, mut second) = (attempt(), attempt());
    let body = "x".repeat(300);
    let got = fetch(&mut first, "POST", &server.url("/ok/echo"), &[], &body).unwrap();
    assert_eq!(egress.used(), 300 + got.body.len() as u64);
    let fault =
        fetch(&mut second, "POST", &server.url("/ok/echo"), &[], &body.repeat(2)).err().expect("beyond the quota");
    assert_eq!(fault.kind, FaultKind::Quota { quota: QuotaKind::Egress });
    assert!(
        fault.message.contains("the tenant's quota `egress` is used up") && fault.message.ends_with("of 1000 B"),
        "{fault}"
    );
    server.came();
    while egress.used() < 1000 {
        fetch(&mut second, "GET", &server.url("/ok/echo"), &[], "").unwrap();
    }
    let came = server.came().len();
    assert!(fetch(&mut first, "GET", &server.url("/ok/echo"), &[], "").is_err() && came > 0);
    assert!(server.came().is_empty(), "what is refused never leaves");
    egress.set_limit(None);
    let before = egress.used();
    assert!(fetch(&mut first, "GET", &server.url("/ok/big"), &[], "").is_err());
    assert!(egress.used() - before >= 32 << 20, "an answer that is too large came all the same");
}

#[test]
fn what_is_granted_goes_through() {
    let server = Server::start();
    let grants = http(vec![grant(format!("GET,POST {}", server.url("/ok/")))]);
    let mut keeper = keeper(grants, Grants::everything());
    let got = fetch(&mut keeper, "POST", &server.url("/ok/echo"), &[("x-a", "b")], "the body").unwrap();
    assert_eq!(got.status, 200);
    for part in ["POST /ok/echo", "x-a: b", "accept-encoding: identity", "the body"] {
        assert!(got.body.contains(part), "{part} in {}", got.body);
    }
    assert_eq!(fetch(&mut keeper, "GET", &server.url("/ok/teapot"), &[], "").unwrap().status, 418);
    assert!(fetch(&mut keeper, "GET", &server.url("/ok/here"), &[], "").unwrap().body.starts_with("GET /ok/echo"));
    assert_eq!(keeper.used().requests, 3);
}

#[test]
fn what_is_not_granted_never_leaves() {
    let server = Server::start();
    let granted = http(vec![grant(format!("GET {}", server.url("/ok/")))]);
    let mut open = keeper(granted.clone(), Grants::everything());
    denied(fetch(&mut open, "POST", &server.url("/ok/echo"), &[], ""), "grants = { http = [\"POST http://127.0.0.1:");
    denied(fetch(&mut open, "GET", &server.url("/secret"), &[], ""), "/secret");
    denied(fetch(&mut open, "GET", &format!("http://localhost:{}/ok/echo", server.port), &[], ""), "localhost");
    let mut nothing = keeper(Grants::default(), Grants::everything());
    denied(fetch(&mut nothing, "GET", &server.url("/ok/echo"), &[], ""), "not granted");
    let mut walled = keeper(granted, Grants::of_project());
    denied(fetch(&mut walled, "GET", &server.url("/ok/echo"), &[], ""), "policy");
    assert!(server.came().is_empty());
}

#[test]
fn every_redirect_is_held_against_the_grants() {
    let server = Server::start();
    let mut keeper = keeper(http(vec![grant(format!("GET {}", server.url("/ok/")))]), Grants::everything());
    for (path, part) in [("/ok/up", "/secret"), ("/ok/metadata", "169.254.169.254"), ("/ok/localhost", "localhost")] {
        denied(fetch(&mut keeper, "GET", &server.url(path), &[], ""), part);
        assert_eq!(server.came().len(), 1, "{path}");
    }
    let round = fetch(&mut keeper, "GET", &server.url("/ok/round"), &[], "").err().unwrap();
    assert!(round.message.contains("5 redirects"), "{round}");
    assert_eq!(server.came().len(), 6);
}

/// A name that resolves to this machine, granted as a public one: what a rebinding attack comes down to.
#[test]
fn a_name_of_a_private_address_needs_to_be_meant() {
    let server = Server::start();
    // Every resolver gives this machine's own name an address of this machine.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_ascii_lowercase();
    let url = format!("http://{name}:{}/ok/echo", server.port);
    let mut public = grant(format!("GET {url}"));
    let mut keeper_public = keeper(http(vec![public.clone()]), Grants::everything());
    let refused = fetch(&mut keeper_public, "GET", &url, &[], "").err().unwrap();
    // A machine without its own name in the resolver gives no address at all.
    let unknown = matches!(refused.kind, FaultKind::Transient { .. });
    assert!(unknown || (refused.kind == FaultKind::Denied && refused.hint.unwrap().contains("private = true")));
    public.private = true;
    let policy = http(vec![grant("* http://*/".to_owned())]);
    denied_unless(unknown, fetch(&mut keeper(http(vec![public]), policy), "GET", &url, &[], ""));
    assert!(server.came().is_empty());
    let address = format!("GET http://127.0.0.1:{}/", server.port);
    let policy = http(vec![grant("* http://*/".to_owned())]);
    let walled = fetch(&mut keeper(http(vec![grant(address)]), policy), "GET", &server.url("/ok/echo"), &[], "");
    denied(walled, "private");
}

/// It would be asked three times for the same.
#[test]
fn an_answer_that_is_no_http_is_no_reason_to_try_again() {
    let server = Server::start();
    let granted = http(vec![grant(format!("GET {}", server.url("/ok/")))]);
    for path in ["/ok/spaced", "/ok/numberless"] {
        let fault =
            fetch(&mut keeper(granted.clone(), Grants::everything()), "GET", &server.url(path), &[], "").err().unwrap();
        assert_eq!(fault.kind, FaultKind::Invalid, "{path}: {fault}");
        assert!(
            fault.message.starts_with("`response`: http://127.0.0.1:") && fault.message.contains("HTTP/1.1"),
            "{fault}"
        );
    }
}

#[test]
fn a_port_that_is_said_holds_for_any_host_too() {
    let server = Server::start();
    let url = server.url("/ok/echo");
    let of = |allow: String| http(vec![HttpGrant { private: true, ..grant(allow) }]);
    let (any, here) = (of("* http://*/".to_owned()), of(format!("* http://*:{}/", server.port)));
    for (granted, policy, reaches) in [
        (&any, &any, true),
        (&here, &any, true),
        (&any, &here, true),
        (&of("* http://*:9/".to_owned()), &any, false),
        (&any, &of("* http://*:9/".to_owned()), false),
        (&of("* http://*:80/".to_owned()), &any, false),
    ] {
        let got = fetch(&mut keeper(granted.clone(), policy.clone()), "GET", &url, &[], "");
        assert_eq!(got.is_ok(), reaches, "{granted:?} {policy:?}");
        assert_eq!(server.came().len(), usize::from(reaches));
    }
}

fn denied_unless(unknown: bool, got: Result<Got, Fault>) {
    match unknown {
        true => assert!(got.is_err()),
        false => denied(got, "private"),
    }
}

#[test]
fn a_secret_travels_only_where_it_may_and_is_masked_when_it_comes_back() {
    let server = Server::start();
    let mut granted = grant(format!("POST {}", server.url("/ok/")));
    granted.secrets = vec!["TOKEN".to_owned()];
    let mut elsewhere = grant(format!("POST {}", server.url("/elsewhere")));
    elsewhere.secrets = vec!["OTHER".to_owned()];
    let mut keeper = keeper(http(vec![granted, elsewhere]), Grants::everything());
    let mut placeholder = |name: &str| {
        let ask = Ask::Placeholder { name: name.to_owned() };
        match keeper.answer(ask, Vec::new(), Duration::from_secs(1), &|| false) {
            Ok((Told::Placeholder { text }, ..)) => Ok(text),
            Ok(other) => panic!("{:?}", other.0),
            Err(fault) => Err(fault),
        }
    };
    let (token, other) = (placeholder("TOKEN").unwrap(), placeholder("OTHER").unwrap());
    assert_eq!(placeholder("UNGRANTED").unwrap_err().kind, FaultKind::Denied);
    assert!(!token.contains("s3cr3t"));
    let bearer = format!("Bearer {token}");
    let got = fetch(&mut keeper, "POST", &server.url("/ok/echo"), &[("authorization", &bearer)], &token).unwrap();
    let came = server.came().concat();
    assert_eq!(came.matches("s3cr3t-value").count(), 2, "the server gets the value: {came}");
    assert!(!got.body.contains("s3cr3t-value") && got.body.contains("Bearer ***"), "{}", got.body);
    denied(fetch(&mut keeper, "POST", &server.url("/elsewhere"), &[("authorization", &bearer)], ""), "may not travel");
    denied(fetch(&mut keeper, "POST", &server.url("/ok/echo"), &[], &other), "may not travel");
    assert!(server.came().is_empty());
}

/// A step that sends guesses to an echo learns from a mask which of them is a secret.
#[test]
fn only_secrets_that_the_step_may_send_are_masked() {
    let server = Server::start();
    let naming = |names: &[&str]| {
        let secrets = names.iter().map(|name| (*name).to_owned()).collect();
        http(vec![HttpGrant { secrets, ..grant(format!("POST {}", server.url("/ok/"))) }])
    };
    for (granted, policy, masked) in [
        (&["TOKEN"][..], &["*"][..], true),
        (&["TOKEN"], &["OTHER"], false),
        (&[], &["*"], false),
        (&["OTHER"], &["*"], false),
    ] {
        let mut keeper = keeper(naming(granted), naming(policy));
        let got = fetch(&mut keeper, "POST", &server.url("/ok/echo"), &[], "is it s3cr3t-value?").unwrap();
        assert_eq!(got.body.contains("is it ***?"), masked, "{granted:?} {policy:?}: {}", got.body);
    }
}

#[test]
fn a_secret_travels_only_where_the_policy_lets_it() {
    let server = Server::start();
    let carrying = |names: &[&str]| {
        let secrets = names.iter().map(|name| (*name).to_owned()).collect();
        HttpGrant { secrets, ..grant(format!("POST {}", server.url("/ok/"))) }
    };
    for (policy, travels) in [(&["TOKEN"][..], true), (&["*"], true), (&["OTHER"], false), (&[], false)] {
        let mut keeper = keeper(http(vec![carrying(&["TOKEN"])]), http(vec![carrying(policy)]));
        let ask = Ask::Placeholder { name: "TOKEN".to_owned() };
        let told = keeper.answer(ask, Vec::new(), Duration::from_secs(1), &|| false).unwrap().0;
        let Told::Placeholder { text } = told else { panic!("{told:?}") };
        let got = fetch(&mut keeper, "POST", &server.url("/ok/echo"), &[], &text);
        assert_eq!(server.came().concat().contains("s3cr3t-value"), travels, "{policy:?}");
        match travels {
            true => assert_eq!(got.unwrap().status, 200),
            false => denied(got, "but not by the tenant's policy"),
        }
    }
}

/// A policy that trusts its tenant with private networks does not mean the address where a cloud keeps its credentials.
#[test]
fn a_metadata_address_needs_a_policy_that_names_it() {
    let url = "http://169.254.169.254/latest/";
    let granted = || http(vec![grant(format!("GET {url}"))]);
    let trusting = http(vec![HttpGrant { private: true, ..grant("* http://*/".to_owned()) }]);
    denied(
        fetch(&mut keeper(granted(), trusting), "GET", url, &[], ""),
        "the grant names it, the tenant's policy does not",
    );
}

/// A placeholder is short, and its secret may be long: a body of placeholders would be a bomb.
#[test]
fn what_secrets_make_of_a_request_is_bounded_before_it_is_made() {
    let server = Server::start();
    let mut granted = grant(format!("POST {}", server.url("/ok/")));
    granted.secrets = vec!["LONG".to_owned()];
    let secrets = BTreeMap::from([("LONG".to_owned(), Secret::new(vec![b's'; 64 << 10]).unwrap())]);
    let authority = Authority { policy: Grants::everything(), secrets, ..Authority::default() };
    let mut keeper = Keeper::new(http(vec![granted]), ".".into(), authority, Limits::DEFAULT).unwrap();
    let ask = Ask::Placeholder { name: "LONG".to_owned() };
    let told = keeper.answer(ask, Vec::new(), Duration::from_secs(1), &|| false).unwrap().0;
    let Told::Placeholder { text } = told else { panic!("{told:?}") };
    let url = server.url("/ok/echo");
    for (header, body, part) in
        [("x".to_owned(), text.repeat(257), "`body`"), (text.repeat(3), String::new(), "`headers`")]
    {
        let fault = fetch(&mut keeper, "POST", &url, &[("x-a", &header)], &body).err().unwrap();
        assert!(fault.kind == FaultKind::Invalid && fault.message.contains(part), "{fault}");
    }
    assert!(server.came().is_empty());
    assert_eq!(fetch(&mut keeper, "POST", &url, &[], &text.repeat(256)).unwrap().status, 200);
}

#[test]
fn files_being_written_are_bounded_and_finished_ones_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let files = vec![types::FileGrant { path: ".".to_owned(), write: true }];
    let grants = Grants { files, ..Grants::default() };
    let authority = Authority { policy: Grants::everything(), ..Authority::default() };
    let mut keeper = Keeper::new(grants, folder.path().to_owned(), authority, Limits::DEFAULT).unwrap();
    let mut ask = |ask: Ask| keeper.answer(ask, Vec::new(), Duration::from_secs(1), &|| false).map(|answer| answer.0);
    let create = |number: u32| Ask::Create { path: format!("{number}") };
    for number in 0..100 {
        assert_eq!(ask(create(number)).unwrap(), Told::Created { number });
        assert_eq!(ask(Ask::Finish { number }).unwrap(), Told::Finished);
    }
    assert_eq!(ask(Ask::Finish { number: 7 }).unwrap_err().kind, FaultKind::Guest);
    (100..164).for_each(|number| assert_eq!(ask(create(number)).unwrap(), Told::Created { number }));
    assert!(ask(create(164)).unwrap_err().message.contains("64 files"));
    ask(Ask::Finish { number: 120 }).unwrap();
    ask(create(164)).unwrap();
}

#[test]
fn size_time_and_form_are_bounded() {
    let server = Server::start();
    let mut keeper = keeper(http(vec![grant(format!("* {}", server.url("/ok/")))]), Grants::everything());
    let invalid = |got: Result<Got, Fault>, part: &str| {
        let fault = got.err().expect("a refusal");
        assert!(fault.kind == FaultKind::Invalid && fault.message.contains(part), "{part}: {fault:?}");
    };
    let url = server.url("/ok/echo");
    invalid(fetch(&mut keeper, "GET", &server.url("/ok/big"), &[], ""), "32 MiB");
    server.came();
    invalid(fetch(&mut keeper, "BREW", &url, &[], ""), "method");
    invalid(fetch(&mut keeper, "GET", &url, &[("host", "x")], ""), "server's to set");
    invalid(fetch(&mut keeper, "GET", &url, &[("Transfer-Encoding", "chunked")], ""), "server's to set");
    invalid(fetch(&mut keeper, "GET", &url, &[("x y", "z")], ""), "header name");
    invalid(fetch(&mut keeper, "GET", &url, &[("x", "a\r\nhost: b")], ""), "no header may");
    invalid(fetch(&mut keeper, "POST", &url, &[], &"x".repeat((16 << 20) + 1)), "at most");
    invalid(fetch(&mut keeper, "GET", "http://127.0.0.1/ok/%2e%2e/x", &[], ""), "url");
    assert!(server.came().is_empty());
    let wait = |timeout_ms, patience, give_up: &dyn Fn() -> bool, keeper: &mut Keeper| {
        let (method, url) = ("GET".to_owned(), server.url("/ok/silent"));
        let ask = Ask::Fetch { method, url, headers: Vec::new(), timeout_ms };
        keeper.answer(ask, Vec::new(), patience, give_up).err().unwrap().kind
    };
    let long = Duration::from_secs(600);
    assert!(matches!(wait(50, long, &|| false, &mut keeper), FaultKind::Transient { .. }));
    assert!(matches!(wait(0, Duration::from_millis(50), &|| false, &mut keeper), FaultKind::Transient { .. }));
    assert_eq!(wait(0, long, &|| true, &mut keeper), FaultKind::Cancelled);
}

#[test]
fn time_chance_and_variables_need_a_grant() {
    let granted = Grants { clock: true, randomness: true, environment: vec!["REGION".to_owned()], ..Grants::default() };
    let environment = BTreeMap::from([("REGION".to_owned(), "north".to_owned()), ("KEY".to_owned(), "x".to_owned())]);
    let ask = |grants: &Grants, ask: Ask| {
        let authority = Authority { policy: granted.clone(), environment: environment.clone(), ..Authority::default() };
        let mut keeper = Keeper::new(grants.clone(), ".".into(), authority, Limits::DEFAULT).unwrap();
        keeper.answer(ask, Vec::new(), Duration::from_secs(1), &|| false)
    };
    let variable = |name: &str| Ask::Variable { name: name.to_owned() };
    for question in [Ask::Now, Ask::Entropy { length: 16 }, variable("REGION"), variable("KEY")] {
        let fault = ask(&Grants::default(), question.clone()).err().unwrap();
        assert_eq!(fault.kind, FaultKind::Denied, "{question:?}");
    }
    assert!(matches!(ask(&granted, Ask::Now), Ok((Told::Now { us }, ..)) if us > 1_700_000_000_000_000));
    let (first, second) =
        (ask(&granted, Ask::Entropy { length: 16 }).unwrap().1, ask(&granted, Ask::Entropy { length: 16 }).unwrap().1);
    assert!(first.len() == 16 && first != second);
    assert_eq!(ask(&granted, Ask::Entropy { length: 4097 }).err().unwrap().kind, FaultKind::Invalid);
    let value = ask(&granted, variable("REGION")).unwrap().0;
    assert_eq!(value, Told::Variable { value: Some("north".to_owned()) });
    assert_eq!(ask(&granted, variable("KEY")).err().unwrap().kind, FaultKind::Denied);
}

/// A request that no grant covers counts as well: asking is not free.
#[test]
fn requests_and_their_bytes_are_bounded() {
    let server = Server::start();
    let granted = || http(vec![grant(format!("POST {}", server.url("/ok/")))]);
    let (url, body) = (server.url("/ok/teapot"), "x".repeat(1000));
    for (limits, url, expected) in [
        (Limits { requests: 2, ..Limits::DEFAULT }, &url, "made 3 HTTP requests; its limit `requests` is 2"),
        (Limits { requests: 2, ..Limits::DEFAULT }, &server.url("/closed"), "its limit `requests` is 2"),
        (
            Limits { request_bytes: 2500, ..Limits::DEFAULT },
            &url,
            "sent and received 2.9 KiB in HTTP requests; its limit",
        ),
    ] {
        let authority = Authority { policy: granted(), ..Authority::default() };
        let mut keeper = Keeper::new(granted(), ".".into(), authority, limits).unwrap();
        for _ in 0..2 {
            let got = fetch(&mut keeper, "POST", url, &[], &body);
            assert!(!matches!(got, Err(Fault { kind: FaultKind::Limit { .. }, .. })));
        }
        server.came();
        let fault = fetch(&mut keeper, "POST", url, &[], &body).err().expect("a limit");
        assert!(matches!(fault.kind, FaultKind::Limit { limit: LimitKind::Requests | LimitKind::RequestBytes }));
        assert!(fault.message.contains(expected), "{fault}");
        assert_eq!(server.came(), Vec::<String>::new());
    }
}

/// What comes back counts too, on the way through redirects as well.
#[test]
fn an_answer_beyond_the_bytes_is_not_given() {
    let server = Server::start();
    let granted = || http(vec![grant(format!("GET {}", server.url("/ok/")))]);
    let authority = Authority { policy: granted(), ..Authority::default() };
    let limits = Limits { request_bytes: 10, ..Limits::DEFAULT };
    let mut keeper = Keeper::new(granted(), ".".into(), authority, limits).unwrap();
    let fault = fetch(&mut keeper, "GET", &server.url("/ok/here"), &[], "").err().expect("a limit");
    assert_eq!(fault.kind, FaultKind::Limit { limit: LimitKind::RequestBytes }, "{fault}");
    assert!(keeper.used().request_bytes > 10);
}

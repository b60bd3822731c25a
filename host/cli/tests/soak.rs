//! `stepwell serve` under load for a while, as versions are trained and deployed and workers are killed: no request fails or is answered by
//! two versions, and memory, open files, threads and workers stay as many as they were. For longer:
//! `STEPWELL_SOAK_SECONDS=600 cargo test --workspace --test soak`.

mod harness;

use harness::http::{Answer, connected, next_answer, request};
use harness::serving::Serving;
use harness::{Project, TRAIN};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SECONDS: u64 = 12;
/// Who ask all the time.
const CLIENTS: u64 = 8;
/// Between two deaths of all workers.
const DEATHS: Duration = Duration::from_secs(3);
/// What a server may grow by that has answered for some seconds.
const GROWN_MIB_MAX: u64 = 48;
/// As many files, threads and workers as come and go with requests, runs and versions; a leak of one a version is soon beyond.
const MORE_MAX: usize = 24;
/// Beyond the time that anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// What came of the requests.
#[derive(Default)]
struct Counted {
    answered: AtomicU64,
    /// By the retry rule: two workers died over them.
    died_twice: AtomicU64,
    versions: AtomicU64,
}

/// What a server holds at one moment.
#[derive(Debug, Clone, Copy)]
struct Held {
    mebibytes: u64,
    files: usize,
    threads: usize,
    workers: usize,
}

impl Held {
    fn by(serving: &Serving) -> Self {
        let count = |of: &str| std::fs::read_dir(format!("/proc/{}/{of}", serving.process())).unwrap().count();
        let workers = serving.workers().len();
        Self { mebibytes: serving.resident_mebibytes(), files: count("fd"), threads: count("task"), workers }
    }

    fn is_like(&self, before: &Self) -> bool {
        let counts = |held: &Self| [held.files, held.threads, held.workers];
        self.mebibytes < before.mebibytes + GROWN_MIB_MAX
            && counts(self).iter().zip(counts(before)).all(|(now, before)| *now <= before + MORE_MAX)
    }
}

#[test]
fn versions_change_and_workers_die_and_no_request_is_lost() {
    let seconds = std::env::var("STEPWELL_SOAK_SECONDS").ok().map_or(SECONDS, |text| text.parse().unwrap());
    let project = Project::moody();
    project.run();
    let (serving, counted, ended) = (project.serve(), Counted::default(), AtomicBool::new(false));
    let time = Duration::from_secs(seconds);
    let (deaths, before) = std::thread::scope(|scope| {
        let (serving, counted, ended) = (&serving, &counted, &ended);
        let asking: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || ask(serving, client, counted, ended))).collect();
        let (begun, mut version, mut before) = (Instant::now(), 1, None);
        let (mut killed, mut deaths) = (begun, 0);
        while begun.elapsed() < time {
            // A version multiplies by a number of its own: an answer of two of them would show.
            project.edit(TRAIN, &format!("factor = {}", version + 1), &format!("factor = {}", version + 2));
            project.run();
            project.stepwell(&["deploy", "--yes"]).expect("deploy", 0, &[&format!("deployed version {version}")]);
            version += 1;
            if killed.elapsed() > DEATHS {
                // Between runs, whose steps would die too. Some are no serving ones.
                killed = Instant::now();
                serving.workers().into_iter().for_each(kill);
                deaths += 1;
            }
            if begun.elapsed() > time / 3 {
                before.get_or_insert_with(|| Held::by(serving));
            }
        }
        ended.store(true, Ordering::SeqCst);
        asking.into_iter().for_each(|asked| asked.join().unwrap());
        (deaths, before.unwrap_or_else(|| Held::by(serving)))
    });
    let [answered, twice, versions] =
        [&counted.answered, &counted.died_twice, &counted.versions].map(|count| count.load(Ordering::SeqCst));
    let after = settled(&serving, &before);
    eprintln!(
        "{answered} answered by versions up to {versions}, workers killed {deaths} times, {twice} died twice, {before:?} -> {after:?}"
    );
    assert!(answered > 100 * CLIENTS && versions > 2 && deaths > 0);
    let (status, said) = serving.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// What the server holds once it has let go of what it no longer needs.
fn settled(serving: &Serving, before: &Held) -> Held {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let now = Held::by(serving);
        if now.is_like(before) {
            return now;
        }
        assert!(Instant::now() < deadline, "{before:?} became {now:?}");
        std::thread::yield_now();
    }
}

/// Asks over one connection, or over a new one each time.
enum Caller {
    Kept(TcpStream),
    Once,
}

impl Caller {
    fn ask(&mut self, serving: &Serving, body: &str) -> Answer {
        let (path, address) = ("/predict/tumour", serving.address);
        let Self::Kept(stream) = self else { return request(address, "POST", path, body.as_bytes()).unwrap() };
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).unwrap();
        next_answer(stream).unwrap().expect("an answer on a connection that is kept")
    }
}

/// Asks about other rows each time, and holds each answer against the version that it names.
fn ask(serving: &Serving, client: u64, counted: &Counted, ended: &AtomicBool) {
    let mut last = 0;
    let mut caller = match client % 2 {
        0 => Caller::Once,
        _ => Caller::Kept(connected(serving.address, b"").unwrap()),
    };
    while !ended.load(Ordering::SeqCst) {
        for turn in 0..50 {
            let x = (client * 1000 + turn) as f64;
            let body = json!({ "rows": [{ "x": x }, { "x": x + 0.5 }] }).to_string();
            let begun = Instant::now();
            let answer = caller.ask(serving, &body);
            if answer.status == 500 && answer.body.contains("the worker died") {
                // It was asked twice, and between two deaths lies as much.
                assert!(begun.elapsed() >= DEATHS, "one death was enough, after {:?}: {answer:?}", begun.elapsed());
                counted.died_twice.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            let answer = answer.good();
            let version = answer["version"].as_u64().unwrap();
            let factor = (version + 1) as f64;
            let expected = json!([{ "multiplied": factor * x }, { "multiplied": factor * (x + 0.5) }]);
            assert_eq!(answer["predictions"], expected, "of version {version}");
            assert!(version >= last, "version {version} answered after {last}");
            last = version;
            counted.answered.fetch_add(1, Ordering::SeqCst);
            counted.versions.fetch_max(version, Ordering::SeqCst);
        }
    }
}

/// One that has ended meanwhile is as dead.
fn kill(worker: u32) {
    let _ = std::process::Command::new("kill").args(["-KILL", &worker.to_string()]).output();
}

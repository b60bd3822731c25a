//! `stepwell serve` under load for a while, as versions change and workers are killed: no request fails or is answered by two
//! versions, and memory stays where it was. For longer: `STEPWELL_SOAK_SECONDS=600 cargo test --workspace --test soak`.

mod harness;

use harness::http::request;
use harness::serving::Serving;
use harness::{Project, TRAIN};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SECONDS: u64 = 12;
/// Who ask all the time.
const CLIENTS: u64 = 8;
/// Between two deaths of all workers.
const DEATHS: Duration = Duration::from_secs(3);
/// What a server may grow by that has answered for some seconds.
const GROWN_MIB_MAX: u64 = 48;

/// What came of the requests.
#[derive(Default)]
struct Counted {
    answered: AtomicU64,
    /// By the retry rule: two workers died over them.
    died_twice: AtomicU64,
    versions: AtomicU64,
}

#[test]
fn versions_change_and_workers_die_and_no_request_is_lost() {
    let seconds = std::env::var("STEPWELL_SOAK_SECONDS").ok().map_or(SECONDS, |text| text.parse().unwrap());
    let project = Project::moody();
    project.run();
    let (serving, counted, ended) = (project.serve(), Counted::default(), AtomicBool::new(false));
    let time = Duration::from_secs(seconds);
    let (before, after) = std::thread::scope(|scope| {
        let (serving, counted, ended) = (&serving, &counted, &ended);
        let asking: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || ask(serving, client, counted, ended))).collect();
        let (begun, mut version, mut before) = (Instant::now(), 1, None);
        let mut killed = begun;
        while begun.elapsed() < time {
            // A version multiplies by a number of its own: an answer of two of them would show.
            project.edit(TRAIN, &format!("factor = {}", version + 1), &format!("factor = {}", version + 2));
            project.run();
            version += 1;
            if killed.elapsed() > DEATHS {
                // Between runs, whose steps would die too. Some are no serving ones.
                serving.workers().into_iter().for_each(kill);
                killed = Instant::now();
            }
            if begun.elapsed() > time / 3 {
                before.get_or_insert_with(|| serving.resident_mebibytes());
            }
        }
        let after = serving.resident_mebibytes();
        ended.store(true, Ordering::SeqCst);
        asking.into_iter().for_each(|asked| asked.join().unwrap());
        (before.unwrap_or(after), after)
    });
    let [answered, twice, versions] =
        [&counted.answered, &counted.died_twice, &counted.versions].map(|count| count.load(Ordering::SeqCst));
    eprintln!("{answered} answered by versions up to {versions}, {twice} died twice, {before} -> {after} MiB");
    assert!(answered > 100 * CLIENTS && versions > 2, "{answered} answered by versions up to {versions}");
    assert!(twice <= answered / 1000, "{twice} of {answered} died twice");
    assert!(after < before + GROWN_MIB_MAX, "{before} MiB became {after} MiB");
    let (status, said) = serving.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// Asks about other rows each time, and holds each answer against the version that it names.
fn ask(serving: &Serving, client: u64, counted: &Counted, ended: &AtomicBool) {
    let mut last = 0;
    while !ended.load(Ordering::SeqCst) {
        for turn in 0..50 {
            let x = (client * 1000 + turn) as f64;
            let body = json!({ "rows": [{ "x": x }, { "x": x + 0.5 }] }).to_string();
            let answer = request(serving.address, "POST", "/predict/tumour", body.as_bytes()).unwrap();
            if answer.status == 500 && answer.body.contains("the worker died") {
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

//! Documents about a crate `run`, true and false.

use super::*;

const SOURCE: &str = "//! Runs.\npub struct Dispatcher<'a> {\n}\nimpl Dispatcher<'_> {\n    pub(crate) fn drive(&self) {}\n}\n\
                      pub enum Event {\n    Tick,\n    Done { at: u64 },\n}\n// fn commented() {}\nid_type!(\n    StepName, \"a\"\n);\n\
                      fn other() { drives(); }\n";

fn offences(rule: fn(&[File]) -> Vec<Offence>, text: &str) -> Vec<String> {
    let files = [
        File::new("ARCHITECTURE.md", text),
        File::new("README.md", ""),
        File::new("host/run/src/lib.rs", SOURCE),
        File::new("host/run/src/journal/mod.rs", ""),
        File::new("host/run/src/clock.rs", ""),
    ];
    rule(&files).into_iter().map(|Offence { place, what }| format!("{place}: {what}")).collect()
}

#[test]
fn paths_that_are_there_pass() {
    let text = "`host/run`, `host/run/`, `host/run/src/lib.rs:3`, `plugins/NAME`, `host/*/src`, `cd host/gone`, `a/b`\n\
                ```\n`host/gone`\n```\n`stepwell:data/tables` and `target/debug/stepwell`";
    assert_eq!(offences(paths, text), Vec::<String>::new());
}

#[test]
fn paths_that_are_gone_are_found() {
    let text = "x\n`host/ru` and `src/gone.rs`\n`plugins/csv`";
    assert_eq!(
        offences(paths, text),
        [
            "ARCHITECTURE.md:2: there is no `host/ru`",
            "ARCHITECTURE.md:2: there is no `src/gone.rs`",
            "ARCHITECTURE.md:3: there is no `plugins/csv`",
        ]
    );
}

#[test]
fn names_that_are_there_pass() {
    let text = "`run::Dispatcher::drive`, `run::Dispatcher::drive(..)`, `run::Event::Done`, `run::Event::Tick`, `run::journal`,\n\
                `run::clock`, `run::StepName`, `run::other()`, `std::fs::read`, `Dispatcher::gone`, `run`";
    assert_eq!(offences(names, text), Vec::<String>::new());
}

#[test]
fn names_that_are_gone_are_found() {
    for gone in ["gone", "Dispatch", "Dispatcher::driv", "Dispatcher::drives", "commented", "Event::at", "Gone::drive"]
    {
        assert_eq!(offences(names, &format!("`run::{gone}`")).len(), 1, "{gone}");
    }
}

#[test]
fn a_document_that_is_gone_is_found() {
    let both = ["ARCHITECTURE.md:1: does not exist", "README.md:1: does not exist"];
    for rule in [paths, names] {
        let told: Vec<_> = rule(&[]).into_iter().map(|Offence { place, what }| format!("{place}: {what}")).collect();
        assert_eq!(told, both);
    }
}

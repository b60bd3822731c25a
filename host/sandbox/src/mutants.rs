//! A plugin that runs, damaged: what of it still compiles is called, and no damage is the host's fault or ends the process.
//!
//! `engine`'s own test damages a component so small that none of it is ever called.

use crate::attempt::attempt;
use crate::engine::Sandbox;
use crate::shut::Shut;
use ports::{Answer, Assignment, Task};
use proptest::prelude::*;
use std::sync::mpsc::channel;
use std::time::Duration;
use types::{Device, Digest, Fault, FaultKind, Limits};

/// Of every role, as the SDK for Rust compiles it.
const KEPT: &[u8] = include_bytes!("../tests/contract/0.1.0/kept.wasm");

/// How long a guest is waited for. A worker would be killed; here its thread goes with the test.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far a mutant came.
#[derive(Debug)]
enum End {
    /// It never ran.
    Refused(Fault),
    /// It was called.
    Failed(Fault),
    Described,
    Endless,
}

impl End {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Refused(fault) | Self::Failed(fault) => Some(fault),
            Self::Described | Self::Endless => None,
        }
    }
}

/// Compiles, loads and asks what it is.
fn end(sandbox: &Sandbox, bytes: &[u8]) -> End {
    let compiled = match sandbox.compile(bytes) {
        Ok(compiled) => compiled,
        Err(fault) => return End::Refused(fault),
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), compiled.code).unwrap();
    let plugin = match sandbox.load(file.path()) {
        Ok(plugin) => plugin,
        Err(fault) => return End::Refused(fault),
    };
    let assignment = Assignment {
        component: Digest::of(bytes),
        parameters: serde_json::json!({}),
        seed: 0,
        logical_time_us: 0,
        limits: Limits { host_calls: 1_000_000, guest_memory_bytes: 64 << 20, ..Limits::DEFAULT },
        device: Device::Cpu,
        checkpoint: None,
        task: Task::Describe { inputs: Vec::new() },
    };
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(attempt(&plugin, &assignment, Box::new(Shut)).0);
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(Answer::Described { .. })) => End::Described,
        Ok(Ok(other)) => panic!("asked what it is, it gave {other:?}"),
        Ok(Err(fault)) => End::Failed(fault),
        Err(_) => End::Endless,
    }
}

fn damaged(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = KEPT.to_vec();
    changes.iter().for_each(|(place, byte)| bytes[place % KEPT.len()] ^= *byte);
    bytes
}

/// Without this the property could hold because nothing ever runs.
#[test]
fn what_is_damaged_a_little_is_often_called() {
    const TRIED: usize = 24;
    let sandbox = Sandbox::new().unwrap();
    assert!(matches!(end(&sandbox, KEPT), End::Described));
    let ends: Vec<End> = (0..TRIED).map(|at| end(&sandbox, &damaged(&[(at * (KEPT.len() / TRIED) + 11, 1)]))).collect();
    let called = ends.iter().filter(|end| !matches!(end, End::Refused(_))).count();
    assert!((4..TRIED).contains(&called), "{called} were called: {ends:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    /// A case is several mutants: an engine costs as much as one of them.
    #[test]
    fn any_damage_is_blamed_on_the_component_that_is_called(
        mutants in proptest::collection::vec(proptest::collection::vec((any::<usize>(), 1..=u8::MAX), 1..3), 4),
    ) {
        let sandbox = Sandbox::new().unwrap();
        for changes in mutants {
            let ended = end(&sandbox, &damaged(&changes));
            let ours = ended.fault().is_some_and(|fault| matches!(fault.kind, FaultKind::Host | FaultKind::Crash));
            prop_assert!(!ours, "{:?}: {:?}", changes, ended);
        }
    }
}

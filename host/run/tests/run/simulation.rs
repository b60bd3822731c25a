//! Random plans with failing steps, killed after a random record, again and again. A seed makes a case; a failure prints it.

use crate::fakes::{FakeBlobs, FakeJournal, LeapingClock, World};
use crate::plans::{essence, gate_on, inputs, measures, named, output, outputs, plan, plugin, step};
use plan::{Plan, ServedPath, Work};
use ports::{Answer, Call, Task, Watch};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use types::{
    Artifact, Bound, Digest, Fault, FaultKind, Id, ModelName, Record, Requirement, RunId, Signature, StepName,
};

const SEEDS: u64 = 250;

/// splitmix64
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// A few transformers over one another, then perhaps a model with a gate.
fn random_plan(dice: &mut Dice) -> Plan {
    let mut steps = Vec::new();
    for i in 0..2 + dice.below(7) {
        let taken: Vec<_> = (0..dice.below(3).min(i)).map(|_| format!("s{}.table", dice.below(i))).collect();
        let wired: Vec<_> = ["a", "b"].into_iter().zip(taken.iter().map(String::as_str)).collect();
        let work = Work::Transform { plugin: plugin("sql"), inputs: inputs(&wired) };
        steps.push(step(&format!("s{i}"), work, &["table:x"]));
    }
    if dice.below(3) > 0 {
        let rows = format!("s{}.table", dice.below(steps.len()));
        steps.extend(model_steps(&rows, [0.5, 0.95][dice.below(2)]));
    }
    plan(steps)
}

fn model_steps(rows: &str, least: f64) -> Vec<plan::PlannedStep> {
    let (features, validation, label, weight) = (Vec::new(), None, None, None);
    let train =
        Work::Train { plugin: plugin("net"), train: output(rows), validation, initial: None, features, label, weight };
    let candidate = output(rows);
    let evaluate = Work::Evaluate { plugin: plugin("auc"), candidate, baseline: None, slices: Vec::new() };
    let require = vec![Requirement::new("auc", Bound::AtLeast(least))];
    let register = Work::Register {
        model: output("train.model"),
        verdict: Some(output("gate.verdict")),
        examined: None,
        measures: None,
        name: ModelName::parse("spam").unwrap(),
        alias: Some("champion".to_owned()),
        purpose: Default::default(),
        served: ServedPath::default(),
    };
    vec![
        step("train", train, &["model"]),
        step("evaluate", evaluate, &["measures"]),
        step("gate", gate_on(require, None), &["verdict"]),
        step("register", register, &["version"]),
    ]
}

/// How a step fails, always: it depends on the seed and the step, not on the time.
#[derive(Clone, Copy)]
enum Trouble {
    Never,
    Always,
    /// Until the attempts of this process are so many.
    Once(fn() -> FaultKind),
}

fn troubles(plan: &Plan, dice: &mut Dice) -> BTreeMap<String, Trouble> {
    let trouble = |dice: &mut Dice| match dice.below(10) {
        0 => Trouble::Always,
        1 => Trouble::Once(|| FaultKind::Transient { retry_after_ms: 5_000 }),
        2 => Trouble::Once(|| FaultKind::Crash),
        _ => Trouble::Never,
    };
    plan.steps.iter().map(|step| (step.name.to_string(), trouble(dice))).collect()
}

fn answer(step: &str, call: &Call, before: u32, trouble: Trouble) -> Result<Answer, Fault> {
    match trouble {
        Trouble::Always => return Err(Fault::guest(format!("`{step}` trapped"))),
        // Only in the first life: each life forgets how often it called, and the journal's count must not run out.
        Trouble::Once(kind) if before == 0 && call.assignment.checkpoint.is_none() => {
            return Err(Fault::new(kind(), "not now"));
        }
        Trouble::Once(_) | Trouble::Never => {}
    }
    Ok(match &call.assignment.task {
        Task::Transform { inputs } => {
            let given: Vec<Digest> = inputs.values().map(|table| table.digest).collect();
            outputs([("table", Artifact::Table(named(&(step, given))))])
        }
        Task::Train { .. } => {
            let (files, signature, measures) = (Vec::new(), Signature::default(), Vec::new());
            outputs([("model", Artifact::Model { files, signature, measures })])
        }
        Task::Evaluate { .. } => outputs([("measures", measures(0.9))]),
        other => return Err(Fault::host(format!("nothing to answer to {other:?}"))),
    })
}

struct Case {
    plan: Plan,
    troubles: BTreeMap<String, Trouble>,
    blobs: Arc<FakeBlobs>,
}

impl Case {
    fn world(&self, records: Vec<Record>) -> World {
        let troubles = self.troubles.clone();
        let script = move |step: &str, call: &Call, before: u32, watch: &dyn Watch| {
            let answer = answer(step, call, before, troubles[step]);
            // The trouble is over once it is on record: the checkpoint is what a later life knows of it.
            if answer.is_err() {
                watch.checkpoint(step.as_bytes().to_vec())?;
            }
            answer
        };
        World::with(FakeJournal::of(records), self.blobs.clone(), LeapingClock::by(301_000_000), script)
    }

    /// Lives until the run has an end; each but the last dies after a few records.
    fn with_crashes(&self, dice: &mut Dice) -> World {
        let mut records = Vec::new();
        loop {
            let world = self.world(records);
            let known = world.journal.all().len();
            let room = if dice.below(8) == 0 { usize::MAX } else { known + dice.below(12) };
            world.journal.room.store(room, Ordering::Relaxed);
            let run = if known == 0 { world.start(&self.plan) } else { Ok(RunId(1)) };
            if run.and_then(|run| world.drive(run)).is_ok() {
                return world;
            }
            records = world.journal.all();
        }
    }
}

/// What must hold in any journal.
fn check_records(plan: &Plan, records: &[Record]) {
    let mut committed = BTreeSet::<StepName>::new();
    let mut registered = 0;
    for (i, record) in records.iter().enumerate() {
        let commit = match record {
            Record::StepCommitted { commit, .. } => commit,
            Record::VersionRegistered { commit, .. } => {
                registered += 1;
                commit
            }
            Record::AttemptStarted { step, .. } => {
                let inputs = plan.step(step).unwrap().work.inputs();
                assert!(inputs.iter().all(|input| committed.contains(&input.step)), "`{step}` began before its inputs");
                assert!(!committed.contains(step), "`{step}` began after its commit");
                continue;
            }
            Record::RunFinished { .. } => {
                assert_eq!(i + 1, records.len(), "something follows the end");
                continue;
            }
            _ => continue,
        };
        assert!(committed.insert(commit.step.clone()), "`{}` was committed twice", commit.step);
    }
    assert!(registered <= 1, "registered {registered} times");
    assert!(matches!(records.last(), Some(Record::RunFinished { .. })), "the run has no end");
}

/// Prints the seed if the case fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

#[test]
fn crashes_change_nothing_that_counts() {
    let blobs = Arc::new(FakeBlobs::create());
    for seed in 0..SEEDS {
        let _named = Named(seed);
        let mut dice = Dice(seed);
        let plan = random_plan(&mut dice);
        let troubles = troubles(&plan, &mut dice);
        let case = Case { plan, troubles, blobs: blobs.clone() };
        let whole = case.world(Vec::new());
        whole.run(&case.plan);
        check_records(&case.plan, &whole.journal.all());
        let killed = case.with_crashes(&mut dice);
        check_records(&case.plan, &killed.journal.all());
        assert_eq!(essence(&killed.view(1)), essence(&whole.view(1)));
    }
}

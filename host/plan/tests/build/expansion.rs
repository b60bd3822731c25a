//! Whatever the plan and the items: the expanded plan can be run, and only what has to do with items has changed.

use plan::{Each, Plan, PlannedPlugin, PlannedStep, Work};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use types::{Condition, Device, Digest, Grants, Id, Item, Limits, OutputRef, Retry, StepName};

/// What is drawn of a step.
#[derive(Debug, Clone)]
struct Drawn {
    /// From which earlier steps it takes, as shares of those there are.
    takes: Vec<f64>,
    looks_at: Option<f64>,
    /// 0: runs once; 1: for values; 2: for rows; 3: like the first that it takes from, if that one has items.
    each: u8,
    work: u8,
    /// None: its items are not known.
    items: Option<usize>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let share = || 0.0..1.0;
    let takes = proptest::collection::vec(share(), 1..4);
    (takes, proptest::option::of(share()), 0..4_u8, 0..4_u8, proptest::option::of(0..5_usize))
        .prop_map(|(takes, looks_at, each, work, items)| Drawn { takes, looks_at, each, work, items })
}

fn name(index: usize) -> StepName {
    Id::parse(&format!("s{index}")).unwrap()
}

fn output(index: usize) -> OutputRef {
    OutputRef { step: name(index), port: Id::parse("table").unwrap() }
}

fn plugin() -> PlannedPlugin {
    let parameters = json!({"depth": 0});
    PlannedPlugin { name: Id::parse("x").unwrap(), component: Digest::of(b"x"), parameters, imports: Vec::new() }
}

fn work(drawn: &Drawn, takes: &[OutputRef]) -> Work {
    let one = |at: usize| takes[at % takes.len()].clone();
    match drawn.work {
        0 => Work::Check { plugin: plugin(), rows: one(0), reference: Some(one(1)) },
        1 => Work::Predict { plugin: plugin(), rows: one(0), model: one(1) },
        2 => Work::Best {
            model: one(0),
            measures: one(1),
            measure: "m".into(),
            slice: None,
            highest: true,
            parts: Vec::new(),
        },
        _ => {
            let ports =
                takes.iter().enumerate().map(|(at, from)| (Id::parse(&format!("p{at}")).unwrap(), from.clone()));
            Work::Transform { plugin: plugin(), inputs: ports.collect() }
        }
    }
}

fn step(index: usize, drawn: &Drawn, steps: &[PlannedStep]) -> PlannedStep {
    let earlier = |share: f64| (share * index as f64) as usize;
    let takes: Vec<OutputRef> = drawn.takes.iter().map(|share| output(earlier(*share))).collect();
    let port = Id::parse("table").unwrap();
    let (work, each) = match index {
        0 => (Work::Collect { plugin: plugin() }, None),
        _ => {
            let like = takes
                .iter()
                .map(|output| &output.step)
                .find(|from| steps.iter().any(|step| step.name == **from && step.each.is_some()));
            let each = match drawn.each {
                1 => Some(Each::Values { param: "depth".into(), values: Vec::new() }),
                2 => Some(Each::Rows { port, of: takes[0].clone(), by: "city".into() }),
                3 => like.map(|step| Each::Like { step: step.clone() }),
                _ => None,
            };
            let work = work(drawn, &takes);
            let alone = matches!(work, Work::Best { .. });
            (work, each.filter(|_| !alone))
        }
    };
    let rows = |share: f64| Condition::Rows { of: output(earlier(share)), at_least: Some(1), at_most: None };
    PlannedStep {
        name: name(index),
        work,
        seed: index as u64,
        limits: Limits::default(),
        device: Device::Cpu,
        device_asked: None,
        grants: Grants::default(),
        outputs: [(Id::parse("table").unwrap(), Vec::new())].into(),
        when: drawn.looks_at.filter(|_| index > 0).map(rows).into_iter().collect(),
        retry: Retry::default(),
        pool: None,
        cache: true,
        each,
        given: BTreeMap::new(),
    }
}

fn plan(drawn: &[Drawn]) -> Plan {
    let mut steps = Vec::new();
    for (index, drawn) in drawn.iter().enumerate() {
        let step = step(index, drawn, &steps);
        steps.push(step);
    }
    let (project, pipeline) = (Id::parse("demo").unwrap(), Id::parse("fit").unwrap());
    Plan { project, pipeline, steps, timeout_ms: None, priority: 0 }
}

fn items(count: usize) -> Vec<Item> {
    (0..count).map(|at| Item { label: format!("depth = {at}"), value: Some(json!(at)), table: None }).collect()
}

/// As `run` asks it of every plan.
fn assert_order(plan: &Plan) {
    let mut before = BTreeSet::new();
    for step in &plan.steps {
        for input in step.needs() {
            assert!(before.contains(&input.step), "`{}` takes `{input}`, which is not before it", step.name);
        }
        assert!(before.insert(step.name.clone()), "`{}` stands twice", step.name);
    }
}

fn is_best(step: &PlannedStep) -> bool {
    matches!(step.work, Work::Best { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_expanded_plan_can_be_run(drawn in proptest::collection::vec(drawn(), 1..14)) {
        let plan = plan(&drawn);
        assert_order(&plan);
        let known = |name: &StepName| drawn[name.as_str()[1..].parse::<usize>().unwrap()].items.map(items);
        let expanded = plan::expand(&plan, &known);
        assert_order(&expanded);
        for step in &plan.steps {
            let now = expanded.step(&step.name).unwrap();
            let gathered = matches!(now.work, Work::Gather { .. });
            assert!(!gathered || step.each.is_some());
            assert!(gathered || is_best(step) || now == step, "{step:?} became {now:?}");
            if let Work::Gather { parts, takes } = &now.work {
                let all = expanded.steps.iter().filter(|other| parts.contains(&other.name));
                assert_eq!((all.count(), takes.len()), (parts.len(), parts.len()));
            }
        }
        let added = expanded.steps.iter().filter(|step| plan.step(&step.name).is_none());
        for item in added {
            assert!(item.name.is_item() && item.each.is_none());
        }
    }
}

#[test]
fn a_thousand_items_take_a_moment() {
    let once = Drawn { takes: vec![0.0, 0.99], looks_at: None, each: 0, work: 3, items: None };
    let fanned = Drawn { each: 1, items: Some(1_000), ..once.clone() };
    let like = Drawn { each: 3, takes: vec![0.99], ..once.clone() };
    let plan = plan(&[once.clone(), fanned, like.clone(), like.clone(), like, once]);
    let began = Instant::now();
    let expanded = plan::expand(&plan, &|_| Some(items(1_000)));
    let took = began.elapsed();
    assert_eq!(expanded.steps.len(), 6 + 4 * 1_000);
    // A build for tests on a loaded machine; what counts is that it is not quadratic.
    assert!(took.as_millis() < 2_000, "{took:?}");
}

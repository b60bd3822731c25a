//! Chance -> a pipeline: its plan, what becomes of its steps, where its rows come from, when it runs by itself.

use crate::dice::Dice;
use crate::steps::{self, Trouble};
use crate::timetable::{self, Timetable};
use plan::{Each, Plan, PlannedStep, ServedPath, Work};
use run::StoredPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use types::{
    Bound, Condition, Id, Leniency, ModelName, OutputRef, PipelineName, Pool, ProjectName, Requirement, Retry, StepName,
};

/// The step that answers with the best of several models: its component is that model's.
pub(crate) const WINNER: &str = "winner";

#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub stored: StoredPlan,
    /// Of steps that do not simply do their work.
    pub troubles: BTreeMap<StepName, Trouble>,
    pub source: Source,
    pub timetable: Option<Timetable>,
    /// Each success of that pipeline starts it.
    pub after: Option<PipelineName>,
    /// Files that change start it.
    pub watches: bool,
}

/// What the pipeline's collectors find.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub pages: u32,
    /// After this page all begins anew, once.
    pub restart_after: Option<u32>,
    /// Then there is one page more, each time as much later.
    pub grows_us: Option<i64>,
}

impl Pipeline {
    pub(crate) fn name(&self) -> &PipelineName {
        &self.stored.plan.pipeline
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.stored.plan
    }

    /// The trouble of a step, or of the one of which it is an item.
    pub(crate) fn trouble(&self, step: &StepName) -> Trouble {
        let whole = step.as_str().split('@').next().unwrap_or_default();
        self.troubles.iter().find(|(name, _)| name.as_str() == whole).map_or(Trouble::None, |(_, trouble)| *trouble)
    }

    /// The same without a step, if no other needs it.
    pub(crate) fn without(&self, step: usize) -> Option<Self> {
        let mut pipeline = self.clone();
        let steps = &mut pipeline.stored.plan.steps;
        let gone = steps.remove(step);
        let needed = |other: &PlannedStep| {
            let like = matches!(&other.each, Some(Each::Like { step }) if *step == gone.name);
            like || other.needs().iter().any(|needed| needed.step == gone.name)
        };
        let is_empty = steps.is_empty();
        (!is_empty && !steps.iter().any(needed)).then_some(pipeline)
    }
}

/// The same pipeline of another version: it collects from the same source, and may come at the same times.
pub(crate) fn changed(of: &Pipeline, number: usize, dice: &mut Dice) -> Pipeline {
    let mut changed = made((number, 1), dice);
    changed.source = of.source.clone();
    if dice.once_in(2) {
        changed.timetable.clone_from(&of.timetable);
    }
    if dice.once_in(2) {
        (changed.after, changed.watches) = (of.after.clone(), of.watches);
    }
    changed
}

pub(crate) fn random(number: usize, dice: &mut Dice) -> Pipeline {
    made((number, 0), dice)
}

fn made((number, content): (usize, usize), dice: &mut Dice) -> Pipeline {
    let mut draft = Draft { steps: Vec::new(), tables: Vec::new(), pipeline: number };
    if dice.once_in(2) {
        draft.collector(dice);
    }
    for _ in 0..1 + dice.below(4) {
        draft.step(dice);
    }
    if dice.once_in(3) {
        draft.model(dice);
    }
    if dice.once_in(6) {
        draft.fan_out(dice);
    }
    if dice.once_in(8) {
        draft.best(dice);
    }
    let mut steps = draft.steps;
    let troubles: BTreeMap<_, _> =
        steps.iter_mut().filter_map(|step| troubled(step, (number, content), dice)).collect();
    let (project, pipeline) =
        (ProjectName::parse("demo").unwrap(), PipelineName::parse(&format!("p{number}")).unwrap());
    let timeout_ms = dice.once_in(6).then(|| 60_000 * (1 + dice.below(90) as u64));
    let plan = Plan { project, pipeline, steps, timeout_ms, priority: [0, 0, 1, -1][dice.below(4)] };
    let pages = 1 + dice.below(3) as u32;
    let source = Source {
        pages,
        restart_after: dice.once_in(4).then(|| 1 + dice.below(pages as usize) as u32),
        grows_us: dice.once_in(3).then(|| 60_000_000 * (1 + dice.below(60) as i64)),
    };
    let timetable = (!dice.once_in(3)).then(|| timetable::random(dice));
    let earlier = |number: usize| PipelineName::parse(&format!("p{number}")).unwrap();
    let after = (number > 0 && dice.once_in(2)).then(|| earlier(dice.below(number)));
    let stored = StoredPlan { plan, project_dir: "project".into() };
    Pipeline { stored, troubles, source, timetable, after, watches: dice.once_in(4) }
}

/// Gives a step a trouble and a component of its own: what always fails must not be what another step shares the cache with.
fn troubled(
    step: &mut PlannedStep,
    (pipeline, content): (usize, usize),
    dice: &mut Dice,
) -> Option<(StepName, Trouble)> {
    let trouble = match dice.below(16) {
        0 => Trouble::Always,
        1 => Trouble::Transient(1 + dice.below(3) as u32),
        2 => Trouble::Crash(1 + dice.below(2) as u32),
        3 => Trouble::Hang,
        4 => Trouble::UntilCheckpoint,
        _ => return None,
    };
    if step.name.as_str() == WINNER {
        return None;
    }
    steps::rename(&mut step.work, &format!("own-{content}-{pipeline}-{}", step.name.as_str()))?;
    Some((step.name.clone(), trouble))
}

/// A plan on its way.
struct Draft {
    steps: Vec<PlannedStep>,
    /// Outputs that carry tables.
    tables: Vec<OutputRef>,
    pipeline: usize,
}

impl Draft {
    fn add(&mut self, name: &str, work: Work, outputs: &[&str], dice: &mut Dice) -> StepName {
        let mut step = steps::planned(name, work, outputs);
        step.retry = Retry { attempts: [1, 3, 3, 4][dice.below(4)], ..Retry::default() };
        step.cache = !dice.once_in(4);
        step.seed = dice.below(2) as u64;
        let pool =
            |dice: &mut Dice| Pool { name: dice.among(&["gpu", "db"]).to_owned(), most: 1 + dice.below(2) as u32 };
        step.pool = dice.once_in(4).then(|| pool(dice));
        let of = |port: &&str| steps::output(name, port);
        self.tables.extend(outputs.iter().filter(|port| **port == "table").map(of));
        self.steps.push(step);
        StepName::parse(name).unwrap()
    }

    fn table(&self, dice: &mut Dice) -> OutputRef {
        self.tables[dice.below(self.tables.len())].clone()
    }

    fn collector(&mut self, dice: &mut Dice) {
        let plugin = steps::plugin("source", &[("of", self.pipeline.into())]);
        self.add("rows", Work::Collect { plugin }, &["table"], dice);
    }

    fn step(&mut self, dice: &mut Dice) {
        let name = format!("s{}", self.steps.len());
        let parameters = [("p", dice.below(2).into())];
        let plugin = steps::plugin(dice.among(&["mix", "lag", "clock"]), &parameters);
        let when = dice.once_in(6).then(|| self.condition(dice)).flatten();
        match dice.below(if self.tables.is_empty() { 1 } else { 8 }) {
            0..4 => {
                let taken = (0..dice.below(3).min(self.tables.len())).map(|_| self.table(dice)).collect::<Vec<_>>();
                let inputs = ["a", "b"].into_iter().zip(taken).map(|(port, of)| (steps::port(port), of)).collect();
                self.add(&name, Work::Transform { plugin, inputs }, &["table"], dice);
            }
            4 => {
                let rows = self.table(dice);
                let inputs = [(steps::port("table"), rows.clone())].into();
                self.add(
                    &name,
                    Work::Fit { plugin, fit: Some(rows), inputs, reads: Vec::new() },
                    &["table", "state"],
                    dice,
                );
            }
            5 => {
                let rows = self.table(dice);
                self.add(&name, Work::Check { plugin, rows, reference: None }, &["table", "findings"], dice);
            }
            6 => {
                let what = self.table(dice);
                self.add(&name, Work::Deliver { plugin, what, trainer: None }, &["delivered"], dice);
            }
            _ => {
                let candidate = self.table(dice);
                let work = Work::Evaluate { plugin, candidate, baseline: None, slices: Vec::new() };
                self.add(&name, work, &["measures"], dice);
            }
        }
        if let (Some(when), Some(step)) = (when, self.steps.last_mut()) {
            step.when.push(when);
        }
    }

    fn condition(&self, dice: &mut Dice) -> Option<Condition> {
        if dice.once_in(3) || self.tables.is_empty() {
            return Some(Condition::Text { text: "full".to_owned(), is: ["full", "half"][dice.below(2)].to_owned() });
        }
        let of = self.table(dice);
        Some(Condition::Rows { of, at_least: Some(dice.below(4) as u64), at_most: None })
    }

    /// Train, judge, register; all models of a tenant are versions of the same.
    fn model(&mut self, dice: &mut Dice) {
        if self.tables.is_empty() {
            return;
        }
        let (train, candidate) = (self.table(dice), self.table(dice));
        let (validation, label, weight, initial) = Default::default();
        let plugin = |name| steps::plugin(name, &[]);
        let fit =
            Work::Train { plugin: plugin("net"), train, validation, initial, features: Vec::new(), label, weight };
        self.add("train", fit, &["model"], dice);
        let judge = Work::Evaluate { plugin: plugin("auc"), candidate, baseline: None, slices: Vec::new() };
        self.add("judge", judge, &["measures"], dice);
        let bound = Bound::AtLeast([0.2, 0.6][dice.below(2)]);
        let require = vec![Requirement::new("auc", bound)];
        let (measures, baseline, leniency) = (steps::output("judge", "measures"), None, Leniency::default());
        self.add("gate", Work::Gate { measures, require, baseline, leniency }, &["verdict"], dice);
        let register = Work::Register {
            model: steps::output("train", "model"),
            verdict: Some(steps::output("gate", "verdict")),
            examined: None,
            measures: None,
            name: ModelName::parse("spam").unwrap(),
            alias: Some("champion".to_owned()),
            purpose: Default::default(),
            served: ServedPath::default(),
        };
        self.add("register", register, &["version"], dice);
        if dice.once_in(2) {
            let plugin = steps::plugin("mix", &[("p", 7.into())]);
            let after = self.add("after", Work::Transform { plugin, inputs: BTreeMap::new() }, &["table"], dice);
            let of = steps::output("gate", "verdict");
            let step = self.steps.iter_mut().find(|step| step.name == after).unwrap();
            step.when.push(Condition::Passed { of, passed: dice.once_in(2) });
        }
    }

    /// Several models, the best of them by a measure, and what the best one answers.
    fn best(&mut self, dice: &mut Dice) {
        if self.tables.is_empty() {
            return;
        }
        let (train, rows, more) = (self.table(dice), self.table(dice), self.table(dice));
        let (validation, label, weight, initial) = Default::default();
        let plugin = || steps::plugin("tuner", &[("depth", 0.into())]);
        let each = Each::Values { param: "depth".to_owned(), values: vec![1.into(), 2.into(), 3.into()] };
        let of = steps::output;
        let fit = Work::Train { plugin: plugin(), train, validation, initial, features: Vec::new(), label, weight };
        let tune = self.add("tune", fit, &["model"], dice);
        self.steps.last_mut().unwrap().each = Some(each);
        let answers = Work::Predict { plugin: plugin(), rows, model: of("tune", "model") };
        self.add("tried", answers, &["table"], dice);
        self.steps.last_mut().unwrap().each = Some(Each::Like { step: tune.clone() });
        let judge = Work::Evaluate {
            plugin: steps::plugin("auc", &[]),
            candidate: of("tried", "table"),
            baseline: None,
            slices: Vec::new(),
        };
        self.add("score", judge, &["measures"], dice);
        self.steps.last_mut().unwrap().each = Some(Each::Like { step: tune });
        let best = Work::Best {
            model: of("tune", "model"),
            measures: of("score", "measures"),
            measure: "auc".to_owned(),
            slice: None,
            highest: dice.once_in(2),
            parts: Vec::new(),
        };
        self.add("best", best, &["model", "measures"], dice);
        let answers = Work::Predict { plugin: plugin(), rows: more, model: of("best", "model") };
        self.add(WINNER, answers, &["table"], dice);
    }

    /// A step for each of several values or rows, one like it, and one that takes what both give.
    fn fan_out(&mut self, dice: &mut Dice) {
        let values = Each::Values { param: "depth".to_owned(), values: vec![1.into(), 2.into(), 3.into()] };
        if self.tables.is_empty() || plan::static_items(&values).is_none() {
            return;
        }
        let rows = self.table(dice);
        let over = |of: OutputRef| Work::Transform {
            plugin: steps::plugin("mix", &[("depth", 0.into())]),
            inputs: [(steps::port("a"), of)].into(),
        };
        let each = match dice.below(2) {
            0 => values,
            _ => Each::Rows { port: steps::port("a"), of: rows.clone(), by: "x".to_owned() },
        };
        let fan = self.add("fan", over(rows), &["table"], dice);
        self.steps.last_mut().unwrap().each = Some(each);
        let more = self.add("more", over(steps::output("fan", "table")), &["table"], dice);
        self.steps.iter_mut().find(|step| step.name == more).unwrap().each = Some(Each::Like { step: fan });
        self.add("whole", over(steps::output("more", "table")), &["table"], dice);
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Source { pages, restart_after, grows_us } = &self.source;
        write!(f, "  pipeline {}", self.name())?;
        if let Some(timetable) = &self.timetable {
            write!(f, ", {timetable}")?;
        }
        if let Some(timeout_ms) = self.plan().timeout_ms {
            write!(f, ", timeout {} s", timeout_ms / 1000)?;
        }
        if let Some(after) = &self.after {
            write!(f, ", after {after}")?;
        }
        writeln!(f, ", watches {}, priority {}", self.watches, self.plan().priority)?;
        for step in &self.plan().steps {
            let needs: BTreeSet<_> = step.needs().into_iter().map(ToString::to_string).collect();
            write!(f, "    {}: {} of {needs:?}", step.name, step.work.name())?;
            if let Work::Collect { .. } = step.work {
                write!(f, ", {pages} pages, anew after {restart_after:?}, grows each {grows_us:?} us")?;
            }
            if !step.when.is_empty() {
                write!(f, ", when {:?}", step.when)?;
            }
            if let Some(pool) = &step.pool {
                write!(f, ", {} of pool {}", pool.most, pool.name)?;
            }
            if let Some(each) = &step.each {
                write!(f, ", each {each:?}")?;
            }
            writeln!(f, ", {} attempts, cache {}, {:?}", step.retry.attempts, step.cache, self.trouble(&step.name))?;
        }
        Ok(())
    }
}

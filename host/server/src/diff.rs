//! Two runs -> how they differ: what went in, what did the work under which settings, and what came out. Pure.

use plan::{Plan, PlannedStep, Work};
use run::{RunView, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use types::{Artifact, FaultKind, LimitKind, RunHead, RunId, StepName};

/// How two runs differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDiff {
    pub a: RunId,
    pub b: RunId,
    /// What is equal is among it.
    pub rows: Vec<DiffRow>,
}

/// One thing that both runs may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiffRow {
    pub about: About,
    /// None of the run as a whole.
    pub step: Option<StepName>,
    pub name: String,
    /// None: that run has no such thing.
    pub a: Option<Value>,
    pub b: Option<Value>,
    /// Of two numbers, b less a.
    pub difference: Option<f64>,
    pub same: bool,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    Run,
    Setting,
    /// What a collector brought in.
    Input,
    Plugin,
    Parameter,
    /// What the manifest says of a step beside the others.
    Key,
    Seed,
    Device,
    Limit,
    Grant,
    Step,
    Output,
    Measure,
    Verdict,
    /// A column that a model's request brings or its answer gives.
    Column,
    /// What was learnt: weights, a fitted state.
    File,
}

impl About {
    /// In a word, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Setting => "setting",
            Self::Input => "input",
            Self::Plugin => "plugin",
            Self::Parameter => "parameter",
            Self::Key => "key",
            Self::Seed => "seed",
            Self::Device => "device",
            Self::Limit => "limit",
            Self::Grant => "grant",
            Self::Step => "step",
            Self::Output => "output",
            Self::Measure => "measure",
            Self::Verdict => "verdict",
            Self::Column => "column",
            Self::File => "file",
        }
    }
}

/// A run with all that is known of it.
pub(crate) type Known = (RunHead, Plan, RunView);

pub(crate) type Key = (About, Option<StepName>, String);

/// Compares two runs: row by row in the order of the first one, then what only the second one has. Of a step that only one of them
/// has, or that committed in only one, what it was told or gave there says nothing about the other: how it stands is told alone.
pub(crate) fn diff(a: &Known, b: &Known) -> RunDiff {
    let mut rows = rows(&facts(a), &facts(b));
    let has = |known: &Known, step: &StepName| known.1.step(step).is_some();
    let gave = |known: &Known, step: &StepName| known.2.commit(step).is_some();
    rows.retain(|row| match (&row.step, row.about) {
        (None, _) | (_, About::Step) => true,
        (Some(step), About::Input | About::Output | About::Measure | About::Verdict) => gave(a, step) && gave(b, step),
        (Some(step), _) => has(a, step) && has(b, step),
    });
    RunDiff { a: a.0.run, b: b.0.run, rows }
}

/// Holds facts against others: by what they are about, and within that in the order in which they stand.
pub(crate) fn rows(of_a: &[(Key, Value)], of_b: &[(Key, Value)]) -> Vec<DiffRow> {
    let by_key = |facts: &[(Key, Value)]| facts.iter().cloned().collect::<BTreeMap<Key, Value>>();
    let (in_a, in_b) = (by_key(of_a), by_key(of_b));
    let mut seen = BTreeSet::new();
    let keys = of_a.iter().chain(of_b).map(|(key, _)| key).filter(|key| seen.insert(*key));
    let mut rows: Vec<DiffRow> = keys.map(|key| row(key, in_a.get(key), in_b.get(key))).collect();
    rows.sort_by_key(|row| row.about);
    rows
}

fn row((about, step, name): &Key, a: Option<&Value>, b: Option<&Value>) -> DiffRow {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let difference = number(b).zip(number(a)).map(|(b, a)| b - a);
    let (step, name) = (step.clone(), name.clone());
    DiffRow { about: *about, step, name, a: a.cloned(), b: b.cloned(), difference, same: a == b }
}

/// Everything about a run that another can have otherwise.
fn facts((head, plan, view): &Known) -> Vec<(Key, Value)> {
    let mut facts = Vec::new();
    let mut of_run = |name: &str, value: Value| facts.push(((About::Run, None, name.to_owned()), value));
    of_run("project", json!(head.project));
    of_run("pipeline", json!(head.pipeline));
    of_run("state", json!(view.state()));
    of_run("cause", json!(head.cause));
    of_run("logical_time_us", json!(head.logical_time_us));
    if let Some(version) = head.deployment {
        of_run("deployment", json!(version));
    }
    if let Some(end_us) = view.ended_us {
        of_run("duration_ms", json!(end_us.saturating_sub(head.started_us) / 1000));
    }
    let course = crate::difference::course(plan).into_iter();
    facts.extend(course.map(|(key, what)| ((About::Key, None, key.to_owned()), json!(what))));
    facts.extend(head.overrides.iter().map(|(name, value)| ((About::Setting, None, name.clone()), value.clone())));
    plan.steps.iter().for_each(|step| {
        let mut say = |about: About, name: String, value: Value| {
            facts.push(((about, Some(step.name.clone()), name), value));
        };
        planned(step, &mut say);
        done(step, view, &mut say);
    });
    facts
}

fn planned(step: &PlannedStep, say: &mut dyn FnMut(About, String, Value)) {
    if let Some(plugin) = step.work.plugin() {
        say(About::Plugin, plugin.name.to_string(), json!(plugin.component));
        for (name, value) in plugin.parameters.as_object().into_iter().flatten() {
            say(About::Parameter, name.clone(), value.clone());
        }
    }
    plan::told(step).into_iter().for_each(|(key, what)| say(About::Key, key, json!(what)));
    say(About::Seed, "seed".to_owned(), json!(step.seed));
    say(About::Device, "device".to_owned(), json!(step.device));
    for kind in LimitKind::ALL {
        say(About::Limit, kind.key().to_owned(), json!(step.limits.get(*kind)));
    }
    for line in manifest::grant_lines(&step.grants) {
        let (door, granted) = line.split_once(" = ").unwrap_or((&line, ""));
        say(About::Grant, door.to_owned(), json!(granted));
    }
}

fn done(step: &PlannedStep, view: &RunView, say: &mut dyn FnMut(About, String, Value)) {
    let (state, because) = crate::reads::standing(view, step);
    say(About::Step, "state".to_owned(), json!(state));
    if let Some(because) = because {
        say(About::Step, "because".to_owned(), json!(because));
    }
    let about =
        if matches!(step.work, Work::Collect { .. } | Work::Feedback { .. }) { About::Input } else { About::Output };
    for (port, artifact) in view.commit(&step.name).into_iter().flat_map(|commit| &commit.outputs) {
        say(about, port.to_string(), json!(artifact.digest()));
        match artifact {
            Artifact::Table(table) => say(about, format!("{port} rows"), json!(table.rows)),
            Artifact::Measures { measures } | Artifact::Model { measures, .. } => {
                for measure in measures {
                    let slice = measure.slice.as_ref().map(|slice| format!(" ({slice})")).unwrap_or_default();
                    say(About::Measure, format!("{}{slice}", measure.name), json!(measure.value));
                }
            }
            Artifact::Verdict(verdict) => say(About::Verdict, port.to_string(), json!(verdict.sentence)),
            _ => {}
        }
    }
}

/// Where a step stands, in a word, and why it did not commit.
pub(crate) fn state_of(status: &Status) -> (&'static str, Option<&str>) {
    match status {
        Status::Waiting => ("waiting", None),
        Status::Running { .. } => ("running", None),
        Status::Committed { .. } => ("committed", None),
        Status::Failed { fault } if fault.kind == FaultKind::Cancelled => ("cancelled", Some(&fault.message)),
        Status::Failed { fault } => ("failed", Some(&fault.message)),
        Status::Skipped { because } => ("skipped", Some(because)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{committed, gave, head, measures, name, plan, view};
    use types::Record;

    fn known(run: u64, records: impl Fn(RunId) -> Vec<Record>) -> Known {
        let run = RunId(run);
        (head(run), plan(), view(run, records(run)))
    }

    fn told(diff: &RunDiff) -> Vec<String> {
        let differ = diff.rows.iter().filter(|row| !row.same);
        let step = |row: &DiffRow| row.step.as_ref().map(|step| format!(" {step}")).unwrap_or_default();
        differ.map(|row| format!("{}{} {}", row.about.word(), step(row), row.name)).collect()
    }

    #[test]
    fn equal_runs_differ_in_nothing_and_what_is_equal_is_told() {
        let runs = [1, 2].map(|run| known(run, |run| vec![committed(run, "rows"), committed(run, "clean")]));
        let found = diff(&runs[0], &runs[1]);
        assert_eq!((found.a, found.b, told(&found)), (RunId(1), RunId(2), vec![]));
        assert!(found.rows.iter().any(|row| row.about == About::Input && row.name == "table rows"));
    }

    #[test]
    fn every_kind_of_change_is_a_row() {
        let a = known(1, |run| vec![committed(run, "rows"), gave(run, "model", "measures", measures(0.5))]);
        let mut b = known(2, |run| {
            let rows = gave(run, "rows", "table", crate::samples::table("other rows"));
            let finished = Record::RunFinished { run, state: types::RunState::Succeeded, at_us: 5_000, because: None };
            vec![rows, gave(run, "model", "measures", measures(0.75)), committed(run, "clean"), finished]
        });
        b.0.overrides.insert("model.depth".to_owned(), json!(4));
        let model = b.1.steps.iter_mut().find(|step| step.name == name("model")).unwrap();
        (model.seed, model.limits.cpu_ms, model.grants.clock) = (8, 1, true);
        model.when = vec![types::Condition::Text { text: "eu".to_owned(), is: "us".to_owned() }];
        if let Work::Train { plugin, .. } = &mut model.work {
            plugin.component = types::Digest::of(b"newer");
            plugin.parameters = json!({ "rate": 0.1 });
        }
        let found = diff(&a, &b);
        let expected = [
            "run state",
            "run duration_ms",
            "setting model.depth",
            "input rows table",
            "plugin model trees",
            "parameter model depth",
            "parameter model rate",
            "key model when",
            "seed model seed",
            "limit model cpu",
            "grant model clock",
            "step clean state",
            "step other because",
            "step other state",
            "step sent because",
            "step sent state",
            "output model measures",
            "measure model auc",
        ];
        let mut got = told(&found);
        got.sort_unstable();
        let mut wanted = expected.map(str::to_owned);
        wanted.sort_unstable();
        assert_eq!(got, wanted);
        let auc = found.rows.iter().find(|row| row.about == About::Measure).unwrap();
        assert_eq!((&auc.a, &auc.b, auc.difference), (&Some(json!(0.5)), &Some(json!(0.75)), Some(0.25)));
    }
}

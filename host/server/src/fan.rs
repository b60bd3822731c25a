//! A plan with its items and how far a run is -> which item each step is, and which one a choice took and why. Pure.
//!
//! ```text
//!  train (each) ── train@0 ── measured@0 ──┐
//!               └─ train@1 ── measured@1 ──┴─ best
//!   a family: the steps of `train` and of all that run like it, item by item
//! ```

use crate::reads::{RunDetail, StepDetail};
use plan::{Each, Plan, PlannedStep, Work};
use run::{RunView, StoredPlan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use types::{Artifact, Measure, OutputRef, StepName};

/// Characters of a label: a value may be of any length.
const LABEL_CHARS_MAX: usize = 80;

/// Which item of which step a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemOf {
    pub step: StepName,
    /// The step whose items they are: `step` itself, or the one that it runs like.
    pub root: StepName,
    /// Counted from 0.
    pub index: usize,
    /// What it stands for: `depth=3`, `city=Bonn`.
    pub label: String,
}

/// A choice among the items of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    pub measure: String,
    pub slice: Option<String>,
    /// Whether the highest is the best.
    pub highest: bool,
    /// All of them, in order.
    pub candidates: Vec<Candidate>,
    /// Which of them it took.
    pub took: Option<usize>,
}

/// An item that could have been taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// That gave the model.
    pub step: StepName,
    pub label: String,
    /// None if it was not measured.
    pub value: Option<f64>,
}

impl Best {
    /// What it took and why, beside the next best.
    pub fn sentence(&self) -> Option<String> {
        let took = self.took.and_then(|at| self.candidates.get(at))?;
        let of = self.slice.as_ref().map(|slice| format!(" of {slice}")).unwrap_or_default();
        let Candidate { step, label, value } = took;
        let value = value.map_or_else(|| "not measured".to_owned(), number);
        let (extreme, count) = (if self.highest { "highest" } else { "lowest" }, self.candidates.len());
        let next = self.next().map(|(next, value)| format!("; the next is {} of {}", number(value), next.label));
        Some(format!(
            "took {label} (`{step}`): its {}{of} of {value} is the {extreme} of {count}{}",
            self.measure,
            next.unwrap_or_default()
        ))
    }

    /// The best of those that it did not take.
    fn next(&self) -> Option<(&Candidate, f64)> {
        let others = self.candidates.iter().enumerate().filter(|(at, _)| Some(*at) != self.took);
        let measured = others.filter_map(|(_, other)| Some((other, other.value?)));
        measured.reduce(|best, other| {
            let is_better = if self.highest { other.1 > best.1 } else { other.1 < best.1 };
            if is_better { other } else { best }
        })
    }
}

/// A number as people read it: whole ones whole, others with four places or as many digits.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if value.fract() == 0.0 && size < 1e15 => format!("{value:.0}"),
        0.001..1e6 => format!("{value:.4}"),
        _ => format!("{value:.3e}"),
    }
}

/// The steps that run for the same items.
#[derive(Debug, Clone, PartialEq)]
pub struct Family<'r> {
    pub root: &'r StepName,
    /// In the plan's order, without their items.
    pub members: Vec<&'r StepName>,
    pub items: Vec<FamilyItem<'r>>,
}

/// An item with what was done for it: a step a member.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilyItem<'r> {
    pub label: &'r str,
    pub steps: Vec<&'r StepDetail>,
    /// What was measured of it on all its rows, each measure once: what a later step says of it counts.
    pub measures: Vec<&'r Measure>,
}

/// Measures of an item, and names of measures of a family, that count: a guest may give any number.
const MEASURES_MAX: usize = 100;

impl<'r> Family<'r> {
    /// The names of what was measured of its items: first what the choice among them went by.
    pub fn measured(&self, best: Option<&'r Best>) -> Vec<&'r str> {
        let mut names: Vec<&str> = best.iter().map(|best| best.measure.as_str()).collect();
        for measure in self.items.iter().flat_map(|item| &item.measures) {
            if names.len() < MEASURES_MAX && !names.contains(&measure.name.as_str()) {
                names.push(&measure.name);
            }
        }
        names
    }

    /// The choice that was made among its items, and the step that made it.
    pub fn best(&self, run: &'r RunDetail) -> Option<(&'r StepName, &'r Best)> {
        let of_it = |best: &&Best| {
            let model = best.candidates.first().map(|candidate| &candidate.step);
            model.is_some_and(|model| self.items.first().is_some_and(|item| item.has(model)))
        };
        run.steps.iter().find_map(|step| Some((&step.step, step.best.as_ref().filter(of_it)?)))
    }
}

impl<'r> FamilyItem<'r> {
    fn has(&self, step: &StepName) -> bool {
        self.steps.iter().any(|found| found.step == *step)
    }

    /// The value of a measure on all its rows.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.measures.iter().find(|measure| measure.name == name).map(|measure| measure.value)
    }

    /// The step of it that did not come to its end, or else the last.
    pub fn telling(&self) -> Option<&'r StepDetail> {
        let unfinished = self.steps.iter().find(|step| step.state != "committed");
        unfinished.or(self.steps.last()).copied()
    }
}

/// The families of a run, in the order of the steps whose items they are.
pub fn families(run: &RunDetail) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for (step, item) in run.steps.iter().filter_map(|step| Some((step, step.item.as_ref()?))) {
        let at = families.iter().position(|family| *family.root == item.root).unwrap_or_else(|| {
            families.push(Family { root: &item.root, members: Vec::new(), items: Vec::new() });
            families.len() - 1
        });
        let family = &mut families[at];
        if family.members.last() != Some(&&item.step) {
            family.members.push(&item.step);
        }
        // Item by item from 0, as `plan::expand` makes them.
        match family.items.get_mut(item.index) {
            Some(found) => found.steps.push(step),
            None => family.items.push(FamilyItem { label: &item.label, steps: vec![step], measures: Vec::new() }),
        }
    }
    families.iter_mut().flat_map(|family| &mut family.items).for_each(|item| item.measures = measures(&item.steps));
    families
}

fn measures<'r>(steps: &[&'r StepDetail]) -> Vec<&'r Measure> {
    let mut measures: Vec<&Measure> = Vec::new();
    let all = steps.iter().rev().flat_map(|step| step.outputs.values()).flat_map(Artifact::measures);
    for measure in all.filter(|measure| measure.slice.is_none()) {
        if measures.len() < MEASURES_MAX && !measures.iter().any(|known| known.name == measure.name) {
            measures.push(measure);
        }
    }
    measures
}

/// Which item each step of a plan is that is one; `expanded` is the stored plan with its items.
pub(crate) fn items(stored: &StoredPlan, expanded: &Plan, view: &RunView) -> BTreeMap<StepName, ItemOf> {
    let mut found = BTreeMap::new();
    for step in &expanded.steps {
        let Work::Gather { parts, .. } = &step.work else { continue };
        let root = root(&stored.plan, &step.name);
        let items = stored.items(view, root).unwrap_or_default();
        for (index, (part, item)) in parts.iter().zip(items).enumerate() {
            let label = item.label.chars().take(LABEL_CHARS_MAX).collect();
            let (step, root) = (step.name.clone(), root.clone());
            found.insert(part.clone(), ItemOf { step, root, index, label });
        }
    }
    found
}

/// The step whose items a step runs for.
fn root<'p>(plan: &'p Plan, step: &'p StepName) -> &'p StepName {
    // A step stands after the one that it runs like: this ends.
    match plan.step(step).and_then(|step| step.each.as_ref()) {
        Some(Each::Like { step }) => root(plan, step),
        _ => step,
    }
}

/// What a choice was between and what it took, once its candidates are known.
pub(crate) fn best(
    plan: &Plan,
    step: &PlannedStep,
    view: &RunView,
    items: &BTreeMap<StepName, ItemOf>,
) -> Option<Best> {
    let Work::Best { measure, slice, highest, parts, .. } = &step.work else { return None };
    let is_it = |found: &&Measure| found.name == *measure && found.slice == *slice;
    let value = |measures: &OutputRef| Some(view.output(measures)?.measures().iter().find(is_it)?.value);
    let candidate = |(model, measures): &(OutputRef, OutputRef)| Candidate {
        step: model.step.clone(),
        label: items.get(&model.step).map(|item| item.label.clone()).unwrap_or_default(),
        value: value(measures),
    };
    let port = step.outputs.keys().find(|port| port.to_string() == "model")?;
    let winner = run::winner(plan, view, &OutputRef { step: step.name.clone(), port: port.clone() });
    let took = winner.and_then(|winner| parts.iter().position(|(model, _)| model == winner));
    let candidates: Vec<Candidate> = parts.iter().map(candidate).collect();
    let (measure, slice, highest) = (measure.clone(), slice.clone(), *highest);
    (!candidates.is_empty()).then_some(Best { measure, slice, highest, candidates, took })
}

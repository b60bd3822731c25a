//! A plan and the items that its steps run for -> the plan in which each item is a step. Pure, and done anew whenever more is
//! known: `run` never stores the result.
//!
//! ```text
//!  train (each) --> train@0, train@1, .., then train: a gather of them
//! ```
//! Steps that share items take from each other item by item; all others take what is gathered.

use crate::{Each, Plan, PlannedStep, Work};
use serde_json::Value;
use std::collections::BTreeMap;
use types::{Condition, Device, Digest, Grants, Id, Item, OutputRef, PortName, Retry, StepName};

/// The items of one step, which all steps like it share.
struct Family {
    /// The parameter that has another value for each of them.
    param: Option<String>,
    /// The port at which each has its part of the rows.
    port: Option<PortName>,
    items: Vec<Item>,
}

/// By the step whose items they are.
type Families = BTreeMap<StepName, Family>;

/// The items that are known without a run.
pub fn static_items(each: &Each) -> Option<Vec<Item>> {
    let Each::Values { param, values } = each else { return None };
    let item = |value: &Value| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Item { label: format!("{param}={shown}"), value: Some(value.clone()), table: None }
    };
    Some(values.iter().map(item).collect())
}

/// How many steps run for the items of a step, itself included.
pub fn family(plan: &Plan, step: &StepName) -> usize {
    let roots = roots(plan);
    roots.values().filter(|root| Some(**root) == roots.get(step).copied()).count()
}

/// Makes a step of every item of every step whose items are known. `items` is asked about steps that run for values or rows; a
/// step that runs like another has that one's. Steps whose items are not known yet stay as they are.
pub fn expand(plan: &Plan, items: &dyn Fn(&StepName) -> Option<Vec<Item>>) -> Plan {
    let roots = roots(plan);
    let families = families(plan, items);
    let mut steps = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let family = roots.get(&step.name).and_then(|root| families.get_key_value(*root));
        match family {
            Some((root, family)) => steps.extend(fanned(step, root, family, &roots)),
            None => steps.push(chosen(step, &roots, &families)),
        }
    }
    Plan { steps, ..bare(plan) }
}

/// The plan without its steps.
fn bare(plan: &Plan) -> Plan {
    let Plan { project, pipeline, steps: _, timeout_ms, priority } = plan;
    let (project, pipeline) = (project.clone(), pipeline.clone());
    Plan { project, pipeline, steps: Vec::new(), timeout_ms: *timeout_ms, priority: *priority }
}

/// Of each step that runs for items, the step whose they are.
fn roots(plan: &Plan) -> BTreeMap<&StepName, &StepName> {
    let mut roots = BTreeMap::new();
    for step in &plan.steps {
        let root = match &step.each {
            Some(Each::Values { .. } | Each::Rows { .. }) => Some(&step.name),
            // A step stands after the one that it runs like.
            Some(Each::Like { step }) => roots.get(step).copied(),
            None => None,
        };
        roots.extend(root.map(|root| (&step.name, root)));
    }
    roots
}

fn families(plan: &Plan, items: &dyn Fn(&StepName) -> Option<Vec<Item>>) -> Families {
    let family = |step: &PlannedStep| {
        let (param, port) = match step.each.as_ref()? {
            Each::Values { param, .. } => (Some(param.clone()), None),
            Each::Rows { port, .. } => (None, Some(port.clone())),
            Each::Like { .. } => return None,
        };
        Some((step.name.clone(), Family { param, port, items: items(&step.name)? }))
    };
    plan.steps.iter().filter_map(family).collect()
}

/// The steps of a step's items, and the one that gathers what they give.
fn fanned(
    step: &PlannedStep,
    root: &StepName,
    family: &Family,
    roots: &BTreeMap<&StepName, &StepName>,
) -> Vec<PlannedStep> {
    let shares = |output: &OutputRef| roots.get(&output.step) == Some(&root);
    // Without the list of all values, which would be copied once for each of them.
    let alike = without_each(step);
    let mut steps: Vec<PlannedStep> = Vec::with_capacity(family.items.len() + 1);
    for (index, item) in family.items.iter().enumerate() {
        let mut alone = alike.clone();
        alone.name = step.name.item(index);
        alone.seed = seed(step.seed, index);
        for output in inputs_mut(&mut alone).into_iter().filter(|output| shares(output)) {
            output.step = output.step.item(index);
        }
        if step.name == *root {
            alone.given.extend(family.port.clone().zip(item.table.clone()));
        }
        if has_parameter(step, root) {
            set(&mut alone.work, family.param.as_deref(), item.value.as_ref());
        }
        steps.push(alone);
    }
    let parts = steps.iter().map(|step| step.name.clone()).collect();
    steps.push(gather(step, parts));
    steps
}

fn without_each(step: &PlannedStep) -> PlannedStep {
    PlannedStep {
        name: step.name.clone(),
        work: step.work.clone(),
        seed: step.seed,
        limits: step.limits,
        device: step.device,
        device_asked: step.device_asked,
        grants: step.grants.clone(),
        outputs: step.outputs.clone(),
        when: step.when.clone(),
        retry: step.retry,
        pool: step.pool.clone(),
        cache: step.cache,
        each: None,
        given: step.given.clone(),
    }
}

/// Everything that a step takes or looks at.
fn inputs_mut(step: &mut PlannedStep) -> Vec<&mut OutputRef> {
    let looks_at = step.when.iter_mut().filter_map(|condition| match condition {
        Condition::Measure { of, .. } | Condition::Rows { of, .. } | Condition::Passed { of, .. } => Some(of),
        Condition::Text { .. } => None,
    });
    step.work.inputs_mut().into_iter().chain(looks_at).collect()
}

/// Another seed for each item, the same in every run.
fn seed(of_step: u64, index: usize) -> u64 {
    let digest = Digest::of_json(&("item", of_step, index));
    let mut seed = [0; 8];
    seed.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_le_bytes(seed)
}

/// Whether the family's parameter is the step's: its own, or that of the plugin whose model it uses.
fn has_parameter(step: &PlannedStep, root: &StepName) -> bool {
    match &step.work {
        Work::Predict { model, .. } => model.step == *root,
        _ => step.name == *root,
    }
}

fn set(work: &mut Work, param: Option<&str>, value: Option<&Value>) {
    let parameters = work.plugin_mut().and_then(|plugin| plugin.parameters.as_object_mut());
    if let (Some(parameters), Some(param), Some(value)) = (parameters, param, value) {
        parameters.insert(param.to_owned(), value.clone());
    }
}

/// The step that stands for all of its items. Models and states are not among what it gives.
fn gather(step: &PlannedStep, parts: Vec<StepName>) -> PlannedStep {
    let part = |part: &StepName| {
        let output = |port: &PortName| OutputRef { step: part.clone(), port: port.clone() };
        step.outputs.keys().map(output).collect::<Vec<_>>()
    };
    let takes = parts.iter().flat_map(part).collect();
    let gathered = |port: &PortName| match &step.work {
        Work::Train { .. } => false,
        Work::Fit { .. } => port.as_str() != "state",
        _ => true,
    };
    let outputs = step.outputs.iter().filter(|(port, _)| gathered(port));
    PlannedStep {
        name: step.name.clone(),
        work: Work::Gather { parts, takes },
        seed: step.seed,
        limits: step.limits,
        device: Device::Cpu,
        device_asked: None,
        grants: Grants::default(),
        outputs: outputs.map(|(port, columns)| (port.clone(), columns.clone())).collect(),
        when: Vec::new(),
        retry: Retry::default(),
        pool: None,
        cache: false,
        each: None,
        given: BTreeMap::new(),
    }
}

/// A step that runs for no items, or for none that are known yet; a choice among items that are known has them as its parts.
fn chosen(step: &PlannedStep, roots: &BTreeMap<&StepName, &StepName>, families: &Families) -> PlannedStep {
    let mut step = step.clone();
    if let Work::Best { model, measures, parts, .. } = &mut step.work
        && let Some(root) = roots.get(&model.step).filter(|root| roots.get(&measures.step) == Some(root))
        && let Some(family) = families.get(*root)
    {
        let item = |output: &OutputRef, index| OutputRef { step: output.step.item(index), port: output.port.clone() };
        *parts = (0..family.items.len()).map(|index| (item(model, index), item(measures, index))).collect();
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_items_seed_may_never_change() {
        assert_eq!([seed(7, 0), seed(7, 1), seed(8, 0)].map(|seed| seed % 1_000), [820, 585, 320]);
    }

    #[test]
    fn items_that_are_known_without_a_run_have_labels() {
        let each =
            Each::Values { param: "depth".into(), values: vec![3.into(), "low".into(), true.into(), 0.5.into()] };
        let labels: Vec<_> = static_items(&each).unwrap().into_iter().map(|item| item.label).collect();
        assert_eq!(labels, ["depth=3", "depth=low", "depth=true", "depth=0.5"]);
        let like = Each::Like { step: Id::parse("train").unwrap() };
        assert_eq!(static_items(&like), None);
    }
}

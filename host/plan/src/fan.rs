//! Steps that run once for each of several items: whose items they are, and what is wrong with them.

use crate::known::{Kind, Steps};
use crate::{Each, expand, role, wiring};
use manifest::Step;
use types::{Descriptor, Field, OutputRef, Problem, Role, StepName};

/// The step whose items a step runs for: itself, or the one at the end of `like`.
pub(crate) fn root<'k>(step: &'k Step, steps: &'k Steps) -> Option<&'k StepName> {
    match step.course.each.as_ref()? {
        manifest::Each::Values { .. } | manifest::Each::Rows { .. } => Some(&step.name),
        manifest::Each::Like { step } => steps.get(step)?.root.as_ref(),
    }
}

/// What a step runs for, as the plan says it.
pub(crate) fn each(step: &Step) -> Option<Each> {
    Some(match step.course.each.clone()? {
        manifest::Each::Values { param, values } => Each::Values { param, values },
        manifest::Each::Rows { port, by } => Each::Rows { of: step.inputs.get(&port)?.clone(), port, by },
        manifest::Each::Like { step } => Each::Like { step },
    })
}

/// Something of several items that cannot be put together.
pub(crate) fn ungathered(step: &Step, path: &[&str], output: &OutputRef, kind: Kind) -> Problem {
    let (name, from) = (&step.name, &output.step);
    let message = format!("step `{name}` takes `{output}` of each item of `{from}`: {kind} cannot be gathered");
    let problem = Problem::new(message).at(step.place_of(path));
    problem.hinted(format!("add `each = {{ like = \"{from}\" }}`, or choose a model with `builtin = \"best\"`"))
}

/// A role that goes by what is outside, once a run.
pub(crate) fn role(step: &Step, role: Role, descriptor: &Descriptor) -> Option<Problem> {
    let outside = matches!(role, Role::Collector | Role::Sink) && step.course.each.is_some();
    let message =
        format!("step `{}` has `each`, and plugin `{}` is {}", step.name, descriptor.name, role::singular(role));
    let problem = Problem::new(message).at(step.place_of_key(&["each"]));
    outside.then(|| problem.hinted("collectors and sinks run once; give `each` to a step between them"))
}

/// Items that nobody could tell apart.
pub(crate) fn twice(step: &Step) -> Vec<Problem> {
    let items = each(step).as_ref().and_then(expand::static_items).unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    let again = items.iter().enumerate().filter(|(_, item)| !seen.insert(&item.label));
    let problem = |(index, item): (usize, &types::Item)| {
        let message = format!("step `{}` runs twice for `{}`", step.name, item.label);
        Problem::new(message).at(step.place_of(&["each", "values", &index.to_string()])).hinted("remove one of the two")
    };
    again.map(problem).collect()
}

/// With another value the plugin gives something else, so that no step could take from all items.
pub(crate) fn unlike(step: &Step, first: &Descriptor, said: &Descriptor) -> Option<Problem> {
    let ports = |descriptor: &Descriptor| {
        let ports = descriptor.outputs.iter().map(|output| (output.name.clone(), columns(&output.columns)));
        ports.collect::<std::collections::BTreeMap<_, _>>()
    };
    let (expected, got) = (ports(first), ports(said));
    let name = expected.keys().chain(got.keys()).find(|name| expected.get(*name) != got.get(*name))?;
    let (no, name) = (Vec::new(), name.clone());
    let (expected, got) = (expected.get(&name).unwrap_or(&no), got.get(&name).unwrap_or(&no));
    let more = |left: &[String], right: &[String]| left.iter().find(|column| !right.contains(column)).cloned();
    let what = match (more(got, expected), more(expected, got)) {
        (Some(column), _) => format!("gives column `{column}` at `{name}` for this value, and not for the first"),
        (None, Some(column)) => format!("gives no column `{column}` at `{name}` for this value, but for the first"),
        (None, None) => format!("gives other columns at `{name}` for this value than for the first"),
    };
    let problem = Problem::new(format!("step `{}` {what}", step.name)).at(value(step));
    Some(problem.hinted("all values give the same columns in the same order"))
}

/// With another value a fitted step reads something else, and one list of columns is kept for all.
pub(crate) fn reads(step: &Step, first: &Descriptor, said: &Descriptor) -> Option<Problem> {
    let names = |descriptor: &Descriptor| columns(wiring::reads(descriptor, "rows"));
    let (expected, got) = (names(first), names(said));
    let listed = |names: &[String]| wiring::listed(names.iter().map(String::as_str));
    let message =
        format!("step `{}` reads {} for this value, and {} for the first", step.name, listed(&got), listed(&expected));
    let problem = Problem::new(message).at(value(step)).hinted("a fitted step reads the same columns for all values");
    (expected != got).then_some(problem)
}

/// Where a variant of a step has its value.
fn value(step: &Step) -> Option<types::Place> {
    match &step.course.each {
        Some(manifest::Each::Values { param, .. }) => step.place_of(&["params", param]),
        _ => step.place_of(&["each"]),
    }
}

fn columns(fields: &[Field]) -> Vec<String> {
    fields.iter().map(|field| format!("{}:{}", field.name, field.data_type)).collect()
}

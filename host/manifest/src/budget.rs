//! Budgets of endpoints -> the steps that hold candidates to them: a budget that no step asks for would bound nothing.

use crate::{Builtin, Pipeline, Project, Source, Step};
use std::collections::{BTreeMap, BTreeSet};
use types::{EndpointName, Id, PipelineName, Problem, nearest};

/// Gives each step `examine` the budget of the endpoint that it names. Where all pipelines are known, one that none names is a
/// problem.
pub(crate) fn hand_out(
    project: &Project,
    pipelines: &mut BTreeMap<PipelineName, Pipeline>,
    all_are_known: bool,
) -> Vec<Problem> {
    let (mut problems, mut held) = (Vec::new(), BTreeSet::new());
    for step in pipelines.values_mut().flat_map(|pipeline| &mut pipeline.steps) {
        let Source::Builtin(Builtin::Examine { endpoint: Some(name), .. }) = &step.source else { continue };
        let name = name.clone();
        match project.endpoints.get(&name).map(|endpoint| endpoint.budget) {
            Some(Some(found)) => {
                if let Source::Builtin(Builtin::Examine { budget, .. }) = &mut step.source {
                    *budget = found;
                }
            }
            Some(None) => problems.push(without(step, &name)),
            None => problems.push(unknown(step, &name, project)),
        }
        held.insert(name);
    }
    if all_are_known {
        let bounded = project.endpoints.iter().filter(|(_, endpoint)| endpoint.budget.is_some());
        problems.extend(bounded.filter(|(name, _)| !held.contains(*name)).map(|(name, endpoint)| {
            let message = format!("endpoint `{name}` has a `budget` that no step holds a model to");
            let hint =
                format!("add a step with `builtin = \"examine\"` and `endpoint = \"{name}\"`, or remove the key");
            Problem::new(message).at(Some(endpoint.place.clone())).hinted(hint)
        }));
    }
    problems
}

fn without(step: &Step, name: &EndpointName) -> Problem {
    let message = format!("step `{}` is to hold a model to the budget of endpoint `{name}`, which has none", step.name);
    let hint = format!(
        "add `budget = {{ latency = \"20 ms\", memory = \"200 MiB\" }}` to `[endpoints.{name}]`, or remove the key"
    );
    Problem::new(message).at(step.place_of(&["endpoint"])).hinted(hint)
}

fn unknown(step: &Step, name: &EndpointName, project: &Project) -> Problem {
    let known: Vec<&str> = project.endpoints.keys().map(Id::as_str).collect();
    let message = format!("step `{}` names endpoint `{name}`, which the project has not", step.name);
    Problem::new(message).at(step.place_of(&["endpoint"])).hinted(match nearest(name.as_str(), known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "`[endpoints]` of `stepwell.toml` has none".to_owned(),
        None => format!("it has {}", known.join(", ")),
    })
}

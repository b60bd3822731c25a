//! A plan under a tenant's policy: limits that ask for more than their cap are problems, defaults are lowered to it, and
//! grants that will not open are told before the run. Pure.

use crate::{Plan, unheeded, unpaired};
use manifest::{Project, Step};
use types::{LimitsPatch, Policy, Problem};

/// What a policy does to a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bounded {
    /// Grants that the policy does not cover; asked for in a run, they are denied. Verdicts that nothing takes, and comparisons of
    /// which nothing says that they are of the same rows.
    pub warnings: Vec<Problem>,
    /// Defaults that were lowered: `memory 1 GiB`, each once.
    pub lowered: Vec<String>,
}

/// Lowers the limits of the plan of one of the project's pipelines, or says which were asked for and may not be.
pub fn bound(plan: &mut Plan, project: &Project, policy: &Policy) -> Result<Bounded, Vec<Problem>> {
    let (mut bounded, mut problems) = (Bounded::default(), Vec::new());
    let Some(pipeline) = project.pipelines.get(&plan.pipeline) else { return Ok(bounded) };
    for planned in &mut plan.steps {
        let Some(step) = pipeline.step(&planned.name) else { continue };
        let asked = step.limits.or(pipeline.limits).or(project.limits);
        problems.extend(beyond(step, asked, policy));
        if planned.work.plugin().is_some() {
            let capped = policy.capped(planned.limits);
            let (before, after) = (LimitsPatch::from(planned.limits).named(), LimitsPatch::from(capped).named());
            let lowered = before.iter().zip(&after).filter(|(before, after)| before != after);
            bounded.lowered.extend(lowered.map(|(_, (key, cap))| format!("{key} {cap}")));
            planned.limits = capped;
        }
        bounded.warnings.extend(uncovered(step, policy));
    }
    bounded.warnings.extend(unheeded(pipeline));
    bounded.warnings.extend(unpaired(plan, pipeline));
    bounded.lowered.sort();
    bounded.lowered.dedup();
    if problems.is_empty() { Ok(bounded) } else { Err(problems) }
}

/// The limits that are asked for above their caps.
fn beyond(step: &Step, asked: LimitsPatch, policy: &Policy) -> Vec<Problem> {
    let caps = policy.limits.named();
    let cap_of = |key: &str| caps.iter().find(|(known, _)| *known == key).map(|(_, cap)| *cap);
    let named = asked.named();
    let above = named.iter().filter_map(|(key, asked)| Some((*key, *asked, cap_of(key).filter(|cap| asked > cap)?)));
    let problem = |(key, asked, cap)| {
        let message =
            format!("step `{}`: limit `{key}` is {asked}, the tenant's policy allows at most {cap}", step.name);
        let hint = "ask for less, or ask whoever runs this installation to raise the cap";
        // One that the pipeline or the project sets for all stands in no table of the step.
        let own = step.places.contains(&["limits", key]);
        let place = if own { step.place_of(&["limits", key]) } else { step.place_of_key(&[]) };
        Problem::new(message).at(place).hinted(hint)
    };
    above.map(problem).collect()
}

fn uncovered(step: &Step, policy: &Policy) -> Vec<Problem> {
    let lines = manifest::grant_lines(&step.grants.beyond(&policy.grants));
    let problem = |line: String| {
        let message =
            format!("step `{}` grants what the tenant's policy does not allow, and will be denied it", step.name);
        let hint = format!("ask whoever runs this installation: {}", types::policy_command(&line));
        Problem::new(message).at(step.place_of(&["grants"])).hinted(hint)
    };
    lines.into_iter().map(problem).collect()
}

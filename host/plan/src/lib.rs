//! A checked project and plugin descriptors -> a [`Plan`]: steps in order, wiring, served path.
//!
//! ```text
//!  Project --in_order--> step --"what are you?"--> role, parameters checked
//!                         |  <--- columns so far       |
//!                         +--"with these columns?"--> wiring checked -> PlannedStep -> (served path, for `register`)
//! ```
//! Pure: no files, no clock, no plugin is run here; [`build`] asks its caller to describe each step when the columns on its
//! inputs are known. `run` executes the result, which is plain data and is stored with the run.
//!
//! An output without columns is one whose columns are not known before the run. What hangs on it is checked no further
//! here; the run finds out. A step that could not be planned is not held against those that take from it.

mod builtin_step;
mod course;
mod deliver;
mod device;
mod examine;
mod expand;
mod fan;
mod gate;
mod known;
mod parameters;
mod plugin_step;
mod policy;
mod role;
mod schema;
mod served;
mod step;
mod told;
mod train;
mod unheeded;
mod unpaired;
mod wiring;

pub use device::{on_processors, place};
pub use expand::{expand, family, static_items};
pub use policy::{Bounded, bound};
pub use step::{Answering, Baseline, Each, FANNED_MAX, ITEMS_MAX, Plan, PlannedPlugin, PlannedStep, ServedPath, Work};
pub use told::told;
pub use unheeded::unheeded;
pub use unpaired::unpaired;

use known::{Known, Steps};
use manifest::{Pipeline, Project, Source, Step};
use std::collections::BTreeMap;
use types::{Descriptor, Digest, Fault, Limits, PipelineName, Port, Problem};

/// A plugin's answer, and the component that gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    pub descriptor: Descriptor,
    pub component: Digest,
}

/// Describes a step's plugin under the step's parameters. It is asked twice a step, in the order of the plan:
///
/// - with `None`: what are you? Only roles, parameters' schema and imports count. Describe without inputs.
/// - with the ports, once the parameters were found valid. A collector gets none, and its output `table` is to carry the
///   columns that `discover` finds; a fitted step gets one port `rows`; a trainer gets `train`, `features`, with a label
///   `label` (one column) and when wired `validation`; all others get the ports of the manifest.
///
/// The built-in `feedback` is asked about likewise, once, without ports: which columns `table` and `joined` have is known where
/// its endpoint's model is.
///
/// A problem without a place is placed at the step's `plugin`.
pub type Describe<'a> = dyn FnMut(&Step, Option<&[Port]>) -> Result<Described, Problem> + 'a;

/// What is wrong with a step's parameters by its plugin's schema, where nothing is to be planned.
pub fn check_parameters(step: &Step, descriptor: &Descriptor) -> Vec<Problem> {
    parameters::check(std::slice::from_ref(step), descriptor)
}

/// Plans a pipeline, or says everything that is wrong with it.
pub fn build(project: &Project, pipeline: &PipelineName, plugins: &mut Describe<'_>) -> Result<Plan, Vec<Problem>> {
    let Some(found) = project.pipelines.get(pipeline) else {
        return Err(vec![no_pipeline(project, pipeline)]);
    };
    let limits = found.limits.over(project.limits.over(Limits::default()));
    let mut steps = Steps::new();
    let mut plan = Plan {
        project: project.name.clone(),
        pipeline: pipeline.clone(),
        steps: Vec::new(),
        timeout_ms: found.timeout_ms,
        priority: found.priority,
    };
    let mut problems = Vec::new();
    for step in found.in_order() {
        if step.takes().any(|output| !steps.contains_key(&output.step)) {
            continue;
        }
        let wrong = course::check(step, &steps);
        match plan_step(found, step, &steps, plugins) {
            Ok(mut known) if wrong.is_empty() => {
                problems.append(&mut known.beside);
                let known = Known { root: fan::root(step, &steps).cloned(), ..known };
                plan.steps.push(planned(step, &known, limits));
                steps.insert(step.name.clone(), known);
            }
            Ok(known) => problems.extend(wrong.into_iter().chain(known.beside)),
            Err(more) => problems.extend(wrong.into_iter().chain(more)),
        }
    }
    problems.extend(course::source(found, &steps));
    problems.extend(too_many(found, &plan));
    // As a person reads them: from the top of the file.
    problems.sort_by_key(|problem| problem.place.as_ref().map(|place| place.span.start));
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

/// Steps whose items, with all that run like them, would be more steps than a run can keep in mind.
fn too_many(pipeline: &Pipeline, plan: &Plan) -> Vec<Problem> {
    let steps = |step: &PlannedStep| match &step.each {
        Some(Each::Values { values, .. }) => family(plan, &step.name).saturating_mul(values.len()),
        _ => 0,
    };
    let beyond = plan.steps.iter().filter(|step| steps(step) > FANNED_MAX);
    let problem = |step: &PlannedStep| {
        let (name, got) = (&step.name, steps(step));
        let message =
            format!("step `{name}` and those that run like it would be {got} steps, expected at most {FANNED_MAX}");
        Problem::new(message).at(pipeline.step(name).and_then(|step| step.place_of(&["each"])))
    };
    beyond.map(problem).collect()
}

/// What a plugin could not be described for, as a problem of the step that names it.
pub fn refused(step: &Step, fault: &Fault) -> Problem {
    let problem = Problem::new(format!("step `{}`: {}", step.name, fault.message)).at(step.place_of(&["plugin"]));
    match &fault.hint {
        Some(hint) => problem.hinted(hint),
        None => problem,
    }
}

fn plan_step(
    pipeline: &Pipeline,
    step: &Step,
    steps: &Steps,
    plugins: &mut Describe<'_>,
) -> Result<Known, Vec<Problem>> {
    match &step.source {
        Source::Plugin(_) => plugin_step::plan(step, steps, plugins),
        Source::Builtin(builtin) => {
            let known = builtin_step::plan(pipeline, step, builtin, steps, plugins);
            Known::with(known, device::check_builtin(step, builtin))
        }
    }
}

fn planned(step: &Step, known: &Known, limits: Limits) -> PlannedStep {
    PlannedStep {
        name: step.name.clone(),
        work: known.work.clone(),
        seed: step.seed,
        limits: step.limits.over(limits),
        device: device::asked(step),
        device_asked: step.places.contains(&["device"]).then_some(step.device),
        grants: step.grants.clone(),
        outputs: known.given.iter().map(|(port, given)| (port.clone(), given.columns.clone())).collect(),
        when: step.course.when.iter().map(|(_, condition)| condition.clone()).collect(),
        retry: step.course.retry,
        pool: step.course.pool.clone(),
        cache: step.course.cache,
        each: fan::each(step),
        given: BTreeMap::new(),
    }
}

fn no_pipeline(project: &Project, pipeline: &PipelineName) -> Problem {
    let known: Vec<&str> = project.pipelines.keys().map(types::Id::as_str).collect();
    let message = format!("project `{}` has no pipeline `{pipeline}`", project.name);
    Problem::new(message).hinted(match types::nearest(types::Id::as_str(pipeline), known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "add a file such as `pipelines/train.toml`".to_owned(),
        None => format!("it has {}", wiring::listed(known)),
    })
}

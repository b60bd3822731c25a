//! Where a step's tensors are computed: what asks in vain is refused, and `auto` becomes a device. Pure.
//!
//! What a served version answers is bit for bit what was measured, and versions are served on the processors. So what answers,
//! in a pipeline as behind an endpoint, never computes on another device; what learns may.

use crate::{Plan, PlannedStep, role};
use manifest::{Builtin, Project, Step};
use types::{Descriptor, Device, DeviceChoice, Devices, LimitKind, Policy, Problem, Role, device_denied, of_contract};

/// What a step says of devices and cannot mean, by its role and what its plugin imports.
pub(crate) fn check(step: &Step, role: Role, descriptor: &Descriptor) -> Vec<Problem> {
    match stays(role, descriptor) {
        Some(why) => in_vain(step, &why),
        None if step.device == DeviceChoice::default() => {
            let hint = "say `device = \"auto\"`, or remove the limit";
            limited(step, "it computes on the processors", hint).into_iter().collect()
        }
        None => Vec::new(),
    }
}

/// The same of a step that the host does itself.
pub(crate) fn check_builtin(step: &Step, builtin: &Builtin) -> Vec<Problem> {
    in_vain(step, &format!("a built-in `{}` computes on the processors", builtin.name()))
}

/// Why a step computes on the processors whatever it says, if it does.
fn stays(role: Role, descriptor: &Descriptor) -> Option<String> {
    let plugin = &descriptor.name;
    let imported =
        |name: &str| descriptor.imports.iter().filter_map(|import| of_contract(import)).any(|of| of.0 == name);
    if role == Role::Fitted {
        let what = role::singular(role);
        return Some(format!(
            "plugin `{plugin}` is {what}, whose answers have the same bits here and behind an endpoint"
        ));
    }
    if imported("tensor/trees") {
        return Some(format!("plugin `{plugin}` grows trees, which the processors do"));
    }
    let computes = imported("tensor/tensors") || imported("tensor/training");
    (!computes).then(|| format!("plugin `{plugin}` computes no tensors"))
}

/// All that a step says of devices, which it never computes on.
fn in_vain(step: &Step, why: &str) -> Vec<Problem> {
    let asked = (step.device != DeviceChoice::default()).then(|| {
        let message = format!("step `{}` cannot have the device `{}`: {why}", step.name, step.device);
        Problem::new(message).at(step.place_of(&["device"])).hinted("remove the key")
    });
    asked.into_iter().chain(limited(step, why, "remove the limit")).collect()
}

/// A limit of what the step takes of a GPU, where it takes nothing.
fn limited(step: &Step, why: &str, hint: &str) -> Option<Problem> {
    let limit = LimitKind::DeviceMemory.key();
    step.limits.get(LimitKind::DeviceMemory)?;
    let message = format!("step `{}`: `limits.{limit}` is the memory of a GPU: {why}", step.name);
    Some(Problem::new(message).at(step.place_of_key(&["limits", limit])).hinted(hint))
}

/// The device before anybody looked at the machine: what was asked for by name is never lost.
pub(crate) fn asked(step: &Step) -> Device {
    match step.device {
        DeviceChoice::Device(device) => device,
        DeviceChoice::Auto => Device::Cpu,
    }
}

/// Gives each step of the plan of one of the project's pipelines its device, or says which cannot be had: the machine lacks it,
/// or the tenant's policy does not allow it.
pub fn place(plan: &mut Plan, project: &Project, policy: &Policy, devices: &Devices) -> Result<(), Vec<Problem>> {
    let Some(pipeline) = project.pipelines.get(&plan.pipeline) else { return Ok(()) };
    let mut problems = Vec::new();
    for planned in &mut plan.steps {
        let Some(step) = pipeline.step(&planned.name) else { continue };
        let found = match step.device {
            DeviceChoice::Auto => Ok(automatic(policy, devices)),
            DeviceChoice::Device(device) => devices.expect(device).and_then(|()| match policy.grants.admits(device) {
                true => Ok(device),
                false => Err(device_denied(device)),
            }),
        };
        match found {
            Ok(device) => planned.device = device,
            Err(problem) => {
                let message = format!("step `{}`: {}", step.name, problem.message);
                problems.push(Problem { message, ..problem }.at(step.place_of(&["device"])));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What `auto` came to where it is no GPU, and why, for people.
pub fn on_processors(plan: &Plan, project: &Project, devices: &Devices) -> Vec<String> {
    let Some(pipeline) = project.pipelines.get(&plan.pipeline) else { return Vec::new() };
    let why = devices.lack().unwrap_or("the tenant's policy allows none of its GPUs");
    let asks = |planned: &&PlannedStep| {
        let step = pipeline.step(&planned.name);
        planned.device == Device::Cpu && step.is_some_and(|step| step.device == DeviceChoice::Auto)
    };
    let said = |planned: &PlannedStep| format!("step `{}`: `device = \"auto\"` is the processors: {why}", planned.name);
    plan.steps.iter().filter(asks).map(said).collect()
}

fn automatic(policy: &Policy, devices: &Devices) -> Device {
    devices.found.iter().copied().find(|device| policy.grants.admits(*device)).unwrap_or_default()
}

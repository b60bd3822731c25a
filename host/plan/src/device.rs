//! Where a step's tensors are computed: what asks in vain is refused, and `auto` becomes a device. Pure.
//!
//! What a served version answers is bit for bit what was measured, and versions are served on the processors. So what answers,
//! in a pipeline as behind an endpoint, never computes on another device; what learns may.

use crate::{Plan, PlannedStep, role};
use manifest::{Project, Step};
use types::{Descriptor, Device, DeviceChoice, Devices, LimitKind, Policy, Problem, Role, device_denied, of_contract};

/// What a step says of devices and cannot mean, by its role and what its plugin imports.
pub(crate) fn check(step: &Step, role: Role, descriptor: &Descriptor) -> Vec<Problem> {
    let limit = LimitKind::DeviceMemory.key();
    if step.device == DeviceChoice::Device(Device::Cpu) {
        let idle = step.limits.get(LimitKind::DeviceMemory).map(|_| {
            let message = format!("step `{}`: `limits.{limit}` is the memory of a GPU, and it has none", step.name);
            Problem::new(message)
                .at(step.place_of_key(&["limits", limit]))
                .hinted("say `device = \"auto\"`, or remove the limit")
        });
        return idle.into_iter().collect();
    }
    let (plugin, device) = (&descriptor.name, step.device);
    let mut interfaces = descriptor.imports.iter().filter_map(|import| of_contract(import));
    let computes = interfaces.any(|(interface, _)| interface == "tensor/tensors");
    let (why, hint) = match role {
        Role::Fitted => (
            format!("plugin `{plugin}` is {}, which answers requests on the processors", role::singular(role)),
            "remove the key: what it answers must have the same bits here and behind an endpoint",
        ),
        _ if !computes => (format!("plugin `{plugin}` computes no tensors"), "remove the key"),
        _ => return Vec::new(),
    };
    let message = format!("step `{}` cannot have the device `{device}`: {why}", step.name);
    vec![Problem::new(message).at(step.place_of(&["device"])).hinted(hint)]
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
    let why = match (devices.built, devices.found.is_empty()) {
        (false, _) => "this `stepwell` was built without CUDA",
        (true, true) => "this machine has no GPU",
        (true, false) => "the tenant's policy allows none of its GPUs",
    };
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

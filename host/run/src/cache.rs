//! A step and what its inputs committed -> the name of its work: whoever did the same work has the same outputs. Pure.
//!
//! Nothing is taken from a cache that the world has a say in: collectors, sinks, and steps with any grant. What is left sees its
//! component, its parameters, its seed, its inputs and our kernels; and the run's logical time, if it looks at it, which is
//! known once it ran ([`types::Receipt::read_time`]).

use crate::RunView;
use plan::{PlannedStep, Work};
use serde_json::Value;
use std::collections::BTreeMap;
use types::{CONTRACT, Device, Digest, Limits, OutputRef, StepCommit};

/// Raised whenever our kernels answer the same question otherwise than before.
const KERNELS: u32 = 2;

/// What a step's outputs are made of, by what people call it; its digest names the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkName(BTreeMap<String, Digest>);

impl WorkName {
    /// The name of a step's work whose inputs are committed; or why it has none.
    pub fn of(step: &PlannedStep, view: &RunView) -> Result<Self, &'static str> {
        if !step.cache {
            return Err("it says `cache = false`");
        }
        let plugin = match &step.work {
            Work::Collect { .. } | Work::Feedback { .. } => return Err("a collector asks the world anew"),
            Work::Deliver { .. } => return Err("a sink brings something out"),
            Work::Examine { .. } => return Err("it is about this machine now"),
            work => work.plugin().ok_or("the host does it, at once")?,
        };
        if step.grants != types::Grants::default() {
            return Err("it is granted something of the world");
        }
        let mut parts = BTreeMap::from([
            ("contract and kernels".to_owned(), Digest::of_json(&(CONTRACT, KERNELS))),
            ("component".to_owned(), Digest::of_json(&plugin.component)),
            ("seed".to_owned(), Digest::of_json(&step.seed)),
            // A plugin may make do with less where it meets one.
            ("limits".to_owned(), Digest::of_json(&limits(step))),
            ("columns that it gives".to_owned(), Digest::of_json(&step.outputs)),
        ]);
        // Only where it is another than everybody's: names of before there were others stay.
        if step.device != Device::Cpu {
            parts.insert("device".to_owned(), Digest::of_json(&step.device.class()));
        }
        parts.extend(parameters(&plugin.parameters));
        parts.extend(inputs(step, view));
        let role = match &step.work {
            // Another version under the alias, or the same one under another, is told by what answers alone.
            Work::PredictWith { chosen: Some(chosen), .. } => Digest::of_json(&("predict with", chosen.version.digest)),
            work => {
                let work = serde_json::to_value(work).map_err(|_| "it has no stored form")?;
                Digest::of_json(&without_sources(work))
            }
        };
        parts.insert("role and columns".to_owned(), role);
        Ok(Self(parts))
    }

    pub fn digest(&self) -> Digest {
        Digest::of_json(&("work", 1, &self.0))
    }

    /// What of it differs from another's.
    pub fn differs_from<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let names = self.0.keys().chain(other.0.keys());
        let mut differ: Vec<_> = names.filter(|name| self.0.get(*name) != other.0.get(*name)).collect();
        differ.sort_unstable();
        differ.dedup();
        differ.into_iter().map(String::as_str).collect()
    }
}

/// What bounds the work: where no GPU computes, its memory does not.
fn limits(step: &PlannedStep) -> Limits {
    match step.device {
        Device::Cpu => Limits { device_memory_bytes: Limits::DEFAULT.device_memory_bytes, ..step.limits },
        _ => step.limits,
    }
}

/// Whether what a run at another logical time committed stands for this one's.
pub(crate) fn holds_at(commit: &StepCommit, its_time_us: i64, time_us: i64) -> bool {
    !commit.receipt.read_time || its_time_us == time_us
}

fn parameters(parameters: &Value) -> impl Iterator<Item = (String, Digest)> {
    let given = parameters.as_object().into_iter().flatten();
    given.map(|(name, value)| (format!("parameter `{name}`"), Digest::of_json(value)))
}

/// The artifacts, by the place that takes them; a name of a step is nobody's concern.
fn inputs(step: &PlannedStep, view: &RunView) -> BTreeMap<String, Digest> {
    let taken = step.work.inputs().into_iter().enumerate();
    let artifact = |(i, output): (usize, &OutputRef)| {
        let digest = view.output(output).map(types::Artifact::digest);
        digest.map(|digest| (format!("input {} (`{output}`)", i + 1), digest))
    };
    let given = step.given.iter().map(|(port, table)| (format!("rows of `{port}`"), table.digest));
    taken.filter_map(artifact).chain(given).collect()
}

/// The work without plugin and steps' names: both have their own part.
fn without_sources(work: Value) -> Value {
    match work {
        Value::Object(mut object) => {
            object.remove("plugin");
            if object.len() == 2 && object.contains_key("step") && object.contains_key("port") {
                return Value::Bool(true);
            }
            Value::Object(object.into_iter().map(|(key, value)| (key, without_sources(value))).collect())
        }
        other => other,
    }
}

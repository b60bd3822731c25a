//! A step with a sink -> the one thing that it brings out. What it gives is a receipt, which no step takes: so nothing hangs on
//! a sink, and no path that is served goes through one.

use crate::known::{Given, Kind, Known, Steps, trainer};
use crate::plugin_step::{Asked, known};
use crate::{Work, wiring};
use manifest::Step;
use types::{Descriptor, Id, Problem};

/// The contract's ports.
pub(crate) const PORTS: [&str; 3] = ["table", "report", "model"];

/// What may stand on a port.
pub(crate) fn kinds(port: &str) -> &'static [Kind] {
    match port {
        "report" => &[Kind::Measures, Kind::Findings],
        "model" => &[Kind::Model],
        _ => &[Kind::Table],
    }
}

/// Whether the manifest wires one of the contract's ports.
pub(crate) fn ports(step: &Step, descriptor: &Descriptor) -> Vec<Problem> {
    let what = format!("plugin `{}` is a sink, which takes one of {}", descriptor.name, wiring::listed(PORTS));
    let unknown = wiring::ports(step, &what, &PORTS, &[]);
    if !unknown.is_empty() || step.inputs.len() == 1 {
        return unknown;
    }
    let wired: Vec<&str> = step.inputs.keys().map(Id::as_str).collect();
    let (delivers, hint) = match wired.is_empty() {
        true => ("nothing".to_owned(), "add an input, such as `inputs = { table = \"step.port\" }`"),
        false => (wiring::listed(wired), "make a step for each"),
    };
    let message = format!("step `{}` delivers {delivers}: {what}", step.name);
    vec![Problem::new(message).at(step.place_of_key(&["inputs"])).hinted(hint)]
}

pub(crate) fn plan(mut asked: Asked<'_, '_>, steps: &Steps) -> Result<Known, Vec<Problem>> {
    let (descriptor, plugin) = asked.describe(&asked.ports())?;
    asked.wiring(&descriptor, &[])?;
    let Some((port, what)) = asked.step.inputs.first_key_value() else {
        return Err(ports(asked.step, &descriptor));
    };
    let trainer = trainer(steps, what).filter(|_| port.as_str() == "model").and_then(|(_, known)| known.work.plugin());
    let work = Work::Deliver { plugin, what: what.clone(), trainer: trainer.cloned() };
    Ok(known(work, [("delivered", Given::other(Kind::Delivered))]))
}

//! A pipeline -> the verdicts that it makes and nothing takes, where a model is registered all the same. Pure.
//!
//! Without a `register` a verdict that nothing takes has its effect: it ends the run as rejected.

use manifest::{Builtin, Pipeline, Source, Step};
use types::{Id, OutputRef, Problem};

/// What people who wrote such a step will want to be told.
pub fn unheeded(pipeline: &Pipeline) -> Vec<Problem> {
    let registers = pipeline.steps.iter().find(|step| matches!(step.source, Source::Builtin(Builtin::Register { .. })));
    let Some(registers) = registers else { return Vec::new() };
    let taken: Vec<&OutputRef> = pipeline.steps.iter().flat_map(Step::takes).collect();
    let judges = pipeline.steps.iter().filter_map(|step| Some((step, port(step)?)));
    let alone = judges
        .filter(|(step, _)| taken.iter().all(|output| (&output.step, output.port.as_str()) != (&step.name, "verdict")));
    alone.map(|(step, port)| problem(step, port, registers)).collect()
}

/// Where `register` takes what a step says, if it judges.
fn port(step: &Step) -> Option<&'static str> {
    match step.source {
        Source::Builtin(Builtin::Gate { .. }) => Some("verdict"),
        Source::Builtin(Builtin::Examine { .. }) => Some("examined"),
        _ => None,
    }
}

fn problem(step: &Step, port: &str, registers: &Step) -> Problem {
    let (name, register) = (&step.name, &registers.name);
    let message = format!("nothing takes `{name}.verdict`: step `{register}` registers whatever it says");
    // It may have another gate's there.
    let hint = match registers.inputs.keys().any(|wired| wired.as_str() == port) {
        true => format!("add `when = [{{ verdict = \"{name}.verdict\" }}]` to `{register}`"),
        false => format!("add `{port} = \"{name}.verdict\"` to the inputs of `{register}`"),
    };
    Problem::new(message).at(step.place_of(&["builtin"])).hinted(hint)
}

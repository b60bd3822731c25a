//! `pipelines/NAME.toml` -> a [`Pipeline`]: its steps, whose references resolve and do not run in a circle.

use crate::place::File;
use crate::reader::{Reader, Value, cut, entries};
use crate::step_table::{self, Draft};
use crate::value::limits;
use crate::{Pipeline, Step, order, schedule_table};
use toml::de::DeTable;
use trigger::Schedule;
use types::{Id, LimitsPatch, PipelineName, Problem};

/// More steps than a person can follow; a bound for everything that looks at all of them.
const STEPS_MAX: usize = 1000;

/// Reads the pipeline whose file is `stem`.toml.
pub(crate) fn read(stem: &str, text: &str) -> Result<Pipeline, Vec<Problem>> {
    let file = File::new(&format!("pipelines/{stem}.toml"), text);
    let name = PipelineName::parse(stem);
    // A wrong name is one problem; the steps are read all the same, for theirs.
    let (body, mut problems) = Reader::document(file.clone(), |reader, table| pipeline(reader, stem, table));
    if let Err(error) = &name {
        let problem = Problem::new(error.to_string()).at(Some(file.place(0..0)));
        problems.push(problem.hinted("the file's name without `.toml` is the pipeline's"));
    }
    match (name, body) {
        (Ok(name), Some(Body { limits, schedule, steps })) if problems.is_empty() => {
            Ok(Pipeline { name, limits, schedule, steps })
        }
        _ => Err(problems),
    }
}

/// What the file says, without the name that it has.
struct Body {
    limits: LimitsPatch,
    schedule: Option<Schedule>,
    steps: Vec<Step>,
}

fn pipeline(reader: &mut Reader, name: &str, table: &DeTable<'_>) -> Option<Body> {
    reader.keys(table, "the pipeline", &["limits", "schedule", "steps"]);
    let limits = table.get("limits").map(|value| limits(reader, value)).unwrap_or_default();
    let schedule = table.get("schedule").and_then(|value| schedule_table::read(reader, value));
    let drafts = match table.get("steps") {
        Some(value) => steps(reader, name, value)?,
        None => Vec::new(),
    };
    if drafts.is_empty() {
        let span = table.get("steps").map_or(0..0, |value| value.span());
        reader.wrong_hinted(span, "the pipeline has no steps", "add a step: `[steps.NAME]` with a `plugin`");
    }
    resolve(reader, &drafts);
    let steps: Option<Vec<_>> = drafts.into_iter().map(|draft| draft.step).collect();
    Some(Body { limits, schedule, steps: steps? })
}

fn steps(reader: &mut Reader, pipeline: &str, value: &Value<'_>) -> Option<Vec<Draft>> {
    let table = reader.table("steps", value)?;
    if table.len() > STEPS_MAX {
        reader.wrong(value.span(), format!("the pipeline has {} steps, expected at most {STEPS_MAX}", table.len()));
        return None;
    }
    let drafts =
        entries(table).into_iter().map(|(key, span, value)| step_table::read(reader, pipeline, key, span, value));
    Some(drafts.collect())
}

/// What steps take must be given by steps, and not by themselves in the end.
fn resolve(reader: &mut Reader, drafts: &[Draft]) {
    let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    let mut takes = vec![Vec::new(); drafts.len()];
    for (draft, takes) in drafts.iter().zip(&mut takes) {
        for (output, span) in &draft.takes {
            match names.iter().position(|name| *name == output.step.as_str()) {
                Some(index) => takes.push(index),
                None => {
                    let message = format!("step `{}` takes `{output}`, but there is no such step", cut(&draft.name));
                    reader.unknown(span.clone(), message, output.step.as_str(), &names);
                }
            }
        }
    }
    for cycle in order::order(&takes).1 {
        circle(reader, drafts, &cycle);
    }
}

/// A problem at the place where the first step of the circle takes from the last.
fn circle(reader: &mut Reader, drafts: &[Draft], cycle: &[usize]) {
    let (Some(first), Some(last)) = (cycle.first(), cycle.last()) else { return };
    let closing = drafts[*first].takes.iter().find(|(output, _)| output.step.as_str() == drafts[*last].name);
    let span = closing.map_or(0..0, |(_, span)| span.clone());
    let names: Vec<_> = cycle.iter().chain([first]).map(|index| format!("`{}`", drafts[*index].name)).collect();
    let message = format!("steps wait for each other in a circle: {}", names.join(" -> "));
    reader.wrong_hinted(span, message, "a step cannot take what is made from its own output");
}

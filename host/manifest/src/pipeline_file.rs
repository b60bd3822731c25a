//! `pipelines/NAME.toml` -> a [`Pipeline`]: its steps, whose references resolve and do not run in a circle.

use crate::place::File;
use crate::reader::{Reader, Value, cut, entries};
use crate::settings::{Filling, names_any};
use crate::step_table::{self, Draft};
use crate::value::{duration, limits};
use crate::{Each, Pipeline, Places, device, order, schedule_table, triggers_table};
use std::collections::BTreeMap;
use toml::de::DeTable;
use types::{Id, PipelineName, Problem};

/// More steps than a person can follow; a bound for everything that looks at all of them.
const STEPS_MAX: usize = 1000;

/// What a pipeline's file may refer to beyond itself.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    /// Its own name, as its file has it.
    pub(crate) pipeline: &'a str,
    /// All of the project's.
    pub(crate) pipelines: &'a [&'a str],
    /// None if the project's could not be read.
    pub(crate) settings: Option<&'a Filling>,
    pub(crate) pools: Option<&'a BTreeMap<String, u32>>,
}

/// Reads the pipeline whose file is `around.pipeline`.toml.
pub(crate) fn read(text: &str, around: &Around<'_>) -> Result<Pipeline, Vec<Problem>> {
    let stem = around.pipeline;
    let file = File::new(&format!("pipelines/{stem}.toml"), text);
    let name = PipelineName::parse(stem);
    let (mut reader, table) = Reader::open(&file);
    // A wrong name is one problem; the steps are read all the same, for theirs.
    let body = table.and_then(|mut table| {
        match around.settings {
            Some(settings) => settings.fill(&mut reader, table.get_mut()),
            // What settings there are is a problem of the project's; what they stand for is not known.
            None if names_any(text) => return None,
            None => {}
        }
        pipeline(&mut reader, name.clone().ok(), around, table.get_ref())
    });
    let mut problems = reader.problems;
    if let Err(error) = &name {
        let problem = Problem::new(error.to_string()).at(Some(file.place(0..0)));
        problems.push(problem.hinted("the file's name without `.toml` is the pipeline's"));
    }
    body.filter(|_| problems.is_empty()).ok_or(problems)
}

const KEYS: [&str; 6] = ["limits", "schedule", "triggers", "timeout", "priority", "steps"];

/// Runs with a priority beyond these are not told apart.
const PRIORITY_MAX: i32 = 100;

fn pipeline(
    reader: &mut Reader,
    name: Option<PipelineName>,
    around: &Around<'_>,
    table: &DeTable<'_>,
) -> Option<Pipeline> {
    reader.keys(table, "the pipeline", &KEYS);
    let limits = table.get("limits").map(|value| limits(reader, value)).unwrap_or_default();
    let schedule = table.get("schedule").and_then(|value| schedule_table::read(reader, value));
    let timeout_ms = timeout(reader, table);
    let priority = table.get("priority").and_then(|value| priority(reader, value)).unwrap_or_default();
    let drafts = match table.get("steps") {
        Some(value) => steps(reader, around, value)?,
        None => Vec::new(),
    };
    if drafts.is_empty() {
        let span = table.get("steps").map_or(0..0, |value| value.span());
        reader.wrong_hinted(span, "the pipeline has no steps", "add a step: `[steps.NAME]` with a `plugin`");
    }
    resolve(reader, &drafts);
    let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    let triggers = table.get("triggers").map(|value| triggers_table::read(reader, value, around, &names));
    let places = Places::of_document(&reader.file, table);
    let steps: Option<Vec<_>> = drafts.into_iter().map(|draft| draft.step).collect();
    let triggers = triggers.unwrap_or_default();
    let pipeline = Pipeline { name: name?, limits, schedule, triggers, timeout_ms, priority, places, steps: steps? };
    let limit = device::limit(reader, table);
    reader.problems.extend(device::idle("the pipeline", limit, [&pipeline]));
    Some(pipeline)
}

fn timeout(reader: &mut Reader, table: &DeTable<'_>) -> Option<u64> {
    let timeout = duration(reader, table, "timeout")?;
    if let (0, Some(value)) = (timeout, table.get("timeout")) {
        reader.wrong(value.span(), "`timeout` is zero, so no run could succeed");
    }
    Some(timeout)
}

fn priority(reader: &mut Reader, value: &Value<'_>) -> Option<i32> {
    let Some(integer) = value.get_ref().as_integer() else {
        reader.wrong_type("priority", value, "an integer");
        return None;
    };
    let number = i32::from_str_radix(integer.as_str(), integer.radix()).ok();
    let inside = number.filter(|number| (-PRIORITY_MAX..=PRIORITY_MAX).contains(number));
    if inside.is_none() {
        let message =
            format!("`priority` is {}, expected -{PRIORITY_MAX} to {PRIORITY_MAX}", cut(&integer.to_string()));
        reader.wrong(value.span(), message);
    }
    inside
}

fn steps(reader: &mut Reader, around: &Around<'_>, value: &Value<'_>) -> Option<Vec<Draft>> {
    let table = reader.table("steps", value)?;
    if table.len() > STEPS_MAX {
        reader.wrong(value.span(), format!("the pipeline has {} steps, expected at most {STEPS_MAX}", table.len()));
        return None;
    }
    let drafts =
        entries(table).into_iter().map(|(key, span, value)| step_table::read(reader, around, key, span, value));
    Some(drafts.collect())
}

/// What steps take must be given by steps, and not by themselves in the end.
fn resolve(reader: &mut Reader, drafts: &[Draft]) {
    let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    let mut takes = vec![Vec::new(); drafts.len()];
    for (draft, takes) in drafts.iter().zip(&mut takes) {
        let looks = draft.looks_at.iter().map(|named| ("looks at", named));
        for (verb, (output, span)) in draft.takes.iter().map(|named| ("takes", named)).chain(looks) {
            match names.iter().position(|name| *name == output.step.as_str()) {
                Some(index) => takes.push(index),
                None => {
                    let message = format!("step `{}` {verb} `{output}`, but there is no such step", cut(&draft.name));
                    reader.unknown(span.clone(), message, output.step.as_str(), &names);
                }
            }
        }
        like(reader, draft, drafts);
    }
    for cycle in order::order(&takes).1 {
        circle(reader, drafts, &cycle);
    }
}

/// A step that runs for the items of another takes from it, and that one has items. Nothing is said beside a step that is broken.
fn like(reader: &mut Reader, draft: &Draft, drafts: &[Draft]) {
    let Some(step) = &draft.step else { return };
    let Some(Each::Like { step: like }) = &step.course.each else { return };
    let taken: Vec<&str> = draft.takes.iter().map(|(output, _)| output.step.as_str()).collect();
    let other = drafts.iter().find(|other| other.name == like.as_str());
    let message = match other {
        None => format!("step `{}` is to run like `{like}`, but there is no such step", step.name),
        Some(_) if !taken.contains(&like.as_str()) => {
            format!("step `{}` is to run like `{like}`, but takes nothing from it", step.name)
        }
        Some(Draft { step: Some(other), .. }) if other.course.each.is_none() => {
            format!("step `{}` is to run like `{like}`, which has no `each`", step.name)
        }
        Some(_) => return,
    };
    let problem = Problem::new(message).hinted("name a step with `each` that this step takes from");
    reader.problems.push(problem.at(step.place_of(&["each", "like"])));
}

/// A problem at the place where the first step of the circle takes from the last.
fn circle(reader: &mut Reader, drafts: &[Draft], cycle: &[usize]) {
    let (Some(first), Some(last)) = (cycle.first(), cycle.last()) else { return };
    let mut needs = drafts[*first].takes.iter().chain(&drafts[*first].looks_at);
    let closing = needs.find(|(output, _)| output.step.as_str() == drafts[*last].name);
    let span = closing.map_or(0..0, |(_, span)| span.clone());
    let names: Vec<_> = cycle.iter().chain([first]).map(|index| format!("`{}`", drafts[*index].name)).collect();
    let message = format!("steps wait for each other in a circle: {}", names.join(" -> "));
    reader.wrong_hinted(span, message, "a step cannot take what is made from its own output");
}

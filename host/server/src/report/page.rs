//! A run -> its page: how it ended and why, when each step was at work, what was measured, and each step for who wants to know.
//! One file that stands alone, without a script: it is read in light and in the dark, and printed. Whatever a stranger may have
//! written is escaped where it is put in. Every list has a bound, so that a run of many items has a page of a few hundred KiB.

use super::curves::{self, Curves};
use super::{items, measured, steps, timeline, words};
use crate::document::escaped;
use crate::reads::{RunDetail, StepDetail};
use std::fmt::Write;
use types::{Artifact, Verdict};

const STYLE: &str = include_str!("page.css");

/// The page. `now_us` is where the picture of a run ends that has not ended.
pub(super) fn html(run: &RunDetail, curves: &Curves, now_us: i64) -> String {
    let line = &run.line;
    let title = escaped(&format!("Run {} of {}/{}", line.run, line.project, line.pipeline));
    let verdicts = verdicts(run);
    let judged: Vec<&Verdict> = verdicts.iter().map(|(_, verdict)| *verdict).collect();
    [
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title><style>{STYLE}</style>\n<h1>{title}</h1>\n"
        ),
        lead(run),
        failures(run),
        verdicts.iter().map(|(step, verdict)| judgement(step, verdict)).collect(),
        steps::definitions(&words::facts(run)),
        timeline::section(run, now_us),
        items::section(run),
        measured::section(run, &judged),
        curves::section(run, curves),
        steps::section(run),
        "</html>\n".to_owned(),
    ]
    .concat()
}

/// How it stands, in a sentence.
fn lead(run: &RunDetail) -> String {
    let (state, class) = (words::standing(run), class(run));
    let after = words::took(run).map(|took| format!(" after {took}")).unwrap_or_default();
    let because = run.because.as_ref().map(|because| format!(": {}", escaped(because))).unwrap_or_default();
    let cause = escaped(&words::cause_in_words(&run.line.cause, run.by.as_deref()));
    format!("<p class=\"lead\"><b class=\"{class}\">{state}</b>{after}{because}; {cause}.</p>\n")
}

fn class(run: &RunDetail) -> &'static str {
    match run.line.state {
        types::RunState::Succeeded => "good",
        types::RunState::Failed | types::RunState::Rejected => "bad",
        types::RunState::Running | types::RunState::Cancelled => "cut",
    }
}

/// The steps that failed, by whose fault the run did: an item and the step that stands for it once.
fn failures(run: &RunDetail) -> String {
    let failed = run.steps.iter().filter(|step| words::state(step) == "failed");
    let told = failed.take(5).map(|step| {
        let (name, why) = (step.step.to_string(), step.because.as_deref().unwrap_or_default());
        format!(
            "<p class=\"box\"><b class=\"bad\">{}</b> failed</p><pre class=\"bad\">{}</pre>\n",
            escaped(&name),
            escaped(why)
        )
    });
    told.collect()
}

/// What gates and examinations said, in the plan's order.
fn verdicts(run: &RunDetail) -> Vec<(&StepDetail, &Verdict)> {
    let all = run.steps.iter().flat_map(|step| step.outputs.values().map(move |artifact| (step, artifact)));
    all.filter_map(
        |(step, artifact)| if let Artifact::Verdict(verdict) = artifact { Some((step, verdict)) } else { None },
    )
    .collect()
}

/// A verdict with its sentence, and a picture where numbers can be drawn.
fn judgement(step: &StepDetail, verdict: &Verdict) -> String {
    let class = if verdict.passed { "good" } else { "bad" };
    let (name, sentence) = (escaped(&step.step.to_string()), escaped(&verdict.sentence));
    let who = if step.work == "examine" { "examination" } else { "gate" };
    let mut text = format!("<p class=\"box\">The {who} <b>{name}</b> <span class=\"{class}\">{sentence}</span></p>\n");
    if verdict.lines.iter().any(|line| line.value.is_some() && line.found.is_none()) {
        let _ = writeln!(text, "<figure class=\"verdict\">{}</figure>", models::picture(verdict));
    }
    let found = verdict.lines.iter().filter_map(|line| Some((line, line.found.as_deref()?)));
    let found: String = found
        .map(|(line, found)| {
            let (measure, outcome) = (escaped(&line.requirement.measure), line.outcome().word());
            format!("<li><b>{measure}</b> {outcome}: {}\n", escaped(found))
        })
        .collect();
    if found.is_empty() { text } else { format!("{text}<ul>\n{found}</ul>\n") }
}

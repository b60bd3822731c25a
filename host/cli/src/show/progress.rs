//! What a run says -> a line a step, and on a terminal a bar for those that are at work.

use super::{BAD, GOOD, duration, faint, measure, styled, tame, tame_lines};
use api::Line;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use run::{OutputSummary, RunEvent};
use server::Replayed;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;
use types::{Fault, LimitKind, PortName, Receipt, RunId, RunState, StepName, Verdict};

/// Shows a run as it goes.
pub(crate) struct RunShow {
    json: bool,
    bars: MultiProgress,
    running: BTreeMap<StepName, ProgressBar>,
    terminal: bool,
    width: usize,
    state: Option<RunState>,
    /// The versions that it registered.
    registered: Vec<String>,
    /// How a command about the same runs begins.
    again: String,
    explains: bool,
    replayed: Option<Box<Replayed>>,
}

impl RunShow {
    pub(crate) fn new(json: bool, again: String) -> Self {
        let terminal = std::io::stderr().is_terminal() && !json;
        let (bars, running, registered) = (MultiProgress::new(), BTreeMap::new(), Vec::new());
        let (state, explains, replayed) = (None, false, None);
        Self { json, bars, running, terminal, width: 0, state, registered, again, explains, replayed }
    }

    /// Whether it says of each step why it runs although there is a cache.
    pub(crate) fn explaining(self, explains: bool) -> Self {
        Self { explains, ..self }
    }

    /// How the run compares with the one that it replays.
    pub(crate) fn replayed(&self) -> Option<&Replayed> {
        self.replayed.as_deref()
    }

    pub(crate) fn state(&self) -> Option<RunState> {
        self.state
    }

    pub(crate) fn clear(&self) {
        // A terminal that went away needs no clearing.
        let _ = self.bars.clear();
    }

    fn say(&self, text: &str) {
        self.bars.suspend(|| anstream::println!("{text}"));
    }

    pub(crate) fn hear(&mut self, line: Line) {
        if self.json {
            anstream::println!("{}", serde_json::to_string(&line).unwrap_or_default());
            match line {
                Line::Event { event } => {
                    if let RunEvent::RunFinished { state, .. } = *event {
                        self.state = Some(state);
                    }
                }
                Line::Replayed { replayed } => self.replayed = Some(replayed),
                _ => {}
            }
            return;
        }
        match line {
            Line::Note { text } => self.bars.suspend(|| anstream::eprintln!("{}", faint(&tame(&text)))),
            Line::Event { event } => self.event(*event),
            Line::Replayed { replayed } => self.replayed = Some(replayed),
            _ => {}
        }
    }

    fn event(&mut self, event: RunEvent) {
        match event {
            RunEvent::RunStarted { run, project, pipeline, steps, .. } => {
                self.width = steps.iter().map(|step| step.to_string().len()).max().unwrap_or(0);
                self.say(&format!("run {run} of `{project}/{pipeline}`, {} steps", steps.len()));
            }
            RunEvent::RunResumed { run, committed, .. } => {
                self.say(&format!("run {run} goes on; {} steps are committed already", committed.len()));
            }
            RunEvent::StepStarted { step, .. } => self.started(step),
            RunEvent::Progress { step, done, total, .. } => self.progressed(&step, done, total),
            RunEvent::Page { step, rows, .. } => self.noted(&step, &format!("page of {rows} rows")),
            RunEvent::Metric { step, name, value: Some(value), index, .. } => {
                self.noted(&step, &format!("{} {value:.6} at {index}", tame(&name)));
            }
            RunEvent::Metric { .. } => {}
            RunEvent::Log { step, level, message, .. } if level == "warn" || level == "error" => {
                self.say(&format!("  {}  {}: {}", self.name(&step), tame(&level), tame_lines(&message)));
            }
            RunEvent::Log { .. } => {}
            RunEvent::StepCommitted { step, outputs, receipt, .. } => self.committed(&step, &outputs, &receipt),
            RunEvent::StepFailed { step, fault, at_us, retry_at_us: to, .. } => self.fail(&step, &fault, at_us, to),
            RunEvent::StepSkipped { step, because } => {
                self.say(&format!("{} {}  skipped: {}", faint("-"), self.name(&step), tame(&because)));
            }
            RunEvent::VersionChosen { step, model, alias, version } => self.chosen(&step, &model, &alias, version),
            RunEvent::StepTaken { step, taken, outputs, .. } => {
                self.end(&step);
                let why = faint(&format!("({})", server::taken_in_words(taken)));
                self.say(&format!("{} {}  {}  {why}", faint("="), self.name(&step), gave(&outputs)));
            }
            RunEvent::CacheMissed { step, because } if self.explains => {
                self.say(&format!(
                    "{} {}  {}",
                    faint("?"),
                    self.name(&step),
                    faint(&format!("runs: {}", tame(&because)))
                ));
            }
            RunEvent::CacheMissed { .. } => {}
            RunEvent::Verdict { step, verdict } => self.verdict(&step, &verdict),
            RunEvent::Delivered { location, repeated, .. } => {
                self.say(&format!("{} {}", styled("delivered", GOOD), delivered(&location, repeated)));
            }
            RunEvent::Registered { model, version, digest, alias, .. } => {
                let alias = alias.map(|alias| format!(", now `{}`", tame(&alias))).unwrap_or_default();
                self.say(&format!(
                    "{} model `{model}` version {version} ({}){alias}",
                    styled("registered", GOOD),
                    digest.short()
                ));
                self.registered.push(format!("model `{model}` version {version}{alias}"));
            }
            RunEvent::RunInterrupted { fault, .. } => {
                self.say(&format!("{}: {}", styled("interrupted", BAD), tame(&fault.to_string())));
            }
            RunEvent::StepExpanded { step, items } => {
                self.end(&step);
                let labels = items.iter().take(3).map(|label| tame(label)).collect::<Vec<_>>().join(", ");
                let more = if items.len() > 3 { ", .." } else { "" };
                self.say(&format!("  {}  runs for each of {}: {labels}{more}", self.name(&step), items.len()));
            }
            RunEvent::RunFinished { state, because, .. } => {
                if let Some(because) = because {
                    self.say(&format!("{} {}", styled("x", BAD), tame(&because)));
                }
                self.state = Some(state);
            }
        }
    }

    fn name(&self, step: &StepName) -> String {
        format!("{:<width$}", step.to_string(), width = self.width)
    }

    fn started(&mut self, step: StepName) {
        if !self.terminal {
            return;
        }
        let bar = self.bars.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{spinner} {prefix}  {elapsed} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(self.name(&step));
        bar.enable_steady_tick(Duration::from_millis(100));
        self.running.insert(step, bar);
    }

    fn progressed(&self, step: &StepName, done: u64, total: Option<u64>) {
        self.noted(
            step,
            &match total {
                Some(total) => format!("{done} of {total}"),
                None => done.to_string(),
            },
        );
    }

    fn noted(&self, step: &StepName, text: &str) {
        if let Some(bar) = self.running.get(step) {
            bar.set_message(text.to_owned());
        }
    }

    fn end(&mut self, step: &StepName) {
        if let Some(bar) = self.running.remove(step) {
            bar.finish_and_clear();
        }
    }

    fn committed(&mut self, step: &StepName, outputs: &BTreeMap<PortName, OutputSummary>, receipt: &Receipt) {
        self.end(step);
        let input = if receipt.rows_in > 0 { format!("{} rows in -> ", receipt.rows_in) } else { String::new() };
        let mut cost = vec![duration(receipt.wall_us)];
        // The rest is in `runs show`.
        let told = receipt.used().filter(|(kind, share)| *kind == LimitKind::Memory || share.is_near());
        cost.extend(told.map(|(kind, share)| format!("{} {}", kind.key(), share.shown(kind))));
        let (mark, name, cost) = (styled("+", GOOD), self.name(step), faint(&format!("({})", cost.join(", "))));
        self.say(&format!("{mark} {name}  {input}{}  {cost}", gave(outputs)));
    }

    fn fail(&mut self, step: &StepName, fault: &Fault, at_us: i64, retry_us: Option<i64>) {
        self.end(step);
        let what = match retry_us.map(|retry_us| u64::try_from(retry_us.saturating_sub(at_us)).unwrap_or(0)) {
            None => "failed".to_owned(),
            Some(0) => "failed, will be tried again".to_owned(),
            Some(us) => format!("failed, will be tried again in {}", duration(us)),
        };
        self.say(&format!("{} {}  {what}: {}", styled("x", BAD), self.name(step), tame_lines(&fault.message)));
        if let Some(hint) = &fault.hint {
            self.say(&format!("  {}: {}", styled("hint", GOOD), tame_lines(hint)));
        }
    }

    /// That there is none is told with the step that is skipped for it.
    fn chosen(&self, step: &StepName, model: &types::ModelName, alias: &str, version: Option<u32>) {
        if let Some(version) = version {
            let alias = tame(alias);
            self.say(&format!("  {}  answers with version {version} of model `{model}` (`{alias}`)", self.name(step)));
        }
    }

    fn verdict(&self, step: &StepName, verdict: &Verdict) {
        let style = if verdict.passed { GOOD } else { BAD };
        self.say(&format!("{} {}", styled(&step.to_string(), style), tame(&verdict.sentence)));
    }

    /// The last lines: how it ended, and what to do next.
    pub(crate) fn conclude(&self, run: RunId) {
        match self.state {
            Some(state) => {
                let style = if state == RunState::Succeeded { GOOD } else { BAD };
                // A sink, say, that comes after `register` takes nothing back.
                let left = if state == RunState::Succeeded { String::new() } else { left(&self.registered) };
                let state = styled(&state.to_string(), style);
                self.say(&format!("run {run} {state}{left}; look at it with `{} runs show {run}`", self.again));
            }
            None => self.say(&format!("run {run} is interrupted; go on with `{} runs resume {run}`", self.again)),
        }
    }
}

/// What a step gave, in a line.
fn gave(outputs: &BTreeMap<PortName, OutputSummary>) -> String {
    let one = |(port, output): (&PortName, &OutputSummary)| match output.rows {
        Some(rows) => format!("{port} {rows} rows"),
        None if output.kind == port.to_string() => output.kind.clone(),
        None => format!("{port} {}", output.kind),
    };
    outputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What a run leaves that did not succeed, for its last line.
fn left(registered: &[String]) -> String {
    match registered {
        [] => String::new(),
        _ => format!(", after it had registered {}", registered.join(" and ")),
    }
}

/// Where something lies now, after the word "delivered".
pub(super) fn delivered(location: &str, repeated: bool) -> String {
    format!("to {}{}", tame(location), if repeated { ", as an earlier attempt had already done" } else { "" })
}

/// The measures of a step, a line each.
pub(super) fn measures(measures: &[types::Measure]) -> Vec<Vec<String>> {
    let slice = |found: &types::Measure| found.slice.as_deref().unwrap_or("all rows").to_owned();
    measures.iter().map(|found| vec![found.name.clone(), slice(found), measure(found)]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_failed_run_registered_is_said() {
        assert_eq!(super::left(&[]), "");
        let registered = ["model `a` version 2, now `champion`".to_owned(), "model `b` version 1".to_owned()];
        let expected = ", after it had registered model `a` version 2, now `champion` and model `b` version 1";
        assert_eq!(super::left(&registered), expected);
    }
}

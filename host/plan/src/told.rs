//! A planned step -> what its manifest says of it beside plugin, parameters, seed, device, limits and grants: a line a key, in
//! words. What compares two plans shows these.

use crate::{Each, PlannedStep, Work};
use std::collections::BTreeMap;
use types::{Id, Leniency, OutputRef, Purpose, Quantity, Requirement, Retry};

/// By the keys of the manifest; what a gate requires by the measure too: `require mae`.
pub fn told(step: &PlannedStep) -> BTreeMap<String, String> {
    let mut lines = Lines::default();
    inputs(&step.work, &mut lines);
    work(&step.work, &mut lines);
    if let Some(device) = step.device_asked {
        lines.say("device", device);
    }
    for (port, columns) in &step.outputs {
        lines.all(
            &format!("gives {port}"),
            columns.iter().map(|column| format!("{} {}", column.name, column.data_type)),
        );
    }
    lines.all("when", &step.when);
    lines.retry(step.retry);
    if let Some(pool) = &step.pool {
        lines.say("pool", format!("{}, {} at a time", pool.name, pool.most));
    }
    lines.say("cache", if step.cache { "yes" } else { "no" });
    if let Some(each) = &step.each {
        lines.say("each", items(each));
    }
    lines.0
}

/// By port, as the manifest names them.
fn inputs(work: &Work, lines: &mut Lines) {
    let mut takes = |port: &str, output: Option<&OutputRef>| lines.some(&format!("inputs.{port}"), output);
    match work {
        Work::Transform { inputs, .. } => inputs.iter().for_each(|(port, output)| takes(port.as_str(), Some(output))),
        Work::Fit { fit, inputs, .. } => {
            inputs.iter().for_each(|(port, output)| takes(port.as_str(), Some(output)));
            lines.some("fit", fit.as_ref());
        }
        Work::Check { rows, reference, .. } => {
            takes("table", Some(rows));
            takes("reference", reference.as_ref());
        }
        Work::Train { train, validation, initial, .. } => {
            takes("train", Some(train));
            takes("validation", validation.as_ref());
            takes("initial", initial.as_ref());
        }
        Work::Predict { rows, model, .. } => {
            takes("rows", Some(rows));
            takes("model", Some(model));
        }
        Work::PredictWith { rows, .. } => takes("rows", Some(rows)),
        Work::Evaluate { candidate, baseline, .. } => {
            takes("candidate", Some(candidate));
            takes("baseline", baseline.as_ref());
        }
        Work::Deliver { what, .. } => takes("what", Some(what)),
        Work::Gate { measures, .. } => takes("measures", Some(measures)),
        Work::Examine { model, rows, answers, .. } => {
            takes("model", Some(model));
            takes("rows", Some(rows));
            takes("answers", answers.as_ref());
        }
        Work::Best { model, measures, .. } => {
            takes("model", Some(model));
            takes("measures", Some(measures));
        }
        Work::Register { model, verdict, examined, measures, .. } => {
            takes("model", Some(model));
            takes("verdict", verdict.as_ref());
            takes("examined", examined.as_ref());
            takes("measures", measures.as_ref());
        }
        Work::Collect { .. } | Work::Feedback { .. } | Work::Gather { .. } => {}
    }
}

fn work(work: &Work, lines: &mut Lines) {
    match work {
        Work::Fit { reads, .. } => lines.all("reads", reads),
        Work::Train { features, label, weight, .. } => {
            lines.all("features", features);
            lines.some("label", label.as_ref());
            lines.some("weight", weight.as_ref());
        }
        Work::PredictWith { model, alias, .. } => {
            lines.say("model", model);
            lines.say("alias", alias);
        }
        Work::Evaluate { slices, .. } => lines.all("slices", slices),
        Work::Feedback { endpoint, label } => {
            lines.say("endpoint", endpoint);
            lines.say("label", label);
        }
        Work::Gate { require, leniency, .. } => lines.gate(require, *leniency),
        Work::Examine { loss, budget, .. } => {
            lines.some("loss", loss.as_ref());
            lines.some("latency", budget.latency_ms.map(Quantity::Milliseconds));
            lines.some("memory", budget.memory_bytes.map(Quantity::Bytes));
        }
        Work::Best { measure, slice, highest, .. } => {
            lines.say(
                "measure",
                slice.as_ref().map_or_else(|| measure.clone(), |slice| format!("{measure} of {slice}")),
            );
            lines.say("prefer", if *highest { "highest" } else { "lowest" });
        }
        Work::Register { name, alias, purpose, .. } => {
            lines.say("name", name);
            lines.some("alias", alias.as_ref());
            let Purpose { intended_use, limitations } = purpose;
            lines.some("intended_use", intended_use.as_ref());
            lines.some("limitations", limitations.as_ref());
        }
        Work::Collect { .. }
        | Work::Transform { .. }
        | Work::Check { .. }
        | Work::Predict { .. }
        | Work::Deliver { .. }
        | Work::Gather { .. } => {}
    }
}

#[derive(Default)]
struct Lines(BTreeMap<String, String>);

impl Lines {
    /// What stands twice under a key is told behind one another.
    fn say(&mut self, key: impl Into<String>, what: impl ToString) {
        let line = self.0.entry(key.into()).or_default();
        if !line.is_empty() {
            line.push_str("; ");
        }
        line.push_str(&what.to_string());
    }

    fn some(&mut self, key: &str, what: Option<impl ToString>) {
        what.into_iter().for_each(|what| self.say(key, what));
    }

    fn all(&mut self, key: &str, what: impl IntoIterator<Item = impl ToString>) {
        let listed = types::listed(what);
        if !listed.is_empty() {
            self.say(key, listed);
        }
    }

    fn gate(&mut self, require: &[Requirement], leniency: Leniency) {
        require.iter().for_each(|asked| self.say(format!("require {}", asked.subject()), asked.demand()));
        let word = |lets: bool| if lets { "pass" } else { "fail" };
        self.say("on_inconclusive", word(leniency.inconclusive));
        self.say("on_no_baseline", word(leniency.no_baseline));
    }

    fn retry(&mut self, retry: Retry) {
        let Retry { attempts, backoff_ms, factor, longest_ms } = retry;
        self.say("retry.attempts", attempts);
        self.say("retry.backoff", Quantity::Milliseconds(backoff_ms));
        self.say("retry.factor", factor);
        self.say("retry.longest", Quantity::Milliseconds(longest_ms));
    }
}

fn items(each: &Each) -> String {
    match each {
        Each::Values { param, values } => {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            format!("{param} of {}", values.join(", "))
        }
        Each::Rows { port, of, by } => format!("{by} of the rows of {of} at {port}"),
        Each::Like { step } => format!("like {step}"),
    }
}

//! What is known of the steps planned so far: what stands on their outputs, and how a row got there.

use crate::{Work, fan};
use manifest::Step;
use std::collections::BTreeMap;
use std::fmt;
use types::{Field, Id, OutputRef, PortName, Problem, StepName};

pub(crate) type Steps = BTreeMap<StepName, Known>;

/// A planned step, seen from those that take from it.
pub(crate) struct Known {
    pub(crate) work: Work,
    pub(crate) given: BTreeMap<PortName, Given>,
    /// Of a fitted step: the columns that it reads of its rows.
    pub(crate) reads: Vec<Field>,
    /// Of a trainer.
    pub(crate) training: Option<Training>,
    /// Of a step that runs for several items: whose items they are.
    pub(crate) root: Option<StepName>,
    /// What is wrong with it and changes nothing for those that take from it.
    pub(crate) beside: Vec<Problem>,
}

/// What a trainer learns from what.
pub(crate) struct Training {
    pub(crate) train: OutputRef,
    /// With their types; empty if those are not known before the run.
    pub(crate) features: Vec<Field>,
    pub(crate) label: Option<String>,
    /// What its predictor gives.
    pub(crate) predictions: Vec<Field>,
}

/// What stands on an output.
pub(crate) struct Given {
    pub(crate) kind: Kind,
    /// Of a table; empty if they are not known before the run.
    pub(crate) columns: Vec<Field>,
    pub(crate) rows: Rows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    State,
    Model,
    Findings,
    Measures,
    Verdict,
    Version,
    Delivered,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Table => "a table",
            Self::State => "a fitted state",
            Self::Model => "a model",
            Self::Findings => "findings",
            Self::Measures => "measures",
            Self::Verdict => "a verdict",
            Self::Version => "a version",
            Self::Delivered => "a receipt of a delivery",
        })
    }
}

/// How a row came to stand on a table, as far as a request on its way to a model is concerned.
#[derive(Clone)]
pub(crate) enum Rows {
    /// From outside: a request brings such rows.
    Collected,
    /// Some or all rows of that table, unchanged: a request passes by.
    Unchanged(OutputRef),
    /// Each from the row of that table, by a fitted step: a request goes through.
    Fitted(OutputRef),
    /// By nothing that a request can go through, and why.
    Made(&'static str),
}

impl Known {
    /// What came of planning a step, with what is wrong with it besides.
    pub(crate) fn with(planned: Result<Self, Vec<Problem>>, beside: Vec<Problem>) -> Result<Self, Vec<Problem>> {
        match planned {
            Ok(known) => Ok(Self { beside, ..known }),
            Err(wrong) => Err([wrong, beside].concat()),
        }
    }
}

impl Kind {
    /// Whether those of several items can be put together.
    pub(crate) fn is_gathered(self) -> bool {
        matches!(self, Self::Table | Self::Measures | Self::Findings)
    }
}

impl Given {
    pub(crate) fn table(columns: Vec<Field>, rows: Rows) -> Self {
        Self { kind: Kind::Table, columns, rows }
    }

    pub(crate) fn other(kind: Kind) -> Self {
        Self { kind, columns: Vec::new(), rows: Rows::Made("is no table") }
    }
}

/// One of our own port names.
pub(crate) fn port(name: &str) -> PortName {
    PortName::parse(name).expect("the host's own port names are well formed")
}

/// The step that trained a model: behind the best of several, the step whose items they are of.
pub(crate) fn trainer<'k>(steps: &'k Steps, model: &OutputRef) -> Option<(&'k StepName, &'k Known)> {
    let (name, known) = steps.get_key_value(&model.step)?;
    match &known.work {
        Work::Best { model, .. } => steps.get_key_value(&model.step),
        _ => Some((name, known)),
    }
}

/// What stands on the output that a step takes at a path of keys, if it is of a kind that is wanted there. From a step that runs
/// for several items, a step that does not run for the same gets all of them together.
pub(crate) fn take<'k>(
    steps: &'k Steps,
    step: &Step,
    path: &[&str],
    output: &OutputRef,
    wanted: &[Kind],
) -> Result<&'k Given, Problem> {
    let given = find(steps, step, path, output, wanted)?;
    let root = steps.get(&output.step).and_then(|known| known.root.as_ref());
    match root.is_some() && root != fan::root(step, steps) && !given.kind.is_gathered() {
        true => Err(fan::ungathered(step, path, output, given.kind)),
        false => Ok(given),
    }
}

/// Likewise, of any one item.
pub(crate) fn find<'k>(
    steps: &'k Steps,
    step: &Step,
    path: &[&str],
    output: &OutputRef,
    wanted: &[Kind],
) -> Result<&'k Given, Problem> {
    let place = step.place_of(path);
    let Some(known) = steps.get(&output.step) else {
        return Err(Problem::new(format!("step `{}` takes `{output}`, which is not planned", step.name)).at(place));
    };
    let Some(given) = known.given.get(&output.port) else {
        let ports: Vec<&str> = known.given.keys().map(Id::as_str).collect();
        let message = format!("step `{}` takes `{output}`, but `{}` gives no such port", step.name, output.step);
        let hint = crate::wiring::suggestion(output.port.as_str(), &ports, "it gives");
        return Err(Problem::new(message).at(place).hinted(hint));
    };
    if !wanted.contains(&given.kind) {
        let at = path.join(".");
        let names: Vec<String> = wanted.iter().map(Kind::to_string).collect();
        let names = names.join(" or ");
        let message = format!("step `{}` wants {names} at `{at}`; `{output}` is {}", step.name, given.kind);
        let fitting: Vec<String> = outputs_of(steps, wanted).collect();
        let problem = Problem::new(message).at(place);
        return Err(match fitting.is_empty() {
            true => problem,
            false => problem.hinted(format!("there is {}", crate::wiring::listed(fitting.iter().map(String::as_str)))),
        });
    }
    Ok(given)
}

/// A few outputs of these kinds, to choose from.
fn outputs_of(steps: &Steps, kinds: &[Kind]) -> impl Iterator<Item = String> {
    let outputs =
        steps.iter().flat_map(|(step, known)| known.given.iter().map(move |(port, given)| (step, port, given)));
    outputs
        .filter(move |(.., given)| kinds.contains(&given.kind))
        .map(|(step, port, _)| format!("{step}.{port}"))
        .take(4)
}

//! What a plan says of each step: everything `run` needs, and nothing it would have to look up.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use types::{
    Budget, Candidate, Chosen, Condition, Device, DeviceChoice, Digest, EndpointName, Field, Leniency, Limits,
    ModelName, OutputRef, PipelineName, PluginName, Pool, PortName, ProjectName, Purpose, Requirement, Retry, StepName,
    TableRef,
};

/// A pipeline, ready to run. Stored as a blob with each run: fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub project: ProjectName,
    pub pipeline: PipelineName,
    /// A step stands after those it takes from; otherwise as in the file.
    pub steps: Vec<PlannedStep>,
    /// The most that a run may take, from its start.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// Attempts of a tenant's runs with a higher one begin first.
    #[serde(default)]
    pub priority: i32,
}

/// A node of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub name: StepName,
    pub work: Work,
    pub seed: u64,
    pub limits: Limits,
    /// Where its tensors are computed.
    #[serde(default)]
    pub device: Device,
    /// What the pipeline says of that, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_asked: Option<DeviceChoice>,
    /// What the step may reach; paths are relative to the project's folder.
    pub grants: types::Grants,
    /// The ports it gives, with their columns where it gives tables.
    pub outputs: BTreeMap<PortName, Vec<Field>>,
    /// All must hold, or the step is skipped.
    #[serde(default)]
    pub when: Vec<Condition>,
    #[serde(default)]
    pub retry: Retry,
    #[serde(default)]
    pub pool: Option<Pool>,
    /// Whether an earlier run's outputs may stand for its own, where they would be the same.
    #[serde(default)]
    pub cache: bool,
    /// It runs once for each of these.
    #[serde(default)]
    pub each: Option<Each>,
    /// Of one of a step's items: tables that stand at its ports in place of what its work names.
    #[serde(default)]
    pub given: BTreeMap<PortName, TableRef>,
}

/// What a step runs for, again and again. `run` makes steps of it: see [`crate::expand`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "each")]
pub enum Each {
    /// These values of one of its parameters.
    Values { param: String, values: Vec<serde_json::Value> },
    /// The values of a column of the table at one of its own inputs; each item is given its rows alone.
    Rows { port: PortName, of: OutputRef, by: String },
    /// The items of a step that it takes from, one by one.
    Like { step: StepName },
}

/// The most items of a step.
pub const ITEMS_MAX: usize = 1_000;
/// The most steps that the items of one step make, with those of all that run like it.
pub const FANNED_MAX: usize = 20_000;

/// The component of a step and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedPlugin {
    pub name: PluginName,
    pub component: Digest,
    /// JSON object, valid under the plugin's schema.
    pub parameters: serde_json::Value,
    /// Interfaces it imports: what its answers can depend on.
    #[serde(default)]
    pub imports: Vec<String>,
}

/// What a step does, by role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "work")]
pub enum Work {
    /// Gives `table`.
    Collect { plugin: PlannedPlugin },
    /// Gives what its descriptor says.
    Transform { plugin: PlannedPlugin, inputs: BTreeMap<PortName, OutputRef> },
    /// Gives a table for each input, under its name, and `state`. The plugin is shown the columns of `reads` alone.
    Fit {
        plugin: PlannedPlugin,
        fit: Option<OutputRef>,
        inputs: BTreeMap<PortName, OutputRef>,
        #[serde(default)]
        reads: Vec<String>,
    },
    /// Gives `table`, the rows it was given, and `findings`.
    Check { plugin: PlannedPlugin, rows: OutputRef, reference: Option<OutputRef> },
    /// Gives `model`.
    Train {
        plugin: PlannedPlugin,
        train: OutputRef,
        validation: Option<OutputRef>,
        /// The model to start from.
        #[serde(default)]
        initial: Option<OutputRef>,
        features: Vec<String>,
        label: Option<String>,
        weight: Option<String>,
    },
    /// Gives `table`: the rows with the predictor's columns. `plugin` is the trainer's.
    Predict { plugin: PlannedPlugin, rows: OutputRef, model: OutputRef },
    /// Gives `table`: the rows as a registered version's path made them, with the columns that it answers beside them.
    PredictWith {
        rows: OutputRef,
        model: ModelName,
        alias: String,
        /// The version and its predictor, once the alias was looked up.
        #[serde(default)]
        chosen: Option<Answering>,
    },
    /// Gives `measures`.
    Evaluate { plugin: PlannedPlugin, candidate: OutputRef, baseline: Option<OutputRef>, slices: Vec<String> },
    /// Gives `delivered`, which no step takes. `trainer` is the plugin behind a model.
    Deliver { plugin: PlannedPlugin, what: OutputRef, trainer: Option<PlannedPlugin> },
    /// Gives `table`, what an endpoint was asked and the labels that came for its answers, and `joined`, all that is logged of
    /// them. Carried out by the server, without a worker.
    Feedback { endpoint: EndpointName, label: String },
    /// Gives `verdict`. Carried out by `models::gate`, without a worker.
    Gate {
        measures: OutputRef,
        require: Vec<Requirement>,
        /// The registered version that the measures compare with, if they do.
        #[serde(default)]
        baseline: Option<Baseline>,
        #[serde(default)]
        leniency: Leniency,
    },
    /// Gives `verdict`: of a model as it would be served, asked with these rows. Carried out by the server, in a serving worker.
    Examine {
        model: OutputRef,
        rows: OutputRef,
        /// What it is to answer to the rows, one by one.
        answers: Option<OutputRef>,
        /// The series of its training that is to have gone down.
        loss: Option<String>,
        budget: Budget,
        served: ServedPath,
        /// What answers, once the model is there.
        #[serde(default)]
        candidate: Option<Box<Candidate>>,
    },
    /// Gives `model` and `measures`: those of the item with the best value of a measure. Carried out by the host.
    Best {
        model: OutputRef,
        measures: OutputRef,
        measure: String,
        slice: Option<String>,
        /// Whether the highest is the best.
        highest: bool,
        /// Model and measures of each item, once the items are known.
        #[serde(default)]
        parts: Vec<(OutputRef, OutputRef)>,
    },
    /// Gives what the items of a step gave: of tables their rows one after another, of measures and findings all of them. It stands
    /// for the step to those that do not run for its items; made by [`crate::expand`] alone. Carried out by the host.
    Gather {
        /// The steps of the items, in order.
        parts: Vec<StepName>,
        /// Every output of theirs, part by part: what cannot be gathered is awaited all the same.
        takes: Vec<OutputRef>,
    },
    /// Gives `version`. Runs only under verdicts that passed, if it takes any.
    Register {
        model: OutputRef,
        verdict: Option<OutputRef>,
        /// The verdict of an examination.
        #[serde(default)]
        examined: Option<OutputRef>,
        /// Measures to show with the version: those that the gate judged.
        measures: Option<OutputRef>,
        name: ModelName,
        alias: Option<String>,
        #[serde(default)]
        purpose: Purpose,
        served: ServedPath,
    },
}

/// What a step answers with, and the plugin of its predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answering {
    pub plugin: PlannedPlugin,
    pub version: Box<Chosen>,
}

/// The step that answers with a registered version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    pub step: StepName,
    pub model: ModelName,
    pub alias: String,
}

/// How a request's columns become the predictor's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServedPath {
    /// The row-wise steps, in order; each is a [`Work::Fit`] of the plan.
    pub steps: Vec<StepName>,
    /// The step whose model answers: a [`Work::Train`]. If it ran for several items, the one whose model was chosen.
    pub trainer: Option<StepName>,
    /// The columns that a request must bring.
    pub request: Vec<Field>,
}

impl Work {
    /// In a word, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Collect { .. } => "collect",
            Self::Transform { .. } => "transform",
            Self::Fit { .. } => "fit",
            Self::Check { .. } => "check",
            Self::Train { .. } => "train",
            Self::Predict { .. } | Self::PredictWith { .. } => "predict",
            Self::Evaluate { .. } => "evaluate",
            Self::Deliver { .. } => "deliver",
            Self::Gate { .. } => "gate",
            Self::Examine { .. } => "examine",
            Self::Best { .. } => "best",
            Self::Gather { .. } => "gather",
            Self::Register { .. } => "register",
            Self::Feedback { .. } => "feedback",
        }
    }

    /// Every output it takes, in a fixed order.
    pub fn inputs(&self) -> Vec<&OutputRef> {
        match self {
            Self::Collect { .. } | Self::Feedback { .. } => Vec::new(),
            Self::Transform { inputs, .. } => inputs.values().collect(),
            Self::Fit { fit, inputs, .. } => fit.iter().chain(inputs.values()).collect(),
            Self::Check { rows, reference, .. } => [rows].into_iter().chain(reference).collect(),
            Self::Train { train, validation, initial, .. } => {
                [train].into_iter().chain(validation).chain(initial).collect()
            }
            Self::Predict { rows, model, .. } => vec![rows, model],
            Self::PredictWith { rows, .. } => vec![rows],
            Self::Evaluate { candidate, baseline, .. } => [candidate].into_iter().chain(baseline).collect(),
            Self::Deliver { what, .. } => vec![what],
            Self::Gate { measures, .. } => vec![measures],
            Self::Examine { model, rows, answers, .. } => [model, rows].into_iter().chain(answers).collect(),
            Self::Best { model, measures, parts, .. } if parts.is_empty() => vec![model, measures],
            Self::Best { parts, .. } => parts.iter().flat_map(|(model, measures)| [model, measures]).collect(),
            Self::Gather { takes, .. } => takes.iter().collect(),
            Self::Register { model, verdict, examined, measures, .. } => {
                [model].into_iter().chain(verdict).chain(examined).chain(measures).collect()
            }
        }
    }

    /// Likewise, to be changed.
    pub(crate) fn inputs_mut(&mut self) -> Vec<&mut OutputRef> {
        match self {
            Self::Collect { .. } | Self::Feedback { .. } => Vec::new(),
            Self::Transform { inputs, .. } => inputs.values_mut().collect(),
            Self::Fit { fit, inputs, .. } => fit.iter_mut().chain(inputs.values_mut()).collect(),
            Self::Check { rows, reference, .. } => [rows].into_iter().chain(reference).collect(),
            Self::Train { train, validation, initial, .. } => {
                [train].into_iter().chain(validation).chain(initial).collect()
            }
            Self::Predict { rows, model, .. } => vec![rows, model],
            Self::PredictWith { rows, .. } => vec![rows],
            Self::Evaluate { candidate, baseline, .. } => [candidate].into_iter().chain(baseline).collect(),
            Self::Deliver { what, .. } => vec![what],
            Self::Gate { measures, .. } => vec![measures],
            Self::Examine { model, rows, answers, .. } => [model, rows].into_iter().chain(answers).collect(),
            Self::Best { model, measures, .. } => vec![model, measures],
            Self::Gather { takes, .. } => takes.iter_mut().collect(),
            Self::Register { model, verdict, examined, measures, .. } => {
                [model].into_iter().chain(verdict).chain(examined).chain(measures).collect()
            }
        }
    }

    /// The component that does it; none for what the host does itself.
    pub fn plugin(&self) -> Option<&PlannedPlugin> {
        match self {
            Self::Collect { plugin }
            | Self::Transform { plugin, .. }
            | Self::Fit { plugin, .. }
            | Self::Check { plugin, .. }
            | Self::Train { plugin, .. }
            | Self::Predict { plugin, .. }
            | Self::Evaluate { plugin, .. }
            | Self::Deliver { plugin, .. } => Some(plugin),
            Self::PredictWith { chosen, .. } => Some(&chosen.as_ref()?.plugin),
            Self::Feedback { .. }
            | Self::Gate { .. }
            | Self::Examine { .. }
            | Self::Best { .. }
            | Self::Gather { .. }
            | Self::Register { .. } => None,
        }
    }

    pub(crate) fn plugin_mut(&mut self) -> Option<&mut PlannedPlugin> {
        match self {
            Self::Collect { plugin }
            | Self::Transform { plugin, .. }
            | Self::Fit { plugin, .. }
            | Self::Check { plugin, .. }
            | Self::Train { plugin, .. }
            | Self::Predict { plugin, .. }
            | Self::Evaluate { plugin, .. }
            | Self::Deliver { plugin, .. } => Some(plugin),
            Self::PredictWith { chosen, .. } => Some(&mut chosen.as_mut()?.plugin),
            Self::Feedback { .. }
            | Self::Gate { .. }
            | Self::Examine { .. }
            | Self::Best { .. }
            | Self::Gather { .. }
            | Self::Register { .. } => None,
        }
    }
}

impl PlannedStep {
    /// Every output that must be there before it begins: what it takes, and what its conditions look at.
    pub fn needs(&self) -> Vec<&OutputRef> {
        let rows = match &self.each {
            Some(Each::Rows { of, .. }) => Some(of),
            _ => None,
        };
        self.work.inputs().into_iter().chain(self.when.iter().filter_map(Condition::of)).chain(rows).collect()
    }
}

impl Plan {
    /// The step of this name.
    pub fn step(&self, name: &StepName) -> Option<&PlannedStep> {
        self.steps.iter().find(|step| step.name == *name)
    }
}

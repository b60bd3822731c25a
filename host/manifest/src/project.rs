//! What a project says, checked: names are names, references resolve, limits are numbers. Made by [`crate::check`] alone.

use crate::place::File;
use crate::{Course, Each, Notify, Places, Retention, Traffic, Triggers, order};
use std::collections::BTreeMap;
use std::fmt;
use types::{
    Budget, DeviceChoice, EndpointName, Id, Leniency, LimitsPatch, ModelName, OutputRef, PipelineName, Place,
    PluginName, PortName, ProjectName, Purpose, Requirement, Settings, Spot, StepName,
};

/// The plugin that carries out queries, and the parameter that holds one.
pub const SQL_PLUGIN: &str = "sql";
pub(crate) const QUERY: &str = "query";

/// A folder with a `stepwell.toml`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Project {
    pub name: ProjectName,
    pub endpoints: BTreeMap<EndpointName, Endpoint>,
    /// For all steps of all pipelines.
    pub limits: LimitsPatch,
    /// The values that hold: the defaults, and over them what was set.
    pub settings: Settings,
    /// How many attempts may use each at a time.
    pub pools: BTreeMap<String, u32>,
    /// Which runs of it are kept, once it is deployed.
    pub retention: Option<Retention>,
    /// Who is told of runs that went wrong.
    pub notify: Option<Notify>,
    pub pipelines: BTreeMap<PipelineName, Pipeline>,
}

/// A served name: which version of which model answers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Endpoint {
    pub model: ModelName,
    pub alias: String,
    pub traffic: Traffic,
    /// The most bytes of a request; none: as many as the server takes.
    pub request_bytes: Option<u64>,
    pub log: LogSettings,
    /// What a version may take of the machine; a step `examine` holds candidates to it.
    pub budget: Option<Budget>,
    pub place: Place,
}

/// How an endpoint's predictions are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// The share of requests that are logged, from 0 to 1.
    pub sample: f64,
    /// How long, in milliseconds.
    pub keep_ms: u64,
    /// How many bytes at most; the oldest go first.
    pub bytes: u64,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { sample: 1.0, keep_ms: 90 * 86_400_000, bytes: 1 << 30 }
    }
}

/// A file of `pipelines`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Pipeline {
    pub name: PipelineName,
    /// For all its steps.
    pub limits: LimitsPatch,
    /// When it is to run by itself.
    pub schedule: Option<trigger::Schedule>,
    /// What else it is to run after.
    pub triggers: Triggers,
    /// The most that a run may take.
    pub timeout_ms: Option<u64>,
    /// Those with a higher one go first.
    pub priority: i32,
    /// Of the whole file.
    pub places: Places,
    /// In the order of the file, at least one.
    pub steps: Vec<Step>,
}

/// A node of the pipeline, as written. Keys that belong to a role are checked against it in `plan`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    pub name: StepName,
    pub source: Source,
    pub inputs: BTreeMap<PortName, OutputRef>,
    /// What a fitted step learns from.
    pub fit: Option<OutputRef>,
    /// A JSON object; datetimes are RFC 3339 texts. Of a step whose plugin is a query's file, `query` is the file's text.
    pub params: serde_json::Value,
    /// As written, or made of the names of pipeline and step: the same in every run.
    pub seed: u64,
    /// What the step may reach beyond its walls, if the tenant's policy allows it.
    pub grants: types::Grants,
    pub limits: LimitsPatch,
    pub label: Option<String>,
    pub weight: Option<String>,
    /// None: the trainer's default, every column of numbers that is not label, weight or ignored.
    pub features: Option<Vec<String>>,
    pub ignore: Vec<String>,
    pub slices: Vec<String>,
    /// Where its tensors are computed.
    pub device: DeviceChoice,
    pub course: Course,
    pub places: Places,
}

/// Who does the step.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    Plugin(PluginSource),
    Builtin(Builtin),
}

/// What the source files end in that a pipeline can name: languages in which a file is a whole step.
pub const BUILT: [&str; 4] = ["py", "js", "ts", "c"];

/// Where a component comes from. Shown as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PluginSource {
    /// A first-party plugin.
    Named(PluginName),
    /// A component in the project's folder; the path is relative to it and stays inside.
    Wasm(String),
    /// A source file, likewise, which is built: it ends in one of [`BUILT`].
    Built(String),
    /// A file with a query, likewise: the plugin `sql` carries it out.
    Sql(String),
}

/// What the host does itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Builtin {
    Predict,
    /// With the registered version that has an alias.
    PredictWith {
        model: ModelName,
        alias: String,
    },
    Gate {
        require: Vec<Requirement>,
        leniency: Leniency,
    },
    /// A candidate as it would be served.
    Examine {
        /// The series of its training that is to have gone down.
        loss: Option<String>,
        /// Whose budget is to hold.
        endpoint: Option<EndpointName>,
        /// That budget.
        budget: Budget,
    },
    /// Of the models of a step with `each`, the one with the best measure.
    Best {
        measure: String,
        slice: Option<String>,
        highest: bool,
    },
    Register {
        name: ModelName,
        alias: Option<String>,
        /// For the model's card.
        purpose: Purpose,
    },
    /// The predictions of an endpoint whose labels have come: `label` is the column of these.
    Feedback {
        endpoint: EndpointName,
        label: String,
    },
}

impl PluginSource {
    /// The file, relative to the project's folder.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Named(_) => None,
            Self::Wasm(path) | Self::Built(path) | Self::Sql(path) => Some(path),
        }
    }
}

impl fmt::Display for PluginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "{name}"),
            Self::Wasm(path) | Self::Built(path) | Self::Sql(path) => write!(f, "./{path}"),
        }
    }
}

impl Builtin {
    /// As a manifest writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Predict | Self::PredictWith { .. } => "predict",
            Self::Gate { .. } => "gate",
            Self::Examine { .. } => "examine",
            Self::Best { .. } => "best",
            Self::Register { .. } => "register",
            Self::Feedback { .. } => "feedback",
        }
    }
}

impl Pipeline {
    /// Where the value at a path of keys of the file stands, or the nearest value around it.
    pub fn place_of(&self, path: &[&str]) -> Option<Place> {
        self.places.value(path)
    }

    /// The step of this name.
    pub fn step(&self, name: &StepName) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == *name)
    }

    /// The steps, each after those that it takes from; otherwise as in the file.
    pub fn in_order(&self) -> Vec<&Step> {
        let position = |name: &StepName| self.steps.iter().position(|step| step.name == *name);
        let takes = |step: &Step| step.takes().filter_map(|output| position(&output.step)).collect();
        let takes: Vec<Vec<usize>> = self.steps.iter().map(takes).collect();
        order::order(&takes).0.into_iter().map(|index| &self.steps[index]).collect()
    }
}

impl Step {
    /// Every output that must be there before it begins: what it takes, `fit` included, and what its conditions look at.
    pub fn takes(&self) -> impl Iterator<Item = &OutputRef> {
        let looks_at = self.course.when.iter().filter_map(|(_, condition)| condition.of());
        self.fit.iter().chain(self.inputs.values()).chain(looks_at)
    }

    /// The step for each value that its `each` gives a parameter; itself alone if it gives none. A value stands, for whoever asks
    /// for its place, where `each` names it.
    pub fn variants(&self) -> Vec<Step> {
        let Some(Each::Values { param, values }) = &self.course.each else { return vec![self.clone()] };
        let variant = |(index, value): (usize, &serde_json::Value)| {
            let mut step = self.clone();
            if let Some(params) = step.params.as_object_mut() {
                params.insert(param.clone(), value.clone());
            }
            step.places = self.places.standing_for(&["params", param], &["each", "values", &index.to_string()]);
            step
        };
        values.iter().enumerate().map(variant).collect()
    }

    /// The component, if the step has one.
    pub fn plugin(&self) -> Option<&PluginSource> {
        match &self.source {
            Source::Plugin(source) => Some(source),
            Source::Builtin(_) => None,
        }
    }

    /// Where the value at a path of keys stands (`&["inputs", "train"]`), or the nearest value around it.
    pub fn place_of(&self, path: &[&str]) -> Option<Place> {
        self.places.value(path)
    }

    /// Where a spot of the step's query stands, in its file or in the parameter `query`; none of a step without one.
    pub fn place_in_query(&self, spot: Spot) -> Option<Place> {
        match self.plugin()? {
            PluginSource::Sql(path) => Some(File::new(path, self.params.get(QUERY)?.as_str()?).place_at(spot)),
            PluginSource::Named(name) if name.as_str() == SQL_PLUGIN => self.places.within(&["params", QUERY], spot),
            _ => None,
        }
    }

    /// Where the last key of a path stands, or the nearest value around it.
    pub fn place_of_key(&self, path: &[&str]) -> Option<Place> {
        self.places.key(path)
    }
}

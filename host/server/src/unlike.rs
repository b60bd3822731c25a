//! Two versions of a model -> how they differ: plugins, parameters, data, what was learnt, columns, measures.

use crate::diff::{About, DiffRow, Key, rows};
use crate::{Error, Server};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use types::{ModelName, ModelVersion, TenantId};

/// How two versions differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelDiff {
    pub model: ModelName,
    pub a: u32,
    pub b: u32,
    /// What is equal is among it.
    pub rows: Vec<DiffRow>,
}

impl Server {
    /// Holds two versions of a model against each other; each by number or alias.
    pub fn model_diff(&self, tenant: &TenantId, model: &ModelName, a: &str, b: &str) -> Result<ModelDiff, Error> {
        self.known(tenant)?;
        let versions = self.versions(tenant, model)?;
        let (a, b) = (self.pick(tenant, &versions, Some(a))?, self.pick(tenant, &versions, Some(b))?);
        Ok(ModelDiff { model: model.clone(), a: a.version, b: b.version, rows: rows(&facts(a), &facts(b)) })
    }
}

/// Everything about a version that another can have otherwise.
fn facts(version: &ModelVersion) -> Vec<(Key, Value)> {
    let mut facts = Vec::new();
    for (at, digest) in version.data.iter().enumerate() {
        facts.push(((About::Input, None, format!("table {}", at + 1)), json!(digest)));
    }
    for step in version.path.iter().chain([&version.predictor]) {
        let mut say = |about: About, name: String, value: Value| {
            facts.push(((about, Some(step.step.clone()), name), value));
        };
        say(About::Plugin, step.plugin.to_string(), json!(step.component));
        for (name, value) in step.parameters.as_object().into_iter().flatten() {
            say(About::Parameter, name.clone(), value.clone());
        }
        say(About::Seed, "seed".to_owned(), json!(step.seed));
        for file in &step.state {
            say(About::File, file.name.clone(), json!(file.digest));
        }
    }
    let columns = [("request", &version.request), ("answer", &version.signature.outputs)];
    for (side, field) in columns.iter().flat_map(|(side, fields)| fields.iter().map(move |field| (side, field))) {
        let name = format!("{side} {}", field.name);
        facts.push(((About::Column, None, name), json!(field.data_type.to_string())));
    }
    for measure in &version.measures {
        let slice = measure.slice.as_ref().map(|slice| format!(" ({slice})")).unwrap_or_default();
        facts.push(((About::Measure, None, format!("{}{slice}", measure.name)), json!(measure.value)));
    }
    if let Some(verdict) = &version.verdict {
        facts.push(((About::Verdict, None, "gate".to_owned()), json!(verdict.sentence)));
    }
    facts
}

//! What a call costs: an instance that is kept and called again and again, by the exports that attempts call. Benchmarks
//! and the table of languages are made of it; an attempt never keeps an instance.

use crate::bindings::role::{fitted, trainer, transformer};
use crate::bindings::wit_step;
use crate::engine::Plugin;
use crate::instance::{Instance, exported};
use crate::state::State;
use data::Table;
use ports::Doors;
use types::{Fault, Limits};
use wasmtime::component::ResourceAny;

/// An instance under the default limits.
pub struct Probe {
    instance: Instance,
}

/// A transformer's export, looked up once.
pub struct Transformer(transformer::Guest);

/// A fitted transform, and the export it belongs to.
pub struct Fitted(fitted::Guest, ResourceAny);

/// The files of a trained model.
pub struct Model(Vec<wit_step::SavedFile>);

impl Probe {
    /// A fresh store and instance, as each attempt has, of a step with these parameters.
    pub fn start(plugin: &Plugin, parameters: &serde_json::Value, doors: Box<dyn Doors>) -> Result<Self, Fault> {
        let limits = Limits { host_calls: u64::MAX, ..Limits::DEFAULT };
        let state = State::new(doors, limits, parameters.to_string(), 0, 0);
        Ok(Self { instance: Instance::start(plugin, state)? })
    }

    pub fn transformer(&mut self) -> Result<Transformer, Fault> {
        Ok(Transformer(exported!(self.instance, transformer)?))
    }

    /// One call without a table either way.
    pub fn run(&mut self, transformer: &Transformer) -> Result<(), Fault> {
        let called = transformer.0.call_run(&mut self.instance.store, &[]);
        self.instance.settle(called).map(drop)
    }

    /// Fits a transform to these rows.
    pub fn fit(&mut self, rows: &Table) -> Result<Fitted, Fault> {
        let fitted = exported!(self.instance, fitted)?;
        let rows = self.instance.hand(rows.clone())?;
        let called = fitted.transform().call_fit(&mut self.instance.store, rows);
        let transform = self.instance.settle(called)?;
        Ok(Fitted(fitted, transform))
    }

    /// Applies it to rows.
    pub fn apply(&mut self, fitted: &Fitted, rows: &Table) -> Result<Table, Fault> {
        let rows = self.instance.hand(rows.clone())?;
        let called = fitted.0.transform().call_apply(&mut self.instance.store, fitted.1, rows);
        let applied = self.instance.settle(called)?;
        self.instance.receive(applied)
    }

    /// Trains a model that predicts the label from all other columns.
    pub fn train(&mut self, rows: &Table, label: &str) -> Result<Model, Fault> {
        let trainer = exported!(self.instance, trainer)?;
        let names = rows.schema().fields.iter().map(|field| field.name.clone());
        let training = trainer::Training {
            features: names.filter(|name| name != label).collect(),
            label: Some(label.to_owned()),
            train: self.instance.hand(rows.clone())?,
            validation: None,
            weight: None,
            initial: None,
        };
        let called = trainer.call_train(&mut self.instance.store, &training);
        Ok(Model(self.instance.settle(called)?.files))
    }

    /// Loads a model and has it answer rows.
    pub fn predict(&mut self, model: &Model, rows: &Table) -> Result<Table, Fault> {
        let predictor = exported!(self.instance, predictor)?;
        let called = predictor.model().call_load(&mut self.instance.store, &model.0);
        let model = self.instance.settle(called)?;
        let rows = self.instance.hand(rows.clone())?;
        let called = predictor.model().call_predict(&mut self.instance.store, model, rows);
        let answered = self.instance.settle(called)?;
        self.instance.receive(answered)
    }
}

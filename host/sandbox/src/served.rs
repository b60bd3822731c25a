//! A model version, loaded: request rows through the fitted steps and the predictor, the same code as in training.

use crate::attempt::same_rows;
use crate::engine::Plugin;
use crate::instance::{Instance, exported};
use crate::state::State;
use data::Table;
use ports::{Doors, ServedModel};
use std::sync::Arc;
use types::{Fault, ServedStep};
use wasmtime::component::ResourceAny;

/// A path of restored transformers and a loaded predictor, each in an instance of its own that stays warm.
pub struct Served {
    path: Vec<(Instance, ResourceAny)>,
    predictor: (Instance, ResourceAny),
    response: Vec<String>,
}

impl Served {
    /// Restores every step. `plugin` gives the compiled component of a step; `doors` what it may ask of the world.
    pub fn load(
        model: &ServedModel,
        mut plugin: impl FnMut(&ServedStep) -> Result<Arc<Plugin>, Fault>,
        mut doors: impl FnMut() -> Box<dyn Doors>,
    ) -> Result<Self, Fault> {
        let mut start = |step: &ServedStep| -> Result<Instance, Fault> {
            let (parameters, time) = (step.parameters.to_string(), model.logical_time_us);
            let plugin = plugin(step)?;
            Instance::start(&plugin, State::new(doors(), model.limits, parameters, step.seed, time))
        };
        let mut path = Vec::new();
        for step in &model.path {
            let mut instance = start(step)?;
            let files = instance.load_files(&step.state)?;
            let fitted = exported!(instance, fitted)?;
            let called = fitted.transform().call_restore(&mut instance.store, &files);
            let transform = instance.settle(called)?;
            path.push((instance, transform));
        }
        let mut instance = start(&model.predictor)?;
        let files = instance.load_files(&model.predictor.state)?;
        let predictor = exported!(instance, predictor)?;
        let called = predictor.model().call_load(&mut instance.store, &files);
        let loaded = instance.settle(called)?;
        let response = model.response.iter().map(|field| field.name.clone()).collect();
        Ok(Self { path, predictor: (instance, loaded), response })
    }

    /// The predictor's columns for these rows.
    pub fn predict(&mut self, rows: Table) -> Result<Table, Fault> {
        let count = rows.rows();
        let mut table = rows;
        for (instance, transform) in &mut self.path {
            let fitted = exported!(instance, fitted)?;
            let given = instance.hand(table)?;
            let called = fitted.transform().call_apply(&mut instance.store, *transform, given);
            let applied = instance.settle(called)?;
            table = instance.receive(applied)?;
            same_rows(count, table.rows())?;
        }
        let (instance, model) = &mut self.predictor;
        let predictor = exported!(instance, predictor)?;
        let given = instance.hand(table)?;
        let called = predictor.model().call_predict(&mut instance.store, *model, given);
        let answered = instance.settle(called)?;
        let predictions = instance.receive(answered)?;
        same_rows(count, predictions.rows())?;
        predictions.select(&self.response).map_err(|error| Fault::guest(error.to_string()))
    }
}

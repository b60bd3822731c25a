//! A model version, loaded: request rows through the fitted steps and the predictor, the same code as in training.

use crate::attempt::restored;
use crate::engine::Plugin;
use crate::instance::{Instance, exported};
use crate::row_wise::same_rows;
use crate::state::State;
use data::Table;
use ports::{Doors, ServedModel};
use std::sync::Arc;
use types::{Fault, ServedStep};
use wasmtime::component::ResourceAny;

/// What a restored step makes of these rows, as one request to an instance that stays.
pub(crate) fn applied(
    instance: &mut Instance,
    transform: ResourceAny,
    rows: &Table,
    reads: &[String],
) -> Result<Table, Fault> {
    instance.begin_request();
    let fitted = exported!(instance, fitted)?;
    let shown = instance.show(rows, reads)?;
    let called = fitted.transform().call_apply(&mut instance.store, transform, shown);
    let applied = instance.settle(called)?;
    let applied = instance.receive(applied)?;
    same_rows(rows.rows(), applied.rows())?;
    Ok(applied)
}

/// A path of restored transformers and a loaded predictor, each in an instance of its own that stays warm.
pub struct Served {
    path: Vec<Warm>,
    predictor: Warm,
    response: Vec<String>,
}

/// An instance, what it restored, and the columns it is shown.
struct Warm {
    instance: Instance,
    resource: ResourceAny,
    reads: Vec<String>,
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
            let transform = restored(&mut instance, &step.state)?;
            path.push(Warm { instance, resource: transform, reads: step.reads.clone() });
        }
        let mut instance = start(&model.predictor)?;
        let files = instance.load_files(&model.predictor.state)?;
        let predictor = exported!(instance, predictor)?;
        let called = predictor.model().call_load(&mut instance.store, &files);
        let loaded = instance.settle(called)?;
        let response = model.response.iter().map(|field| field.name.clone()).collect();
        let predictor = Warm { instance, resource: loaded, reads: model.predictor.reads.clone() };
        Ok(Self { path, predictor, response })
    }

    /// The predictor's columns for these rows.
    pub fn predict(&mut self, rows: Table) -> Result<Table, Fault> {
        let count = rows.rows();
        let mut table = rows;
        for Warm { instance, resource, reads } in &mut self.path {
            let applied = applied(instance, *resource, &table, reads)?;
            table = table.with_columns(&applied).map_err(|error| Fault::guest(error.to_string()))?;
        }
        let Warm { instance, resource, reads } = &mut self.predictor;
        instance.begin_request();
        let predictor = exported!(instance, predictor)?;
        let shown = instance.show(&table, reads)?;
        let called = predictor.model().call_predict(&mut instance.store, *resource, shown);
        let answered = instance.settle(called)?;
        let predictions = instance.receive(answered)?;
        same_rows(count, predictions.rows())?;
        predictions.select(&self.response).map_err(|error| Fault::guest(error.to_string()))
    }
}

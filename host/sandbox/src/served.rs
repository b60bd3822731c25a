//! A model version, loaded: request rows through the fitted steps and the predictor, the same code as in training.

use crate::attempt::restored;
use crate::bindings::role;
use crate::engine::Plugin;
use crate::instance::{Instance, exported};
use crate::row_wise::same_rows;
use crate::state::State;
use data::Table;
use ports::{Doors, ServedModel};
use std::sync::Arc;
use std::time::{Duration, Instant};
use types::{Fault, SavedFile, ServedStep, TableRef};
use wasmtime::component::ResourceAny;

/// A restored step in an instance that stays, its exports looked up once.
pub(crate) struct Transformer {
    instance: Instance,
    exports: role::fitted::Guest,
    transform: ResourceAny,
    reads: Vec<String>,
}

impl Transformer {
    /// With what its state restores; it is shown the columns that it reads.
    pub(crate) fn restore(mut instance: Instance, state: &[SavedFile], reads: &[String]) -> Result<Self, Fault> {
        let transform = restored(&mut instance, state)?;
        let exports = exported!(instance, fitted)?;
        Ok(Self { instance, exports, transform, reads: reads.to_vec() })
    }

    /// A stored table, for it to be asked about.
    pub(crate) fn open(&self, reference: &TableRef) -> Result<Table, Fault> {
        self.instance.open(reference)
    }

    /// What it makes of these rows, as one request.
    pub(crate) fn applied(&mut self, rows: &Table) -> Result<Table, Fault> {
        let Self { instance, exports, transform, reads } = self;
        instance.begin_request();
        let shown = instance.show(rows, reads)?;
        let called = exports.transform().call_apply(&mut instance.store, *transform, shown);
        let applied = instance.settle(called)?;
        let applied = instance.receive(applied)?;
        same_rows(rows.rows(), applied.rows())?;
        Ok(applied)
    }
}

/// A loaded predictor, likewise.
struct Predictor {
    instance: Instance,
    exports: role::predictor::Guest,
    model: ResourceAny,
    reads: Vec<String>,
}

impl Predictor {
    fn load(mut instance: Instance, step: &ServedStep) -> Result<Self, Fault> {
        let files = instance.load_files(&step.state)?;
        let exports = exported!(instance, predictor)?;
        let called = exports.model().call_load(&mut instance.store, &files);
        let model = instance.settle(called)?;
        Ok(Self { instance, exports, model, reads: step.reads.clone() })
    }

    fn predictions(&mut self, rows: &Table) -> Result<Table, Fault> {
        let Self { instance, exports, model, reads } = self;
        instance.begin_request();
        let shown = instance.show(rows, reads)?;
        let called = exports.model().call_predict(&mut instance.store, *model, shown);
        let answered = instance.settle(called)?;
        let predictions = instance.receive(answered)?;
        same_rows(rows.rows(), predictions.rows())?;
        Ok(predictions)
    }
}

/// A path of restored transformers and a loaded predictor, each in an instance of its own that stays warm.
pub struct Served {
    path: Vec<Transformer>,
    predictor: Predictor,
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
        let path = model.path.iter().map(|step| Transformer::restore(start(step)?, &step.state, &step.reads));
        let path = path.collect::<Result<_, _>>()?;
        let predictor = Predictor::load(start(&model.predictor)?, &model.predictor)?;
        Ok(Self { path, predictor, response: model.response.iter().map(|field| field.name.clone()).collect() })
    }

    /// The predictor's columns for these rows; and what the steps before it took, and it.
    pub fn predict(&mut self, rows: Table) -> Result<(Table, [Duration; 2]), Fault> {
        let (begun, mut table) = (Instant::now(), rows);
        for step in &mut self.path {
            let applied = step.applied(&table)?;
            table = table.with_columns(&applied).map_err(|error| Fault::guest(error.to_string()))?;
        }
        let transformed = Instant::now();
        let predictions = self.predictor.predictions(&table)?;
        let predictions = predictions.select(&self.response).map_err(|error| Fault::guest(error.to_string()))?;
        Ok((predictions, [transformed - begun, transformed.elapsed()]))
    }
}

//! A role is a trait here and an exported interface in the contract; [`Exported`] carries one to the other.
//!
//! Each section below is one role: what the plugin writes, then the few lines that the host calls.

use crate::bindings::stepwell::step::types::{NamedTable, Port, SavedFile};
use crate::bindings::{
    collector::exports::stepwell::step::collector as collector_wire,
    description::exports::stepwell::step::description as description_wire,
    evaluator::exports::stepwell::step::evaluator as evaluator_wire,
    fitted::exports::stepwell::step::fitted as fitted_wire,
    predictor::exports::stepwell::step::predictor as predictor_wire, sink::exports::stepwell::step::sink as sink_wire,
    trainer::exports::stepwell::step::trainer as trainer_wire,
    transformer::exports::stepwell::step::transformer as transformer_wire,
    validator::exports::stepwell::step::validator as validator_wire,
};
use crate::{Descriptor, Field, Inputs, Result, SavedFiles, Table};
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;

/// What [`export!`](crate::export) hands to the host in place of the plugin's type.
#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

/// What every plugin says of itself, whatever its roles.
pub trait Plugin: 'static {
    /// What it needs and gives under the parameters set and with the columns on its inputs. Reads no rows.
    fn describe(inputs: &Inputs) -> Result<Descriptor>;
}

impl<T: Plugin> description_wire::Guest for Exported<T> {
    fn describe(inputs: Vec<Port>) -> Result<description_wire::Descriptor> {
        T::describe(&Inputs(inputs))?.checked()
    }
}

pub use collector_wire::Page;

/// Brings rows in from outside, a page at a time.
pub trait Collector: Plugin {
    /// The columns there are at the source. Called before a run; reads little.
    fn discover() -> Result<Vec<Field>>;

    /// The page that begins at a cursor; none asks for the first. Each page has the same columns.
    fn read(cursor: Option<Vec<u8>>) -> Result<Page>;
}

impl<T: Collector> collector_wire::Guest for Exported<T> {
    fn discover() -> Result<Vec<Field>> {
        T::discover()
    }

    fn read(cursor: Option<Vec<u8>>) -> Result<Page> {
        T::read(cursor)
    }
}

/// Tables under the names of their ports.
pub struct Tables(Vec<NamedTable>);

impl Tables {
    /// No tables yet.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// Every table with its port.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.0.iter().map(|named| (named.name.as_str(), &named.table))
    }

    /// Adds the table of a port.
    pub fn and(mut self, name: &str, table: Table) -> Self {
        self.0.push(NamedTable { name: name.into(), table });
        self
    }

    /// The table of a port, or an error that names the port.
    pub fn get(&self, name: &str) -> Result<&Table> {
        let found = self.0.iter().find(|named| named.name == name);
        found.map(|named| &named.table).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|named| named.name.as_str()).collect();
            crate::Error::invalid(name, format!("expected a table on this port, got {names:?}"))
        })
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::new()
    }
}

/// Tables to tables, without state: split, join, aggregate.
pub trait Transformer: Plugin {
    /// The tables of the output ports, from those of the input ports.
    fn run(inputs: Tables) -> Result<Tables>;
}

impl<T: Transformer> transformer_wire::Guest for Exported<T> {
    fn run(inputs: Vec<NamedTable>) -> Result<Vec<NamedTable>> {
        Ok(T::run(Tables(inputs))?.0)
    }
}

/// The file in which a [`RowWise`] plugin is saved, unless it says otherwise.
const STATE: &str = "state.json";

/// Row-wise, with what it learnt from the training rows: the same code in training and in serving (role `fitted`).
///
/// The type is what was learnt; it is saved as one JSON file. A plugin that learns nothing is a unit struct.
pub trait RowWise: Plugin + Serialize + DeserializeOwned {
    /// Learns from rows. Called once, in training; with no rows and no columns if the descriptor does not say
    /// [`learns`](crate::Descriptor::learns).
    fn fit(rows: &Table) -> Result<Self>;

    /// As many rows as came, in the same order; row i is made of row i alone.
    fn apply(&self, rows: &Table) -> Result<Table>;

    /// The state as files, for [`restore`](Self::restore).
    fn save(&self) -> Result<SavedFiles> {
        SavedFiles::new().json(STATE, self)
    }

    /// What [`save`](Self::save) gave, back.
    fn restore(files: &SavedFiles) -> Result<Self> {
        files.read_json(STATE)
    }
}

impl<T: RowWise> fitted_wire::Guest for Exported<T> {
    type Transform = T;
}

impl<T: RowWise> fitted_wire::GuestTransform for T {
    fn fit(rows: Table) -> Result<fitted_wire::Transform> {
        Ok(fitted_wire::Transform::new(<T as RowWise>::fit(&rows)?))
    }

    fn restore(files: Vec<SavedFile>) -> Result<fitted_wire::Transform> {
        // No files: nothing was fitted, because the plugin learns nothing. It begins as if from no rows.
        let restored = match files.is_empty() {
            true => <T as RowWise>::fit(&Table::builder().finish()?)?,
            false => <T as RowWise>::restore(&SavedFiles(files))?,
        };
        Ok(fitted_wire::Transform::new(restored))
    }

    fn save(&self) -> Result<Vec<SavedFile>> {
        Ok(RowWise::save(self)?.0)
    }

    fn apply(&self, rows: Table) -> Result<Table> {
        RowWise::apply(self, &rows)
    }
}

pub use validator_wire::{Finding, Severity};

/// Judges data. An `error` finding that failed stops the run; a `warning` is shown.
pub trait Validator: Plugin {
    /// One finding a check, passed or not. What is wrong with the data is a finding, never an error.
    fn check(rows: &Table, reference: Option<&Table>) -> Result<Vec<Finding>>;
}

impl<T: Validator> validator_wire::Guest for Exported<T> {
    fn check(rows: Table, reference: Option<Table>) -> Result<Vec<Finding>> {
        T::check(&rows, reference.as_ref())
    }
}

pub use trainer_wire::{Measure as TrainingMeasure, Training};

/// A trained model, before it is stored.
#[derive(Debug)]
pub struct Trained {
    /// What the predictor loads.
    pub files: SavedFiles,
    /// The columns the predictor reads.
    pub inputs: Vec<Field>,
    /// The columns the predictor gives.
    pub outputs: Vec<Field>,
    /// What training itself knows: iterations, final loss.
    pub measures: Vec<(String, f64)>,
}

/// Learns a model from rows.
pub trait Trainer: Plugin {
    /// A model of the training's label by its features.
    fn train(training: &Training) -> Result<Trained>;
}

impl<T: Trainer> trainer_wire::Guest for Exported<T> {
    fn train(training: Training) -> Result<trainer_wire::Trained> {
        let Trained { files, inputs, outputs, measures } = T::train(&training)?;
        let measures = measures.into_iter().map(|(name, value)| TrainingMeasure { name, value }).collect();
        Ok(trainer_wire::Trained { files: files.0, inputs, outputs, measures })
    }
}

/// Answers with a trained model. Row i of the answer is made of row i alone, to the same bits in any batch.
pub trait Predictor: Plugin + Sized {
    /// The model in the files that the trainer gave.
    fn load(files: &SavedFiles) -> Result<Self>;

    /// The columns of the trained signature's outputs, a row a row.
    fn predict(&self, rows: &Table) -> Result<Table>;
}

impl<T: Predictor> predictor_wire::Guest for Exported<T> {
    type Model = T;
}

impl<T: Predictor> predictor_wire::GuestModel for T {
    fn load(files: Vec<SavedFile>) -> Result<predictor_wire::Model> {
        Ok(predictor_wire::Model::new(<T as Predictor>::load(&SavedFiles(files))?))
    }

    fn predict(&self, rows: Table) -> Result<Table> {
        Predictor::predict(self, &rows)
    }
}

pub use evaluator_wire::{Interval, Measure};

/// Measures how good predictions are.
pub trait Evaluator: Plugin {
    /// Measures over all rows and over each value of each column in `slices`; with a baseline, the same for it and the
    /// difference on the same rows.
    fn evaluate(candidate: &Table, baseline: Option<&Table>, slices: &[String]) -> Result<Vec<Measure>>;
}

impl<T: Evaluator> evaluator_wire::Guest for Exported<T> {
    fn evaluate(candidate: Table, baseline: Option<Table>, slices: Vec<String>) -> Result<Vec<Measure>> {
        T::evaluate(&candidate, baseline.as_ref(), &slices)
    }
}

pub use sink_wire::Receipt;

/// What a sink is to bring out; which it can be is said by the ports of its descriptor: `table`, `report`, `model`.
#[derive(Debug)]
pub enum Delivery {
    /// Rows.
    Table(Table),
    /// What an evaluator measured or a validator found, as a JSON array.
    Report(String),
    /// What a trainer learnt; `about` is its signature, measures and plugin as a JSON object.
    Model {
        /// The trainer's files.
        files: SavedFiles,
        /// A JSON object.
        about: String,
    },
}

/// Brings something out: a table into a warehouse, a model to a device, a report to people.
pub trait Sink: Plugin {
    /// Delivers once for each key, however often it is called: an attempt that was cut off is followed by another with the
    /// same key. Says where the delivery lies now, and whether an earlier attempt had brought it there.
    fn deliver(key: &str, delivery: Delivery) -> Result<Receipt>;
}

impl<T: Sink> sink_wire::Guest for Exported<T> {
    fn deliver(key: String, delivery: sink_wire::Delivery) -> Result<Receipt> {
        let delivery = match delivery {
            sink_wire::Delivery::Table(table) => Delivery::Table(table),
            sink_wire::Delivery::Report(report) => Delivery::Report(report),
            sink_wire::Delivery::Model(model) => Delivery::Model { files: SavedFiles(model.files), about: model.about },
        };
        T::deliver(&key, delivery)
    }
}

/// Makes a type the plugin of this crate: `stepwell::export!(Median: RowWise);`, or several roles joined by `+`
/// (`Trainer + Predictor`). The roles are those of the component's type, so leave out what the plugin is not.
#[macro_export]
macro_rules! export {
    ($plugin:ident: $role:ident $(+ $more:ident)*) => {
        // Natively there is no host, and no linker takes these names; but the roles are checked.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn plays<T: $crate::$role $(+ $crate::$more)*>() {}
            plays::<$plugin>();
        };
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::Exported<$plugin>;
            $crate::bindings::description::export!(Exported with_types_in $crate::bindings::description);
            $crate::export!(@role $role Exported);
            $($crate::export!(@role $more Exported);)*
        };
    };
    (@role Collector $exported:ident) => {
        $crate::bindings::collector::export!($exported with_types_in $crate::bindings::collector);
    };
    (@role Transformer $exported:ident) => {
        $crate::bindings::transformer::export!($exported with_types_in $crate::bindings::transformer);
    };
    (@role RowWise $exported:ident) => {
        $crate::bindings::fitted::export!($exported with_types_in $crate::bindings::fitted);
    };
    (@role Validator $exported:ident) => {
        $crate::bindings::validator::export!($exported with_types_in $crate::bindings::validator);
    };
    (@role Trainer $exported:ident) => {
        $crate::bindings::trainer::export!($exported with_types_in $crate::bindings::trainer);
    };
    (@role Predictor $exported:ident) => {
        $crate::bindings::predictor::export!($exported with_types_in $crate::bindings::predictor);
    };
    (@role Evaluator $exported:ident) => {
        $crate::bindings::evaluator::export!($exported with_types_in $crate::bindings::evaluator);
    };
    (@role Sink $exported:ident) => {
        $crate::bindings::sink::export!($exported with_types_in $crate::bindings::sink);
    };
}

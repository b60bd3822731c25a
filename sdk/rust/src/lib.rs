#![doc = include_str!("../README.md")]
//! ```
#![doc = include_str!("../examples/ratio.rs")]
//! ```

#[doc(hidden)]
pub mod bindings;
mod class;
mod classes;
mod column;
mod descriptor;
mod error;
pub mod field;
pub mod finite;
mod moments;
mod numbers;
pub mod query;
mod random;
pub mod report;
mod roles;
mod row_wise;
mod saved;
mod settings;
mod table;
pub mod tensor;
pub mod training;
mod weights;

/// Files beneath the folders that the pipeline granted (`grants.files`).
pub mod files {
    pub use crate::bindings::stepwell::platform::files::{File, NewFile, create, list_files, open};
}

/// Requests that the server makes for the step (`grants.http`).
pub mod http {
    pub use crate::bindings::stepwell::platform::http::{Request, Response, fetch};
    pub use crate::bindings::stepwell::platform::secrets::placeholder;
}

/// Values that whoever runs the server set for steps (`grants.environment`).
pub mod environment {
    pub use crate::bindings::stepwell::platform::environment::variable;
}

/// The real time (`grants.clock`) and real randomness (`grants.randomness`). A step that uses them cannot be replayed;
/// [`crate::logical_time`] and [`crate::Rng`] can.
pub mod real {
    pub use crate::bindings::stepwell::platform::clock::now;
    pub use crate::bindings::stepwell::platform::entropy::bytes as random_bytes;
}

/// What an interrupted attempt of this step left for the next.
pub mod checkpoint {
    pub use crate::bindings::stepwell::platform::checkpoint::{load, save};
}

/// The heavy passes of growing decision trees on histograms; which split to make is the plugin's decision.
pub mod trees {
    pub use crate::bindings::stepwell::tensor::trees::{Binned, Feature, Growth, ends};
}

#[doc(hidden)]
pub use serde as __serde;

pub use class::Class;
pub use classes::Classes;
pub use column::{AnyColumn, Column, Date, Timestamp};
pub use descriptor::{Descriptor, Inputs};
pub use error::{Error, Result};
pub use field::{DataType, Field};
pub use moments::Moments;
pub use random::Rng;
#[doc(hidden)]
pub use roles::Exported;
pub use roles::{
    Collector, Delivery, Evaluator, Finding, Interval, Measure, Page, Plugin, Predictor, Receipt, RowWise, Severity,
    Sink, Tables, Trained, Trainer, Training, TrainingMeasure, Transformer, Validator,
};
pub use saved::{SavedFile, SavedFiles};
pub use settings::{logical_time, params, parse, seed};
pub use table::{Table, TableBuilder};
pub use tensor::Tensor;
pub use weights::Weights;

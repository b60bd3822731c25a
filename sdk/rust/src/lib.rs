#![doc = include_str!("../README.md")]
//! ```
#![doc = include_str!("../examples/ratio.rs")]
//! ```

#[doc(hidden)]
pub mod bindings;
mod class;
mod column;
mod descriptor;
mod error;
pub mod field;
mod random;
pub mod report;
mod roles;
mod row_wise;
mod saved;
mod settings;
mod table;
pub mod tensor;

/// Files beneath the folders that the pipeline granted.
pub mod files {
    pub use crate::bindings::stepwell::platform::files::{File, open};
}

/// What an interrupted attempt of this step left for the next.
pub mod checkpoint {
    pub use crate::bindings::stepwell::platform::checkpoint::{load, save};
}

#[doc(hidden)]
pub use serde as __serde;

pub use class::Class;
pub use column::{AnyColumn, Column, Date, Timestamp};
pub use descriptor::{Descriptor, Inputs};
pub use error::{Error, Result};
pub use field::{DataType, Field};
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

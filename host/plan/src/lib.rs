//! A checked project and plugin descriptors -> a [`Plan`]: steps in order, wiring, served path.
//!
//! Pure: no files, no clock, no plugin is run here; [`build`] asks its caller to describe each step when the columns on its
//! inputs are known. `run` executes the result, which is plain data and is stored with the run.

mod step;

pub use step::{Plan, PlannedPlugin, PlannedStep, ServedPath, Work};

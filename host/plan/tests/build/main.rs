//! `plan::build` with fake plugins: what it refuses, and what it plans.

mod compared;
mod course;
mod devices;
mod examined;
mod expansion;
mod fake;
mod planned;
mod policy;
mod refused;
mod sinks;
mod unheeded;
mod unpaired;

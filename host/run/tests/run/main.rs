//! Runs, driven to their end over fakes of every port: no process, no wasm, no sleep.

mod answers;
mod choices;
mod collect;
mod course;
mod fakes;
mod plans;
mod resume;
mod retry;
mod simulation;
mod stop;

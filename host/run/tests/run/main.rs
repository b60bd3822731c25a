//! Runs, driven to their end over fakes of every port: no process, no wasm, no sleep.

mod ahead;
mod answers;
mod cached;
mod champion;
mod choices;
mod collect;
mod conditions;
mod course;
mod examined;
mod fakes;
mod items;
mod plans;
mod resume;
mod retry;
mod simulation;
mod stop;

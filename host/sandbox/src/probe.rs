//! What a call costs: an instance that is kept and called again and again, by the exports that attempts call. Benchmarks
//! and the table of languages are made of it; an attempt never keeps an instance.

use crate::bindings::role::{fitted, transformer};
use crate::engine::Plugin;
use crate::instance::{Instance, exported};
use crate::state::State;
use data::Table;
use ports::Doors;
use types::{Fault, Limits};
use wasmtime::component::ResourceAny;

/// An instance under the default limits, without parameters.
pub struct Probe {
    instance: Instance,
}

/// A transformer's export, looked up once.
pub struct Transformer(transformer::Guest);

/// A fitted transform, and the export it belongs to.
pub struct Fitted(fitted::Guest, ResourceAny);

impl Probe {
    /// A fresh store and instance, as each attempt has.
    pub fn start(plugin: &Plugin, doors: Box<dyn Doors>) -> Result<Self, Fault> {
        let limits = Limits { host_calls: u64::MAX, ..Limits::DEFAULT };
        let state = State::new(doors, limits, "{}".to_owned(), 0, 0);
        Ok(Self { instance: Instance::start(plugin, state)? })
    }

    pub fn transformer(&mut self) -> Result<Transformer, Fault> {
        Ok(Transformer(exported!(self.instance, transformer)?))
    }

    /// One call without a table either way.
    pub fn run(&mut self, transformer: &Transformer) -> Result<(), Fault> {
        let called = transformer.0.call_run(&mut self.instance.store, &[]);
        self.instance.settle(called).map(drop)
    }

    /// Fits a transform to these rows.
    pub fn fit(&mut self, rows: &Table) -> Result<Fitted, Fault> {
        let fitted = exported!(self.instance, fitted)?;
        let rows = self.instance.hand(rows.clone())?;
        let called = fitted.transform().call_fit(&mut self.instance.store, rows);
        let transform = self.instance.settle(called)?;
        Ok(Fitted(fitted, transform))
    }

    /// Applies it to rows.
    pub fn apply(&mut self, fitted: &Fitted, rows: &Table) -> Result<Table, Fault> {
        let rows = self.instance.hand(rows.clone())?;
        let called = fitted.0.transform().call_apply(&mut self.instance.store, fitted.1, rows);
        let applied = self.instance.settle(called)?;
        self.instance.receive(applied)
    }
}

//! `stepwell:tensor/trees`: rows as bins, and trees that a guest grows on them; columns are read here, crate `trees` sums.

use crate::bindings::stepwell::tensor::trees::{Feature, Host, HostBinned, HostGrowth};
use crate::state::{Answer, State};
use data::Table;
use rayon::prelude::*;
use tensors::Tensor;
use trees::{BINS_MAX, Binned, Error, FEATURES_MAX, Growth, edges, sampled_rows};
use wasmtime::component::Resource;

/// Where the bins of a column end.
fn ends_of(table: &Table, column: &str, bins: usize) -> Result<Vec<f64>, data::Error> {
    const CHUNK_ROWS: u32 = 65_536;
    let chunks = (0..table.rows()).step_by(CHUNK_ROWS as usize);
    let mut values = Vec::with_capacity(table.rows() as usize);
    for start in chunks {
        values.extend(data::numbers_or_nan(table, column, start, CHUNK_ROWS)?);
    }
    Ok(edges(values, bins))
}

impl Host for State {
    fn ends(&mut self, table: Resource<Table>, columns: Vec<String>, bins: u32) -> Answer<Vec<Vec<f64>>> {
        self.enter()?;
        if !(1..=BINS_MAX).contains(&(bins as usize)) {
            return Err(Error::new("bins", format!("is {bins}, expected 1 to {BINS_MAX}")).into());
        }
        if columns.len() > FEATURES_MAX {
            return Err(Error::new("columns", format!("are {}, expected at most {FEATURES_MAX}", columns.len())).into());
        }
        let table = self.resources.get(&table)?.select(&columns)?;
        let table = match sampled_rows(table.rows()) {
            Some(rows) => table.take(&rows)?,
            None => table,
        };
        let ends: Result<_, data::Error> =
            columns.par_iter().map(|column| ends_of(&table, column, bins as usize)).collect();
        Ok(ends?)
    }
}

/// Why a binned table could not be made.
enum Unbinned {
    Table(data::Error),
    Bins(Error),
}

impl From<Error> for Unbinned {
    fn from(error: Error) -> Self {
        Self::Bins(error)
    }
}

impl HostBinned for State {
    fn create(&mut self, table: Resource<Table>, features: Vec<Feature>) -> Answer<Resource<Binned>> {
        self.enter()?;
        let table = self.resources.get(&table)?;
        let (columns, ends): (Vec<_>, Vec<_>) = features.into_iter().map(|one| (one.column, one.ends)).unzip();
        let read = |feature: usize, start: usize, length: usize| {
            let numbers = data::numbers_or_nan(table, &columns[feature], start as u64, length as u32);
            numbers.map_err(Unbinned::Table)
        };
        match Binned::create(table.rows(), &ends, read) {
            Ok(binned) => self.hold(binned),
            Err(Unbinned::Table(error)) => Err(error.into()),
            Err(Unbinned::Bins(error)) => Err(error.into()),
        }
    }

    fn drop(&mut self, binned: Resource<Binned>) -> wasmtime::Result<()> {
        self.let_go(binned)?;
        Ok(())
    }
}

impl HostGrowth for State {
    fn learn(
        &mut self,
        rows: Resource<Binned>,
        gradients: Resource<Tensor>,
        hessians: Resource<Tensor>,
        taken: Option<Resource<Tensor>>,
    ) -> Answer<Resource<Growth>> {
        self.enter()?;
        let numbers = |tensor: &Resource<Tensor>| -> Answer<Vec<f64>> { Ok(self.resources.get(tensor)?.numbers()?) };
        let (gradients, hessians) = (numbers(&gradients)?, numbers(&hessians)?);
        let taken = taken.as_ref().map(numbers).transpose()?;
        let growth = Growth::learn(self.resources.get(&rows)?, &gradients, &hessians, taken.as_deref())?;
        self.hold(growth)
    }

    fn follow(&mut self, rows: Resource<Binned>) -> Answer<Resource<Growth>> {
        self.enter()?;
        let growth = Growth::follow(self.resources.get(&rows)?);
        self.hold(growth)
    }

    fn histogram(&mut self, growth: Resource<Growth>, node: u32) -> Answer<Vec<u8>> {
        self.enter()?;
        Ok(self.resources.get_mut(&growth)?.histogram(node)?)
    }

    fn split(&mut self, growth: Resource<Growth>, node: u32, feature: u32, left: Vec<u8>) -> Answer<(u32, u32)> {
        self.enter()?;
        Ok(self.resources.get_mut(&growth)?.split(node, feature, &left)?)
    }

    fn values(&mut self, growth: Resource<Growth>, of_nodes: Vec<f64>) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let values = self.resources.get(&growth)?.values(&of_nodes)?;
        self.place(Tensor::from_numbers(values)?)
    }

    fn drop(&mut self, growth: Resource<Growth>) -> wasmtime::Result<()> {
        self.let_go(growth)?;
        Ok(())
    }
}

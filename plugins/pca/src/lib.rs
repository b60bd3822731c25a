//! Columns of numbers -> their principal components `pc1`, `pc2`, .., as learnt from the training rows.
//!
//! Components are the directions of greatest variance, the greatest first, each with the sign that makes its largest loading
//! positive: scikit-learn's `PCA`. Variances are divided by n - 1. The host sums the products of the columns piece by piece,
//! so the table may be large; the guest finds the eigenvectors of their covariance.

mod eigen;
mod params;

use crate::params::{PARAMETERS, Params};
use serde::{Deserialize, Serialize};
use stepwell::{Descriptor, Error, Field, Inputs, Moments, Plugin, Result, RowWise, Table, finite, report};

/// A component with a smaller share of the greatest one's variance is rounding: whitened it is 0.
const NO_VARIANCE: f64 = 1e-12;
/// Rows that are in memory together.
const BLOCK_ROWS: u64 = 4096;

/// What was learnt.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pca {
    columns: Vec<String>,
    means: Vec<f64>,
    components: Vec<Component>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Component {
    name: String,
    /// One a column; together of length 1.
    loadings: Vec<f64>,
    variance: f64,
    /// Of all columns' variance.
    share: f64,
    /// What it is multiplied by: 1, or what gives it variance 1.
    scale: f64,
}

impl Pca {
    fn learn(columns: Vec<String>, moments: Moments, params: &Params) -> Result<Self> {
        let width = columns.len();
        let degrees = moments.weight - 1.0;
        let most = params.components.unwrap_or(1);
        if degrees < most.max(1) as f64 {
            let rows = moments.weight;
            return Err(Error::invalid(
                "components",
                format!("expected more rows than the {most} components, got {rows}"),
            ));
        }
        let covariance: Vec<f64> = moments.products.iter().map(|product| product / degrees).collect();
        let total: f64 = (0..width).map(|column| covariance[column * width + column]).sum();
        finite::check("the sum of the columns' variances", total)?;
        let pairs = eigen::eigen(covariance, width);
        let shares: Vec<f64> =
            pairs.iter().map(|(variance, _)| if total > 0.0 { variance / total } else { 0.0 }).collect();
        let count = match params.variance {
            Some(wanted) => enough(&shares, wanted),
            None => params.components.unwrap_or(width),
        };
        let greatest = pairs.first().map_or(0.0, |(variance, _)| *variance);
        let scale = |variance: f64| match params.whiten {
            true if variance > NO_VARIANCE * greatest => 1.0 / variance.sqrt(),
            true => 0.0,
            false => 1.0,
        };
        let named = params.names(count).into_iter().zip(pairs).zip(shares);
        let component = |((name, (variance, loadings)), share)| Component {
            name,
            loadings,
            variance,
            share,
            scale: scale(variance),
        };
        let components: Vec<Component> = named.map(component).collect();
        for Component { name, loadings, variance, .. } in &components {
            finite::check(&format!("the variance of `{name}`"), *variance)?;
            finite::check_columns(&columns, &format!("a loading in `{name}`"), loadings.iter().copied())?;
        }
        Ok(Self { columns, means: moments.means, components })
    }

    /// Row-major: the components of rows whose columns these are.
    fn components(&self, columns: &[Vec<f64>], rows: usize) -> Vec<f64> {
        let width = self.components.len();
        let mut values = vec![0.0; rows * width];
        for (place, (column, mean)) in columns.iter().zip(&self.means).enumerate() {
            let loadings: Vec<f64> = self.components.iter().map(|component| component.loadings[place]).collect();
            for (row, value) in values.chunks_mut(width).zip(column) {
                row.iter_mut().zip(&loadings).for_each(|(sum, loading)| *sum += (value - mean) * loading);
            }
        }
        let scales = self.components.iter().map(|component| component.scale).cycle();
        values.iter_mut().zip(scales).for_each(|(value, scale)| *value *= scale);
        values
    }
}

/// As many of the first shares as add up to more than wanted; all, if they do not.
fn enough(shares: &[f64], wanted: f64) -> usize {
    let mut sum = 0.0;
    let reached = shares.iter().position(|share| {
        sum += share;
        sum > wanted
    });
    reached.map_or(shares.len(), |place| place + 1)
}

impl RowWise for Pca {
    fn fit(rows: &Table) -> Result<Self> {
        let params = stepwell::params::<Params>()?.checked()?;
        // The host shows the columns that `describe` said are read: the selected ones.
        let columns: Vec<String> = rows.schema().into_iter().map(|field| field.name).collect();
        let fitted = Self::learn(columns.clone(), Moments::of(rows, &columns, None)?, &params)?;
        let kept: f64 = fitted.components.iter().map(|component| component.share).sum();
        report::info(format!("{} components keep {kept:.4} of the variance", fitted.components.len()));
        Ok(fitted)
    }

    fn apply(&self, rows: &Table) -> Result<Table> {
        let mut gathered = vec![Vec::<f64>::with_capacity(rows.rows() as usize); self.components.len()];
        for start in (0..rows.rows()).step_by(BLOCK_ROWS as usize) {
            let block = rows.slice(start, BLOCK_ROWS);
            let columns =
                self.columns.iter().map(|column| values(&block, column, start)).collect::<Result<Vec<_>>>()?;
            let components = self.components(&columns, block.rows() as usize);
            for (place, gathered) in gathered.iter_mut().enumerate() {
                gathered.extend(components.iter().skip(place).step_by(self.components.len()));
            }
        }
        for (component, values) in self.components.iter().zip(&gathered) {
            finite::check_rows(&format!("`{}`", component.name), values)?;
        }
        let named = self.components.iter().zip(gathered);
        named.fold(Table::builder(), |table, (component, values)| table.column(&component.name, values)).finish()
    }
}

/// `start` is the position of the block's first row.
fn values(block: &Table, column: &str, start: u64) -> Result<Vec<f64>> {
    let values = block.f64(column)?.required()?;
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(row) => {
            let (got, row) = (values[row], start + row as u64);
            Err(Error::invalid(column, format!("expected a finite number in every row, got {got} in row {row}")))
        }
    }
}

impl Plugin for Pca {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS).learns();
        let Some(fields) = inputs.port("rows") else {
            return Ok(descriptor.input("rows", []).output_same_rows("rows", [], "rows"));
        };
        let params = stepwell::params::<Params>()?.checked()?;
        let selected: Vec<Field> = params.select(fields)?;
        let given = params.gives(fields, &selected)?;
        Ok(descriptor.input("rows", selected).output_same_rows("rows", given, "rows"))
    }
}

stepwell::export!(Pca: RowWise);

#[cfg(test)]
mod tests;

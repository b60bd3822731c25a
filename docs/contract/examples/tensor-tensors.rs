use stepwell::tensor::ElementType;
use stepwell::{Result, Table, Tensor};

/// Columns as a matrix [rows, columns], whose bytes never enter the plugin, and the mean of each: [columns].
pub fn means(rows: &Table, columns: &[String]) -> Result<Vec<f64>> {
    let matrix = Tensor::from_table(rows, columns, ElementType::Float64)?;
    matrix.mean_over(0)?.to_f64()
}

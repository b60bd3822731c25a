use stepwell::tensor::ElementType;
use stepwell::trees::{Binned, Feature, Growth, ends};
use stepwell::{Result, Table, Tensor};

/// Two groups of rows, those up to the median of a column and the others: the mean of `targets` [rows] in each row's own.
pub fn halves(rows: &Table, column: &str, targets: &Tensor) -> Result<Tensor> {
    let names = [column.to_string()];
    let features = ends(rows, &names, 2)?.into_iter().map(|ends| Feature { column: column.into(), ends });
    let binned = Binned::create(rows, &features.collect::<Vec<_>>())?;
    let ones = Tensor::full(&[rows.rows() as u32], ElementType::Float64, 1.0)?;
    let growth = Growth::learn(&binned, targets, &ones, None)?;
    let (low, high) = growth.split(0, 0, &[0])?;
    let mean = |node: u32| -> Result<f64> {
        let bins = growth.histogram(node)?;
        let words: Vec<f64> = bins.as_chunks().0.iter().map(|word| f64::from_le_bytes(*word)).collect();
        // Three numbers a bin: gradients, hessians (here rows), and a count, which is no float.
        let sum = |first: usize| words.iter().skip(first).step_by(3).sum::<f64>();
        Ok(sum(0) / sum(1))
    };
    growth.values(&[0.0, mean(low)?, mean(high)?])
}

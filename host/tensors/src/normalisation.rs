//! What steadies training: layer norm and dropout.

use crate::array::{Elements, Real, array, by_real, in_rows, zip};
use crate::graph::pull;
use crate::lanes::row_sum;
use crate::native::{Array, Native};
use crate::{Error, Tensor, random};

impl Tensor {
    /// (x - mean) / sqrt(variance + epsilon) over the last dimension, times `weight`, plus `bias`.
    pub fn layer_norm(&self, weight: Option<&Tensor>, bias: Option<&Tensor>, epsilon: f64) -> Result<Self, Error> {
        self.expect_real("tensor")?;
        if !(0.0..f64::INFINITY).contains(&epsilon) {
            return Err(Error::invalid("epsilon", format!("is {epsilon}, expected a number from 0 on")));
        }
        let Some(&width) = self.dims().last() else {
            let expected = "at least one dimension".to_owned();
            return Err(Error::Shape { operation: "layer-norm", expected, got: "shape []".to_owned() });
        };
        let mut made = match (self.is_vacant(), self.is_beside()) {
            (true, _) => self.clone(),
            (false, true) => self.normalised_beside(epsilon)?,
            (false, false) => self.normalised(epsilon)?,
        };
        if let Some(weight) = weight {
            weight.expect_shape("layer-norm", "weight", &[width])?;
            made = made.binary(crate::Binary::Mul, weight)?;
        }
        if let Some(bias) = bias {
            bias.expect_shape("layer-norm", "bias", &[width])?;
            made = made.binary(crate::Binary::Add, bias)?;
        }
        Ok(made)
    }

    /// y = (x - mean) s with s = 1 / sqrt(variance + epsilon); the gradient is s (g - mean(g) - y mean(g y)).
    fn normalised(&self, epsilon: f64) -> Result<Self, Error> {
        let x = self.value.contiguous()?;
        let (y, scales) = by_real!(x, T => standardized::<T>(&x, epsilon))?;
        let kept = y.clone();
        let back = pull(move |g| by_real!(g, T => unstandardized::<T>(g, &kept, &scales)));
        Ok(Self::result(y, [(self, back)]))
    }

    /// Each element with this probability 0, else divided by 1 - probability. The same seed drops the same elements.
    pub fn dropout(&self, probability: f64, seed: u64) -> Result<Self, Error> {
        self.expect_real("tensor")?;
        if !(0.0..1.0).contains(&probability) {
            let reason = format!("is {probability}, expected a number from 0 to below 1");
            return Err(Error::invalid("probability", reason));
        }
        if self.is_vacant() || probability == 0.0 {
            return Ok(self.clone());
        }
        let x = self.value.contiguous()?;
        let mask = by_real!(x, T => {
            let keep = T::of(1.0 / (1.0 - probability));
            let kept = random::bernoulli(seed, x.elem_count(), 1.0 - probability, |kept| if kept { keep } else { T::default() });
            array(kept, x.dims())
        })?;
        // Numbers of a seed are made on the processors, the same for every device.
        let mask = mask.on(&x.device())?;
        let value = masked(&x, &mask)?;
        Ok(Self::result(value, [(self, pull(move |g| masked(g, &mask)))]))
    }
}

fn masked(x: &Array, mask: &Array) -> Native<Array> {
    if x.is_beside() {
        return x.times(mask);
    }
    let x = x.contiguous()?;
    by_real!(x, T => array(zip(&Elements::<T>::of(&x)?, &Elements::<T>::of(mask)?, |x, mask| x * mask), x.dims()))
}

/// Rows with mean 0 and variance 1, and by what each was multiplied.
fn standardized<T: Real>(x: &Array, epsilon: f64) -> Native<(Array, Vec<f64>)> {
    let elements = Elements::<T>::of(x)?;
    let width = x.dims()[x.rank() - 1];
    let moments = |row: &[T]| {
        let mean = row_sum(row) / width as f64;
        let variance = row.iter().map(|&x| T::plus(-mean, x).powi(2)).sum::<f64>() / width as f64;
        (mean, 1.0 / (variance + epsilon).sqrt())
    };
    let moments: Vec<(f64, f64)> = elements.chunks_exact(width).map(moments).collect();
    let mut made = vec![T::zero(); elements.len()];
    in_rows(&mut made, width, |row, to| {
        let (mean, scale) = moments[row];
        let from = &elements[row * width..];
        to.iter_mut().zip(from).for_each(|(to, &x)| *to = T::of(T::plus(-mean, x) * scale));
    });
    Ok((array(made, x.dims())?, moments.into_iter().map(|(_, scale)| scale).collect()))
}

fn unstandardized<T: Real>(g: &Array, y: &Array, scales: &[f64]) -> Native<Array> {
    let g = g.contiguous()?;
    let (g, y, shape) = (Elements::<T>::of(&g)?, Elements::<T>::of(y)?, y.dims());
    let width = g.len() / scales.len().max(1);
    let mut made = vec![T::zero(); g.len()];
    in_rows(&mut made, width, |row, to| {
        let (g, y) = (&g[row * width..][..width], &y[row * width..][..width]);
        let mean = T::of(row_sum(g) / width as f64);
        let products: f64 = g.iter().zip(y).map(|(&g, &y)| T::plus(0.0, g * y)).sum();
        let (along, scale) = (T::of(products / width as f64), T::of(scales[row]));
        to.iter_mut().zip(g.iter().zip(y)).for_each(|(to, (&g, &y))| *to = scale * (g - mean - y * along));
    });
    array(made, shape)
}

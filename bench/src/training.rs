//! The training of `host/cli/tests/guests/kernels` without a guest: against crate `tensors`, whose graph and optimiser are the
//! ones that guests use. It must come to the same loss.

use tensors::ElementType::{Float32, Int64};
use tensors::{Adamw, Binary, Error, Method, Optimiser, Tensor, Unary, Variable, cross_entropy};

const ROWS: u32 = 12_800;
const BATCH: u32 = 128;
const WIDTHS: [u32; 4] = [784, 512, 256, 10];
const RATE: f64 = 0.001;

pub(crate) struct Training {
    rows: Tensor,
    classes: Tensor,
    layers: Vec<[Variable; 2]>,
    optimiser: Optimiser,
    epochs: u64,
}

impl Training {
    pub(crate) fn begin() -> Result<Self, Error> {
        let rows = Tensor::normal(&[ROWS, WIDTHS[0]], Float32, 0)?;
        let classes = Tensor::uniform(&[ROWS], Float32, 1)?.binary_scalar(Binary::Mul, f64::from(WIDTHS[3]))?;
        let ends = WIDTHS.iter().zip(&WIDTHS[1..]);
        let layers = (2..).zip(ends).map(|(seed, (&inputs, &outputs))| layer(inputs, outputs, seed));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let adam = Method::Adamw(Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 });
        let optimiser = Optimiser::create(adam, &layers.iter().flatten().collect::<Vec<_>>())?;
        Ok(Self { rows, classes: classes.cast(Int64)?, layers, optimiser, epochs: 0 })
    }

    /// One pass over the rows in an order of its own; the last loss.
    pub(crate) fn epoch(&mut self) -> Result<f64, Error> {
        let order = Tensor::permutation(ROWS, self.epochs)?;
        self.epochs += 1;
        let mut last = f64::NAN;
        for batch in 0..ROWS / BATCH {
            let chosen = order.narrow(0, batch * BATCH, BATCH)?;
            let scores = self.scores(self.rows.take(0, &chosen)?)?;
            let loss = cross_entropy(&scores, &self.classes.take(0, &chosen)?)?;
            self.optimiser.step(&loss, RATE, None)?;
            last = loss.item()?;
        }
        Ok(last)
    }

    fn scores(&self, mut values: Tensor) -> Result<Tensor, Error> {
        for (i, [weights, bias]) in self.layers.iter().enumerate() {
            values = values.linear(&weights.value(), Some(&bias.value()))?;
            if i + 1 < self.layers.len() {
                values = values.unary(Unary::Relu)?;
            }
        }
        Ok(values)
    }
}

fn layer(inputs: u32, outputs: u32, seed: u64) -> Result<[Variable; 2], Error> {
    let start = Tensor::normal(&[inputs, outputs], Float32, seed)?;
    let start = start.binary_scalar(Binary::Mul, (2.0 / f64::from(inputs)).sqrt())?;
    let weights = Variable::create(&format!("weights.{seed}"), &start)?;
    let bias = Variable::create(&format!("bias.{seed}"), &Tensor::full(&[outputs], Float32, 0.0)?)?;
    Ok([weights, bias])
}

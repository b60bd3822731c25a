//! What its parameter `task` says, as often as `times` says: sums of small tensors, products of matrices, epochs of training. For
//! `bench/src/kernels.rs`, with the same in Python in `bench/guests/kernels.py`.
//!
//! It reports a metric when it begins and when it is done, at which the benchmark looks at its clock, and then what it made.

use serde::Deserialize;
use stepwell::tensor::ElementType::{Float32, Int64};
use stepwell::tensor::{Adamw, Method, Optimiser, Variable, cross_entropy};
use stepwell::{Descriptor, Inputs, Plugin, Result, Tables, Tensor, Transformer, report};

const ROWS: u32 = 12_800;
const BATCH: u32 = 128;
/// From the inputs through the hidden layers to the classes.
const WIDTHS: [u32; 4] = [784, 512, 256, 10];
const RATE: f64 = 0.001;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    task: Task,
    times: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Task {
    Sum,
    Product,
    Epoch,
}

struct Kernels;

impl Transformer for Kernels {
    fn run(_: Tables) -> Result<Tables> {
        let Params { task, times } = stepwell::params()?;
        let halves = |shape: &[u32]| Tensor::full(shape, Float32, 0.5);
        match task {
            Task::Sum => {
                let x = halves(&[16])?;
                repeat(times, || &x + &x)
            }
            Task::Product => {
                let x = halves(&[256, 256])?;
                repeat(times, || x.matmul(&x))
            }
            Task::Epoch => {
                let mut training = Training::begin()?;
                // The first one makes the optimiser's memory.
                training.epoch()?;
                repeat(times, || training.epoch())
            }
        }?;
        Ok(Tables::new())
    }
}

fn repeat(times: u32, mut act: impl FnMut() -> Result<Tensor>) -> Result<()> {
    report::metric("begun", 0.0, 0);
    let mut made = act()?;
    for _ in 1..times {
        made = act()?;
    }
    report::metric("done", f64::from(times), 0);
    report::metric("made", made.mean()?.item()?, 0);
    Ok(())
}

struct Training {
    rows: Tensor,
    classes: Tensor,
    layers: Vec<[Variable; 2]>,
    optimiser: Optimiser,
    epochs: u64,
}

impl Training {
    fn begin() -> Result<Self> {
        let rows = Tensor::normal(&[ROWS, WIDTHS[0]], Float32, 0)?;
        let classes = (&Tensor::uniform(&[ROWS], Float32, 1)? * f64::from(WIDTHS[3]))?.cast(Int64)?;
        let ends = WIDTHS.iter().zip(&WIDTHS[1..]);
        let layers = (2..).zip(ends).map(|(seed, (&inputs, &outputs))| layer(inputs, outputs, seed));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let adam = Method::Adamw(Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 });
        let optimiser = Optimiser::create(adam, &layers.iter().flatten().collect::<Vec<_>>())?;
        Ok(Self { rows, classes, layers, optimiser, epochs: 0 })
    }

    /// One pass over the rows in an order of its own; the last loss.
    fn epoch(&mut self) -> Result<Tensor> {
        let order = Tensor::permutation(ROWS, self.epochs)?;
        self.epochs += 1;
        let mut last = None;
        for batch in 0..ROWS / BATCH {
            let chosen = order.narrow(0, batch * BATCH, BATCH)?;
            let scores = self.scores(self.rows.take(0, &chosen)?)?;
            let loss = cross_entropy(&scores, &self.classes.take(0, &chosen)?)?;
            self.optimiser.step(&loss, RATE, None)?;
            last = Some(loss);
        }
        last.ok_or_else(|| stepwell::Error::permanent("expected batches"))
    }

    fn scores(&self, mut values: Tensor) -> Result<Tensor> {
        for (i, [weights, bias]) in self.layers.iter().enumerate() {
            values = values.linear(&weights.value()?, Some(&bias.value()?))?;
            if i + 1 < self.layers.len() {
                values = values.relu()?;
            }
        }
        Ok(values)
    }
}

fn layer(inputs: u32, outputs: u32, seed: u64) -> Result<[Variable; 2]> {
    let start = &Tensor::normal(&[inputs, outputs], Float32, seed)? * (2.0 / f64::from(inputs)).sqrt();
    let weights = Variable::create(&format!("weights.{seed}"), &start?)?;
    let bias = Variable::create(&format!("bias.{seed}"), &Tensor::full(&[outputs], Float32, 0.0)?)?;
    Ok([weights, bias])
}

impl Plugin for Kernels {
    fn describe(_: &Inputs) -> Result<Descriptor> {
        Ok(stepwell::descriptor!())
    }
}

stepwell::export!(Kernels: Transformer);

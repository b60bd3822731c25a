//! Images of digits -> how well a convolutional network reads those of `test` after it learnt those of `train`. For
//! `host/cli/tests/digits.rs`.
//!
//! Half way the training is saved to a file and goes on from it, as another step that took up a checkpoint would.

use stepwell::tensor::{
    Adamw, Convolution, Decay, ElementType, Method, Optimiser, Pooling, Schedule, Variable, Window, cross_entropy,
    from_safetensors, learning_rate, to_safetensors,
};
use stepwell::{DataType, Descriptor, Error, Field, Inputs, Plugin, Result, Table, Tables, Tensor, Transformer, index};

const SIDE: u32 = 8;
const CLASSES: u32 = 10;
const CHANNELS: u32 = 16;
const INK_MAX: f64 = 16.0;
const EPOCHS: u32 = 12;
const BATCH: u32 = 64;

struct Glyphs;

/// Images [rows, 1, 8, 8] and classes [rows].
fn images(rows: &Table) -> Result<(Tensor, Tensor)> {
    let pixels: Vec<String> = (0..SIDE * SIDE).map(|i| format!("pixel_{}_{}", i / SIDE, i % SIDE)).collect();
    let count = rows.rows() as u32;
    let images =
        (&Tensor::from_table(rows, &pixels, ElementType::Float32)? / INK_MAX)?.reshape(&[count, 1, SIDE, SIDE])?;
    let digits = Tensor::from_table(rows, &["digit".to_owned()], ElementType::Int64)?;
    Ok((images, digits.at(index![.., 0])?))
}

/// The variables of the network and what trains them.
struct Network {
    variables: Vec<Variable>,
    optimiser: Optimiser,
}

impl Network {
    fn new(seed: u64) -> Result<Self> {
        let flat = CHANNELS * SIDE * SIDE / 4;
        let shapes: [(&str, &[u32], f64); 3] = [
            ("kernels", &[CHANNELS, 1, 3, 3], 9.0),
            ("weights", &[flat, CLASSES], f64::from(flat)),
            ("bias", &[CLASSES], f64::INFINITY),
        ];
        let variable = |(i, (name, shape, inputs)): (u64, &(&str, &[u32], f64))| {
            let start = &Tensor::normal(shape, ElementType::Float32, seed + i)? * (2.0 / inputs).sqrt();
            Variable::create(name, &start?)
        };
        let variables = (0..).zip(&shapes).map(variable).collect::<Result<Vec<_>>>()?;
        let method = Method::Adamw(Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 });
        let optimiser = Optimiser::create(method, &variables.iter().collect::<Vec<_>>())?;
        Ok(Self { variables, optimiser })
    }

    fn logits(&self, images: &Tensor) -> Result<Tensor> {
        let [kernels, weights, bias] = self.variables.as_slice() else {
            return Err(Error::permanent("three variables"));
        };
        let how = Convolution { stride: vec![1, 1], padding: vec![1, 1], dilation: vec![1, 1], groups: 1 };
        let window = Window { size: vec![2, 2], stride: vec![2, 2], padding: vec![0, 0] };
        let seen = images.convolve(&kernels.value()?, None, &how)?.relu()?.pool(Pooling::Max, &window)?;
        let flat = seen.reshape(&[images.shape()[0], CHANNELS * SIDE * SIDE / 4])?;
        flat.linear(&weights.value()?, Some(&bias.value()?))
    }

    /// The bytes of a checkpoint.
    fn saved(&self) -> Result<Vec<u8>> {
        let mut all = self.optimiser.save()?;
        for (name, variable) in ["kernels", "weights", "bias"].into_iter().zip(&self.variables) {
            all.push((format!("value.{name}"), variable.value()?));
        }
        to_safetensors(&all.iter().map(|(name, tensor)| (name.clone(), tensor)).collect::<Vec<_>>())
    }

    /// A network that goes on where the bytes were saved.
    fn restored(bytes: &[u8]) -> Result<Self> {
        let (network, all) = (Self::new(0)?, from_safetensors(bytes)?);
        for (name, variable) in ["kernels", "weights", "bias"].into_iter().zip(&network.variables) {
            let saved = all.iter().find(|(saved, _)| *saved == format!("value.{name}"));
            variable.set(&saved.ok_or_else(|| Error::permanent("a value is missing"))?.1)?;
        }
        let state: Vec<_> = all.iter().filter(|(name, _)| !name.starts_with("value.")).collect();
        network.optimiser.restore(&state.iter().map(|(name, tensor)| (name.clone(), tensor)).collect::<Vec<_>>())?;
        Ok(network)
    }

    /// Some epochs; gives the last loss.
    fn train(&self, (images, digits): &(Tensor, Tensor), epochs: std::ops::Range<u32>) -> Result<f64> {
        let (count, mut last) = (images.shape()[0], f64::NAN);
        let schedule = Schedule { rate: 0.01, warm_up: 5, decay: Decay::Exponential(0.99) };
        for epoch in epochs {
            let order = Tensor::permutation(count, u64::from(epoch))?;
            for batch in 0..count / BATCH {
                let rows = order.narrow(0, batch * BATCH, BATCH)?;
                let loss = cross_entropy(&self.logits(&images.take(0, &rows)?)?, &digits.take(0, &rows)?)?;
                let step = u64::from(epoch * (count / BATCH) + batch);
                self.optimiser.step(&loss, learning_rate(schedule, step)?, Some(10.0))?;
                last = loss.item()?;
            }
        }
        Ok(last)
    }
}

impl Transformer for Glyphs {
    fn run(inputs: Tables) -> Result<Tables> {
        let (train, test) = (images(inputs.get("train")?)?, images(inputs.get("test")?)?);
        let network = Network::new(stepwell::seed())?;
        network.train(&train, 0..EPOCHS / 2)?;
        let saved = network.saved()?;
        let loss = network.train(&train, EPOCHS / 2..EPOCHS)?;
        let resumed = Network::restored(&saved)?.train(&train, EPOCHS / 2..EPOCHS)?;
        let read = network.logits(&test.0)?.argmax(1)?;
        let right =
            read.compare(stepwell::tensor::Comparison::Eq, &test.1)?.cast(ElementType::Float64)?.mean()?.item()?;
        let table = Table::builder().column("accuracy", vec![right]).column("loss", vec![loss]);
        Ok(Tables::new().and("measures", table.column("resumed_loss", vec![resumed]).finish()?))
    }
}

impl Plugin for Glyphs {
    fn describe(_: &Inputs) -> Result<Descriptor> {
        let columns: Vec<Field> =
            ["accuracy", "loss", "resumed_loss"].map(|name| Field::new(name, DataType::Float64)).to_vec();
        Ok(stepwell::descriptor!().input("train", []).input("test", []).output("measures", columns))
    }
}

stepwell::export!(Glyphs: Transformer);

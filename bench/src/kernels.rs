//! What tensors cost a guest: an operation, a product of matrices, an epoch of training, each beside the same without a guest.
//!
//! The guests are `host/cli/tests/guests/kernels` in Rust and `bench/guests/kernels.py`. Each begins anew in every round; what it
//! prepares is not in its time.

use crate::figure::{Figure, ROUNDS, Wanted, best, each, micros};
use crate::plugin::{self, Heard, doors, fault};
use crate::training::Training;
use anyhow::Result;
use candle_core::{Device, Tensor};
use sandbox::{Plugin, Probe, Sandbox};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// An epoch takes long enough that something else of the machine falls into most of them.
const EPOCH_ROUNDS: usize = 2 * ROUNDS;

pub(crate) fn measure(components: &Path, wanted: &Wanted) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sandbox = Sandbox::new().map_err(fault)?;
    let load = |name: &str| plugin::load(&sandbox, &components.join(name), folder.path());
    let (rust, python) = (load("test-guests/kernels.wasm")?, load("kernels/python.wasm")?);
    if wanted.has("kernel.dispatch_us") {
        dispatching(&rust)?;
    }
    if wanted.has_any(&["kernel.matmul256_ratio", "kernel.matmul256_py_ratio"]) {
        multiplying(&rust, &python)?;
    }
    if wanted.has_any(&["train.guest_overhead_ratio", "train.python_over_rust_ratio"]) {
        training(&rust, &python)?;
    }
    Ok(())
}

/// What a guest is asked to do, and the mean of what it must make of it.
struct Work {
    task: &'static str,
    times: u32,
    makes: f64,
}

impl Work {
    /// How long a guest takes for each.
    fn time(&self, guest: &Plugin) -> Duration {
        let (doors, heard) = doors();
        let parameters = json!({ "task": self.task, "times": self.times });
        let mut probe = Probe::start(guest, &parameters, doors).expect("the guest starts");
        let transformer = probe.transformer().expect("it is a transformer");
        probe.run(&transformer).expect("it does the task");
        let heard: Vec<Heard> = heard.try_iter().collect();
        let [begun, done, made] = heard.as_slice() else { panic!("the guest reported {} metrics", heard.len()) };
        assert_eq!(made.value, self.makes, "the guest and the host do not compute the same");
        (done.at - begun.at) / self.times
    }
}

/// Everywhere one half: what is made of them has no rounding.
fn halves(shape: &[usize]) -> Result<Tensor> {
    Ok(Tensor::from_vec(vec![0.5f32; shape.iter().product()], shape, &Device::Cpu)?)
}

fn mean(x: &Tensor) -> Result<f64> {
    Ok(x.mean_all()?.to_scalar::<f32>()?.into())
}

/// The sum of two tensors of 16 elements.
fn dispatching(rust: &Plugin) -> Result<()> {
    let x = halves(&[16])?;
    let work = Work { task: "sum", times: 20_000, makes: mean(&(&x + &x)?)? };
    let mut native = || each(work.times, || drop(std::hint::black_box(&x + &x)));
    let [guest, native] = best(ROUNDS, [&mut || work.time(rust), &mut native]);
    let figure = |name, value, goal| Figure { name, of: None, value, unit: "us", goal }.print();
    figure("kernel.dispatch_us", micros(guest) - micros(native), Some(1.0));
    figure("kernel.native_sum_us", micros(native), None);
    Ok(())
}

fn multiplying(rust: &Plugin, python: &Plugin) -> Result<()> {
    let x = halves(&[256, 256])?;
    let work = Work { task: "product", times: 50, makes: mean(&x.matmul(&x)?)? };
    let mut native = || each(work.times, || drop(std::hint::black_box(x.matmul(&x))));
    let [rust, python, native] = best(ROUNDS, [&mut || work.time(rust), &mut || work.time(python), &mut native]);
    ratio("kernel.matmul256_ratio", rust, native, 1.05);
    ratio("kernel.matmul256_py_ratio", python, native, 1.25);
    Figure { name: "kernel.native_matmul256_us", of: None, value: micros(native), unit: "us", goal: None }.print();
    Ok(())
}

fn training(rust: &Plugin, python: &Plugin) -> Result<()> {
    let work = Work { task: "epoch", times: 1, makes: natively()?.1 };
    let mut native = || natively().expect("it trained before").0;
    let runs: [&mut dyn FnMut() -> Duration; 3] = [&mut || work.time(rust), &mut || work.time(python), &mut native];
    let [rust, python, native] = best(EPOCH_ROUNDS, runs);
    ratio("train.guest_overhead_ratio", rust, native, 1.05);
    ratio("train.python_over_rust_ratio", python, rust, 1.25);
    Figure { name: "train.native_epoch_ms", of: None, value: micros(native) / 1e3, unit: "ms", goal: None }.print();
    Ok(())
}

/// How long an epoch takes and the last loss, after one that makes the optimiser's memory.
fn natively() -> Result<(Duration, f64)> {
    let mut training = Training::begin()?;
    training.epoch()?;
    let begin = Instant::now();
    let loss = training.epoch()?;
    Ok((begin.elapsed(), loss))
}

fn ratio(name: &str, time: Duration, over: Duration, goal: f64) {
    let value = time.as_secs_f64() / over.as_secs_f64();
    Figure { name, of: None, value, unit: "ratio", goal: Some(goal) }.print();
}

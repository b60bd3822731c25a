//! What a step costs inside a worker: loading its component, a fresh instance, a call, a million rows.

use crate::Built;
use crate::figure::{Figure, ROUNDS, Wanted, best, each, micros};
use crate::plugin::{self, doors, fault};
use anyhow::{Result, ensure};
use data::{GuestColumn, Table};
use sandbox::{Plugin, Probe, Sandbox};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use types::{DataType, Field, Schema};

const ROWS: u32 = 1_000_000;

pub(crate) fn measure(built: &Built, wanted: &Wanted) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sandbox = Sandbox::new().map_err(fault)?;
    let load = |name: &str| plugin::load(&sandbox, &built.components.join(name), folder.path());
    if wanted.has_any(&["step.fresh_call_us", "step.warm_call_us"]) {
        calls(&load("test-guests/noop.wasm")?)?;
    }
    if wanted.has("step.zscore_1m_ratio") {
        million_rows(&load("plugins/standardize.wasm")?)?;
    }
    if !wanted.has("component.load_ms") {
        return Ok(());
    }
    let mut languages: Vec<_> = std::fs::read_dir(built.components.join("languages"))?
        .map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()))
        .collect::<Result<_>>()?;
    languages.sort();
    for language in languages.iter().filter_map(|file| file.strip_suffix(".wasm")) {
        let component = built.components.join(format!("languages/{language}.wasm"));
        loading(language, &sandbox, &plugin::compile(&sandbox, &component, folder.path())?)?;
    }
    Ok(())
}

fn calls(noop: &Plugin) -> Result<()> {
    let mut kept = Probe::start(noop, &json!({}), doors().0).map_err(fault)?;
    let transformer = kept.transformer().map_err(fault)?;
    let mut fresh = || {
        each(200, || {
            let mut probe = Probe::start(noop, &json!({}), doors().0).expect("it started before");
            let transformer = probe.transformer().expect("it was one before");
            probe.run(&transformer).expect("it ran before");
        })
    };
    let mut warm = || each(20_000, || kept.run(&transformer).expect("it ran before"));
    let [fresh, warm] = best(ROUNDS, [&mut fresh, &mut warm]);
    let figure =
        |name, time, goal| Figure { name, of: None, value: micros(time), unit: "us", goal: Some(goal) }.print();
    figure("step.fresh_call_us", fresh, 50.0);
    figure("step.warm_call_us", warm, 2.0);
    Ok(())
}

/// Mean, deviation and standardized values of a column: by the plugin, and by the same loops natively.
fn million_rows(standardize: &Plugin) -> Result<()> {
    let values: Vec<f64> = (0..ROWS).map(|row| f64::from(row % 1013) * 0.25 - 7.0).collect();
    let table = column(&values)?;
    let mut probe = Probe::start(standardize, &json!({}), doors().0).map_err(fault)?;
    let mut of_guest = || {
        let begin = Instant::now();
        let fitted = probe.fit(&table).expect("the plugin fits");
        let scaled = probe.apply(&fitted, &table).expect("the plugin applies");
        let took = begin.elapsed();
        drop(scaled);
        took
    };
    let mut natively = || {
        let begin = Instant::now();
        let scaled = z_score(std::hint::black_box(&values));
        let took = begin.elapsed();
        drop(std::hint::black_box(scaled));
        took
    };
    let [guest, native] = best(ROUNDS, [&mut of_guest, &mut natively]);
    let fitted = probe.fit(&table).map_err(fault)?;
    let scaled = probe.apply(&fitted, &table).map_err(fault)?.read("x", 0, ROWS)?;
    ensure!(scaled.data == column(&z_score(&values))?.read("x", 0, ROWS)?.data, "the two do not compute the same");
    let value = guest.as_secs_f64() / native.as_secs_f64();
    Figure { name: "step.zscore_1m_ratio", of: None, value, unit: "ratio", goal: Some(1.5) }.print();
    Figure { name: "step.zscore_1m_native_us", of: None, value: micros(native), unit: "us", goal: None }.print();
    Ok(())
}

/// As `plugins/standardize` does it.
fn z_score(values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let scale = (squares / count).sqrt();
    values.iter().map(|value| (value - mean) / scale).collect()
}

fn column(values: &[f64]) -> Result<Table> {
    let field = Field { name: "x".to_owned(), data_type: DataType::Float64, nullable: false };
    let column = GuestColumn {
        data_type: DataType::Float64,
        length: values.len() as u32,
        validity: None,
        offsets: None,
        data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    Ok(Table::from_columns(Schema { fields: vec![field] }, vec![column])?)
}

fn loading(language: &str, sandbox: &Sandbox, compiled: &Path) -> Result<()> {
    sandbox.load(compiled).map_err(fault)?;
    let mut load = || -> Duration {
        let begin = Instant::now();
        let plugin = sandbox.load(compiled).expect("it loaded before");
        let took = begin.elapsed();
        drop(plugin);
        took
    };
    let [load] = best(ROUNDS, [&mut load]);
    let value = load.as_secs_f64() * 1e3;
    Figure { name: "component.load_ms", of: Some(language), value, unit: "ms", goal: Some(5.0) }.print();
    Ok(())
}

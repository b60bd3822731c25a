//! Our side of a comparison with a rival (`side.rs`): a process that does one task whenever it is told to. A plugin runs in
//! the sandbox, as in a worker; what the rival is not timed for is outside of the time here, too.

use crate::plugin::{Heard, doors, fault};
use crate::sql;
use anyhow::{Context, Result, bail, ensure};
use data::{GuestColumn, Table, TableWriter};
use sandbox::{Plugin, Probe, Sandbox};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use types::{DataType, Field, Schema};

/// Native code of the task's plugin, in its folder.
pub(crate) const CODE: &str = "plugin.code";
const LABEL: &str = "label";
/// Rows that are taken from a file at a time: what is left of them must not count as memory that is already there.
const CHUNK_ROWS: usize = 1 << 14;

/// Says when it is ready, then answers each line of its input.
pub(crate) fn take_turns(task: &str, folder: &Path) -> Result<()> {
    let mut turn: Box<dyn FnMut() -> Result<Value>> = match task {
        "mlp" => {
            let (plugin, rows) = (loaded(folder)?, labelled(folder, "train")?);
            Box::new(move || mlp(&plugin, &rows))
        }
        "gbdt" => {
            let (plugin, rows, judged) = (loaded(folder)?, labelled(folder, "train")?, labelled(folder, "judged")?);
            Box::new(move || gbdt(&plugin, &rows, &judged))
        }
        "groupby" | "window" | "join" => Box::new(sql::turns(folder)?),
        other => bail!("no task `{other}`"),
    };
    println!("ready");
    for line in std::io::stdin().lines() {
        line?;
        println!("{}", turn()?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn loaded(folder: &Path) -> Result<Plugin> {
    Sandbox::new().and_then(|sandbox| sandbox.load(&folder.join(CODE))).map_err(fault)
}

/// An epoch, from the report of the first to that of the second.
fn mlp(plugin: &Plugin, rows: &Table) -> Result<Value> {
    let parameters = json!({
        "objective": "multiclass", "hidden": [512, 256], "batch_size": 128, "epochs": 2, "learning_rate": 0.001,
        // Without it AdamW is Adam.
        "weight_decay": 0,
    });
    let (doors, heard) = doors();
    Probe::start(plugin, &parameters, doors).and_then(|mut probe| probe.train(rows, LABEL)).map_err(fault)?;
    let heard: Vec<Heard> = heard.try_iter().collect();
    let [first, second] = heard.as_slice() else { bail!("the plugin reported {} metrics", heard.len()) };
    ensure!(second.value < first.value, "the network learns nothing: {} after {}", second.value, first.value);
    Ok(json!({ "seconds": (second.at - first.at).as_secs_f64() }))
}

/// A whole training with the plugin's defaults, which are the rival's.
fn gbdt(plugin: &Plugin, rows: &Table, judged: &Table) -> Result<Value> {
    let begin = Instant::now();
    let mut probe = Probe::start(plugin, &json!({ "objective": "binary" }), doors().0).map_err(fault)?;
    let model = probe.train(rows, LABEL).map_err(fault)?;
    let seconds = begin.elapsed().as_secs_f64();
    let scores = data::numbers(&probe.predict(&model, judged).map_err(fault)?, "probability")?;
    Ok(json!({ "seconds": seconds, "auc": auc(&scores, &data::numbers(judged, LABEL)?) }))
}

/// The share of the pairs of a row of class 1 and one of class 0 that the scores put in order; half of those with equal scores.
fn auc(scores: &[f64], classes: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut ordered, mut zeros, mut ones) = (0.0, 0.0, 0.0);
    for equal in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let ones_here: f64 = equal.iter().map(|row| classes[*row]).sum();
        let zeros_here = equal.len() as f64 - ones_here;
        ordered += ones_here * (zeros + zeros_here / 2.0);
        (zeros, ones) = (zeros + zeros_here, ones + ones_here);
    }
    ordered / (zeros * ones)
}

/// Float32 features and an int64 label, as the rival left them: a matrix, row by row, and a vector.
fn labelled(folder: &Path, part: &str) -> Result<Table> {
    let read = |file: String| std::fs::read(folder.join(&file)).with_context(|| format!("no file `{file}`"));
    let (features, labels) = (read(format!("{part}.x.float32"))?, read(format!("{part}.y.int64"))?);
    let width = features.len() / 4 / (labels.len() / 8);
    let field = |name: String, data_type| Field { name, data_type, nullable: false };
    let mut fields: Vec<Field> = (0..width).map(|i| field(format!("x{i}"), DataType::Float32)).collect();
    fields.push(field(LABEL.to_owned(), DataType::Int64));
    let mut writer = TableWriter::create(Schema { fields })?;
    for (features, labels) in features.chunks(4 * width * CHUNK_ROWS).zip(labels.chunks(8 * CHUNK_ROWS)) {
        let (numbers, _) = features.as_chunks::<4>();
        let feature = |i| numbers.iter().skip(i).step_by(width).flatten().copied().collect();
        let mut columns: Vec<GuestColumn> = (0..width).map(|i| column(DataType::Float32, 4, feature(i))).collect();
        columns.push(column(DataType::Int64, 8, labels.to_vec()));
        writer.append(columns)?;
    }
    Ok(writer.finish()?)
}

fn column(data_type: DataType, width: usize, data: Vec<u8>) -> GuestColumn {
    GuestColumn { data_type, length: (data.len() / width) as u32, validity: None, offsets: None, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_pairs() {
        assert_eq!(auc(&[0.1, 0.2, 0.7, 0.9], &[0.0, 0.0, 1.0, 1.0]), 1.0);
        assert_eq!(auc(&[0.1, 0.7, 0.2, 0.9], &[1.0, 0.0, 0.0, 1.0]), 0.5);
        assert_eq!(auc(&[0.5; 4], &[0.0, 1.0, 0.0, 1.0]), 0.5, "equal scores say nothing");
    }
}

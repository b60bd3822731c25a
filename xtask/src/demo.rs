//! The whole of Stepwell in one command: plugins built, a model trained by sandboxed steps, gated, registered, served, asked.
//!
//! It uses only what a user has: the binary's commands and HTTP. Everything it leaves lies in `examples/tumour/.stepwell`.

use crate::server::Server;
use crate::{guests, http, places, shell, test};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Patients that the model is asked about.
const PATIENTS: usize = 5;
/// The label, which a request must not bring.
const LABEL: &str = "diagnosis";

/// Runs the demo; each phase says how long it took.
pub(crate) fn run() -> Result<()> {
    let (binary, project) = (places::stepwell()?, places::root().join("examples/tumour"));
    phase("Building the plugins for WebAssembly", guests::build_all)?;
    phase("Building the `stepwell` binary", test::binary)?;
    // The plugins are this clone's own: whatever an earlier build pinned, these are the ones to trust.
    let check = ["check", "--update-lock"];
    phase("Checking the project before anything runs", || shell::run(&mut stepwell(&binary, &project, &check)))?;
    phase("Training: every step in a sandbox of its own", || shell::run(&mut stepwell(&binary, &project, &["run"])))?;
    let run = latest_run(&binary, &project)?;
    let patients = held_out(&binary, &project, &run)?;
    let server = phase("Starting the server", || {
        Server::start(stepwell(&binary, &project, &["serve", "--listen", "127.0.0.1:0"]))
    })?;
    println!("It answers at http://{}/v2/models/tumour.", server.address);
    phase("Asking about patients the model has not seen", || ask(&server.address, &patients))?;
    phase("Stopping the server", || server.stop())?;
    let report = answer(&binary, &project, &["runs", "show", &run, "--json"])?["report"].clone();
    let report = report.as_str().map(PathBuf::from).context("the run has left no report")?;
    println!("{}", what_next(&binary, &run, &report));
    Ok(())
}

fn phase<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n== {title}");
    let start = Instant::now();
    let made = work().with_context(|| format!("failed at: {title}"))?;
    println!("   {}", seconds(start.elapsed()));
    Ok(made)
}

fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 1.0 => format!("{:.0} ms", short * 1e3),
        long => format!("{long:.1} s"),
    }
}

fn stepwell(binary: &Path, project: &Path, arguments: &[&str]) -> Command {
    let mut command = shell::program(binary, arguments);
    // The data folder is the project's own, whatever the user works with else.
    command.current_dir(project).env_remove("STEPWELL_DATA");
    // Whoever runs this runs the clone's own code: what an earlier demo left in it is no stranger's.
    command.env("STEPWELL_TRUST_DATA", "1");
    command
}

fn answer(binary: &Path, project: &Path, arguments: &[&str]) -> Result<Value> {
    let said = shell::output(&mut stepwell(binary, project, arguments))?;
    serde_json::from_str(&said).with_context(|| format!("`stepwell {}` says no JSON", arguments.join(" ")))
}

/// The number of the run that just ended: the greatest of the list.
fn latest_run(binary: &Path, project: &Path) -> Result<String> {
    let runs = answer(binary, project, &["runs", "list", "--json"])?;
    let numbers = runs.as_array().into_iter().flatten().filter_map(|run| run["run"].as_u64());
    numbers.max().map(|run| run.to_string()).context("`stepwell runs list` knows no run")
}

/// Rows of the test part, as far apart as can be: neighbours in the file are often of one class.
fn held_out(binary: &Path, project: &Path, run: &str) -> Result<Vec<Value>> {
    let table = answer(binary, project, &["runs", "rows", run, "parts.test", "--limit", "1000", "--json"])?;
    let Some(rows) = table["rows"].as_array().filter(|rows| rows.len() >= PATIENTS) else {
        bail!("expected at least {PATIENTS} rows in `parts.test` of run {run}");
    };
    Ok((0..PATIENTS).map(|i| rows[i * (rows.len() - 1) / (PATIENTS - 1)].clone()).collect())
}

/// One request a patient, as a caller would, and the answers as a table.
fn ask(address: &str, patients: &[Value]) -> Result<()> {
    let inputs = http::get(address, "/v2/models/tumour")?["inputs"].clone();
    let mut lines = vec![["patient", "prediction", "probability", "true label", "answered in"].map(str::to_owned)];
    for patient in patients {
        let request = request(&inputs, patient)?;
        let start = Instant::now();
        let answer = http::post(address, "/v2/models/tumour/infer", &request)?;
        let time = seconds(start.elapsed());
        let probability = output(&answer, "probability")?.as_f64().context("a probability is a number")?;
        lines.push([
            shown(&patient["sample"]),
            shown(output(&answer, "prediction")?),
            format!("{probability:.4}"),
            shown(&patient[LABEL]),
            time,
        ]);
    }
    println!("{}", aligned(&lines));
    Ok(())
}

/// The patient's values under the names and types that the model asks for.
fn request(inputs: &Value, patient: &Value) -> Result<Value> {
    let inputs = inputs.as_array().context("a model says its inputs")?;
    let tensor = |input: &Value| {
        let name = input["name"].as_str().context("an input has a name")?;
        let value = patient.get(name).with_context(|| format!("no column `{name}` for that input"))?;
        Ok(json!({"name": name, "datatype": input["datatype"], "shape": [1], "data": [value]}))
    };
    Ok(json!({ "inputs": inputs.iter().map(tensor).collect::<Result<Vec<_>>>()? }))
}

/// The one value of an output.
fn output<'a>(answer: &'a Value, name: &str) -> Result<&'a Value> {
    let outputs = answer["outputs"].as_array().context("an answer has outputs")?;
    let output = outputs.iter().find(|output| output["name"] == name);
    output.map(|output| &output["data"][0]).with_context(|| format!("the answer has no output `{name}`"))
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Columns under one another, each as wide as its widest cell.
fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|i| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or_default());
    let line = |cells: &[String; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("   {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn what_next(binary: &Path, run: &str, report: &Path) -> String {
    let binary = places::shown(binary);
    let binary = if PathBuf::from(&binary).is_absolute() { binary } else { format!("../../{binary}") };
    let show = format!("runs show {run}");
    format!(
        "\nThe run's report, to open in a browser: {}
Try next, in examples/tumour:
   {binary} {show:<17}  every step: its time, memory and digests, the gate's verdict
   {binary} model show tumour  the version that is champion: its columns, measures and origin
   {binary} serve              then, elsewhere: curl http://127.0.0.1:8080/v2/models/tumour",
        places::shown(report)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let lines = [["a", "bcd"], ["ef", "g"]].map(|line| line.map(str::to_owned));
        assert_eq!(aligned(&lines), "   a   bcd\n   ef  g");
    }

    #[test]
    fn a_request_brings_what_the_model_asks_for_and_no_more() {
        let inputs = json!([{"name": "age", "datatype": "INT64", "shape": [-1]}]);
        let patient = json!({"age": 4, "diagnosis": "benign"});
        let expected = json!({"inputs": [{"name": "age", "datatype": "INT64", "shape": [1], "data": [4]}]});
        assert_eq!(request(&inputs, &patient).unwrap(), expected);
        assert!(request(&inputs, &json!({})).unwrap_err().to_string().contains("`age`"));
    }
}

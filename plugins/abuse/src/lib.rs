//! Rows -> the same rows, after misbehaving in the way that the parameter `mode` says. For `stepwell doctor`, and for
//! `host/cli/tests/limits.rs`, which puts it into pipelines.
//!
//! Each mode goes against one wall of the sandbox. A mode whose wall does not stand gives the rows on, so that its attempt
//! succeeds and whoever asked sees it; those without an end are ended by the limit `wall` at the latest.

use serde::{Deserialize, Serialize};
use std::hint::black_box;
use stepwell::tensor::{ElementType, Unary};
use stepwell::{
    Descriptor, Error, Inputs, Plugin, Result, RowWise, SavedFiles, Table, Tensor, checkpoint, files, http, report,
};

const PARAMETERS: &str = r#"{
    "type": "object",
    "required": ["mode"],
    "additionalProperties": false,
    "properties": {
        "mode": {"type": "string", "description": "Which way to misbehave; `harmless` is none."},
        "paths": {"type": "array", "items": {"type": "string"}, "default": [], "description": "What `read_outside` opens, or `fetch` asks."}
    }
}"#;

/// Some MiB, so that a limit is reached in few steps.
const CHUNK_VALUES: usize = 1 << 20;
/// More than passes between guest and host in one call.
const LIST_BYTES: usize = 300 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    mode: Mode,
    #[serde(default)]
    paths: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Harmless,
    SlowButOk,
    Loop,
    NativeLoop,
    Memory,
    NativeMemory,
    NativeTables,
    Handles,
    TableHandles,
    Panic,
    Recurse,
    RecurseLightly,
    HugeList,
    OddTensors,
    LogFlood,
    EscapeCodes,
    SayingsFlood,
    Calls,
    HugeCall,
    Checkpoints,
    Requests,
    WrongRows,
    Reorder,
    Undeclared,
    ReadOutside,
    Fetch,
    HugeOutput,
    HugeState,
}

#[derive(Serialize, Deserialize)]
struct Abuse;

impl RowWise for Abuse {
    fn fit(_rows: &Table) -> Result<Self> {
        Ok(Self)
    }

    fn apply(&self, rows: &Table) -> Result<Table> {
        let Params { mode, paths } = stepwell::params()?;
        match mode {
            Mode::Harmless | Mode::HugeState => {}
            Mode::SlowButOk => drop(spin(20_000_000)),
            Mode::Loop => drop(spin(u64::MAX)),
            Mode::NativeLoop => multiply_for_ever()?,
            Mode::Memory => hoard_memory(),
            Mode::NativeMemory => hoard(|| Tensor::full(&[CHUNK_VALUES as u32], ElementType::Float64, 1.0))?,
            Mode::NativeTables => hoard_tables()?,
            Mode::Handles => hoard(|| Tensor::full(&[1], ElementType::Float32, 1.0))?,
            Mode::TableHandles => hoard(|| Ok(rows.slice(0, 1)))?,
            Mode::Panic => panic!("this plugin panics"),
            Mode::Recurse => drop(black_box(nest(u64::MAX))),
            Mode::RecurseLightly => drop(black_box(nest_lightly(u64::MAX))),
            Mode::HugeList => checkpoint::save(&vec![0; LIST_BYTES])?,
            Mode::OddTensors => compute_oddly()?,
            Mode::LogFlood => flood_log(),
            Mode::EscapeCodes => report::warn(ESCAPES),
            Mode::SayingsFlood => flood_sayings(),
            Mode::Calls => call_for_ever(rows),
            Mode::HugeCall => drop(checkpoint::save(&vec![7; 300 * CHUNK_VALUES])),
            Mode::Checkpoints => save_for_ever()?,
            Mode::Requests => request_for_ever(),
            Mode::WrongRows => return Ok(rows.slice(0, rows.rows().saturating_sub(1))),
            Mode::Reorder => return rows.take(&(0..rows.rows()).rev().collect::<Vec<_>>()),
            Mode::Undeclared => return rows.with("undeclared", vec![1.0; rows.rows() as usize]),
            Mode::ReadOutside => first_that(&paths, |path| files::open(path).map(drop))?,
            Mode::Fetch => first_that(&paths, fetch)?,
            Mode::HugeOutput => drop(Table::builder().column("huge", vec![1.0; CHUNK_VALUES]).finish()?),
        }
        Ok(rows.slice(0, rows.rows()))
    }

    fn save(&self) -> Result<SavedFiles> {
        let huge = matches!(stepwell::params::<Params>()?.mode, Mode::HugeState);
        Ok(SavedFiles::new().bytes("state.bin", vec![7; if huge { 8 * CHUNK_VALUES } else { 1 }]))
    }

    fn restore(_files: &SavedFiles) -> Result<Self> {
        Ok(Self)
    }
}

/// So many turns that cannot be optimised away.
fn spin(turns: u64) -> u64 {
    let mut sum = 0_u64;
    for turn in 0..turns {
        sum = black_box(sum.wrapping_add(turn));
    }
    sum
}

/// Each product alone takes the host about a second, in which no guest code runs.
fn multiply_for_ever() -> Result<()> {
    let square = Tensor::uniform(&[4096, 4096], ElementType::Float32, 1)?;
    loop {
        square.matmul(&square)?;
    }
}

fn hoard_memory() {
    let mut held = Vec::new();
    loop {
        held.push(black_box(vec![1_u8; CHUNK_VALUES]));
    }
}

/// Makes things in the host and drops none.
fn hoard<T>(make: impl Fn() -> Result<T>) -> Result<()> {
    let mut held = Vec::new();
    loop {
        held.push(make()?);
    }
}

fn hoard_tables() -> Result<()> {
    let tensor = Tensor::full(&[CHUNK_VALUES as u32, 1], ElementType::Float64, 1.0)?;
    hoard(|| tensor.to_table(&["a".into()]))
}

/// Not a loop in disguise: a frame is read on the way back. Fills the stack in the guest's own memory.
fn nest(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    match depth {
        0 => 0,
        _ => nest(depth - 1).wrapping_add(frame[(depth % 32) as usize]),
    }
}

/// Without a frame in the guest's memory: fills the host's stack for guests.
#[inline(never)]
fn nest_lightly(depth: u64) -> u64 {
    match depth {
        0 => 0,
        _ => nest_lightly(depth - 1).rotate_left(7) ^ depth,
    }
}

/// Clears a terminal, renames its window, overwrites the line, colours what follows, turns the text round.
const ESCAPES: &str = "\x1b[2J\x1b]0;owned\x07\r\u{9b}31m\u{202e}";

fn flood_log() {
    for line in 0..5_000 {
        report::warn(format!("{ESCAPES}line {line}"));
    }
}

/// Metrics and progress have no limit of their own.
fn flood_sayings() {
    for index in 0..u64::MAX {
        report::metric("\x1b[31mloss", f64::NAN, index);
        report::progress(index, None);
    }
}

fn call_for_ever(rows: &Table) {
    loop {
        black_box(rows.rows());
    }
}

/// Each within what a checkpoint may hold.
fn save_for_ever() -> Result<()> {
    let state = vec![7; CHUNK_VALUES];
    loop {
        checkpoint::save(&state)?;
    }
}

/// None of them is granted.
fn request_for_ever() {
    let (method, url) = ("POST".to_owned(), "http://127.0.0.1/".to_owned());
    let request = http::Request { method, url, headers: Vec::new(), body: vec![7; CHUNK_VALUES], timeout: 0 };
    loop {
        drop(black_box(http::fetch(&request)));
    }
}

/// Succeeds as soon as one succeeds; else tells why the last did not.
fn first_that(tries: &[String], attempt: impl Fn(&str) -> Result<()>) -> Result<()> {
    let mut refused = Error::permanent("nothing to try was given");
    for tried in tries {
        match attempt(tried) {
            Ok(()) => return Ok(()),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn fetch(url: &str) -> Result<()> {
    let (method, url, headers, body, timeout) = ("GET".into(), url.into(), Vec::new(), Vec::new(), 0);
    http::fetch(&http::Request { method, url, headers, body, timeout }).map(drop)
}

/// Shapes without elements, numbers that are none, dimensions that there are not. The host answers each, with a value or
/// an error; that it is still there to do so is what counts.
fn compute_oddly() -> Result<()> {
    let nothing = Tensor::full(&[0, 3], ElementType::Float64, 1.0)?;
    let odd = Tensor::from_f64(&[f64::NAN, f64::INFINITY, -0.0])?;
    for tensor in [&nothing, &odd] {
        drop((tensor.sum(), tensor.mean(), tensor.mean_over(0), tensor.mean_over(u32::MAX), tensor.argmax(0)));
        drop((tensor.matmul(&nothing), tensor.matmul(&odd), tensor.softmax(0), tensor.log_softmax(7)));
        drop((tensor.reshape(&[]), tensor.reshape(&[u32::MAX; 8]), tensor.narrow(0, u32::MAX, u32::MAX)));
        drop((tensor.index_select(0, &[u32::MAX]), tensor.transpose(0, 9), tensor.to_table(&[]), tensor.item()));
        drop((tensor.unary(Unary::Square), tensor.cast(ElementType::Float32), tensor.to_bytes()));
    }
    drop((Tensor::full(&[u32::MAX; 4], ElementType::Float64, 0.0), Tensor::full(&[], ElementType::Float32, f64::NAN)));
    Ok(())
}

impl Plugin for Abuse {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let columns = inputs.columns("rows").to_vec();
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        Ok(descriptor.input("rows", []).output_same_rows("rows", columns, "rows"))
    }
}

stepwell::export!(Abuse: RowWise);

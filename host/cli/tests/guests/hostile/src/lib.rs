//! Rows -> the same rows, after misbehaving in the way that the parameter `mode` says. For `host/cli/tests/limits.rs`.
//!
//! Each mode goes against one wall of the sandbox. A mode whose wall does not stand gives the rows on, so that its run
//! succeeds and the test fails; those without an end are ended by the limit `wall` at the latest.

use serde::{Deserialize, Serialize};
use std::hint::black_box;
use stepwell::tensor::ElementType;
use stepwell::{
    Descriptor, Error, Inputs, Plugin, Result, RowWise, SavedFiles, Table, Tensor, checkpoint, files, http, report,
};

const PARAMETERS: &str = r#"{
    "type": "object",
    "required": ["mode"],
    "additionalProperties": false,
    "properties": {
        "mode": {"type": "string", "description": "Which way to misbehave; `harmless` is none."},
        "paths": {"type": "array", "items": {"type": "string"}, "default": [], "description": "What `read_outside` opens."}
    }
}"#;

/// Some MiB, so that a limit is reached in few steps.
const CHUNK_VALUES: usize = 1 << 20;

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
    LogFlood,
    SayingsFlood,
    Calls,
    HugeCall,
    Checkpoints,
    Requests,
    WrongRows,
    ReadOutside,
    HugeOutput,
    HugeState,
}

#[derive(Serialize, Deserialize)]
struct Hostile;

impl RowWise for Hostile {
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
            Mode::LogFlood => flood_log(),
            Mode::SayingsFlood => flood_sayings(),
            Mode::Calls => call_for_ever(rows),
            Mode::HugeCall => drop(checkpoint::save(&vec![7; 300 * CHUNK_VALUES])),
            Mode::Checkpoints => save_for_ever()?,
            Mode::Requests => request_for_ever(),
            Mode::WrongRows => return Ok(rows.slice(0, rows.rows().saturating_sub(1))),
            Mode::ReadOutside => read_outside(&paths)?,
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

fn flood_log() {
    for line in 0..5_000 {
        report::warn(format!("\x1b[2J\x1b]0;owned\x07\rline {line}\u{9b}31m"));
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

/// Succeeds if one of the paths opens; else tells why the last did not.
fn read_outside(paths: &[String]) -> Result<()> {
    let mut refused = Error::permanent("no path was given");
    for path in paths {
        match files::open(path) {
            Ok(_) => return Ok(()),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

impl Plugin for Hostile {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let columns = inputs.columns("rows").to_vec();
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        Ok(descriptor.input("rows", []).output_same_rows("rows", columns, "rows"))
    }
}

stepwell::export!(Hostile: RowWise);

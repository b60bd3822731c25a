//! `tests/NAME.toml` of a plugin -> a [`Fixture`]: what the plugin is tried on.

use crate::place::File;
use crate::reader::{Reader, Value, cut, entries, listed};
use crate::sources::{text, unreadable};
use crate::value::{grants, object};
use crate::{Course, Places, PluginSource, Source, Step};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use toml::de::DeTable;
use types::{DataType, DeviceChoice, Field, Grants, Id, LimitsPatch, PluginName, PortName, Problem, Role, StepName};

const KEYS: [&str; 11] =
    ["role", "params", "seed", "grants", "tolerance", "label", "weight", "features", "slices", "state", "inputs"];

/// How a column is written.
const COLUMN: &str = "a name and a type such as `age:int64`, or `age:float64?` where values may be missing; types are `boolean`, \
                      `int64`, `float32`, `float64`, `text`, `bytes`, `timestamp`, `date` and `vector(LENGTH)`";

/// Parameters and small tables for one role of a plugin.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fixture {
    pub role: Role,
    /// A JSON object.
    pub params: serde_json::Value,
    pub seed: u64,
    /// Relative to the plugin's folder.
    pub grants: Grants,
    /// How far a number may be from the recorded one, as a share of it.
    pub tolerance: f64,
    pub label: Option<String>,
    pub weight: Option<String>,
    /// None: every column of numbers that is not label or weight.
    pub features: Option<Vec<String>>,
    pub slices: Vec<String>,
    /// Files, by name, that a fitted step restores instead of learning anew.
    pub state: Option<BTreeMap<String, String>>,
    pub inputs: BTreeMap<PortName, Sample>,
    places: Places,
}

/// A table of a fixture. Whether the values are of their columns' types is for whoever makes a table of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub columns: Vec<Field>,
    /// JSON objects, a row each.
    pub rows: Vec<serde_json::Value>,
}

impl Fixture {
    /// Reads a fixture's file, which problems call by its name.
    pub fn load(file: &Path, name: &str) -> Result<Self, Vec<Problem>> {
        let text = text(file).map_err(|error| vec![unreadable(name, &error)])?;
        Self::parse(&text, name)
    }

    /// The step of a pipeline that would set these parameters; its places are the fixture's.
    pub fn step(&self, plugin: &PluginName) -> Step {
        Step {
            name: StepName::parse("fixture").expect("the name is well formed"),
            source: Source::Plugin(PluginSource::Named(plugin.clone())),
            inputs: BTreeMap::new(),
            fit: None,
            params: self.params.clone(),
            seed: self.seed,
            grants: self.grants.clone(),
            limits: LimitsPatch::default(),
            label: self.label.clone(),
            weight: self.weight.clone(),
            features: self.features.clone(),
            ignore: Vec::new(),
            slices: self.slices.clone(),
            device: DeviceChoice::default(),
            course: Course::default(),
            places: self.places.clone(),
        }
    }

    /// From the file's text.
    pub fn parse(text: &str, name: &str) -> Result<Self, Vec<Problem>> {
        let (fixture, mut problems) = Reader::document(File::new(name, text), fixture);
        crate::sort(&mut problems);
        match fixture {
            Some(fixture) if problems.is_empty() => Ok(fixture),
            _ => Err(problems),
        }
    }
}

fn fixture(reader: &mut Reader, table: &DeTable<'_>) -> Option<Fixture> {
    reader.keys(table, "a fixture", &KEYS);
    let role = role(reader, table);
    let state = table.get("state").and_then(|value| state(reader, value, role));
    let params = table.get("params").and_then(|value| {
        let table = reader.table("params", value)?;
        object(reader, table)
    });
    let inputs = table.get("inputs").map(|value| inputs(reader, value)).unwrap_or_default();
    let name =
        |reader: &mut Reader, key: &str| table.get(key).and_then(|value| reader.text(key, value)).map(str::to_owned);
    Some(Fixture {
        params: params.unwrap_or_default().into(),
        seed: table.get("seed").and_then(|value| reader.integer("seed", value, 0..1 << 64)).unwrap_or_default(),
        grants: table.get("grants").map(|value| grants(reader, value)).unwrap_or_default(),
        tolerance: table.get("tolerance").and_then(|value| reader.number("tolerance", value)).unwrap_or_default(),
        label: name(reader, "label"),
        weight: name(reader, "weight"),
        features: table.get("features").and_then(|value| reader.names("features", value)),
        slices: table.get("slices").and_then(|value| reader.names("slices", value)).unwrap_or_default(),
        state,
        inputs,
        places: Places::of_document(&reader.file, table),
        role: role?,
    })
}

fn role(reader: &mut Reader, table: &DeTable<'_>) -> Option<Role> {
    let roles = Role::ALL.map(Role::interface);
    let Some(value) = table.get("role") else {
        reader.wrong_hinted(0..0, "the fixture has no `role`", format!("expected one of {}", listed(roles)));
        return None;
    };
    let text = reader.text("role", value)?;
    let role = Role::ALL.into_iter().find(|role| role.interface() == text);
    if role.is_none() {
        reader.unknown(value.span(), format!("there is no role `{}`", cut(text)), text, &roles);
    }
    role
}

/// `"state.json" = ".."`: text, as `tests/NAME.expected.json` shows it.
fn state(reader: &mut Reader, value: &Value<'_>, role: Option<Role>) -> Option<BTreeMap<String, String>> {
    if role.is_some_and(|role| role != Role::Fitted) {
        reader.wrong(value.span(), "`state` is what a step of the role `fitted` restores".to_owned());
    }
    let files = entries(reader.table("state", value)?);
    let file = |(name, _, value): (&str, _, &Value<'_>)| Some((name.to_owned(), reader.text(name, value)?.to_owned()));
    Some(files.into_iter().filter_map(file).collect())
}

fn inputs(reader: &mut Reader, value: &Value<'_>) -> BTreeMap<PortName, Sample> {
    let mut inputs = BTreeMap::new();
    let Some(table) = reader.table("inputs", value) else { return inputs };
    for (key, span, value) in entries(table) {
        let port = reader.id::<PortName>(key, span);
        if let (Some(port), Some(sample)) = (port, sample(reader, key, value)) {
            inputs.insert(port, sample);
        }
    }
    inputs
}

/// `{ csv = ".." }`, whose first line has names and types, or `{ columns = [..], json = ".." }`.
fn sample(reader: &mut Reader, port: &str, value: &Value<'_>) -> Option<Sample> {
    let table = reader.table(port, value)?;
    reader.keys(table, "a table of a fixture", &["csv", "columns", "json"]);
    let read = match (table.get("csv"), table.get("columns"), table.get("json")) {
        (Some(value), None, None) => (value.span(), of_csv(reader.text("csv", value)?)),
        (None, Some(columns), Some(value)) => {
            (value.span(), of_json(&reader.names("columns", columns)?, reader.text("json", value)?))
        }
        _ => (value.span(), Err("has neither `csv` alone nor `columns` and `json`".to_owned())),
    };
    let (span, sample): (Range<usize>, _) = read;
    sample.map_err(|message| reader.wrong(span, format!("table `{}` {message}", cut(port)))).ok()
}

fn of_json(columns: &[String], rows: &str) -> Result<Sample, String> {
    let columns = columns.iter().map(|column| field(column)).collect::<Result<_, _>>()?;
    let rows = serde_json::from_str(rows).map_err(|error| format!("is not a JSON array of rows: {error}"))?;
    Ok(Sample { columns, rows })
}

fn of_csv(text: &str) -> Result<Sample, String> {
    let mut lines = records(text)?.into_iter();
    let head = lines.next().ok_or("is empty, expected a line of columns such as `age:int64,name:text?`")?;
    let columns: Vec<Field> = head.iter().map(|cell| field(&cell.text)).collect::<Result<_, _>>()?;
    let row = |(number, cells): (usize, Vec<Cell>)| {
        let (expected, got) = (columns.len(), cells.len());
        if expected != got {
            return Err(format!("has {got} cells in row {number}, expected {expected}"));
        }
        let values = columns.iter().zip(cells).map(|(field, cell)| {
            let value = cell.value(field.data_type);
            let wrong = || format!("has `{}` in row {number}, expected {}", cut(&cell.text), field.data_type);
            Ok((field.name.clone(), value.ok_or_else(wrong)?))
        });
        Ok(serde_json::Value::Object(values.collect::<Result<Map<_, _>, String>>()?))
    };
    let rows = (1..).zip(lines).map(row).collect::<Result<_, String>>()?;
    Ok(Sample { columns, rows })
}

/// `age:int64`, or `age:int64?` where values may be null.
fn field(text: &str) -> Result<Field, String> {
    let wrong = || format!("has the column `{}`, expected {COLUMN}", cut(text));
    let (name, kind) = text.rsplit_once(':').ok_or_else(wrong)?;
    let (kind, nullable) = match kind.trim().strip_suffix('?') {
        Some(kind) => (kind, true),
        None => (kind.trim(), false),
    };
    Ok(Field { name: name.trim().to_owned(), data_type: DataType::parse(kind).ok_or_else(wrong)?, nullable })
}

/// A cell, and whether it stood in quotes.
#[derive(Debug, PartialEq)]
struct Cell {
    text: String,
    quoted: bool,
}

impl Cell {
    /// The value in JSON; nothing without quotes is null.
    fn value(&self, data_type: DataType) -> Option<serde_json::Value> {
        match data_type {
            _ if self.text.is_empty() && !self.quoted => Some(json!(null)),
            DataType::Text => Some(json!(self.text)),
            _ => serde_json::from_str(&self.text).ok(),
        }
    }
}

/// The records of a text as RFC 4180 has them. Empty lines are none.
fn records(text: &str) -> Result<Vec<Vec<Cell>>, String> {
    let mut records = Vec::new();
    let mut rest = text.trim_start_matches('\n');
    while !rest.is_empty() {
        let mut record = Vec::new();
        loop {
            let (cell, after) = cell(rest)?;
            record.push(cell);
            rest = after.strip_prefix('\r').unwrap_or(after);
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        rest = rest.trim_start_matches('\n');
        records.push(record);
    }
    Ok(records)
}

/// A cell, and the text after it: a comma, an end of line, or nothing.
fn cell(text: &str) -> Result<(Cell, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let plain = text[..end].trim().to_owned();
        return Ok((Cell { text: plain, quoted: false }, &text[end..]));
    };
    let mut whole = String::new();
    loop {
        let end = rest.find('"').ok_or("has a quote that nothing closes")?;
        whole.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                whole.push('"');
                rest = after;
            }
            None if rest.is_empty() || rest.starts_with([',', '\n', '\r']) => {
                return Ok((Cell { text: whole, quoted: true }, rest));
            }
            None => return Err("has text after a closing quote".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(csv: &str) -> Result<String, String> {
        of_csv(csv).map(|sample| serde_json::Value::from(sample.rows).to_string())
    }

    #[test]
    fn cells_are_read_as_their_columns_say() {
        for (csv, expected) in [
            ("a:int64,b:text?\n1,x\n2,\n3,\"\"\n", r#"[{"a":1,"b":"x"},{"a":2,"b":null},{"a":3,"b":""}]"#),
            ("a:float64, b : boolean\n 1.5 , true\n", r#"[{"a":1.5,"b":true}]"#),
            ("\na:text\n\"say \"\"no\"\", twice\nover\"\n\n\"b\"", r#"[{"a":"say \"no\", twice\nover"},{"a":"b"}]"#),
            ("a:vector(2)\n\"[1, 2]\"\n", r#"[{"a":[1,2]}]"#),
            ("a:text\r\nx\r\n", r#"[{"a":"x"}]"#),
            ("a:text\n", "[]"),
        ] {
            assert_eq!(rows(csv).as_deref(), Ok(expected), "{csv:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_told() {
        for (csv, said) in [
            ("", "is empty"),
            ("a\n1", "column `a`, expected a name and a type"),
            ("a:int\n1", "column `a:int`"),
            ("a:int64\n1,2", "2 cells in row 1, expected 1"),
            ("a:int64\nx", "`x` in row 1, expected int64"),
            ("a:text\n\"x", "nothing closes"),
            ("a:text\n\"x\"y", "after a closing quote"),
        ] {
            assert!(rows(csv).is_err_and(|message| message.contains(said)), "{csv:?}: {:?}", rows(csv));
        }
    }

    #[test]
    fn a_fixture_is_read_whole_or_with_every_problem() {
        let text = "role = \"fitted\"\nparams = { column = \"a\" }\n[inputs.rows]\ncsv = \"\"\"\na:int64\n1\n\"\"\"\n";
        let fixture = Fixture::parse(text, "tests/a.toml").unwrap();
        assert_eq!((fixture.role, fixture.params.clone()), (Role::Fitted, json!({"column": "a"})));
        let step = fixture.step(&PluginName::parse("mine").unwrap());
        let place = |path: &[&str]| step.place_of_key(path).map(|place| (place.line, place.column));
        assert_eq!(
            (place(&["params", "column"]), place(&["role"]), place(&["fit"])),
            (Some((2, 12)), Some((1, 1)), None)
        );
        let restored = "role = \"fitted\"\n[state]\n\"state.json\" = '{}'\n";
        let state = BTreeMap::from([("state.json".to_owned(), "{}".to_owned())]);
        assert_eq!(Fixture::parse(restored, "a").unwrap().state, Some(state));
        let sink = Fixture::parse(&restored.replace("fitted", "sink"), "a").unwrap_err();
        assert!(sink[0].message.contains("`state` is what a step of the role `fitted` restores"));
        let wrong = "rule = 1\nrole = \"fited\"\n[inputs.rows]\ncsv = \"a\"\n[inputs.fit]\njson = \"[]\"\n";
        let problems = Fixture::parse(wrong, "tests/a.toml").unwrap_err();
        let places: Vec<usize> = problems.iter().filter_map(|it| Some(it.place.as_ref()?.line)).collect();
        assert_eq!(places, [1, 2, 4, 5], "{problems:?}");
        assert!(Fixture::parse("", "a").is_err_and(|problems| problems[0].message.contains("no `role`")));
    }
}

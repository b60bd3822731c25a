//! One `[steps.NAME]` table -> a [`Step`], without a look at the other steps.

use crate::course_table::{self, Beside, Named};
use crate::pipeline_file::Around;
use crate::reader::{Reader, Value, cut, entries};
use crate::value::{grants, limits, object};
use crate::{BUILT, Builtin, Course, Places, PluginSource, Source, Step, builtin, device};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::DeTable;
use types::{DeviceChoice, Digest, OutputRef, PluginName, PortName, StepName};

/// What is known of a step even when something in it is wrong, so that its neighbours can be checked all the same.
pub(crate) struct Draft {
    /// As written.
    pub(crate) name: String,
    /// What it takes, and where it says so.
    pub(crate) takes: Vec<Named>,
    /// What its conditions look at, likewise.
    pub(crate) looks_at: Vec<Named>,
    /// None if a part of it could not be read.
    pub(crate) step: Option<Step>,
}

/// The keys of a step with a plugin. Those of a role are `plan`'s to refuse, which knows the role.
const PLUGIN_KEYS: [&str; 18] = [
    "plugin", "inputs", "fit", "params", "seed", "grants", "limits", "label", "weight", "features", "ignore", "slices",
    "when", "retry", "cache", "pool", "each", "device",
];

/// What a table says that does the work.
enum Kind {
    Plugin,
    Builtin(&'static str),
    /// Neither, or both: a problem already.
    Unknown,
}

pub(crate) fn read(
    reader: &mut Reader,
    around: &Around<'_>,
    name: &str,
    key: Range<usize>,
    value: &Value<'_>,
) -> Draft {
    let id = reader.step(name, key.clone());
    let mut draft = Draft { name: name.to_owned(), takes: Vec::new(), looks_at: Vec::new(), step: None };
    let Some(table) = reader.table(name, value) else { return draft };
    let kind = kind(reader, name, key.clone(), table);
    let allowed: Vec<&str> = match kind {
        Kind::Plugin => PLUGIN_KEYS.to_vec(),
        Kind::Builtin(builtin) => builtin::keys(builtin).to_vec(),
        Kind::Unknown => [&["builtin"], &PLUGIN_KEYS[..], builtin::OWN_KEYS].concat(),
    };
    reader.keys(table, &owner(&kind, name), &allowed);

    let inputs = table.get("inputs").map(|value| inputs(reader, value)).unwrap_or_default();
    let fit = table.get("fit").and_then(|value| Some((reader.output("fit", value)?, value.span())));
    draft.takes = inputs.values().chain(&fit).cloned().collect();
    let source = match kind {
        Kind::Plugin => table.get("plugin").and_then(|value| plugin(reader, value)).map(Source::Plugin),
        Kind::Builtin(builtin) => builtin::read(reader, builtin, name, key.clone(), table).map(Source::Builtin),
        Kind::Unknown => None,
    };
    let seed = match table.get("seed") {
        Some(value) => reader.integer("seed", value, 0..1 << 64),
        None => Some(seed(around.pipeline, name)),
    };
    let beside = Beside { step: name, inputs: &inputs.keys().collect(), pools: around.pools };
    let (course, looks_at) = course_table::read(reader, table, &beside);
    draft.looks_at = looks_at;
    let rest = Rest::read(reader, table);
    let places = Places::of(&reader.file, key, value);
    if let (Some(name), Some(source), Some(seed)) = (id, source, seed) {
        let inputs = inputs.into_iter().map(|(port, (output, _))| (port, output)).collect();
        let step = rest.step(name, source, inputs, fit.map(|(output, _)| output), seed, places);
        draft.step = Some(Step { course, ..step });
    }
    draft
}

fn owner(kind: &Kind, name: &str) -> String {
    match kind {
        Kind::Builtin(builtin) => format!("step `{}`, a built-in `{builtin}`", cut(name)),
        _ => format!("step `{}`", cut(name)),
    }
}

fn kind(reader: &mut Reader, name: &str, key: Range<usize>, table: &DeTable<'_>) -> Kind {
    match (table.get("plugin"), table.get("builtin")) {
        (Some(_), None) => Kind::Plugin,
        (None, Some(value)) => {
            let Some(text) = reader.text("builtin", value) else { return Kind::Unknown };
            if let Some(known) = builtin::NAMES.into_iter().find(|known| *known == text) {
                return Kind::Builtin(known);
            }
            reader.unknown(value.span(), format!("there is no built-in `{}`", cut(text)), text, &builtin::NAMES);
            Kind::Unknown
        }
        (Some(_), Some(value)) => {
            let message = format!("step `{}` has both `plugin` and `builtin`, expected one", cut(name));
            reader.wrong(value.span(), message);
            Kind::Unknown
        }
        (None, None) => {
            let message = format!("step `{}` has neither `plugin` nor `builtin`", cut(name));
            let hint = "say who does the work, such as `plugin = \"csv\"` or `builtin = \"gate\"`";
            reader.wrong_hinted(key, message, hint);
            Kind::Unknown
        }
    }
}

fn inputs(reader: &mut Reader, value: &Value<'_>) -> BTreeMap<PortName, (OutputRef, Range<usize>)> {
    let mut inputs = BTreeMap::new();
    let Some(table) = reader.table("inputs", value) else { return inputs };
    for (key, span, value) in entries(table) {
        let port = reader.id::<PortName>(key, span);
        if let (Some(port), Some(output)) = (port, reader.output(key, value)) {
            inputs.insert(port, (output, value.span()));
        }
    }
    inputs
}

/// `csv`, `./steps/x.wasm`, `./steps/x.sql` or a source file such as `./steps/x.py`.
fn plugin(reader: &mut Reader, value: &Value<'_>) -> Option<PluginSource> {
    let text = reader.text("plugin", value)?;
    let Some(path) = text.strip_prefix("./") else {
        if text.contains('/') || file(text).is_some() {
            let message = format!("plugin `{}` is neither a name nor a path from `./`", cut(text));
            let hint = "a file of the project begins with `./`, such as \"./steps/derive.py\"";
            reader.wrong_hinted(value.span(), message, hint);
            return None;
        }
        return reader.id::<PluginName>(text, value.span()).map(PluginSource::Named);
    };
    let plain = path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(['\0', '\\']);
    let source = file(path).filter(|_| plain);
    if source.is_none() {
        let endings = BUILT.map(|ending| format!("`.{ending}`")).join(", ");
        let message = format!("plugin `{}` is not a file `.wasm`, `.sql`, {endings} inside the project", cut(text));
        reader.wrong_hinted(value.span(), message, "expected a path without `..`, such as \"./steps/derive.py\"");
    }
    source
}

/// What a path says by its ending.
fn file(path: &str) -> Option<PluginSource> {
    match path.rsplit_once('.').filter(|(stem, _)| !stem.is_empty())? {
        (_, "wasm") => Some(PluginSource::Wasm(path.to_owned())),
        (_, "sql") => Some(PluginSource::Sql(path.to_owned())),
        (_, ending) if BUILT.contains(&ending) => Some(PluginSource::Built(path.to_owned())),
        _ => None,
    }
}

/// A seed for who names none: the same in every run, and another for every step.
fn seed(pipeline: &str, step: &str) -> u64 {
    let digest = Digest::of_json(&("seed", pipeline, step));
    let mut seed = [0; 8];
    seed.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_le_bytes(seed)
}

/// The keys that need nothing but their own value. One that is wrong is a problem, and empty here.
struct Rest {
    params: serde_json::Map<String, serde_json::Value>,
    grants: types::Grants,
    limits: types::LimitsPatch,
    label: Option<String>,
    weight: Option<String>,
    features: Option<Vec<String>>,
    ignore: Vec<String>,
    slices: Vec<String>,
    device: DeviceChoice,
}

impl Rest {
    fn read(reader: &mut Reader, table: &DeTable<'_>) -> Self {
        let params = table.get("params").and_then(|value| {
            let table = reader.table("params", value)?;
            object(reader, table)
        });
        if let (Some(_), Some(ignore)) = (table.get("features"), table.get("ignore")) {
            reader.wrong_hinted(ignore.span(), "`ignore` does nothing beside `features`", "keep one of the two");
        }
        Self {
            params: params.unwrap_or_default(),
            grants: table.get("grants").map(|value| grants(reader, value)).unwrap_or_default(),
            limits: table.get("limits").map(|value| limits(reader, value)).unwrap_or_default(),
            label: column(reader, table, "label"),
            weight: column(reader, table, "weight"),
            features: features(reader, table),
            ignore: columns(reader, table, "ignore").unwrap_or_default(),
            slices: columns(reader, table, "slices").unwrap_or_default(),
            device: device::read(reader, table),
        }
    }

    fn step(
        self,
        name: StepName,
        source: Source,
        inputs: BTreeMap<PortName, OutputRef>,
        fit: Option<OutputRef>,
        seed: u64,
        places: Places,
    ) -> Step {
        let Self { params, grants, limits, label, weight, features, ignore, slices, device } = self;
        let params = serde_json::Value::Object(params);
        Step {
            name,
            source,
            inputs,
            fit,
            params,
            seed,
            grants,
            limits,
            label,
            weight,
            features,
            ignore,
            slices,
            device,
            course: Course::default(),
            places,
        }
    }
}

fn column(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<String> {
    let value = table.get(key)?;
    let name = reader.text(key, value)?;
    if name.is_empty() {
        reader.wrong(value.span(), format!("`{key}` is empty, expected the name of a column"));
    }
    Some(name.to_owned())
}

fn columns(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<Vec<String>> {
    table.get(key).and_then(|value| reader.names(key, value))
}

fn features(reader: &mut Reader, table: &DeTable<'_>) -> Option<Vec<String>> {
    let features = columns(reader, table, "features")?;
    if let (true, Some(value)) = (features.is_empty(), table.get("features")) {
        let hint = "leave the key away to learn from every column of numbers";
        reader.wrong_hinted(value.span(), "`features` is empty, so there is nothing to learn from", hint);
    }
    Some(features)
}

/// What a built-in's table turned out to be; the ports it must and may have.
pub(crate) fn ports(reader: &mut Reader, what: &str, key: Range<usize>, table: &DeTable<'_>, ports: builtin::Ports) {
    let written = table.get("inputs").and_then(|value| value.get_ref().as_table());
    let known = [ports.required, ports.optional].concat();
    for (port, span, _) in written.map(entries).unwrap_or_default() {
        if !known.contains(&port) {
            reader.unknown(span, format!("{what} has no port `{}`", cut(port)), port, &known);
        }
    }
    for port in ports.required {
        if written.is_none_or(|inputs| inputs.get(*port).is_none()) {
            let hint = format!("add `inputs = {{ {port} = \"step.port\" }}`");
            reader.wrong_hinted(key.clone(), format!("{what} lacks its input `{port}`"), hint);
        }
    }
}

impl Builtin {
    /// The ports it must have, then those it may have.
    pub fn ports(&self) -> (&'static [&'static str], &'static [&'static str]) {
        let ports = builtin::ports(self.name());
        (ports.required, ports.optional)
    }
}

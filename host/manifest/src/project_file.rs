//! `stepwell.toml` -> a [`Project`] without its pipelines.

use crate::place::File;
use crate::reader::{Reader, Value, cut, entries, listed};
use crate::settings::{self, Filling, names_any};
use crate::traffic::endpoint;
use crate::value::{duration, limits, named, secret};
use crate::{Endpoint, Notify, Occasion, Project, Retention, device};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::de::DeTable;
use types::{EndpointName, Place, Problem, Settings};

/// The file's name, and what problems in it call it.
pub(crate) const PROJECT_FILE: &str = "stepwell.toml";

/// What the file says, as far as it could be read.
pub(crate) struct Head {
    pub(crate) project: Option<Project>,
    /// None if one of the settings could not be read.
    pub(crate) settings: Option<Filling>,
    pub(crate) pools: Option<BTreeMap<String, u32>>,
    /// Where it says what steps may take of a GPU.
    pub(crate) device_memory: Option<Place>,
    pub(crate) problems: Vec<Problem>,
}

/// Reads the file under what was set for it.
pub(crate) fn read(text: &str, set: &Settings) -> Head {
    let file = File::new(PROJECT_FILE, text);
    let (settings, wrong) = settings_of(&file, set);
    let (mut reader, table) = Reader::open(&file);
    let (mut pools, mut device_memory) = (None, None);
    let project = table.and_then(|mut table| {
        for key in FILLED {
            let Some(value) = table.get_mut().get_mut(key) else { continue };
            match &settings {
                Some(settings) => settings.fill_one(&mut reader, value),
                None if names_any(text) => return None,
                None => {}
            }
        }
        let read = project(&mut reader, table.get_ref());
        device_memory = device::limit(&reader, table.get_ref());
        pools = table.get_ref().get("pools").map_or(Some(BTreeMap::new()), |value| self::pools(&mut reader, value));
        Some(Project {
            settings: settings.as_ref().map(|settings| settings.values.clone()).unwrap_or_default(),
            pools: pools.clone().unwrap_or_default(),
            ..read?
        })
    });
    let problems = reader.problems.into_iter().chain(wrong).collect();
    Head { project, settings, pools, device_memory, problems }
}

/// The tables in which settings are put.
const FILLED: [&str; 2] = ["endpoints", "notify"];

/// The settings come first, for the rest of the file may name them.
fn settings_of(file: &Arc<File>, set: &Settings) -> (Option<Filling>, Vec<Problem>) {
    let (mut reader, table) = Reader::open(file);
    // What is not TOML is told by who reads the rest.
    let Some(table) = table else { return (None, Vec::new()) };
    let declared = match table.get_ref().get("settings") {
        Some(value) => settings::read(&mut reader, value),
        None => Some(Settings::new()),
    };
    let Some(declared) = declared else { return (None, reader.problems) };
    let (values, wrong) = settings::over(declared, set);
    (Some(Filling::new(values)), wrong)
}

const KEYS: [&str; 7] = ["name", "endpoints", "limits", "settings", "pools", "retention", "notify"];

fn project(reader: &mut Reader, table: &DeTable<'_>) -> Option<Project> {
    reader.keys(table, "the project", &KEYS);
    let name = match table.get("name") {
        Some(value) => reader.text("name", value).and_then(|text| reader.id(text, value.span())),
        None => {
            reader.wrong_hinted(0..0, "the project has no `name`", "add a line such as `name = \"tumour\"`");
            None
        }
    };
    let endpoints = table.get("endpoints").map(|value| endpoints(reader, value)).unwrap_or_default();
    let limits = table.get("limits").map(|value| limits(reader, value)).unwrap_or_default();
    let retention = table.get("retention").and_then(|value| retention(reader, value));
    let notify = table.get("notify").and_then(|value| notify(reader, value));
    let (settings, pools, pipelines) = (Settings::new(), BTreeMap::new(), BTreeMap::new());
    Some(Project { name: name?, endpoints, limits, settings, pools, retention, notify, pipelines })
}

/// The most attempts that a pool lets in.
const POOL_MAX: u128 = 1_000;

fn pools(reader: &mut Reader, value: &Value<'_>) -> Option<BTreeMap<String, u32>> {
    let before = reader.problems.len();
    let mut pools = BTreeMap::new();
    for (key, span, value) in entries(reader.table("pools", value)?) {
        let name = named(reader, "pool name", key, span);
        let most = reader.integer(key, value, 1..POOL_MAX + 1).and_then(|most| u32::try_from(most).ok());
        pools.extend(name.zip(most));
    }
    (reader.problems.len() == before).then_some(pools)
}

fn retention(reader: &mut Reader, value: &Value<'_>) -> Option<Retention> {
    let table = reader.table("retention", value)?;
    reader.keys(table, "`retention`", &["runs", "age"]);
    let runs = table.get("runs").and_then(|value| reader.integer("runs", value, 1..1 << 32));
    let age_ms = duration(reader, table, "age");
    if let (Some(0), Some(value)) = (age_ms, table.get("age")) {
        reader.wrong(value.span(), "`age` is zero, so no run would be kept");
    }
    Some(Retention { runs: runs.and_then(|runs| u32::try_from(runs).ok()), age_ms })
}

fn notify(reader: &mut Reader, value: &Value<'_>) -> Option<Notify> {
    let table = reader.table("notify", value)?;
    reader.keys(table, "`notify`", &["url", "secret", "on"]);
    let url = match table.get("url") {
        Some(value) => reader.text("url", value).filter(|url| address(reader, url, value.span())),
        None => {
            reader.wrong_hinted(value.span(), "`notify` lacks its `url`", "add the address that is told");
            None
        }
    };
    let secret = secret(reader, table);
    let on = table.get("on").map_or(Some(Occasion::ALL.to_vec()), |value| occasions(reader, value));
    Some(Notify { url: url?.to_owned(), secret, on: on? })
}

fn occasions(reader: &mut Reader, value: &Value<'_>) -> Option<Vec<Occasion>> {
    let words = reader.names("on", value)?;
    let elements = value.get_ref().as_array()?;
    let known = Occasion::ALL.map(Occasion::word);
    if words.is_empty() {
        let hint = format!("remove the key, or name some of {}", listed(known));
        reader.wrong_hinted(value.span(), "`on` is empty, so nobody would be told of anything", hint);
    }
    let occasion = |(word, element): (&String, &Value<'_>)| {
        let found = Occasion::ALL.into_iter().find(|occasion| occasion.word() == word);
        if found.is_none() {
            reader.unknown(element.span(), format!("nothing is told on `{}`", cut(word)), word, &known);
        }
        found
    };
    let found: Vec<_> = words.iter().zip(elements.iter()).map(occasion).collect();
    found.into_iter().collect()
}

/// Whether a text is an absolute address of a web server.
fn address(reader: &mut Reader, url: &str, span: Range<usize>) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.map_or("", |rest| rest.split(['/', '?']).next().unwrap_or_default());
    let plain = url.chars().all(|c| c.is_ascii_graphic()) && !url.contains(['#', '\\']);
    let fits = plain && !authority.is_empty() && !authority.contains('@') && !authority.starts_with(':');
    if !fits {
        let hint = "expected one such as \"https://example.com/stepwell\"";
        reader.wrong_hinted(span, format!("`{}` is no absolute address of http or https", cut(url)), hint);
    }
    fits
}

fn endpoints(reader: &mut Reader, value: &Value<'_>) -> BTreeMap<EndpointName, Endpoint> {
    let mut endpoints = BTreeMap::new();
    let Some(table) = reader.table("endpoints", value) else { return endpoints };
    for (key, span, value) in entries(table) {
        let name = reader.id::<EndpointName>(key, span);
        if let (Some(name), Some(endpoint)) = (name, endpoint(reader, key, value)) {
            endpoints.insert(name, endpoint);
        }
    }
    endpoints
}

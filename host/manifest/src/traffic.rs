//! The table of an endpoint -> which versions of its model answer, which requests, how a new one gets there, and what is kept of
//! the answers.

use crate::reader::{Reader, Value, cut, entries};
use crate::value::{alias, duration, milliseconds, size};
use crate::{Endpoint, LogSettings, builtin};
use std::collections::BTreeMap;
use std::fmt;
use toml::de::DeTable;
use types::{Analysis, Budget, CanaryStep, ModelName};

/// The alias that an endpoint follows unless it names another.
const ALIAS: &str = "champion";
const KEYS: [&str; 9] = ["model", "alias", "split", "sticky", "shadow", "canary", "request", "log", "budget"];
/// Steps of a canary.
const STEPS_MAX: usize = 100;
/// Requests that an analysis waits for: of a handful not even that all failed is beyond chance, and no percentile means anything.
const REQUESTS: std::ops::Range<u128> = 20..1_000_001;
/// Labels that it waits for: fewer say nothing of a mean, more are not kept in memory.
const LABELS: std::ops::Range<u128> = 20..50_001;
const LATENCY_RATIO_MAX: f64 = 1000.0;
/// What an analysis compares: of requests, of labelled predictions.
const OF_REQUESTS: [&str; 3] = ["error_rate", "latency_ratio", "shift"];
const OF_LABELS: [&str; 2] = ["accuracy_loss", "mae_increase"];

/// Who answers besides the version under an endpoint's alias.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Traffic {
    /// Of 100 requests, those that go to the version under another alias.
    pub split: BTreeMap<String, u8>,
    /// What requests have in common that always go to the same version; none: each by itself.
    pub sticky: Option<Sticky>,
    /// The version under this alias is asked as well, and its answer held against the one that was given.
    pub shadow: Option<String>,
    pub canary: Option<Canary>,
}

/// Where the key of a request stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Sticky {
    /// The value of a column in the first row.
    Column(String),
    /// The value of a header; its name in small letters.
    Header(String),
}

/// How a version comes to take the place of the one that answers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Canary {
    /// Whichever version gets this alias begins.
    pub alias: String,
    /// At least one.
    pub steps: Vec<CanaryStep>,
}

/// What there is besides, for people: `, split challenger 20 %, shadow trial`.
impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (alias, percent) in &self.split {
            write!(f, ", split `{alias}` {percent} %")?;
        }
        match &self.sticky {
            Some(Sticky::Column(name)) => write!(f, ", sticky by column `{name}`")?,
            Some(Sticky::Header(name)) => write!(f, ", sticky by header `{name}`")?,
            None => {}
        }
        if let Some(alias) = &self.shadow {
            write!(f, ", shadow `{alias}`")?;
        }
        let Some(Canary { alias, steps }) = &self.canary else { return Ok(()) };
        write!(f, ", canary `{alias}`:")?;
        for step in steps {
            match step {
                CanaryStep::SetWeight { percent } => write!(f, " {percent} %")?,
                CanaryStep::Pause { ms: Some(ms) } => write!(f, " pause {ms} ms")?,
                CanaryStep::Pause { ms: None } => write!(f, " pause")?,
                CanaryStep::Analyse(analysis) => write_analysis(f, analysis)?,
            }
        }
        Ok(())
    }
}

fn write_analysis(f: &mut fmt::Formatter<'_>, analysis: &Analysis) -> fmt::Result {
    let Analysis { requests, error_rate, latency_ratio, shift, labels, accuracy_loss, mae_increase } = analysis;
    write!(f, " analyse")?;
    for (count, what, bounds) in [
        (requests, "requests", vec![("error_rate", error_rate), ("latency_ratio", latency_ratio), ("shift", shift)]),
        (labels, "labels", vec![("accuracy_loss", accuracy_loss), ("mae_increase", mae_increase)]),
    ] {
        if *count > 0 {
            write!(f, " {count} {what}")?;
        }
        for (key, bound) in bounds {
            bound.iter().try_for_each(|bound| write!(f, " {key} {bound}"))?;
        }
    }
    Ok(())
}

/// An endpoint as its table says.
pub(crate) fn endpoint(reader: &mut Reader, name: &str, value: &Value<'_>) -> Option<Endpoint> {
    let table = reader.table(name, value)?;
    reader.keys(table, "an endpoint", &KEYS);
    let model: Option<ModelName> = match table.get("model") {
        Some(model) => reader.text("model", model).and_then(|text| reader.id(text, model.span())),
        None => {
            let hint = "name the model of the registry that answers";
            reader.wrong_hinted(value.span(), format!("endpoint `{}` has no `model`", cut(name)), hint);
            None
        }
    };
    let alias = match table.get("alias") {
        Some(_) => named(reader, table, "alias"),
        None => Some(ALIAS.to_owned()),
    };
    let traffic = traffic(reader, table);
    if let Some(alias) = &alias {
        expect_others(reader, table, &traffic, alias);
    }
    let request_bytes = size(reader, table, "request");
    let log = table.get("log").map_or_else(|| Some(LogSettings::default()), |value| log(reader, value));
    let budget = table.get("budget").and_then(|value| budget(reader, value));
    if let (Some(value), Some(log)) = (table.get("log"), &log) {
        expect_logged(reader, value, log, &traffic);
    }
    let place = reader.file.place(value.span());
    Some(Endpoint { model: model?, alias: alias?, traffic, request_bytes, log: log?, budget, place })
}

/// What a version of its model may take.
fn budget(reader: &mut Reader, value: &Value<'_>) -> Option<Budget> {
    let table = reader.table("budget", value)?;
    reader.keys(table, "`budget`", &["latency", "memory"]);
    if table.is_empty() {
        let hint = "add `latency = \"20 ms\"`, `memory = \"200 MiB\"` or both";
        reader.wrong_hinted(value.span(), "`budget` bounds nothing", hint);
    }
    let latency_ms = table.get("latency").and_then(|value| {
        let hint = "the least is \"1 ms\"";
        match milliseconds(reader.text("latency", value)?) {
            Ok(0) => reader.wrong_hinted(value.span(), "`latency` is zero", hint),
            Ok(latency_ms) => return Some(latency_ms),
            Err(message) => reader.wrong_hinted(value.span(), message, hint),
        }
        None
    });
    Some(Budget { latency_ms, memory_bytes: size(reader, table, "memory") })
}

/// What is not logged gets no label.
fn expect_logged(reader: &mut Reader, value: &Value<'_>, log: &LogSettings, traffic: &Traffic) {
    let mut steps = traffic.canary.iter().flat_map(|canary| &canary.steps);
    if log.sample == 0.0 && steps.any(|step| matches!(step, CanaryStep::Analyse(analysis) if analysis.labels > 0)) {
        let hint = "log a share of the predictions, or compare something else";
        reader.wrong_hinted(value.span(), "`analyse` waits for labels, and no prediction is logged", hint);
    }
}

/// How its predictions are kept.
fn log(reader: &mut Reader, value: &Value<'_>) -> Option<LogSettings> {
    let table = reader.table("log", value)?;
    reader.keys(table, "`log`", &["sample", "keep", "size"]);
    let mut log = LogSettings::default();
    if let Some(value) = table.get("sample") {
        log.sample = reader.number("sample", value)?;
        if !(0.0..=1.0).contains(&log.sample) {
            reader.wrong(value.span(), format!("`sample` is {}, expected 0 to 1", log.sample));
        }
    }
    log.keep_ms = duration(reader, table, "keep").unwrap_or(log.keep_ms);
    log.bytes = size(reader, table, "size").unwrap_or(log.bytes);
    Some(log)
}

fn named(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<String> {
    let value = table.get(key)?;
    let text = reader.text(key, value)?;
    alias(reader, text, value.span())
}

fn traffic(reader: &mut Reader, table: &DeTable<'_>) -> Traffic {
    let split = table.get("split").map(|value| split(reader, value)).unwrap_or_default();
    let sticky = table.get("sticky").and_then(|value| sticky(reader, value));
    let shadow = named(reader, table, "shadow");
    let canary = table.get("canary").and_then(|value| canary(reader, value));
    if let (Some(_), Some(value)) = (table.get("canary"), table.get("split")) {
        let hint = "remove `split`: the steps of the canary say who gets what";
        reader.wrong_hinted(value.span(), "an endpoint has either `split` or `canary`", hint);
    }
    if let (None, None, Some(value)) = (table.get("split"), table.get("canary"), table.get("sticky")) {
        let hint = "remove it, or add `split` or `canary`";
        reader.wrong_hinted(value.span(), "`sticky` says nothing where one version answers everything", hint);
    }
    Traffic { split, sticky, shadow, canary }
}

/// A version beside itself would be no other.
fn expect_others(reader: &mut Reader, table: &DeTable<'_>, traffic: &Traffic, alias: &str) {
    let split = traffic.split.keys().find(|other| *other == alias);
    let canary = traffic.canary.as_ref().map(|canary| &canary.alias);
    for (key, other) in [("split", split), ("shadow", traffic.shadow.as_ref()), ("canary", canary)] {
        if let (Some(_), Some(value)) = (other.filter(|other| *other == alias), table.get(key)) {
            reader.wrong(value.span(), format!("`{key}` names `{alias}`, the endpoint's own alias; expected another"));
        }
    }
}

fn split(reader: &mut Reader, value: &Value<'_>) -> BTreeMap<String, u8> {
    let mut split = BTreeMap::new();
    let Some(table) = reader.table("split", value) else { return split };
    for (key, span, value) in entries(table) {
        let alias = alias(reader, key, span);
        let percent = reader.integer(key, value, 1..101).and_then(|percent| u8::try_from(percent).ok());
        split.extend(alias.zip(percent));
    }
    let all: u32 = split.values().map(|percent| u32::from(*percent)).sum();
    if all > 100 {
        reader.wrong(value.span(), format!("`split` gives away {all} of 100 requests"));
    }
    split
}

fn sticky(reader: &mut Reader, value: &Value<'_>) -> Option<Sticky> {
    let table = reader.table("sticky", value)?;
    reader.keys(table, "`sticky`", &["column", "header"]);
    let column = builtin::name(reader, table, "column");
    let header = builtin::name(reader, table, "header");
    match (column, header) {
        (Some(column), None) => Some(Sticky::Column(column)),
        (None, Some(header)) => Some(Sticky::Header(header.to_ascii_lowercase())),
        _ => {
            let hint = "write `sticky = { header = \"x-user\" }` or `sticky = { column = \"patient\" }`";
            reader.wrong_hinted(value.span(), "`sticky` names one of `column` and `header`", hint);
            None
        }
    }
}

fn canary(reader: &mut Reader, value: &Value<'_>) -> Option<Canary> {
    let table = reader.table("canary", value)?;
    reader.keys(table, "`canary`", &["alias", "steps"]);
    for key in ["alias", "steps"] {
        if table.get(key).is_none() {
            let hint = "write `alias = \"challenger\"` and `steps = [{ set_weight = 10 }, { pause = \"10 min\" }]`";
            reader.wrong_hinted(value.span(), format!("`canary` lacks its `{key}`"), hint);
        }
    }
    let alias = named(reader, table, "alias");
    let steps = table.get("steps")?;
    let elements = reader.array("steps", steps)?;
    if elements.is_empty() || elements.len() > STEPS_MAX {
        let message = format!("`steps` has {} steps, expected 1 to {STEPS_MAX}", elements.len());
        reader.wrong(steps.span(), message);
    }
    let read: Vec<_> = elements.iter().enumerate().map(|(at, element)| step(reader, at, element)).collect();
    let mut weight = 0;
    for (step, element) in read.iter().zip(elements.iter()) {
        match step {
            Some(CanaryStep::SetWeight { percent }) => weight = *percent,
            Some(CanaryStep::Analyse(_)) if !(1..100).contains(&weight) => {
                let message =
                    format!("`analyse` compares two versions, and the candidate gets {weight} of 100 requests");
                reader.wrong_hinted(element.span(), message, "put `{ set_weight = 10 }` before it");
            }
            _ => {}
        }
    }
    Some(Canary { alias: alias?, steps: read.into_iter().collect::<Option<_>>()? })
}

fn step(reader: &mut Reader, at: usize, value: &Value<'_>) -> Option<CanaryStep> {
    let table = reader.table(&format!("steps.{at}"), value)?;
    reader.keys(table, "a step", &["set_weight", "pause", "analyse"]);
    if table.len() != 1 {
        reader.wrong(value.span(), "a step is one of `set_weight`, `pause` and `analyse`");
        return None;
    }
    if let Some(value) = table.get("set_weight") {
        let percent = reader.integer("set_weight", value, 0..101)?;
        return Some(CanaryStep::SetWeight { percent: u8::try_from(percent).ok()? });
    }
    if let Some(value) = table.get("pause") {
        // As with Argo Rollouts: `{}` is until somebody resumes.
        let endless = value.get_ref().as_table().is_some_and(|table| table.is_empty());
        let ms = if endless { None } else { Some(duration(reader, table, "pause")?) };
        return Some(CanaryStep::Pause { ms });
    }
    analysis(reader, table.get("analyse")?).map(CanaryStep::Analyse)
}

fn analysis(reader: &mut Reader, value: &Value<'_>) -> Option<Analysis> {
    let table = reader.table("analyse", value)?;
    let keys: Vec<&str> = ["requests"].into_iter().chain(OF_REQUESTS).chain(["labels"]).chain(OF_LABELS).collect();
    reader.keys(table, "`analyse`", &keys);
    let mut bound = |key: &str, most: f64| {
        let value = table.get(key)?;
        let number = reader.number(key, value)?;
        if !(0.0..=most).contains(&number) {
            reader.wrong(value.span(), format!("`{key}` is {number}, expected 0 to {most}"));
        }
        Some(number)
    };
    let (error_rate, shift) = (bound("error_rate", 1.0), bound("shift", 1.0));
    let latency_ratio = bound("latency_ratio", LATENCY_RATIO_MAX);
    let (accuracy_loss, mae_increase) = (bound("accuracy_loss", 1.0), bound("mae_increase", f64::MAX));
    let has = |keys: &[&str]| keys.iter().any(|key| table.get(*key).is_some());
    if !has(&OF_REQUESTS) && !has(&OF_LABELS) {
        let hint = "add the most that the candidate may be worse by, such as `error_rate = 0.01`";
        reader.wrong_hinted(value.span(), "`analyse` compares nothing", hint);
    }
    if let (Some(_), Some(number)) = (table.get("accuracy_loss"), table.get("mae_increase")) {
        let hint = "`accuracy_loss` compares classes, `mae_increase` numbers; keep one";
        reader.wrong_hinted(number.span(), "`analyse` has both `accuracy_loss` and `mae_increase`", hint);
    }
    let requests = counted(reader, value, ("requests", &OF_REQUESTS, "500"), REQUESTS)?;
    let labels = counted(reader, value, ("labels", &OF_LABELS, "200"), LABELS)?;
    Some(Analysis { requests, error_rate, latency_ratio, shift, labels, accuracy_loss, mae_increase })
}

/// How many an analysis waits for, which it says if and only if something of them is compared; else 0.
fn counted(
    reader: &mut Reader,
    value: &Value<'_>,
    (key, bounds, such): (&str, &[&str], &str),
    expected: std::ops::Range<u128>,
) -> Option<u64> {
    let table = value.get_ref().as_table()?;
    let compared = bounds.iter().any(|bound| table.get(*bound).is_some());
    match (table.get(key), compared) {
        (Some(count), true) => reader.integer(key, count, expected),
        (Some(count), false) => {
            let bounds: Vec<_> = bounds.iter().map(|bound| format!("`{bound}`")).collect();
            let message = format!("`analyse` has `{key}` and compares nothing of them");
            reader.wrong_hinted(count.span(), message, format!("add {}, or remove it", bounds.join(" or ")));
            None
        }
        (None, true) => {
            let hint = format!("add how many there are to be of each version first, such as `{key} = {such}`");
            reader.wrong_hinted(value.span(), format!("`analyse` lacks its `{key}`"), hint);
            None
        }
        (None, false) => Some(0),
    }
}

//! The steps that the host does itself: their keys, ports and settings.

use crate::Builtin;
use crate::reader::{Reader, Value, cut, entries};
use crate::step_table;
use crate::value::alias;
use std::ops::Range;
use toml::de::DeTable;
use types::{Bound, Requirement};

pub(crate) const NAMES: [&str; 3] = ["predict", "gate", "register"];

/// Keys that only built-ins have.
pub(crate) const OWN_KEYS: &[&str] = &["require", "name", "alias"];

/// The ports that a built-in must have and may have.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
}

/// Gate and register do no work that a limit could bound, so they take none.
pub(crate) fn keys(name: &str) -> &'static [&'static str] {
    match name {
        "predict" => &["builtin", "inputs", "seed", "limits"],
        "gate" => &["builtin", "inputs", "require"],
        _ => &["builtin", "inputs", "name", "alias"],
    }
}

pub(crate) fn ports(name: &str) -> Ports {
    match name {
        "predict" => Ports { required: &["rows", "model"], optional: &[] },
        "gate" => Ports { required: &["measures"], optional: &[] },
        _ => Ports { required: &["model"], optional: &["verdict"] },
    }
}

/// The settings of the built-in of this name, which is one of [`NAMES`].
pub(crate) fn read(
    reader: &mut Reader,
    builtin: &str,
    step: &str,
    key: Range<usize>,
    table: &DeTable<'_>,
) -> Option<Builtin> {
    let what = format!("step `{}`, a built-in `{builtin}`,", cut(step));
    step_table::ports(reader, &what, key.clone(), table, ports(builtin));
    match builtin {
        "predict" => Some(Builtin::Predict),
        "gate" => gate(reader, &what, key, table),
        _ => register(reader, &what, key, table),
    }
}

fn register(reader: &mut Reader, what: &str, key: Range<usize>, table: &DeTable<'_>) -> Option<Builtin> {
    let alias = table.get("alias").map(|value| {
        let text = reader.text("alias", value)?;
        alias(reader, text, value.span())
    });
    let Some(value) = table.get("name") else {
        reader.wrong_hinted(key, format!("{what} lacks the `name` of the model"), "add `name = \"MODEL\"`");
        return None;
    };
    let text = reader.text("name", value)?;
    let name = reader.id(text, value.span())?;
    Some(Builtin::Register { name, alias: alias.flatten() })
}

fn gate(reader: &mut Reader, what: &str, key: Range<usize>, table: &DeTable<'_>) -> Option<Builtin> {
    let hint = "add `require = [{ measure = \"roc_auc\", at_least = 0.9 }]`";
    let Some(value) = table.get("require") else {
        reader.wrong_hinted(key, format!("{what} lacks `require`"), hint);
        return None;
    };
    let elements = reader.array("require", value)?;
    if elements.is_empty() {
        reader.wrong_hinted(value.span(), format!("{what} requires nothing, so it would let everything pass"), hint);
    }
    let require =
        elements.iter().enumerate().flat_map(|(index, element)| requirements(reader, index, element)).collect();
    Some(Builtin::Gate { require })
}

/// One element of `require` -> a requirement for each of its bounds.
fn requirements(reader: &mut Reader, index: usize, value: &Value<'_>) -> Vec<Requirement> {
    let Some(table) = reader.table(&format!("require.{index}"), value) else { return Vec::new() };
    reader.keys(table, "a requirement", &["measure", "slice", "at_least", "at_most"]);
    let text = |reader: &mut Reader, key: &str| {
        let value = table.get(key)?;
        let text = reader.text(key, value)?;
        if text.is_empty() {
            reader.wrong(value.span(), format!("`{key}` is empty"));
        }
        Some(text.to_owned())
    };
    let measure = text(reader, "measure");
    let slice = text(reader, "slice");
    if table.get("measure").is_none() {
        reader.wrong_hinted(
            value.span(),
            "a requirement lacks its `measure`",
            "name one of those that the step measures",
        );
    }
    let bound = |reader: &mut Reader, key: &str| table.get(key).and_then(|value| reader.number(key, value));
    let (low, high) = (bound(reader, "at_least"), bound(reader, "at_most"));
    if !entries(table).iter().any(|(key, ..)| matches!(*key, "at_least" | "at_most")) {
        reader.wrong_hinted(value.span(), "a requirement lacks its bound", "add `at_least`, `at_most` or both");
    }
    if let (Some(low), Some(high)) = (low, high)
        && low > high
    {
        reader.wrong(value.span(), format!("no number is at least {low} and at most {high}"));
    }
    let Some(measure) = measure else { return Vec::new() };
    let bounds = [low.map(Bound::AtLeast), high.map(Bound::AtMost)];
    let requirement = |bound| Requirement { measure: measure.clone(), slice: slice.clone(), bound };
    bounds.into_iter().flatten().map(requirement).collect()
}

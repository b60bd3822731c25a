//! The steps that the host does itself: their keys, ports and settings.

use crate::Builtin;
use crate::reader::{Reader, Value, cut};
use crate::step_table;
use crate::value::alias;
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use types::{Bound, Purpose, Requirement};

pub(crate) const NAMES: [&str; 5] = ["predict", "gate", "best", "register", "feedback"];

/// Which of two numbers is the better one.
const PREFER: [&str; 2] = ["highest", "lowest"];

/// Keys that only built-ins have.
pub(crate) const OWN_KEYS: &[&str] =
    &["require", "name", "alias", "measure", "slice", "prefer", "endpoint", "intended_use", "limitations"];

/// The ports that a built-in must have and may have.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
}

/// All but predict do no work that a limit could bound or a second attempt mend, so they take no such key.
pub(crate) fn keys(name: &str) -> &'static [&'static str] {
    match name {
        "predict" => &["builtin", "inputs", "seed", "limits", "when", "retry", "cache", "pool", "each"],
        "gate" => &["builtin", "inputs", "require", "when"],
        "best" => &["builtin", "inputs", "measure", "slice", "prefer", "when"],
        "feedback" => &["builtin", "endpoint", "label", "when"],
        _ => &["builtin", "inputs", "name", "alias", "intended_use", "limitations", "when"],
    }
}

pub(crate) fn ports(name: &str) -> Ports {
    match name {
        "predict" => Ports { required: &["rows", "model"], optional: &[] },
        "gate" => Ports { required: &["measures"], optional: &[] },
        "best" => Ports { required: &["model", "measures"], optional: &[] },
        "feedback" => Ports { required: &[], optional: &[] },
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
        "best" => best(reader, &what, key, table),
        "feedback" => feedback(reader, &what, key, table),
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
    let purpose = Purpose {
        intended_use: words(reader, table, "intended_use"),
        limitations: words(reader, table, "limitations"),
    };
    Some(Builtin::Register { name, alias: alias.flatten(), purpose })
}

/// The most of a text that goes onto a model's card.
const WORDS_BYTES_MAX: usize = 8 << 10;

/// A text for people.
fn words(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<String> {
    let text = name(reader, table, key)?;
    if text.len() > WORDS_BYTES_MAX {
        let span = table.get(key)?.span();
        reader.wrong(span, format!("`{key}` has {} bytes, at most {WORDS_BYTES_MAX} are taken", text.len()));
    }
    Some(text)
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

/// The column of labels, unless the step names another.
const LABEL: &str = "label";

/// Whose predictions are learnt from.
fn feedback(reader: &mut Reader, what: &str, key: Range<usize>, table: &DeTable<'_>) -> Option<Builtin> {
    let Some(value) = table.get("endpoint") else {
        reader.wrong_hinted(key, format!("{what} lacks its `endpoint`"), "name one of `endpoints` in stepwell.toml");
        return None;
    };
    let text = reader.text("endpoint", value)?;
    let endpoint = reader.id(text, value.span())?;
    let label = if table.contains_key("label") { name(reader, table, "label")? } else { LABEL.to_owned() };
    Some(Builtin::Feedback { endpoint, label })
}

/// By which measure of all items' models the best is chosen.
fn best(reader: &mut Reader, what: &str, key: Range<usize>, table: &DeTable<'_>) -> Option<Builtin> {
    let mut lacks = |name: &str, hint: &str| {
        if table.get(name).is_none() {
            reader.wrong_hinted(key.clone(), format!("{what} lacks `{name}`"), hint);
        }
    };
    lacks("measure", "name one of those that the steps measure, such as `measure = \"roc_auc\"`");
    lacks("prefer", "add `prefer = \"highest\"` or `prefer = \"lowest\"`");
    let measure = name(reader, table, "measure");
    let slice = name(reader, table, "slice");
    let highest = table.get("prefer").and_then(|value| {
        let word = reader.text("prefer", value)?;
        if !PREFER.contains(&word) {
            reader.unknown(value.span(), format!("`prefer` cannot be `{}`", cut(word)), word, &PREFER);
            return None;
        }
        Some(word == PREFER[0])
    });
    Some(Builtin::Best { measure: measure?, slice, highest: highest? })
}

/// A text that is not empty.
pub(crate) fn name(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<String> {
    let value = table.get(key)?;
    let text = reader.text(key, value)?;
    if text.is_empty() {
        reader.wrong(value.span(), format!("`{key}` is empty"));
    }
    Some(text.to_owned())
}

/// One element of `require` -> a requirement for each of its bounds.
fn requirements(reader: &mut Reader, index: usize, value: &Value<'_>) -> Vec<Requirement> {
    let Some(table) = reader.table(&format!("require.{index}"), value) else { return Vec::new() };
    reader.keys(table, "a requirement", &["measure", "slice", "at_least", "at_most"]);
    bounded(reader, "a requirement", value.span(), table)
}

/// A measure and its bounds, in a table that may say more.
pub(crate) fn bounded(reader: &mut Reader, what: &str, span: Range<usize>, table: &DeTable<'_>) -> Vec<Requirement> {
    let measure = name(reader, table, "measure");
    let slice = name(reader, table, "slice");
    if table.get("measure").is_none() {
        let message = format!("{what} lacks its `measure`");
        reader.wrong_hinted(span.clone(), message, "name one of those that the step measures");
    }
    let bound = |reader: &mut Reader, key: &str| table.get(key).and_then(|value| reader.number(key, value));
    let (low, high) = (bound(reader, "at_least"), bound(reader, "at_most"));
    bounds(reader, what, span, table, low.zip(high).is_some_and(|(low, high)| low > high));
    let Some(measure) = measure else { return Vec::new() };
    let bounds = [low.map(Bound::AtLeast), high.map(Bound::AtMost)];
    let requirement = |bound| Requirement { measure: measure.clone(), slice: slice.clone(), bound };
    bounds.into_iter().flatten().map(requirement).collect()
}

/// A table with bounds has one at least, and they do not cross.
pub(crate) fn bounds(reader: &mut Reader, what: &str, span: Range<usize>, table: &DeTable<'_>, cross: bool) {
    let written = |key: &str| table.get(key).map(as_written);
    match (written("at_least"), written("at_most")) {
        (None, None) => {
            reader.wrong_hinted(span, format!("{what} lacks its bound"), "add `at_least`, `at_most` or both");
        }
        (Some(low), Some(high)) if cross => {
            reader.wrong(span, format!("no number is at least {low} and at most {high}"));
        }
        _ => {}
    }
}

/// A number as it stands in the file.
fn as_written(value: &Value<'_>) -> String {
    match value.get_ref() {
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::Integer(integer) => integer.to_string(),
        _ => String::new(),
    }
}

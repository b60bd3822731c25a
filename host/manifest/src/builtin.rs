//! The steps that the host does itself: their keys, ports and settings.

use crate::Builtin;
use crate::reader::{Reader, Value, cut};
use crate::step_table;
use crate::value::alias;
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use types::{Bound, Budget, Leniency, Measure, Purpose, Requirement};

pub(crate) const NAMES: [&str; 6] = ["predict", "gate", "examine", "best", "register", "feedback"];

/// Which of two numbers is the better one.
const PREFER: [&str; 2] = ["highest", "lowest"];

/// Keys that only built-ins have.
pub(crate) const OWN_KEYS: &[&str] = &[
    "require",
    "name",
    "alias",
    "measure",
    "slice",
    "prefer",
    "endpoint",
    "intended_use",
    "limitations",
    "model",
    "on_inconclusive",
    "on_no_baseline",
    "loss",
];

/// What a verdict that is neither yes nor no comes to.
const LET: [&str; 2] = ["pass", "fail"];

/// The ports that a built-in must have and may have.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
}

/// All but predict do no work that a limit could bound or a second attempt mend, so they take no such key.
pub(crate) fn keys(name: &str) -> &'static [&'static str] {
    match name {
        "predict" => {
            &["builtin", "inputs", "model", "alias", "seed", "limits", "when", "retry", "cache", "pool", "each"]
        }
        "gate" => &["builtin", "inputs", "require", "on_inconclusive", "on_no_baseline", "when"],
        "examine" => &["builtin", "inputs", "loss", "endpoint", "when"],
        "best" => &["builtin", "inputs", "measure", "slice", "prefer", "when"],
        "feedback" => &["builtin", "endpoint", "label", "when"],
        _ => &["builtin", "inputs", "name", "alias", "intended_use", "limitations", "when"],
    }
}

pub(crate) fn ports(name: &str) -> Ports {
    match name {
        "predict" => Ports { required: &["rows", "model"], optional: &[] },
        "gate" => Ports { required: &["measures"], optional: &[] },
        "examine" => Ports { required: &["model", "rows"], optional: &["answers"] },
        "best" => Ports { required: &["model", "measures"], optional: &[] },
        "feedback" => Ports { required: &[], optional: &[] },
        _ => Ports { required: &["model"], optional: &["verdict", "examined"] },
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
    if builtin == "predict" && (table.get("model").is_some() || table.get("alias").is_some()) {
        return predict_with(reader, &what, key, table);
    }
    step_table::ports(reader, &what, key.clone(), table, ports(builtin));
    match builtin {
        "predict" => Some(Builtin::Predict),
        "gate" => gate(reader, &what, key, table),
        "examine" => Some(examine(reader, table)),
        "best" => best(reader, &what, key, table),
        "feedback" => feedback(reader, &what, key, table),
        _ => register(reader, &what, key, table),
    }
}

/// `model` names one of the registry here, `alias` which version of it.
fn predict_with(reader: &mut Reader, what: &str, key: Range<usize>, table: &DeTable<'_>) -> Option<Builtin> {
    let what = format!("{what} with a registered model");
    step_table::ports(reader, &what, key.clone(), table, Ports { required: &["rows"], optional: &[] });
    if let Some(each) = table.get("each") {
        reader.wrong_hinted(each.span(), format!("{what} has `each`"), "it answers once for all rows; remove the key");
    }
    for (name, hint) in [("model", "add `model = \"MODEL\"`"), ("alias", "add `alias = \"champion\"`")] {
        if table.get(name).is_none() {
            reader.wrong_hinted(key.clone(), format!("{what} lacks `{name}`"), hint);
        }
    }
    let model = table.get("model").and_then(|value| {
        let text = reader.text("model", value)?;
        reader.id(text, value.span())
    });
    let alias = table.get("alias").and_then(|value| {
        let text = reader.text("alias", value)?;
        alias(reader, text, value.span())
    });
    Some(Builtin::PredictWith { model: model?, alias: alias? })
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
    let lets = |reader: &mut Reader, key: &str, default: bool| {
        let Some(value) = table.get(key) else { return default };
        let word = reader.text(key, value).unwrap_or(LET[0]);
        if !LET.contains(&word) {
            reader.unknown(value.span(), format!("`{key}` cannot be `{}`", cut(word)), word, &LET);
        }
        word == LET[0]
    };
    let Leniency { inconclusive, no_baseline } = Leniency::default();
    let inconclusive = lets(reader, "on_inconclusive", inconclusive);
    let no_baseline = lets(reader, "on_no_baseline", no_baseline);
    Some(Builtin::Gate { require, leniency: Leniency { inconclusive, no_baseline } })
}

/// What is looked at where only the pipeline knows what it is called.
fn examine(reader: &mut Reader, table: &DeTable<'_>) -> Builtin {
    let endpoint = table.get("endpoint").and_then(|value| {
        let text = reader.text("endpoint", value)?;
        reader.id(text, value.span())
    });
    Builtin::Examine { loss: name(reader, table, "loss"), endpoint, budget: Budget::default() }
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
    let highest = prefer(reader, table);
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
    let keys =
        ["measure", "slice", "slices", "at_least", "at_most", "confident", "not_worse_by", "better_by", "prefer"];
    reader.keys(table, "a requirement", &keys);
    let slices = table.get("slices").and_then(|value| reader.names("slices", value)).unwrap_or_default();
    if let (Some(_), Some(slices)) = (table.get("slice"), table.get("slices")) {
        reader.wrong_hinted(slices.span(), "`slices` stands beside `slice`", "keep one of the two");
    }
    let required = match ["not_worse_by", "better_by"].into_iter().find(|key| table.get(*key).is_some()) {
        Some(key) => compared(reader, key, value.span(), table),
        None => valued(reader, value.span(), table),
    };
    required.into_iter().map(|requirement| Requirement { slices: slices.clone(), ..requirement }).collect()
}

/// On the value itself.
fn valued(reader: &mut Reader, span: Range<usize>, table: &DeTable<'_>) -> Vec<Requirement> {
    if let Some(prefer) = table.get("prefer") {
        reader.wrong_hinted(prefer.span(), "`prefer` does nothing beside `at_least` and `at_most`", "remove the key");
    }
    let confident = table.get("confident").and_then(|value| reader.boolean("confident", value)).unwrap_or_default();
    let required = bounded(reader, "a requirement", span, table);
    required.into_iter().map(|requirement| Requirement { confident, ..requirement }).collect()
}

/// On the difference to the baseline.
fn compared(reader: &mut Reader, key: &str, span: Range<usize>, table: &DeTable<'_>) -> Vec<Requirement> {
    for other in ["at_least", "at_most", "confident", "not_worse_by", "better_by"] {
        if let Some(value) = table.get(other).filter(|_| other != key) {
            let message = format!("`{other}` stands beside `{key}`, which is about another number");
            reader.wrong_hinted(value.span(), message, "make a requirement of its own of it");
        }
    }
    let (measure, slice) = (measure(reader, "a requirement", span.clone(), table), name(reader, table, "slice"));
    let margin = table.get(key).and_then(|value| {
        let number = reader.number(key, value)?;
        if number < 0.0 {
            reader.wrong(value.span(), format!("`{key}` is {number}, expected 0 or more"));
        }
        Some(number)
    });
    let prefer = prefer(reader, table);
    let known = measure.as_deref().and_then(Measure::is_better_low);
    if let (Some(measure), None, None) = (&measure, prefer, known) {
        let message = format!("whether more of `{}` is better or less is not known", cut(measure));
        reader.wrong_hinted(span, message, "add `prefer = \"highest\"` or `prefer = \"lowest\"`");
    }
    let lowest = prefer.map(|highest| !highest).or(known).unwrap_or_default();
    let bound = if key == "better_by" { Bound::BetterBy } else { Bound::NotWorseBy };
    let requirement =
        |(measure, margin): (String, f64)| Requirement { slice, lowest, ..Requirement::new(&measure, bound(margin)) };
    measure.zip(margin).map(requirement).into_iter().collect()
}

/// Whether the highest is the best.
fn prefer(reader: &mut Reader, table: &DeTable<'_>) -> Option<bool> {
    let value = table.get("prefer")?;
    let word = reader.text("prefer", value)?;
    if !PREFER.contains(&word) {
        reader.unknown(value.span(), format!("`prefer` cannot be `{}`", cut(word)), word, &PREFER);
        return None;
    }
    Some(word == PREFER[0])
}

fn measure(reader: &mut Reader, what: &str, span: Range<usize>, table: &DeTable<'_>) -> Option<String> {
    if table.get("measure").is_none() {
        let message = format!("{what} lacks its `measure`");
        reader.wrong_hinted(span, message, "name one of those that the step measures");
    }
    name(reader, table, "measure")
}

/// A measure and its bounds, in a table that may say more.
pub(crate) fn bounded(reader: &mut Reader, what: &str, span: Range<usize>, table: &DeTable<'_>) -> Vec<Requirement> {
    let measure = measure(reader, what, span.clone(), table);
    let slice = name(reader, table, "slice");
    let bound = |reader: &mut Reader, key: &str| table.get(key).and_then(|value| reader.number(key, value));
    let (low, high) = (bound(reader, "at_least"), bound(reader, "at_most"));
    bounds(reader, what, span, table, low.zip(high).is_some_and(|(low, high)| low > high));
    let Some(measure) = measure else { return Vec::new() };
    let bounds = [low.map(Bound::AtLeast), high.map(Bound::AtMost)];
    let requirement = |bound| Requirement { slice: slice.clone(), ..Requirement::new(&measure, bound) };
    bounds.into_iter().flatten().map(requirement).collect()
}

/// A table with bounds has one at least, and they do not cross.
pub(crate) fn bounds(reader: &mut Reader, what: &str, span: Range<usize>, table: &DeTable<'_>, cross: bool) {
    let written = |key: &str| table.get(key).map(as_written);
    match (written("at_least"), written("at_most")) {
        (None, None) => {
            let hint = match what {
                "a requirement" => "add `at_least` or `at_most`, or `not_worse_by` or `better_by` of a baseline",
                _ => "add `at_least`, `at_most` or both",
            };
            reader.wrong_hinted(span, format!("{what} lacks its bound"), hint);
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

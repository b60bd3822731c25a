//! The keys `when`, `retry`, `cache`, `pool` and `each` of a step -> its [`Course`].

use crate::builtin::{bounded, bounds, name};
use crate::reader::{Reader, Value, cut, listed};
use crate::value::{duration, json};
use crate::{Course, Each, VALUES_MAX};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use types::{Condition, OutputRef, Pool, PortName, Retry};

/// Rows and columns of a count: more than any table has.
const ROWS: Range<u128> = 0..1 << 53;

/// What is around the keys.
pub(crate) struct Beside<'a> {
    /// The step, as written.
    pub(crate) step: &'a str,
    pub(crate) inputs: &'a BTreeSet<&'a PortName>,
    /// None if the project's could not be read.
    pub(crate) pools: Option<&'a BTreeMap<String, u32>>,
}

/// An output, and where it is named.
pub(crate) type Named = (OutputRef, Range<usize>);

/// The course, and the outputs that its conditions look at. What is wrong in it is a problem, and as if it were not written.
pub(crate) fn read(reader: &mut Reader, table: &DeTable<'_>, beside: &Beside<'_>) -> (Course, Vec<Named>) {
    let mut looks_at = Vec::new();
    let course = Course {
        when: table.get("when").map(|value| when(reader, value, &mut looks_at)).unwrap_or_default(),
        retry: table.get("retry").and_then(|value| retry(reader, value)).unwrap_or_default(),
        cache: table.get("cache").and_then(|value| reader.boolean("cache", value)).unwrap_or(true),
        pool: table.get("pool").and_then(|value| pool(reader, value, beside)),
        each: table.get("each").and_then(|value| each(reader, value, table, beside)),
    };
    (course, looks_at)
}

fn when(reader: &mut Reader, value: &Value<'_>, looks_at: &mut Vec<Named>) -> Vec<(usize, Condition)> {
    let Some(elements) = reader.array("when", value) else { return Vec::new() };
    if elements.is_empty() {
        let hint = "remove the key, or say when, such as `when = [{ rows = \"data.table\", at_least = 1 }]`";
        reader.wrong_hinted(value.span(), "`when` asks nothing", hint);
    }
    let read = |(index, element): (usize, &Value<'_>)| {
        let conditions = condition(reader, index, element, looks_at);
        conditions.into_iter().map(move |condition| (index, condition)).collect::<Vec<_>>()
    };
    elements.iter().enumerate().flat_map(read).collect()
}

/// What a condition looks at, by the key that says so; and the keys that go with it.
const LOOKS: [(&str, &[&str]); 4] = [
    ("measures", &["measures", "measure", "slice", "at_least", "at_most"]),
    ("rows", &["rows", "at_least", "at_most"]),
    ("verdict", &["verdict", "passed"]),
    ("text", &["text", "is"]),
];

fn condition(reader: &mut Reader, index: usize, value: &Value<'_>, looks_at: &mut Vec<Named>) -> Vec<Condition> {
    let Some(table) = reader.table(&format!("when.{index}"), value) else { return Vec::new() };
    let written: Vec<_> = LOOKS.iter().filter(|(key, _)| table.get(*key).is_some()).collect();
    let [(key, keys)] = written[..] else {
        let message = match written.is_empty() {
            true => "a condition looks at nothing".to_owned(),
            false => format!("a condition looks at {}", listed(written.iter().map(|(key, _)| *key))),
        };
        let hint = format!("expected exactly one of {}", listed(LOOKS.map(|(key, _)| key)));
        reader.wrong_hinted(value.span(), message, hint);
        return Vec::new();
    };
    reader.keys(table, &format!("a condition on `{key}`"), keys);
    if *key == "text" {
        return text(reader, value.span(), table).into_iter().collect();
    }
    let at = &table[*key];
    let of = reader.output(key, at);
    looks_at.extend(of.clone().map(|of| (of, at.span())));
    match *key {
        "measures" => {
            let requirements = bounded(reader, "a condition", value.span(), table);
            let Some(of) = of else { return Vec::new() };
            let measure = |requirement| Condition::Measure { of: of.clone(), requirement };
            requirements.into_iter().map(measure).collect()
        }
        "rows" => {
            let rows = rows(reader, value.span(), table);
            let condition = |of| Condition::Rows { of, at_least: rows.0, at_most: rows.1 };
            of.map(condition).into_iter().collect()
        }
        _ => {
            let passed = table.get("passed").map_or(Some(true), |value| reader.boolean("passed", value));
            let condition = |(of, passed)| Condition::Passed { of, passed };
            of.zip(passed).map(condition).into_iter().collect()
        }
    }
}

fn rows(reader: &mut Reader, span: Range<usize>, table: &DeTable<'_>) -> (Option<u64>, Option<u64>) {
    let bound = |reader: &mut Reader, key: &str| table.get(key).and_then(|value| reader.integer(key, value, ROWS));
    let (low, high) = (bound(reader, "at_least"), bound(reader, "at_most"));
    bounds(reader, "a condition", span, table, low.zip(high).is_some_and(|(low, high)| low > high));
    (low, high)
}

/// Two texts, which settings may stand for: numbers and truths are taken as they are written.
fn text(reader: &mut Reader, span: Range<usize>, table: &DeTable<'_>) -> Option<Condition> {
    let word = |reader: &mut Reader, key: &str| {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text.as_ref().to_owned()),
            DeValue::Integer(integer) => Some(integer.to_string()),
            DeValue::Float(float) => Some(float.as_str().to_owned()),
            DeValue::Boolean(truth) => Some(truth.to_string()),
            _ => {
                reader.wrong_type(key, value, "a string, a number, true or false");
                None
            }
        }
    };
    let (text, is) = (word(reader, "text"), word(reader, "is"));
    if table.get("is").is_none() {
        let hint = "such as `{ text = \"${mode}\", is = \"full\" }`";
        reader.wrong_hinted(span, "a condition on `text` lacks its `is`", hint);
    }
    Some(Condition::Text { text: text?, is: is? })
}

/// What is not written is as it is without the key, or fits what is.
fn retry(reader: &mut Reader, value: &Value<'_>) -> Option<Retry> {
    let table = reader.table("retry", value)?;
    reader.keys(table, "`retry`", &["attempts", "backoff", "factor", "longest"]);
    let most = u128::from(Retry::ATTEMPTS_MAX);
    let attempts = table.get("attempts").and_then(|value| reader.integer("attempts", value, 1..most + 1));
    let factor = table.get("factor").and_then(|value| factor(reader, value));
    let (backoff, longest) = (duration(reader, table, "backoff"), duration(reader, table, "longest"));
    let usual = Retry::default();
    let backoff_ms = backoff.unwrap_or(usual.backoff_ms.min(longest.unwrap_or(u64::MAX)));
    let longest_ms = longest.unwrap_or(usual.longest_ms.max(backoff_ms));
    for (key, ms) in [("longest", longest), ("backoff", backoff)] {
        let beyond = ms.is_some_and(|ms| ms > Retry::LONGEST_MS_MAX);
        if let Some(value) = table.get(key).filter(|_| beyond) {
            reader.wrong(value.span(), format!("`{key}` is longer than a day, which nobody waits for an attempt"));
        }
    }
    if let Some(value) = table.get("backoff").filter(|_| backoff_ms > longest_ms) {
        reader.wrong(value.span(), "`backoff` is longer than `longest`");
    }
    let attempts = attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(usual.attempts);
    Some(Retry { attempts, backoff_ms, factor: factor.unwrap_or(usual.factor), longest_ms })
}

fn factor(reader: &mut Reader, value: &Value<'_>) -> Option<f64> {
    let factor = reader.number("factor", value)?;
    if !(1.0..=10.0).contains(&factor) {
        reader.wrong(value.span(), format!("`factor` is {factor}, expected 1 to 10"));
        return None;
    }
    Some(factor)
}

fn pool(reader: &mut Reader, value: &Value<'_>, beside: &Beside<'_>) -> Option<Pool> {
    let name = reader.text("pool", value)?;
    let pools = beside.pools?;
    let most = pools.get(name).copied();
    if most.is_none() {
        let message = format!("step `{}`: the project has no pool `{}`", cut(beside.step), cut(name));
        let known: Vec<&str> = pools.keys().map(String::as_str).collect();
        match known.is_empty() {
            true => reader.wrong_hinted(
                value.span(),
                message,
                "add `[pools]` to `stepwell.toml`, with a line such as `gpu = 1`",
            ),
            false => reader.unknown(value.span(), message, name, &known),
        }
    }
    Some(Pool { name: name.to_owned(), most: most? })
}

/// The three forms of `each`.
const FORMS: &str = "expected one of `{ param = \"NAME\", values = [..] }`, `{ rows = \"PORT\", by = \"COLUMN\" }` and \
                     `{ like = \"STEP\" }`";

fn each(reader: &mut Reader, value: &Value<'_>, step: &DeTable<'_>, beside: &Beside<'_>) -> Option<Each> {
    let table = reader.table("each", value)?;
    let before = reader.problems.len();
    reader.keys(table, "`each`", &["param", "values", "rows", "by", "like"]);
    if reader.problems.len() > before {
        return None;
    }
    let has = |key: &str| table.get(key);
    match (has("param"), has("values"), has("rows"), has("by"), has("like")) {
        (Some(param), Some(values), None, None, None) => {
            let param = parameter(reader, param, step, beside);
            let values = self::values(reader, values);
            Some(Each::Values { param: param?, values: values? })
        }
        (None, None, Some(rows), Some(_), None) => {
            let port = port(reader, rows, beside);
            let by = name(reader, table, "by");
            Some(Each::Rows { port: port?, by: by? })
        }
        (None, None, None, None, Some(like)) => {
            let text = reader.text("like", like)?;
            Some(Each::Like { step: reader.step(text, like.span())? })
        }
        _ => {
            let message = format!("`each` of step `{}` is not clear", cut(beside.step));
            reader.wrong_hinted(value.span(), message, FORMS);
            None
        }
    }
}

fn parameter(reader: &mut Reader, value: &Value<'_>, step: &DeTable<'_>, beside: &Beside<'_>) -> Option<String> {
    let param = reader.text("param", value)?;
    let set = step.get("params").and_then(|params| params.get_ref().as_table()?.get(param));
    let name = cut(beside.step);
    if set.is_some() {
        let message = format!("step `{name}`: parameter `{}` is in `params` and in `each`", cut(param));
        reader.wrong_hinted(value.span(), message, "keep one of the two");
    } else if step.get("plugin").is_none() {
        let message = format!("step `{name}` has no plugin, so there is no parameter to run it for");
        reader.wrong_hinted(
            value.span(),
            message,
            "a built-in runs for the items of another step: `each = { like = \"STEP\" }`",
        );
    }
    Some(param.to_owned())
}

fn values(reader: &mut Reader, value: &Value<'_>) -> Option<Vec<serde_json::Value>> {
    let elements = reader.array("values", value)?;
    let got = elements.len();
    if !(1..=VALUES_MAX).contains(&got) {
        reader.wrong(value.span(), format!("`values` has {got} values, expected 1 to {VALUES_MAX}"));
        return None;
    }
    let read: Vec<_> = elements.iter().map(|element| json(reader, "values", element)).collect();
    read.into_iter().collect()
}

fn port(reader: &mut Reader, value: &Value<'_>, beside: &Beside<'_>) -> Option<PortName> {
    let text = reader.text("rows", value)?;
    let found = beside.inputs.iter().find(|port| types::Id::as_str(**port) == text);
    if found.is_none() {
        let message = format!("step `{}` has no input `{}` to take the rows of", cut(beside.step), cut(text));
        let known: Vec<&str> = beside.inputs.iter().map(|port| types::Id::as_str(*port)).collect();
        reader.unknown(value.span(), message, text, &known);
    }
    found.map(|port| (*port).clone())
}

//! A call whose arguments fit no form of its function: what it takes, what it got, and which call it is.

use crate::Error;
use crate::functions::{self, Known};
use crate::place::{Call, Text};
use data::Table;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::TypeSignature;
use std::collections::BTreeSet;
use types::DataType;

/// Of "No function matches the given name and argument types 'sum(Utf8)'".
pub(crate) fn unfit(text: &Text<'_>, tables: &[(&str, &Table)], error: &DataFusionError) -> Option<Error> {
    let said = error.find_root().strip_backtrace();
    let (_, rest) = said.split_once("the given name and argument types '")?;
    let (name, rest) = rest.split_once('(')?;
    let (got, _) = rest.split_once(")'.")?;
    let got: Vec<&str> = arguments(got).into_iter().map(word).collect();
    let known = functions::known(name)?;
    let names: Vec<&str> = known.names.iter().map(String::as_str).collect();
    let call = call(text.calls(&names), tables, &got);
    let (name, spot) = match &call {
        Some(call) => (call.name.as_str(), call.spot),
        None => (name, text.first()),
    };
    let forms = forms(&known.signature);
    let message = match forms.is_empty() {
        true => format!("`{name}` does not take ({})", got.join(", ")),
        false => format!("`{name}` takes {}, got ({})", told(&forms), got.join(", ")),
    };
    let error = Error::text(text, spot, message);
    Some(match known {
        Known { syntax: Some(syntax), .. } if !forms.iter().any(|form| form.len() == got.len()) => {
            error.hinted(format!("it is written `{syntax}`"))
        }
        _ => error,
    })
}

/// The call that it is of: the first with as many arguments, none of which is a column of another type.
fn call(calls: Vec<Call>, tables: &[(&str, &Table)], got: &[&str]) -> Option<Call> {
    let fits = |call: &Call| {
        let alike = |(argument, got): (&Option<String>, &&str)| {
            argument.as_ref().is_none_or(|column| may_be(tables, column, got))
        };
        call.arguments.len() == got.len() && call.arguments.iter().zip(got).all(alike)
    };
    let at = calls.iter().position(fits).unwrap_or(0);
    calls.into_iter().nth(at)
}

/// Whether a column of that name can be what the engine calls so; one that no table has may be anything.
pub(crate) fn may_be(tables: &[(&str, &Table)], column: &str, got: &str) -> bool {
    let fields = tables.iter().flat_map(|(_, table)| &table.schema().fields);
    let mut named = fields.filter(|field| field.name == column).peekable();
    named.peek().is_none() || named.any(|field| of_ours(field.data_type) == got)
}

/// What each form takes, argument by argument; nothing of functions that look for themselves.
type Forms = Vec<Vec<BTreeSet<&'static str>>>;

fn forms(signature: &TypeSignature) -> Forms {
    let mut merged = Forms::new();
    for form in each_form(signature) {
        match merged.iter_mut().find(|before| before.len() == form.len()) {
            Some(before) => before.iter_mut().zip(form).for_each(|(words, word)| words.extend([word])),
            None => merged.push(form.into_iter().map(|word| BTreeSet::from([word])).collect()),
        }
    }
    merged.sort_by_key(Vec::len);
    merged
}

fn each_form(signature: &TypeSignature) -> Vec<Vec<&'static str>> {
    match signature {
        TypeSignature::OneOf(signatures) => signatures.iter().flat_map(each_form).collect(),
        TypeSignature::Nullary => vec![Vec::new()],
        TypeSignature::Any(count) | TypeSignature::Comparable(count) => vec![vec!["anything"; *count]],
        TypeSignature::VariadicAny => vec![vec!["anything", ".."]],
        TypeSignature::Variadic(types) => types.iter().map(|found| vec![word(&found.to_string()), ".."]).collect(),
        other => {
            let types = other.get_example_types();
            types.iter().map(|form| form.iter().map(|found| word(&found.to_string())).collect()).collect()
        }
    }
}

/// "(number or interval) or (number, whole number)".
fn told(forms: &Forms) -> String {
    let argument = |words: &BTreeSet<&'static str>| {
        // A whole number is a number, and null is anything.
        let spare = |word: &&&str| !(**word == "whole number" && words.contains("number")) && **word != "null";
        words.iter().filter(spare).copied().collect::<Vec<_>>().join(" or ")
    };
    let form = |form: &Vec<BTreeSet<_>>| format!("({})", form.iter().map(argument).collect::<Vec<_>>().join(", "));
    forms.iter().map(form).collect::<Vec<_>>().join(" or ")
}

/// A list of the engine's types, divided; a type has commas within parentheses only.
pub(crate) fn arguments(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let parted = list.split(|sign: char| {
        depth += i32::from("(<[{".contains(sign)) - i32::from(")>]}".contains(sign));
        sign == ',' && depth == 0
    });
    parted.map(str::trim).filter(|found| !found.is_empty()).collect()
}

/// What the engine calls a type -> what a person does.
pub(crate) fn word(found: &str) -> &'static str {
    let name = &found[..found.find(|sign: char| !sign.is_ascii_alphanumeric()).unwrap_or(found.len())];
    match name {
        "Int8" | "Int16" | "Int32" | "Int64" | "UInt8" | "UInt16" | "UInt32" | "UInt64" => "whole number",
        "Float16" | "Float32" | "Float64" | "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256" => "number",
        "Utf8" | "LargeUtf8" | "Utf8View" => "text",
        "Binary" | "LargeBinary" | "BinaryView" | "FixedSizeBinary" => "bytes",
        "Boolean" => "boolean",
        "Date32" | "Date64" => "date",
        "Timestamp" => "timestamp",
        "Time32" | "Time64" => "time",
        "Interval" | "Duration" => "interval",
        "List" | "LargeList" | "ListView" | "LargeListView" | "FixedSizeList" => "list",
        "Null" => "null",
        _ => "structure",
    }
}

fn of_ours(found: DataType) -> &'static str {
    match found {
        DataType::Boolean => "boolean",
        DataType::Int64 => "whole number",
        DataType::Float32 | DataType::Float64 => "number",
        DataType::Text => "text",
        DataType::Bytes => "bytes",
        DataType::Timestamp => "timestamp",
        DataType::Date => "date",
        DataType::Vector(_) => "list",
    }
}

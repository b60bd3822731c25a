//! Operands that do not fit their operator, or each other: what it takes, what it got, and where it stands.

use crate::Error;
use crate::calls::{arguments, may_be, word};
use crate::missing::between;
use crate::place::{Operand, Text, marked};
use data::Table;
use datafusion::common::DataFusionError;

/// What the engine has no operator for.
#[derive(Debug, PartialEq)]
struct Unfit {
    /// As people write it.
    operator: String,
    takes: &'static str,
    /// In our words.
    got: Vec<&'static str>,
}

/// The engine's sentences of two operands, `LEFT OPERATOR RIGHT`: what stands before them and behind, and what such an operator takes.
const OF_TWO: [(&str, &str, &str); 10] = [
    ("Cannot coerce arithmetic expression ", " to valid types", NUMBERS),
    ("Cannot get result type for arithmetic operation ", ": ", NUMBERS),
    ("Cannot get result type for temporal operation ", ": ", NUMBERS),
    ("Cannot get result type for decimal operation ", ": ", NUMBERS),
    ("Cannot infer common argument type for comparison operation ", "\n", ALIKE),
    ("Cannot infer common argument type for logical boolean operation ", "\n", "two booleans"),
    ("Cannot infer common argument type for regex operation ", "\n", "two texts"),
    ("Cannot infer common type for bitwise operation ", "\n", "two whole numbers"),
    ("Cannot infer common string type for string concat operation ", "\n", "two texts"),
    ("Cannot infer common argument type for operation ", "\n", ALIKE),
];
const NUMBERS: &str = "two numbers, or a date or timestamp and an interval";
const ALIKE: &str = "two values of one kind";

/// Its sentences of a word of the text: the word, what begins it, what the word takes. The types are all that follows that is one.
const OF_A_WORD: [(&str, &str, &str); 13] = [
    ("LIKE", "There isn't a common type to coerce ", "two texts"),
    ("between", "Failed to coerce types ", "three values of one kind"),
    ("in", "Can not find compatible types to compare ", "values of one kind"),
    ("in", "expr type ", "values of one kind"),
    ("case", "Failed to coerce case ", "values of one kind behind `case` and `when`"),
    ("case", "Failed to coerce then ", "values of one kind behind `then` and `else`"),
    ("where", "Cannot create filter with non-boolean predicate ", "a boolean"),
    ("on", "Join condition must be boolean type", "a boolean"),
    ("not", "Unary operator 'NOT' requires a boolean expression", "a boolean"),
    ("limit", "Expected LIMIT to be an integer", "a whole number"),
    ("offset", "Expected OFFSET to be an integer", "a whole number"),
    ("union", "Incompatible inputs for Union: ", "columns of one kind at each place"),
    ("values", "Inconsistent data type across values list", "rows with values of one kind at each place"),
];

/// Of an error of types that is no call's.
pub(crate) fn unfit(text: &Text<'_>, tables: &[(&str, &Table)], error: &DataFusionError) -> Option<Error> {
    let said = error.find_root().strip_backtrace();
    let otherwise = negated(text, error, &said).or_else(|| unlike(text, &said)).or_else(|| uneven(text, &said));
    if otherwise.is_some() {
        return otherwise;
    }
    let Unfit { operator, takes, got } = of_two(&said).or_else(|| of_a_word(&said))?;
    let named = |operator: &str| (operator.to_owned(), text.operations(operator));
    let otherwise = others(&operator).iter().map(|other| named(other)).find(|(_, found)| !found.is_empty());
    let (operator, found) = match named(&operator) {
        (operator, found) if found.is_empty() => otherwise.unwrap_or((operator, found)),
        found => found,
    };
    let may_be = |operand: &Option<Operand>, got: &str| operand.as_ref().is_none_or(|it| is(tables, it, got));
    let fits = |[left, right]: &[Option<Operand>; 2]| match got.as_slice() {
        [] => true,
        [one] => may_be(right, one),
        [first, second] => may_be(left, first) && may_be(right, second),
        [first, ..] => may_be(left, first),
    };
    let named = found.iter().find(|(_, operands)| fits(operands)).or(found.first());
    let spot = named.map(|(spot, _)| *spot).or_else(|| marked(error)).unwrap_or_else(|| text.first());
    let message = format!("`{operator}` takes {takes}, got ({})", got.join(", "));
    Some(Error::text(text, spot, message).hinted(advice(takes, &got)))
}

fn is(tables: &[(&str, &Table)], operand: &Operand, got: &str) -> bool {
    match operand {
        Operand::Column(name) => may_be(tables, name, got),
        Operand::Literal(word) => *word == got,
    }
}

/// What the engine calls by the same name.
fn others(operator: &str) -> &'static [&'static str] {
    match operator {
        "where" => &["having"],
        "is distinct from" => &["is"],
        _ => &[],
    }
}

fn advice(takes: &str, got: &[&str]) -> &'static str {
    match got {
        _ if takes == "a boolean" => "compare it, such as `a > 0`, or convert it with `cast(.. as boolean)`",
        [_] => "write a number, such as `10`",
        _ if got.contains(&"text") => {
            "convert one with `cast(.. as ..)`; `try_cast` gives null for a text that is none"
        }
        _ => "convert one with `cast(.. as ..)`",
    }
}

fn of_two(said: &str) -> Option<Unfit> {
    OF_TWO.iter().find_map(|(before, behind, takes)| {
        let (_, rest) = said.split_once(before)?;
        let parts = words(rest.split(behind).next().unwrap_or(rest));
        let [left, operator @ .., right] = parts.as_slice() else { return None };
        Some(Unfit { operator: written(&operator.join(" ")), takes, got: vec![word(left), word(right)] })
    })
}

fn of_a_word(said: &str) -> Option<Unfit> {
    OF_A_WORD.iter().find_map(|(operator, before, takes)| {
        let (_, rest) = said.split_once(before)?;
        let rest = rest.split('\n').next().unwrap_or(rest);
        let operator = match *operator {
            "LIKE" => between(rest, " in ", " expression")?.to_lowercase(),
            named => named.to_owned(),
        };
        let got: Vec<&str> = types(rest).iter().map(|found| word(found)).collect();
        Some(Unfit { operator, takes, got })
    })
}

/// How people write an operator.
fn written(operator: &str) -> String {
    match operator {
        "!=" => "<>".to_owned(),
        other => other.to_lowercase(),
    }
}

/// The types in a sentence of the engine, in their order.
fn types(sentence: &str) -> Vec<&str> {
    let parts = words(sentence).into_iter().flat_map(|part| match part.strip_prefix(['(', '[']) {
        Some(inner) => arguments(inner.trim_end_matches([')', ']'])),
        None => vec![part.trim_end_matches(',')],
    });
    parts.filter(|part| is_type(part)).collect()
}

fn is_type(word: &str) -> bool {
    const BEGINNINGS: [&str; 18] = [
        "Int",
        "UInt",
        "Float",
        "Decimal",
        "Utf8",
        "LargeUtf8",
        "Binary",
        "LargeBinary",
        "FixedSize",
        "Boolean",
        "Date",
        "Timestamp",
        "Time",
        "Interval",
        "Duration",
        "List",
        "Null",
        "Struct",
    ];
    BEGINNINGS.iter().any(|beginning| word.starts_with(beginning))
}

/// A sentence divided at its spaces, but for those within parentheses.
fn words(sentence: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = sentence.split(|sign: char| {
        depth += i32::from("([".contains(sign)) - i32::from(")]".contains(sign));
        sign == ' ' && depth == 0
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// A minus before what has none.
fn negated(text: &Text<'_>, error: &DataFusionError, said: &str) -> Option<Error> {
    let of_minus = said.contains("Unary operator '-' only supports") || said.contains("Negation only supports");
    let spot = || {
        marked(error).or_else(|| text.operations("-").first().map(|(spot, _)| *spot)).unwrap_or_else(|| text.first())
    };
    of_minus.then(|| {
        let message = "`-` takes a number, an interval or a timestamp, got a value of another kind".to_owned();
        Error::text(text, spot(), message).hinted("convert it with `cast(.. as double)`")
    })
}

/// A conversion that there is not.
fn unlike(text: &Text<'_>, said: &str) -> Option<Error> {
    let rest = said.split_once("Unsupported CAST from ").or_else(|| said.split_once("Cannot automatically convert "));
    let (from, to) = rest?.1.split('\n').next()?.split_once(" to ")?;
    let spot = ["cast", "try_cast"].iter().find_map(|name| text.calls(&[name]).first().map(|call| call.spot));
    let message = format!("no conversion makes ({}) of ({})", word(to), word(from));
    Some(Error::text(text, spot.unwrap_or_else(|| text.first()), message))
}

/// Rows of `values` that are not of one length.
fn uneven(text: &Text<'_>, said: &str) -> Option<Error> {
    let (_, rest) = said.split_once("Inconsistent data length across values list: got ")?;
    let numbers: Vec<usize> = rest.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [got, row, expected] = numbers[..] else { return None };
    let spot = text.find(["values"]).unwrap_or_else(|| text.first());
    let message =
        format!("`values` takes rows of one length, got {expected} in the first and {got} in row {}", row + 1);
    Some(Error::text(text, spot, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_the_engine_names_its_operands() {
        let unfit = |operator: &str, takes, got: &[&'static str]| {
            Some(Unfit { operator: operator.to_owned(), takes, got: got.to_vec() })
        };
        for (said, expected) in [
            (
                "Cannot coerce arithmetic expression Int64 + Timestamp(µs, \"+00:00\") to valid types",
                unfit("+", NUMBERS, &["whole number", "timestamp"]),
            ),
            (
                "Cannot infer common argument type for comparison operation Boolean IS DISTINCT FROM Decimal128(10, 2)",
                unfit("is distinct from", ALIKE, &["boolean", "number"]),
            ),
            (
                "There isn't a common type to coerce Int64 and Utf8 in ILIKE expression",
                unfit("ilike", "two texts", &["whole number", "text"]),
            ),
            (
                "Failed to coerce then (Int64, Utf8) and else (Boolean) to common types in CASE WHEN expression",
                unfit("case", OF_A_WORD[5].2, &["whole number", "text", "boolean"]),
            ),
            (
                "Can not find compatible types to compare Boolean with [Date32, Utf8]",
                unfit("in", OF_A_WORD[2].2, &["boolean", "date", "text"]),
            ),
        ] {
            assert_eq!(of_two(said).or_else(|| of_a_word(said)), expected, "{said}");
        }
        assert_eq!(of_two("anything else").or_else(|| of_a_word("anything else")), None);
    }
}

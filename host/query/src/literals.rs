//! Values that are written in a text and are none of their type: a number's, a date's, a pattern's.

use crate::Error;
use crate::calls::word;
use crate::missing::between;
use crate::place::Text;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Cast, Expr, LogicalPlan};

/// A literal that the plan makes something else of which it is not. It would fail in each row, or in none where there are no rows.
pub(crate) fn misfit(text: &Text<'_>, plan: &LogicalPlan) -> Option<Error> {
    let mut found = None;
    let looked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|inner| {
                found = found.take().or_else(|| of_cast(text, inner));
                Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    });
    looked.ok().and(found)
}

fn of_cast(text: &Text<'_>, expression: &Expr) -> Option<Error> {
    let Expr::Cast(Cast { expr, field }) = expression else { return None };
    let Expr::Literal(value, _) = expr.as_ref() else { return None };
    if value.cast_to(field.data_type()).is_ok() {
        return None;
    }
    let kind = word(&field.data_type().to_string());
    Some(match value.try_as_str() {
        Some(value) => no(text, value.unwrap_or_default(), kind),
        None => {
            let written = value.to_string();
            let spot = text.literal(&written).unwrap_or_else(|| text.first());
            Error::text(text, spot, format!("`{}` is no {kind}, or too large for one", shortened(&written)))
        }
    })
}

/// A text that is none of its kind.
fn no(text: &Text<'_>, value: &str, kind: &str) -> Error {
    let spot = text.literal(value).unwrap_or_else(|| text.first());
    let number = value.trim().parse::<f64>().ok();
    let is_one = number.is_some_and(|number| kind == "number" || (kind == "whole number" && number.fract() == 0.0));
    let why = if is_one { "is too long for this type of" } else { "is no" };
    Error::text(text, spot, format!("`'{}'` {why} {kind}", shortened(value))).hinted(such_as(kind))
}

/// An interval that is none, of what the engine says of it while it reads the text.
pub(crate) fn interval(text: &Text<'_>, said: &str) -> Option<Error> {
    let value = between(said, "nvalid input syntax for type interval: \"", "\"")?;
    text.literal(value).map(|_| no(text, value, "interval"))
}

fn such_as(kind: &str) -> &'static str {
    match kind {
        "whole number" => {
            "it is used as one here: write one such as `12`, or make the other side a text with `cast(.. as text)`"
        }
        "number" => {
            "it is used as one here: write one such as `1.5`, or make the other side a text with `cast(.. as text)`"
        }
        "date" => "write it as in `'2026-03-01'`",
        "timestamp" => {
            "write it as in `'2026-03-01T12:30:00'`; before 1678 and after 2261 as `cast('9999-12-31' as timestamp(6))`"
        }
        "time" => "write it as in `'12:30:00'`",
        "interval" => "write it as in `'2 days'`",
        "boolean" => "write `true` or `false`",
        _ => "convert it in another way",
    }
}

/// A pattern that is none, of what the engine says of it.
pub(crate) fn pattern(text: &Text<'_>, said: &str) -> Option<Error> {
    let (pattern, why) = match said.split_once("regex parse error:\n") {
        Some((_, rest)) => {
            let why = rest.split_once("\nerror: ").map(|(_, why)| why.lines().next().unwrap_or_default());
            (rest.lines().next()?.trim_start(), why)
        }
        None => (said.split_once("Regular expression did not compile: ")?.1.lines().next()?, None),
    };
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let bare = pattern.strip_prefix("(?").and_then(|rest| Some(rest.split_once(')')?.1));
    let message = format!("`{}` is no regular expression{why}", shortened(bare.unwrap_or(pattern)));
    Some(match text.literal(pattern).or_else(|| text.literal(bare?)) {
        Some(spot) => Error::text(text, spot, message),
        None => Error::Value(message),
    })
}

/// A literal may be as long as the text.
fn shortened(value: &str) -> String {
    let shown: String = value.chars().take(60).collect();
    if shown.len() < value.len() { shown + ".." } else { shown }
}

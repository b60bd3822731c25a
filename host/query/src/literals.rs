//! Values that are written in a text and are none of their type: a number's, a date's, a pattern's.

use crate::Error;
use crate::calls::word;
use crate::missing::between;
use crate::place::{Operand, Text, spot};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Cast, Expr, LogicalPlan};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{Value, ValueWithSpan, VisitMut, VisitorMut};
use std::ops::ControlFlow;
use types::Spot;

/// A literal that the plan makes something else of which it is not. It would fail in each row, or in none where there are no rows: it is
/// refused wherever it stands.
pub(crate) struct Misfit {
    value: ScalarValue,
    becomes: DataType,
}

/// Those of a plan, the first first.
pub(crate) fn misfits(plan: &LogicalPlan) -> Vec<Misfit> {
    let mut found = Vec::new();
    let looked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|inner| {
                found.extend(of_cast(inner));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    looked.map_or(Vec::new(), |_| found)
}

fn of_cast(expression: &Expr) -> Option<Misfit> {
    let Expr::Cast(Cast { expr, field }) = expression else { return None };
    let Expr::Literal(value, _) = expr.as_ref() else { return None };
    let misfit = Misfit { value: value.clone(), becomes: field.data_type().clone() };
    misfit.fails_as(&misfit.becomes).then_some(misfit)
}

impl Misfit {
    fn fails_as(&self, becomes: &DataType) -> bool {
        self.value.cast_to(becomes).is_err()
    }

    pub(crate) fn error(&self, text: &Text<'_>, spot: Option<Spot>) -> Error {
        let kind = word(&self.becomes.to_string());
        let spot = |written: &str| spot.or_else(|| text.literal(written)).unwrap_or_else(|| text.first());
        match self.value.try_as_str() {
            Some(value) => no(text, spot(value.unwrap_or_default()), value.unwrap_or_default(), kind),
            None => {
                let written = self.value.to_string();
                let message = format!("`{}` is no {kind}, or too large for one", shortened(&written));
                Error::text(text, spot(&written), message)
            }
        }
    }
}

/// Literals that are written like a misfit. A plan does not know where a literal of it stood: with each written otherwise, another plan
/// tells which of them is the misfit.
pub(crate) struct Alike {
    value: ScalarValue,
    spots: Vec<Spot>,
    /// What stands in the place of each.
    marks: Vec<Value>,
}

impl Alike {
    /// Writes each otherwise.
    pub(crate) fn told_apart(misfit: &Misfit, statement: &mut Parsed) -> Self {
        let mut alike = Self { value: misfit.value.clone(), spots: Vec::new(), marks: Vec::new() };
        if let Parsed::Statement(statement) = statement {
            // It breaks nowhere.
            let _ = statement.visit(&mut alike);
        }
        alike
    }

    pub(crate) fn are_several(&self) -> bool {
        self.spots.len() > 1
    }

    /// Where the misfit stands; `plan` is of the text with each written otherwise, if that is a plan.
    pub(crate) fn spot(&self, misfit: &Misfit, plan: Option<&LogicalPlan>) -> Option<Spot> {
        let is_misfit = |found: &Misfit| misfit.fails_as(&found.becomes) && is_below(found) == is_below(misfit);
        let marked = |found: &Misfit| self.marks.iter().position(|mark| is_written(mark, &found.value));
        let found = plan.map_or(Vec::new(), misfits);
        let at = found.iter().filter(|found| is_misfit(found)).find_map(marked);
        self.spots.get(at.unwrap_or(0)).copied()
    }
}

impl VisitorMut for Alike {
    type Break = ();

    fn pre_visit_value(&mut self, found: &mut ValueWithSpan) -> ControlFlow<()> {
        if is_written(&found.value, &self.value) {
            found.value = mark(&found.value, self.marks.len());
            self.marks.push(found.value.clone());
            self.spots.push(spot(found.span.start.line, found.span.start.column));
        }
        ControlFlow::Continue(())
    }
}

fn is_below(misfit: &Misfit) -> bool {
    misfit.value.to_string().starts_with('-')
}

/// Whether a text writes this value so; the sign of a number is none of its own.
fn is_written(written: &Value, value: &ScalarValue) -> bool {
    match written {
        Value::Number(number, _) => {
            let plain = value.to_string();
            let plain = plain.trim_start_matches('-');
            let float = || number.contains(['.', 'e', 'E']).then(|| number.parse::<f64>().ok()).flatten();
            value.data_type().is_numeric() && (plain == number || float().is_some_and(|it| plain.parse() == Ok(it)))
        }
        other => {
            value.try_as_str().flatten().is_some_and(|value| other.clone().into_string().as_deref() == Some(value))
        }
    }
}

/// Another literal of the same type, which fits as little.
fn mark(written: &Value, at: usize) -> Value {
    match written {
        Value::Number(number, long) => {
            let other = match (number.parse::<i64>(), number.parse::<u64>()) {
                (Ok(_), _) => (i64::MAX - at as i64).to_string(),
                (_, Ok(_)) => (u64::MAX - at as u64).to_string(),
                _ => format!("1.{at:05}e300"),
            };
            Value::Number(other, *long)
        }
        other => Value::SingleQuotedString(format!("{}\u{e000}{at}", other.clone().into_string().unwrap_or_default())),
    }
}

/// A text that is none of its kind.
fn no(text: &Text<'_>, spot: Spot, value: &str, kind: &str) -> Error {
    let number = value.trim().parse::<f64>().ok();
    let is_one = number.is_some_and(|number| kind == "number" || (kind == "whole number" && number.fract() == 0.0));
    let why = if is_one { "is too long for this type of" } else { "is no" };
    Error::text(text, spot, format!("`'{}'` {why} {kind}", shortened(value))).hinted(such_as(kind))
}

/// An interval that is none, of what the engine says of it while it reads the text.
pub(crate) fn interval(text: &Text<'_>, said: &str) -> Option<Error> {
    let value = between(said, "nvalid input syntax for type interval: \"", "\"")?;
    text.literal(value).map(|spot| no(text, spot, value, "interval"))
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
        "timestamp" => "write it as in `'2026-03-01T12:30:00'`",
        "time" => "write it as in `'12:30:00'`",
        "interval" => "write it as in `'2 days'`",
        "boolean" => "write `true` or `false`",
        _ => "convert it in another way",
    }
}

/// A unit of time that there is not, or that is none of the text, of what the engine says of it.
pub(crate) fn unit(text: &Text<'_>, said: &str) -> Option<Error> {
    let unknown = "Unsupported date_trunc granularity: '";
    let (names, unit): (&[&str], _) = match said {
        _ if said.contains(unknown) => (&TRUNCATIONS, Some(between(said, unknown, "'. Supported")?)),
        _ if said.contains("Date part '") => (&PARTS, Some(between(said, "Date part '", "' not supported")?)),
        _ if said.contains("Granularity of `date_trunc` must be") => (&TRUNCATIONS, None),
        _ if said.contains("date_part requires non-empty constant string") => (&PARTS, None),
        _ => return None,
    };
    let call = text.calls(names).into_iter().next();
    let name = call.as_ref().map_or(names[0], |call| call.name.as_str());
    let message = match unit {
        Some(unit) => format!("`{name}` knows no unit `{}`", shortened(unit)),
        None => format!("`{name}` takes a unit that is written in the text, such as `'month'`"),
    };
    let written = unit.and_then(|unit| text.literal(unit).or_else(|| text.find([unit])));
    let spot = written.or(call.map(|call| call.spot)).unwrap_or_else(|| text.first());
    let hint = match names == PARTS {
        true => {
            "it takes `year`, `quarter`, `month`, `week`, `day`, `dow`, `doy`, `hour`, `minute`, `second`, `epoch` and smaller ones"
        }
        false => {
            "it takes `year`, `quarter`, `month`, `week`, `day`, `hour`, `minute`, `second`, `millisecond`, `microsecond`"
        }
    };
    Some(Error::text(text, spot, message).hinted(hint))
}

const TRUNCATIONS: [&str; 2] = ["date_trunc", "datetrunc"];
const PARTS: [&str; 3] = ["extract", "date_part", "datepart"];

/// An interval of what stands in a row, of what the engine says of it.
pub(crate) fn interval_of_rows(text: &Text<'_>, said: &str) -> Option<Error> {
    said.contains("Unsupported interval argument").then(|| {
        let is_written = |operand: &Option<Operand>| matches!(operand, Some(Operand::Literal(_)));
        let unwritten = text.operations("interval").into_iter().find(|(_, [_, of])| !is_written(of));
        let spot = unwritten.map_or_else(|| text.first(), |(spot, _)| spot);
        let message = "`interval` takes a value that is written in the text, such as `interval '2 days'`".to_owned();
        Error::text(text, spot, message)
            .hinted("of a column write `cast(n || ' days' as interval)`; whole days are added to a date as a number")
    })
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

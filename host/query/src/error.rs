//! What went wrong and whose it is: the text's author's, its data's, a limit's, or ours.

use crate::place::{self, Text};
use crate::spill::Disk;
use crate::{calls, literals, missing};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use types::{LimitKind, Spot};

/// A limit that a query reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    pub limit: LimitKind,
    /// As far as it got.
    pub used: u64,
    pub most: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text cannot be carried out. `excerpt` is its line with a caret beneath.
    #[error("{spot}: {message}")]
    Text { spot: Spot, message: String, hint: Option<String>, excerpt: String },
    /// A value that cannot be computed with.
    #[error("{0}")]
    Value(String),
    /// A table that cannot be queried.
    #[error("table `{table}` {reason}")]
    Table { table: String, reason: String },
    #[error("`{}` of {}", limited.limit.key(), limited.limit.quantity(limited.most))]
    Limit { limited: Limited },
    /// The engine's own bug.
    #[error("the SQL engine failed on this query: {0}")]
    Engine(String),
    #[error("{0}")]
    Host(String),
}

impl Error {
    pub(crate) fn text(text: &Text<'_>, spot: Spot, message: String) -> Self {
        let (line, width) = text.line(spot);
        let shown: String = line.chars().take(EXCERPT_CHARS_MAX).collect();
        let caret = " ".repeat(spot.column.saturating_sub(1).min(EXCERPT_CHARS_MAX)) + &"^".repeat(width.min(40));
        Self::Text {
            spot,
            message: one_line(&message),
            hint: None,
            excerpt: format!("{}\n{caret}", shown.replace('\t', " ")),
        }
    }

    pub(crate) fn hinted(mut self, advice: impl Into<String>) -> Self {
        if let Self::Text { hint, .. } = &mut self {
            *hint = Some(advice.into());
        }
        self
    }

    pub(crate) fn limit(limit: LimitKind, used: u64, most: u64) -> Self {
        Self::Limit { limited: Limited { limit, used, most } }
    }

    /// What the engine could not do with a text: to parse, to plan, to compute.
    pub(crate) fn of_engine(text: &Text<'_>, error: &DataFusionError) -> Self {
        let root = error.find_root();
        let said = root.to_string();
        let of_literal = [literals::pattern, literals::interval, literals::interval_of_rows, literals::unit]
            .iter()
            .find_map(|told| told(text, &said));
        if let Some(error) = of_literal {
            return error;
        }
        let mut hint = None;
        let message = match root {
            DataFusionError::ResourcesExhausted(_) => return Self::limit(LimitKind::Memory, 0, 0),
            DataFusionError::External(inner) if inner.downcast_ref::<Self>().is_some() => {
                return inner.downcast_ref::<Self>().map_or_else(|| Self::Host(inner.to_string()), Self::again);
            }
            DataFusionError::ArrowError(error, _) => return Self::Value(value(error)),
            DataFusionError::Execution(message) => {
                return Self::Value(overflown(message).unwrap_or_else(|| place::lowered(message)));
            }
            DataFusionError::ExecutionJoin(error) => return Self::Engine(one_line(&error.to_string())),
            DataFusionError::Internal(message) => return Self::Engine(one_line(first_part(message))),
            DataFusionError::IoError(error) => return Self::Host(error.to_string()),
            DataFusionError::SchemaError(error, _) => {
                let (message, advice) = schema(error);
                hint = advice;
                message
            }
            DataFusionError::SQL(error, _) => parser(&error.to_string()),
            DataFusionError::Plan(message) if twice(message).is_some() => {
                hint = Some(ANOTHER_NAME.to_owned());
                twice(message).unwrap_or_default()
            }
            DataFusionError::Plan(message) => ungrouped(message).unwrap_or_else(|| place::lowered(first_part(message))),
            DataFusionError::NotImplemented(message) => match unsupported(message) {
                Some((said, advice)) => {
                    hint = Some(advice.to_owned());
                    format!("not supported: {said}")
                }
                None => format!("not supported: {}", first_part(message)),
            },
            other => first_part(&other.strip_backtrace()).to_owned(),
        };
        let spot = place::of(text, error, &message);
        let helps = || error.diagnostic()?.helps.first().map(|help| place::lowered(&help.message));
        // What the planner advises of a column that is missing names them all anew.
        let hint = if matches!(root, DataFusionError::SchemaError(..)) { hint } else { hint.or_else(helps) };
        let error = Self::text(text, spot, message);
        match hint {
            Some(hint) => error.hinted(hint),
            None => error,
        }
    }

    /// The same with the limits of the query, which the engine does not know.
    pub(crate) fn of_disk(self, disk: &Disk) -> Self {
        match disk.exceeded() {
            Some((used, most)) => Self::limit(LimitKind::Disk, used, most),
            None => self,
        }
    }

    /// Of a limit that was met inside the engine.
    fn again(&self) -> Self {
        match self {
            Self::Limit { limited } => Self::Limit { limited: *limited },
            other => Self::Value(other.to_string()),
        }
    }
}

/// Of two columns of one name.
pub(crate) const ANOTHER_NAME: &str = "give one another name with `as`";

/// A line of a text that is shown.
const EXCERPT_CHARS_MAX: usize = 160;

/// The engine adds whole schemas and backtraces behind the sentence.
fn first_part(message: &str) -> &str {
    message.split(['\n']).next().unwrap_or_default().trim_end_matches('.')
}

fn one_line(message: &str) -> String {
    message.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(2000).collect()
}

fn parser(message: &str) -> String {
    let bare = message.strip_prefix("sql parser error: ").unwrap_or(message);
    place::lowered(place::without_place(bare)).replacen("expected: ", "expected ", 1).replacen(", found: ", ", got ", 1)
}

/// What to say of a name, and a hint.
fn schema(error: &SchemaError) -> (String, Option<String>) {
    match error {
        SchemaError::AmbiguousReference { field } => {
            let name = &field.name;
            (format!("column `{name}` stands in more than one table; name the table, such as `t.{name}`"), None)
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            (format!("two columns are named `{name}`"), Some(ANOTHER_NAME.to_owned()))
        }
        SchemaError::FieldNotFound { field, valid_fields } => missing::column(field, valid_fields),
    }
}

/// Of two columns of one name, in a sentence of ours.
fn twice(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("require unique expression names but the expression \"")?;
    let (expression, _) = rest.split_once("\" at position ")?;
    let named = expression.rsplit_once(" AS ").map_or(expression, |(_, name)| name);
    let name = if named.contains('(') { named } else { named.rsplit('.').next().unwrap_or(named) };
    Some(format!("the answer has two columns named `{name}`"))
}

/// What the engine has no operator for, and another way to write it.
fn unsupported(message: &str) -> Option<(&'static str, &'static str)> {
    let of = |expression: &str| message.contains(&format!("support logical expression {expression}"));
    Some(match message {
        _ if of("InSubquery(") => ("`in (select ..)` as a value", "write it in `where`, or join the table"),
        _ if of("Exists(") => ("`exists (select ..)` as a value", "write it in `where`, or join the table"),
        _ if of("ScalarSubquery(") => (
            "this `(select ..)` that looks at the row around it",
            "join the table, and group where it is to be one row",
        ),
        _ if message.contains("GetFieldAccess") => {
            ("an element such as `a[1]`", "no table has lists; give single values")
        }
        _ if message.contains("array literal") => ("a list such as `[1, 2]`", "no table has lists; give single values"),
        _ => return None,
    })
}

/// Of a column that a grouping does not have, in a sentence of ours.
fn ungrouped(message: &str) -> Option<String> {
    let (before, _) = message.split_once("\" must appear in the GROUP BY clause")?;
    let name = before.rsplit(['"', '.']).next()?;
    Some(format!(
        "column `{name}` is neither in `group by` nor in a function of the group's rows, such as `max({name})`"
    ))
}

/// What the engine's arithmetic has no room for, in a sentence of ours.
fn overflown(message: &str) -> Option<String> {
    if let Some((_, value)) = message.split_once("Array overflow on abs(") {
        return Some(format!("`abs` of {} is more than a whole number holds", value.trim_end_matches(')')));
    }
    if message.contains("annot cast to Interval(MonthDayNano). Overflowing on") {
        return Some(
            "a time of more than 292 years, which no interval holds; compare `extract(epoch from ..)`".to_owned(),
        );
    }
    message.contains("represented as nanoseconds").then(|| {
        "an instant lies before 1678 or after 2261, where a series and a format of `to_timestamp` have none; `cast(.. as timestamp)` takes \
         any year"
            .to_owned()
    })
}

/// A value of the tables that is none of the type that a query makes of it, in a sentence of ours.
fn unconverted(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Cannot cast string '")?;
    let (value, kind) = rest.split_once("' to value of ")?;
    let (shown, kind) = (value.chars().take(60).collect::<String>(), calls::word(kind));
    Some(format!("a text of the rows, '{shown}', is no {kind}; `try_cast` gives null for such a one"))
}

fn value(error: &ArrowError) -> String {
    let said = match error {
        ArrowError::DivideByZero => return "a whole number is divided by zero".to_owned(),
        ArrowError::CastError(message)
        | ArrowError::ComputeError(message)
        | ArrowError::ParseError(message)
        | ArrowError::InvalidArgumentError(message)
        | ArrowError::ArithmeticOverflow(message) => message.clone(),
        other => other.to_string(),
    };
    one_line(&unconverted(&said).or_else(|| overflown(&said)).unwrap_or_else(|| place::lowered(first_part(&said))))
}

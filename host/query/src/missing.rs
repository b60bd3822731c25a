//! What a text names that is not there, told with what is.

use crate::place::{self, Text};
use crate::{Error, functions};
use data::Table;
use datafusion::common::{Column, DataFusionError};

/// Names that a list of them shows.
const LISTED_MAX: usize = 12;

/// A table that the query was not given.
pub(crate) fn table(text: &Text<'_>, tables: &[(&str, &Table)], error: &DataFusionError) -> Option<Error> {
    let said = error.find_root().strip_backtrace();
    let name = between(&said, "table '", "' not found")?;
    let name = name.strip_prefix("datafusion.public.").unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    let spot = place::marked(error).or_else(|| text.find([name, last])).unwrap_or_else(|| text.first());
    let error = Error::text(text, spot, format!("there is no table `{name}`"));
    let there: Vec<String> = tables.iter().map(|(name, _)| written(name)).collect();
    let given = match there.is_empty() {
        true => "this query was given no tables".to_owned(),
        false => format!("it was given {}", listed(&there)),
    };
    Some(match near(name, tables.iter().map(|(name, _)| *name)) {
        Some(near) => error.hinted(format!("{given}; {}", meant(&near))),
        None => error.hinted(given),
    })
}

/// A function that there is not, or not without a window.
pub(crate) fn function(text: &Text<'_>, error: &DataFusionError) -> Option<Error> {
    let said = error.find_root().strip_backtrace();
    let name =
        between(&said, "Invalid function '", "'").or_else(|| between(&said, "table function '", "' not found"))?;
    let spot = place::marked(error).or_else(|| text.find([name])).unwrap_or_else(|| text.first());
    if functions::is_of_windows(name) {
        let message = format!("`{name}` needs `over (..)`: it looks at the rows around each row");
        return Some(Error::text(text, spot, message).hinted(format!("write `{name}(..) over (order by ..)`")));
    }
    if ["rollup", "cube"].contains(&name) {
        let hint = "write its sets out: `rollup (a, b)` is `(a, b), (a), ()`, and `cube (a, b)` has `(b)` besides";
        return Some(Error::text(text, spot, format!("not supported: `{name}` within `grouping sets`")).hinted(hint));
    }
    let error = Error::text(text, spot, format!("there is no function `{name}`"));
    let hint = functions::why_not(name)
        .map(str::to_owned)
        .or_else(|| functions::near(name).map(|near| format!("did you mean `{near}`?")));
    Some(match hint {
        Some(hint) => error.hinted(hint),
        None => error,
    })
}

/// A column that is not there, among those that are: what to say, and a hint.
pub(crate) fn column(sought: &Column, there: &[Column]) -> (String, Option<String>) {
    let name = &sought.name;
    let Some(relation) = &sought.relation else {
        let names: Vec<&str> = there.iter().map(|column| column.name.as_str()).collect();
        let hint = near(name, names.iter().copied()).map(|near| meant(&near));
        return (format!("there is no column `{name}`{}", all(&names, "; there is", "; there are")), hint);
    };
    let within = |column: &&Column| column.relation.as_ref() == Some(relation);
    let names: Vec<&str> = there.iter().filter(within).map(|column| column.name.as_str()).collect();
    if names.is_empty() {
        let tables: Vec<&str> = there.iter().filter_map(|column| Some(column.relation.as_ref()?.table())).collect();
        let hint = near(relation.table(), tables.iter().copied()).map(|near| meant(&near));
        let message = format!("there is no table `{relation}` here{}", all(&tables, "; there is", "; there are"));
        return (message, hint);
    }
    let elsewhere = there.iter().find(|column| column.name == *name).and_then(|column| column.relation.as_ref());
    let hint = match elsewhere {
        Some(table) => Some(format!("did you mean `{}.{}`?", written(table.table()), written(name))),
        None => near(name, names.iter().copied()).map(|near| meant(&near)),
    };
    (format!("there is no column `{name}` in `{relation}`; it has {}", all(&names, "", "").trim_start()), hint)
}

fn meant(near: &str) -> String {
    let quotes = if near.starts_with('"') { " A name without double quotes is read in small letters." } else { "" };
    format!("did you mean `{near}`?{quotes}")
}

/// The nearest of these names, as it is written in a text.
fn near<'n>(name: &str, names: impl Iterator<Item = &'n str> + Clone) -> Option<String> {
    let alike = names.clone().find(|there| there.to_lowercase() == name.to_lowercase());
    alike.or_else(|| types::nearest(name, names)).map(written)
}

/// A name as a text has it: one that is not all in small letters stands in double quotes.
fn written(name: &str) -> String {
    let plain = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
    match name.chars().all(plain) && !name.starts_with(|sign: char| sign.is_ascii_digit()) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// "; there are `a`, `b`", each name once; nothing where there is none.
fn all(names: &[&str], one: &str, more: &str) -> String {
    let mut seen = Vec::<String>::new();
    for name in names.iter().map(|name| written(name)) {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    match seen.len() {
        0 => String::new(),
        1 => format!("{one} {}", listed(&seen)),
        _ => format!("{more} {}", listed(&seen)),
    }
}

/// "`a`, `b` and 3 more".
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED_MAX).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(LISTED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

pub(crate) fn between<'s>(said: &'s str, before: &str, after: &str) -> Option<&'s str> {
    said.split_once(before)?.1.split_once(after).map(|(name, _)| name)
}

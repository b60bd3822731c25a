//! A pipeline's `[schedule]` table -> a [`Schedule`]. What a cron expression means is `trigger`'s to say; here it gets its place.

use crate::reader::{Reader, Value, cut};
use crate::value::{duration, truth};
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use trigger::{Choice, Draft, Expression, Moment, Schedule, Zone};
use types::nearest;

const KEYS: [&str; 11] =
    ["cron", "zone", "gap", "fold", "missed", "catch_up", "overlap", "jitter", "start", "end", "paused"];

/// What is wrong in it is a problem, and no schedule.
pub(crate) fn read(reader: &mut Reader, value: &Value<'_>) -> Option<Schedule> {
    let table = reader.table("schedule", value)?;
    let before = reader.problems.len();
    reader.keys(table, "`schedule`", &KEYS);
    let expression = expression(reader, table, value.span());
    let draft = Draft {
        zone: table.get("zone").and_then(|value| zone(reader, value)),
        gap: choice(reader, table, "gap"),
        fold: choice(reader, table, "fold"),
        missed: choice(reader, table, "missed"),
        catch_up_ms: duration(reader, table, "catch_up"),
        overlap: choice(reader, table, "overlap"),
        jitter_ms: duration(reader, table, "jitter"),
        start: moment(reader, table, "start"),
        end: moment(reader, table, "end"),
        paused: truth(reader, table, "paused"),
    };
    // Whether the parts go together is asked only of parts that could all be read.
    let expression = expression.filter(|_| reader.problems.len() == before)?;
    Schedule::new(expression, draft)
        .map_err(|clashes| {
            for clash in clashes {
                let span = table.get(clash.key).map_or(value.span(), |value| value.span());
                reader.push(span, clash.problem);
            }
        })
        .ok()
}

fn expression(reader: &mut Reader, table: &DeTable<'_>, span: Range<usize>) -> Option<Expression> {
    let Some(value) = table.get("cron") else {
        let hint = "say when it runs: `cron = \"0 6 * * 1-5\"` is 06:00 from Monday to Friday";
        reader.wrong_hinted(span, "the schedule has no `cron`", hint);
        return None;
    };
    let text = reader.text("cron", value)?;
    Expression::parse(text).map_err(|problem| reader.push(value.span(), problem)).ok()
}

fn zone(reader: &mut Reader, value: &Value<'_>) -> Option<Zone> {
    let name = reader.text("zone", value)?;
    let zone = Zone::parse(name);
    if zone.is_none() {
        let near = Zone::of_city(name).or_else(|| nearest(name, Zone::names()));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "expected a name of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned(),
        };
        reader.wrong_hinted(value.span(), format!("there is no time zone `{}`", cut(name)), hint);
    }
    zone
}

fn choice<T: Choice>(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<T> {
    let value = table.get(key)?;
    let word = reader.text(key, value)?;
    let choice = T::parse(word);
    if choice.is_none() {
        let words: Vec<_> = T::ALL.iter().map(|choice| choice.word()).collect();
        reader.unknown(value.span(), format!("`{key}` cannot be `{}`", cut(word)), word, &words);
    }
    choice
}

/// A date or a time of TOML, or a string that says one.
fn moment(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<Moment> {
    let value = table.get(key)?;
    let text = match value.get_ref() {
        DeValue::Datetime(time) => time.to_string(),
        DeValue::String(text) => text.as_ref().to_owned(),
        _ => {
            reader.wrong_type(key, value, "a date, such as 2026-03-01");
            return None;
        }
    };
    Moment::parse(&text).map_err(|problem| reader.push(value.span(), problem)).ok()
}

//! `[settings]`, what was set over it, and `${name}` in a manifest's strings -> the values that stand there.
//!
//! The strings are filled in where TOML has been parsed and before anything is read, so that every key honours them; what a
//! problem points at is the text as it was written.

use crate::MANIFEST_BYTES_MAX;
use crate::reader::{Reader, Value, cut, entries};
use crate::value::{json, named};
use serde_json::{Number, Value as Json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};
use types::{Problem, Settings, nearest};

/// The values by name, ready to be put in.
pub(crate) struct Filling {
    pub(crate) values: Settings,
    /// Of numbers, as TOML writes them.
    literals: BTreeMap<String, String>,
}

/// The declared settings; none if one of them could not be read.
pub(crate) fn read(reader: &mut Reader, value: &Value<'_>) -> Option<Settings> {
    let before = reader.problems.len();
    let mut settings = Settings::new();
    for (key, span, value) in entries(reader.table("settings", value)?) {
        let name = named(reader, "setting name", key, span);
        let plain = matches!(
            value.get_ref(),
            DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_)
        );
        if !plain {
            reader.wrong_type(key, value, "a string, a number, true or false");
            continue;
        }
        if let (Some(name), Some(value)) = (name, json(reader, key, value)) {
            settings.insert(name, value);
        }
    }
    (reader.problems.len() == before).then_some(settings)
}

/// The declared settings under what was set; what was set and cannot be is a problem, and left out.
pub(crate) fn over(declared: Settings, set: &Settings) -> (Settings, Vec<Problem>) {
    let (mut values, mut problems) = (declared, Vec::new());
    let known: Vec<String> = values.keys().cloned().collect();
    for (name, value) in set {
        let Some(default) = values.get_mut(name) else {
            let message = format!("the project has no setting `{}`", cut(name));
            problems.push(Problem::new(message).hinted(suggestion(name, &known)));
            continue;
        };
        match like(default, value) {
            Some(value) => *default = value,
            None => {
                let (got, expected) = (cut(&plain(value)), kind(default));
                problems.push(Problem::new(format!("setting `{name}` is `{got}`, expected {expected}")));
            }
        }
    }
    (values, problems)
}

/// The value in the type of the default; a text is read as one.
fn like(default: &Json, value: &Json) -> Option<Json> {
    match (default, value) {
        (Json::String(_), Json::String(_) | Json::Number(_) | Json::Bool(_)) => Some(plain(value).into()),
        (Json::Bool(_), Json::Bool(_)) => Some(value.clone()),
        (Json::Bool(_), Json::String(text)) => text.parse::<bool>().ok().map(Json::from),
        (Json::Number(number), _) => {
            let read = match value {
                Json::Number(number) => number.clone(),
                Json::String(text) => integer(text).or_else(|| Number::from_f64(text.parse().ok()?))?,
                _ => return None,
            };
            match number.is_f64() {
                true => Number::from_f64(read.as_f64()?).map(Json::from),
                false => (!read.is_f64()).then(|| read.into()),
            }
        }
        _ => None,
    }
}

fn integer(text: &str) -> Option<Number> {
    text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok()
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Bool(_) => "true or false",
        Json::Number(number) if number.is_f64() => "a number",
        Json::Number(_) => "an integer",
        _ => "a string",
    }
}

/// The value in a text: a string without its quotes.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn suggestion(name: &str, known: &[String]) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => {
            "declare it with its default in `stepwell.toml`: `[settings]` and a line such as `mode = \"full\"`"
                .to_owned()
        }
        None => format!("there is {}", crate::reader::listed(known.iter().map(String::as_str))),
    }
}

/// What a string is made of.
#[derive(Debug, PartialEq)]
enum Piece<'s> {
    Text(&'s str),
    Setting(&'s str),
}

/// The pieces of a string; none if a name is not closed. `$${` says `${`.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            pieces.extend([Piece::Text(before), Piece::Text("${")]);
            rest = &rest[at + 2..];
            continue;
        }
        let (name, after) = rest[at + 2..].split_once('}')?;
        pieces.extend([Piece::Text(&rest[..at]), Piece::Setting(name)]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    Some(pieces)
}

/// Whether a text may name a setting.
pub(crate) fn names_any(text: &str) -> bool {
    text.contains("${")
}

impl Filling {
    pub(crate) fn new(values: Settings) -> Self {
        // An exponent without a point is a float of TOML too.
        let literal = |(name, value): (&String, &Json)| Some((name.clone(), value.as_number()?.to_string()));
        let literals = values.iter().filter_map(literal).collect();
        Self { values, literals }
    }

    /// Puts the values into all strings of a table. One that cannot be filled in is a problem, and stays.
    pub(crate) fn fill<'t>(&'t self, reader: &mut Reader, table: &mut DeTable<'t>) {
        // Texts may stand in many places: together they are no longer than a file may be.
        self.fill_table(reader, table, &mut (MANIFEST_BYTES_MAX as usize));
    }

    /// Likewise of one value.
    pub(crate) fn fill_one<'t>(&'t self, reader: &mut Reader, value: &mut Value<'t>) {
        self.fill_value(reader, value, &mut (MANIFEST_BYTES_MAX as usize));
    }

    fn fill_table<'t>(&'t self, reader: &mut Reader, table: &mut DeTable<'t>, room: &mut usize) {
        table.iter_mut().for_each(|(_, value)| self.fill_value(reader, value, room));
    }

    fn fill_value<'t>(&'t self, reader: &mut Reader, value: &mut Value<'t>, room: &mut usize) {
        let filled = match value.get_mut() {
            DeValue::Table(table) => return self.fill_table(reader, table, room),
            DeValue::Array(array) => {
                return array.iter_mut().for_each(|value| self.fill_value(reader, value, room));
            }
            DeValue::String(text) if names_any(text) => self.filled(text, room),
            _ => return,
        };
        match filled {
            Ok(filled) => *value.get_mut() = filled,
            Err(problem) => reader.unfilled(value.span(), problem),
        }
    }

    fn filled(&self, text: &str, room: &mut usize) -> Result<DeValue<'_>, Problem> {
        let pieces = pieces(text).ok_or_else(|| {
            let problem = Problem::new(format!("`{}` names a setting that no `}}` ends", cut(text)));
            problem.hinted("`${name}` is a setting; `$${` stands for `${`")
        })?;
        if let [Piece::Setting(name)] = pieces[..] {
            return self.typed(name, room);
        }
        let mut whole = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => whole.push_str(text),
                Piece::Setting(name) => {
                    let value = plain(self.value(name)?);
                    take(room, value.len())?;
                    whole.push_str(&value);
                }
            }
        }
        Ok(DeValue::String(Cow::Owned(whole)))
    }

    /// The value itself, for a string that is nothing but its name.
    fn typed(&self, name: &str, room: &mut usize) -> Result<DeValue<'_>, Problem> {
        let value = self.value(name)?;
        match value {
            Json::String(text) => {
                take(room, text.len())?;
                Ok(DeValue::String(Cow::Borrowed(text)))
            }
            Json::Bool(truth) => Ok(DeValue::Boolean(*truth)),
            _ => {
                let literal = self.literals.get(name).and_then(|literal| DeValue::parse(literal).ok());
                let unwritten = || Problem::new(format!("setting `{name}` has no form in TOML: {value}"));
                literal.map(toml::Spanned::into_inner).ok_or_else(unwritten)
            }
        }
    }

    fn value(&self, name: &str) -> Result<&Json, Problem> {
        self.values.get(name).ok_or_else(|| {
            let known: Vec<String> = self.values.keys().cloned().collect();
            Problem::new(format!("there is no setting `{}`", cut(name))).hinted(suggestion(name, &known))
        })
    }
}

fn take(room: &mut usize, bytes: usize) -> Result<(), Problem> {
    *room = room.checked_sub(bytes).ok_or_else(|| {
        let most = MANIFEST_BYTES_MAX >> 10;
        Problem::new(format!("the settings that the file names are together longer than {most} KiB"))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_string_falls_into_pieces() {
        use Piece::{Setting, Text};
        for (text, expected) in [
            ("", Some(vec![])),
            ("a", Some(vec![Text("a")])),
            ("${a}", Some(vec![Setting("a")])),
            ("x${a}y${b}", Some(vec![Text("x"), Setting("a"), Text("y"), Setting("b")])),
            ("$${a}", Some(vec![Text("${"), Text("a}")])),
            ("$$${a}", Some(vec![Text("$"), Text("${"), Text("a}")])),
            ("$ {a} $5", Some(vec![Text("$ {a} $5")])),
            ("${", None),
            ("${a}${b", None),
            ("${}", Some(vec![Setting("")])),
        ] {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_set_has_the_type_of_the_default() {
        for (default, set, expected) in [
            (json!("a"), json!("b"), Some(json!("b"))),
            (json!("a"), json!(3), Some(json!("3"))),
            (json!("a"), json!(["b"]), None),
            (json!(1), json!("3"), Some(json!(3))),
            (json!(1), json!("-3"), Some(json!(-3))),
            (json!(1), json!(3.5), None),
            (json!(1), json!("3.0"), None),
            (json!(1), json!("x"), None),
            (json!(1), json!(true), None),
            (json!(1.5), json!("3"), Some(json!(3.0))),
            (json!(1.5), json!("1e3"), Some(json!(1000.0))),
            (json!(1.5), json!("nan"), None),
            (json!(1.5), json!("inf"), None),
            (json!(true), json!("false"), Some(json!(false))),
            (json!(true), json!("no"), None),
            (json!(true), json!(0), None),
            (json!("a"), json!(null), None),
        ] {
            assert_eq!(like(&default, &set), expected, "{default} {set}");
        }
    }

    #[test]
    fn every_number_has_a_form_in_toml() {
        for value in [json!(0), json!(-1), json!(u64::MAX), json!(1.0), json!(1e300), json!(-2.5e-7), json!(1e16)] {
            let filling = Filling::new([("a".to_owned(), value.clone())].into());
            let got = filling.typed("a", &mut 0).unwrap();
            assert_eq!(matches!(got, DeValue::Float(_)), value.is_f64(), "{value}");
            assert!(got.is_float() || got.is_integer(), "{value}");
        }
    }
}

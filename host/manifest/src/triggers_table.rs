//! A pipeline's `[triggers]` table -> [`Triggers`].

use crate::Triggers;
use crate::pipeline_file::Around;
use crate::reader::{Reader, Value, cut};
use crate::value::{duration, secret};
use toml::de::DeTable;
use types::{Id, PipelineName, StepName};

/// A collector is asked no more often.
const EVERY_MS_MIN: u64 = 10_000;

/// What is wrong in it is a problem and left out. `steps` are those of the pipeline.
pub(crate) fn read(reader: &mut Reader, value: &Value<'_>, around: &Around<'_>, steps: &[&str]) -> Triggers {
    let Some(table) = reader.table("triggers", value) else { return Triggers::default() };
    reader.keys(table, "`triggers`", &["after", "files", "source", "webhook"]);
    Triggers {
        after: table.get("after").map(|value| after(reader, value, around)).unwrap_or_default(),
        files: table.get("files").map(|value| files(reader, value)).unwrap_or_default(),
        source: table.get("source").and_then(|value| source(reader, value, steps)),
        webhook: table.get("webhook").and_then(|value| webhook(reader, value)),
    }
}

/// Other pipelines of the project. Whether they wait for each other is asked once all of them are read.
fn after(reader: &mut Reader, value: &Value<'_>, around: &Around<'_>) -> Vec<PipelineName> {
    let names = reader.names("after", value).unwrap_or_default();
    let elements = value.get_ref().as_array().map_or(&[][..], |array| &array[..]);
    let mut after = Vec::new();
    for (name, element) in names.iter().zip(elements) {
        if name == around.pipeline {
            reader.wrong(element.span(), format!("pipeline `{}` cannot run after itself", cut(name)));
        } else if !around.pipelines.contains(&name.as_str()) {
            let known: Vec<&str> = around.pipelines.iter().copied().filter(|name| *name != around.pipeline).collect();
            reader.unknown(element.span(), format!("there is no pipeline `{}`", cut(name)), name, &known);
        } else {
            after.extend(reader.id::<PipelineName>(name, element.span()));
        }
    }
    after
}

fn files(reader: &mut Reader, value: &Value<'_>) -> Vec<String> {
    let paths = reader.names("files", value).unwrap_or_default();
    let elements = value.get_ref().as_array().map_or(&[][..], |array| &array[..]);
    for (path, element) in paths.iter().zip(elements) {
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(['\0', '\\']);
        let (folder, last) = path.rsplit_once('/').unwrap_or(("", path));
        if !plain {
            let message = format!("`{}` is not a path inside the project", cut(path));
            reader.wrong_hinted(element.span(), message, "expected one such as \"data/incoming/*.csv\"");
        } else if folder.contains('*') || last.matches('*').count() > 1 {
            let message = format!("`{}` has a `*` too many", cut(path));
            reader.wrong_hinted(element.span(), message, "one `*` may stand in the last part, as in \"data/*.csv\"");
        }
    }
    paths
}

/// A step to be asked. Whether it collects is `plan`'s to say.
fn source(reader: &mut Reader, value: &Value<'_>, steps: &[&str]) -> Option<(StepName, u64)> {
    let table = reader.table("source", value)?;
    reader.keys(table, "`source`", &["step", "every"]);
    for (key, hint) in [("step", "name a collector of the pipeline"), ("every", "such as `every = \"5 min\"`")] {
        if table.get(key).is_none() {
            reader.wrong_hinted(value.span(), format!("`source` lacks `{key}`"), hint);
        }
    }
    let step = table.get("step").and_then(|value| {
        let text = reader.text("step", value)?;
        if !steps.contains(&text) {
            reader.unknown(value.span(), format!("there is no step `{}`", cut(text)), text, steps);
            return None;
        }
        StepName::parse(text).ok()
    });
    let every = every(reader, table);
    Some((step?, every?))
}

fn every(reader: &mut Reader, table: &DeTable<'_>) -> Option<u64> {
    let every = duration(reader, table, "every")?;
    if let (true, Some(value)) = (every < EVERY_MS_MIN, table.get("every")) {
        reader.wrong(value.span(), "`every` is shorter than 10 s, which no source is to be asked at");
        return None;
    }
    Some(every)
}

fn webhook(reader: &mut Reader, value: &Value<'_>) -> Option<String> {
    let table = reader.table("webhook", value)?;
    reader.keys(table, "`webhook`", &["secret"]);
    if table.get("secret").is_none() {
        let hint = "name one that `stepwell secret set` has stored, such as `secret = \"HOOK\"`";
        reader.wrong_hinted(value.span(), "`webhook` lacks the `secret` that calls are signed with", hint);
    }
    secret(reader, table)
}

//! Models: versions, moves of aliases, differences.

use super::comparison::diff_row;
use super::detail::measured_table;
use super::{instant, table, tame};
use server::{Held, ModelDetail, ModelDiff, ModelList, OF_ITS_FILE};
use std::collections::BTreeMap;
use types::AliasMove;

/// Models, a line each.
pub(crate) fn model_list(models: &[ModelList]) -> String {
    if models.is_empty() {
        return "no models yet; a pipeline with the built-in step `register` makes them\n".to_owned();
    }
    let rows = models.iter().map(|model| {
        let aliases: Vec<_> = model.aliases.iter().map(|(alias, version)| format!("{alias} -> {version}")).collect();
        let latest = model.versions.last().map(ToString::to_string).unwrap_or_default();
        vec![model.model.to_string(), model.versions.len().to_string(), latest, aliases.join(", ")]
    });
    table(&["model", "versions", "latest", "aliases"], rows.collect())
}

/// A version: what it needs, how good it is, where it came from.
pub(crate) fn model_version(detail: &ModelDetail) -> String {
    let version = &detail.version;
    let mut text = format!("model `{}` version {} ({})\n", version.model, version.version, version.digest.short());
    text += &format!(
        "made by run {} of `{}/{}`, registered {} UTC\n",
        version.run,
        version.project,
        version.pipeline,
        instant(version.registered_us)
    );
    if let Some(from) = &version.imported {
        let by = from.by.as_ref().map(|by| format!(" by {}", tame(by))).unwrap_or_default();
        let there = format!("`{}` version {}", from.model, from.version);
        text += &format!(
            "imported {} UTC{by} from a file; that run is another installation's, where this was {there}\n{OF_ITS_FILE}\n",
            instant(from.at_us)
        );
    }
    if !detail.equal.is_empty() {
        let versions: Vec<_> = detail.equal.iter().map(ToString::to_string).collect();
        text += &format!("answers alike, bit for bit: version {}\n", versions.join(", "));
    }
    if !detail.aliases.is_empty() {
        text +=
            &format!("aliases: {}\n", detail.aliases.iter().map(|alias| tame(alias)).collect::<Vec<_>>().join(", "));
    }
    text += &tags(&detail.tags);
    text += &detail.golden.map(|golden| format!("golden requests: {}\n", golden.rows)).unwrap_or_default();
    let path: Vec<_> = version.path.iter().chain([&version.predictor]).map(|step| step.step.to_string()).collect();
    text += &format!("served path: request -> {}\n\n", path.join(" -> "));
    let fields = |fields: &[types::Field]| {
        let rows = fields.iter().map(|field| vec![field.name.clone(), field.data_type.to_string()]).collect();
        table(&["column", "type"], rows)
    };
    text += &format!("a request brings\n{}\nan answer gives\n", fields(&version.request));
    text += &fields(&version.signature.outputs);
    if !version.measures.is_empty() {
        let measured = if version.imported.is_some() { "measured, as its file says" } else { "measured" };
        text += &format!("\n{measured}\n{}", measured_table(&version.measures));
    }
    if let Some(verdict) = &version.verdict {
        let gate = if version.imported.is_some() { "its file says: gate" } else { "gate" };
        text += &format!("\n{gate} {}\n", tame(&verdict.sentence));
    }
    text
}

/// What stands on a version.
pub(crate) fn tags(tags: &BTreeMap<String, String>) -> String {
    let tag = |(key, value): (&String, &String)| match value.is_empty() {
        true => tame(key),
        false => format!("{} = {}", tame(key), tame(value)),
    };
    let tags: Vec<_> = tags.iter().map(tag).collect();
    if tags.is_empty() { String::new() } else { format!("tags: {}\n", tags.join(", ")) }
}

/// Moves of aliases, a line each.
pub(crate) fn alias_moves(moves: &[AliasMove]) -> String {
    if moves.is_empty() {
        return "no alias was moved yet; `stepwell model promote` does\n".to_owned();
    }
    let row = |moved: &AliasMove| {
        let version = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let by = moved.by.clone().unwrap_or_else(|| "-".to_owned());
        let why = if moved.rollback { format!("rollback: {}", moved.why) } else { moved.why.clone() };
        vec![instant(moved.moved_us), moved.alias.clone(), version(moved.from), version(moved.to), by, why]
    };
    table(&["when (UTC)", "alias", "from", "to", "who", "why"], moves.iter().map(row).collect())
}

/// A move that was just made.
pub(crate) fn alias_move(moved: &AliasMove) -> String {
    let from = moved.from.map(|from| format!(", from version {from}")).unwrap_or_default();
    let to = moved.to.map_or_else(|| "no version".to_owned(), |to| format!("version {to}"));
    format!("`{}` of model `{}` is {to} now{from}\n", tame(&moved.alias), moved.model)
}

/// Which version had an alias at a time.
pub(crate) fn held(held: &Held) -> String {
    let (alias, at) = (tame(&held.alias), instant(held.at_us));
    match &held.moved {
        None => format!("at {at} UTC no version of model `{}` was `{alias}`\n", held.model),
        Some(moved) => {
            let by = moved.by.as_ref().map(|by| format!(" by {}", tame(by))).unwrap_or_default();
            let since = format!("since {} UTC{by}: {}", instant(moved.moved_us), tame(&moved.why));
            let version = moved.to.map_or_else(|| "no version".to_owned(), |to| format!("version {to}"));
            format!("at {at} UTC {version} of model `{}` was `{alias}`, {since}\n", held.model)
        }
    }
}

/// A version that was just imported.
pub(crate) fn imported(detail: &ModelDetail) -> String {
    let version = &detail.version;
    let (model, number) = (&version.model, version.version);
    let hint = format!("`stepwell model promote {model} {number} --why ..` has it answer");
    format!(
        "registered version {number} of model `{model}` ({}), under no alias; {hint}\n{OF_ITS_FILE}\n",
        version.digest.short()
    )
}

/// The rows of a difference.
pub(crate) fn model_diff(diff: &ModelDiff) -> String {
    if diff.rows.is_empty() {
        return format!("versions {} and {} of model `{}` differ in nothing that counts\n", diff.a, diff.b, diff.model);
    }
    let (a, b) = (format!("version {}", diff.a), format!("version {}", diff.b));
    table(&["", "step", "what", &a, &b, "difference"], diff.rows.iter().map(diff_row).collect())
}

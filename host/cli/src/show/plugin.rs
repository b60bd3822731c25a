//! A plugin for a person's eyes: what it is, what it may be set to, what it asks for.

use super::{bytes, faint, table, tame};
use serde_json::Value;
use server::{Changes, Inspected};
use types::{Field, Interface, Reach};

/// Its name, roles, digest and size.
pub(crate) fn plugin_head(inspected: &Inspected) -> String {
    let Inspected { digest, bytes: size, contract, descriptor } = inspected;
    let roles: Vec<String> = descriptor.roles.iter().map(ToString::to_string).collect();
    let (version, summary) = (tame(&descriptor.version), tame(&descriptor.summary));
    format!(
        "  plugin   {} {version}: {summary}\n  roles    {}\n  digest   {digest}\n  size     {}\n  contract {contract}\n",
        descriptor.name,
        roles.join(", "),
        bytes(*size),
    )
}

/// All there is to know before it is used.
pub(crate) fn plugin(inspected: &Inspected) -> String {
    let descriptor = &inspected.descriptor;
    let mut text = plugin_head(inspected);
    text.push_str(&format!("\n{}\n{}", faint("parameters"), parameters(&descriptor.parameters)));
    let inputs = descriptor.inputs.iter().map(|port| port_line("takes", &port.name.to_string(), &port.columns));
    let outputs = descriptor.outputs.iter().map(|port| port_line("gives", &port.name.to_string(), &port.columns));
    let ports: String = inputs.chain(outputs).collect();
    text.push_str(&format!("\n{}\n{}", faint("ports"), if ports.is_empty() { "  none\n" } else { &ports }));
    text.push_str(&format!("\n{}", capabilities(&descriptor.imports)));
    text
}

/// What its imports ask for, in words; what concerns its own tables and numbers stands apart.
pub(crate) fn capabilities(imports: &[String]) -> String {
    let (world, own): (Vec<&Interface>, Vec<_>) =
        types::reaching(imports).into_iter().partition(|interface| interface.reach == Reach::World);
    let line = |interface: &&Interface| format!("  {:<12} {}\n", interface.short(), interface.words);
    let lines = |interfaces: &[&Interface]| -> String { interfaces.iter().map(line).collect() };
    let asked = if world.is_empty() { "  nothing\n".to_owned() } else { lines(&world) };
    let used = if own.is_empty() { "  nothing\n".to_owned() } else { lines(&own) };
    format!("{}\n{asked}\n{}\n{used}", faint("asks for"), faint("uses, which every step may"))
}

fn port_line(verb: &str, name: &str, columns: &[Field]) -> String {
    let columns: Vec<String> = columns.iter().map(|it| format!("{}: {}", tame(&it.name), it.data_type)).collect();
    let columns = if columns.is_empty() { "columns as they are wired".to_owned() } else { columns.join(", ") };
    format!("  {verb} {name} ({columns})\n")
}

/// The properties of a JSON Schema as a table.
fn parameters(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty()) else {
        return "  none\n".to_owned();
    };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let rows = properties.iter().map(|(name, property)| {
        let default = match (property.get("default"), required.contains(&name.as_str())) {
            (Some(default), _) => default.to_string(),
            (None, true) => "required".to_owned(),
            (None, false) => String::new(),
        };
        let description = property["description"].as_str().unwrap_or_default();
        vec![name.clone(), type_of(property), default, description.to_owned()]
    });
    table(&["name", "type", "default", "description"], rows.collect())
}

/// What a value must be, as a person says it: `integer, 1 to 9`, `one of "a", "b"`, `array of string`.
fn type_of(property: &Value) -> String {
    if let Some(options) = property["enum"].as_array() {
        let options: Vec<String> = options.iter().map(Value::to_string).collect();
        return format!("one of {}", options.join(", "));
    }
    let kind = match &property["type"] {
        Value::String(kind) if kind == "array" && property["items"].is_object() => {
            format!("array of {}", type_of(&property["items"]))
        }
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    match (&property["minimum"], &property["maximum"]) {
        (Value::Number(low), Value::Number(high)) => format!("{kind}, {low} to {high}"),
        (Value::Number(low), _) => format!("{kind}, at least {low}"),
        (_, Value::Number(high)) => format!("{kind}, at most {high}"),
        _ => kind,
    }
}

/// How it differs from another, a line a difference.
pub(crate) fn plugin_changes(changes: &Changes, old: &str) -> String {
    let mut text = format!("{}\n", faint(&format!("against {}", tame(old))));
    text.extend(changes.said().iter().map(|change| format!("  {}\n", tame(change))));
    if changes.is_empty() {
        text.push_str("  the same version, roles, parameters, ports and imports\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_type_is_said_in_words() {
        for (property, expected) in [
            (json!({"type": "integer", "minimum": 1, "maximum": 9}), "integer, 1 to 9"),
            (json!({"type": "number", "minimum": 0}), "number, at least 0"),
            (json!({"enum": ["a", 1]}), "one of \"a\", 1"),
            (json!({"type": "array", "items": {"type": "string"}}), "array of string"),
            (json!({"type": ["string", "null"]}), "string or null"),
            (json!({}), "any"),
            (json!(true), "any"),
        ] {
            assert_eq!(type_of(&property), expected, "{property}");
        }
    }

    #[test]
    fn what_a_schema_lacks_is_no_trouble() {
        for schema in [json!(null), json!([]), json!({"properties": {}}), json!({"properties": 1})] {
            assert_eq!(parameters(&schema), "  none\n", "{schema}");
        }
        let schema = json!({"required": ["b"], "properties": {"a": {"default": 1, "description": "A."}, "b": null}});
        let text = parameters(&schema);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["  a     any   1         A.", "  b     any   required"]);
    }

    #[test]
    fn what_is_asked_of_the_world_stands_apart() {
        let imports = ["platform/http", "data/tables", "platform/errors"].map(|it| format!("stepwell:{it}@0.1.0"));
        let text = capabilities(&imports);
        let plain: Vec<&str> = text.lines().filter(|line| line.starts_with("  ")).collect();
        assert_eq!(
            plain,
            ["  http         makes HTTP requests that a pipeline grants", "  tables       reads and makes tables"]
        );
    }
}

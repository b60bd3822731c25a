//! Two versions of a plugin -> what the newer one is, takes and asks for that the older one did not. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use types::{Descriptor, Field, Id, RowRelation};

/// What came and what went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    pub roles: Change,
    pub parameters: Change,
    /// Interfaces, by the last part of their names: `http`.
    pub imports: Change,
    /// What both have and what is another in the newer, a sentence each.
    #[serde(default)]
    pub altered: Vec<String>,
}

/// Names that only the newer has, and names that only the older had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub added: Vec<String>,
    pub removed: Vec<String>,
}

impl Change {
    fn between(old: BTreeSet<String>, new: BTreeSet<String>) -> Self {
        Self { added: new.difference(&old).cloned().collect(), removed: old.difference(&new).cloned().collect() }
    }
}

impl Changes {
    pub fn between(old: &Descriptor, new: &Descriptor) -> Self {
        Self {
            roles: Change::between(roles(old), roles(new)),
            parameters: Change::between(parameters(old), parameters(new)),
            imports: Change::between(imports(old), imports(new)),
            altered: altered(old, new),
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// In words, a sentence a change.
    pub fn said(&self) -> Vec<String> {
        let named = [
            ("newly imports", &self.imports.added),
            ("no longer imports", &self.imports.removed),
            ("newly is a", &self.roles.added),
            ("no longer is a", &self.roles.removed),
            ("newly takes the parameter", &self.parameters.added),
            ("no longer takes the parameter", &self.parameters.removed),
        ];
        let sentences =
            named.into_iter().flat_map(|(verb, names)| names.iter().map(move |name| format!("{verb} {name}")));
        sentences.chain(self.altered.iter().cloned()).collect()
    }
}

fn roles(plugin: &Descriptor) -> BTreeSet<String> {
    plugin.roles.iter().map(ToString::to_string).collect()
}

fn parameters(plugin: &Descriptor) -> BTreeSet<String> {
    plugin.parameters["properties"].as_object().into_iter().flat_map(|them| them.keys().cloned()).collect()
}

fn imports(plugin: &Descriptor) -> BTreeSet<String> {
    types::reaching(&plugin.imports).into_iter().map(|interface| interface.short().to_owned()).collect()
}

/// What a person compares who has used the older: its version, what its parameters may be, the columns of its ports.
fn altered(old: &Descriptor, new: &Descriptor) -> Vec<String> {
    let mut said = Vec::new();
    for (what, old, new) in [("name", old.name.as_str(), new.name.as_str()), ("version", &old.version, &new.version)] {
        if old != new {
            said.push(format!("has the {what} {new}, had {old}"));
        }
    }
    if old.learns != new.learns {
        said.push(format!("{} learns from rows", if new.learns { "newly" } else { "no longer" }));
    }
    said.extend(altered_parameters(&old.parameters, &new.parameters));
    let taken = |plugin: &Descriptor| -> Ports {
        plugin.inputs.iter().map(|port| (port.name.to_string(), port.columns.clone(), None)).collect()
    };
    let given = |plugin: &Descriptor| -> Ports {
        let ports = plugin.outputs.iter();
        ports.map(|port| (port.name.to_string(), port.columns.clone(), Some(port.rows.clone()))).collect()
    };
    said.extend(altered_ports("takes", &taken(old), &taken(new)));
    said.extend(altered_ports("gives", &given(old), &given(new)));
    said
}

/// Words of a schema that say nothing of what a value may be.
const REMARKS: [&str; 5] = ["title", "description", "examples", "$comment", "$schema"];

/// Of the parameters that both have, and of what the schema says of all together.
fn altered_parameters(old: &Value, new: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let (none, of) = (Map::new(), |schema: &Value| schema["properties"].as_object().cloned().unwrap_or_default());
    let (was, is) = (of(old), of(new));
    for (name, new) in &is {
        let Some(old) = was.get(name) else { continue };
        let (words, had) = (new.as_object().unwrap_or(&none), old.as_object().unwrap_or(&none));
        let differing = differing(had, words, &REMARKS);
        // One of the two is a truth in place of an object.
        let plain = (differing.is_empty() && old != new && !(old.is_object() && new.is_object()))
            .then(|| format!("is {}, was {}", short(Some(new)), short(Some(old))));
        said.extend(differing.into_iter().chain(plain).map(|what| format!("the parameter {name} {what}")));
    }
    let required =
        |schema: &Value, name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name));
    for name in is.keys().filter(|name| was.contains_key(*name)) {
        match (required(old, name), required(new, name)) {
            (false, true) => said.push(format!("the parameter {name} is newly required")),
            (true, false) => said.push(format!("the parameter {name} is no longer required")),
            _ => {}
        }
    }
    let told = [&REMARKS[..], &["properties", "required"]].concat();
    let (was, is) = (old.as_object().unwrap_or(&none), new.as_object().unwrap_or(&none));
    said.extend(differing(was, is, &told).into_iter().map(|what| format!("the schema of its parameters {what}")));
    said
}

/// The words of a schema that differ, such as `has the default 2, had 1`.
fn differing(old: &Map<String, Value>, new: &Map<String, Value>, but: &[&str]) -> Vec<String> {
    let words: BTreeSet<&String> = old.keys().chain(new.keys()).filter(|word| !but.contains(&word.as_str())).collect();
    let differ = words.into_iter().filter(|word| old.get(*word) != new.get(*word));
    differ.map(|word| format!("has the {word} {}, had {}", short(new.get(word)), short(old.get(word)))).collect()
}

/// Most characters of a value that a sentence holds.
const SHOWN_MAX: usize = 60;

fn short(value: Option<&Value>) -> String {
    let Some(value) = value else { return "none".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text,
    }
}

/// Name, columns and, of an output, how its rows follow from an input's.
type Ports = Vec<(String, Vec<Field>, Option<RowRelation>)>;

fn altered_ports(verb: &str, old: &Ports, new: &Ports) -> Vec<String> {
    let lacks = |ports: &Ports, name: &str| !ports.iter().any(|(port, ..)| port == name);
    let came =
        new.iter().filter(|(name, ..)| lacks(old, name)).map(|(name, ..)| format!("newly {verb} the port {name}"));
    let gone =
        old.iter().filter(|(name, ..)| lacks(new, name)).map(|(name, ..)| format!("no longer {verb} the port {name}"));
    let mut said: Vec<String> = came.chain(gone).collect();
    for (name, columns, rows) in new {
        let Some((_, had, followed)) = old.iter().find(|(port, ..)| port == name) else { continue };
        let columns =
            altered_columns(had, columns).into_iter().map(|what| format!("the port {name} that it {verb} {what}"));
        said.extend(columns);
        if let (Some(now), Some(before)) = (rows, followed)
            && now != before
        {
            said.push(format!("the rows of the port {name} are {}, were {}", relation(now), relation(before)));
        }
    }
    said
}

fn altered_columns(old: &[Field], new: &[Field]) -> Vec<String> {
    let of = |field: &Field| format!("{}{}", field.data_type, if field.nullable { "?" } else { "" });
    let find = |fields: &[Field], name: &str| fields.iter().find(|field| field.name == name).map(of);
    let names: BTreeSet<&str> = old.iter().chain(new).map(|field| field.name.as_str()).collect();
    let columns = names.into_iter().filter_map(|name| match (find(old, name), find(new, name)) {
        (None, Some(is)) => Some(format!("newly has the column {name}: {is}")),
        (Some(was), None) => Some(format!("no longer has the column {name}: {was}")),
        (Some(was), Some(is)) => (was != is).then(|| format!("has the column {name} as {is}, had {was}")),
        (None, None) => None,
    });
    columns.collect()
}

fn relation(rows: &RowRelation) -> String {
    match rows {
        RowRelation::Same(port) => format!("those of {port}, one by one"),
        RowRelation::Subset(port) => format!("some of those of {port}"),
        RowRelation::Other => "others".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use types::{DataType, Output, PluginName, Port, PortName, Role};

    fn plugin(roles: &[Role], parameters: &[&str], imports: &[&str]) -> Descriptor {
        let properties: serde_json::Map<_, _> = parameters.iter().map(|it| ((*it).to_owned(), true.into())).collect();
        Descriptor {
            name: PluginName::parse("a").unwrap(),
            version: "1.0.0".to_owned(),
            summary: String::new(),
            parameters: serde_json::json!({ "properties": properties }),
            inputs: Vec::new(),
            outputs: Vec::new(),
            learns: false,
            roles: roles.to_vec(),
            imports: imports.iter().map(|name| format!("stepwell:{name}@0.1.0")).collect(),
        }
    }

    #[test]
    fn what_came_and_what_went_is_told_apart() {
        let old = plugin(&[Role::Fitted], &["column", "most"], &["platform/files", "data/tables"]);
        let new = plugin(&[Role::Fitted, Role::Sink], &["column", "url"], &["platform/http", "data/tables"]);
        let changes = Changes::between(&old, &new);
        assert_eq!(
            changes.said(),
            [
                "newly imports http",
                "no longer imports files",
                "newly is a sink",
                "newly takes the parameter url",
                "no longer takes the parameter most",
            ]
        );
        assert!(Changes::between(&old, &old).is_empty() && !changes.is_empty());
    }

    #[test]
    fn what_both_have_is_compared_too() {
        let field = |name: &str, data_type, nullable| Field { name: name.to_owned(), data_type, nullable };
        let port = |name: &str, columns| Port { name: PortName::parse(name).unwrap(), columns };
        let rows = PortName::parse("rows").unwrap();
        let mut old = plugin(&[Role::Fitted], &[], &[]);
        old.parameters = json!({
            "properties": {
                "most": {"type": "integer", "default": 1, "description": "Old words."},
                "column": {"type": "string"},
                "any": true,
            },
            "additionalProperties": false,
        });
        old.inputs = vec![port("rows", vec![field("a", DataType::Int64, false), field("b", DataType::Text, false)])];
        old.outputs = vec![Output { name: rows.clone(), columns: Vec::new(), rows: RowRelation::Same(rows.clone()) }];
        let mut new = old.clone();
        new.version = "1.1.0".to_owned();
        new.learns = true;
        new.parameters = json!({
            "properties": {
                "most": {"type": "number", "default": "x".repeat(80), "description": "New words.", "minimum": 0},
                "column": {"type": "string"},
                "any": {"type": "string"},
            },
            "required": ["column"],
        });
        new.inputs = vec![
            port("rows", vec![field("a", DataType::Float64, true), field("c", DataType::Text, false)]),
            port("more", Vec::new()),
        ];
        new.outputs[0].rows = RowRelation::Other;
        let said = [
            "has the version 1.1.0, had 1.0.0",
            "newly learns from rows",
            "the parameter any has the type \"string\", had none",
            &format!("the parameter most has the default \"{}.., had 1", "x".repeat(59)),
            "the parameter most has the minimum 0, had none",
            "the parameter most has the type \"number\", had \"integer\"",
            "the parameter column is newly required",
            "the schema of its parameters has the additionalProperties none, had false",
            "newly takes the port more",
            "the port rows that it takes has the column a as float64?, had int64",
            "the port rows that it takes no longer has the column b: text",
            "the port rows that it takes newly has the column c: text",
            "the rows of the port rows are others, were those of rows, one by one",
        ];
        assert_eq!(Changes::between(&old, &new).said(), said);
        let mut worded = old.clone();
        worded.parameters["properties"]["most"]["description"] = json!("Other words.");
        assert!(Changes::between(&old, &worded).is_empty());
    }
}

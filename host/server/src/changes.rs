//! Two versions of a plugin -> what the newer one is, takes and asks for that the older one did not. Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use types::Descriptor;

/// What came and what went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    pub roles: Change,
    pub parameters: Change,
    /// Interfaces, by the last part of their names: `http`.
    pub imports: Change,
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
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each kind of change in words, with the names that it concerns.
    pub fn listed(&self) -> [(&'static str, &[String]); 6] {
        [
            ("newly imports", &self.imports.added),
            ("no longer imports", &self.imports.removed),
            ("newly is a", &self.roles.added),
            ("no longer is a", &self.roles.removed),
            ("newly takes the parameter", &self.parameters.added),
            ("no longer takes the parameter", &self.parameters.removed),
        ]
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

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Id, PluginName, Role};

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
        let said: Vec<String> = changes
            .listed()
            .iter()
            .flat_map(|(verb, names)| names.iter().map(move |name| format!("{verb} {name}")))
            .collect();
        assert_eq!(
            said,
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
}

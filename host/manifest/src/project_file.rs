//! `stepwell.toml` -> a [`Project`] without its pipelines.

use crate::place::File;
use crate::reader::{Reader, Value, entries};
use crate::value::{alias, limits};
use crate::{Endpoint, Project};
use std::collections::BTreeMap;
use toml::de::DeTable;
use types::{EndpointName, ModelName, Problem};

/// The file's name, and what problems in it call it.
pub(crate) const PROJECT_FILE: &str = "stepwell.toml";

/// The alias that an endpoint follows unless it names another.
const ALIAS: &str = "champion";

pub(crate) fn read(text: &str) -> (Option<Project>, Vec<Problem>) {
    Reader::document(File::new(PROJECT_FILE, text), project)
}

fn project(reader: &mut Reader, table: &DeTable<'_>) -> Option<Project> {
    reader.keys(table, "the project", &["name", "endpoints", "limits"]);
    let name = match table.get("name") {
        Some(value) => reader.text("name", value).and_then(|text| reader.id(text, value.span())),
        None => {
            reader.wrong_hinted(0..0, "the project has no `name`", "add a line such as `name = \"tumour\"`");
            None
        }
    };
    let endpoints = table.get("endpoints").map(|value| endpoints(reader, value)).unwrap_or_default();
    let limits = table.get("limits").map(|value| limits(reader, value)).unwrap_or_default();
    Some(Project { name: name?, endpoints, limits, pipelines: BTreeMap::new() })
}

fn endpoints(reader: &mut Reader, value: &Value<'_>) -> BTreeMap<EndpointName, Endpoint> {
    let mut endpoints = BTreeMap::new();
    let Some(table) = reader.table("endpoints", value) else { return endpoints };
    for (key, span, value) in entries(table) {
        let name = reader.id::<EndpointName>(key, span);
        if let (Some(name), Some(endpoint)) = (name, endpoint(reader, key, value)) {
            endpoints.insert(name, endpoint);
        }
    }
    endpoints
}

fn endpoint(reader: &mut Reader, name: &str, value: &Value<'_>) -> Option<Endpoint> {
    let table = reader.table(name, value)?;
    reader.keys(table, "an endpoint", &["model", "alias"]);
    let model: Option<ModelName> = match table.get("model") {
        Some(model) => reader.text("model", model).and_then(|text| reader.id(text, model.span())),
        None => {
            let hint = "name the model of the registry that answers";
            reader.wrong_hinted(value.span(), format!("endpoint `{}` has no `model`", crate::reader::cut(name)), hint);
            None
        }
    };
    let alias = match table.get("alias") {
        Some(value) => reader.text("alias", value).and_then(|text| alias(reader, text, value.span())),
        None => Some(ALIAS.to_owned()),
    };
    Some(Endpoint { model: model?, alias: alias?, place: reader.file.place(value.span()) })
}

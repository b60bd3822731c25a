//! The public routes as an OpenAPI 3.1 document, each endpoint's columns as its schemas, and a page that shows it.
//!
//! The page is the same for everybody and has nothing of any tenant in it: it is told to all, so that a browser, which sends no key by
//! itself, can show it. The document is told as anything else about endpoints, and to a key for some of them of these alone.

mod schemas;

use crate::error::off_thread;
use crate::guard::Only;
use crate::inference::{Answer, Public, told};
use axum::Extension;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use schemas::{columns, object, tensors};
use serde_json::{Map, Value, json};
use serve::ROWS_MAX;
use server::EndpointInfo;
use types::Scope;

/// The page asks this server and nobody else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'";

/// What the document tells of.
struct Told {
    endpoints: Vec<EndpointInfo>,
    /// Whether these are all: else what tells of all is left out.
    are_all: bool,
    /// Whether nobody is let in without a key.
    need_key: bool,
}

pub(crate) async fn document(State(public): State<Public>, only: Option<Extension<Only>>) -> Answer {
    let (room, _turn) = (public.room.clone(), public.turns.about().await?);
    let document = off_thread(move || {
        let (server, tenant) = (&public.server, &public.tenant);
        let mut endpoints = server.endpoints(tenant)?;
        if let Some(Extension(Only(only))) = &only {
            endpoints.retain(|info| only.contains(&info.endpoint));
        }
        let (are_all, need_key) = (only.is_none(), server.needs_key(tenant));
        Ok(described(&Told { endpoints, are_all, need_key }))
    });
    told(&room, &document.await?)
}

pub(crate) async fn page() -> Response {
    let head = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, PAGE_POLICY)];
    (head, include_str!("openapi.html")).into_response()
}

fn described(told: &Told) -> Value {
    let mut schemas = Map::new();
    schemas.insert("error".to_owned(), object(json!({ "error": { "type": "string" } })));
    let mut routes = of_server(told.are_all);
    for endpoint in &told.endpoints {
        routes.extend(of_endpoint(endpoint, &mut schemas));
    }
    let routes = routes.into_iter().map(|(path, method, operation)| (path, json!({ method: operation.written(told) })));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stepwell",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Predictions of this server's endpoints: rows in, predictions out, and beside that the Open Inference Protocol v2.",
        },
        // From where this document lies: another tenant's routes are beneath its name.
        "servers": [{ "url": "./" }],
        "paths": routes.collect::<Map<_, _>>(),
        "components": {
            "schemas": schemas,
            "securitySchemes": { KEY: {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key, `Authorization: Bearer KEY`; `stepwell key create NAME` makes one. What a route asks of it is its scope.",
            } },
        },
    })
}

/// What the document calls an API key.
const KEY: &str = "key";

/// Path, method, and what is done there.
type Route = (String, &'static str, Operation);

/// What is asked and answered at a route.
struct Operation {
    tag: String,
    summary: String,
    /// What a key needs for it; none: it is told to all.
    scope: Option<Scope>,
    /// Names in the path that the caller chooses, with their types.
    parameters: Vec<(&'static str, &'static str)>,
    request: Option<Value>,
    answer: Value,
    /// Of the answer.
    media: &'static str,
}

impl Operation {
    fn new(tag: &str, summary: impl Into<String>, scope: Option<Scope>) -> Self {
        let (parameters, request, answer) = (Vec::new(), None, json!({ "type": "object" }));
        Self {
            tag: tag.to_owned(),
            summary: summary.into(),
            scope,
            parameters,
            request,
            answer,
            media: "application/json",
        }
    }

    fn with(self, name: &'static str, kind: &'static str) -> Self {
        let mut parameters = self.parameters;
        parameters.push((name, kind));
        Self { parameters, ..self }
    }

    fn asking(self, request: Value) -> Self {
        Self { request: Some(request), ..self }
    }

    fn answering(self, answer: Value) -> Self {
        Self { answer, ..self }
    }

    fn in_media(self, media: &'static str) -> Self {
        Self { media, ..self.answering(json!({ "type": "string" })) }
    }

    fn written(&self, told: &Told) -> Value {
        let of = |media: &str, schema: &Value| json!({ media: { "schema": schema } });
        let why = of("application/json", &json!({ "$ref": "#/components/schemas/error" }));
        let security = match self.scope {
            Some(scope) if told.need_key => json!([{ KEY: [scope.word()] }]),
            // Either will do.
            Some(scope) => json!([{}, { KEY: [scope.word()] }]),
            None => json!([]),
        };
        let mut operation = json!({
            "tags": [self.tag],
            "summary": self.summary,
            "security": security,
            "responses": {
                "200": { "description": "The answer", "content": of(self.media, &self.answer) },
                "default": { "description": "Why there is no answer", "content": why },
            },
        });
        if !self.parameters.is_empty() {
            let parameter = |(name, kind): &(&str, &str)| json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind } });
            operation["parameters"] = self.parameters.iter().map(parameter).collect();
        }
        if let Some(request) = &self.request {
            operation["requestBody"] = json!({ "required": true, "content": of("application/json", request) });
        }
        operation
    }
}

/// The routes that are the same whatever is served; those that tell of all endpoints only where all are told of.
fn of_server(all: bool) -> Vec<Route> {
    let operation = |summary: &str, scope| Operation::new("server", summary, scope);
    let (predict, manage) = (Some(Scope::Predict), Some(Scope::Manage));
    let mut routes: Vec<(&str, &'static str, Operation)> = vec![
        ("/v2", "get", operation("What the server is", predict)),
        ("/v2/health/live", "get", operation("Whether the server answers", None)),
        ("/v2/health/ready", "get", operation("Whether every endpoint has a version that can be loaded", None)),
        ("/openapi.json", "get", operation("This document", predict)),
        ("/docs", "get", operation("A page that shows it", None).in_media("text/html")),
    ];
    if all {
        let index = json!({ "type": "object", "properties": { "ready": { "type": "boolean", "default": false } } });
        let list = json!({ "type": "array", "items": { "type": "object" } });
        let controlled = |summary: &str| operation(summary, manage).with("endpoint", "string");
        let call = operation("Starts a deployed pipeline's run; signed as Standard Webhooks says, by no key", None);
        let (metrics, text) = ("What endpoints and runs did, for Prometheus", "text/plain");
        routes.extend([
            ("/metrics", "get", operation(metrics, Some(Scope::Metrics)).in_media(text)),
            ("/v2/models/stats", "get", operation("What became of the requests of each endpoint", predict)),
            (
                "/v2/repository/index",
                "post",
                operation("Which endpoints there are", manage).asking(index).answering(list),
            ),
            ("/v2/repository/models/{endpoint}/load", "post", controlled("Loads the endpoint's version")),
            (
                "/v2/repository/models/{endpoint}/unload",
                "post",
                controlled("Ends the endpoint's worker until it is loaded again"),
            ),
            (
                "/hooks/{project}/{pipeline}",
                "post",
                call.with("project", "string").with("pipeline", "string").asking(json!({})),
            ),
        ]);
    }
    routes.into_iter().map(|(path, method, operation)| (path.to_owned(), method, operation)).collect()
}

fn of_endpoint(info: &EndpointInfo, schemas: &mut Map<String, Value>) -> Vec<Route> {
    let name = info.endpoint.to_string();
    for (part, made) in parts(info, &name) {
        schemas.insert(format!("{name}.{part}"), made);
    }
    let get = |summary: &str| ("get", Operation::new(&name, summary, Some(Scope::Predict)));
    let post = |summary: &str, scope, request: &str, answer: &str| {
        let operation = Operation::new(&name, summary, Some(scope));
        ("post", operation.asking(part(&name, request)).answering(part(&name, answer)))
    };
    let plain = format!("Predictions for rows, by model `{}`, the version `{}`", info.model, info.alias);
    let (model, infer) = (format!("/v2/models/{name}"), "The same for tensors, a tensor a column");
    let mut routes = vec![
        (format!("/predict/{name}"), post(&plain, Scope::Predict, "request", "answer")),
        (format!("/labels/{name}"), post("What became of predicted rows", Scope::Label, "labels", "label-answer")),
    ];
    let of_model = |model: &str| {
        [
            (format!("{model}/infer"), post(infer, Scope::Predict, "tensors", "tensor-answer")),
            (model.to_owned(), get("The columns that it reads and answers")),
            (format!("{model}/ready"), get("Whether it has a version to answer with")),
            (format!("{model}/stats"), get("What became of its requests")),
            (format!("{model}/config"), get("Its columns as a Triton configuration")),
        ]
    };
    routes.extend(of_model(&model));
    let of_version = of_model(&format!("{model}/versions/{{version}}")).map(|(path, (method, operation))| {
        let summary = format!("{}; of a version that gets requests", operation.summary);
        (path, (method, Operation { summary, ..operation }.with("version", "integer")))
    });
    routes.extend(of_version);
    routes.into_iter().map(|(path, (method, operation))| (path, method, operation)).collect()
}

fn part(endpoint: &str, part: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{endpoint}.{part}") })
}

/// The schemas of an endpoint.
fn parts(info: &EndpointInfo, name: &str) -> [(&'static str, Value); 8] {
    let rows = json!({ "type": "array", "minItems": 1, "maxItems": ROWS_MAX, "items": part(name, "row") });
    let ids = json!({ "type": "array", "items": { "type": "string" } });
    let answer = json!({
        "type": "object",
        "properties": {
            "model": { "type": "string" },
            "version": { "type": "integer" },
            "prediction_ids": ids,
            "predictions": { "type": "array", "items": part(name, "prediction") },
        },
        "required": ["model", "version", "prediction_ids", "predictions"],
    });
    let label = json!({
        "type": "object",
        "properties": {
            "prediction_id": { "type": "string" },
            "label": { "type": ["string", "number", "boolean"] },
            "at": { "type": "string", "format": "date-time" },
        },
        "required": ["prediction_id", "label"],
        "additionalProperties": false,
    });
    [
        ("row", columns(&info.request)),
        ("prediction", columns(&info.response)),
        ("request", object(json!({ "rows": rows }))),
        ("answer", answer),
        ("tensors", tensors("inputs", &info.request, true)),
        ("tensor-answer", tensors("outputs", &info.response, false)),
        ("labels", object(json!({ "labels": { "type": "array", "items": label } }))),
        ("label-answer", object(json!({ "accepted": { "type": "integer" }, "unknown": ids }))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{DataType, EndpointName, Field, Id, ModelName};

    fn endpoint() -> EndpointInfo {
        let field = |name: &str, data_type, nullable| Field { name: name.to_owned(), data_type, nullable };
        EndpointInfo {
            endpoint: EndpointName::parse("iris").unwrap(),
            model: ModelName::parse("flowers").unwrap(),
            alias: "champion".to_owned(),
            version: Some(3),
            versions: vec![3],
            unloaded: false,
            trouble: None,
            request: vec![field("age", DataType::Int64, true), field("near", DataType::Vector(2), false)],
            response: vec![field("class", DataType::Text, false)],
        }
    }

    fn whole() -> Value {
        described(&Told { endpoints: vec![endpoint()], are_all: true, need_key: true })
    }

    /// A route that is added is to be told of.
    #[test]
    fn every_route_is_told_of() {
        let routes = include_str!("lib.rs").split("fn endpoints()").nth(1).unwrap();
        let routes: Vec<_> = routes.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(routes.contains(&"/docs") && routes.contains(&"/labels/{endpoint}"), "{routes:?}");
        let said = whole();
        for route in routes {
            let of_one = route.replace("{endpoint}", "iris");
            let told = |path: &str| said["paths"].get(path).is_some();
            assert!(told(route) || told(&of_one), "{route}");
        }
    }

    #[test]
    fn a_key_is_asked_for_where_it_is_needed() {
        let one = |need_key| described(&Told { endpoints: vec![endpoint()], are_all: false, need_key });
        let security = |said: &Value, path: &str, method: &str| said["paths"][path][method]["security"].clone();
        let (needed, not) = (one(true), one(false));
        assert_eq!(security(&needed, "/predict/iris", "post"), json!([{ "key": ["predict"] }]));
        assert_eq!(security(&not, "/labels/iris", "post"), json!([{}, { "key": ["label"] }]));
        assert_eq!(security(&needed, "/docs", "get"), json!([]));
        assert_eq!(needed["components"]["securitySchemes"]["key"]["scheme"], "bearer");
        for of_all in ["/metrics", "/v2/models/stats", "/v2/repository/index"] {
            assert_eq!(needed["paths"].get(of_all), None, "{of_all}");
        }
    }

    #[test]
    fn a_tensor_request_brings_every_column() {
        let tensors = &whole()["components"]["schemas"]["iris.tensors"]["properties"]["inputs"];
        assert_eq!((&tensors["minItems"], &tensors["maxItems"]), (&json!(2), &json!(2)));
        let kinds = [0, 1].map(|at| tensors["items"]["oneOf"][at]["properties"]["data"]["items"]["type"].clone());
        assert_eq!(kinds, [json!(["integer", "null"]), json!("number")]);
    }

    #[test]
    fn columns_are_schemas() {
        let said = whole();
        assert_eq!(
            said["components"]["schemas"]["iris.row"],
            json!({
                "type": "object", "required": ["near"], "additionalProperties": false,
                "properties": {
                    "age": { "type": ["integer", "null"], "format": "int64" },
                    "near": {
                        "type": "array", "minItems": 2, "maxItems": 2, "items": { "type": "number", "format": "float" },
                    },
                },
            })
        );
        let asked = &said["paths"]["/predict/iris"]["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(*asked, json!({ "$ref": "#/components/schemas/iris.request" }));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(fields) => fields.iter().for_each(|(name, value)| match value.as_str() {
                    Some(target) if name == "$ref" => found.push(target),
                    _ => references(value, found),
                }),
                Value::Array(values) => values.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let said = whole();
        let mut found = Vec::new();
        references(&said, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for target in found {
            assert!(said.pointer(target.trim_start_matches('#')).is_some(), "{target}");
        }
    }
}

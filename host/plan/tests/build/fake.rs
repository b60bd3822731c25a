//! Plugins that only describe themselves, as the real ones do; and pipelines as texts.

use manifest::{Sources, Step};
use plan::{Described, Plan};
use serde_json::{Value, json};
use types::{
    DataType, Descriptor, Digest, Field, Id, Output, PipelineName, Port, PortName, Problem, Role, RowRelation,
};

pub(crate) fn field(name: &str, data_type: DataType) -> Field {
    Field { name: name.to_owned(), data_type, nullable: false }
}

/// `age:int64 city:text` -> columns.
pub(crate) fn fields(text: &str) -> Vec<Field> {
    let data_type = |name: &str| serde_json::from_value(json!(name)).unwrap();
    let pairs = text.split_whitespace().map(|pair| pair.split_once(':').unwrap());
    pairs.map(|(name, kind)| field(name, data_type(kind))).collect()
}

pub(crate) fn port(name: &str) -> PortName {
    PortName::parse(name).unwrap()
}

pub(crate) fn output(text: &str) -> types::OutputRef {
    let (step, port) = text.split_once('.').unwrap();
    types::OutputRef { step: Id::parse(step).unwrap(), port: Id::parse(port).unwrap() }
}

/// What a fake says, piece by piece.
pub(crate) struct Said(pub(crate) Descriptor);

pub(crate) fn say(name: &str, roles: &[Role]) -> Said {
    Said(Descriptor {
        name: Id::parse(name).unwrap(),
        version: "0.1.0".into(),
        summary: String::new(),
        parameters: json!({}),
        inputs: Vec::new(),
        outputs: Vec::new(),
        learns: false,
        roles: roles.to_vec(),
        imports: Vec::new(),
    })
}

impl Said {
    pub(crate) fn input(mut self, name: &str, columns: Vec<Field>) -> Self {
        self.0.inputs.push(Port { name: port(name), columns });
        self
    }
    pub(crate) fn output(mut self, name: &str, columns: Vec<Field>, rows: RowRelation) -> Self {
        self.0.outputs.push(Output { name: port(name), columns, rows });
        self
    }
    pub(crate) fn parameters(mut self, schema: Value) -> Self {
        self.0.parameters = schema;
        self
    }
    pub(crate) fn learns(mut self) -> Self {
        self.0.learns = true;
        self
    }
}

fn columns(ports: &[Port], name: &str) -> Vec<Field> {
    ports.iter().find(|port| port.name.as_str() == name).map(|port| port.columns.clone()).unwrap_or_default()
}

fn named(columns: &[Field], name: Option<&Value>) -> Vec<Field> {
    let wanted: Vec<&str> = match name {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) => vec![name],
        _ => Vec::new(),
    };
    columns.iter().filter(|field| wanted.contains(&field.name.as_str())).cloned().collect()
}

/// The real plugins in small, and a few that no one should write.
pub(crate) fn describe(step: &Step, ports: Option<&[Port]>) -> Result<Described, Problem> {
    let source = step.plugin().unwrap().to_string();
    let ports = ports.unwrap_or_default();
    let p = &step.params;
    let said = match source.as_str() {
        "csv" => say("csv", &[Role::Collector]).parameters(csv_schema()).output(
            "table",
            fields(p["columns"].as_str().unwrap_or_default()),
            RowRelation::Other,
        ),
        "schema" => {
            let rows = columns(ports, "table");
            say("schema", &[Role::Validator]).input("table", named(&rows, p.get("columns"))).output(
                "table",
                rows,
                RowRelation::Same(port("table")),
            )
        }
        "split" => {
            let rows = columns(ports, "table");
            let subset = || RowRelation::Subset(port("table"));
            say("split", &[Role::Transformer])
                .input("table", fields(p["reads"].as_str().unwrap_or_default()))
                .output("train", rows.clone(), subset())
                .output("test", rows, subset())
        }
        "standardize" => standardize(p, ports),
        "./derive.py" => derive(p, ports),
        "logistic" => logistic(ports),
        "network" => {
            let mut said = logistic(ports);
            (said.0.name, said.0.imports) =
                (Id::parse("network").unwrap(), vec!["stepwell:tensor/tensors@0.1.0".into()]);
            said
        }
        "gbdt" => {
            let mut said = logistic(ports);
            said.0.name = Id::parse("gbdt").unwrap();
            said.0.imports = ["tensors", "training", "trees"].map(|of| format!("stepwell:tensor/{of}@0.1.0")).into();
            said
        }
        "classification" => {
            let rows = columns(ports, "candidate");
            say("classification", &[Role::Evaluator])
                .input("candidate", named(&rows, p.get("label")))
                .input("baseline", Vec::new())
        }
        "warehouse" => say("warehouse", &[Role::Sink])
            .input("table", fields(p["reads"].as_str().unwrap_or_default()))
            .input("model", Vec::new()),
        "postman" => say("postman", &[Role::Sink]).input("report", Vec::new()),
        "join" => say("join", &[Role::Transformer]).input("left", Vec::new()).input("right", Vec::new()).output(
            "table",
            [columns(ports, "left"), columns(ports, "right")].concat(),
            RowRelation::Other,
        ),
        "clip" => say("clip", &[Role::Transformer]).input("table", Vec::new()).output(
            "table",
            columns(ports, "table"),
            RowRelation::Same(port("table")),
        ),
        other => odd(other, ports),
    };
    Ok(Described { descriptor: said.0, component: Digest::of(source.as_bytes()) })
}

/// The plugins of the tumour example: the fakes, under the parameters that the real ones take.
pub(crate) fn tumour(step: &Step, ports: &[Port], source: &[Field]) -> Result<Described, Problem> {
    let free = json!({});
    let mut described = match step.plugin().unwrap().to_string().as_str() {
        "./steps/concavity_by_size.py" => {
            let read = [field("worst_concavity", DataType::Float64), field("worst_radius", DataType::Float64)];
            let rows = columns(ports, "rows");
            let given = [rows, vec![field("concavity_by_size", DataType::Float64)]].concat();
            let said = say("concavity_by_size", &[Role::Fitted]).input("rows", read.to_vec());
            let said = said.output("rows", given, RowRelation::Same(port("rows")));
            Described { descriptor: said.0, component: Digest::of(b"concavity_by_size") }
        }
        _ => describe(step, Some(ports))?,
    };
    described.descriptor.parameters = free;
    if described.descriptor.roles == [Role::Collector] {
        described.descriptor.outputs[0].columns = source.to_vec();
    }
    Ok(described)
}

fn csv_schema() -> Value {
    json!({
        "type": "object", "required": ["columns"], "additionalProperties": false,
        "properties": {
            "columns": {"type": "string", "description": "names and types"},
            "delimiter": {"type": "string", "maxLength": 1},
            "quote": {"enum": ["single", "double"]},
            "rows": {"type": ["integer", "null"], "minimum": 1},
            "nested": {"type": "object", "additionalProperties": {"type": "object", "required": ["type"]}},
            "head": {"description": "`none`, or rows to leave out", "anyOf": [{"const": "none"}, {"type": "integer"}]},
        }
    })
}

fn standardize(p: &Value, ports: &[Port]) -> Said {
    let rows = columns(ports, "rows");
    let except = named(&rows, p.get("except"));
    let reads: Vec<Field> =
        rows.iter().filter(|field| field.data_type == DataType::Float64 && !except.contains(field)).cloned().collect();
    say("standardize", &[Role::Fitted]).learns().input("rows", reads).output(
        "rows",
        rows,
        RowRelation::Same(port("rows")),
    )
}

fn derive(p: &Value, ports: &[Port]) -> Said {
    let rows = columns(ports, "rows");
    let adds = fields(p["adds"].as_str().unwrap_or("sum:float64"));
    let given = if rows.is_empty() { Vec::new() } else { [rows, adds].concat() };
    say("derive", &[Role::Fitted]).input("rows", fields(p["reads"].as_str().unwrap_or("a:float64 b:float64"))).output(
        "rows",
        given,
        RowRelation::Same(port("rows")),
    )
}

fn logistic(ports: &[Port]) -> Said {
    let label = columns(ports, "label");
    let reads = [columns(ports, "features"), label.clone()].concat();
    let given =
        label.first().map(|label| vec![field("prediction", label.data_type), field("probability", DataType::Float64)]);
    let said = say("logistic", &[Role::Trainer, Role::Predictor]).input("train", reads.clone()).input("label", label);
    let said = match ports.iter().any(|port| port.name.as_str() == "validation") {
        true => said.input("validation", reads),
        false => said,
    };
    said.output("predictions", given.unwrap_or_default(), RowRelation::Same(port("train")))
}

fn odd(name: &str, ports: &[Port]) -> Said {
    let rows = columns(ports, "table");
    match name {
        "two-roles" => say(name, &[Role::Collector, Role::Transformer]),
        "no-role" => say(name, &[]),
        "only-predicts" => say(name, &[Role::Predictor]),
        "only-trains" => say(name, &[Role::Trainer]),
        "no-table" => say(name, &[Role::Collector]),
        "no-output" => say(name, &[Role::Transformer]).input("table", Vec::new()),
        "liar" => say(name, &[Role::Transformer])
            .input("table", fields("x:text x:text"))
            .output("out", fields("x:text"), RowRelation::Subset(port("table")))
            .output("out", rows, RowRelation::Same(port("elsewhere"))),
        "broken-schema" => say(name, &[Role::Collector]).parameters(json!({"type": 7})),
        "needs" => say(name, &[Role::Transformer]).input("table", fields("a:int64 missing:text ab:float64")).output(
            "table",
            rows,
            RowRelation::Other,
        ),
        other => panic!("no fake `{other}`"),
    }
}

/// A project whose pipeline `train` has these steps.
pub(crate) fn project(steps: &str) -> manifest::Project {
    let sources = Sources {
        project: "name = \"case\"\npools.gpu = 1".into(),
        pipelines: [("train".to_owned(), steps.to_owned())].into(),
    };
    manifest::check(&sources).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The pipeline `train` of these steps.
pub(crate) fn build(steps: &str) -> Result<Plan, Vec<Problem>> {
    let project = project(steps);
    plan::build(&project, &PipelineName::parse("train").unwrap(), &mut describe)
}

/// Every problem: line, column, message, hint.
pub(crate) fn problems(steps: &str) -> String {
    let shown = |problem: &Problem| {
        let place = problem.place.as_ref().map_or("nowhere".to_owned(), |at| format!("{}:{}", at.line, at.column));
        let hint = problem.hint.as_ref().map(|hint| format!("    hint: {hint}\n"));
        format!("{place}: {}\n{}", problem.message, hint.unwrap_or_default())
    };
    match build(steps) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => problems.iter().map(shown).collect(),
    }
}

/// A problem in a line.
pub(crate) fn line(problem: &Problem) -> String {
    let place = problem.place.as_ref().map_or("nowhere".to_owned(), |at| format!("{}:{}", at.line, at.column));
    format!("{place}: {}; {}", problem.message, problem.hint.as_deref().unwrap_or_default())
}

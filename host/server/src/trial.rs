//! A component and a fixture -> what the component made of it, as JSON that a person compares: the recording of a test.
//!
//! Each role is called in the sandbox as a run would call it, one role after the other where the second needs what the
//! first gave: a trainer's model is asked to predict.

use crate::catalog::DESCRIBE_LIMITS;
use crate::{Error, Inspected, Server, locked};
use manifest::{Fixture, Sample};
use ports::{Answer, Assignment, Blobs, Call, Delivery, Page, Task, Watch, Watched};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use types::{
    Artifact, Descriptor, Digest, Fault, FaultKind, Field, Id, Limits, Port, PortName, Problem, Role, SavedFile,
    TableRef, TenantId,
};

/// What may be used for small tables.
const LIMITS: Limits = Limits { wall_ms: 60_000, ..DESCRIBE_LIMITS };
/// A saved file up to this size is recorded with its content.
const SHOWN_BYTES_MAX: u64 = 4096;

/// What came of a trial: the recording, and what the plugin logged.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    pub recorded: Value,
    pub logged: Vec<String>,
}

/// One component under one fixture.
struct Trial<'a> {
    server: &'a Server,
    tenant: &'a TenantId,
    component: Digest,
    fixture: &'a Fixture,
    base: PathBuf,
    inputs: BTreeMap<PortName, TableRef>,
    heard: Heard,
}

#[derive(Default)]
struct Heard {
    pages: Mutex<Vec<Page>>,
    lines: Mutex<Vec<String>>,
}

impl Watch for Heard {
    fn hear(&self, said: Watched) {
        if let Watched::Log { level, message } = said {
            locked(&self.lines).push(format!("{level}: {message}"));
        }
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn page(&self, page: Page) -> Result<(), Fault> {
        locked(&self.pages).push(page);
        Ok(())
    }

    fn checkpoint(&self, _: Vec<u8>) -> Result<(), Fault> {
        Ok(())
    }
}

impl Server {
    /// Tries a stored component on a fixture, whose grants are relative to `base`. That the plugin refuses or breaks is
    /// recorded too; an error is the fixture's or ours. Parameters that a pipeline could not set are the fixture's.
    pub fn try_out(
        &self,
        tenant: &TenantId,
        Inspected { digest, descriptor, .. }: &Inspected,
        fixture: &Fixture,
        base: &Path,
    ) -> Result<Tried, Error> {
        let component = *digest;
        unplayable(fixture, descriptor)?;
        let stored = |(port, sample): (&PortName, &Sample)| Ok((port.clone(), self.keep_sample(tenant, port, sample)?));
        let inputs = fixture.inputs.iter().map(stored).collect::<Result<_, Fault>>()?;
        let base = base.to_owned();
        let trial = Trial { server: self, tenant, component, fixture, base, inputs, heard: Heard::default() };
        let recorded = match trial.recorded() {
            Ok(recorded) => Value::Object(recorded),
            Err(fault) if matches!(fault.kind, FaultKind::Host | FaultKind::Crash) => return Err(fault.into()),
            Err(fault) => refusal(fault),
        };
        let logged = std::mem::take(&mut *locked(&trial.heard.lines));
        Ok(Tried { recorded, logged })
    }

    fn keep_sample(&self, tenant: &TenantId, port: &PortName, sample: &Sample) -> Result<TableRef, Fault> {
        let Sample { columns, rows } = sample;
        let wrong = |error: &dyn std::fmt::Display| Fault::invalid(format!("table `{port}`: {error}"));
        let table = match rows.is_empty() {
            true => data::Table::empty(types::Schema { fields: columns.clone() }),
            false => serve::plain_table(json!({ "rows": rows }).to_string().as_bytes(), columns)
                .map_err(|error| wrong(&error))?,
        };
        self.keep_table(tenant, &table)
            .map_err(|fault| Fault { message: format!("table `{port}`: {}", fault.message), ..fault })
    }
}

impl Trial<'_> {
    fn recorded(&self) -> Result<Map<String, Value>, Fault> {
        match self.fixture.role {
            Role::Collector => self.collect(),
            Role::Transformer => self.outputs(Task::Transform { inputs: self.inputs.clone() }),
            Role::Fitted => self.fit(),
            Role::Validator => {
                self.outputs(Task::Check { rows: self.input("table")?, reference: self.maybe("reference") })
            }
            Role::Trainer | Role::Predictor => self.train(),
            Role::Evaluator => self.outputs(Task::Evaluate {
                candidate: self.input("candidate")?,
                baseline: self.maybe("baseline"),
                slices: self.fixture.slices.clone(),
            }),
            Role::Sink => self.outputs(Task::Deliver {
                key: "test/fixture/1/step".to_owned(),
                delivery: Delivery::Table { table: self.input("table")? },
            }),
        }
    }

    fn collect(&self) -> Result<Map<String, Value>, Fault> {
        let mut recorded = Map::new();
        if let Answer::Discovered { columns } = self.ask(Task::Discover)? {
            recorded.insert("discovered".to_owned(), json!(columns.iter().map(column).collect::<Vec<_>>()));
        }
        self.ask(Task::Collect { cursor: None })?;
        let pages = std::mem::take(&mut *locked(&self.heard.pages));
        let pages = pages.iter().map(|page| self.table(&page.table)).collect::<Result<Vec<_>, _>>()?;
        recorded.insert("pages".to_owned(), pages.into());
        Ok(recorded)
    }

    /// Fits on `fit`, or on nothing, or restores the fixture's state; and applies to every other input.
    fn fit(&self) -> Result<Map<String, Value>, Fault> {
        let mut inputs = self.inputs.clone();
        let fit = inputs.remove(&port("fit")?);
        let first = fit.as_ref().or_else(|| inputs.values().next());
        let columns = first.map(|table| table.schema.fields.clone()).unwrap_or_default();
        let descriptor = self.describe(vec![Port { name: port("rows")?, columns }])?;
        let names = |columns: &[Field]| columns.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
        let reads = descriptor.inputs.iter().find(|input| input.name.as_str() == "rows");
        let gives = descriptor.outputs.iter().find(|output| output.name.as_str() == "rows");
        let reads = reads.map(|input| names(&input.columns)).unwrap_or_default();
        let gives = gives.map(|output| names(&output.columns)).unwrap_or_default();
        match &self.fixture.state {
            Some(files) => self.outputs(Task::Apply { state: self.kept(files)?, inputs, reads, gives }),
            None => self.outputs(Task::Fit { fit, inputs, reads, gives }),
        }
    }

    fn kept(&self, files: &BTreeMap<String, String>) -> Result<Vec<SavedFile>, Fault> {
        let kept = |(name, text): (&String, &String)| {
            let digest = self.server.store.put(self.tenant, text.as_bytes())?;
            Ok(SavedFile { name: name.clone(), digest, bytes: text.len() as u64 })
        };
        files.iter().map(kept).collect()
    }

    /// Trains on `train`, and asks the model for predictions of `predict`, if that is there.
    fn train(&self) -> Result<Map<String, Value>, Fault> {
        let Fixture { label, weight, .. } = self.fixture;
        let train = self.input("train")?;
        let is_free =
            |field: &&Field| field.data_type.is_numeric() && ![label, weight].contains(&&Some(field.name.clone()));
        let numbers = || train.schema.fields.iter().filter(is_free).map(|field| field.name.clone()).collect();
        let features = self.fixture.features.clone().unwrap_or_else(numbers);
        let task = Task::Train {
            validation: self.maybe("validation"),
            features,
            label: label.clone(),
            weight: weight.clone(),
            initial: None,
            train: train.clone(),
        };
        let outputs = self.artifacts(task)?;
        let mut recorded = self.shown(&outputs)?;
        let trained = outputs.into_values().find_map(|artifact| match artifact {
            Artifact::Model { files, signature, .. } => Some((files, signature)),
            _ => None,
        });
        if let (Some((model, signature)), Some(rows)) = (trained, self.maybe("predict")) {
            let reads = signature.inputs.into_iter().map(|field| field.name).collect();
            let predicted = self.outputs(Task::Predict { rows, model, reads })?;
            recorded.insert("predicted".to_owned(), predicted.into());
        }
        Ok(recorded)
    }

    fn input(&self, name: &str) -> Result<TableRef, Fault> {
        let role = self.fixture.role;
        self.maybe(name)
            .ok_or_else(|| Fault::invalid(format!("the fixture lacks the table `{name}`, which the role {role} takes")))
    }

    fn maybe(&self, name: &str) -> Option<TableRef> {
        self.inputs.iter().find(|(port, _)| port.as_str() == name).map(|(_, table)| table.clone())
    }

    fn describe(&self, inputs: Vec<Port>) -> Result<Descriptor, Fault> {
        match self.ask(Task::Describe { inputs })? {
            Answer::Described { descriptor } => Ok(*descriptor),
            _ => Err(Fault::host("a worker answered a description with something else")),
        }
    }

    fn outputs(&self, task: Task) -> Result<Map<String, Value>, Fault> {
        self.shown(&self.artifacts(task)?)
    }

    fn artifacts(&self, task: Task) -> Result<BTreeMap<PortName, Artifact>, Fault> {
        match self.ask(task)? {
            Answer::Outputs { outputs } => Ok(outputs),
            _ => Err(Fault::host("a worker answered a task with something else")),
        }
    }

    fn ask(&self, task: Task) -> Result<Answer, Fault> {
        let assignment = Assignment {
            component: self.component,
            parameters: self.fixture.params.clone(),
            seed: self.fixture.seed,
            logical_time_us: 0,
            limits: LIMITS,
            device: Default::default(),
            checkpoint: None,
            task,
        };
        let grants = self.fixture.grants.clone();
        let call = Call {
            who: "the plugin".to_owned(),
            assignment,
            grants,
            base: self.base.clone(),
            turn: Default::default(),
        };
        self.server.admission.at_once(self.tenant, &call, &self.heard).result
    }

    fn shown(&self, outputs: &BTreeMap<PortName, Artifact>) -> Result<Map<String, Value>, Fault> {
        let shown = |(port, artifact): (&PortName, &Artifact)| {
            let shown = match artifact {
                Artifact::Table(table) => self.table(table)?,
                Artifact::State { files } => self.files(files)?,
                Artifact::Model { files, signature, measures } => json!({
                    "files": self.files(files)?,
                    "reads": signature.inputs.iter().map(column).collect::<Vec<_>>(),
                    "gives": signature.outputs.iter().map(column).collect::<Vec<_>>(),
                    "measures": measures,
                }),
                other => json!(other),
            };
            Ok((port.to_string(), shown))
        };
        outputs.iter().map(shown).collect()
    }

    fn table(&self, reference: &TableRef) -> Result<Value, Fault> {
        let path = |digest: &Digest| self.server.store.path(self.tenant, *digest).unwrap_or_default();
        let table = data::open(reference, path).map_err(Fault::host)?;
        let rows = data::shown_rows(&table).map_err(Fault::host)?;
        let columns = &reference.schema.fields;
        let row =
            |row: &Map<String, Value>| -> Value { columns.iter().map(|field| row[&field.name].clone()).collect() };
        let rows: Vec<Value> = rows.iter().map(row).collect();
        Ok(json!({ "columns": columns.iter().map(column).collect::<Vec<_>>(), "rows": rows }))
    }

    /// The content of small files, as JSON or text where it is that; of others the digest.
    fn files(&self, files: &[SavedFile]) -> Result<Value, Fault> {
        let content = |file: &SavedFile| {
            let digest = json!({ "digest": file.digest, "bytes": file.bytes });
            if file.bytes > SHOWN_BYTES_MAX {
                return Ok((file.name.clone(), digest));
            }
            let bytes = self.server.store.get(self.tenant, file.digest)?;
            let content = serde_json::from_slice(&bytes).ok().or_else(|| readable(&bytes)).unwrap_or(digest);
            Ok((file.name.clone(), content))
        };
        files.iter().map(content).collect::<Result<Map<_, _>, Fault>>().map(Value::Object)
    }
}

/// An error if the plugin has not what the fixture tries: its role, its parameters. Such a test would only record that.
fn unplayable(fixture: &Fixture, descriptor: &Descriptor) -> Result<(), Error> {
    let step = fixture.step(&descriptor.name);
    if !descriptor.roles.contains(&fixture.role) {
        let roles: Vec<String> = descriptor.roles.iter().map(|role| format!("`{role}`")).collect();
        let (role, name, roles) = (fixture.role, &descriptor.name, roles.join(", "));
        let problem = Problem::new(format!("the fixture tries the role `{role}`, but plugin `{name}` has {roles}"));
        return Err(vec![problem.at(step.place_of(&["role"]))].into());
    }
    match plan::check_parameters(&step, descriptor) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(problems.into()),
    }
}

/// What the plugin said no with, or broke by; hints are ours.
fn refusal(fault: Fault) -> Value {
    let mut fault = json!(fault);
    if let Some(fault) = fault.as_object_mut() {
        fault.remove("hint");
    }
    json!({ "fault": fault })
}

/// A text that a person can read.
fn readable(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')).then(|| text.into())
}

fn column(field: &Field) -> String {
    format!("{}:{}{}", field.name, field.data_type, if field.nullable { "?" } else { "" })
}

fn port(name: &str) -> Result<PortName, Fault> {
    PortName::parse(name).map_err(Fault::host)
}

//! Steps, and what they give: everything follows from what a step's work is named by, so that whoever did the same work has
//! the same outputs, and a wrong one is seen at once.

use plan::{Plan, PlannedPlugin, PlannedStep, Work};
use ports::Call;
use run::RunView;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use types::{
    Artifact, DataType, Digest, Field, Id, Item, Limits, Measure, OutputRef, PluginName, PortName, Receipt, SavedFile,
    Schema, Signature, StepName, TableRef, TenantId,
};

/// Steps that look at the run's logical time have this plugin, or one whose name ends so.
const CLOCK: &str = "clock";

/// How a step fails. It depends on what is on record, so that it is the same however often the server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    Always,
    /// Until as many failures of the kind are on record.
    Transient(u32),
    Crash(u32),
    /// Until its time is up.
    Hang,
    /// It crashes once, and leaves a checkpoint.
    UntilCheckpoint,
}

pub(crate) type Outputs = BTreeMap<PortName, Artifact>;

pub(crate) fn port(text: &str) -> PortName {
    PortName::parse(text).unwrap()
}

pub(crate) fn output(step: &str, of: &str) -> OutputRef {
    OutputRef { step: StepName::parse(step).unwrap(), port: port(of) }
}

pub(crate) fn plugin(name: &str, parameters: &[(&str, Value)]) -> PlannedPlugin {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let (name, component) = (PluginName::parse(name).unwrap(), Digest::of(name.as_bytes()));
    PlannedPlugin { name, component, parameters: Value::Object(parameters), imports: Vec::new() }
}

/// Whether what it gives depends on the run's logical time.
pub(crate) fn reads_time(work: &Work) -> bool {
    work.plugin().is_some_and(|plugin| plugin.name.as_str().ends_with(CLOCK))
}

/// Another component does the work; none if none does.
pub(crate) fn rename(work: &mut Work, name: &str) -> Option<()> {
    let reads_time = work.plugin()?.name.as_str() == CLOCK;
    let (Work::Collect { plugin }
    | Work::Transform { plugin, .. }
    | Work::Fit { plugin, .. }
    | Work::Check { plugin, .. }
    | Work::Train { plugin, .. }
    | Work::Predict { plugin, .. }
    | Work::Evaluate { plugin, .. }
    | Work::Deliver { plugin, .. }) = work
    else {
        return None;
    };
    let name = if reads_time { format!("{name}-{CLOCK}") } else { name.to_owned() };
    (plugin.name, plugin.component) = (PluginName::parse(&name).unwrap(), Digest::of(name.as_bytes()));
    Some(())
}

pub(crate) fn planned(name: &str, work: Work, outputs: &[&str]) -> PlannedStep {
    PlannedStep {
        name: StepName::parse(name).unwrap(),
        work,
        seed: 7,
        limits: Limits::default(),
        device: types::Device::Cpu,
        device_asked: None,
        grants: types::Grants::default(),
        outputs: outputs.iter().map(|of| (port(of), Vec::new())).collect(),
        when: Vec::new(),
        retry: types::Retry::default(),
        pool: None,
        cache: true,
        each: None,
        given: BTreeMap::new(),
    }
}

/// A table that is only a name; its one part is a blob.
pub(crate) fn table(of: &impl serde::Serialize) -> TableRef {
    let digest = Digest::of_json(of);
    let rows = u64::from(digest.as_bytes()[0] % 4);
    let columns = vec![Field { name: "x".to_owned(), data_type: DataType::Int64, nullable: false }];
    TableRef { digest, schema: Schema { fields: columns }, rows, parts: vec![file(&digest)], bytes: 8 * rows }
}

/// The rows of pages, which follow each other: the first, the last and how many name them all.
pub(crate) fn put_together(pages: &[TableRef]) -> TableRef {
    let digest = |page: &TableRef| page.digest;
    table(&(pages.first().map(digest), pages.last().map(digest), pages.len()))
}

fn file(of: &Digest) -> Digest {
    Digest::of(of.as_bytes())
}

fn saved(of: &Digest) -> Vec<SavedFile> {
    vec![SavedFile { name: "file".to_owned(), digest: file(of), bytes: 1 }]
}

/// What a step's component answers to a call.
pub(crate) fn answer(step: &PlannedStep, call: &Call, view: &RunView) -> (Outputs, Receipt) {
    let name = step.work.plugin().map_or("", |plugin| plugin.name.as_str());
    let read_time = name.ends_with(CLOCK);
    let asked = &call.assignment;
    let time = read_time.then_some(asked.logical_time_us);
    let of = Digest::of_json(&(asked.component, &asked.parameters, asked.seed, inputs(step, view), time));
    let given = step.outputs.keys().map(|to| (to.clone(), artifact(step, view, to, &of)));
    (given.collect(), Receipt { read_time, ..Receipt::default() })
}

/// What a step takes, by place; an item has its rows.
fn inputs(step: &PlannedStep, view: &RunView) -> Vec<Option<Digest>> {
    let taken = step.work.inputs().into_iter().map(|input| view.output(input).map(Artifact::digest));
    taken.chain(step.given.values().map(|table| Some(table.digest))).collect()
}

fn artifact(step: &PlannedStep, view: &RunView, to: &PortName, of: &Digest) -> Artifact {
    match (&step.work, to.as_str()) {
        (Work::Check { rows, .. }, "table") => view.output(rows).cloned().unwrap_or(Artifact::Table(table(of))),
        (_, "state") => Artifact::State { files: saved(of) },
        (_, "model") => Artifact::Model { files: saved(of), signature: Signature::default(), measures: Vec::new() },
        (_, "findings") => Artifact::Findings { findings: Vec::new() },
        (_, "measures") => Artifact::Measures { measures: vec![auc(of)] },
        (_, "delivered") => Artifact::Delivered { location: "there".to_owned(), repeated: false },
        _ => Artifact::Table(table(&(of, to))),
    }
}

fn auc(of: &Digest) -> Measure {
    let value = f64::from(of.as_bytes()[1]) / 256.0;
    let (name, slice) = ("auc".to_owned(), None);
    Measure { name, slice, value, interval: None, baseline_value: None, difference_interval: None }
}

/// What items gave, as one; what cannot be put together is left out.
pub(crate) fn gathered(step: &PlannedStep, parts: &[StepName], view: &RunView) -> Outputs {
    let of_port = |to: &PortName| {
        let part = |step: &StepName| view.output(&OutputRef { step: step.clone(), port: to.clone() });
        let given: Vec<Digest> = parts.iter().filter_map(part).map(Artifact::digest).collect();
        (to.clone(), Artifact::Table(table(&("gathered", given))))
    };
    step.outputs.keys().filter(|to| to.as_str() == "table").map(of_port).collect()
}

/// An item for each row.
pub(crate) fn items(rows: &TableRef) -> Vec<Item> {
    let item = |row: u64| {
        let table = Some(table(&("row", rows.digest, row)));
        Item { label: format!("x={row}"), value: Some(row.into()), table }
    };
    (0..rows.rows).map(item).collect()
}

/// What must be committed for a step whose inputs are; none of collectors and of the host's own steps, which are looked at
/// elsewhere.
pub(crate) fn expected(plan: &Plan, step: &PlannedStep, view: &RunView, tenant: &TenantId) -> Option<Outputs> {
    let mut step = step.clone();
    if let Work::Predict { plugin, model, .. } = &mut step.work
        && let Some((winner, _)) = plan.step(&model.step).and_then(|best| best_of(best, view))
    {
        plugin.clone_from(plan.step(&winner.step)?.work.plugin()?);
    }
    match &step.work {
        Work::Collect { .. } => None,
        Work::Gather { parts, .. } => Some(gathered(&step, parts, view)),
        Work::Best { .. } => {
            let (model, measures) = best_of(&step, view)?;
            let given = [("model", model), ("measures", measures)];
            given.into_iter().map(|(to, of)| Some((port(to), view.output(&of)?.clone()))).collect()
        }
        work => {
            work.plugin()?;
            let call = run::call_for(&step, view, tenant, Path::new("project"), 0, None).ok()?;
            Some(answer(&step, &call, view).0)
        }
    }
}

/// Model and measures of the best item: of those with the best value the first.
fn best_of(step: &PlannedStep, view: &RunView) -> Option<(OutputRef, OutputRef)> {
    let Work::Best { parts, highest, .. } = &step.work else { return None };
    let value = |measures: &OutputRef| match view.output(measures) {
        Some(Artifact::Measures { measures }) => measures.first().map(|measure| measure.value),
        _ => None,
    };
    let mut ranked: Vec<_> = parts.iter().map(|part| Some((value(&part.1)?, part))).collect::<Option<_>>()?;
    ranked.sort_by(|one, other| if *highest { other.0.total_cmp(&one.0) } else { one.0.total_cmp(&other.0) });
    ranked.first().map(|(_, part)| (*part).clone())
}

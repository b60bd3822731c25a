//! A step that answers with a registered version: the version in the plan, and the calls that its answer takes. Pure.
//!
//! ```text
//!  rows --Apply--> .. --Apply--> --Predict--> the rows with what the version answers
//! ```
//! The calls are those of training: each step of the version's path restores what it saved and is applied to what the one before
//! it gave, then the predictor answers. A request goes the same way in `sandbox::Served`.

use crate::call::who;
use crate::outputs::Outputs;
use crate::{Choice, RunView};
use plan::{Answering, PlannedPlugin, PlannedStep, Work};
use ports::{Assignment, Call, Tables, Task, Turn};
use std::path::Path;
use types::{Artifact, Chosen, Device, Fault, Grants, Id, PortName, Receipt, ServedStep, TableRef};

/// The step with the version that was chosen for it; any other as it is.
pub(crate) fn with_version(mut step: PlannedStep, view: &RunView) -> PlannedStep {
    if let (Work::PredictWith { chosen, .. }, Choice::Version(version)) = (&mut step.work, view.choice(&step.name)) {
        let ServedStep { plugin, component, parameters, .. } = version.predictor.clone();
        let plugin = PlannedPlugin { name: plugin, component, parameters, imports: Vec::new() };
        *chosen = Some(Answering { plugin, version: version.clone() });
    }
    step
}

/// The seed of the assignment: a version's predictor keeps its own.
pub(crate) fn seed(step: &PlannedStep) -> u64 {
    match &step.work {
        Work::PredictWith { chosen: Some(chosen), .. } => chosen.version.predictor.seed,
        _ => step.seed,
    }
}

/// What the predictor is asked, on rows that have not gone through the path yet.
pub(crate) fn task(step: &PlannedStep, chosen: Option<&Answering>, rows: TableRef) -> Result<Task, Fault> {
    let Some(Answering { version, .. }) = chosen else {
        return Err(Fault::host(format!("{}: no version was chosen", who(step))));
    };
    fits(step, version, &rows)?;
    let predictor = &version.predictor;
    Ok(Task::Predict { rows, model: predictor.state.clone(), reads: predictor.reads.clone() })
}

/// Whether the rows have the columns of a request, and none that would be overwritten.
fn fits(step: &PlannedStep, version: &Chosen, rows: &TableRef) -> Result<(), Fault> {
    let Chosen { model, version: number, .. } = version;
    let named = format!("version {number} of model `{model}`");
    let column = |name: &str| rows.schema.fields.iter().find(|field| field.name == name);
    let wants = |field: &types::Field| match column(&field.name) {
        Some(got) if got.data_type == field.data_type => None,
        Some(got) => Some(format!("`{}` {}, which is {} here", field.name, field.data_type, got.data_type)),
        None => Some(format!("`{}` {}", field.name, field.data_type)),
    };
    let lacking: Vec<String> = version.request.iter().filter_map(wants).take(10).collect();
    if !lacking.is_empty() {
        let message = format!("{}: {named} needs the columns {}", who(step), lacking.join(", "));
        let hint = "give it the rows as they were collected, before any step that is fitted";
        return Err(Fault::invalid(message).hinted(hint));
    }
    match version.predictions.iter().find(|field| column(&field.name).is_some()) {
        Some(field) => {
            let message = format!("{}: {named} answers a column `{}`; the rows have one", who(step), field.name);
            Err(Fault::invalid(message).hinted("rename the column in an earlier step"))
        }
        None => Ok(()),
    }
}

/// The calls before that of the predictor; none of a step that answers with no version.
pub(crate) fn path_calls(step: &PlannedStep, base: &Path, priority: i32, view: &RunView) -> Result<Vec<Call>, Fault> {
    let Work::PredictWith { rows, chosen: Some(chosen), .. } = &step.work else { return Ok(Vec::new()) };
    let head = view.head.as_ref().ok_or_else(|| Fault::host(format!("{} belongs to no run", who(step))))?;
    let Some(Artifact::Table(rows)) = view.output(rows) else { return Ok(Vec::new()) };
    let port = PortName::parse("table").map_err(Fault::host)?;
    let call = |served: &ServedStep| {
        let inputs = Tables::from([(port.clone(), rows.clone())]);
        let (state, reads, gives) = (served.state.clone(), served.reads.clone(), Vec::new());
        let assignment = Assignment {
            component: served.component,
            parameters: served.parameters.clone(),
            seed: served.seed,
            logical_time_us: head.logical_time_us,
            limits: step.limits,
            device: Device::Cpu,
            checkpoint: None,
            task: Task::Apply { state, inputs, reads, gives },
        };
        let turn = Turn { priority, pool: step.pool.clone() };
        let who = format!("{}, `{}` of the version", who(step), served.step);
        Call { who, assignment, grants: Grants::default(), base: base.to_owned(), turn }
    };
    Ok(chosen.version.path.iter().map(call).collect())
}

/// Puts what the call before gave in the place of the first rows.
pub(crate) fn give_rows(task: &mut Task, given: Option<TableRef>) {
    let Some(table) = given else { return };
    match task {
        Task::Apply { inputs, .. } => inputs.values_mut().for_each(|input| *input = table.clone()),
        Task::Predict { rows, .. } => *rows = table,
        _ => {}
    }
}

/// The one table that a step of the path may give, with as many rows as it was given.
pub(crate) fn stage_output(step: &PlannedStep, task: &Task, outputs: &Outputs) -> Result<TableRef, Fault> {
    let Task::Apply { inputs, .. } = task else {
        return Err(Fault::host(format!("{}: a path is of other tasks", who(step))));
    };
    match (inputs.first_key_value(), outputs.first_key_value()) {
        (Some((port, rows)), Some((given, Artifact::Table(table))))
            if port == given && outputs.len() == 1 && rows.rows == table.rows =>
        {
            Ok(table.clone())
        }
        _ => Err(Fault::guest(format!("{}: a step of the version gave something else than its rows", who(step)))),
    }
}

/// What several calls used together: of what adds up the sum, of what stands for a moment the most.
pub(crate) fn add(spent: &mut Receipt, more: Receipt) {
    spent.wall_us = spent.wall_us.saturating_add(more.wall_us);
    spent.cpu_us = spent.cpu_us.saturating_add(more.cpu_us);
    spent.guest_memory_bytes = spent.guest_memory_bytes.max(more.guest_memory_bytes);
    spent.guest_memory_limit = more.guest_memory_limit;
    spent.memory_bytes = spent.memory_bytes.max(more.memory_bytes);
    spent.memory_limit = more.memory_limit;
    spent.wall_limit_us = spent.wall_limit_us.saturating_add(more.wall_limit_us);
    spent.host_calls = spent.host_calls.saturating_add(more.host_calls);
    spent.requests = spent.requests.saturating_add(more.requests);
    spent.request_bytes = spent.request_bytes.saturating_add(more.request_bytes);
    spent.rows_in = spent.rows_in.max(more.rows_in);
    spent.rows_out = more.rows_out;
    spent.bytes_out = spent.bytes_out.saturating_add(more.bytes_out);
    spent.log_lines = spent.log_lines.saturating_add(more.log_lines);
    spent.log_lines_dropped = spent.log_lines_dropped.saturating_add(more.log_lines_dropped);
    spent.sayings_dropped = spent.sayings_dropped.saturating_add(more.sayings_dropped);
    spent.read_time |= more.read_time;
    for (kind, share) in more.limits {
        let most = spent.limits.entry(kind).or_insert(share);
        if share.used > most.used {
            *most = share;
        }
    }
}

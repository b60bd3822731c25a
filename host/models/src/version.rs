//! A plan and what its steps committed -> a version of a model: everything that answers a request the same way anywhere.

use plan::{Plan, PlannedStep, ServedPath, Work};
use types::{
    AliasMove, Artifact, Candidate, Digest, Fault, Field, Id, Measure, ModelVersion, OutputRef, PortName, RunId,
    SavedFile, ServedStep, StepName, Verdict,
};

/// Who made a version, and when: what its digest does not cover.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    pub run: RunId,
    /// The number it will have in the registry.
    pub number: u32,
    pub registered_us: i64,
}

/// What the run committed on an output; none if it did not.
type Committed<'a> = &'a dyn Fn(&OutputRef) -> Option<&'a Artifact>;

/// The version that the plan's [`Work::Register`] step `register` makes. A fault is ours: the plan was checked, and the
/// step is started only when its inputs are committed.
pub fn version(plan: &Plan, register: &StepName, committed: Committed, origin: Origin) -> Result<ModelVersion, Fault> {
    let Work::Register { model, verdict, examined, measures, name, served, purpose, .. } =
        &planned(plan, register)?.work
    else {
        return Err(Fault::host(format!("step `{register}` registers nothing")));
    };
    let Artifact::Model { signature, measures: own, .. } = artifact(committed, model)? else {
        return Err(unexpected(committed, model, "a model"));
    };
    let Candidate { path, predictor, request, .. } = candidate(plan, model, served, committed)?;
    let trainer = planned(plan, trainer(model, served))?;
    Ok(ModelVersion {
        model: name.clone(),
        version: origin.number,
        digest: version_digest(&path, &predictor, &request),
        data: learnt_from(plan, trainer, &served.steps, committed)?,
        predictor,
        path,
        request,
        signature: signature.clone(),
        measures: measures.as_ref().map_or_else(|| Ok(own.clone()), |from| shown_measures(committed, from))?,
        verdict: verdict.as_ref().map(|from| shown_verdict(committed, from)).transpose()?,
        examined: examined.as_ref().map(|from| shown_verdict(committed, from)).transpose()?,
        project: plan.project.clone(),
        pipeline: plan.pipeline.clone(),
        run: origin.run,
        registered_us: origin.registered_us,
        purpose: purpose.clone(),
        imported: None,
    })
}

/// What answers a request of a model that the run made, on this path. A fault is ours, as of [`version`].
pub fn candidate(
    plan: &Plan,
    model: &OutputRef,
    served: &ServedPath,
    committed: Committed,
) -> Result<Candidate, Fault> {
    let Artifact::Model { files, signature, .. } = artifact(committed, model)? else {
        return Err(unexpected(committed, model, "a model"));
    };
    let reads = signature.inputs.iter().map(|field| field.name.clone()).collect();
    let trainer = planned(plan, trainer(model, served))?;
    Ok(Candidate {
        path: path(plan, &served.steps, committed)?,
        predictor: served_step(trainer, files, reads)?,
        request: request(&trainer.work, served, &signature.inputs, committed),
        response: signature.outputs.clone(),
    })
}

/// The columns that a request must bring. What the steps on its way need the plan knows; what the model needs is known once it is
/// trained: a column that comes to it as it was brought, and that it does not take without a value, no request may leave out.
fn request(trainer: &Work, served: &ServedPath, needs: &[Field], committed: Committed) -> Vec<Field> {
    let learnt = match trainer {
        Work::Train { train, .. } => committed(train),
        _ => None,
    };
    let learnt = match learnt {
        Some(Artifact::Table(table)) => table.schema.fields.as_slice(),
        _ => &[],
    };
    let of = |fields: &[Field], name: &str| fields.iter().find(|field| field.name == name).map(|field| field.nullable);
    let is_needed = |name: &str| (of(learnt, name), of(needs, name)) == (Some(true), Some(false));
    let brought = |field: &Field| Field { nullable: field.nullable && !is_needed(&field.name), ..field.clone() };
    served.request.iter().map(brought).collect()
}

/// The step that trained a model.
fn trainer<'a>(model: &'a OutputRef, served: &'a ServedPath) -> &'a StepName {
    served.trainer.as_ref().unwrap_or(&model.step)
}

/// The move of an alias to a version that was just made, in a run that `by` asked for.
pub fn alias_move(version: &ModelVersion, alias: &str, from: Option<u32>, by: Option<String>) -> AliasMove {
    AliasMove {
        model: version.model.clone(),
        alias: alias.to_owned(),
        from,
        to: Some(version.version),
        why: format!("run {} registered it", version.run),
        moved_us: version.registered_us,
        by,
        rollback: false,
    }
}

/// Names what answers. The files of model and states are in `state` of its steps.
pub fn version_digest(path: &[ServedStep], predictor: &ServedStep, request: &[Field]) -> Digest {
    Digest::of_json(&("model version", 1, path, predictor, request))
}

fn path(plan: &Plan, steps: &[StepName], committed: Committed) -> Result<Vec<ServedStep>, Fault> {
    let served = steps.iter().map(|name| {
        let port = PortName::parse("state").map_err(Fault::host)?;
        let output = OutputRef { step: name.clone(), port };
        let Artifact::State { files } = artifact(committed, &output)? else {
            return Err(unexpected(committed, &output, "a state"));
        };
        let step = planned(plan, name)?;
        let reads = match &step.work {
            Work::Fit { reads, .. } => reads.clone(),
            _ => Vec::new(),
        };
        served_step(step, files, reads)
    });
    served.collect()
}

fn served_step(step: &PlannedStep, state: &[SavedFile], reads: Vec<String>) -> Result<ServedStep, Fault> {
    let (Work::Fit { plugin, .. } | Work::Train { plugin, .. }) = &step.work else {
        return Err(Fault::host(format!("step `{}` can not be served: it neither fits nor trains", step.name)));
    };
    Ok(ServedStep {
        step: step.name.clone(),
        plugin: plugin.name.clone(),
        component: plugin.component,
        parameters: plugin.parameters.clone(),
        seed: step.seed,
        state: state.to_vec(),
        reads,
    })
}

/// The tables of the trainer, then those that the path was fitted on; each once.
fn learnt_from(
    plan: &Plan,
    trainer: &PlannedStep,
    path: &[StepName],
    committed: Committed,
) -> Result<Vec<Digest>, Fault> {
    let mut outputs = trainer.work.inputs();
    for name in path {
        if let Work::Fit { fit, .. } = &planned(plan, name)?.work {
            outputs.extend(fit);
        }
    }
    let mut tables = Vec::new();
    for output in outputs {
        let digest = artifact(committed, output)?.digest();
        if !tables.contains(&digest) {
            tables.push(digest);
        }
    }
    Ok(tables)
}

fn shown_measures(committed: Committed, from: &OutputRef) -> Result<Vec<Measure>, Fault> {
    match artifact(committed, from)? {
        Artifact::Measures { measures } | Artifact::Model { measures, .. } => Ok(measures.clone()),
        _ => Err(unexpected(committed, from, "measures")),
    }
}

fn shown_verdict(committed: Committed, from: &OutputRef) -> Result<Verdict, Fault> {
    match artifact(committed, from)? {
        Artifact::Verdict(verdict) => Ok(verdict.clone()),
        _ => Err(unexpected(committed, from, "a verdict")),
    }
}

fn planned<'a>(plan: &'a Plan, step: &StepName) -> Result<&'a PlannedStep, Fault> {
    plan.step(step).ok_or_else(|| Fault::host(format!("the plan has no step `{step}`")))
}

fn artifact<'a>(committed: Committed<'a>, output: &OutputRef) -> Result<&'a Artifact, Fault> {
    committed(output).ok_or_else(|| Fault::host(format!("`{output}` is not committed")))
}

fn unexpected(committed: Committed, output: &OutputRef, expected: &str) -> Fault {
    let got = committed(output).map_or("nothing", Artifact::kind);
    Fault::host(format!("`{output}` is of kind {got}, expected {expected}"))
}

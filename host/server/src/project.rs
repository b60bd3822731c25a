//! A project's folder -> plans, or everything that is wrong with it. What `check` shows is what `run` will do.

use crate::catalog::Component;
use crate::{Error, Notes, Repin, RunOptions, Server, overrides, pins};
use manifest::{Builtin, LockedPlugin, PluginSource, Project, Source};
use plan::{Bounded, Described, Plan, Work};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use types::{
    Device, DeviceChoice, FaultKind, Field, Id, PipelineName, PluginName, PortName, Problem, Settings, StepName,
    TenantId,
};

/// A pipeline that could run now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckedPipeline {
    pub pipeline: PipelineName,
    pub steps: Vec<CheckedStep>,
    /// What a request to the model must bring, if one is registered.
    pub request: Vec<Field>,
    /// The steps a request goes through, the trainer last.
    pub served: Vec<StepName>,
    /// Grants that the tenant's policy does not cover, which a run would be denied; verdicts that nothing takes; schedules that are
    /// not deployed.
    #[serde(default)]
    pub warnings: Vec<Problem>,
    /// Default limits that the policy lowers: `memory 1 GiB`.
    #[serde(default)]
    pub lowered: Vec<String>,
}

/// A step of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckedStep {
    pub step: StepName,
    /// What it does: `collect`, `fit`, `gate`.
    pub work: String,
    /// Where its tensors are computed.
    #[serde(default)]
    pub device: Device,
    /// What the pipeline says of that, if it does.
    #[serde(default)]
    pub device_asked: Option<DeviceChoice>,
    pub plugin: Option<PluginName>,
    /// Columns of its tables; none for what is no table.
    pub outputs: BTreeMap<PortName, usize>,
    /// These columns.
    #[serde(default)]
    pub columns: BTreeMap<PortName, Vec<Field>>,
}

/// The plugins of a check, and the first fault that no line of the project is to blame for.
#[derive(Default)]
struct Asked {
    found: Found,
    ours: Option<types::Fault>,
}

type Found = BTreeMap<PluginSource, (Component, Option<LockedPlugin>)>;

/// When a pipeline of the project in a folder is to run by itself; none if it has no schedule. Looks at the project's texts
/// alone, and of the pipelines at this one's: neither plugins nor the data folder have a say.
pub fn schedule(folder: &Path, pipeline: &str) -> Result<(PipelineName, Option<trigger::Schedule>), Error> {
    let mut project = manifest::load_one(folder, pipeline)?;
    let name = match project.pipelines.is_empty() {
        true => return Err(no_pipelines()),
        false => find(&project, pipeline)?,
    };
    let schedule = project.pipelines.remove(&name).and_then(|pipeline| pipeline.schedule);
    Ok((name, schedule))
}

/// What is wrong with the texts of the project in a folder: why a run of it would not begin. Of no account to what is served.
pub fn wrong_with(folder: &Path) -> Vec<Problem> {
    manifest::load(folder).err().unwrap_or_default()
}

impl Server {
    /// Checks all pipelines of a project, or one. Builds, compiles and describes its plugins; runs nothing else.
    pub fn check(
        &self,
        tenant: &TenantId,
        folder: &Path,
        pipeline: Option<&str>,
        repin: Repin,
        notes: Notes<'_>,
    ) -> Result<Vec<CheckedPipeline>, Error> {
        let _hold = self.active(tenant)?;
        let project = load(folder, pipeline, &Settings::new())?;
        let names = match pipeline {
            Some(name) => vec![find(&project, name)?],
            None if project.pipelines.is_empty() => return Err(no_pipelines()),
            None => project.pipelines.keys().cloned().collect(),
        };
        let plans = self.plans(tenant, folder, &project, &names, repin, notes)?;
        let deployed = self.current_deployment(tenant, &project.name)?;
        let checked = |(plan, bounded): &(Plan, Bounded)| {
            let own = project.pipelines.get(&plan.pipeline).map(|pipeline| &pipeline.schedule);
            let kept = deployed.as_ref().and_then(|deployed| deployed.project.pipelines.get(&plan.pipeline));
            let kept = kept.map(|pipeline| &pipeline.schedule);
            checked(plan, bounded, matches!(own, Some(Some(_))) && own != kept)
        };
        Ok(plans.iter().map(checked).collect())
    }

    /// Plans one pipeline; the only one of the project, if none is named.
    pub(crate) fn plan(
        &self,
        tenant: &TenantId,
        folder: &Path,
        pipeline: Option<&str>,
        options: &RunOptions,
        notes: Notes<'_>,
    ) -> Result<Plan, Error> {
        let mut project = load(folder, pipeline, &options.settings)?;
        let name = match (pipeline, project.pipelines.keys().next()) {
            (Some(name), _) => find(&project, name)?,
            (None, Some(only)) if project.pipelines.len() == 1 => only.clone(),
            (None, None) => return Err(no_pipelines()),
            _ => {
                let names: Vec<_> = project.pipelines.keys().map(|name| format!("`{name}`")).collect();
                let problem = Problem::new(format!("the project has {} pipelines: {}", names.len(), names.join(", ")));
                return Err(vec![problem.hinted("name the one to run: `stepwell run NAME`")].into());
            }
        };
        if let Some(pipeline) = project.pipelines.get_mut(&name) {
            overrides::apply(pipeline, &options.params)?;
        }
        let mut plans = self.plans(tenant, folder, &project, &[name], Repin::Never, notes)?;
        plans.pop().map(|(plan, _)| plan).ok_or_else(|| types::Fault::host("a pipeline was planned to nothing").into())
    }

    pub(crate) fn plans(
        &self,
        tenant: &TenantId,
        folder: &Path,
        project: &Project,
        names: &[PipelineName],
        repin: Repin,
        notes: Notes<'_>,
    ) -> Result<Vec<(Plan, Bounded)>, Error> {
        let (policy, devices) = (self.known(tenant)?.policy, worker::devices());
        let mut asked = Asked::default();
        let (mut plans, mut problems) = (Vec::new(), Vec::new());
        for name in names {
            let mut describe = |step: &manifest::Step, ports: Option<&[types::Port]>| {
                if let Source::Builtin(Builtin::Feedback { endpoint, label }) = &step.source {
                    return self.feedback_described(tenant, project, endpoint, label);
                }
                self.described(tenant, folder, &mut asked, step, ports, notes)
            };
            let built = plan::build(project, name, &mut describe);
            let bounded = built.and_then(|mut plan| {
                let bounded = plan::bound(&mut plan, project, &policy);
                together(bounded, plan::place(&mut plan, project, &policy, &devices)).map(|bounded| (plan, bounded))
            });
            match bounded {
                Ok(plan) => plans.push(plan),
                Err(wrong) => problems.extend(wrong),
            }
        }
        if let Some(fault) = asked.ours {
            return Err(fault.into());
        }
        problems.extend(self.unknown_models(tenant, project, names)?);
        if !problems.is_empty() {
            return Err(Error::Problems(problems));
        }
        plans.iter().flat_map(|(plan, _)| plan::on_processors(plan, project, &devices)).for_each(notes);
        let pins = asked.found.iter().filter_map(|(source, (_, pin))| Some((source.to_string(), pin.clone()?)));
        let found: Vec<_> = pins.collect();
        for news in pins::pin(folder, &found, repin)? {
            notes(news);
        }
        Ok(plans)
    }

    /// Steps that predict with a model which neither is registered nor ever will be by this project: to them every run would be
    /// the first, and a gate would never compare.
    fn unknown_models(
        &self,
        tenant: &TenantId,
        project: &Project,
        names: &[PipelineName],
    ) -> Result<Vec<Problem>, Error> {
        let steps = |pipeline: &PipelineName| project.pipelines.get(pipeline).into_iter().flat_map(|said| &said.steps);
        let registered = project.pipelines.keys().flat_map(steps).filter_map(|step| match &step.source {
            Source::Builtin(Builtin::Register { name, .. }) => Some(name.clone()),
            _ => None,
        });
        let known: BTreeSet<_> =
            registered.chain(self.store.models(tenant)?.into_iter().map(|model| model.model)).collect();
        let unknown = names.iter().flat_map(steps).filter_map(|step| match &step.source {
            Source::Builtin(Builtin::PredictWith { model, .. }) if !known.contains(model) => {
                let what = format!("step `{}` predicts with model `{model}`, which nothing registers", step.name);
                let hint = match types::nearest(model.as_str(), known.iter().map(Id::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name the model that a `register` step names".to_owned(),
                };
                Some(Problem::new(what).at(step.place_of(&["model"])).hinted(hint))
            }
            _ => None,
        });
        Ok(unknown.collect())
    }

    fn described(
        &self,
        tenant: &TenantId,
        folder: &Path,
        asked: &mut Asked,
        step: &manifest::Step,
        ports: Option<&[types::Port]>,
        notes: Notes<'_>,
    ) -> Result<Described, Problem> {
        let Asked { found, ours } = asked;
        let mut problem = |fault: types::Fault| {
            if matches!(fault.kind, FaultKind::Host | FaultKind::Crash) {
                ours.get_or_insert(fault.clone());
            }
            Problem { place: None, message: fault.message, hint: fault.hint }
        };
        let source = step.plugin().ok_or_else(|| Problem::new("only a plugin can be described"))?;
        if !found.contains_key(source) {
            let component = self.component(tenant, folder, source, notes).map_err(&mut problem)?;
            found.insert(source.clone(), (component, None));
        }
        let (component, pin) = found.get_mut(source).ok_or_else(|| Problem::new("a plugin was lost"))?;
        let digest = component.digest;
        let described = match ports {
            Some(ports) => self.describe(tenant, step, folder, digest, ports),
            None => self.describe_alone(tenant, step, folder, digest),
        };
        let descriptor = described.map_err(problem)?;
        pin.get_or_insert_with(|| LockedPlugin {
            name: descriptor.name.clone(),
            version: descriptor.version.clone(),
            digest,
            source: component.source,
            imports: descriptor.imports.clone(),
        });
        Ok(Described { descriptor, component: digest })
    }
}

/// Both, or the problems of both.
fn together<T>(one: Result<T, Vec<Problem>>, other: Result<(), Vec<Problem>>) -> Result<T, Vec<Problem>> {
    match (one, other) {
        (Ok(one), Ok(())) => Ok(one),
        (one, other) => Err([one.err(), other.err()].into_iter().flatten().flatten().collect()),
    }
}

/// The project, or all of it that the pipeline needs.
fn load(folder: &Path, pipeline: Option<&str>, settings: &Settings) -> Result<Project, Vec<Problem>> {
    match pipeline {
        Some(name) => manifest::load_one_with(folder, name, settings),
        None => manifest::load_with(folder, settings),
    }
}

pub(crate) fn no_pipelines() -> Error {
    let problem = Problem::new("the project has no pipelines");
    vec![problem.hinted("write one as `pipelines/NAME.toml`")].into()
}

fn find(project: &Project, name: &str) -> Result<PipelineName, Error> {
    let known: Vec<String> = project.pipelines.keys().map(ToString::to_string).collect();
    if let Some((found, _)) = project.pipelines.iter().find(|(known, _)| known.to_string() == name) {
        return Ok(found.clone());
    }
    let near = types::nearest(name, known.iter().map(String::as_str));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(Error::NotFound(format!("the project has no pipeline `{name}`; it has {}{near}", known.join(", "))))
}

fn checked(plan: &Plan, bounded: &Bounded, fires_later: bool) -> CheckedPipeline {
    let path = plan.steps.iter().find_map(|step| match &step.work {
        Work::Register { served, .. } => Some(served),
        _ => None,
    });
    let steps = plan.steps.iter().map(|step| CheckedStep {
        step: step.name.clone(),
        work: step.work.name().to_owned(),
        device: step.device,
        device_asked: step.device_asked,
        plugin: step.work.plugin().map(|plugin| plugin.name.clone()),
        outputs: step.outputs.iter().map(|(port, columns)| (port.clone(), columns.len())).collect(),
        columns: step.outputs.clone().into_iter().filter(|(_, columns)| !columns.is_empty()).collect(),
    });
    CheckedPipeline {
        pipeline: plan.pipeline.clone(),
        steps: steps.collect(),
        request: path.map(|path| path.request.clone()).unwrap_or_default(),
        served: path.map(|path| path.steps.iter().chain(&path.trainer).cloned().collect()).unwrap_or_default(),
        warnings: bounded.warnings.iter().cloned().chain(fires_later.then(|| fires_once_deployed(plan))).collect(),
        lowered: bounded.lowered.clone(),
    }
}

/// Nobody is to wait for a run that does not come.
fn fires_once_deployed(plan: &Plan) -> Problem {
    let message = format!("pipeline `{}` has a schedule that is not deployed: it fires once it is", plan.pipeline);
    Problem::new(message).hinted("`stepwell deploy` does it; a running `stepwell serve` then starts the runs")
}

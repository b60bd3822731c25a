//! A project's folder -> a version of it that runs by itself: stored whole, shown before it counts, brought back later.
//!
//! [`Server::prepare_deployment`] stores the content and says what differs; [`Server::deploy`] appends the record, if nobody
//! deployed meanwhile. So what a person said yes to is what runs.

use crate::difference::{self, Differs, How, Side};
use crate::{Error, Notes, Repin, Server, declared, handover, locked};
use plan::{Bounded, Plan};
use ports::{Blobs, Journal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use types::{Deployment, Digest, Fault, PipelineName, Problem, ProjectName, Record, Settings, TenantId};

/// What is deployed. A blob of JSON, the same for the same project: fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) texts: manifest::Texts,
    pub(crate) plans: BTreeMap<PipelineName, Plan>,
    /// Grants are relative to it.
    pub(crate) project_dir: PathBuf,
}

/// A version with its content, read.
pub(crate) struct Deployed {
    pub(crate) deployment: Deployment,
    pub(crate) content: Content,
    pub(crate) project: manifest::Project,
}

/// What a deployment would change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    pub project: ProjectName,
    pub content: Digest,
    pub settings: Settings,
    /// The version that runs now.
    pub over: Option<u32>,
    /// The version that is brought back.
    pub rollback_to: Option<u32>,
    pub differs: Vec<Differs>,
    /// It is what runs now.
    pub is_same: bool,
    /// What the tenant's policy will refuse, what is not there yet that calls and messages need, and what goes on as it was.
    pub warnings: Vec<Problem>,
}

impl Prepared {
    /// Whether a step will reach what it does not reach now.
    pub fn widens(&self) -> bool {
        self.differs.iter().any(|differs| differs.how == How::Widened)
    }
}

/// How the settings of a deployment differ from the current version's. Texts are read by what the project says of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsChange {
    pub set: BTreeMap<String, String>,
    /// Back to what the project says.
    pub unset: Vec<String>,
}

/// A deployed project, or one of its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeploymentDetail {
    pub deployment: Deployment,
    pub is_current: bool,
    pub project_dir: PathBuf,
    pub pipelines: Vec<DeployedPipeline>,
    pub endpoints: Vec<types::EndpointName>,
}

/// A pipeline of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeployedPipeline {
    pub pipeline: PipelineName,
    pub steps: usize,
    /// What starts it by itself, for people.
    pub starts: Vec<String>,
}

impl Server {
    /// Checks and plans all of a project, stores it, and says what deploying it would change.
    pub fn prepare_deployment(
        &self,
        tenant: &TenantId,
        folder: &Path,
        change: &SettingsChange,
        notes: Notes<'_>,
    ) -> Result<Prepared, Error> {
        let _hold = self.active(tenant)?;
        // Where the name cannot be read, the rest is told as well.
        let name = declared::name(folder).or_else(|_| manifest::load(folder).map(|project| project.name))?;
        let current = self.current_deployment(tenant, &name)?;
        let settings = changed(current.as_ref().map(|current| &current.deployment.settings), change);
        let (texts, project) = declared::read(folder, &settings)?;
        if project.pipelines.is_empty() {
            return Err(crate::project::no_pipelines());
        }
        self.expect_own_endpoints(tenant, &project)?;
        let names: Vec<_> = project.pipelines.keys().cloned().collect();
        let planned = self.plans(tenant, folder, &project, &names, Repin::Never, notes)?;
        let mut warnings: Vec<_> = planned.iter().flat_map(|(_, Bounded { warnings, .. })| warnings.clone()).collect();
        warnings.extend(self.wanting(tenant, &project)?);
        warnings.extend(self.keeping_their_steps(tenant, &project)?);
        let plans = planned.into_iter().map(|(plan, _)| (plan.pipeline.clone(), plan)).collect();
        let content = Content { texts, plans, project_dir: folder.to_owned() };
        let digest = self.store.put(tenant, &to_json(&content)?)?;
        let new = Side { content: &content, project: &project, settings: &settings };
        Ok(Prepared { warnings, ..prepared(project.name.clone(), digest, new, current.as_deref()) })
    }

    /// Says what bringing back an earlier version would change; without a number, the one before the current one.
    pub fn prepare_rollback(
        &self,
        tenant: &TenantId,
        project: &ProjectName,
        version: Option<u32>,
    ) -> Result<Prepared, Error> {
        let _hold = self.active(tenant)?;
        let current = self.current_deployment(tenant, project)?.ok_or_else(|| never(project))?;
        let version = match version {
            Some(version) => version,
            None => self.before(tenant, &current.deployment)?,
        };
        let back = self.version_deployed(tenant, project, version)?;
        self.expect_own_endpoints(tenant, &back.project)?;
        let prepared = prepared(project.clone(), back.deployment.content, side(&back), Some(&current));
        let warnings = self.keeping_their_steps(tenant, &back.project)?;
        Ok(Prepared { warnings, rollback_to: Some(version), ..prepared })
    }

    /// The version that ran before this one, whatever was brought back since.
    fn before(&self, tenant: &TenantId, current: &Deployment) -> Result<u32, Error> {
        let from = current.rollback_to.unwrap_or(current.version);
        let history = self.store.deployment_history(tenant, &current.project)?;
        let other = |earlier: &&Deployment| {
            earlier.version < from && (earlier.content, &earlier.settings) != (current.content, &current.settings)
        };
        let none = || {
            let again = match from == current.version {
                true => String::new(),
                false => format!(", which version {} is again; name the one to bring back", current.version),
            };
            Error::Conflict(format!("there is nothing before version {from} of project `{}`{again}", current.project))
        };
        history.iter().rev().find(other).map(|earlier| earlier.version).ok_or_else(none)
    }

    /// Makes what was prepared the current version, and gives it.
    pub fn deploy(&self, tenant: &TenantId, prepared: &Prepared) -> Result<Deployment, Error> {
        let _hold = self.active(tenant)?;
        let _alone = locked(&self.deploying);
        let Prepared { project, content, settings, over, rollback_to, .. } = prepared;
        let current = self.current_deployment(tenant, project)?;
        let version = current.as_ref().map(|current| current.deployment.version);
        if version != *over {
            let now = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
            let message = format!("project `{project}` was deployed meanwhile: its version is {now} now");
            return Err(Error::Conflict(message));
        }
        let deployment = Deployment {
            project: project.clone(),
            version: version.unwrap_or(0) + 1,
            content: *content,
            settings: settings.clone(),
            rollback_to: *rollback_to,
            deployed_us: self.now_us(),
        };
        let new = self.read_deployed(tenant, deployment.clone())?;
        if new.project.name != *project {
            let message = format!("the content is of project `{}`, expected `{project}`", new.project.name);
            return Err(Fault::invalid(message).into());
        }
        let state = |pipeline: &PipelineName| self.store.schedule(tenant, project, pipeline);
        // Nothing keeps it between the question and the answer.
        let plugins = new.content.plans.values().flat_map(|plan| &plan.steps).filter_map(|step| step.work.plugin());
        plugins
            .map(|plugin| plugin.component)
            .try_for_each(|component| self.store.path(tenant, component).map(drop))?;
        let mut records = handover::records(tenant, current.as_deref(), &new, &state)?;
        records.push(Record::Deployed(deployment.clone()));
        self.store.append(tenant, &records)?;
        self.serve_deployed(tenant, &new);
        self.bell.ring();
        Ok(deployment)
    }

    /// The versions that run by themselves now.
    pub fn deployments(&self, tenant: &TenantId) -> Result<Vec<Deployment>, Error> {
        self.known(tenant)?;
        Ok(self.store.deployments(tenant)?)
    }

    /// All versions of a project, ascending.
    pub fn deployment_history(&self, tenant: &TenantId, project: &ProjectName) -> Result<Vec<Deployment>, Error> {
        self.known(tenant)?;
        match self.store.deployment_history(tenant, project)? {
            history if history.is_empty() => Err(never(project)),
            history => Ok(history),
        }
    }

    /// One version; the current one, if no number is given.
    pub fn deployment(
        &self,
        tenant: &TenantId,
        project: &ProjectName,
        version: Option<u32>,
    ) -> Result<DeploymentDetail, Error> {
        self.known(tenant)?;
        let current = self.current_deployment(tenant, project)?.ok_or_else(|| never(project))?;
        let shown = match version {
            Some(version) => self.version_deployed(tenant, project, version)?,
            None => Arc::clone(&current),
        };
        Ok(shown.detail(shown.deployment.version == current.deployment.version))
    }

    /// What of a project runs by itself now, with its content.
    pub(crate) fn current_deployment(
        &self,
        tenant: &TenantId,
        project: &ProjectName,
    ) -> Result<Option<Arc<Deployed>>, Error> {
        let Some(current) = self.store.deployment(tenant, project)? else { return Ok(None) };
        let key = (tenant.clone(), project.clone());
        let is_it = |known: &&Arc<Deployed>| known.deployment == current;
        if let Some(known) = locked(&self.deployed).get(&key).filter(is_it) {
            return Ok(Some(Arc::clone(known)));
        }
        let read = Arc::new(self.read_deployed(tenant, current)?);
        locked(&self.deployed).insert(key, Arc::clone(&read));
        Ok(Some(read))
    }

    /// One version of a project, with its content.
    pub(crate) fn version_deployed(
        &self,
        tenant: &TenantId,
        project: &ProjectName,
        version: u32,
    ) -> Result<Arc<Deployed>, Error> {
        if let Some(current) = self.current_deployment(tenant, project)?
            && current.deployment.version == version
        {
            return Ok(current);
        }
        let history = self.deployment_history(tenant, project)?;
        let found = history.into_iter().find(|deployment| deployment.version == version);
        let missing = || Error::NotFound(format!("project `{project}` has no version {version}"));
        Ok(Arc::new(self.read_deployed(tenant, found.ok_or_else(missing)?)?))
    }

    /// The current versions with their contents, as far as these can be read: one that is damaged stops no other.
    pub(crate) fn all_deployed(&self, tenant: &TenantId) -> Result<Vec<Arc<Deployed>>, Error> {
        Ok(self.deployed_and_damaged(tenant)?.0)
    }

    /// The same, and why the first of the others cannot be read.
    pub(crate) fn deployed_and_damaged(&self, tenant: &TenantId) -> Result<(Vec<Arc<Deployed>>, Option<Error>), Error> {
        let (mut all, mut damaged) = (Vec::new(), None);
        for deployment in self.store.deployments(tenant)? {
            match self.current_deployment(tenant, &deployment.project) {
                Ok(deployed) => all.extend(deployed),
                Err(error) => damaged = damaged.or(Some(error)),
            }
        }
        Ok((all, damaged))
    }

    fn read_deployed(&self, tenant: &TenantId, deployment: Deployment) -> Result<Deployed, Error> {
        let damaged = |why: String| {
            let Deployment { project, version, .. } = &deployment;
            Fault::host(format!("version {version} of project `{project}` cannot be read: {why}"))
        };
        let bytes = self.store.get(tenant, deployment.content)?;
        let content: Content = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let project = declared::again(&content.texts, &deployment.settings)
            .map_err(|problems| damaged(problems.first().map(|problem| problem.message.clone()).unwrap_or_default()))?;
        Ok(Deployed { deployment, content, project })
    }

    /// Two projects that answer under one name would take turns.
    fn expect_own_endpoints(&self, tenant: &TenantId, project: &manifest::Project) -> Result<(), Error> {
        let mut problems = Vec::new();
        for other in self.all_deployed(tenant)?.iter().filter(|other| other.project.name != project.name) {
            for (name, endpoint) in &project.endpoints {
                if other.project.endpoints.contains_key(name) {
                    let message = format!("endpoint `{name}` is served by project `{}` already", other.project.name);
                    problems.push(Problem::new(message).at(Some(endpoint.place.clone())));
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Problems(problems)) }
    }
}

impl Deployed {
    fn detail(&self, is_current: bool) -> DeploymentDetail {
        let Self { deployment, content, project } = self;
        let pipelines = content.plans.values().map(|plan| DeployedPipeline {
            pipeline: plan.pipeline.clone(),
            steps: plan.steps.len(),
            starts: project.pipelines.get(&plan.pipeline).map(difference::starts_shown).unwrap_or_default(),
        });
        DeploymentDetail {
            deployment: deployment.clone(),
            is_current,
            project_dir: content.project_dir.clone(),
            pipelines: pipelines.collect(),
            endpoints: project.endpoints.keys().cloned().collect(),
        }
    }

    /// The pipelines with their schedules.
    pub(crate) fn schedules(&self) -> impl Iterator<Item = (&PipelineName, &trigger::Schedule)> {
        self.project.pipelines.iter().filter_map(|(name, pipeline)| Some((name, pipeline.schedule.as_ref()?)))
    }

    pub(crate) fn triggers(&self, pipeline: &PipelineName) -> manifest::Triggers {
        self.project.pipelines.get(pipeline).map(|pipeline| pipeline.triggers.clone()).unwrap_or_default()
    }
}

fn side(deployed: &Deployed) -> Side<'_> {
    let Deployed { deployment, content, project } = deployed;
    Side { content, project, settings: &deployment.settings }
}

fn prepared(project: ProjectName, content: Digest, new: Side<'_>, current: Option<&Deployed>) -> Prepared {
    let same =
        |current: &Deployed| (current.deployment.content, &current.deployment.settings) == (content, new.settings);
    Prepared {
        project,
        content,
        settings: new.settings.clone(),
        over: current.map(|current| current.deployment.version),
        rollback_to: None,
        differs: difference::between(current.map(side), new),
        is_same: current.is_some_and(same),
        warnings: Vec::new(),
    }
}

fn changed(current: Option<&Settings>, change: &SettingsChange) -> Settings {
    let mut settings = current.cloned().unwrap_or_default();
    settings.retain(|name, _| !change.unset.contains(name));
    settings.extend(change.set.iter().map(|(name, text)| (name.clone(), text.clone().into())));
    settings
}

/// What the project in a folder is called.
pub fn project_name(folder: &Path) -> Result<ProjectName, Error> {
    Ok(declared::name(folder)?)
}

pub(crate) fn never(project: &ProjectName) -> Error {
    Error::NotFound(format!("project `{project}` was never deployed; `stepwell deploy` in its folder does it"))
}

/// The stored form, once it is sure that it reads back as the same: a number such as infinity has no JSON form.
fn to_json(content: &Content) -> Result<Vec<u8>, Error> {
    let cannot = |why: String| Fault::invalid(format!("the project cannot be stored: {why}"));
    let bytes = serde_json::to_vec(content).map_err(|error| cannot(error.to_string()))?;
    match serde_json::from_slice::<Content>(&bytes) {
        Ok(read) if read == *content => Ok(bytes),
        Ok(_) => Err(cannot("it reads back as another".to_owned()).into()),
        Err(error) => Err(cannot(error.to_string()).into()),
    }
}

//! Records -> what is known, as `store` would index them; and what must hold of any records, looked at with each.

use crate::bugs::Bug;
use crate::calendar::Calendar;
use crate::deployments::content;
use crate::disk::{Result, broken};
use crate::facts::{self, Fact};
use crate::pipelines::Pipeline;
use crate::script::Tenant;
use crate::sources::Source;
use crate::steps;
use plan::{Plan, PlannedStep};
use run::{RunView, Status};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    Artifact, Attempt, BackfillAsked, Cause, Deployment, Digest, FaultKind, Item, ModelName, PipelineName, Record,
    RunHead, RunId, RunState, StepCommit, StepName,
};

/// What a tenant's records say.
pub(crate) struct Known<'s> {
    tenant: &'s Tenant,
    /// What is deployed, and since when.
    pub version: u32,
    pub deployed_us: i64,
    pub runs: BTreeMap<RunId, RunView>,
    pub last_run: u64,
    /// Runs that did not end.
    pub open: BTreeSet<RunId>,
    pub forgotten: BTreeSet<RunId>,
    fired: BTreeMap<(PipelineName, String), RunId>,
    pub cached: BTreeMap<Digest, (RunId, StepCommit)>,
    pub sources: BTreeMap<Digest, Source>,
    pub versions: BTreeMap<ModelName, u32>,
    pub calendars: BTreeMap<PipelineName, Calendar<'s>>,
    pub backfills: Vec<(BackfillAsked, bool)>,
    pub facts: BTreeSet<Fact>,
    /// How what a pipeline watches was seen last.
    pub watched: BTreeMap<PipelineName, Digest>,
    /// Of the batch that is applied: pipelines of which a run began because files moved, and those whose files did.
    begun_by_data: BTreeSet<PipelineName>,
    moved: BTreeSet<PipelineName>,
    /// What outlives the runs that made it.
    kept: BTreeSet<Digest>,
    plans: BTreeMap<RunId, Plan>,
}

impl<'s> Known<'s> {
    pub(crate) fn new(tenant: &'s Tenant, begins_us: i64) -> Self {
        let calendar =
            |pipeline: &'s Pipeline| (pipeline.name().clone(), Calendar::new(pipeline.timetable.as_ref(), begins_us));
        Self {
            tenant,
            version: 1,
            deployed_us: begins_us,
            calendars: tenant.version(1).iter().map(calendar).collect(),
            watched: BTreeMap::new(),
            begun_by_data: BTreeSet::new(),
            moved: BTreeSet::new(),
            runs: BTreeMap::new(),
            last_run: 0,
            open: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            fired: BTreeMap::new(),
            cached: BTreeMap::new(),
            sources: BTreeMap::new(),
            versions: BTreeMap::new(),
            backfills: Vec::new(),
            facts: BTreeSet::new(),
            kept: [content(1)].into(),
            plans: BTreeMap::new(),
        }
    }

    /// Whether the journal refuses it: a cause that may start one run has started one.
    pub(crate) fn conflicts(&self, record: &Record) -> bool {
        let Record::RunStarted(head) = record else { return false };
        let key = head.cause.key().map(|key| (head.pipeline.clone(), key));
        key.is_some_and(|key| self.fired.contains_key(&key))
    }

    /// The run that a cause has started.
    pub(crate) fn fired(&self, pipeline: &PipelineName, cause: &Cause) -> Option<RunId> {
        self.fired.get(&(pipeline.clone(), cause.key()?)).copied()
    }

    /// Runs of a pipeline that did not end.
    pub(crate) fn under_way(&self, pipeline: &PipelineName) -> Vec<&RunHead> {
        let heads = self.open.iter().filter_map(|run| self.runs[run].head.as_ref());
        heads.filter(|head| head.pipeline == *pipeline).collect()
    }

    pub(crate) fn apply(&mut self, record: &Record) -> Result<()> {
        self.facts.extend(facts::of_record(record));
        match record {
            Record::RunStarted(head) => self.begin(head),
            Record::AttemptStarted { run, step, attempt, .. } => self.attempt(*run, step, *attempt),
            Record::CheckpointSaved { run, step, .. } => self.begun_step(*run, step),
            Record::PageCommitted { run, step, source, table, cursor, restarted, .. } => {
                self.begun_step(*run, step)?;
                self.sources.entry(*source).or_default().turn_page(table, cursor, *restarted)
            }
            Record::StepCommitted { run, commit, .. } => self.commit(*run, commit),
            Record::VersionRegistered { version, commit, .. } => {
                let last = self.versions.entry(version.model.clone()).or_default();
                if version.version != *last + 1 {
                    return broken(format!("version {} was registered after version {last}", version.version));
                }
                *last = version.version;
                let named = Artifact::Version { model: version.model.clone(), version: version.version };
                if !commit.outputs.values().eq([&named]) {
                    return broken(format!("version {} is committed as {:?}", version.version, commit.outputs));
                }
                self.kept.extend(version.predictor.state.iter().map(|file| file.digest));
                self.commit(version.run, commit)
            }
            Record::StepExpanded { run, .. } => self.unended(*run),
            Record::AttemptFailed { run, step, fault, retry_at_us: Some(_), .. } => self.retry(*run, step, &fault.kind),
            Record::AttemptFailed { run, step, .. } | Record::StepSkipped { run, step, .. } => {
                self.open_step(*run, step)
            }
            Record::RunFinished { run, .. } => {
                self.unended(*run)?;
                self.open.remove(run);
                Ok(())
            }
            Record::ScheduleSettled { pipeline, settled_us, waiting, passed, .. } => {
                self.calendars.get_mut(pipeline).unwrap().settle(*settled_us, waiting, passed)
            }
            Record::SchedulePaused { pipeline, paused, .. } => {
                self.calendars.get_mut(pipeline).unwrap().held = *paused;
                Ok(())
            }
            Record::BackfillAsked(asked) => {
                self.backfills.push((asked.clone(), false));
                Ok(())
            }
            Record::BackfillEnded { number, .. } => {
                self.backfills.iter_mut().filter(|(asked, _)| asked.number == *number).for_each(|entry| entry.1 = true);
                Ok(())
            }
            Record::Deployed(deployment) => self.deploy(deployment),
            Record::WatchMoved { pipeline, seen, .. } => {
                if self.watched.insert(pipeline.clone(), *seen).is_some() {
                    self.moved.insert(pipeline.clone());
                }
                Ok(())
            }
            Record::RunsForgotten { runs, .. } => {
                self.forgotten.extend(runs);
                self.cached.retain(|_, (run, _)| !runs.contains(run));
                Ok(())
            }
            _ => Ok(()),
        }?;
        self.follow(record);
        Ok(())
    }

    /// Lets the views follow.
    fn follow(&mut self, record: &Record) {
        let run = match record {
            Record::RunStarted(head) => head.run,
            Record::VersionRegistered { version, .. } => version.run,
            Record::AttemptStarted { run, .. }
            | Record::PageCommitted { run, .. }
            | Record::CheckpointSaved { run, .. }
            | Record::StepCommitted { run, .. }
            | Record::AttemptFailed { run, .. }
            | Record::StepSkipped { run, .. }
            | Record::StepExpanded { run, .. }
            | Record::RunFinished { run, .. } => *run,
            _ => return,
        };
        let view = self.runs.entry(run).or_default();
        view.apply(record);
        if matches!(record, Record::RunStarted(_) | Record::StepExpanded { .. }) {
            let plan = plan::expand(self.tenant_plan(run), &|name| self.items(run, name));
            self.plans.insert(run, plan);
        }
    }

    fn items(&self, run: RunId, name: &StepName) -> Option<Vec<Item>> {
        let recorded = self.runs[&run].steps.get(name).and_then(|step| step.items.clone());
        recorded.or_else(|| plan::static_items(self.tenant_plan(run).step(name)?.each.as_ref()?))
    }

    fn tenant_plan(&self, run: RunId) -> &'s Plan {
        self.of_run(self.runs[&run].head.as_ref().unwrap(), None).unwrap().plan()
    }

    /// A pipeline of the version of a run: the run's own, or one by name.
    fn of_run(&self, head: &RunHead, name: Option<&PipelineName>) -> Option<&'s Pipeline> {
        let all = self.tenant.version(head.deployment.unwrap_or(1));
        all.iter().find(|pipeline| pipeline.name() == name.unwrap_or(&head.pipeline))
    }

    fn deploy(&mut self, deployment: &Deployment) -> Result<()> {
        if deployment.version != self.version + 1 {
            return broken(format!("version {} was deployed over version {}", deployment.version, self.version));
        }
        (self.version, self.deployed_us) = (deployment.version, deployment.deployed_us);
        self.kept.insert(deployment.content);
        for pipeline in self.tenant.version(self.version) {
            let calendar = self.calendars.get_mut(pipeline.name()).unwrap();
            calendar.switch(pipeline.timetable.as_ref(), deployment.deployed_us);
        }
        Ok(())
    }

    /// Whether a run is under way that began because files moved.
    pub(crate) fn is_moved_under_way(&self, pipeline: &PipelineName) -> bool {
        self.under_way(pipeline).iter().any(|head| matches!(head.cause, Cause::Data { .. }))
    }

    /// Whether a run had reason to begin.
    fn begin_because(&mut self, head: &RunHead) -> Result<()> {
        match &head.cause {
            Cause::Schedule { at_us } => self.calendars.get_mut(&head.pipeline).unwrap().fire(*at_us),
            Cause::Upstream { pipeline, run } => {
                let before = &self.runs[run];
                let ran = before.head.as_ref().and_then(|before| self.of_run(before, Some(&head.pipeline)));
                match before.state() == RunState::Succeeded && ran.is_some_and(|of| of.after.as_ref() == Some(pipeline))
                {
                    true => Ok(()),
                    false => broken(format!("run {} follows run {run}, which {}", head.run, before.state().ended())),
                }
            }
            Cause::Data { .. } if self.is_moved_under_way(&head.pipeline) => {
                broken(format!("files of `{}` start run {} beside the one before it", head.pipeline, head.run))
            }
            Cause::Data { .. } => {
                self.begun_by_data.insert(head.pipeline.clone());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, head: &RunHead) -> Result<()> {
        if self.runs.contains_key(&head.run) {
            return broken(format!("run {} began twice", head.run));
        }
        if let Some(key) = head.cause.key() {
            self.fired.insert((head.pipeline.clone(), key), head.run);
        }
        self.begin_because(head)?;
        self.last_run = self.last_run.max(head.run.0);
        self.open.insert(head.run);
        Ok(())
    }

    fn unended(&self, run: RunId) -> Result<()> {
        match self.open.contains(&run) {
            true => Ok(()),
            false => broken(format!("something happens in run {run} after its end")),
        }
    }

    /// A step that ended is never touched again.
    fn open_step(&self, run: RunId, step: &StepName) -> Result<()> {
        self.unended(run)?;
        match self.runs[&run].status(step).is_final() {
            true => broken(format!("run {run}: `{step}` has ended and something happens to it")),
            false => Ok(()),
        }
    }

    /// What an attempt says while it runs comes after its beginning.
    fn begun_step(&self, run: RunId, step: &StepName) -> Result<()> {
        self.open_step(run, step)?;
        match self.runs[&run].steps.get(step).is_some_and(|step| step.attempts > 0) {
            true => Ok(()),
            false => broken(format!("run {run}: `{step}` says something before it began")),
        }
    }

    fn attempt(&self, run: RunId, step: &StepName, attempt: Attempt) -> Result<()> {
        self.open_step(run, step)?;
        let before = self.runs[&run].steps.get(step).map_or(0, |step| step.attempts);
        if attempt.0 != before + 1 {
            return broken(format!("run {run}: attempt {} of `{step}` follows attempt {before}", attempt.0));
        }
        self.inputs_committed(run, step).map(drop)
    }

    /// Patience has an end: so many attempts as the plan says, and one death of a worker.
    fn retry(&self, run: RunId, step: &StepName, kind: &FaultKind) -> Result<()> {
        self.open_step(run, step)?;
        let most = self.plans[&run].step(step).map_or(0, |planned| planned.retry.attempts as usize);
        let alike =
            |failure: &&run::Failure| std::mem::discriminant(&failure.fault.kind) == std::mem::discriminant(kind);
        let failures = self.runs[&run].steps.get(step).map_or(&[][..], |view| &view.failures);
        let most = if *kind == FaultKind::Crash { most.min(2) } else { most };
        match failures.iter().filter(alike).count() + 1 < most {
            true => Ok(()),
            false => broken(format!("run {run}: `{step}` is tried again though it failed often enough")),
        }
    }

    fn inputs_committed(&self, run: RunId, step: &StepName) -> Result<&PlannedStep> {
        let view = &self.runs[&run];
        let Some(planned) = self.plans[&run].step(step) else {
            return broken(format!("run {run} has no step `{step}`"));
        };
        match planned.needs().into_iter().find(|input| view.output(input).is_none()) {
            Some(input) => broken(format!("run {run}: `{step}` goes on before `{input}` is committed")),
            None => Ok(planned),
        }
    }

    fn commit(&mut self, run: RunId, commit: &StepCommit) -> Result<()> {
        let step = &commit.step;
        self.open_step(run, step)?;
        let planned = self.inputs_committed(run, step)?;
        let view = &self.runs[&run];
        if let Some(expected) = steps::expected(&self.plans[&run], planned, view, &self.tenant.id)
            && expected != commit.outputs
        {
            return broken(format!("run {run}: `{step}` committed what it does not give: {:?}", commit.outputs));
        }
        if let Some(source) = run::source_of(self.tenant_plan(run), planned) {
            self.sources.entry(source).or_default().covers(commit)?;
        }
        if let (Some(key), None) = (commit.key, commit.taken) {
            self.cached.insert(key, (run, commit.clone()));
        }
        Ok(())
    }

    /// After each batch.
    pub(crate) fn settled(&mut self) -> Result<()> {
        let (begun, moved) = (std::mem::take(&mut self.begun_by_data), std::mem::take(&mut self.moved));
        if let Some(pipeline) = begun.symmetric_difference(&moved).next() {
            return broken(format!("files of `{pipeline}` moved without a run, or a run began without a move"));
        }
        self.calendars.values_mut().try_for_each(Calendar::check)
    }

    /// Every blob that counts.
    pub(crate) fn named(&self, bug: Option<Bug>) -> BTreeSet<Digest> {
        let mut named = self.kept.clone();
        for (run, view) in self.runs.iter().filter(|(run, _)| !self.forgotten.contains(run)) {
            named.extend(view.head.as_ref().map(|head| head.plan));
            for step in view.steps.values() {
                named.extend(step.checkpoint);
                named.extend(step.items.iter().flatten().flat_map(|item| &item.table).flat_map(|table| &table.parts));
                if let Status::Committed { commit } = &step.status {
                    named.extend(commit.outputs.values().flat_map(Artifact::blobs));
                }
            }
            debug_assert!(view.head.as_ref().is_some_and(|head| head.run == *run));
        }
        if bug != Some(Bug::SweepsPages) {
            named.extend(self.sources.values().flat_map(Source::blobs));
        }
        named
    }
}

/// The blobs that a record points at.
pub(crate) fn blobs_of(record: &Record) -> Vec<Digest> {
    match record {
        Record::RunStarted(head) => vec![head.plan],
        Record::PageCommitted { table, .. } => table.parts.clone(),
        Record::CheckpointSaved { state, .. } => vec![*state],
        Record::Deployed(deployment) => vec![deployment.content],
        Record::StepCommitted { commit, .. } => commit.outputs.values().flat_map(Artifact::blobs).collect(),
        Record::StepExpanded { items, .. } => {
            items.iter().flat_map(|item| &item.table).flat_map(|table| table.parts.clone()).collect()
        }
        _ => Vec::new(),
    }
}

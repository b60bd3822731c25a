//! Canaries: whichever version gets the alias that an endpoint watches takes over step by step, or does not. Every move is a
//! record before it counts, so that a restart goes on where it was.
//!
//! ```text
//!  alias moves, time passes, answers come --models::advance--> record --> shares of requests
//! ```

use crate::answering::expect_alike;
use crate::endpoints::Endpoint;
use crate::predictions::{Loss, Question};
use crate::registry::{expect_text, who};
use crate::tended::Tended;
use crate::{Error, Server, locked};
use models::{Moved, RolloutEvent, Window};
use ports::Journal;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use types::{
    AliasMove, Analysis, CanaryStep, DataType, EndpointName, Fault, ModelName, ModelVersion, Phase, Problem, Record,
    Rollout, RolloutMove, TenantId,
};

/// How often canaries are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Who moves them, in the records.
const NOBODY: &str = "stepwell serve";

/// What somebody wants of a canary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutChange {
    pub what: RolloutVerb,
    pub why: Option<String>,
    pub by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutVerb {
    Pause,
    /// Goes on; one that was aborted begins anew.
    Resume,
    /// The candidate takes over now.
    Promote,
    /// The candidate gets nothing any more.
    Abort,
}

impl Server {
    /// Looks at every canary, again and again; each tenant's on a thread of their own, so that a version that loads slowly holds up
    /// nobody else's.
    pub(crate) fn keep_rollouts(self: &Arc<Self>) {
        let (server, telling) = (Arc::clone(self), Arc::clone(self));
        let broken = move |tenant: &TenantId| {
            let what = "looking at its canaries ended in a panic; this is a bug of ours; it is tried again";
            telling.triggers.say(format!("tenant `{tenant}`: {what}"));
        };
        let mut tended = Tended::new("canaries", move |tenant| server.tend_rollouts(tenant), broken);
        while !self.triggers.is_leaving() {
            tended.look(&locked(&self.endpoints).keys().map(|key| key.0.clone()).collect());
            self.canaries.sleep(LOOK);
        }
    }

    /// Moves a tenant's canaries as far as they can go now, unloads versions that nothing asks for, and tries those again that could not
    /// be loaded.
    pub(crate) fn tend_rollouts(&self, tenant: &TenantId) {
        let endpoints: Vec<_> = locked(&self.endpoints)
            .iter()
            .filter(|(key, _)| key.0 == *tenant)
            .map(|(key, endpoint)| (key.1.clone(), Arc::clone(endpoint)))
            .collect();
        for (name, endpoint) in endpoints {
            // Suspended, or gone: nothing of it answers.
            if self.active(tenant).is_err() {
                return;
            }
            let error = self.tend(tenant, &name, &endpoint).err().map(|error| error.to_string());
            let before = std::mem::replace(&mut *locked(&endpoint.traffic.told), error.clone());
            // The same again is no news.
            if let Some(error) = error.filter(|error| before.as_ref() != Some(error)) {
                self.triggers.say(format!("endpoint `{name}` of tenant `{tenant}`: {error}"));
            }
        }
    }

    fn tend(&self, tenant: &TenantId, name: &EndpointName, endpoint: &Endpoint) -> Result<(), Error> {
        let wanted = self.wanted(tenant, endpoint)?;
        endpoint.unload_all_but(&wanted);
        endpoint.traffic.keep(&wanted);
        self.try_again(tenant, name, endpoint)?;
        let Some(canary) = &endpoint.said.traffic.canary else { return Ok(()) };
        let _alone = locked(&endpoint.traffic.moving);
        let alias = |alias: &str| self.store.alias(tenant, &endpoint.said.model, alias);
        let (Some(stable), Some(candidate)) = (alias(&endpoint.said.alias)?, alias(&canary.alias)?) else {
            return Ok(());
        };
        let known = self.rollout(tenant, name, endpoint)?;
        let mut rollout = match known.filter(|known| (known.stable, known.candidate) == (stable, candidate)) {
            Some(rollout) => rollout,
            None if stable == candidate => return Ok(()),
            None => {
                let rollout = models::begin(stable, candidate, canary.steps.clone(), self.now_us());
                let why = format!("version {candidate} became `{}`", canary.alias);
                self.record_move(tenant, name, endpoint, Moved { rollout, why }, None)?
            }
        };
        let mut unread = Ok(());
        while !rollout.phase.is_over() {
            let moved = match self.able(tenant, name, endpoint, &rollout) {
                Ok(()) => {
                    // Labels that cannot be read keep nobody from stopping a candidate that fails.
                    let (stable, candidate) = self.seen(tenant, name, endpoint, &rollout).unwrap_or_else(|error| {
                        unread = Err(error);
                        endpoint.traffic.windows(stable, candidate)
                    });
                    let seen = RolloutEvent::Looked { stable: &stable, candidate: &candidate };
                    models::advance(&rollout, seen, self.now_us())
                }
                Err(why) => {
                    let abort = models::advance(&rollout, RolloutEvent::Abort, self.now_us());
                    abort.map(|moved| Moved { why: why.to_string(), ..moved })
                }
            };
            let Some(moved) = moved else { break };
            rollout = self.record_move(tenant, name, endpoint, moved, None)?;
        }
        unread
    }

    /// Loads the version under the alias if that failed a while ago: who asks only what is ready would never have it tried again.
    fn try_again(&self, tenant: &TenantId, name: &EndpointName, endpoint: &Endpoint) -> Result<(), Error> {
        let stable = self.store.alias(tenant, &endpoint.said.model, &endpoint.said.alias)?;
        let failed =
            |stable: &u32| endpoint.in_vain(*stable).is_some() && !endpoint.traffic.is_troubled(*stable, self.now_us());
        match stable.filter(failed) {
            // Why not is noted where it is tried.
            Some(stable) if !endpoint.is_unloaded() => drop(self.version_loaded(tenant, name, endpoint, stable)),
            _ => {}
        }
        Ok(())
    }

    /// Whether the candidate can answer what is asked of the stable version: loaded, tried, with the same columns.
    fn able(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
        rollout: &Rollout,
    ) -> Result<(), Error> {
        let candidate = self.version_loaded(tenant, name, endpoint, rollout.candidate)?;
        let stable = self.version_loaded(tenant, name, endpoint, rollout.stable)?;
        expect_alike(&stable.version, &candidate.version)?;
        Ok(expect_labels_fit(rollout, &stable.version, &candidate.version)?)
    }

    /// What both versions answered since the weight was set, and how wrong they were where the step waits for labels.
    pub(crate) fn seen(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
        rollout: &Rollout,
    ) -> Result<(Window, Window), Error> {
        let (mut stable, mut candidate) = endpoint.traffic.windows(rollout.stable, rollout.candidate);
        let Some(CanaryStep::Analyse(analysis)) = rollout.steps.get(rollout.step as usize) else {
            return Ok((stable, candidate));
        };
        if let (Some(loss), false) = (loss(analysis), rollout.phase.is_over()) {
            let numbers = [rollout.stable, rollout.candidate];
            let version = |number| self.store.version(tenant, &endpoint.said.model, number);
            let (Some(old), Some(new)) = (version(rollout.stable)?, version(rollout.candidate)?) else {
                return Err(Fault::host("a version of a canary is not in the registry").into());
            };
            let question = Question::of(
                rollout.weighed_us,
                loss,
                [&old, &new].map(|of| (of.version, &of.request[..], &of.signature.outputs[..])),
            );
            let (book, mut followed) = (self.predictions.book(tenant, name), locked(&endpoint.traffic.followed));
            [stable.labelled, candidate.labelled] = book.follow(&question, numbers, &mut followed, self.now_us())?;
        }
        Ok((stable, candidate))
    }

    /// The canary of an endpoint as it was recorded last.
    pub(crate) fn rollout(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
    ) -> Result<Option<Rollout>, Error> {
        let mut known = locked(&endpoint.traffic.rollout);
        if known.is_none() {
            *known = Some(self.last_rollout(tenant, name, &endpoint.said.model)?);
        }
        Ok(known.clone().flatten())
    }

    fn last_rollout(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        model: &ModelName,
    ) -> Result<Option<Rollout>, Error> {
        let found = self.store.rollouts(tenant, name)?.pop();
        // An endpoint of this name may have served another model.
        Ok(found.filter(|found| found.model == *model).map(|found| found.rollout))
    }

    /// Records a move, with the alias's where the candidate takes over, and has it count.
    fn record_move(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        endpoint: &Endpoint,
        moved: Moved,
        by: Option<String>,
    ) -> Result<Rollout, Error> {
        let Moved { rollout, why } = moved;
        let (model, alias, at_us) = (&endpoint.said.model, &endpoint.said.alias, self.now_us());
        let by = by.or_else(|| Some(NOBODY.to_owned()));
        let entry = RolloutMove {
            endpoint: name.clone(),
            model: model.clone(),
            rollout: rollout.clone(),
            why: why.clone(),
            by: by.clone(),
            at_us,
        };
        let mut records = vec![Record::RolloutMoved(entry)];
        // Runs that register look an alias up and move it likewise.
        let _alone = self.dispatcher.alone();
        if rollout.phase == Phase::Promoted {
            let now = self.store.alias(tenant, model, alias)?;
            if now != Some(rollout.stable) {
                let message =
                    format!("`{alias}` of model `{model}` was moved meanwhile; the canary begins anew over it");
                return Err(Error::Conflict(message));
            }
            let moved = self.new_move(model, alias, now, rollout.candidate, &by);
            records.push(Record::AliasMoved(AliasMove { why: format!("canary of endpoint `{name}`: {why}"), ..moved }));
        }
        self.store.append(tenant, &records)?;
        let mut known = locked(&endpoint.traffic.rollout);
        // What was answered under another weight is not what this one is judged by.
        if known.as_ref().and_then(Option::as_ref).is_none_or(|known| known.weight != rollout.weight) {
            endpoint.traffic.forget();
        }
        *known = Some(Some(rollout.clone()));
        Ok(rollout)
    }

    /// Whether the alias went back from a candidate that had taken over: nothing begins by itself then.
    pub(crate) fn is_taken_back(
        &self,
        tenant: &TenantId,
        endpoint: &Endpoint,
        rollout: &Rollout,
    ) -> Result<bool, Error> {
        Ok(rollout.phase == Phase::Promoted && self.is_between(tenant, endpoint, rollout)?)
    }

    /// Whether the aliases of an endpoint and its canary are where a rollout found them.
    fn is_between(&self, tenant: &TenantId, endpoint: &Endpoint, rollout: &Rollout) -> Result<bool, Error> {
        let Some(canary) = &endpoint.said.traffic.canary else { return Ok(false) };
        let alias = |alias: &str| self.store.alias(tenant, &endpoint.said.model, alias);
        let now = (alias(&endpoint.said.alias)?, alias(&canary.alias)?);
        Ok(now == (Some(rollout.stable), Some(rollout.candidate)))
    }

    /// Canaries under way that go on with the steps that they began with, not with those that a project brings.
    pub(crate) fn keeping_their_steps(
        &self,
        tenant: &TenantId,
        project: &manifest::Project,
    ) -> Result<Vec<Problem>, Error> {
        let mut keeping = Vec::new();
        for (name, said) in &project.endpoints {
            let Some(canary) = &said.traffic.canary else { continue };
            let Some(rollout) = self.last_rollout(tenant, name, &said.model)? else { continue };
            if rollout.phase.is_over() || rollout.steps == canary.steps {
                continue;
            }
            let candidate = rollout.candidate;
            let message =
                format!("endpoint `{name}`: the canary of version {candidate} is under way and keeps its old steps");
            let hint = format!("`stepwell endpoint abort {name}`, then `resume`, begins it anew with the new ones");
            keeping.push(Problem::new(message).hinted(hint));
        }
        Ok(keeping)
    }

    /// Does what somebody wants of an endpoint's canary.
    pub fn change_rollout(
        &self,
        tenant: &TenantId,
        name: &EndpointName,
        change: &RolloutChange,
    ) -> Result<RolloutMove, Error> {
        let _hold = self.active(tenant)?;
        change.why.iter().try_for_each(|why| expect_text("reason", why))?;
        let endpoint = self.find(tenant, name)?;
        let _alone = locked(&endpoint.traffic.moving);
        let Some(rollout) = self.rollout(tenant, name, &endpoint)? else {
            return Err(Error::Conflict(format!("endpoint `{name}` has no canary under way")));
        };
        let now_us = self.now_us();
        let event = match change.what {
            RolloutVerb::Pause => RolloutEvent::Pause,
            RolloutVerb::Resume => RolloutEvent::Resume,
            RolloutVerb::Promote => RolloutEvent::Promote,
            RolloutVerb::Abort => RolloutEvent::Abort,
        };
        let is_taken_back = self.is_taken_back(tenant, &endpoint, &rollout)?;
        let moved = match (change.what, rollout.phase) {
            (RolloutVerb::Resume, phase) if phase == Phase::Aborted || is_taken_back => {
                // As the endpoint has them now: what it failed by may have been mended.
                let steps = endpoint.said.traffic.canary.as_ref().map_or(&rollout.steps, |canary| &canary.steps);
                let rollout = models::begin(rollout.stable, rollout.candidate, steps.clone(), now_us);
                Some(Moved { rollout, why: "asked for".to_owned() })
            }
            _ => models::advance(&rollout, event, now_us),
        };
        let Some(moved) = moved else {
            let (phase, candidate) = (rollout.phase.word(), rollout.candidate);
            let what = format!("the canary of endpoint `{name}`, version {candidate}, is {phase}");
            return Err(Error::Conflict(match is_taken_back {
                true => format!("{what} and was taken back; `stepwell endpoint resume {name}` begins it anew"),
                false => what,
            }));
        };
        let why = change.why.clone().unwrap_or(moved.why);
        let by = who(&change.by);
        if moved.rollout.phase == Phase::Promoted {
            // Not under the lock that all tenants share, and not by the first request after.
            self.load_before(tenant, &endpoint.said.model, &endpoint.said.alias, rollout.candidate)?;
        }
        self.record_move(tenant, name, &endpoint, Moved { why, ..moved }, by)?;
        self.canaries.ring();
        let last = self.store.rollouts(tenant, name)?.pop();
        last.ok_or_else(|| Fault::host("the move was recorded and is not there").into())
    }
}

/// How an analysis holds labels against what was predicted; none if it does not.
fn loss(analysis: &Analysis) -> Option<Loss> {
    let class = analysis.accuracy_loss.map(|_| Loss::Class);
    class.or(analysis.mae_increase.map(|_| Loss::Distance))
}

/// Labels can be held against what both versions predict as the steps of a canary say.
fn expect_labels_fit(rollout: &Rollout, stable: &ModelVersion, candidate: &ModelVersion) -> Result<(), Fault> {
    let analyses = rollout.steps.iter().filter_map(|step| match step {
        CanaryStep::Analyse(analysis) => loss(analysis),
        _ => None,
    });
    for loss in analyses {
        let [stable, candidate] = [stable, candidate].map(|version| version.signature.outputs.first());
        let (Some(stable), Some(candidate)) = (stable, candidate) else {
            return Err(Fault::invalid("it predicts nothing that a label could be held against"));
        };
        if stable.data_type != candidate.data_type {
            let (got, expected) = (candidate.data_type, stable.data_type);
            return Err(Fault::invalid(format!(
                "it predicts {got}, the stable version {expected}: labels fit one of them"
            )));
        }
        let (key, fits) = match loss {
            Loss::Class => ("accuracy_loss", [DataType::Text, DataType::Boolean, DataType::Int64]),
            Loss::Distance => ("mae_increase", [DataType::Int64, DataType::Float32, DataType::Float64]),
        };
        if !fits.contains(&candidate.data_type) {
            let (name, got, fits) = (&candidate.name, candidate.data_type, fits.map(|fit| fit.to_string()).join(", "));
            let message = format!("`{key}` compares {fits}, and its first column `{name}` is {got}");
            return Err(Fault::invalid(message).hinted("`accuracy_loss` is for classes, `mae_increase` for numbers"));
        }
    }
    Ok(())
}

/// What the canary waits for, for people; `sample` is the share of requests that is logged.
pub(crate) fn waits_for(rollout: &Rollout, (stable, candidate): &(Window, Window), sample: f64) -> Option<String> {
    if rollout.phase.is_over() {
        return None;
    }
    if rollout.phase == Phase::Paused {
        return Some("somebody to resume it".to_owned());
    }
    let analysis = match rollout.steps.get(rollout.step as usize)? {
        CanaryStep::SetWeight { .. } => return None,
        CanaryStep::Pause { ms } => return ms.map(|ms| format!("a pause of {} s", ms / 1000)),
        CanaryStep::Analyse(analysis) => analysis,
    };
    let so_far = |what: &str, of: fn(&Window) -> u64| format!("{what}: {} and {} so far", of(stable), of(candidate));
    let requests = (analysis.requests > 0)
        .then(|| so_far(&format!("{} requests of each version", analysis.requests), |of| of.requests));
    let labels = (analysis.labels > 0).then(|| {
        let what = format!("labels of {} predictions of each version made since the weight was set", analysis.labels);
        let sampled = if sample < 1.0 { format!(", {} % of which are logged", 100.0 * sample) } else { String::new() };
        so_far(&format!("{what}{sampled}"), |of| of.labelled.count)
    });
    Some(requests.into_iter().chain(labels).collect::<Vec<_>>().join("; "))
}

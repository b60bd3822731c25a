//! Two contents of a project -> what the newer one runs, reaches and serves that the older one did not. Pure.

use crate::deploy::Content;
use manifest::{LogSettings, Notify, Project, Triggers};
use plan::{Plan, PlannedStep, Work};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use types::{Grants, LimitsPatch, Settings, StepName};

/// So much is shown of either side of what has changed; a step's SQL or list of columns can be long.
const SHOWN_CHARS_MAX: usize = 200;

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Added,
    Removed,
    Changed,
    /// A step reaches what it did not.
    Widened,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    pub how: How,
    /// For people: "step `main/train`: plugin `logistic` 1a2b3c4d5e6f -> 6f5e4d3c2b1a".
    pub what: String,
}

/// A content with what its texts say.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) content: &'a Content,
    pub(crate) project: &'a Project,
    pub(crate) settings: &'a Settings,
}

/// All that differs; everything, where nothing was deployed before.
pub(crate) fn between(old: Option<Side<'_>>, new: Side<'_>) -> Vec<Differs> {
    let mut found = Found(Vec::new());
    let none = Settings::new();
    found.each("setting", old.map_or(&none, |old| old.settings), new.settings, |value| value.to_string());
    found.pipelines(old, new);
    let endpoints = |side: Side<'_>| -> BTreeMap<_, _> {
        let shown = |endpoint: &manifest::Endpoint| {
            let budget = endpoint.budget.map(|budget| format!(", {budget}")).unwrap_or_default();
            let most =
                endpoint.request_bytes.map(|most| format!(", requests of at most {}", types::Quantity::Bytes(most)));
            let log = logged(&endpoint.log);
            let (model, alias, traffic) = (&endpoint.model, &endpoint.alias, &endpoint.traffic);
            format!("model `{model}`, alias `{alias}`{traffic}{budget}{}{log}", most.unwrap_or_default())
        };
        side.project.endpoints.iter().map(|(name, endpoint)| (name.clone(), shown(endpoint))).collect()
    };
    found.each("endpoint", &old.map(endpoints).unwrap_or_default(), &endpoints(new), String::clone);
    let notified = |side: Side<'_>| side.project.notify.as_ref().map(told);
    found.one("who is told of runs", old.and_then(notified), notified(new));
    let kept = |side: Side<'_>| side.project.retention.as_ref().map(retained);
    found.one("which runs are kept", old.and_then(kept), kept(new));
    let folder = |side: Side<'_>| side.content.project_dir.display().to_string();
    if let Some(old) = old {
        found.one("the project's folder", Some(folder(old)), Some(folder(new)));
    }
    found.0
}

struct Found(Vec<Differs>);

impl Found {
    fn say(&mut self, how: How, what: impl Into<String>) {
        self.0.push(Differs { how, what: what.into() });
    }

    /// What there is one of.
    fn one(&mut self, what: &str, old: Option<String>, new: Option<String>) {
        match (old, new) {
            (None, Some(new)) => {
                self.say(How::Added, format!("{what}: {}", types::beside([&new, ""], SHOWN_CHARS_MAX)[0]))
            }
            (Some(old), None) => {
                self.say(How::Removed, format!("{what}: {}", types::beside([&old, ""], SHOWN_CHARS_MAX)[0]))
            }
            (Some(old), Some(new)) if old != new => {
                let [old, new] = types::beside([&old, &new], SHOWN_CHARS_MAX);
                self.say(How::Changed, format!("{what}: {old} -> {new}"));
            }
            _ => {}
        }
    }

    /// What there are several of, by name.
    fn each<K: Ord + Display, V>(
        &mut self,
        kind: &str,
        old: &BTreeMap<K, V>,
        new: &BTreeMap<K, V>,
        shown: impl Fn(&V) -> String,
    ) {
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            self.one(&format!("{kind} `{name}`"), old.get(name).map(&shown), new.get(name).map(&shown));
        }
    }

    fn pipelines(&mut self, old: Option<Side<'_>>, new: Side<'_>) {
        let plans = |side: Side<'_>| side.content.plans.keys().cloned().collect::<BTreeSet<_>>();
        let (before, now) = (old.map(plans).unwrap_or_default(), plans(new));
        for name in before.union(&now) {
            if !now.contains(name) {
                self.say(How::Removed, format!("pipeline `{name}`"));
                continue;
            }
            if !before.contains(name) {
                self.say(How::Added, format!("pipeline `{name}`"));
            }
            let starts = |side: Side<'_>| side.project.pipelines.get(name).map(starts).unwrap_or_default();
            let (mut then, mut today) = (old.map(starts).unwrap_or_default(), starts(new));
            for kind in ["schedule", "triggers"] {
                self.one(&format!("{kind} of pipeline `{name}`"), then.remove(kind), today.remove(kind));
            }
            let courses = |side: Side<'_>| side.content.plans.get(name).map(course).unwrap_or_default();
            let (then, today) = (old.map(courses).unwrap_or_default(), courses(new));
            self.each(&format!("pipeline `{name}`:"), &then, &today, String::clone);
            let steps = |side: Side<'_>| -> BTreeMap<StepName, PlannedStep> {
                let plan = side.content.plans.get(name).into_iter();
                plan.flat_map(|plan| &plan.steps).map(|step| (step.name.clone(), step.clone())).collect()
            };
            self.steps(name, &old.map(steps).unwrap_or_default(), &steps(new));
        }
    }

    fn steps(
        &mut self,
        pipeline: &impl Display,
        old: &BTreeMap<StepName, PlannedStep>,
        new: &BTreeMap<StepName, PlannedStep>,
    ) {
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let what = format!("step `{pipeline}/{name}`");
            match (old.get(name), new.get(name)) {
                (None, Some(step)) => {
                    self.say(How::Added, format!("{what}: {}", does(&step.work)));
                    self.grants(&what, &Grants::default(), &step.grants);
                }
                (Some(_), None) => self.say(How::Removed, what),
                (Some(old), Some(new)) => self.step(&what, old, new),
                (None, None) => {}
            }
        }
    }

    fn step(&mut self, what: &str, old: &PlannedStep, new: &PlannedStep) {
        let before = self.0.len();
        self.one(&format!("{what}: plugin"), plugin(&old.work), plugin(&new.work));
        self.one(&format!("{what}: does"), Some(does(&old.work)), Some(does(&new.work)));
        let parameters = |step: &PlannedStep| -> BTreeMap<String, String> {
            let object = step.work.plugin().and_then(|plugin| plugin.parameters.as_object());
            object.into_iter().flatten().map(|(name, value)| (name.clone(), value.to_string())).collect()
        };
        self.each(&format!("{what}: parameter"), &parameters(old), &parameters(new), String::clone);
        self.grants(what, &old.grants, &new.grants);
        self.each(&format!("{what}:"), &keys(old), &keys(new), String::clone);
        if self.0.len() == before && old != new {
            self.say(How::Changed, format!("{what}: what it has from other steps"));
        }
    }

    fn grants(&mut self, what: &str, old: &Grants, new: &Grants) {
        let lines = |grants: &Grants| manifest::grant_lines(grants).join(", ");
        let (more, less) = (new.beyond(old), old.beyond(new));
        if !more.is_empty() {
            self.say(How::Widened, format!("{what} may newly reach {}", lines(&more)));
        }
        if !less.is_empty() {
            self.say(How::Changed, format!("{what} may no longer reach {}", lines(&less)));
        }
    }
}

/// What the other keys of a step say, in words.
fn keys(step: &PlannedStep) -> BTreeMap<String, String> {
    let mut keys = plan::told(step);
    keys.insert("seed".to_owned(), step.seed.to_string());
    let limits = LimitsPatch::from(step.limits).named().into_iter();
    keys.extend(limits.map(|(key, most)| (format!("limits.{key}"), most.to_string())));
    keys
}

/// How predictions are kept, where that is not as by default.
fn logged(log: &LogSettings) -> String {
    let LogSettings { sample, keep_ms, bytes } = log;
    let (keep, most) = (types::Quantity::Milliseconds(*keep_ms), types::Quantity::Bytes(*bytes));
    match *log == LogSettings::default() {
        true => String::new(),
        false => format!(", {} % of its predictions kept for {keep}, at most {most}", (sample * 1e5).round() / 1e3),
    }
}

/// What a whole pipeline may take, and before whom it begins.
pub(crate) fn course(plan: &Plan) -> BTreeMap<&'static str, String> {
    let timeout = plan.timeout_ms.map(|most| ("timeout", types::Quantity::Milliseconds(most).to_string()));
    let priority = (plan.priority != 0).then(|| ("priority", plan.priority.to_string()));
    timeout.into_iter().chain(priority).collect()
}

fn retained(retention: &manifest::Retention) -> String {
    let runs = retention.runs.map(|runs| format!("{runs} runs of a pipeline"));
    let age = retention.age_ms.map(|age| format!("{} of them", types::Quantity::Milliseconds(age)));
    runs.into_iter().chain(age).collect::<Vec<_>>().join(", ")
}

fn does(work: &Work) -> String {
    match work.plugin() {
        Some(plugin) => format!("{} with `{}`", work.name(), plugin.name),
        None => work.name().to_owned(),
    }
}

fn plugin(work: &Work) -> Option<String> {
    work.plugin().map(|plugin| format!("`{}` {}", plugin.name, plugin.component.short()))
}

/// What starts a pipeline by itself, a line each.
pub(crate) fn starts_shown(pipeline: &manifest::Pipeline) -> Vec<String> {
    starts(pipeline).into_iter().map(|(kind, what)| format!("{kind}: {what}")).collect()
}

/// What starts a pipeline by itself, by kind.
fn starts(pipeline: &manifest::Pipeline) -> BTreeMap<&'static str, String> {
    let mut starts = BTreeMap::new();
    if let Some(schedule) = &pipeline.schedule {
        starts.insert("schedule", said(schedule));
    }
    if pipeline.triggers != Triggers::default() {
        starts.insert("triggers", shown(&pipeline.triggers));
    }
    starts
}

fn said(schedule: &trigger::Schedule) -> String {
    let paused = if schedule.is_paused() { ", paused" } else { "" };
    let rules: String = schedule.rules().iter().map(|(key, value)| format!(", {key} {value}")).collect();
    format!("`{}` in {}{rules}{paused}", schedule.expression(), schedule.zone())
}

fn told(notify: &Notify) -> String {
    let on: Vec<_> = notify.on.iter().map(|occasion| occasion.word()).collect();
    let signed = notify.secret.as_ref().map(|secret| format!(", signed with `{secret}`")).unwrap_or_default();
    format!("{} of {}{signed}", notify.url, on.join(", "))
}

fn shown(triggers: &Triggers) -> String {
    let Triggers { after, files, source, webhook, .. } = triggers;
    let list = |what: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    let quoted = |name: &dyn Display| format!("`{name}`");
    let parts = [
        list("after", after.iter().map(|name| quoted(name)).collect()),
        list("files", files.iter().map(|name| quoted(name)).collect()),
        source.as_ref().map(|(step, ms)| format!("source `{step}` every {}", types::Quantity::Milliseconds(*ms))),
        webhook.as_ref().map(|secret| format!("webhook signed with `{secret}`")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

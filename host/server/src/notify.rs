//! A run that needs somebody -> a signed message to whom the deployed project names. It goes through the same door as a
//! step's requests: where the tenant's policy does not let a step, no message goes either.
//!
//! A message is tried a few times, and then recorded as given up. What a crash cuts short is sent by the next server: a run
//! that failed within a day and about which nothing is recorded.

use crate::bell::Bell;
use crate::signing::Message;
use crate::{Error, Server, authority, locked, triggers};
use doors::Keeper;
use ports::{Ask, Journal, Told};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use types::{Fault, FaultKind, Grants, HttpGrant, HttpPattern, Limits, Record, RunHead, RunId, TenantId};

pub(crate) const FAILED: &str = "failed";
pub(crate) const RESUMED: &str = "resumed";

/// How long ago a run may have failed that somebody is still told of.
const OLD_US: i64 = 86_400_000_000;
/// Waits between tries.
const AGAIN_US: [i64; 4] = [1_000_000, 10_000_000, 60_000_000, 600_000_000];
/// Messages that wait; more are left to the next server.
const WAITING_MAX: usize = 1_000;
/// Messages on their way at once.
const SENDING_MAX: usize = 8;
const ANSWER_MS_MAX: u32 = 10_000;
const SLEEP_MAX: Duration = Duration::from_secs(20);

/// Messages that wait to be sent.
#[derive(Default)]
pub(crate) struct Notifier {
    waiting: Mutex<Vec<Waiting>>,
    sending: Mutex<usize>,
    pub(crate) bell: Bell,
}

/// What a message is about, and when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    tenant: TenantId,
    run: RunId,
    about: &'static str,
    tries: usize,
    due_us: i64,
}

impl Server {
    /// Has a message sent, if somebody is to be told and nobody was.
    pub(crate) fn notify(&self, tenant: &TenantId, head: &RunHead, about: &'static str, since_us: i64) {
        let now_us = self.now_us();
        let is_open = || matches!(self.store.notified(tenant, head.run, about), Ok(None));
        if now_us.saturating_sub(since_us) > OLD_US || !is_open() || !self.is_wanted(tenant, head, about) {
            return;
        }
        let mut waiting = locked(&self.notifier.waiting);
        let is_known = |known: &Waiting| known.tenant == *tenant && known.run == head.run && known.about == about;
        if waiting.len() < WAITING_MAX && !waiting.iter().any(is_known) {
            waiting.push(Waiting { tenant: tenant.clone(), run: head.run, about, tries: 0, due_us: now_us });
            self.notifier.bell.ring();
        }
    }

    fn is_wanted(&self, tenant: &TenantId, head: &RunHead, about: &str) -> bool {
        let deployed = self.current_deployment(tenant, &head.project).ok().flatten();
        let notify = deployed.as_ref().and_then(|deployed| deployed.project.notify.as_ref());
        notify.is_some_and(|notify| notify.on.iter().any(|on| on.word() == about))
    }

    pub(crate) fn keep_notifying(self: &Arc<Self>) {
        while !self.triggers.is_leaving() {
            let wake = self.send_due();
            let until = wake.map(|wake| Duration::from_micros(u64::try_from(wake - self.now_us()).unwrap_or(0)));
            self.notifier.bell.sleep(until.unwrap_or(SLEEP_MAX).min(SLEEP_MAX));
        }
    }

    /// Sends what is due, each on a thread of its own; says when the next is.
    fn send_due(self: &Arc<Self>) -> Option<i64> {
        let (now_us, longest) = (self.now_us(), AGAIN_US[AGAIN_US.len() - 1]);
        let mut waiting = locked(&self.notifier.waiting);
        // A clock that went back makes nobody wait longer.
        let is_due = |message: &Waiting| !(now_us + 1..=now_us + longest).contains(&message.due_us);
        while let Some(at) = waiting.iter().position(is_due) {
            let mut sending = locked(&self.notifier.sending);
            if *sending >= SENDING_MAX {
                // Whoever ends rings.
                return None;
            }
            *sending += 1;
            let (server, message) = (Arc::clone(self), waiting.remove(at));
            std::thread::spawn(move || {
                server.send(message);
                *locked(&server.notifier.sending) -= 1;
                server.notifier.bell.ring();
            });
        }
        waiting.iter().map(|message| message.due_us).min()
    }

    fn send(&self, message: Waiting) {
        let Waiting { tenant, run, about, tries, .. } = message.clone();
        let sent = self.deliver(&tenant, run, about);
        if self.triggers.is_leaving() && sent.is_err() {
            return;
        }
        let passes = |kind: &FaultKind| matches!(kind, FaultKind::Transient { .. } | FaultKind::Host);
        let may_fare_better = |error: &Error| matches!(error, Error::Fault(fault) if passes(&fault.kind));
        match (&sent, AGAIN_US.get(tries)) {
            (Err(error), Some(wait_us)) if may_fare_better(error) => {
                let due_us = self.now_us() + wait_us;
                locked(&self.notifier.waiting).push(Waiting { tries: tries + 1, due_us, ..message });
                return;
            }
            (Err(error), _) => {
                let what = format!("run {run} of tenant `{tenant}` {about}, and nobody could be told");
                self.triggers.say(format!("{what}: {}", triggers::in_words(error)));
            }
            (Ok(()), _) => {}
        }
        let record = Record::Notified { run, about: about.to_owned(), delivered: sent.is_ok(), at_us: self.now_us() };
        // A journal that does not take it is told of by whatever else writes; the message is sent again by the next server.
        let _ = self.store.append(&tenant, &[record]);
    }

    fn deliver(&self, tenant: &TenantId, run: RunId, about: &str) -> Result<(), Error> {
        let head = self.summary(tenant, run)?.head;
        let Some(deployed) = self.current_deployment(tenant, &head.project)? else { return Ok(()) };
        let Some(notify) = &deployed.project.notify else { return Ok(()) };
        let body = self.message(tenant, &head, about)?;
        let (id, timestamp) =
            (format!("{}_{about}", triggers::of_run(tenant, run)), (self.now_us() / 1_000_000).to_string());
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![
            header("content-type", "application/json"),
            header("webhook-id", &id),
            header("webhook-timestamp", &timestamp),
        ];
        if let Some(name) = &notify.secret {
            let key = self.key(tenant, name)?.ok_or_else(|| no_secret(name))?;
            let signature = key.sign(Message { id: &id, timestamp: &timestamp, body: &body });
            headers.push(header("webhook-signature", &signature));
        }
        let (grants, base) = (granted(&notify.url)?, deployed.content.project_dir.clone());
        let authority = authority::of(&self.options, &self.store, &self.accounts, tenant)?;
        let mut keeper = Keeper::new(grants, base, authority, Limits::DEFAULT)?;
        let ask = Ask::Fetch { method: "POST".to_owned(), url: notify.url.clone(), headers, timeout_ms: ANSWER_MS_MAX };
        let patience = Duration::from_millis(ANSWER_MS_MAX.into());
        let (told, ..) = keeper.answer(ask, body, patience, &|| self.triggers.is_leaving())?;
        match told {
            Told::Fetched { status: 200..=299, .. } => Ok(()),
            Told::Fetched { status, .. } => {
                let fault = FaultKind::Transient { retry_after_ms: 1_000 };
                Err(Fault::new(fault, format!("`{}` answers {status}", notify.url)).into())
            }
            _ => Err(Fault::host("a request was answered with something else").into()),
        }
    }

    fn message(&self, tenant: &TenantId, head: &RunHead, about: &str) -> Result<Vec<u8>, Error> {
        let detail = self.run(tenant, head.run)?;
        let failed = detail.steps.iter().filter(|step| step.state == "failed");
        let steps: Vec<_> = failed.map(|step| json!({ "step": step.step, "why": step.because })).collect();
        let why = detail.because.map(Value::from).or_else(|| steps.first().map(|step| step["why"].clone()));
        let message = json!({
            "type": format!("run.{about}"),
            "tenant": tenant,
            "run": head.run,
            "project": head.project,
            "pipeline": head.pipeline,
            "version": head.deployment,
            "state": detail.line.state,
            "cause": head.cause,
            "started_us": head.started_us,
            "finished_us": detail.line.finished_us,
            "why": why,
            "failed": steps,
            "report": detail.report,
        });
        Ok(serde_json::to_vec(&message).map_err(Fault::host)?)
    }
}

/// What lets the message out, and nothing else. Whether the address may be a private one is the policy's to say.
pub(crate) fn granted(url: &str) -> Result<Grants, Fault> {
    let without_query = url.split(['?', '#']).next().unwrap_or_default();
    let allow = HttpPattern::parse(&format!("POST {without_query}")).map_err(Fault::invalid)?;
    Ok(Grants { http: vec![HttpGrant { allow, secrets: Vec::new(), private: true }], ..Grants::default() })
}

fn no_secret(name: &str) -> Fault {
    Fault::invalid(format!("the tenant has no secret `{name}`")).hinted(format!("stepwell secret set {name}"))
}

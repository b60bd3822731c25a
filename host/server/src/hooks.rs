//! A signed call from outside -> a run. Whoever has no right signature learns nothing, not even whether there is a pipeline.

use crate::fire::{Fired, Spark};
use crate::signing::{Key, Message, is_of_now};
use crate::{Error, Server, folder, secret_name};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use types::{Cause, Fault, Id, PipelineName, ProjectName, TenantId};

/// The most bytes of a call.
pub const HOOK_BYTES_MAX: usize = 64 << 10;
/// Runs of a tenant that triggers started and that have not ended: with so many, no more are taken from outside.
const WAITING_MAX: usize = 100;
/// The most bytes of what a sender calls itself, or its event.
const NAME_BYTES_MAX: usize = 256;

/// A call, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookCall {
    /// Those that stand once and are text, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl HookCall {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether its headers are those of a signed call of now.
    fn may_be_signed(&self, now_us: i64) -> bool {
        let id = self.header("webhook-id");
        // The signed text is cut at dots: an id that has one could be cut elsewhere.
        let is_named = !id.is_empty() && !id.contains('.');
        is_named && is_of_now(self.header("webhook-timestamp"), now_us) && !self.header("webhook-signature").is_empty()
    }
}

/// Why a call starts nothing.
#[derive(Debug)]
pub enum HookRefused {
    /// No right signature of a pipeline that takes calls.
    Unsigned,
    /// It is signed, and is no event; in words.
    NoEvent(String),
    /// Enough waits already.
    Full,
    Server(Error),
}

impl From<Error> for HookRefused {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl From<Fault> for HookRefused {
    fn from(fault: Fault) -> Self {
        Self::Server(fault.into())
    }
}

impl Server {
    /// Whether a call can be signed, as its headers tell. One that cannot needs no body, and nothing to be looked up.
    pub fn may_be_signed(&self, call: &HookCall) -> bool {
        call.may_be_signed(self.now_us())
    }

    /// Starts a run for an event, or says which run it has started.
    pub fn hook(
        self: &Arc<Self>,
        tenant: &TenantId,
        project: &str,
        pipeline: &str,
        call: &HookCall,
    ) -> Result<Fired, HookRefused> {
        let now_us = self.now_us();
        if !call.may_be_signed(now_us) {
            return Err(HookRefused::Unsigned);
        }
        // Whatever is wrong on our side is told to whoever has signed alone, and that there is no such tenant to nobody.
        let found = self.find_hook(tenant, project, pipeline);
        let hook = found.as_ref().ok().and_then(Option::as_ref);
        let (id, timestamp) = (call.header("webhook-id"), call.header("webhook-timestamp"));
        // Where there is no pipeline, a key is tried all the same.
        let nobody = Key::of(b"nobody");
        let key = hook.map_or(&nobody, |(.., key)| key);
        let message = Message { id, timestamp, body: &call.body };
        let is_signed = key.signed(message, call.header("webhook-signature"), now_us);
        let Some((deployed, pipeline, _)) = found.ok().flatten().filter(|_| is_signed) else {
            return Err(HookRefused::Unsigned);
        };
        let (source, id) = event(call).map_err(HookRefused::NoEvent)?;
        let cause = Cause::Event { source, id };
        if let Some(run) = self.store.fired(tenant, &deployed.deployment.project, &pipeline, &cause)? {
            return Ok(Fired::Already(run));
        }
        if self.waiting(tenant)? >= WAITING_MAX {
            return Err(HookRefused::Full);
        }
        Ok(self.fire(tenant, &deployed, &pipeline, Spark::new(cause))?)
    }

    /// The deployed pipeline that takes calls, and its key.
    fn find_hook(
        &self,
        tenant: &TenantId,
        project: &str,
        pipeline: &str,
    ) -> Result<Option<(Arc<crate::deploy::Deployed>, PipelineName, Key)>, Error> {
        self.known(tenant)?;
        let (Ok(project), Ok(pipeline)) = (ProjectName::parse(project), PipelineName::parse(pipeline)) else {
            return Ok(None);
        };
        let Some(deployed) = self.current_deployment(tenant, &project)? else { return Ok(None) };
        let Some(secret) = deployed.triggers(&pipeline).webhook else { return Ok(None) };
        Ok(self.key(tenant, &secret)?.map(|key| (deployed, pipeline, key)))
    }

    /// The key that a secret of the tenant is.
    pub(crate) fn key(&self, tenant: &TenantId, name: &str) -> Result<Option<Key>, Error> {
        secret_name(name)?;
        let secrets = crate::secrets::read(&folder::secrets(&self.options.data, tenant))?;
        Ok(secrets.get(name).map(|secret| Key::of(secret.reveal())))
    }

    fn waiting(&self, tenant: &TenantId) -> Result<usize, Error> {
        let is_triggered =
            |cause: &Cause| matches!(cause, Cause::Event { .. } | Cause::Upstream { .. } | Cause::Data { .. });
        Ok(self.under_way(tenant)?.iter().filter(|head| is_triggered(&head.cause)).count())
    }
}

/// What CloudEvents 1.0 says of itself; what else it says is not needed.
#[derive(Deserialize)]
struct CloudEvent {
    specversion: String,
    id: String,
    source: String,
}

/// Where an event is from, and what it is called there: as a CloudEvent says in its body, or else by the call's own id. Headers
/// beside that id are not signed, so whoever overheard a call could make another event of it: they have no say.
fn event(call: &HookCall) -> Result<(String, String), String> {
    let id = call.headers.get("webhook-id").cloned().unwrap_or_default();
    let (version, source, id) = match serde_json::from_slice::<CloudEvent>(&call.body) {
        Ok(event) => (event.specversion, event.source, event.id),
        Err(_) => ("1.0".to_owned(), "webhook".to_owned(), id),
    };
    if version != "1.0" {
        return Err("`specversion` is not \"1.0\"".to_owned());
    }
    for (what, text) in [("source", &source), ("id", &id)] {
        if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(format!("`{what}` is not 1 to {NAME_BYTES_MAX} bytes of text"));
        }
    }
    Ok((source, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(headers: &[(&str, &str)], body: &str) -> HookCall {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HookCall { headers, body: body.as_bytes().to_vec() }
    }

    fn names(source: &str, id: &str) -> Result<(String, String), String> {
        Ok((source.to_owned(), id.to_owned()))
    }

    #[test]
    fn an_event_is_named_by_what_is_signed_alone() {
        let plain = call(&[("webhook-id", "msg_1"), ("content-type", "application/json")], "{}");
        assert_eq!(event(&plain), names("webhook", "msg_1"));
        let structured = r#"{"specversion":"1.0","id":"7","source":"/shop","type":"sold","data":{}}"#;
        for content in ["application/cloudevents+json; charset=utf-8", "text/plain"] {
            let called = call(&[("content-type", content), ("webhook-id", "msg_1"), ("ce-id", "8")], structured);
            assert_eq!(event(&called), names("/shop", "7"));
        }
        let forged = [("ce-specversion", "1.0"), ("ce-id", "8"), ("ce-source", "/shop"), ("webhook-id", "msg_1")];
        assert_eq!(event(&call(&forged, "anything")), names("webhook", "msg_1"));
    }

    #[test]
    fn what_is_no_event_says_why() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for (call, why) in [
            (call(&[], ""), "`id` is not 1 to 256 bytes"),
            (call(&[("webhook-id", &long)], ""), "`id` is not 1 to 256 bytes"),
            (call(&[], r#"{"specversion":"0.3","id":"7","source":"s"}"#), "`specversion` is not"),
            (call(&[], r#"{"specversion":"1.0","id":"7\u0000","source":"s"}"#), "`id` is not"),
            (call(&[], r#"{"specversion":"1.0","id":"7","source":""}"#), "`source` is not"),
        ] {
            let told = event(&call).expect_err(why);
            assert!(told.contains(why), "{told}");
        }
    }
}

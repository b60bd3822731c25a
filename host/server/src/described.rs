//! What plugins said of themselves, kept while the server runs: planning a run asks each step's twice, and an answer that no door
//! stood open for depends on nothing but the question.

use crate::locked;
use ports::Call;
use std::collections::BTreeMap;
use std::sync::Mutex;
use types::{Descriptor, Digest, Fault, Grants, TenantId};

/// Answers that are kept of a tenant's plugins. When they are as many they are all forgotten: that costs asking again.
const ANSWERS_MAX: usize = 1_000;

/// By tenant, and by all of the question.
#[derive(Default)]
pub(crate) struct Answers(Mutex<BTreeMap<TenantId, BTreeMap<Digest, Descriptor>>>);

impl Answers {
    /// The answer that was given to such a call before, or else what `ask` gives. A refusal is not kept.
    pub(crate) fn or_ask(
        &self,
        tenant: &TenantId,
        call: &Call,
        ask: impl FnOnce() -> Result<Descriptor, Fault>,
    ) -> Result<Descriptor, Fault> {
        if call.grants != Grants::default() {
            return ask();
        }
        let question = Digest::of_json(&call.assignment);
        if let Some(known) = locked(&self.0).get(tenant).and_then(|answers| answers.get(&question)) {
            return Ok(known.clone());
        }
        let answer = ask()?;
        let mut all = locked(&self.0);
        let answers = all.entry(tenant.clone()).or_default();
        if answers.len() >= ANSWERS_MAX {
            answers.clear();
        }
        answers.insert(question, answer.clone());
        Ok(answer)
    }

    pub(crate) fn forget(&self, tenant: &TenantId) {
        locked(&self.0).remove(tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ports::{Assignment, Task};
    use std::path::PathBuf;
    use types::{Device, FileGrant, Limits};

    fn call(seed: u64, grants: Grants) -> Call {
        let (component, parameters, task) = (Digest::of(b"component"), serde_json::json!({}), Task::Discover);
        let (logical_time_us, limits, checkpoint) = (0, Limits::DEFAULT, None);
        let assignment =
            Assignment { component, parameters, seed, logical_time_us, limits, device: Device::Cpu, checkpoint, task };
        Call { who: "step `a`".to_owned(), assignment, grants, base: PathBuf::new(), turn: Default::default() }
    }

    fn named(name: &str) -> Descriptor {
        let (version, summary, parameters, learns) = ("1.0.0".to_owned(), String::new(), serde_json::json!({}), false);
        let (inputs, outputs, roles, imports) = Default::default();
        Descriptor {
            name: name.parse().unwrap(),
            version,
            summary,
            parameters,
            inputs,
            outputs,
            learns,
            roles,
            imports,
        }
    }

    #[test]
    fn only_what_a_tenant_asked_alike_and_without_a_door_is_not_asked_again() {
        let (answers, tenant, other) = (Answers::default(), TenantId::default_tenant(), "other".parse().unwrap());
        let ask = |tenant, call: &Call, name| answers.or_ask(tenant, call, || Ok(named(name))).unwrap();
        let (plain, seeded) = (call(1, Grants::default()), call(2, Grants::default()));
        assert_eq!(ask(&tenant, &plain, "first"), named("first"));
        assert_eq!(ask(&tenant, &plain, "second"), named("first"));
        assert_eq!(ask(&tenant, &seeded, "third"), named("third"));
        assert_eq!(ask(&other, &plain, "fourth"), named("fourth"));
        let file = FileGrant { path: "data".to_owned(), write: false };
        let open = call(1, Grants { files: vec![file], ..Grants::default() });
        assert_eq!(ask(&tenant, &open, "fifth"), named("fifth"));
        assert_eq!(ask(&tenant, &open, "sixth"), named("sixth"));
        answers.or_ask(&tenant, &call(3, Grants::default()), || Err(Fault::guest("no"))).unwrap_err();
        assert_eq!(ask(&tenant, &call(3, Grants::default()), "seventh"), named("seventh"));
        answers.forget(&tenant);
        assert_eq!(ask(&tenant, &plain, "eighth"), named("eighth"));
        assert_eq!(ask(&other, &plain, "ninth"), named("fourth"));
    }
}

//! What became of an endpoint's requests since the server began, as the protocol's statistics count it. It is part of the
//! endpoint, and goes with it.

use crate::answering::Served;
use crate::endpoints::{Endpoint, VERSIONS_MAX};
use crate::{Server, locked};
use serve::{InferStatistics, ModelStatistics};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use types::{EndpointName, TenantId};

/// Where the time of a request goes. Each part ends with the function that is named after it. Who asks and who answers have it
/// together, and it is counted when the last of them lets go: a client that leaves takes nothing out of the statistics.
pub struct Took {
    server: Arc<Server>,
    tenant: TenantId,
    name: EndpointName,
    times: Mutex<Times>,
}

struct Times {
    came: Instant,
    last: Instant,
    queue: Duration,
    input: Duration,
    done: Option<Done>,
}

/// The end of a request that was answered.
struct Done {
    version: u32,
    answered_us: i64,
    rows: u64,
    infer: Duration,
    /// Nothing where nobody waited for the answer any more.
    output: Duration,
}

impl Times {
    /// Of a request that came then, and whose turn it is now.
    fn since(came: Instant) -> Self {
        let (last, nothing) = (Instant::now(), Duration::ZERO);
        Self { came, last, queue: last - came, input: nothing, done: None }
    }

    fn part(&mut self) -> Duration {
        let begun = std::mem::replace(&mut self.last, Instant::now());
        self.last - begun
    }
}

impl Took {
    /// The request was read.
    pub fn read(&self) {
        let times = &mut *locked(&self.times);
        times.input = times.part();
    }

    /// The version has answered.
    pub fn inferred(&self, served: &Served) {
        let times = &mut *locked(&self.times);
        let (version, answered_us, rows) = (served.version, served.answered_us, served.predictions.rows());
        times.done = Some(Done { version, answered_us, rows, infer: times.part(), output: Duration::ZERO });
    }

    /// The answer was written.
    pub fn wrote(&self) {
        let times = &mut *locked(&self.times);
        let output = times.part();
        times.done.iter_mut().for_each(|done| done.output = output);
    }
}

impl Drop for Took {
    fn drop(&mut self) {
        if let Some(endpoint) = self.server.endpoint_named(&self.tenant, &self.name) {
            endpoint.tally.add(&locked(&self.times));
        }
    }
}

/// What each of an endpoint's versions answered, and what was not.
#[derive(Default)]
pub(crate) struct Tally(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    versions: BTreeMap<u32, ModelStatistics>,
    failed: serve::Duration,
}

impl Tally {
    /// Counts a request; of the oldest versions no more than some are kept.
    fn add(&self, took: &Times) {
        let Counted { versions, failed } = &mut *locked(&self.0);
        let Some(done) = &took.done else { return count(failed, took.came.elapsed()) };
        if versions.len() >= VERSIONS_MAX && !versions.contains_key(&done.version) {
            versions.pop_first();
        }
        let statistics = versions.entry(done.version).or_default();
        statistics.last_inference = u64::try_from(done.answered_us / 1000).unwrap_or_default();
        statistics.inference_count += done.rows;
        statistics.execution_count += 1;
        let parts = statistics.inference_stats.get_or_insert_default();
        count(parts.success.get_or_insert_default(), took.came.elapsed());
        count(parts.queue.get_or_insert_default(), took.queue);
        count(parts.compute_input.get_or_insert_default(), took.input);
        count(parts.compute_infer.get_or_insert_default(), done.infer);
        count(parts.compute_output.get_or_insert_default(), done.output);
    }

    /// What was counted of a version. Requests that failed are told with whichever version is asked for: they need not have
    /// come as far as to one.
    fn of(&self, endpoint: &EndpointName, version: u32) -> ModelStatistics {
        let counted = locked(&self.0);
        let statistics = counted.versions.get(&version).cloned().unwrap_or_default();
        let answered = statistics.inference_stats.unwrap_or_default();
        let of_all = InferStatistics {
            success: Some(answered.success.unwrap_or_default()),
            fail: Some(counted.failed),
            queue: Some(answered.queue.unwrap_or_default()),
            compute_input: Some(answered.compute_input.unwrap_or_default()),
            compute_infer: Some(answered.compute_infer.unwrap_or_default()),
            compute_output: Some(answered.compute_output.unwrap_or_default()),
        };
        ModelStatistics {
            name: endpoint.to_string(),
            version: version.to_string(),
            inference_stats: Some(of_all),
            ..statistics
        }
    }
}

impl Server {
    /// Of a request that came then, and whose turn it is now: it counts for the endpoint, if that is still there when it ends.
    pub fn took(self: &Arc<Self>, tenant: &TenantId, name: &EndpointName, came: Instant) -> Arc<Took> {
        let (server, tenant, name) = (Arc::clone(self), tenant.clone(), name.clone());
        Arc::new(Took { server, tenant, name, times: Mutex::new(Times::since(came)) })
    }

    /// What was counted of a version of an endpoint.
    pub fn statistics(&self, tenant: &TenantId, name: &EndpointName, version: u32) -> ModelStatistics {
        let tally = self.endpoint_named(tenant, name).map(|endpoint: Arc<Endpoint>| Arc::clone(&endpoint.tally));
        tally.unwrap_or_default().of(name, version)
    }
}

fn count(counted: &mut serve::Duration, took: Duration) {
    counted.count += 1;
    counted.ns += took.as_nanos().try_into().unwrap_or(u64::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request that a version answered.
    fn answered(version: u32, rows: u64) -> Times {
        let nothing = Duration::ZERO;
        let done = Done { version, answered_us: 7_000, rows, infer: nothing, output: nothing };
        Times { done: Some(done), ..Times::since(Instant::now()) }
    }

    fn name() -> EndpointName {
        "iris".parse().unwrap()
    }

    #[test]
    fn requests_are_counted_by_version_and_failures_by_endpoint() {
        let tally = Tally::default();
        [(1, 3), (2, 4), (2, 5)].into_iter().for_each(|(version, rows)| tally.add(&answered(version, rows)));
        tally.add(&Times::since(Instant::now()));
        let said = tally.of(&name(), 2);
        assert_eq!((said.inference_count, said.execution_count, said.version.as_str()), (9, 2, "2"));
        let parts = said.inference_stats.unwrap();
        let counts = [parts.success, parts.fail, parts.queue, parts.compute_input, parts.compute_infer];
        assert_eq!(counts.map(|part| part.unwrap().count), [2, 1, 2, 2, 2]);
        assert_eq!(said.last_inference, 7);
    }

    #[test]
    fn the_newest_versions_are_kept_and_the_one_that_answers() {
        let tally = Tally::default();
        (1..=1000).for_each(|version| tally.add(&answered(version, 1)));
        // Rolled back, however far.
        tally.add(&answered(7, 1));
        tally.add(&answered(7, 1));
        let kept: Vec<u32> = locked(&tally.0).versions.keys().copied().collect();
        assert_eq!(kept, [7, 998, 999, 1000]);
        assert_eq!(tally.of(&name(), 7).execution_count, 2);
    }
}

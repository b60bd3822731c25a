//! What became of the requests of each endpoint since the server began, as the protocol's statistics count it.

use serve::{InferStatistics, ModelStatistics};
use server::Served;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use types::{EndpointName, TenantId};

/// Where the time of a request went. Each part ends with the function that is named after it.
pub(crate) struct Took {
    came: Instant,
    last: Instant,
    queue: Duration,
    input: Duration,
    infer: Duration,
    done: Option<Done>,
}

/// The end of a request that was answered.
struct Done {
    version: u32,
    answered_us: i64,
    rows: u64,
    output: Duration,
}

impl Took {
    /// Of a request that came then, and whose turn it is now.
    pub(crate) fn since(came: Instant) -> Self {
        let (last, nothing) = (Instant::now(), Duration::ZERO);
        Self { came, last, queue: last - came, input: nothing, infer: nothing, done: None }
    }

    fn part(&mut self) -> Duration {
        let begun = std::mem::replace(&mut self.last, Instant::now());
        self.last - begun
    }

    pub(crate) fn read(&mut self) {
        self.input = self.part();
    }

    pub(crate) fn inferred(&mut self) {
        self.infer = self.part();
    }

    pub(crate) fn wrote(&mut self, served: &Served) {
        let (version, answered_us, rows) = (served.version, served.answered_us, served.predictions.rows());
        self.done = Some(Done { version, answered_us, rows, output: self.part() });
    }
}

/// All that is counted, by the endpoints that there are or were.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(TenantId, EndpointName), Counted>>);

/// Of an endpoint: what each version answered, and what was not.
#[derive(Default)]
struct Counted {
    versions: BTreeMap<u32, ModelStatistics>,
    failed: serve::Duration,
}

impl Tally {
    /// Counts a request to an endpoint that there is.
    pub(crate) fn add(&self, tenant: &TenantId, endpoint: &EndpointName, took: Took) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all.entry((tenant.clone(), endpoint.clone())).or_default();
        let Some(done) = took.done else { return count(&mut counted.failed, took.came.elapsed()) };
        let statistics = counted.versions.entry(done.version).or_default();
        statistics.last_inference = u64::try_from(done.answered_us / 1000).unwrap_or_default();
        statistics.inference_count += done.rows;
        statistics.execution_count += 1;
        let parts = statistics.inference_stats.get_or_insert_default();
        count(parts.success.get_or_insert_default(), took.came.elapsed());
        count(parts.queue.get_or_insert_default(), took.queue);
        count(parts.compute_input.get_or_insert_default(), took.input);
        count(parts.compute_infer.get_or_insert_default(), took.infer);
        count(parts.compute_output.get_or_insert_default(), done.output);
    }

    /// What was counted of a version of an endpoint. Requests that failed are told with whichever version is asked for: they
    /// need not have come as far as to one.
    pub(crate) fn of(&self, tenant: &TenantId, endpoint: &EndpointName, version: u32) -> ModelStatistics {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all.get(&(tenant.clone(), endpoint.clone()));
        let statistics = counted.and_then(|counted| counted.versions.get(&version)).cloned().unwrap_or_default();
        let answered = statistics.inference_stats.unwrap_or_default();
        let of_all = InferStatistics {
            success: Some(answered.success.unwrap_or_default()),
            fail: Some(counted.map(|counted| counted.failed).unwrap_or_default()),
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

fn count(counted: &mut serve::Duration, took: Duration) {
    counted.count += 1;
    counted.ns += took.as_nanos().try_into().unwrap_or(u64::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Id;

    #[test]
    fn requests_are_counted_by_version_and_failures_by_endpoint() {
        let (tally, tenant) = (Tally::default(), TenantId::parse("acme").unwrap());
        let endpoint = EndpointName::parse("iris").unwrap();
        for (version, rows) in [(1, 3), (2, 4), (2, 5)] {
            let mut took = Took::since(Instant::now());
            took.read();
            took.inferred();
            let done = Done { version, answered_us: 7_000, rows, output: Duration::ZERO };
            tally.add(&tenant, &endpoint, Took { done: Some(done), ..took });
        }
        tally.add(&tenant, &endpoint, Took::since(Instant::now()));
        let said = tally.of(&tenant, &endpoint, 2);
        assert_eq!((said.inference_count, said.execution_count, said.version.as_str()), (9, 2, "2"));
        let parts = said.inference_stats.unwrap();
        let counts = [parts.success, parts.fail, parts.queue, parts.compute_input, parts.compute_infer];
        assert_eq!(counts.map(|part| part.unwrap().count), [2, 1, 2, 2, 2]);
        assert_eq!(said.last_inference, 7);
        let other = tally.of(&TenantId::parse("other").unwrap(), &endpoint, 2);
        assert_eq!((other.execution_count, other.inference_stats.unwrap().fail.unwrap().count), (0, 0));
    }
}

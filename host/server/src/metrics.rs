//! What requests to endpoints took -> text for Prometheus. Counted where versions answer, so whatever route they came by.
//!
//! A series is a version behind an endpoint of a tenant, or what the endpoint was asked while it had none. There are those of endpoints that are served, of each the newest
//! versions: nobody outside can make one.

use crate::endpoints::VERSIONS_MAX;
use crate::exposition::{Histogram, Page};
use crate::locked;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use types::{EndpointName, Fault, FaultKind, TenantId};
use worker::Answered;

/// Upper bounds of times, in microseconds.
const TIMES_US: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];
/// Upper bounds of requests in a batch.
const REQUESTS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Answered,
    /// The model refused its rows.
    Refused,
    /// There were too many others.
    Busy,
    /// Also where no version could be loaded, or none was there.
    Failed,
}

impl Ended {
    const ALL: [(Self, &str); 4] =
        [(Self::Answered, "answered"), (Self::Refused, "refused"), (Self::Busy, "busy"), (Self::Failed, "failed")];

    pub(crate) fn of(fault: &Fault) -> Self {
        match fault.kind {
            FaultKind::Invalid => Self::Refused,
            FaultKind::Busy { .. } => Self::Busy,
            _ => Self::Failed,
        }
    }
}

/// Whose series it is: a version's behind an endpoint, or, without one, the endpoint's own.
type Key = (TenantId, EndpointName, Option<u32>);

/// All series.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<Key, Arc<Series>>>);

/// What one version behind one endpoint did.
pub(crate) struct Series {
    ended: [AtomicU64; 4],
    under_way: AtomicU64,
    rows: AtomicU64,
    request: Histogram,
    queue: Histogram,
    transform: Histogram,
    predict: Histogram,
    batch: Histogram,
}

impl Series {
    fn new() -> Self {
        let [request, queue, transform, predict] = [(); 4].map(|()| Histogram::new(&TIMES_US));
        let batch = Histogram::new(&REQUESTS);
        let (ended, under_way, rows) = Default::default();
        Self { ended, under_way, rows, request, queue, transform, predict, batch }
    }

    /// A request came; [`Self::told`] takes note of its end.
    pub(crate) fn asked(&self) -> Instant {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Instant::now()
    }

    /// What a request that came at this instant was told.
    pub(crate) fn told(&self, asked: Instant, answered: &Result<Answered, Fault>) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        self.request.add_time(asked.elapsed());
        match answered {
            Ok(Answered { predictions, waited, spent, requests }) => {
                self.end(Ended::Answered);
                self.rows.fetch_add(predictions.rows(), Ordering::Relaxed);
                self.queue.add_time(*waited);
                self.transform.add_time(spent.transform);
                self.predict.add_time(spent.predict);
                self.batch.add(*requests as u64);
            }
            Err(fault) => self.end(Ended::of(fault)),
        }
    }

    pub(crate) fn end(&self, ended: Ended) {
        self.ended[ended as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// The series of a version behind an endpoint; of the endpoint's oldest versions no more are kept.
    pub(crate) fn series(&self, tenant: &TenantId, endpoint: &EndpointName, version: Option<u32>) -> Arc<Series> {
        let mut all = locked(&self.0);
        let key = (tenant.clone(), endpoint.clone(), version);
        if let Some(series) = all.get(&key) {
            return Arc::clone(series);
        }
        let series = Arc::new(Series::new());
        all.insert(key, Arc::clone(&series));
        let of_endpoint =
            (tenant.clone(), endpoint.clone(), Some(0))..=(tenant.clone(), endpoint.clone(), Some(u32::MAX));
        let versions: Vec<_> = all.range(of_endpoint).map(|(key, _)| key.clone()).collect();
        let surplus = versions.len().saturating_sub(VERSIONS_MAX);
        versions.iter().filter(|key| key.2 != version).take(surplus).for_each(|key| drop(all.remove(key)));
        series
    }

    /// What is no endpoint any more is forgotten.
    pub(crate) fn keep(&self, is_served: impl Fn(&TenantId, &EndpointName) -> bool) {
        locked(&self.0).retain(|(tenant, endpoint, _), _| is_served(tenant, endpoint));
    }

    /// The series of the tenants that are wanted.
    pub(crate) fn write(&self, page: &mut Page, wanted: impl Fn(&TenantId) -> bool) {
        let all = locked(&self.0);
        let told: Vec<(String, Arc<Series>)> = all
            .iter()
            .filter(|((tenant, ..), _)| wanted(tenant))
            .map(|((tenant, endpoint, version), series)| {
                let version = version.map(|version| version.to_string()).unwrap_or_default();
                // Names are of letters, digits and dashes: nothing is to be escaped.
                (format!("tenant=\"{tenant}\",endpoint=\"{endpoint}\",version=\"{version}\""), Arc::clone(series))
            })
            .collect();
        drop(all);
        page.head("requests_total", "counter", "Requests by how they ended.");
        for (labels, series) in &told {
            for (ended, name) in Ended::ALL {
                let count = series.ended[ended as usize].load(Ordering::Relaxed);
                page.line("requests_total", &format!("{labels},ended=\"{name}\""), count);
            }
        }
        let under_way = "Requests that wait or are computed.";
        page.plain("requests_in_flight", "gauge", under_way, &told, |series| &series.under_way);
        page.plain("rows_total", "counter", "Rows that were answered.", &told, |series| &series.rows);
        for (name, help, of) in Self::TIMES {
            page.histogram(name, help, &told, of, 1e6);
        }
        let batch = "Requests that were computed together, counted by each of them.";
        page.histogram("batch_requests", batch, &told, |series| &series.batch, 1.0);
    }

    const TIMES: [Told; 4] = [
        ("request_seconds", "From a request's rows to its predictions.", |series| &series.request),
        ("queue_seconds", "What a request waited for others.", |series| &series.queue),
        ("transform_seconds", "The steps before the predictor, of the batch.", |series| &series.transform),
        ("predict_seconds", "The predictor, of the batch.", |series| &series.predict),
    ];
}

/// A histogram's name, its help, and where it is kept.
type Told = (&'static str, &'static str, fn(&Series) -> &Histogram);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use types::Id;

    fn text(metrics: &Metrics, wanted: impl Fn(&TenantId) -> bool) -> String {
        let mut page = Page::default();
        metrics.write(&mut page, wanted);
        page.0
    }

    fn names() -> (TenantId, EndpointName) {
        (TenantId::parse("acme").unwrap(), EndpointName::parse("churn").unwrap())
    }

    #[test]
    fn a_request_is_counted_with_its_times() {
        let (metrics, (tenant, endpoint)) = (Metrics::default(), names());
        let series = metrics.series(&tenant, &endpoint, Some(3));
        let spent = worker::Spent { transform: Duration::from_micros(60), predict: Duration::from_millis(3) };
        let predictions = data::Table::empty(types::Schema::default());
        let answered = Answered { predictions, waited: Duration::from_micros(40), spent, requests: 5 };
        series.told(series.asked(), &Ok(answered));
        series.told(series.asked(), &Err(Fault::invalid("no")));
        series.end(Ended::Busy);
        let text = text(&metrics, |_| true);
        let labels = "{tenant=\"acme\",endpoint=\"churn\",version=\"3\"";
        for line in [
            "# TYPE stepwell_requests_total counter".to_owned(),
            format!("stepwell_requests_total{labels},ended=\"answered\"}} 1"),
            format!("stepwell_requests_total{labels},ended=\"refused\"}} 1"),
            format!("stepwell_requests_total{labels},ended=\"busy\"}} 1"),
            format!("stepwell_requests_total{labels},ended=\"failed\"}} 0"),
            format!("stepwell_requests_in_flight{labels}}} 0"),
            format!("stepwell_request_seconds_count{labels}}} 2"),
            format!("stepwell_queue_seconds_bucket{labels},le=\"0.00005\"}} 1"),
            format!("stepwell_transform_seconds_bucket{labels},le=\"0.00005\"}} 0"),
            format!("stepwell_transform_seconds_bucket{labels},le=\"0.0001\"}} 1"),
            format!("stepwell_predict_seconds_sum{labels}}} 0.003"),
            format!("stepwell_batch_requests_bucket{labels},le=\"4\"}} 0"),
            format!("stepwell_batch_requests_bucket{labels},le=\"8\"}} 1"),
            format!("stepwell_batch_requests_bucket{labels},le=\"+Inf\"}} 1"),
        ] {
            assert!(text.lines().any(|told| told == line), "`{line}` is not in\n{text}");
        }
    }

    #[test]
    fn series_are_bounded_and_a_tenant_sees_its_own() {
        let (metrics, (tenant, endpoint)) = (Metrics::default(), names());
        for version in 1..=20 {
            metrics.series(&tenant, &endpoint, Some(version));
        }
        // What is rolled back to is kept, however old.
        metrics.series(&tenant, &endpoint, Some(1));
        let other = TenantId::parse("other").unwrap();
        metrics.series(&other, &endpoint, Some(1));
        let versions = |text: &str| text.lines().filter(|line| line.starts_with("stepwell_rows_total")).count();
        assert_eq!(versions(&text(&metrics, |_| true)), VERSIONS_MAX + 1);
        let own = text(&metrics, |whose| *whose == tenant);
        assert!(
            versions(&own) == VERSIONS_MAX && own.contains("version=\"1\"") && !own.contains("tenant=\"other\""),
            "{own}"
        );
        metrics.keep(|whose, _| *whose == other);
        assert_eq!(versions(&text(&metrics, |_| true)), 1);
    }
}

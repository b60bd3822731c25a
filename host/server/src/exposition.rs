//! Numbers in Prometheus' text form.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts of values up to each bound, and of those beyond.
pub(crate) struct Histogram {
    bounds: &'static [u64],
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(crate) fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX >> 20));
    }
}

/// A page so far, of series of which each has its labels. Writing to a text does not fail.
#[derive(Default)]
pub(crate) struct Page(pub(crate) String);

impl Page {
    pub(crate) fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP stepwell_{name} {help}\n# TYPE stepwell_{name} {kind}");
    }

    pub(crate) fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "stepwell_{name}{{{labels}}} {value}");
    }

    pub(crate) fn plain<S>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        told: &[(String, Arc<S>)],
        of: fn(&S) -> &AtomicU64,
    ) {
        self.head(name, kind, help);
        told.iter().for_each(|(labels, series)| self.line(name, labels, of(series).load(Ordering::Relaxed)));
    }

    pub(crate) fn histogram<S>(
        &mut self,
        name: &str,
        help: &str,
        told: &[(String, Arc<S>)],
        of: fn(&S) -> &Histogram,
        per_unit: f64,
    ) {
        self.head(name, "histogram", help);
        for (labels, series) in told {
            let (histogram, mut count) = (of(series), 0);
            let bounds = histogram.bounds.iter().map(|bound| (*bound as f64 / per_unit).to_string());
            for (bound, counted) in bounds.chain(["+Inf".to_owned()]).zip(&histogram.counts) {
                count += counted.load(Ordering::Relaxed);
                self.line(&format!("{name}_bucket"), &format!("{labels},le=\"{bound}\""), count);
            }
            self.line(&format!("{name}_sum"), labels, histogram.sum.load(Ordering::Relaxed) as f64 / per_unit);
            self.line(&format!("{name}_count"), labels, count);
        }
    }
}

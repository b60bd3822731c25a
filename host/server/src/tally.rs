//! Runs that ended -> counts for Prometheus, and a line of the server's log for each that failed.
//!
//! A series is a pipeline of a tenant's project. A tenant has so many and no more: what further ones did is counted together.

use crate::exposition::{Histogram, Page};
use crate::{Server, locked};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use store::RunSummary;
use types::{Cause, RunState, TenantId};

/// Pipelines of a tenant that are counted by themselves.
const PIPELINES_MAX: usize = 200;
/// Upper bounds of what a run takes, in milliseconds.
const TIMES_MS: [u64; 14] = [
    10, 100, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000, 43_200_000,
    86_400_000,
];
/// Lines about a tenant's failed runs in a minute.
const LINES_MAX: u32 = 10;
const MINUTE_US: i64 = 60_000_000;

const ENDED: [RunState; 4] = [RunState::Succeeded, RunState::Rejected, RunState::Failed, RunState::Cancelled];

/// What ended since the process began.
#[derive(Default)]
pub(crate) struct Tally {
    series: Mutex<BTreeMap<(TenantId, String), Arc<Series>>>,
    /// When a tenant's minute of lines began, and how many failures it had since.
    told: Mutex<BTreeMap<TenantId, (i64, u32)>>,
}

/// What the runs of one pipeline did.
struct Series {
    ended: [AtomicU64; 4],
    took: Histogram,
}

/// Whether a failure is told of.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Told,
    /// The last one for this minute.
    Last,
    Untold,
}

impl Tally {
    fn add(&self, tenant: &TenantId, run: &RunSummary) {
        let Some(place) = ENDED.iter().position(|state| *state == run.state) else { return };
        let series =
            self.series(tenant, format!("project=\"{}\",pipeline=\"{}\"", run.head.project, run.head.pipeline));
        series.ended[place].fetch_add(1, Ordering::Relaxed);
        let took_us = run.finished_us.unwrap_or(run.head.started_us).saturating_sub(run.head.started_us);
        series.took.add(u64::try_from(took_us / 1000).unwrap_or(0));
    }

    fn series(&self, tenant: &TenantId, labels: String) -> Arc<Series> {
        let mut all = locked(&self.series);
        let key = (tenant.clone(), labels);
        if let Some(series) = all.get(&key) {
            return Arc::clone(series);
        }
        let count = all.range((tenant.clone(), String::new())..).take_while(|((whose, _), _)| whose == tenant).count();
        let further = (tenant.clone(), "project=\"\",pipeline=\"\"".to_owned());
        let key = if count < PIPELINES_MAX { key } else { further };
        let new = || Arc::new(Series { ended: Default::default(), took: Histogram::new(&TIMES_MS) });
        Arc::clone(all.entry(key).or_insert_with(new))
    }

    fn line(&self, tenant: &TenantId, now_us: i64) -> Line {
        let mut told = locked(&self.told);
        let (since_us, count) = told.entry(tenant.clone()).or_insert((now_us, 0));
        // A clock that went back begins another minute.
        if !(*since_us..*since_us + MINUTE_US).contains(&now_us) {
            (*since_us, *count) = (now_us, 0);
        }
        *count = count.saturating_add(1);
        match *count {
            0..LINES_MAX => Line::Told,
            LINES_MAX => Line::Last,
            _ => Line::Untold,
        }
    }

    pub(crate) fn forget(&self, tenant: &TenantId) {
        locked(&self.series).retain(|(whose, _), _| whose != tenant);
        locked(&self.told).remove(tenant);
    }

    /// The series of the tenants that are wanted.
    pub(crate) fn write(&self, page: &mut Page, wanted: impl Fn(&TenantId) -> bool) {
        let all = locked(&self.series);
        let wanted = all.iter().filter(|((tenant, _), _)| wanted(tenant));
        // Names are of letters, digits and dashes: nothing is to be escaped.
        let told: Vec<_> = wanted
            .map(|((tenant, labels), series)| (format!("tenant=\"{tenant}\",{labels}"), Arc::clone(series)))
            .collect();
        drop(all);
        page.head("runs_total", "counter", "Runs by how they ended.");
        for (labels, series) in &told {
            for (state, count) in ENDED.iter().zip(&series.ended) {
                page.line("runs_total", &format!("{labels},ended=\"{state}\""), count.load(Ordering::Relaxed));
            }
        }
        page.histogram("run_seconds", "From a run's start to its end.", &told, |series| &series.took, 1e3);
    }
}

impl Server {
    /// Counts a run that has ended; one that failed is told of in the log. One that is run again to be compared is nobody's news.
    pub(crate) fn take_note(&self, tenant: &TenantId, run: &RunSummary, why: Option<&str>) {
        if matches!(run.head.cause, Cause::Replay { .. }) {
            return;
        }
        self.tally.add(tenant, run);
        if run.state != RunState::Failed {
            return;
        }
        let line = self.tally.line(tenant, self.now_us());
        if line == Line::Untold {
            return;
        }
        self.triggers.say(failure(tenant, run, why));
        if line == Line::Last {
            self.triggers.say(format!("further runs of tenant `{tenant}` that fail are not told of for a minute"));
        }
    }
}

/// Who failed and why, as one line.
fn failure(tenant: &TenantId, run: &RunSummary, why: Option<&str>) -> String {
    let whose = if tenant.is_default() { String::new() } else { format!(" of tenant `{tenant}`") };
    let head = &run.head;
    let why = why.map(|why| format!(": {}", why.split_whitespace().collect::<Vec<_>>().join(" ")));
    format!("run {} of `{}/{}`{whose} failed{}", head.run, head.project, head.pipeline, why.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Id;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn ended(pipeline: &str, state: RunState) -> RunSummary {
        let mut head = crate::samples::head(types::RunId(7));
        head.pipeline = types::PipelineName::parse(pipeline).unwrap();
        let finished_us = Some(head.started_us + 2_000_000);
        RunSummary { head, state, finished_us }
    }

    fn text(tally: &Tally, whose: &str) -> String {
        let mut page = Page::default();
        tally.write(&mut page, |tenant| tenant.as_str() == whose);
        page.0
    }

    #[test]
    fn a_run_is_counted_by_its_end_and_a_tenant_sees_its_own() {
        let tally = Tally::default();
        tally.add(&tenant("acme"), &ended("train", RunState::Succeeded));
        tally.add(&tenant("acme"), &ended("train", RunState::Failed));
        tally.add(&tenant("other"), &ended("train", RunState::Cancelled));
        // It goes on.
        tally.add(&tenant("acme"), &ended("train", RunState::Running));
        let (own, project) = (text(&tally, "acme"), ended("train", RunState::Failed).head.project);
        let labels = format!("{{tenant=\"acme\",project=\"{project}\",pipeline=\"train\"");
        for line in [
            "# TYPE stepwell_runs_total counter".to_owned(),
            format!("stepwell_runs_total{labels},ended=\"succeeded\"}} 1"),
            format!("stepwell_runs_total{labels},ended=\"failed\"}} 1"),
            format!("stepwell_runs_total{labels},ended=\"cancelled\"}} 0"),
            format!("stepwell_run_seconds_bucket{labels},le=\"1\"}} 0"),
            format!("stepwell_run_seconds_bucket{labels},le=\"5\"}} 2"),
            format!("stepwell_run_seconds_sum{labels}}} 4"),
        ] {
            assert!(own.lines().any(|told| told == line), "`{line}` is not in\n{own}");
        }
        assert!(!own.contains("other"), "{own}");
        tally.forget(&tenant("acme"));
        assert!(!text(&tally, "acme").contains("acme"));
        assert!(text(&tally, "other").contains("ended=\"cancelled\"} 1"));
    }

    #[test]
    fn pipelines_beyond_a_number_are_counted_together() {
        let tally = Tally::default();
        for number in 0..PIPELINES_MAX + 3 {
            tally.add(&tenant("acme"), &ended(&format!("p{number}"), RunState::Succeeded));
        }
        tally.add(&tenant("acme"), &ended("p0", RunState::Succeeded));
        tally.add(&tenant("other"), &ended("p0", RunState::Succeeded));
        let own = text(&tally, "acme");
        let succeeded: Vec<_> = own.lines().filter(|line| line.contains("ended=\"succeeded\"")).collect();
        assert_eq!(succeeded.len(), PIPELINES_MAX + 1);
        assert!(
            succeeded.iter().any(|line| line.contains("project=\"\",pipeline=\"\"") && line.ends_with(" 3")),
            "{own}"
        );
        assert!(succeeded.iter().any(|line| line.contains("pipeline=\"p0\"") && line.ends_with(" 2")), "{own}");
    }

    #[test]
    fn why_a_run_failed_is_one_line() {
        let run = ended("train", RunState::Failed);
        let what = format!("run 7 of `{}/train`", run.head.project);
        let said = failure(&tenant("acme"), &run, Some("step `rows`:\n\n  no\tgood\n"));
        assert_eq!(said, format!("{what} of tenant `acme` failed: step `rows`: no good"));
        assert_eq!(failure(&TenantId::default_tenant(), &run, None), format!("{what} failed"));
    }

    #[test]
    fn a_tenant_whose_runs_fail_and_fail_does_not_fill_the_log() {
        let (tally, acme) = (Tally::default(), tenant("acme"));
        let lines = |at_us: i64, count: usize| (0..count).map(|_| tally.line(&acme, at_us)).collect::<Vec<_>>();
        let first = lines(5, 12);
        assert!(first[..9].iter().all(|line| *line == Line::Told), "{first:?}");
        assert_eq!(first[9..], [Line::Last, Line::Untold, Line::Untold]);
        assert_eq!(tally.line(&tenant("other"), 5), Line::Told);
        assert_eq!(lines(5 + MINUTE_US - 1, 1), [Line::Untold]);
        assert_eq!(lines(5 + MINUTE_US, 1), [Line::Told]);
        assert_eq!(lines(0, 1), [Line::Told]);
    }
}

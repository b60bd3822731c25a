//! `[schedule]` tables that are sound: what of them reaches a [`trigger::Schedule`], seen by when it comes.

use manifest::{Sources, check};
use types::{Id, PipelineName};

/// The first instants from 2026 on, as clocks in the zone show them.
fn comes(table: &str) -> Vec<String> {
    let text = format!("{table}\n[steps.a]\nplugin = \"csv\"\n");
    let sources = Sources { project: "name = \"case\"".to_owned(), pipelines: [("p".to_owned(), text)].into() };
    let project = check(&sources).unwrap_or_else(|problems| panic!("{table}: {problems:?}"));
    let Some(schedule) = &project.pipelines[&PipelineName::parse("p").unwrap()].schedule else { return Vec::new() };
    let new_year_us = 1_767_225_600_000_000;
    let instants = schedule.instants(new_year_us - 1, i64::MAX).take(2);
    instants.map(|instant| instant.local.format("%F %R %:z").to_string()).collect()
}

#[test]
fn a_schedule_is_read() {
    for (table, expected) in [
        ("", [].as_slice()),
        ("schedule.cron = \"@daily\"", &["2026-01-01 00:00 +00:00", "2026-01-02 00:00 +00:00"]),
        (
            "[schedule]\ncron = \"0 6 * * mon-fri\"\nzone = \"Europe/Berlin\"",
            &["2026-01-01 06:00 +01:00", "2026-01-02 06:00 +01:00"],
        ),
        (
            "[schedule]\ncron = \"30 2 * * *\"\nzone = \"Europe/Berlin\"\nstart = 2026-03-29\ngap = \"skip\"",
            &["2026-03-30 02:30 +02:00", "2026-03-31 02:30 +02:00"],
        ),
        (
            "[schedule]\ncron = \"30 2 * * *\"\nzone = \"Europe/Berlin\"\nstart = 2026-10-25\nfold = \"twice\"",
            &["2026-10-25 02:30 +02:00", "2026-10-25 02:30 +01:00"],
        ),
        ("[schedule]\ncron = \"@daily\"\nstart = 2026-02-01T06:00:00Z\nend = 2026-02-02", &["2026-02-02 00:00 +00:00"]),
        ("[schedule]\ncron = \"@daily\"\nend = \"2026-01-01\"", &["2026-01-01 00:00 +00:00"]),
        (
            "[schedule]\ncron = \"@daily\"\nmissed = \"all\"\ncatch_up = \"2 d\"\njitter = \"5 min\"\npaused = true",
            &["2026-01-01 00:00 +00:00", "2026-01-02 00:00 +00:00"],
        ),
    ] {
        assert_eq!(comes(table), expected, "{table}");
    }
}

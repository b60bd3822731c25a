//! What changes of clocks do to a schedule: a line a cell of zone, kind of schedule, `gap` and `fold`.

use crate::support::{at, schedule, with_whose};
use trigger::{Draft, Fold, Gap, preview};

/// Local time and reason of each row within a span of local days.
fn rows(zone: &str, cron: &str, gap: Option<Gap>, fold: Option<Fold>, days: (&str, &str)) -> Vec<String> {
    let schedule = schedule(cron, zone, Draft { gap, fold, ..Draft::default() });
    let moment = |text: &str| trigger::Moment::parse(text).unwrap();
    let (from, to) = (moment(days.0).begins_us(schedule.zone()), moment(days.1).ends_us(schedule.zone()));
    let shown = with_whose(|whose| preview(&schedule, whose, from - 1, to, 1_000));
    let row = |row: trigger::Row| {
        let local = row.local.replace(":00 ", " ");
        let run = if row.runs { "" } else { "- " };
        format!("{run}{local}{}", row.why.map(|why| format!(" | {why}")).unwrap_or_default())
    };
    shown.rows.into_iter().map(row).collect()
}

const BERLIN_SPRING: (&str, &str) = ("2026-03-29", "2026-03-29");
const BERLIN_AUTUMN: (&str, &str) = ("2026-10-25", "2026-10-25");

#[test]
fn a_time_of_day_in_spring() {
    let moved = "2026-03-29 03:00 +02:00 | clocks go forward over 02:30: runs when they go on";
    let left_out = "- 2026-03-29 03:00 +02:00 | clocks go forward over 02:30: does not run";
    for (gap, expected) in [(None, moved), (Some(Gap::Next), moved), (Some(Gap::Skip), left_out)] {
        assert_eq!(rows("Europe/Berlin", "30 2 * * *", gap, None, BERLIN_SPRING), [expected]);
    }
    // Beside the gap nothing happens.
    assert_eq!(rows("Europe/Berlin", "30 1 * * *", None, None, BERLIN_SPRING), ["2026-03-29 01:30 +01:00"]);
    assert_eq!(rows("Europe/Berlin", "0 3 * * *", None, None, BERLIN_SPRING), ["2026-03-29 03:00 +02:00"]);
    // What falls together is one run.
    let together = "2026-03-29 03:00 +02:00 | clocks go forward over 02:00: runs when they go on";
    assert_eq!(rows("Europe/Berlin", "0 2,3 * * *", None, None, BERLIN_SPRING), [together]);
}

#[test]
fn a_rhythm_in_spring_goes_by_real_time() {
    let night = ("2026-03-29 01:00", "2026-03-29 04:00");
    let half_past = "- 2026-03-29 03:00 +02:00 | clocks go forward over 02:30: the next run makes it good";
    let next = "2026-03-29 03:00 +02:00 | clocks go forward over 02:30: runs when they go on";
    let skipped = "- 2026-03-29 03:00 +02:00 | clocks go forward over 02:30: the next run makes it good";
    for (gap, expected) in [(None, half_past), (Some(Gap::Next), next), (Some(Gap::Skip), skipped)] {
        let all = ["2026-03-29 01:30 +01:00", expected, "2026-03-29 03:30 +02:00"];
        assert_eq!(rows("Europe/Berlin", "30 * * * *", gap, None, night), all);
    }
    // One whose next run is as far away as the gap is long has lost something.
    let lost = "2026-03-29 03:00 +02:00 | clocks go forward over 02:00: runs when they go on";
    let all = [lost, "2026-03-29 04:00 +02:00", "2026-03-29 04:30 +02:00"];
    assert_eq!(rows("Europe/Berlin", "0,30 2,4 * * *", None, None, BERLIN_SPRING), all);
    // One that would lose its only hour does not go on by itself.
    let lost = "2026-03-29 03:00 +02:00 | clocks go forward over 02:05: runs when they go on";
    assert_eq!(rows("Europe/Berlin", "5,25 2 * * *", None, None, BERLIN_SPRING), [lost]);
}

#[test]
fn a_time_of_day_in_autumn() {
    let once = "2026-10-25 02:30 +02:00 | clocks go back: 02:30 comes twice, runs the first time";
    let first = "2026-10-25 02:30 +02:00 | clocks go back: 02:30 comes twice, this is the first";
    let second = "2026-10-25 02:30 +01:00 | clocks go back: 02:30 comes twice, this is the second";
    let cells: [(_, &[&str]); 3] =
        [(None, &[once]), (Some(Fold::Once), &[once]), (Some(Fold::Twice), &[first, second])];
    for (fold, expected) in cells {
        assert_eq!(rows("Europe/Berlin", "30 2 * * *", None, fold, BERLIN_AUTUMN), expected);
    }
    assert_eq!(rows("Europe/Berlin", "0 3 * * *", None, None, BERLIN_AUTUMN), ["2026-10-25 03:00 +01:00"]);
}

#[test]
fn a_rhythm_in_autumn_runs_through_the_repeated_hour() {
    let night = ("2026-10-25 01:59", "2026-10-25 03:00");
    let once = "2026-10-25 02:15 +02:00 | clocks go back: 02:15 comes twice, runs the first time";
    let first = "2026-10-25 02:15 +02:00 | clocks go back: 02:15 comes twice, this is the first";
    let second = "2026-10-25 02:15 +01:00 | clocks go back: 02:15 comes twice, this is the second";
    let cells: [(_, &[&str]); 3] =
        [(None, &[first, second]), (Some(Fold::Once), &[once]), (Some(Fold::Twice), &[first, second])];
    for (fold, expected) in cells {
        assert_eq!(rows("Europe/Berlin", "15 * * * *", None, fold, night), expected);
    }
    // In the order in which it happens, which `cron` by itself does not keep.
    let times: Vec<_> = rows("America/New_York", "*/30 1-3 * * *", None, None, ("2026-11-01", "2026-11-01"))
        .iter()
        .map(|row| row[11..23].to_owned())
        .collect();
    let expected = [
        "01:00 -04:00",
        "01:30 -04:00",
        "01:00 -05:00",
        "01:30 -05:00",
        "02:00 -05:00",
        "02:30 -05:00",
        "03:00 -05:00",
        "03:30 -05:00",
    ];
    assert_eq!(times, expected);
}

#[test]
fn half_an_hour_in_lord_howe() {
    let (spring, autumn) = (("2026-10-04", "2026-10-04"), ("2026-04-05", "2026-04-05"));
    let moved = "2026-10-04 02:30 +11:00 | clocks go forward over 02:15: runs when they go on";
    assert_eq!(rows("Australia/Lord_Howe", "15 2 * * *", None, None, spring), [moved]);
    let once = "2026-04-05 01:45 +11:00 | clocks go back: 01:45 comes twice, runs the first time";
    assert_eq!(rows("Australia/Lord_Howe", "45 1 * * *", None, None, autumn), [once]);
    assert_eq!(rows("Australia/Lord_Howe", "15 1 * * *", None, None, autumn), ["2026-04-05 01:15 +11:00"]);
}

#[test]
fn a_whole_day_that_never_was() {
    let days = ("2011-12-29", "2011-12-31");
    let moved = "2011-12-31 00:00 +14:00 | clocks go forward over 2011-12-30 06:00: runs when they go on";
    let daily = ["2011-12-29 06:00 -10:00", moved, "2011-12-31 06:00 +14:00"];
    assert_eq!(rows("Pacific/Apia", "0 6 * * *", None, None, days), daily);
    assert_eq!(rows("Pacific/Apia", "0 6 30 12 *", None, None, days), [moved]);
    let left_out = "- 2011-12-31 00:00 +14:00 | clocks go forward over 2011-12-30 06:00: does not run";
    assert_eq!(rows("Pacific/Apia", "0 6 30 12 *", Some(Gap::Skip), None, days), [left_out]);
    // Twenty-four hours on the clock, and as many less.
    let hourly = rows("Pacific/Apia", "@hourly", None, None, days);
    assert_eq!(hourly.iter().filter(|row| !row.starts_with('-')).count(), 48);
}

#[test]
fn a_zone_without_changes_has_no_oddities() {
    for zone in ["UTC", "Asia/Kolkata"] {
        let schedule = schedule("30 2 * * *", zone, Draft::default());
        let instants: Vec<_> = schedule.instants(at("2025-12-31"), at("2027-01-01")).collect();
        assert_eq!(
            (instants.len(), instants.iter().filter(|instant| instant.oddity.is_some()).count()),
            (366, 0),
            "{zone}"
        );
    }
}

#[test]
fn start_and_end_are_included_and_a_day_is_whole() {
    let moment = |text: &str| Some(trigger::Moment::parse(text).unwrap());
    let days = |start, end| {
        let draft = Draft { start: moment(start), end: moment(end), ..Draft::default() };
        let schedule = schedule("0 6 * * *", "Europe/Berlin", draft);
        schedule.instants(i64::MIN, i64::MAX).map(|instant| instant.local.format("%d").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(days("2026-03-01", "2026-03-03"), ["01", "02", "03"]);
    assert_eq!(days("2026-03-01T06:00", "2026-03-03 06:00"), ["01", "02", "03"]);
    assert_eq!(days("2026-03-01T06:00:01", "2026-03-03T05:59:59"), ["02"]);
    assert_eq!(days("2026-03-01T05:00:00Z", "2026-03-03T04:59:59Z"), ["01", "02"]);
}

#[test]
fn the_years_end_in_utc() {
    let schedule = schedule("0 0 1 1 *", "Pacific/Apia", Draft::default());
    let last = schedule.instants(at("2098-01-01"), i64::MAX).last().unwrap();
    assert_eq!(last.local.to_rfc3339(), "2100-01-01T00:00:00+13:00");
}

//! Deployed schedules: each instant once, whatever the clock does and whoever dies.

use super::*;
use crate::BackfillRequest;
use types::Why;

#[test]
fn an_instant_fires_once_however_often_and_whenever_one_looks() {
    let house = House::new();
    house.deploy(&[("main", &every("*/10 * * * *", ""))]);
    house.look();
    assert_eq!(house.minutes(), [] as [i64; 0], "nothing before its deployment");
    for minutes in [5, 10, 10, 3, 10, 19, 20] {
        house.set(minutes);
        house.look();
    }
    assert_eq!(house.minutes(), [10, 20]);
    assert!(house.runs().iter().all(|run| run.state == RunState::Succeeded && run.head.deployment == Some(1)));
    let house = house.again();
    house.look();
    house.set(30);
    house.look();
    assert_eq!(house.minutes(), [10, 20, 30], "a restart changes nothing");
}

#[test]
fn a_look_says_when_the_next_is_due() {
    let house = House::new();
    house.deploy(&[("main", &every("30 * * * *", "")), ("other", &every("45 * * * *", ""))]);
    assert_eq!(house.server.look(), Some(BEGIN_US + 30 * MINUTE_US));
    house.set(31);
    assert_eq!(house.server.look(), Some(BEGIN_US + 45 * MINUTE_US));
}

#[test]
fn what_was_missed_is_made_up_for_as_the_schedule_says() {
    for (missed, ran) in [("latest", vec![60]), ("all", vec![10, 20, 30, 40, 50, 60]), ("none", vec![])] {
        let house = House::new();
        house.deploy(&[("main", &every("*/10 * * * *", &format!("missed = \"{missed}\"\n")))]);
        house.set(65);
        (0..8).for_each(|_| house.look());
        assert_eq!(house.minutes(), ran, "{missed}");
        let passed: Vec<_> = house.passed().iter().map(|(minute, _)| *minute).collect();
        let rest: Vec<_> = [10, 20, 30, 40, 50, 60].into_iter().filter(|minute| !ran.contains(minute)).collect();
        assert_eq!(passed, rest, "{missed}: no instant is lost");
    }
}

#[test]
fn an_instant_during_a_run_is_passed_over_or_waits() {
    for (overlap, ran, passed) in [
        ("skip", vec![10], vec![(20, Why::Overlap)]),
        ("buffer-one", vec![10, 20], vec![]),
        ("allow", vec![10, 20], vec![]),
    ] {
        let house = House::new();
        house.deploy(&[("main", &every("*/10 * * * *", &format!("overlap = \"{overlap}\"\n")))]);
        let run = house.under_way(Cause::Schedule { at_us: BEGIN_US + 10 * MINUTE_US });
        house.set(20);
        // The first instant has its run: it is settled and starts no second one.
        house.look();
        house.end(run);
        house.look();
        assert_eq!(house.minutes(), ran, "{overlap}");
        let told: Vec<_> = house.passed().into_iter().filter(|(minute, _)| *minute == 20).collect();
        assert_eq!(told, passed, "{overlap}");
    }
}

#[test]
fn a_held_schedule_passes_its_instants_and_goes_on_from_now() {
    let house = House::new();
    house.deploy(&[("main", &every("*/10 * * * *", ""))]);
    assert!(house.server.pause_schedule(&tenant(), "main", true).unwrap().paused);
    assert!(house.server.pause_schedule(&tenant(), "shop/main", true).is_err(), "twice");
    house.set(10);
    house.look();
    house.set(25);
    let line = house.server.pause_schedule(&tenant(), "main", false).unwrap();
    assert_eq!(line.next_us, Some(BEGIN_US + 30 * MINUTE_US));
    house.look();
    house.set(30);
    house.look();
    assert_eq!(house.minutes(), [30]);
    assert_eq!(house.passed(), [(10, Why::Paused), (20, Why::Paused)]);
    let history = house.server.schedule_history(&tenant(), "main").unwrap();
    assert_eq!((history.runs.len(), history.passed.len()), (1, 2));
    for unknown in ["other", "shop/other", "other/main", "a b", ""] {
        assert!(house.server.pause_schedule(&tenant(), unknown, true).is_err(), "{unknown}");
    }
}

#[test]
fn what_is_forgotten_of_a_run_is_not_that_its_instant_came() {
    let house = House::new();
    house.deploy(&[("main", &every("*/10 * * * *", ""))]);
    for minute in [10, 20, 30] {
        house.set(minute);
        house.look();
    }
    let keep = crate::Keep { runs: Some(1), age_ms: None };
    let gone = house.server.gc(&tenant(), &crate::GcRequest { dry_run: false, keep }, &|_| {}).unwrap();
    assert_eq!(gone.runs, [RunId(1), RunId(2)]);
    let came = |house: &House| {
        let runs = house.server.schedule_history(&tenant(), "main").unwrap().runs;
        runs.iter().map(|run| ((run.at_us - BEGIN_US) / MINUTE_US, run.run.0, run.state)).collect::<Vec<_>>()
    };
    let expected = [(10, 1, None), (20, 2, None), (30, 3, Some(types::RunState::Succeeded))];
    assert_eq!(came(&house), expected);
    // Also by what is left of the journal.
    let house = house.again_after(|folder| std::fs::remove_dir_all(folder.join("data/index")).unwrap());
    assert_eq!(came(&house), expected);
    for (run, says) in
        [(1, "is not there any more"), (4, "there is no run 4; the last one is 3"), (0, "there is no run 0")]
    {
        let told = house.server.run(&tenant(), RunId(run)).unwrap_err().to_string();
        assert!(told.contains(says), "{told}");
    }
}

#[test]
fn another_version_takes_over_without_losing_or_doubling() {
    let house = House::new();
    house.deploy(&[("main", &every("*/10 * * * *", ""))]);
    house.set(10);
    house.look();
    house.set(15);
    assert_eq!(house.deploy(&[("main", &every("*/10 * * * *", ""))]), 2, "the same schedule goes on");
    // The instant of 20 is due when the schedule changes, and nobody has looked.
    house.set(20);
    assert_eq!(house.deploy(&[("main", &every("5 * * * *", ""))]), 3);
    house.look();
    assert_eq!(house.minutes(), [10, 20], "by the old rules");
    assert_eq!(house.runs()[1].head.deployment, Some(3));
    house.set(65);
    house.look();
    assert_eq!(house.minutes(), [10, 20, 65]);
    // One that was away begins anew.
    house.deploy(&[("main", STEP)]);
    house.set(200);
    house.look();
    house.deploy(&[("main", &every("5 * * * *", ""))]);
    house.look();
    assert_eq!(house.minutes(), [10, 20, 65]);
}

#[test]
fn a_backfill_runs_all_of_its_span_in_order_and_goes_on_after_a_restart() {
    let house = House::new();
    house.deploy(&[("main", &every("*/10 * * * *", ""))]);
    let ask = |from: &str, to: &str, order: &str| BackfillRequest {
        pipeline: "main".to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        overlap: None,
        order: Some(order.to_owned()),
    };
    let asked = ask("2026-03-01T23:30:00", "2026-03-01T23:50:00", "newest");
    let line = house.server.ask_backfill(&tenant(), &asked).unwrap();
    assert_eq!((line.asked.number, line.runs, line.begun), (1, 3, 0));
    house.look();
    assert_eq!(house.minutes(), [-10]);
    let house = house.again();
    (0..3).for_each(|_| house.look());
    assert_eq!(house.minutes(), [-10, -20, -30]);
    let lines = house.server.backfills(&tenant()).unwrap();
    assert_eq!((lines[0].begun, lines[0].ended_us), (3, Some(BEGIN_US)));
    let second = house.server.ask_backfill(&tenant(), &ask("2026-03-01", "2026-03-01", "oldest")).unwrap();
    assert_eq!((second.asked.number, second.runs), (2, 144));
    house.look();
    let next = house.under_way(Cause::Backfill { backfill: 2, at_us: house.at_us(10 - 24 * 60) });
    house.end_as(next, types::RunState::Failed);
    let failed: Vec<_> =
        house.server.backfills(&tenant()).unwrap().iter().map(|line| (line.begun, line.failed)).collect();
    assert_eq!(failed, [(3, 0), (2, 1)]);
    house.server.end_backfill(&tenant(), 2).unwrap();
    assert!(house.server.end_backfill(&tenant(), 2).is_err(), "it has ended");
    house.look();
    assert_eq!(house.minutes().len(), 5);
    for (from, to, order) in [("2026-03-01", "2026-02-01", "oldest"), ("soon", "2026-03-01", "oldest")] {
        assert!(house.server.ask_backfill(&tenant(), &ask(from, to, order)).is_err(), "{from} {to}");
    }
    assert!(house.server.ask_backfill(&tenant(), &ask("2026-03-01", "2026-03-01", "first")).is_err());
}

#[test]
fn what_fails_for_one_tenant_is_told_once_and_stops_no_other() {
    let house = House::new();
    let acme: TenantId = "acme".parse().unwrap();
    house.server.create_tenant(&acme, None).unwrap();
    let broken = house.server.deploy(&acme, &house.prepare(&acme, &[("main", &every("*/10 * * * *", ""))])).unwrap();
    let blob = house.server.store.path(&acme, broken.content).unwrap();
    std::fs::remove_file(&blob).unwrap();
    locked(&house.server.deployed).clear();
    house.deploy(&[("main", &every("*/10 * * * *", ""))]);
    let said: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let hears = Arc::clone(&said);
    house.server.triggers.hear(move |text| locked(&hears).push(text));
    for minutes in [10, 11, 12, 13] {
        house.set(minutes);
        house.look();
    }
    assert_eq!(house.minutes(), [10]);
    let said = locked(&said);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("tenant `acme`: "), "{said:?}");
}

#[test]
fn a_run_that_stands_still_is_gone_on_with() {
    let house = House::new();
    house.deploy(&[("main", STEP)]);
    let deployed = house.server.current_deployment(&tenant(), &project()).unwrap().unwrap();
    let plan = &deployed.content.plans[&pipeline("main")];
    let begin = run::Begin { deployment: Some(1), ..run::Begin::manual(plan, house.folder.path()) };
    house.server.dispatcher.start(&tenant(), begin, &|_| {}).unwrap();
    house.look();
    assert_eq!(house.runs()[0].state, types::RunState::Running, "it may have begun a moment ago");
    house.set(1);
    house.look();
    assert_eq!(house.runs()[0].state, types::RunState::Succeeded);
}

#[test]
fn runs_beside_each_other_are_no_more_than_are_kept_in_mind() {
    let house = House::new();
    house.deploy(&[("main", &every("* * * * *", "missed = \"all\"\noverlap = \"allow\"\n"))]);
    // Of an earlier version, and still at it.
    let slow: Vec<_> = (-16..0).map(|minute| house.under_way(Cause::Schedule { at_us: house.at_us(minute) })).collect();
    house.set(30);
    house.look();
    assert_eq!(house.minutes().len(), 16, "as many as are under way");
    house.end(slow[0]);
    house.look();
    assert_eq!(house.minutes()[16..], [1], "one has ended");
    slow[1..].iter().for_each(|run| house.end(*run));
    (0..4).for_each(|_| house.look());
    assert_eq!(house.minutes()[16..], (1..=30).collect::<Vec<_>>());
}

#[test]
fn a_suspended_tenants_schedules_stand_still_and_are_made_up_for() {
    let house = House::new();
    let acme: TenantId = "acme".parse().unwrap();
    house.server.create_tenant(&acme, None).unwrap();
    house.server.deploy(&acme, &house.prepare(&acme, &[("main", &every("*/10 * * * *", ""))])).unwrap();
    house.server.suspend_tenant(&acme).unwrap();
    house.set(25);
    house.look();
    assert!(house.server.store.runs(&acme).unwrap().is_empty());
    house.server.resume_tenant(&acme).unwrap();
    house.look();
    let runs = house.server.store.runs(&acme).unwrap();
    assert_eq!(runs.iter().map(|run| run.head.logical_time_us).collect::<Vec<_>>(), [BEGIN_US + 20 * MINUTE_US]);
}

#[test]
fn what_was_interrupted_goes_on_as_soon_as_its_tenant_does() {
    let house = House::new();
    house.deploy(&[("main", STEP)]);
    house.server.triggers.hear(drop);
    let deployed = house.server.current_deployment(&tenant(), &project()).unwrap().unwrap();
    let manual = run::Begin::manual(&deployed.content.plans[&pipeline("main")], house.folder.path());
    let begin = run::Begin { deployment: Some(1), ..manual };
    let run = house.server.dispatcher.start(&tenant(), begin, &|_| ()).unwrap().run;
    let state = || house.server.store.run(&tenant(), run).unwrap().unwrap().state;
    house.look();
    assert_eq!(state(), RunState::Running, "it stands for a minute before anybody goes on with it");
    house.server.suspend_tenant(&tenant()).unwrap();
    house.look();
    assert_eq!(state(), RunState::Running);
    house.server.resume_tenant(&tenant()).unwrap();
    house.look();
    assert_eq!(state(), RunState::Succeeded);
}

#[test]
fn a_clock_that_leapt_ahead_silences_no_schedule_and_one_that_begins_in_1970_fires_nothing() {
    let house = House::new();
    house.deploy(&[("main", &every("0 * * * *", ""))]);
    let day = 24 * 60;
    house.set(61);
    house.look();
    assert_eq!(house.minutes(), [60]);
    // Five years ahead, and back.
    house.set(5 * 365 * day);
    house.look();
    assert_eq!(house.minutes(), [60, 5 * 365 * day], "the latest of what came meanwhile");
    house.set(130);
    house.look();
    assert_eq!(house.minutes().len(), 2, "what came before is settled");
    house.set(181);
    house.look();
    house.look();
    assert_eq!(house.minutes()[2..], [180]);
    // The clock has not been set yet.
    house.set(-50 * 365 * day);
    house.look();
    house.set(241);
    house.look();
    assert_eq!(house.minutes()[2..], [180, 240]);
    // Two days ahead and back: what ran then has run.
    house.set(2 * day + 240);
    house.look();
    house.set(301);
    house.look();
    house.set(2 * day + 245);
    house.look();
    let ahead = house.minutes().into_iter().filter(|minute| *minute == 2 * day + 240).count();
    assert_eq!(ahead, 1, "{:?}", house.minutes());
}

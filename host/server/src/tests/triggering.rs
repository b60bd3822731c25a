//! What starts a deployed pipeline beside its schedule: another pipeline, a signed call, files that change.

use super::*;
use crate::signing::{Key, Message};
use crate::watch::Watches;
use crate::{Fired, HookCall, HookRefused, TriggerKind, TriggerLine, TriggerState};

fn after(name: &str) -> String {
    format!("{STEP}\n[triggers]\nafter = [\"{name}\"]\n")
}

impl House {
    /// How many runs of a pipeline there are.
    fn count(&self, name: &str) -> usize {
        self.runs().iter().filter(|run| run.head.pipeline == pipeline(name)).count()
    }

    fn start(&self, name: &str) {
        self.server.start_deployed(&tenant(), &project(), &pipeline(name)).unwrap();
        self.look();
    }

    /// A right call, as of now, of this event.
    fn call(&self, id: &str) -> HookCall {
        let (timestamp, body) = ((self.server.now_us() / 1_000_000).to_string(), b"{}".to_vec());
        let signature = Key::of(b"secret").sign(Message { id, timestamp: &timestamp, body: &body });
        let headers =
            [("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp), ("webhook-signature", signature)];
        HookCall { headers: headers.map(|(name, value)| (name.to_owned(), value)).into(), body }
    }

    fn hook(&self, name: &str, call: &HookCall) -> Result<Fired, HookRefused> {
        self.server.hook(&tenant(), "shop", name, call)
    }
}

#[test]
fn a_pipeline_follows_each_success_once_also_after_a_restart() {
    let house = House::new();
    let pipelines = [("first", STEP), ("then", &after("first")), ("last", &after("then"))];
    house.deploy(&pipelines);
    // Nobody looks while this one ends.
    house.server.start_deployed(&tenant(), &project(), &pipeline("first")).unwrap();
    house.wait();
    let house = house.again();
    house.server.triggers.hear(drop);
    (0..4).for_each(|_| house.look());
    assert_eq!(["first", "then", "last"].map(|name| house.count(name)), [1, 1, 1]);
    house.start("first");
    (0..4).for_each(|_| house.look());
    assert_eq!(["first", "then", "last"].map(|name| house.count(name)), [2, 2, 2]);
    let causes: Vec<_> = house.runs().iter().map(|run| run.head.cause.clone()).collect();
    assert_eq!(causes[1], Cause::Upstream { pipeline: pipeline("first"), run: RunId(1) });
    let house = house.again();
    (0..2).for_each(|_| house.look());
    assert_eq!(house.runs().len(), 6);
}

#[test]
fn a_version_that_came_later_makes_no_followers_of_what_ran_before() {
    let house = House::new();
    house.deploy(&[("first", STEP), ("then", STEP)]);
    house.start("first");
    house.deploy(&[("first", STEP), ("then", &after("first"))]);
    (0..2).for_each(|_| house.look());
    assert_eq!(house.count("then"), 0);
    house.start("first");
    let house = house.again();
    (0..2).for_each(|_| house.look());
    assert_eq!(house.count("then"), 1);
}

#[test]
fn a_signed_call_starts_one_run_an_event() {
    let house = House::new();
    house.deploy(&[("main", &format!("{STEP}\n[triggers]\nwebhook = {{ secret = \"HOOK\" }}\n")), ("silent", STEP)]);
    let unsigned = |name: &str, call: &HookCall| matches!(house.hook(name, call), Err(HookRefused::Unsigned));
    assert!(unsigned("main", &house.call("1")), "there is no such secret yet");
    house.server.set_secret(&tenant(), "HOOK", b"secret").unwrap();
    let first = house.hook("main", &house.call("1")).unwrap();
    assert_eq!(first, Fired::Begun(RunId(1)));
    assert_eq!(house.hook("main", &house.call("1")).unwrap(), Fired::Already(RunId(1)));
    for name in ["silent", "other", "", "a/b"] {
        assert!(unsigned(name, &house.call("2")), "{name}");
    }
    assert!(unsigned("main", &house.call("2.3")), "an id with a dot could be cut elsewhere");
    let forged = [("ce-specversion", "1.0"), ("ce-id", "9"), ("ce-source", "/shop")];
    let forged = forged.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let overheard = house.call("1");
    let overheard = HookCall { headers: overheard.headers.into_iter().chain(forged).collect(), ..overheard };
    assert_eq!(house.hook("main", &overheard).unwrap(), Fired::Already(RunId(1)), "what is not signed has no say");
    let stray = crate::folder::secrets(&house.server.options.data, &tenant()).join("STRAY");
    std::fs::create_dir(&stray).unwrap();
    assert!(unsigned("main", &HookCall::default()), "what is wrong here is not told to whoever has not signed");
    std::fs::remove_dir(&stray).unwrap();
    let late = house.call("2");
    house.set(6);
    assert!(unsigned("main", &late), "it was overheard");
    assert!(unsigned("main", &HookCall { body: b"[]".to_vec(), ..house.call("2") }));
    assert!(unsigned("main", &HookCall::default()));
    let long = house.hook("main", &house.call(&"x".repeat(257)));
    assert!(matches!(long, Err(HookRefused::NoEvent(_))), "{long:?}");
    house.look();
    let waiting: Vec<_> =
        (0..100).map(|n| house.under_way(Cause::Data { what: n.to_string(), source: None })).collect();
    assert!(matches!(house.hook("main", &house.call("3")), Err(HookRefused::Full)));
    assert_eq!(house.hook("main", &house.call("1")).unwrap(), Fired::Already(RunId(1)), "what has begun is told");
    house.end(waiting[0]);
    assert!(matches!(house.hook("main", &house.call("3")), Ok(Fired::Begun(_))));
}

#[test]
fn the_data_folder_is_not_watched() {
    let house = House::new();
    let text = format!("{STEP}\n[triggers]\nfiles = [\"data/tenants/other/journal/*\"]\n");
    house.deploy(&[("main", &text)]);
    let journal = house.folder.path().join("data/tenants/other/journal");
    std::fs::create_dir_all(&journal).unwrap();
    let said: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let hears = Arc::clone(&said);
    house.server.triggers.hear(move |text| locked(&hears).push(text));
    let mut watches = Watches::default();
    for turn in 0..4 {
        std::fs::write(journal.join(turn.to_string()), "1").unwrap();
        (0..2).for_each(|_| house.server.watch_all(&tenant(), &mut watches));
    }
    assert_eq!(house.count("main"), 0);
    assert!(locked(&said).iter().any(|text| text.contains("Stepwell's own")), "{said:?}");
}

#[test]
fn files_that_have_changed_and_stand_still_start_one_run() {
    let house = House::new();
    house.deploy(&[("main", &format!("{STEP}\n[triggers]\nfiles = [\"incoming/*.csv\"]\n"))]);
    let file = |name: &str| house.folder.path().join("incoming").join(name);
    std::fs::create_dir(house.folder.path().join("incoming")).unwrap();
    std::fs::write(file("a.csv"), "1").unwrap();
    let mut watches = Watches::default();
    let mut look = || house.server.watch_all(&tenant(), &mut watches);
    (0..3).for_each(|_| look());
    assert_eq!(house.count("main"), 0, "what was there is taken note of");
    std::fs::write(file("b.csv"), "1").unwrap();
    look();
    assert_eq!(house.count("main"), 0, "it may still be written");
    std::fs::write(file("b.csv"), "12").unwrap();
    look();
    assert_eq!(house.count("main"), 0, "it still is");
    (0..3).for_each(|_| look());
    house.wait();
    assert_eq!(house.count("main"), 1);
    // During a run that files started, a change waits.
    let run = house.under_way(Cause::Data { what: String::new(), source: None });
    std::fs::remove_file(file("a.csv")).unwrap();
    (0..3).for_each(|_| look());
    assert_eq!(house.count("main"), 2, "the one that is under way");
    house.end(run);
    (0..3).for_each(|_| look());
    house.wait();
    assert_eq!(house.count("main"), 3);
    let cause = |index: usize| house.runs()[index].head.cause.clone();
    assert_eq!(cause(0), Cause::Data { what: "new incoming/b.csv".to_owned(), source: None });
    assert_eq!(cause(2), Cause::Data { what: "gone incoming/a.csv".to_owned(), source: None });
    // Whoever looks first after a restart does not know how it was before.
    let house = house.again();
    let mut watches = Watches::default();
    std::fs::write(house.folder.path().join("incoming/c.csv"), "1").unwrap();
    (0..2).for_each(|_| house.server.watch_all(&tenant(), &mut watches));
    house.wait();
    let cause = house.runs()[3].head.cause.clone();
    assert_eq!(cause, Cause::Data { what: "files changed: incoming/*.csv".to_owned(), source: None });
}

#[test]
fn what_is_not_kept_goes_once_a_day() {
    let house = House::new();
    let prepared = house.prepare_with(&tenant(), "[retention]\nruns = 1\n", &[("main", STEP)]);
    house.server.deploy(&tenant(), &prepared).unwrap();
    let other: TenantId = "other".parse().unwrap();
    house.server.create_tenant(&other, None).unwrap();
    let mut last_us = Default::default();
    let mut after = |minutes: i64| {
        house.set(minutes);
        house.server.retain(&mut last_us);
        house.count("main")
    };
    (0..3).for_each(|_| house.start("main"));
    assert_eq!(after(10), 1);
    (0..2).for_each(|_| house.start("main"));
    assert_eq!(after(10 + 24 * 60 - 1), 3, "the day is not over");
    assert_eq!(after(10 + 24 * 60), 1);
    (0..2).for_each(|_| house.start("main"));
    assert_eq!(after(0), 1, "the clock went back");
    assert_eq!(last_us.keys().collect::<Vec<_>>(), [&tenant()], "who says nothing loses nothing");
}

#[test]
fn triggers_are_listed_with_what_they_started_last() {
    let house = House::new();
    let webhook = format!("{STEP}\n[triggers]\nwebhook = {{ secret = \"HOOK\" }}\nfiles = [\"data/*.csv\"]\n");
    let nightly = every("0 3 * * *", "");
    house.deploy(&[("first", STEP), ("main", &webhook), ("nightly", &nightly), ("then", &after("first"))]);
    let listed = || {
        let list = house.server.trigger_list(&tenant()).unwrap();
        list.triggers.into_iter().map(|line| (line.pipeline.to_string(), line.kind, line)).collect::<Vec<_>>()
    };
    let kinds = |listed: &[(String, TriggerKind, TriggerLine)]| -> Vec<(String, TriggerKind)> {
        listed.iter().map(|(pipeline, kind, _)| (pipeline.clone(), *kind)).collect()
    };
    let all = listed();
    let names = [
        ("main", TriggerKind::Files),
        ("main", TriggerKind::Webhook),
        ("nightly", TriggerKind::Schedule),
        ("then", TriggerKind::After),
    ];
    assert_eq!(kinds(&all), names.map(|(name, kind)| (name.to_owned(), kind)));
    assert!(all.iter().all(|(.., line)| line.last.is_none() && line.version == 1), "{all:#?}");
    assert_eq!(all[2].2.next_us, Some(house.at_us(180)));
    let barred = |line: &TriggerLine| matches!(line.state, TriggerState::Barred { .. });
    assert_eq!(all.iter().map(|(.., line)| barred(line)).collect::<Vec<_>>(), [false, true, false, false]);
    assert!(!house.server.trigger_list(&tenant()).unwrap().are_kept);
    house.server.set_secret(&tenant(), "HOOK", b"secret").unwrap();
    house.hook("main", &house.call("1")).unwrap();
    house.hook("main", &house.call("2")).unwrap();
    house.server.triggers.hear(drop);
    house.start("first");
    house.look();
    house.set(180);
    house.look();
    house.server.pause_schedule(&tenant(), "nightly", true).unwrap();
    let all = listed();
    let last: Vec<_> = all.iter().map(|(.., line)| line.last.as_ref().map(|last| last.cause.word())).collect();
    assert_eq!(last, [None, Some("event"), Some("schedule"), Some("upstream")]);
    let event = Cause::Event { source: "webhook".to_owned(), id: "2".to_owned() };
    assert_eq!(all[1].2.last.as_ref().unwrap().cause, event, "the newest");
    assert_eq!((&all[1].2.state, &all[2].2.state), (&TriggerState::On, &TriggerState::Paused));
    assert_eq!(all[2].2.next_us, None, "it is paused");
    assert!(house.server.trigger_list(&tenant()).unwrap().are_kept);
}

#[test]
fn a_run_that_failed_is_told_of_in_the_log_and_counted() {
    let house = House::new();
    house.deploy(&[("main", STEP)]);
    let log = Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = Arc::clone(&log);
    house.server.triggers.hear(move |line| locked(&hears).push(line));
    house.start("main");
    let plan = house.runs()[0].head.plan;
    let ends = |state: RunState, because: Option<&str>| {
        let run = house.server.store.next_run(&tenant()).unwrap();
        let head = RunHead { run, plan, ..house.head(Cause::Manual) };
        let because = because.map(str::to_owned);
        let at_us = house.server.now_us() + 3_000_000;
        let ended = Record::RunFinished { run, state, at_us, because: because.clone() };
        house.server.store.append(&tenant(), &[Record::RunStarted(head), ended]).unwrap();
        house.server.ended(&tenant(), run, state, because);
        house.look();
    };
    ends(RunState::Cancelled, None);
    assert!(locked(&log).is_empty(), "{:?}", locked(&log));
    ends(RunState::Failed, Some("the run took longer than 2 h"));
    assert_eq!(*locked(&log), ["run 3 of `shop/main` failed: the run took longer than 2 h"]);
    let told = house.server.metrics(&tenant()).unwrap();
    let labels = "{tenant=\"default\",project=\"shop\",pipeline=\"main\"";
    for line in [
        format!("stepwell_runs_total{labels},ended=\"failed\"}} 1"),
        format!("stepwell_runs_total{labels},ended=\"succeeded\"}} 1"),
        format!("stepwell_run_seconds_bucket{labels},le=\"1\"}} 1"),
        format!("stepwell_run_seconds_bucket{labels},le=\"5\"}} 3"),
        "stepwell_runs_in_flight{tenant=\"default\"} 0".to_owned(),
    ] {
        assert!(told.lines().any(|told| told == line), "`{line}` is not in\n{told}");
    }
    let other: TenantId = "other".parse().unwrap();
    house.server.create_tenant(&other, None).unwrap();
    assert!(!house.server.metrics(&other).unwrap().contains("shop"));
}

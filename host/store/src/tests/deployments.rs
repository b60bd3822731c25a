//! What runs by itself: versions, how far schedules are, causes that start one run, and what a rebuilt index says of them.

use super::*;
use types::{
    BackfillAsked, Cause, Deployment, Digest, Passed, PipelineName, ProjectName, RunHead, RunId, ScheduleState,
    Settings, Why,
};

fn project() -> ProjectName {
    "shop".parse().unwrap()
}

fn pipeline() -> PipelineName {
    "main".parse().unwrap()
}

fn deployed(version: u32) -> Record {
    Record::Deployed(Deployment {
        project: project(),
        version,
        content: Digest::of(&version.to_le_bytes()),
        settings: Settings::new(),
        rollback_to: None,
        deployed_us: 1,
    })
}

fn started(run: u64, cause: Cause, deployment: Option<u32>) -> Record {
    Record::RunStarted(RunHead {
        run: RunId(run),
        project: project(),
        pipeline: pipeline(),
        plan: Digest::of(b"plan"),
        cause,
        logical_time_us: 1,
        started_us: 2,
        deployment,
        overrides: Settings::new(),
        by: None,
    })
}

fn settled(settled_us: i64, passed: &[i64]) -> Record {
    let passed = passed.iter().map(|&at_us| Passed { at_us, why: Why::Overlap }).collect();
    Record::ScheduleSettled { project: project(), pipeline: pipeline(), settled_us, waiting: vec![settled_us], passed }
}

#[test]
fn a_cause_starts_one_run_of_what_is_deployed_also_in_a_rebuilt_index() {
    let (data, acme) = (folder(), tenant("acme"));
    let instant = || Cause::Schedule { at_us: 7 };
    let check = |store: &Store, run: u64| {
        let beside = settled(99, &[]);
        assert!(store.append(&acme, &[beside, started(run, instant(), Some(1))]).is_err(), "twice");
        let state = store.schedule(&acme, &project(), &pipeline()).unwrap().unwrap_or_default();
        assert_eq!(state.settled_us, 7, "what stands beside a refused run is not true either");
        assert_eq!(store.fired(&acme, &project(), &pipeline(), &instant()), Ok(Some(RunId(1))));
        assert_eq!(store.fired(&acme, &project(), &pipeline(), &Cause::Schedule { at_us: 8 }), Ok(None));
    };
    {
        let (store, _) = open(data.path());
        store.append(&acme, &[started(1, instant(), Some(1)), settled(7, &[])]).unwrap();
        // By hand, and of a folder, as often as one likes.
        for (run, cause, deployment) in [(2, Cause::Manual, Some(1)), (3, Cause::Manual, Some(1)), (4, instant(), None)]
        {
            store.append(&acme, &[started(run, cause, deployment)]).unwrap();
        }
        check(&store, 5);
    }
    std::fs::remove_dir_all(data.path().join("index")).unwrap();
    check(&reopen(data.path()).0, 6);
}

#[test]
fn versions_are_counted_and_the_last_is_the_current_one() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    assert_eq!(store.deployment(&acme, &project()), Ok(None));
    (1..=300).for_each(|version| store.append(&acme, &[deployed(version)]).unwrap());
    assert!(store.append(&acme, &[deployed(2)]).is_err(), "what happened is not overwritten");
    assert_eq!(store.deployment(&acme, &project()).unwrap().unwrap().version, 300);
    let history = store.deployment_history(&acme, &project()).unwrap();
    assert!(history.iter().map(|version| version.version).eq(1..=300));
    assert_eq!(store.deployments(&acme).unwrap().len(), 1);
    assert!(store.deployments(&tenant("ac")).unwrap().is_empty(), "another's are another's");
}

#[test]
fn a_pause_outlives_what_is_settled_and_the_last_passed_instants_are_kept() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let paused = Record::SchedulePaused { project: project(), pipeline: pipeline(), paused: true, at_us: 1 };
    store.append(&acme, &[paused]).unwrap();
    (1..=250).for_each(|at_us| store.append(&acme, &[settled(at_us, &[at_us])]).unwrap());
    store.append(&acme, &[settled(251, &[])]).unwrap();
    let state = store.schedule(&acme, &project(), &pipeline()).unwrap();
    assert_eq!(state, Some(ScheduleState { settled_us: 251, waiting: vec![251], paused: true }));
    let passed = store.passed(&acme, &project(), &pipeline()).unwrap();
    assert!(passed.iter().map(|passed| passed.at_us).eq(51..=250), "{passed:?}");
    let many: Vec<_> = (1_000..1_300).collect();
    store.append(&acme, &[settled(2_000, &many)]).unwrap();
    let passed = store.passed(&acme, &project(), &pipeline()).unwrap();
    assert!(passed.iter().map(|passed| passed.at_us).eq(1_100..1_300), "{passed:?}");
    assert!(
        store.passed(&acme, &project(), &"mai".parse().unwrap()).unwrap().is_empty(),
        "no name is another's beginning"
    );
}

#[test]
fn backfills_and_watches_are_as_they_were_last() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let asked = |number| BackfillAsked {
        project: project(),
        pipeline: pipeline(),
        number,
        version: 1,
        from_us: 1,
        to_us: 2,
        overlap: "allow".to_owned(),
        order: "oldest".to_owned(),
        asked_us: 3,
    };
    store.append(&acme, &[Record::BackfillAsked(asked(1)), Record::BackfillAsked(asked(2))]).unwrap();
    assert!(store.append(&acme, &[Record::BackfillAsked(asked(1))]).is_err());
    store.append(&acme, &[Record::BackfillEnded { number: 1, at_us: 9 }]).unwrap();
    let ended: Vec<_> = store.backfills(&acme).unwrap().into_iter().map(|entry| entry.ended_us).collect();
    assert_eq!(ended, [Some(9), None]);
    let moved = |seen: &[u8]| {
        let (watch, seen) = ("files".to_owned(), Digest::of(seen));
        Record::WatchMoved { project: project(), pipeline: pipeline(), watch, seen }
    };
    store.append(&acme, &[moved(b"1"), moved(b"2")]).unwrap();
    assert_eq!(store.watched(&acme, &project(), &pipeline(), "files"), Ok(Some(Digest::of(b"2"))));
    assert_eq!(store.watched(&acme, &project(), &pipeline(), "file"), Ok(None));
    let told = Record::Notified { run: RunId(1), about: "failed".to_owned(), delivered: false, at_us: 1 };
    store.append(&acme, &[told]).unwrap();
    assert_eq!(store.notified(&acme, RunId(1), "failed"), Ok(Some(false)));
    assert_eq!(store.notified(&acme, RunId(1), "resumed"), Ok(None));
}

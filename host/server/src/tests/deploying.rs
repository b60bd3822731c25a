//! Versions of a project: one after the other, told apart, brought back.

use super::*;
use crate::fire::Spark;
use crate::{Error, Fired};

#[test]
fn versions_follow_each_other_and_nobody_is_overtaken() {
    let house = House::new();
    assert!(matches!(house.server.deployment(&tenant(), &project(), None), Err(Error::NotFound(_))));
    let early = house.prepare(&tenant(), &[("main", STEP)]);
    assert_eq!(house.deploy(&[("main", STEP), ("other", STEP)]), 1);
    let overtaken = house.server.deploy(&tenant(), &early).unwrap_err();
    assert!(matches!(&overtaken, Error::Conflict(text) if text.contains("its version is 1 now")), "{overtaken}");
    assert_eq!(house.deploy(&[("main", STEP)]), 2);
    let house = house.again();
    let shown = house.server.deployment(&tenant(), &project(), None).unwrap();
    assert_eq!((shown.deployment.version, shown.pipelines.len(), shown.is_current), (2, 1, true));
    let first = house.server.deployment(&tenant(), &project(), Some(1)).unwrap();
    assert_eq!((first.deployment.version, first.pipelines.len(), first.is_current), (1, 2, false));
    assert!(matches!(house.server.deployment(&tenant(), &project(), Some(3)), Err(Error::NotFound(_))));
}

#[test]
fn an_earlier_version_comes_back_as_a_new_one() {
    let house = House::new();
    house.deploy(&[("main", STEP)]);
    assert!(matches!(house.server.prepare_rollback(&tenant(), &project(), None), Err(Error::Conflict(_))));
    house.deploy(&[("main", STEP), ("other", STEP)]);
    let back = house.server.prepare_rollback(&tenant(), &project(), None).unwrap();
    let said: Vec<_> = back.differs.iter().map(|differs| differs.what.as_str()).collect();
    assert_eq!((back.rollback_to, said), (Some(1), vec!["pipeline `other`"]));
    let deployed = house.server.deploy(&tenant(), &back).unwrap();
    assert_eq!((deployed.version, deployed.rollback_to), (3, Some(1)));
    let history = house.server.deployment_history(&tenant(), &project()).unwrap();
    assert_eq!(history.iter().map(|it| it.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(history[0].content, history[2].content);
    assert!(house.server.prepare_rollback(&tenant(), &project(), Some(1)).unwrap().is_same);
    assert!(house.server.prepare_rollback(&tenant(), &project(), None).is_err(), "nothing is before the first");
}

#[test]
fn a_cause_starts_one_run() {
    let house = House::new();
    house.deploy(&[("main", STEP)]);
    let deployed = house.server.current_deployment(&tenant(), &project()).unwrap().unwrap();
    let cause = || Cause::Event { source: "shop".to_owned(), id: "7".to_owned() };
    let fire = |cause| house.server.fire(&tenant(), &deployed, &pipeline("main"), Spark::new(cause)).unwrap();
    let first = fire(cause());
    assert_eq!((first, fire(cause())), (Fired::Begun(RunId(1)), Fired::Already(RunId(1))));
    // Whoever asks at the same time: one of them begins it.
    let together = std::thread::scope(|scope| {
        let other = || fire(Cause::Event { source: "shop".to_owned(), id: "8".to_owned() });
        let all: Vec<_> = (0..8).map(|_| scope.spawn(other)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(together.iter().filter(|fired| matches!(fired, Fired::Begun(_))).count(), 1, "{together:?}");
    assert!(together.iter().all(|fired| fired.run() == together[0].run()), "{together:?}");
    // By hand it runs as often as it is asked for.
    let manual = || house.server.start_deployed(&tenant(), &project(), &pipeline("main")).unwrap();
    assert_ne!(manual(), manual());
    let unknown = house.server.start_deployed(&tenant(), &project(), &pipeline("other")).unwrap_err();
    assert!(matches!(&unknown, Error::NotFound(text) if text.contains("it has `main`")), "{unknown}");
}

#[test]
fn a_deployed_project_says_how_many_of_its_runs_are_kept_and_no_cause_is_forgotten() {
    let house = House::new();
    let prepared = house.prepare_with(&tenant(), "[retention]\nruns = 1\n", &[("main", STEP)]);
    house.server.deploy(&tenant(), &prepared).unwrap();
    let deployed = house.server.current_deployment(&tenant(), &project()).unwrap().unwrap();
    let fire = |id: &str| {
        let cause = Cause::Event { source: "shop".to_owned(), id: id.to_owned() };
        let fired = house.server.fire(&tenant(), &deployed, &pipeline("main"), Spark::new(cause)).unwrap();
        house.look();
        fired
    };
    let first = fire("1").run();
    (2..5).for_each(|id| assert!(matches!(fire(&id.to_string()), Fired::Begun(_))));
    house.server.gc(&tenant(), &crate::GcRequest::default(), &|_| ()).unwrap();
    assert_eq!(house.runs().len(), 1);
    assert_eq!(fire("1"), Fired::Already(first));
    // What is deployed is still there.
    house.server.start_deployed(&tenant(), &project(), &pipeline("main")).unwrap();
    house.look();
    assert_eq!(house.runs().len(), 2);
}

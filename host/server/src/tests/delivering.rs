//! Canaries and aliases that move: what waits for what.

use super::bundles::{model, register};
use super::{DEADLINE, House, tenant};
use crate::answering::expect_alike;
use crate::{Error, Knock, MoveBack, QuotaChange, RolloutChange, RolloutVerb, Served, locked};
use ports::Journal;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::Instant;
use types::{
    AliasMove, CanaryStep, DataType, EndpointName, FaultKind, Field, Id, ModelVersion, Phase, PredictionId, Record,
    RolloutMove, Scope, StepCommit, TenantId,
};

fn endpoint() -> EndpointName {
    "tumour".parse().unwrap()
}

/// A house with an endpoint and two versions, none of which can be loaded: there is no worker. 2 is the champion.
fn two_versions() -> House {
    let house = House::new();
    register_two(&house, &tenant());
    house
}

fn register_two(house: &House, tenant: &TenantId) {
    register(house, tenant);
    let first = house.server.store.version(tenant, &model(), 1).unwrap().unwrap();
    let second = ModelVersion { version: 2, ..first };
    let commit = StepCommit {
        step: "registered".parse().unwrap(),
        attempt: types::Attempt(1),
        outputs: Default::default(),
        receipt: Default::default(),
        key: None,
        taken: None,
    };
    let step = commit.step.clone();
    let registered = Record::VersionRegistered { version: Box::new(second), alias: None, step, commit };
    let moved = |from, to| {
        Record::AliasMoved(AliasMove {
            why: "a test".to_owned(),
            ..house.server.new_move(&model(), "champion", from, to, &None)
        })
    };
    house.server.store.append(tenant, &[registered, moved(None, 1), moved(Some(1), 2)]).unwrap();
    let folder = house.folder.path().join(tenant.to_string());
    std::fs::create_dir_all(folder.join("pipelines")).unwrap();
    let canary = "canary = { alias = \"challenger\", steps = [{ pause = {} }] }\n";
    std::fs::write(
        folder.join("stepwell.toml"),
        format!("name = \"shop\"\n[endpoints.tumour]\nmodel = \"tumour\"\n{canary}"),
    )
    .unwrap();
    house.server.serve_project(tenant, &folder).unwrap();
}

/// What is done while somebody holds the lock that all tenants share.
#[track_caller]
fn done_meanwhile(house: &House, work: impl FnOnce() -> Result<(), Error> + Send + 'static) -> String {
    let _alone = house.server.dispatcher.alone();
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(work().unwrap_err().to_string()));
    told.recv_timeout(DEADLINE).expect("it waits for the lock")
}

#[test]
fn a_version_is_loaded_before_the_lock_that_all_tenants_share_is_taken() {
    let house = two_versions();
    let server = std::sync::Arc::clone(&house.server);
    let asked = MoveBack { alias: "champion".to_owned(), why: None, by: None };
    let said = done_meanwhile(&house, move || server.roll_back(&tenant(), &model(), &asked).map(drop));
    assert!(said.contains("worker"), "{said}");
    let rollout = models::begin(2, 1, vec![CanaryStep::Pause { ms: None }], 5);
    let moved =
        RolloutMove { endpoint: endpoint(), model: model(), rollout, why: "a test".to_owned(), by: None, at_us: 5 };
    house.server.store.append(&tenant(), &[Record::RolloutMoved(moved)]).unwrap();
    let server = std::sync::Arc::clone(&house.server);
    let change = RolloutChange { what: RolloutVerb::Promote, why: None, by: None };
    let said = done_meanwhile(&house, move || server.change_rollout(&tenant(), &endpoint(), &change).map(drop));
    assert!(said.contains("worker"), "{said}");
    assert_eq!(house.server.store.alias(&tenant(), &model(), "champion").unwrap(), Some(2));
}

/// What is done to one tenant's canary takes as long as it takes; the other's ends at once, for its candidate cannot be loaded.
#[test]
fn a_tenants_canary_waits_for_no_others() {
    let house = two_versions();
    let (slow, quick) = (tenant(), TenantId::parse("acme").unwrap());
    house.server.create_tenant(&quick, None).unwrap();
    register_two(&house, &quick);
    let held = house.server.find(&slow, &endpoint()).unwrap();
    let moving = locked(&held.traffic.moving);
    for tenant in [&slow, &quick] {
        let moved = house.server.new_move(&model(), "challenger", None, 1, &None);
        let moved = AliasMove { why: "a test".to_owned(), ..moved };
        house.server.store.append(tenant, &[Record::AliasMoved(moved)]).unwrap();
    }
    house.server.keep_triggers(|_| {});
    let phase = |tenant| {
        let moves = house.server.store.rollouts(tenant, &endpoint()).unwrap();
        moves.last().map(|moved| moved.rollout.phase)
    };
    let begin = Instant::now();
    while phase(&quick) != Some(Phase::Aborted) {
        assert!(begin.elapsed() < DEADLINE, "it waits for the other");
        std::thread::yield_now();
    }
    assert_eq!(phase(&slow), None);
    drop(moving);
    while phase(&slow) != Some(Phase::Aborted) {
        assert!(begin.elapsed() < DEADLINE, "it is left for ever");
        std::thread::yield_now();
    }
    house.server.leave();
}

/// Who asked may be gone when the version answers: what it answered is counted, and what nobody answered is.
#[test]
fn a_request_is_counted_when_the_last_who_has_to_do_with_it_lets_go() {
    let house = two_versions();
    let counts = || {
        let told = house.server.statistics(&tenant(), &endpoint(), 2);
        let parts = told.inference_stats.unwrap();
        (told.inference_count, parts.success.unwrap().count, parts.fail.unwrap().count)
    };
    let asks = house.server.took(&tenant(), &endpoint(), Instant::now());
    let answers = std::sync::Arc::clone(&asks);
    asks.read();
    drop(asks);
    assert_eq!(counts(), (0, 0, 0), "it is under way");
    answers.inferred(&Served {
        model: model(),
        version: 2,
        first: PredictionId::first(7, [0; 10]),
        predictions: data::Table::empty(types::Schema::default()),
        answered_us: 7_000,
    });
    drop(answers);
    assert_eq!(counts(), (0, 1, 0));
    drop(house.server.took(&tenant(), &endpoint(), Instant::now()));
    assert_eq!(counts(), (0, 1, 1));
}

/// Requests do not each measure the disk; what is done seldom does.
#[test]
fn a_disk_that_was_just_measured_is_not_measured_for_the_next_request() {
    let house = House::new();
    let (server, tenant) = (&house.server, tenant());
    let change = QuotaChange { storage: Some("1 MiB".to_owned()), ..QuotaChange::default() };
    server.change_quota(&tenant, &change).unwrap();
    let admission = &server.admission;
    admission.check_often(&tenant).unwrap();
    let folder = crate::folder::predictions(&server.options.data, &tenant);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("much"), vec![0; 2 << 20]).unwrap();
    admission.measured_until(&tenant, Instant::now() + DEADLINE);
    admission.check_often(&tenant).unwrap();
    assert!(matches!(admission.check(&tenant).unwrap_err().kind, FaultKind::Quota { .. }));
    admission.measured_until(&tenant, Instant::now());
    assert!(matches!(admission.check_often(&tenant).unwrap_err().kind, FaultKind::Quota { .. }));
}

#[test]
fn who_answers_beside_the_stable_version_has_all_columns_of_its_answers() {
    let house = House::new();
    register(&house, &tenant());
    let first = house.server.store.version(&tenant(), &model(), 1).unwrap().unwrap();
    let field = |name: &str, data_type| Field { name: name.to_owned(), data_type, nullable: false };
    let version = |request: &str, answer: &[(&str, DataType)]| {
        let mut version = ModelVersion { request: vec![field(request, DataType::Float64)], ..first.clone() };
        version.signature.outputs = answer.iter().map(|(name, data_type)| field(name, *data_type)).collect();
        version
    };
    let (class, chance) = (("prediction", DataType::Text), ("probability", DataType::Float64));
    let stable = version("a", &[class, chance]);
    for (beside, why) in [
        (version("a", &[class, chance]), None),
        (version("a", &[class, ("margin", DataType::Float64), chance]), None),
        (version("b", &[class, chance]), Some("its requests bring other columns")),
        (version("a", &[class]), Some("its answers lack `probability` (float64): they have `prediction` (text)")),
        (version("a", &[class, ("probability", DataType::Text)]), Some("its answers lack `probability` (float64)")),
    ] {
        let told = expect_alike(&stable, &beside).map_err(|fault| fault.message);
        match why {
            None => assert_eq!(told, Ok(())),
            Some(why) => assert!(told.as_ref().is_err_and(|told| told.contains(why)), "{told:?}"),
        }
    }
}

#[test]
fn what_no_version_saw_is_counted_where_it_was_asked() {
    let house = two_versions();
    let (server, asked) = (&house.server, endpoint());
    let counted = |version: &str, ended: &str| {
        let labels =
            format!("{{tenant=\"{}\",endpoint=\"tumour\",version=\"{version}\",ended=\"{ended}\"}} ", tenant());
        let text = server.metrics(&tenant()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("stepwell_requests_total{labels}")));
        line.map(|count| count.parse::<u64>().unwrap())
    };
    assert!(server.request_columns(&tenant(), &asked).is_err(), "there is no worker to load it");
    assert_eq!((counted("2", "failed"), counted("2", "busy")), (Some(1), Some(0)));
    assert!(!server.have_versions(&tenant()).unwrap(), "one was loaded in vain");
    // Also where nobody asks what is not ready.
    let tried = || server.find(&tenant(), &asked).unwrap().traffic.is_troubled(2, server.now_us());
    house.hands.0.fetch_add(60_000_000, Ordering::SeqCst);
    assert!(!tried());
    server.tend_rollouts(&tenant());
    assert!(tried(), "again, after a minute");
    let quota = QuotaChange { requests: Some("1/h".to_owned()), ..QuotaChange::default() };
    server.change_quota(&tenant(), &quota).unwrap();
    let (scope, endpoint) = (Scope::Predict, Some("tumour"));
    let knock = Knock { key: None, tenant: None, scope, endpoint, of_all: false };
    assert!(server.knock(&tenant(), knock).is_ok());
    assert!(server.knock(&tenant(), knock).is_err());
    assert_eq!(counted("2", "busy"), Some(1));
    server.unload_endpoint(&tenant(), &asked).unwrap();
    assert!(server.request_columns(&tenant(), &asked).is_err());
    assert_eq!(counted("2", "failed"), Some(2));
    assert!(server.request_columns(&tenant(), &"nowhere".parse().unwrap()).is_err());
    assert!(!server.metrics(&tenant()).unwrap().contains("nowhere"));
}

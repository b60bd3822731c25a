//! A candidate that is examined: what is asked of the runner, what its training told, and what a verdict keeps from being registered.

use crate::course::good;
use crate::fakes::{FakeBlobs, World};
use crate::plans::{closed, name, natural, output, outputs, step, whole};
use plan::{Plan, Work};
use ports::{Examination, Task, Watched};
use run::{RunEvent, Status};
use std::sync::{Arc, Mutex};
use types::{Artifact, Budget, Fault, FaultKind, Outcome, Record, RunState, Series, Verdict};

/// The whole plan, whose model is examined before it is registered.
fn examined() -> Plan {
    let mut plan = closed(whole(0.5));
    let at = plan.steps.iter().position(|step| step.name == name("register")).unwrap();
    let Work::Register { served, examined, .. } = &mut plan.steps[at].work else { panic!("no registration") };
    *examined = Some(output("examine.verdict"));
    let work = Work::Examine {
        model: output("train.model"),
        rows: output("split.test"),
        answers: Some(output("predict.table")),
        loss: Some("loss".to_owned()),
        budget: Budget { latency_ms: Some(5), memory_bytes: None },
        served: served.clone(),
        candidate: None,
    };
    let mut examine = step("examine", work, &["verdict"]);
    examine.grants = types::Grants::default();
    plan.steps.insert(at, examine);
    plan
}

fn verdict(passed: bool) -> Verdict {
    let outcome = Some(if passed { Outcome::Pass } else { Outcome::Fail });
    Verdict { passed, lines: Vec::new(), sentence: "as it was scripted".to_owned(), outcome, against: None }
}

type Asked = Arc<Mutex<Vec<Examination>>>;

/// A world in which training tells a loss, and is interrupted once if `once` says so.
fn world(passes: bool, once: bool) -> (World, Asked) {
    let (asked, blobs) = (Asked::default(), Arc::new(FakeBlobs::create()));
    let (heard, kept) = (Arc::clone(&asked), Arc::clone(&blobs));
    let world = World::after(Vec::new(), blobs, move |who, call, before, watch| {
        let tell = |value| watch.hear(Watched::Metric { name: "loss".to_owned(), value, index: 0 });
        match &call.assignment.task {
            Task::Collect { .. } => good(call, watch, &kept),
            Task::Examine { examination } => {
                heard.lock().unwrap().push(examination.as_ref().clone());
                Ok(outputs([("verdict", Artifact::Verdict(verdict(passes)))]))
            }
            Task::Train { .. } if once && before == 0 => {
                [Some(0.9), Some(0.7)].into_iter().for_each(tell);
                Err(Fault::new(FaultKind::Transient { retry_after_ms: 1 }, format!("`{who}` was interrupted")))
            }
            Task::Train { .. } => {
                [Some(0.5), None, Some(0.2)].into_iter().for_each(tell);
                natural(call, &kept)
            }
            _ => natural(call, &kept),
        }
    });
    (world, asked)
}

#[test]
fn a_candidate_is_asked_as_it_would_be_registered() {
    let (world, asked) = world(true, false);
    assert_eq!(world.run(&examined()), RunState::Succeeded);
    let version = world.journal.all().into_iter().find_map(|record| match record {
        Record::VersionRegistered { version, .. } => Some(version),
        _ => None,
    });
    let (version, asked) = (version.unwrap(), asked.lock().unwrap());
    let [Examination { candidate, rows, answers, loss, budget }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((&candidate.path, &candidate.predictor), (&version.path, &version.predictor));
    assert_eq!((&candidate.request, &candidate.response), (&version.request, &version.signature.outputs));
    let view = world.view(1);
    let table = |port: &str| view.output(&output(port)).map(Artifact::digest);
    assert_eq!(
        (Some(rows.digest), answers.as_ref().map(|table| table.digest)),
        (table("split.test"), table("predict.table"))
    );
    let told = Series { first: Some(0.5), last: Some(0.2), points: 3 };
    assert_eq!((loss, budget.latency_ms), (&Some(("loss".to_owned(), Some(told))), Some(5)));
    assert_eq!(version.examined, Some(verdict(true)), "it is on record with the version");
    assert!(
        world
            .events
            .lock()
            .unwrap()
            .iter()
            .any(|event| matches!(event, RunEvent::Verdict { step, .. } if *step == name("examine")))
    );
}

#[test]
fn it_is_asked_anew_where_its_training_is_taken_and_what_that_told_is_known() {
    let (world, asked) = world(true, true);
    assert_eq!(world.run(&examined()), RunState::Succeeded);
    assert_eq!(world.run(&examined()), RunState::Succeeded);
    assert_eq!(world.calls("train"), 2, "an attempt that failed, and one that did not");
    let asked = asked.lock().unwrap();
    let told: Vec<_> = asked.iter().map(|asked| asked.loss.clone().unwrap().1.unwrap()).collect();
    // A taken step has no attempts: only the one that made what is taken is known.
    let series = |first, points| Series { first: Some(first), last: Some(0.2), points };
    assert_eq!(told, [series(0.9, 5), series(0.5, 3)]);
}

#[test]
fn a_verdict_against_it_keeps_it_from_being_registered() {
    let (world, _) = world(false, false);
    assert_eq!(world.run(&examined()), RunState::Rejected);
    let view = world.view(1);
    let Status::Skipped { because } = view.status(&name("register")) else { panic!("it was registered") };
    assert_eq!(because, "the examination `examine` said no: as it was scripted");
}

//! `kill -9` between any two records: the next server finishes the run as if nothing had happened.

use crate::course::{good, versions, world};
use crate::fakes::World;
use crate::plans::{closed, essence, whole};
use run::{RunView, Status};
use types::{Id, RunId, RunState};

#[test]
fn a_run_resumes_from_every_record() {
    let cases = [
        (whole(0.8), RunState::Succeeded),
        (whole(0.95), RunState::Rejected),
        (closed(whole(0.8)), RunState::Succeeded),
        (closed(whole(0.95)), RunState::Rejected),
    ];
    for (plan, state) in cases {
        let first = world(|_, _, _| None);
        assert_eq!(first.run(&plan), state);
        let records = first.journal.all();
        let expected = essence(&first.view(1));
        assert!(records.len() > 15, "{}", records.len());
        for k in 1..=records.len() {
            let before = RunView::of(&records[..k]);
            let blobs = first.blobs.clone();
            let script = move |_: &str, call: &ports::Call, _: u32, watch: &dyn ports::Watch| good(call, watch, &blobs);
            let resumed = World::after(records[..k].to_vec(), first.blobs.clone(), script);
            assert_eq!(resumed.drive(RunId(1)).unwrap(), state, "after {k} records");
            assert_eq!(essence(&resumed.view(1)), expected, "after {k} records");
            for (step, view) in &before.steps {
                let again = resumed.calls(step.as_str());
                assert!(again == 0 || !view.status.is_final(), "`{step}` was repeated after {k} records");
                let interrupted = matches!(view.status, Status::Running { .. });
                let attempts = resumed.view(1).steps[step].attempts;
                assert_eq!(attempts, view.attempts + u32::from(interrupted), "`{step}` after {k} records");
            }
            let all = resumed.journal.all();
            assert_eq!(versions(&all).len(), usize::from(state == RunState::Succeeded), "after {k} records");
        }
    }
}

#[test]
fn a_run_without_a_record_never_was() {
    let world = world(|_, _, _| None);
    assert!(world.drive(RunId(1)).is_err());
    assert!(world.journal.all().is_empty());
}

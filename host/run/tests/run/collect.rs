//! Collectors: rows and cursors that outlive a run.

use crate::fakes::{FakeBlobs, World};
use crate::plans::{collect, name, plan, port, stored};
use ports::{Answer, Page, Task};
use std::sync::{Arc, Mutex, OnceLock};
use types::{Artifact, Digest, FaultKind, Record, RunState};

/// Pages of a script, as (cursor, values, restarted); a call goes on behind its cursor.
type Pages = Arc<Mutex<Vec<(String, Vec<i64>, bool)>>>;

/// A world with one collector, which reads what stands in the pages.
fn world() -> (World, Pages) {
    let pages = Pages::default();
    let blobs: Arc<OnceLock<Arc<FakeBlobs>>> = Arc::default();
    let (its_pages, its_blobs) = (pages.clone(), blobs.clone());
    let world = World::new(move |_, call, _, watch| {
        let Task::Collect { cursor } = &call.assignment.task else { panic!("expected a collector") };
        let pages = its_pages.lock().unwrap().clone();
        let done = cursor.as_ref().and_then(|cursor| pages.iter().position(|page| page.0 == *cursor));
        for (at, values, restarted) in pages.into_iter().skip(done.map_or(0, |done| done + 1)) {
            let table = stored(&values, its_blobs.get().unwrap());
            watch.page(Page { table, cursor: at, more: false, restarted })?;
        }
        Ok(Answer::Collected)
    });
    let _ = blobs.set(world.blobs.clone());
    (world, pages)
}

fn page(cursor: &str, values: &[i64]) -> (String, Vec<i64>, bool) {
    (cursor.to_owned(), values.to_vec(), false)
}

/// Runs the collector; the digest of its table.
fn collected(world: &World) -> Digest {
    let run = world.start(&plan(vec![collect()])).unwrap();
    assert_eq!(world.drive(run).unwrap(), RunState::Succeeded);
    let view = world.view(run.0);
    assert_eq!(view.steps[&name("rows")].attempts, 1);
    let Artifact::Table(table) = view.commit(&name("rows")).unwrap().outputs[&port("table")].clone() else {
        panic!("expected a table")
    };
    table.digest
}

fn page_records(world: &World) -> usize {
    world.journal.all().iter().filter(|record| matches!(record, Record::PageCommitted { .. })).count()
}

#[test]
fn a_later_run_goes_on_where_the_last_page_ended() {
    let (world, pages) = world();
    pages.lock().unwrap().extend([page("01", &[1, 2]), page("02", &[3])]);
    assert_eq!(collected(&world), stored(&[1, 2, 3], &world.blobs).digest);
    pages.lock().unwrap().push(page("03", &[4, 5]));
    assert_eq!(collected(&world), stored(&[1, 2, 3, 4, 5], &world.blobs).digest);
    assert_eq!(page_records(&world), 3);
}

#[test]
fn a_restarted_source_forgets_its_pages() {
    let (world, pages) = world();
    *pages.lock().unwrap() = vec![page("01", &[1, 2]), page("02", &[3])];
    collected(&world);
    *pages.lock().unwrap() = vec![("11".to_owned(), vec![7], true), page("12", &[8])];
    assert_eq!(collected(&world), stored(&[7, 8], &world.blobs).digest);
}

#[test]
fn a_source_without_news_adds_no_record() {
    let (world, pages) = world();
    pages.lock().unwrap().push(page("01", &[1]));
    let first = collected(&world);
    // The collector is asked from "01" on, and answers that there is nothing.
    pages.lock().unwrap().push(page("01", &[]));
    assert_eq!(collected(&world), first);
    assert_eq!(page_records(&world), 1);
}

#[test]
fn a_source_without_rows_is_said_so() {
    for empty in [vec![], vec![page("01", &[])]] {
        let (world, pages) = world();
        *pages.lock().unwrap() = empty;
        assert_eq!(world.run(&plan(vec![collect()])), RunState::Failed);
        let fault = &world.view(1).steps[&name("rows")].failures[0].fault;
        assert_eq!(fault.kind, FaultKind::Invalid);
        assert_eq!(fault.message, "step `rows` (plugin `csv`): the source has no rows, expected at least one");
    }
}

#[test]
fn two_runs_on_one_source_commit_each_row_once() {
    let (world, pages) = world();
    for i in 1..=20 {
        pages.lock().unwrap().push(page(&format!("{i:02}"), &[i]));
    }
    let runs = [0, 1, 2].map(|_| world.start(&plan(vec![collect()])).unwrap());
    std::thread::scope(|scope| {
        for &run in &runs {
            let world = &world;
            scope.spawn(move || world.drive(run).unwrap());
        }
    });
    assert_eq!(page_records(&world), 20);
    let expected = stored(&(1..=20).collect::<Vec<_>>(), &world.blobs).digest;
    let states: Vec<_> = runs.iter().map(|run| world.view(run.0).state()).collect();
    assert!(states.contains(&RunState::Succeeded), "{states:?}");
    assert_eq!(collected(&world), expected);
}

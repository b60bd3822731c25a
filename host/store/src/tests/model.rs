//! The store against a naive model, over any records, with reopening; and the index that grew against one built anew.

use super::records::{any_record, attempt, committed, digest, finished, started, table};
use super::{folder, open, tenant};
use crate::index::{Index, MemoryIndex, Walls};
use crate::{Store, open as opening};
use ports::{Journal, SourceState};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use types::{AliasMove, Artifact, ModelName, ModelVersion, Record, RunId, RunState, TenantId};

/// What a person would say happened: everything, in maps.
#[derive(Debug, Default, Clone)]
struct Model {
    runs: BTreeMap<u64, (RunState, Option<i64>)>,
    records: BTreeMap<u64, Vec<Record>>,
    pages: BTreeMap<types::Digest, (Vec<types::TableRef>, String)>,
    versions: BTreeMap<(ModelName, u32), ModelVersion>,
    aliases: BTreeMap<(ModelName, String), u32>,
    tags: BTreeMap<(ModelName, u32), BTreeMap<String, String>>,
    moves: Vec<AliasMove>,
}

impl Model {
    /// The model behind the record, or none if the record contradicts it.
    fn after(mut self, record: &Record) -> Option<Self> {
        match record {
            Record::RunStarted(head) => {
                let is_new = self.runs.insert(head.run.0, (RunState::Running, None)).is_none();
                is_new.then_some(())?;
            }
            Record::RunFinished { run, state, at_us, .. } => {
                self.runs.entry(run.0).and_modify(|entry| *entry = (*state, Some(*at_us)));
            }
            Record::PageCommitted { source, table, cursor, restarted, .. } => {
                let (pages, last) = self.pages.entry(*source).or_default();
                if *restarted {
                    pages.clear();
                }
                pages.push(table.clone());
                *last = cursor.clone();
            }
            Record::VersionRegistered { version, alias, .. } => {
                let key = (version.model.clone(), version.version);
                self.versions.insert(key, version.as_ref().clone()).is_none().then_some(())?;
                alias.iter().for_each(|moved| self.alias(moved));
            }
            Record::AliasMoved(moved) => self.alias(moved),
            Record::VersionImported { version } => {
                let key = (version.model.clone(), version.version);
                self.versions.insert(key, version.as_ref().clone()).is_none().then_some(())?;
            }
            Record::VersionTagged { model, version, key, value, .. } => {
                let tags = self.tags.entry((model.clone(), *version)).or_default();
                match value {
                    Some(value) => drop(tags.insert(key.clone(), value.clone())),
                    None => drop(tags.remove(key)),
                }
            }
            _ => {}
        }
        if let Some(run) = run_number(record) {
            self.records.entry(run).or_default().push(record.clone());
        }
        Some(self)
    }

    fn alias(&mut self, moved: &AliasMove) {
        let alias = (moved.model.clone(), moved.alias.clone());
        match moved.to {
            Some(version) => drop(self.aliases.insert(alias, version)),
            None => drop(self.aliases.remove(&alias)),
        }
        self.moves.push(moved.clone());
    }

    fn assert_equals(&self, store: &Store, id: &TenantId) {
        let runs = store.runs(id).expect("runs");
        let seen: Vec<_> = runs.iter().map(|run| (run.head.run.0, (run.state, run.finished_us))).collect();
        assert_eq!(seen, self.runs.iter().rev().map(|(run, entry)| (*run, *entry)).collect::<Vec<_>>());
        let unfinished = self.runs.values().filter(|(state, _)| *state == RunState::Running).count();
        assert_eq!(store.unfinished(id).expect("unfinished").len(), unfinished);
        for run in 0..6 {
            let records = store.run_records(id, RunId(run)).expect("records");
            assert_eq!(records, self.records.get(&run).cloned().unwrap_or_default());
            assert_eq!(store.run(id, RunId(run)).expect("run").is_some(), self.runs.contains_key(&run));
        }
        for source in (0..3).map(digest) {
            let expected = self.pages.get(&source).cloned();
            let expected = expected.map(|(pages, cursor)| SourceState { pages, cursor: Some(cursor) });
            assert_eq!(store.source(id, source).expect("source"), expected);
        }
        self.assert_equal_models(store, id);
    }

    fn assert_equal_models(&self, store: &Store, id: &TenantId) {
        for model in ["ben", "benign", "benign-2"].map(|name| name.parse::<ModelName>().expect("a name")) {
            let versions: Vec<_> = self.versions.values().filter(|version| version.model == model).cloned().collect();
            let last = versions.last().map_or(0, |version| version.version);
            let summary = store.models(id).expect("models").into_iter().find(|summary| summary.model == model);
            let numbers: Vec<u32> = versions.iter().map(|version| version.version).collect();
            assert_eq!(summary.map(|summary| summary.versions).unwrap_or_default(), numbers);
            assert_eq!(store.next_version(id, &model).expect("next"), last + 1);
            assert_eq!(store.versions(id, &model).expect("versions"), versions);
            for alias in ["champion", "\0odd", ""] {
                let expected = self.aliases.get(&(model.clone(), alias.to_owned())).copied();
                assert_eq!(store.alias(id, &model, alias).expect("alias"), expected);
            }
            for version in 1..5 {
                let expected = self.tags.get(&(model.clone(), version)).cloned().unwrap_or_default();
                assert_eq!(store.tags(id, &model, version).expect("tags"), expected);
            }
            let moves: Vec<_> = self.moves.iter().filter(|moved| moved.model == model).cloned().collect();
            assert_eq!(store.alias_history(id, &model).expect("history"), moves);
        }
    }
}

fn run_number(record: &Record) -> Option<u64> {
    if matches!(record, Record::VersionImported { .. }) {
        // Its run is another installation's.
        return None;
    }
    let json = serde_json::to_value(record).expect("JSON");
    json.get("run").or_else(|| json.get("version")?.get("run")).and_then(serde_json::Value::as_u64)
}

/// All entries of an index.
fn dump(index: &dyn Index) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries = Vec::new();
    index.scan(b"", &mut |key, value| entries.push((key.to_vec(), value.to_vec()))).expect("scanned");
    entries
}

/// Replays every journal into a `BTreeMap` and compares it with what sled holds, byte for byte.
fn assert_index_is_derived(store: &Store, data: &std::path::Path) {
    let fresh: Arc<dyn Index> = Arc::new(MemoryIndex::default());
    for id in store.tenants() {
        let folder = opening::journal_folder(data, &id);
        let (log, _) = crate::journal::Log::open(&store.folders, &folder, crate::journal::Owner::Tenant(&id), None)
            .expect("the journal opens");
        opening::replay(&log, &id, &Walls::new(fresh.clone(), &id)).expect("replayed");
    }
    assert_eq!(dump(&*fresh), dump(&*store.index));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is not read before it is indexed would be no other then.
    #[test]
    fn what_is_plain_reads_back_as_it_is(record in any_record()) {
        let read: Record = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        prop_assert!(!crate::tenant::is_plain(&record) || read == record);
    }
}

#[test]
fn only_what_a_run_is_made_of_is_plain() {
    let plain = |record: &Record| crate::tenant::is_plain(record);
    assert!(plain(&attempt(1, 5)) && plain(&finished(1, RunState::Failed)));
    let of = |artifact: Artifact, value: Option<f64>| {
        let Record::StepCommitted { run, mut commit, at_us } = committed(1, 0.5) else { unreachable!() };
        commit.outputs.values_mut().for_each(|output| *output = artifact.clone());
        let mut series = types::Series::default();
        value.iter().for_each(|value| series.add(Some(*value)));
        commit.receipt.series.extend(value.map(|_| ("loss".to_owned(), series)));
        Record::StepCommitted { run, commit, at_us }
    };
    assert!(plain(&of(Artifact::Table(table(3)), None)));
    assert!(!plain(&of(Artifact::Table(table(3)), Some(0.5))) && !plain(&committed(1, 0.5)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_what_happened(
        batches in prop::collection::vec((prop::collection::vec(any_record(), 1..5), prop::bool::weighted(0.15)), 1..24)
    ) {
        let (data, id, mut model) = (folder(), tenant("acme"), Model::default());
        let (mut store, _) = open(data.path());
        for (batch, reopens) in batches {
            let after = batch.iter().try_fold(model.clone(), |model, record| model.after(record));
            prop_assert_eq!(store.append(&id, &batch).is_ok(), after.is_some(), "a contradiction is refused, nothing else");
            model = after.unwrap_or(model);
            if reopens {
                drop(store);
                let (again, recovery) = open(data.path());
                prop_assert!(recovery.is_clean() && recovery.replayed == 0, "{}", recovery);
                store = again;
                model.assert_equals(&store, &id);
            }
        }
        model.assert_equals(&store, &id);
        assert_index_is_derived(&store, data.path());
    }
}

#[test]
fn a_number_is_given_once() {
    let (data, id) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    assert_eq!([store.next_run(&id), store.next_run(&id)], [Ok(RunId(1)), Ok(RunId(2))]);
    store.append(&id, &[started(7)]).expect("appended");
    assert_eq!(store.next_run(&id), Ok(RunId(8)));
    drop(store);
    assert_eq!(open(data.path()).0.next_run(&id), Ok(RunId(8)));
}

/// What the database keeps in memory grows with the number of its keys.
#[test]
fn a_run_is_two_entries_until_its_places_fill_one_and_one_once_it_has_ended() {
    let (data, id) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let entries = || dump(&*store.index).len();
    let run = |run| [started(run), attempt(run, 5), finished(run, RunState::Succeeded)];
    store.append(&id, &run(1)).expect("appended");
    let before = entries();
    (2..=10).for_each(|number| {
        run(number).iter().for_each(|one| store.append(&id, std::slice::from_ref(one)).expect("appended"))
    });
    assert_eq!(entries(), before + 9);
    (0..4).for_each(|at_us| store.append(&id, &[attempt(7, at_us)]).expect("appended"));
    assert_eq!(entries(), before + 9 + 2, "four places more, three an entry");
    store.append(&id, &[started(11)]).expect("appended");
    (0..4).for_each(|at_us| store.append(&id, &[attempt(11, at_us)]).expect("appended"));
    assert_eq!(entries(), before + 9 + 2 + 4, "its head, that it is open, and five places");
    store.append(&id, &[finished(11, RunState::Failed)]).expect("appended");
    assert_eq!(entries(), before + 9 + 2 + 2, "its head with three places, and three in an entry");
    for (number, places) in [(3, 3), (7, 7), (11, 6)] {
        let found = store.places(&id, RunId(number)).expect("places");
        assert_eq!(found.len(), places, "{number}");
        assert!(found.is_sorted_by_key(|place| place.sequence));
        assert_eq!(store.run_records(&id, RunId(number)).expect("records").len(), places);
    }
}

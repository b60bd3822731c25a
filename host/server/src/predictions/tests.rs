//! A book without a server around it, on a clock that is told.

use super::book::{Book, Noted};
use super::labels::{LabelRequest, NewLabel};
use super::{Followed, Loss, Predictions, Question, join};
use data::{GuestColumn, Table, json_rows};
use manifest::LogSettings;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use types::{DataType, Field, PredictionId, Schema};

const NOW_US: i64 = 1_700_000_000_000_000;
const DAY_US: i64 = 86_400_000_000;

fn field(name: &str, data_type: DataType) -> Field {
    Field { name: name.to_owned(), data_type, nullable: false }
}

fn floats(name: &str, values: &[f64]) -> Table {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let length = values.len() as u32;
    let column = GuestColumn { data_type: DataType::Float64, length, validity: None, offsets: None, data };
    Table::from_columns(Schema { fields: vec![field(name, DataType::Float64)] }, vec![column]).unwrap()
}

/// A request of these `x`, each answered with its double.
fn noted(xs: &[f64]) -> Noted {
    noted_of("x", xs)
}

fn noted_of(column: &str, xs: &[f64]) -> Noted {
    let doubled: Vec<f64> = xs.iter().map(|x| 2.0 * x).collect();
    let (rows, predictions) = (floats(column, xs), floats("prediction", &doubled));
    let model = "m".parse().unwrap();
    Noted { at_us: NOW_US, latency_us: 7, model, version: 3, trace: Some(Arc::from("abc")), rows, predictions }
}

/// A request of eight rows and two megabytes.
fn large() -> Noted {
    let (length, width) = (8, 65_536);
    let data = vec![0; 4 * length as usize * width as usize];
    let column = GuestColumn { data_type: DataType::Vector(width), length, validity: None, offsets: None, data };
    let rows = Table::from_columns(Schema { fields: vec![field("v", DataType::Vector(width))] }, vec![column]).unwrap();
    Noted { rows, ..noted(&[1.0; 8]) }
}

fn book(folder: &Path) -> Book {
    std::fs::create_dir_all(folder.join("tenant")).unwrap();
    Book::new("e".parse().unwrap(), folder.join("tenant/predictions/e"))
}

fn labelled(book: &Book, id: PredictionId, label: f64) -> u64 {
    let new = NewLabel { prediction_id: id.to_string(), label: label.into(), at: None };
    book.label(&LabelRequest { labels: vec![new] }, Some(DataType::Float64), NOW_US).unwrap().accepted
}

fn exported(book: &Book) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let mut rows = Vec::new();
    book.each(false, &mut |row| {
        rows.push(row);
        true
    })
    .unwrap();
    rows
}

#[test]
fn what_was_noted_is_found_before_and_after_it_is_written_and_joined_with_its_label() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let first = book.note(noted(&[1.0, 2.0]), NOW_US).unwrap();
    assert!(first.is_first && !first.is_much);
    assert_eq!(labelled(&book, first.id.row(1), 4.5), 1, "it is not written yet");
    assert_eq!(labelled(&book, first.id.row(2), 4.5), 0, "there are two rows");
    book.write(NOW_US);
    let second = book.note(noted_of("y", &[5.0]), NOW_US + 1000).unwrap();
    let third = book.note(noted(&[3.0]), NOW_US + 2000).unwrap();
    book.write(NOW_US + 2000);
    for (id, label) in [(first.id, 2.5), (second.id, 1.0), (third.id, 6.5), (first.id.row(1), 3.5)] {
        assert_eq!(labelled(&book, id, label), 1);
    }
    let told = book.told().unwrap();
    assert_eq!((told.files, told.logged, told.labels, told.torn_bytes), (2, 4, 4, 0), "a file for each layout");
    let (table, joined) =
        join::columns(&[field("x", DataType::Float64)], &[field("prediction", DataType::Float64)], "truth").unwrap();
    let found = book.joined((&table, &joined), u64::MAX).unwrap();
    let rows = serde_json::to_value(json_rows(&found.table).unwrap()).unwrap();
    assert_eq!(rows, serde_json::json!([{"x": 1.0, "truth": 2.5}, {"x": 2.0, "truth": 3.5}, {"x": 3.0, "truth": 6.5}]));
    let fault = book.joined((&table, &joined), 100).err().unwrap();
    assert!(fault.message.contains("labelled predictions of the endpoint take"), "{fault}");
    assert!(fault.message.contains("its limit `memory` is 100 B"), "{fault}");
    let row = &json_rows(&found.joined).unwrap()[1];
    assert_eq!(
        (&row["_id"], &row["_version"], &row["_latency_us"]),
        (&first.id.row(1).to_string().into(), &3.into(), &7.into())
    );
    assert_eq!((&row["_trace"], &row["prediction"], &row["_label"]), (&"abc".into(), &4.0.into(), &3.5.into()));
    assert_eq!(exported(&book).len(), 4);
}

#[test]
fn columns_of_a_logs_own_names_keep_their_values() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let id = book.note(noted_of("_id", &[1.5]), NOW_US).unwrap().id;
    // A millisecond later: ids of the same one are in no order.
    book.note(noted_of("prediction", &[2.5]), NOW_US + 1000).unwrap();
    book.write(NOW_US + 1000);
    let rows = exported(&book);
    assert_eq!((&rows[0]["_id"], &rows[0]["_id_"]), (&id.to_string().into(), &1.5.into()));
    assert_eq!((&rows[1]["prediction"], &rows[1]["prediction_"]), (&2.5.into(), &5.0.into()));
}

/// What is looked for while the file grows is found though the file is not read again.
#[test]
fn a_file_that_grows_is_read_once_for_those_who_look_for_its_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let log = |at_us: i64| {
        let id = book.note(noted(&[1.0, 2.0]), at_us).unwrap().id;
        book.write(at_us);
        id
    };
    let first = log(NOW_US);
    let knows = |id: PredictionId| book.known(&BTreeSet::from([id])).unwrap().len() == 1;
    assert!(knows(first) && knows(first.row(1)) && !knows(first.row(2)));
    let file = std::fs::read_dir(&book.folder).unwrap().map(|entry| entry.unwrap().path());
    let file = file.filter(|path| path.extension().is_some()).collect::<Vec<_>>().pop().unwrap();
    let hidden = std::fs::read(&file).unwrap();
    std::fs::write(&file, "no log").unwrap();
    let second = log(NOW_US + 1000);
    assert!(knows(second.row(1)) && knows(first) && !knows(second.row(2)));
    std::fs::write(&file, hidden).unwrap();
}

/// Versions that answer in turns with other columns write to a file each, and what is in either is found, also after a restart;
/// what was written before files grew beside each other is too.
#[test]
fn layouts_in_turns_grow_a_file_each() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let mut ids = Vec::new();
    for turn in 0..10 {
        let at_us = NOW_US + turn * 1_000_000;
        ids.extend(["x", "y", "z"].map(|column| book.note(noted_of(column, &[turn as f64]), at_us).unwrap().id));
        book.write(at_us);
    }
    assert_eq!(book.told().unwrap().files, 3);
    let wanted: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(book.known(&wanted).unwrap(), wanted);
    let again = self::book(folder.path());
    assert_eq!(again.known(&wanted).unwrap(), wanted, "after a restart");
    let later_us = NOW_US + 20_000_000;
    let later = again.note(noted_of("y", &[9.0]), later_us).unwrap().id;
    again.write(later_us);
    assert_eq!(again.told().unwrap().files, 4);
    // As files were called before.
    for path in std::fs::read_dir(&again.folder).unwrap().map(|entry| entry.unwrap().path()) {
        let Some((first, _)) = path.file_name().unwrap().to_str().unwrap().split_once('.') else { continue };
        if path.extension().is_some_and(|ending| ending == "arrows") && first == later.to_string() {
            std::fs::rename(&path, path.with_file_name(format!("{first}.arrows"))).unwrap();
        }
    }
    let all: BTreeSet<_> = wanted.iter().copied().chain([later]).collect();
    assert_eq!(self::book(folder.path()).known(&all).unwrap(), all);
}

/// More of them than files may grow at a time: one makes room, and the next of its rows begin another.
#[test]
fn no_more_files_grow_than_there_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let names = ["a", "b", "c", "d", "e"];
    for turn in 0..2 {
        let at_us = NOW_US + turn * 1_000_000;
        for name in names {
            book.note(noted_of(name, &[1.0]), at_us).unwrap();
            book.write(at_us);
        }
    }
    assert_eq!(book.told().unwrap().files, 10, "each had made room when its turn came");
    let at_us = NOW_US + 3_000_000;
    let id = book.note(noted_of("e", &[1.0]), at_us).unwrap().id;
    book.write(at_us);
    assert_eq!(book.told().unwrap().files, 10);
    assert_eq!(book.known(&BTreeSet::from([id])).unwrap().len(), 1);
}

/// What stands in a list is not even kept while it is read.
#[test]
fn a_label_is_no_list_and_no_object() {
    for (label, is_one) in [("\"a\"", true), ("-1", true), ("0.5", true), ("true", true), ("[1]", false), ("{}", false)]
    {
        let text = format!("{{\"labels\":[{{\"prediction_id\":\"x\",\"label\":{label}}}]}}");
        let read = serde_json::from_str::<LabelRequest>(&text);
        assert_eq!(read.is_ok(), is_one, "{label}: {read:?}");
    }
}

/// Versions 3 and 4, which answer `x` with a number, from a time on.
fn question(since_us: i64, loss: Loss) -> Question {
    let (request, answer) = ([field("x", DataType::Float64)], [field("prediction", DataType::Float64)]);
    Question::of(since_us, loss, [3, 4].map(|version| (version, &request[..], &answer[..])))
}

/// How many labelled predictions there are of either version.
fn counts(book: &Book, question: &Question, followed: &mut Option<Followed>) -> [u64; 2] {
    book.follow(question, [3, 4], followed, NOW_US).unwrap().map(|labelled| labelled.count)
}

/// What came before the time, of another version or under other columns is not theirs; a label that comes again replaces the
/// one before, late ones are found, and who begins anew finds the same.
#[test]
fn labels_of_two_versions_are_followed_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let note = |version, xs: &[f64], at_us| book.note(Noted { version, at_us, ..noted(xs) }, at_us).unwrap().id;
    let second = 1_000_000;
    let since_us = NOW_US + 10 * second;
    let before = note(3, &[1.0], since_us - second);
    let [old, new, other] = [3, 4, 5].map(|version| note(version, &[1.0, 2.0], since_us));
    let otherwise = book.note(Noted { at_us: since_us, ..noted_of("y", &[1.0]) }, since_us).unwrap().id;
    for id in [before, old, other, otherwise] {
        assert_eq!(labelled(&book, id, 2.0), 1);
    }
    let (question, mut followed) = (question(since_us, Loss::Distance), None);
    assert_eq!(counts(&book, &question, &mut followed), [1, 0], "though nothing was written yet");
    for (id, label) in [(new, 7.0), (new.row(1), 4.0), (new, 3.5)] {
        labelled(&book, id, label);
    }
    let expected = [[0.0].into_iter().collect(), [1.5, 0.0].into_iter().collect()];
    assert_eq!(book.follow(&question, [3, 4], &mut followed, NOW_US).unwrap(), expected);
    assert_eq!(book.follow(&question, [3, 4], &mut None, NOW_US).unwrap(), expected, "after a restart");
    labelled(&book, new, 2.0);
    let classes = self::question(since_us, Loss::Class);
    assert_eq!(
        book.follow(&classes, [3, 4], &mut followed, NOW_US).unwrap(),
        [[0.0].into_iter().collect(), [0.0, 0.0].into_iter().collect()],
        "another question begins anew"
    );
    let later = self::question(since_us + 1, Loss::Class);
    assert_eq!(counts(&book, &later, &mut followed), [0, 0]);
}

#[test]
fn no_more_labels_stay_in_memory_than_an_analysis_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let xs = vec![1.0; 60_000];
    let first = book.note(noted(&xs), NOW_US).unwrap().id;
    for chunk in (0..60_000).collect::<Vec<u64>>().chunks(10_000) {
        let new = |row: &u64| NewLabel { prediction_id: first.row(*row).to_string(), label: 2.0.into(), at: None };
        let labels = chunk.iter().map(new).collect();
        book.label(&LabelRequest { labels }, Some(DataType::Float64), NOW_US).unwrap();
    }
    assert_eq!(counts(&book, &question(NOW_US, Loss::Distance), &mut None), [50_000, 0]);
}

#[test]
fn a_full_buffer_drops_and_counts_and_takes_again_once_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let told: Vec<bool> = (0..20).map(|_| book.note(large(), NOW_US).unwrap().is_much).collect();
    assert_eq!(told.iter().filter(|much| **much).count(), 1, "said once");
    let dropped = book.told().unwrap().dropped;
    assert!((32..=40).contains(&dropped), "{dropped} of 160, for 32 MiB have room for 15 requests or 16");
    book.write(NOW_US);
    let told = book.told().unwrap();
    assert_eq!((told.logged + told.dropped, told.unwritten), (160, 0));
    book.note(large(), NOW_US).unwrap();
    assert_eq!(book.told().unwrap().dropped, dropped);
}

#[test]
fn what_is_too_old_goes_with_its_labels_and_what_is_not_drawn_never_came() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    book.settle(LogSettings { keep_ms: 2 * 86_400_000, ..LogSettings::default() });
    for day in 0..6 {
        let now_us = NOW_US + day * DAY_US;
        let id = book.note(noted(&[day as f64]), now_us).unwrap().id;
        book.write(now_us);
        let new = NewLabel { prediction_id: id.to_string(), label: 1.0.into(), at: None };
        book.label(&LabelRequest { labels: vec![new] }, None, now_us).unwrap();
    }
    let days: Vec<f64> = exported(&book).iter().map(|row| row["x"].as_f64().unwrap()).collect();
    assert_eq!(days, [2.0, 3.0, 4.0, 5.0], "a file goes when all its rows are older");
    book.settle(LogSettings { sample: 0.0, ..LogSettings::default() });
    let id = book.note(noted(&[9.0]), NOW_US).unwrap().id;
    book.write(NOW_US);
    assert_eq!((book.known(&BTreeSet::from([id])).unwrap(), exported(&book).len()), (BTreeSet::new(), 4));
    book.settle(LogSettings { sample: 0.5, ..LogSettings::default() });
    for _ in 0..1000 {
        book.note(noted(&[9.0]), NOW_US + 6 * DAY_US).unwrap();
    }
    book.write(NOW_US + 6 * DAY_US);
    let drawn = exported(&book).len() - 4;
    assert!((400..600).contains(&drawn), "{drawn} of 1000");
}

#[test]
fn a_disk_that_does_not_take_them_costs_rows_and_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    std::fs::write(folder.path().join("tenant/predictions"), "a file where the folder is to be").unwrap();
    book.note(noted(&[1.0]), NOW_US).unwrap();
    book.write(NOW_US);
    std::fs::remove_file(folder.path().join("tenant/predictions")).unwrap();
    book.note(noted(&[2.0]), NOW_US).unwrap();
    book.write(NOW_US);
    let told = book.told().unwrap();
    assert_eq!((told.logged, told.unwritten), (1, 1));
    assert!(told.trouble.unwrap().contains("cannot use the prediction log"));
    std::fs::remove_dir_all(folder.path().join("tenant")).unwrap();
    book.close();
    book.note(noted(&[3.0]), NOW_US).unwrap();
    book.write(NOW_US);
    assert!(!folder.path().join("tenant").exists(), "a tenant that is gone does not come back");
}

#[derive(Debug)]
struct Still;

impl ports::Clock for Still {
    fn now_us(&self) -> i64 {
        NOW_US
    }
}

/// Nobody asks for it: the thread that writes does.
#[test]
fn what_was_noted_is_written_by_itself_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (tenant, endpoint) = (types::TenantId::default_tenant(), "e".parse().unwrap());
    std::fs::create_dir_all(crate::folder::tenant(folder.path(), &tenant)).unwrap();
    let predictions = Predictions::new(folder.path().to_owned(), Arc::new(Still));
    predictions.note(&tenant, &endpoint, noted(&[1.0])).unwrap();
    let book = predictions.book(&tenant, &endpoint);
    let begin = std::time::Instant::now();
    while exported(&book).is_empty() {
        assert!(begin.elapsed().as_secs() < 60, "nobody writes");
        std::thread::yield_now();
    }
    predictions.note(&tenant, &endpoint, noted(&[2.0])).unwrap();
    drop(predictions);
    assert_eq!(exported(&book).len(), 2);
}

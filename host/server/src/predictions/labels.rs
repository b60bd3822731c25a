//! Labels of predictions -> lines of files, on the disk before anybody is told; and back.
//!
//! Whoever comes while others' labels are being written is written with the next ones, by one of those who wait: a disk that is
//! slow makes groups larger. A line is a digest's beginning and JSON; what a crash left of a last line is cut off before more
//! is written behind it. A label given again replaces the one before it where it is used, and stays in the file; how often that
//! may be, and how much is kept, has a bound.

use super::book::Book;
use super::files::{entries, make, unusable};
use crate::{Error, locked};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use types::{DataType, Digest, Fault, PredictionId};

/// The most labels of one request.
pub const LABELS_MAX: usize = 10_000;
/// How often the label of a prediction may be given, as far as its labels are kept.
const OF_ONE_MAX: u8 = 16;
/// The most bytes of an endpoint's labels that are kept: a million of usual ones. Some twenty bytes of each are held in memory.
const KEPT_BYTES_MAX: u64 = 128 << 20;
/// The longest label.
const TEXT_BYTES_MAX: usize = 1024;
/// Where the next file begins.
const FILE_BYTES: u64 = 16 << 20;
const ENDING: &str = "log";
/// Digits of a line's digest.
const MARK: usize = 16;
/// Problems that are told of a request.
const TOLD_MAX: usize = 20;

/// Labels that came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRequest {
    pub labels: Vec<NewLabel>,
}

/// What became of a predicted row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLabel {
    pub prediction_id: String,
    /// A text, a number or a truth.
    #[serde(deserialize_with = "scalar")]
    pub label: Value,
    /// When it became so: RFC 3339.
    #[serde(default)]
    pub at: Option<String>,
}

/// A value that is no list and no object: what stands in one is not even read.
fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    struct Scalar;
    impl Visitor<'_> for Scalar {
        type Value = Value;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a text, a number or a truth")
        }
        fn visit_unit<E>(self) -> Result<Value, E> {
            Ok(Value::Null)
        }
        fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
            Ok(value.into())
        }
        fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
            Ok(value.into())
        }
        fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
            Ok(value.into())
        }
        fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
            Ok(value.into())
        }
        fn visit_str<E>(self, value: &str) -> Result<Value, E> {
            Ok(value.into())
        }
    }
    deserializer.deserialize_any(Scalar)
}

/// What became of labels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelAnswer {
    /// On the disk.
    pub accepted: u64,
    /// Not in the log: never made, not drawn by `sample`, or gone by now. Their labels are not kept.
    pub unknown: Vec<PredictionId>,
}

/// A label as it is kept. A field is only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Label {
    pub(super) id: PredictionId,
    pub(crate) label: Value,
    #[serde(default)]
    pub(crate) at_us: Option<i64>,
    pub(crate) received_us: i64,
}

impl Book {
    /// Takes the labels of predictions that are logged; of a request that has something wrong none. `expected` is the type
    /// of what was predicted.
    pub(crate) fn label(
        &self,
        request: &LabelRequest,
        expected: Option<DataType>,
        now_us: i64,
    ) -> Result<LabelAnswer, Error> {
        let labels = checked(request, expected, now_us)?;
        let ids: BTreeSet<PredictionId> = labels.iter().map(|label| label.id).collect();
        let known = self.known(&ids)?;
        let taken = || labels.iter().filter(|label| known.contains(&label.id));
        let lines: Vec<u8> = taken().flat_map(line).collect();
        self.labels.reserve(taken().map(|label| label.id), lines.len() as u64)?;
        self.labels.append(lines, now_us)?;
        Ok(LabelAnswer { accepted: taken().count() as u64, unknown: ids.difference(&known).copied().collect() })
    }
}

fn checked(request: &LabelRequest, expected: Option<DataType>, now_us: i64) -> Result<Vec<Label>, Error> {
    let count = request.labels.len();
    if !(1..=LABELS_MAX).contains(&count) {
        return Err(Fault::invalid(format!("the request has {count} labels, expected 1 to {LABELS_MAX}")).into());
    }
    let (mut labels, mut problems, mut untold) = (Vec::with_capacity(count), Vec::new(), 0);
    for (index, new) in request.labels.iter().enumerate() {
        match label(new, expected, now_us) {
            Ok(label) => labels.push(label),
            Err(why) if problems.len() < TOLD_MAX => problems.push(format!("label {index}: {why}")),
            Err(_) => untold += 1,
        }
    }
    if untold > 0 {
        problems.push(format!("and {untold} more problems"));
    }
    match problems.is_empty() {
        true => Ok(labels),
        false => Err(Fault::invalid(problems.join("; ")).into()),
    }
}

fn label(new: &NewLabel, expected: Option<DataType>, received_us: i64) -> Result<Label, String> {
    let shown = |text: &str| format!("`{}`", text.chars().take(80).collect::<String>().escape_debug());
    let id = PredictionId::parse(&new.prediction_id)
        .ok_or_else(|| format!("{} is no prediction's id", shown(&new.prediction_id)))?;
    let (fits, kind) = match expected {
        Some(DataType::Text) => (new.label.is_string(), "a text"),
        Some(DataType::Boolean) => (new.label.is_boolean(), "a truth"),
        Some(DataType::Int64) => (new.label.is_i64(), "a whole number"),
        Some(DataType::Float32 | DataType::Float64) => (new.label.is_number(), "a number"),
        _ => (new.label.is_string() || new.label.is_boolean() || new.label.is_number(), "a text, number or truth"),
    };
    if !fits {
        return Err(format!("its label is {}, expected {kind}, as it is predicted", shown(&new.label.to_string())));
    }
    if new.label.as_str().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(format!("its label is longer than {TEXT_BYTES_MAX} bytes"));
    }
    let moment = |text: &str| {
        let read = chrono::DateTime::parse_from_rfc3339(text).map(|moment| moment.timestamp_micros());
        read.map_err(|_| format!("`at` is {}, expected a time such as `2026-03-01T10:00:00Z`", shown(text)))
    };
    let at_us = new.at.as_deref().map(moment).transpose()?;
    Ok(Label { id, label: new.label.clone(), at_us, received_us })
}

fn line(label: &Label) -> Vec<u8> {
    let json = serde_json::to_string(label).expect("a label is plain data, which always has a JSON form");
    format!("{} {json}\n", &Digest::of(json.as_bytes()).to_string()[..MARK]).into_bytes()
}

/// The label of a line that is whole.
fn read_line(line: &[u8]) -> Option<Label> {
    let line = str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (mark, json) = line.split_once(' ')?;
    (Digest::of(json.as_bytes()).to_string().get(..MARK)? == mark).then(|| serde_json::from_str(json).ok())?
}

/// How far labels were read: in the file that begins then, so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LabelPlace {
    began_ms: u64,
    bytes: u64,
}

impl LabelPlace {
    /// Before all labels that came from a time on.
    pub(super) fn since(ms: u64) -> Self {
        Self { began_ms: ms, bytes: 0 }
    }
}

/// The files of an endpoint's labels.
pub(crate) struct LabelLog {
    folder: PathBuf,
    /// What is written next, and for how many.
    next: Mutex<Next>,
    turn: Condvar,
    /// Whoever writes has it.
    file: Mutex<Option<(PathBuf, File)>>,
    /// None until it is asked for, and after what may have changed it.
    kept: Mutex<Option<Kept>>,
}

/// What the files have.
#[derive(Default)]
struct Kept {
    /// How often each prediction's label was given.
    given: HashMap<PredictionId, u8>,
    bytes: u64,
}

#[derive(Default)]
struct Next {
    group: Arc<Group>,
    has_writer: bool,
}

/// Labels that are written together.
#[derive(Default)]
struct Group {
    lines: Mutex<Vec<u8>>,
    written: OnceLock<Result<(), String>>,
}

impl LabelLog {
    pub(crate) fn new(folder: PathBuf) -> Self {
        let (next, turn, file, kept) = Default::default();
        Self { folder, next, turn, file, kept }
    }

    /// Counts labels that are about to be written, all or, if there is no room for one of them, none.
    fn reserve(&self, ids: impl Iterator<Item = PredictionId>, bytes: u64) -> Result<(), Error> {
        let mut new: BTreeMap<PredictionId, usize> = BTreeMap::new();
        ids.for_each(|id| *new.entry(id).or_default() += 1);
        let mut kept = locked(&self.kept);
        let kept = match &mut *kept {
            Some(kept) => kept,
            none => none.insert(self.counted()?),
        };
        let given = |id: &PredictionId| usize::from(kept.given.get(id).copied().unwrap_or_default());
        if let Some((id, count)) = new.iter().find(|(id, count)| given(id) + **count > usize::from(OF_ONE_MAX)) {
            let text = format!("prediction {id}: its label was given {} times", given(id));
            let text = format!("{text}, here {count} more; {OF_ONE_MAX} are the most that are kept");
            return Err(Error::Conflict(text));
        }
        if kept.bytes.saturating_add(bytes) > KEPT_BYTES_MAX {
            let most = KEPT_BYTES_MAX >> 20;
            let text =
                format!("{most} MiB of the endpoint's labels are kept, the most there may be, until the oldest go");
            return Err(Error::Conflict(text));
        }
        kept.bytes += bytes;
        for (id, count) in new {
            let given = kept.given.entry(id).or_default();
            *given = given.saturating_add(u8::try_from(count).unwrap_or(u8::MAX));
        }
        Ok(())
    }

    fn counted(&self) -> Result<Kept, Fault> {
        let mut kept = Kept::default();
        self.each(|label| {
            let given = kept.given.entry(label.id).or_default();
            *given = given.saturating_add(1);
        })?;
        for (_, path) in self.listed()? {
            kept.bytes += path.symlink_metadata().map_err(|error| unusable(&path, &error))?.len();
        }
        Ok(kept)
    }

    /// Returns once the lines are on the disk.
    fn append(&self, lines: Vec<u8>, now_us: i64) -> Result<(), Fault> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut next = locked(&self.next);
        let ours = Arc::clone(&next.group);
        locked(&ours.lines).extend(lines);
        loop {
            if let Some(written) = ours.written.get() {
                // What was counted and is not there is counted anew.
                let uncounted = |_: &String| *locked(&self.kept) = None;
                return written.clone().inspect_err(uncounted).map_err(|why| unusable(&self.folder, &why));
            }
            if next.has_writer {
                next = self.turn.wait(next).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            next.has_writer = true;
            let group = std::mem::take(&mut next.group);
            drop(next);
            let written = self.write(&locked(&group.lines), now_us).map_err(|error| error.to_string());
            // Nobody else sets it: the group was taken out.
            let _ = group.written.set(written);
            next = locked(&self.next);
            next.has_writer = false;
            self.turn.notify_all();
        }
    }

    fn write(&self, lines: &[u8], now_us: i64) -> std::io::Result<()> {
        let mut held = locked(&self.file);
        let (path, mut file) = match held.take() {
            Some(file) => file,
            None => self.open(now_us)?,
        };
        // After an error the file is opened anew, and what it has of these lines is cut off where they break off.
        file.write_all(lines)?;
        file.sync_data()?;
        if file.metadata()?.len() < FILE_BYTES {
            *held = Some((path, file));
        }
        Ok(())
    }

    /// The last file, cut behind its last whole line; or the first one.
    fn open(&self, now_us: i64) -> std::io::Result<(PathBuf, File)> {
        // The first label may come before the first prediction is written.
        make(&self.folder, 2)?;
        if let Some((_, path)) = self.listed().map_err(std::io::Error::other)?.pop() {
            let bytes = std::fs::read(&path)?;
            // Only what a crash cut short: a line in the middle that cannot be read takes no other with it.
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            if (end as u64) < FILE_BYTES {
                let file = File::options().append(true).open(&path)?;
                file.set_len(end as u64)?;
                return Ok((path, file));
            }
        }
        // Named by when it begins, one later than the last where clocks went back.
        let last = self.listed().map_err(std::io::Error::other)?.pop().map_or(0, |(began_ms, _)| began_ms + 1);
        let begins_ms = u64::try_from(now_us / 1000).unwrap_or(0).max(last);
        let path = self.folder.join(format!("{begins_ms:015}.{ENDING}"));
        let file = File::options().append(true).create_new(true).mode(0o600).open(&path)?;
        File::open(&self.folder)?.sync_all()?;
        Ok((path, file))
    }

    /// The files and when each begins, the oldest first.
    fn listed(&self) -> Result<Vec<(u64, PathBuf)>, Fault> {
        let began = |path: PathBuf| {
            let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?.strip_suffix('.')?.parse().ok()?;
            Some((name, path))
        };
        let mut files: Vec<_> = entries(&self.folder)?.into_iter().filter_map(began).collect();
        files.sort();
        Ok(files)
    }

    /// Removes the files whose labels all came before this.
    pub(crate) fn clear(&self, before_ms: u64) -> Result<(), Fault> {
        // Whoever writes has the last one, which stays.
        for pair in self.listed()?.windows(2).take_while(|pair| pair[1].0 < before_ms) {
            *locked(&self.kept) = None;
            std::fs::remove_file(&pair[0].1).map_err(|error| unusable(&pair[0].1, &error))?;
        }
        Ok(())
    }

    /// The labels of whole lines behind a place, of one file; none if there are none yet. The place is behind them then.
    pub(super) fn read_on(&self, place: &mut LabelPlace) -> Result<Option<Vec<Label>>, Fault> {
        let files = self.listed()?;
        // The one that was being written at that time, and what followed.
        let first = files.partition_point(|(began_ms, _)| *began_ms <= place.began_ms).saturating_sub(1);
        for (began_ms, path) in &files[first..] {
            let begin = if *began_ms == place.began_ms { place.bytes } else { 0 };
            let wrong = |error: std::io::Error| unusable(path, &error);
            let mut file = File::open(path).map_err(wrong)?;
            file.seek(SeekFrom::Start(begin)).map_err(wrong)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(wrong)?;
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            if end > 0 {
                *place = LabelPlace { began_ms: *began_ms, bytes: begin + end as u64 };
                return Ok(Some(bytes[..end].split_inclusive(|byte| *byte == b'\n').filter_map(read_line).collect()));
            }
        }
        Ok(None)
    }

    /// The label that holds of each prediction: the one that came last.
    pub(crate) fn read(&self) -> Result<HashMap<PredictionId, Label>, Fault> {
        let mut labels = HashMap::new();
        self.each(|label| drop(labels.insert(label.id, label)))?;
        Ok(labels)
    }

    fn each(&self, hear: impl FnMut(Label)) -> Result<(), Fault> {
        let mut hear = hear;
        for (_, path) in self.listed()? {
            let bytes = std::fs::read(&path).map_err(|error| unusable(&path, &error))?;
            bytes.split_inclusive(|byte| *byte == b'\n').filter_map(read_line).for_each(&mut hear);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_700_000_000_000_000;

    fn id(row: u64) -> PredictionId {
        PredictionId::first(NOW_US, [7; 10]).row(row)
    }

    fn lines(row: u64, label: &str) -> Vec<u8> {
        line(&Label { id: id(row), label: label.into(), at_us: None, received_us: NOW_US })
    }

    fn values(log: &LabelLog) -> Vec<(PredictionId, String)> {
        let mut values: Vec<_> =
            log.read().unwrap().into_iter().map(|(id, label)| (id, label.label.to_string())).collect();
        values.sort();
        values
    }

    #[test]
    fn the_last_label_holds_and_the_earlier_one_stays_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let log = LabelLog::new(folder.path().join("labels"));
        for (row, label) in [(0, "good"), (1, "bad"), (0, "bad")] {
            log.append(lines(row, label), NOW_US).unwrap();
        }
        assert_eq!(values(&log), [(id(0), "\"bad\"".to_owned()), (id(1), "\"bad\"".to_owned())]);
        let (_, file) = log.listed().unwrap().pop().unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap().matches("good").count(), 1);
    }

    /// Cut anywhere, a file has its whole lines, and what is written then is found behind them.
    #[test]
    fn a_file_that_a_crash_cut_short_goes_on_behind_its_last_whole_line() {
        let whole = [lines(0, "a"), lines(1, "b")].concat();
        for cut in 0..=whole.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("labels");
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join(format!("{:015}.log", 5)), &whole[..cut]).unwrap();
            let log = LabelLog::new(path);
            log.append(lines(2, "c"), NOW_US).unwrap();
            let kept = if cut == whole.len() { 2 } else { usize::from(cut >= whole.len() / 2) };
            assert_eq!(log.read().unwrap().len(), kept + 1, "cut at {cut}");
            assert_eq!(log.listed().unwrap().len(), 1);
        }
    }

    /// Corrections are for people who looked again, not for who writes the disk full with one prediction.
    #[test]
    fn a_label_is_given_so_often_and_no_more_labels_are_kept_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let log = LabelLog::new(folder.path().join("labels"));
        let give = |log: &LabelLog, row: u64, times: usize| {
            let lines = lines(row, "x").repeat(times);
            log.reserve(std::iter::repeat_n(id(row), times), lines.len() as u64)?;
            log.append(lines, NOW_US).map_err(Error::from)
        };
        (0..OF_ONE_MAX).for_each(|_| give(&log, 0, 1).unwrap());
        let Err(Error::Conflict(text)) = give(&log, 0, 1) else { panic!("one more") };
        assert!(text.contains("its label was given 16 times, here 1 more; 16 are the most that are kept"), "{text}");
        give(&log, 1, 15).unwrap();
        assert!(give(&log, 1, 2).is_err() && give(&log, 1, 1).is_ok(), "of two that are one too many none is taken");
        // By what the files have.
        let log = LabelLog::new(folder.path().join("labels"));
        assert!(give(&log, 0, 1).is_err() && give(&log, 2, 1).is_ok());
        locked(&log.kept).as_mut().unwrap().bytes = KEPT_BYTES_MAX - 1;
        let Err(Error::Conflict(text)) = give(&log, 2, 1) else { panic!("too many bytes") };
        assert!(text.starts_with("128 MiB of the endpoint's labels are kept"), "{text}");
        // Once some have gone there is room again.
        std::fs::write(log.folder.join(format!("{:015}.log", NOW_US / 1000 + 9)), lines(3, "x")).unwrap();
        log.clear(u64::MAX).unwrap();
        assert!(give(&log, 0, 1).is_ok(), "what is gone counts no longer");
    }

    #[test]
    fn a_line_that_cannot_be_read_takes_no_other_with_it() {
        let (folder, log) =
            (tempfile::tempdir().unwrap(), |folder: &std::path::Path| LabelLog::new(folder.join("labels")));
        (0..3).for_each(|row| log(folder.path()).append(lines(row, "a"), NOW_US).unwrap());
        let (_, file) = log(folder.path()).listed().unwrap().pop().unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[lines(0, "a").len() + 5] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        log(folder.path()).append(lines(3, "a"), NOW_US).unwrap();
        let found: Vec<_> = values(&log(folder.path())).into_iter().map(|(id, _)| id).collect();
        assert_eq!(found, [id(0), id(2), id(3)]);
    }

    #[test]
    fn many_at_once_are_all_there_when_they_are_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let log = LabelLog::new(folder.path().join("labels"));
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                let log = &log;
                scope.spawn(move || {
                    for row in 0..20 {
                        let row = thread * 100 + row;
                        log.append(lines(row, "x"), NOW_US).unwrap();
                        assert!(log.read().unwrap().contains_key(&id(row)), "acknowledged, and not there");
                    }
                });
            }
        });
        assert_eq!(log.read().unwrap().len(), 160);
    }

    #[test]
    fn a_disk_that_does_not_take_them_is_told_to_all_who_wait() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("labels"), "a file where the folder is to be").unwrap();
        let log = LabelLog::new(folder.path().join("labels"));
        assert!(log.append(lines(0, "x"), NOW_US).is_err());
        std::fs::remove_file(folder.path().join("labels")).unwrap();
        log.append(lines(0, "x"), NOW_US).unwrap();
        assert_eq!(log.read().unwrap().len(), 1, "and goes on once it does");
    }

    #[test]
    fn what_is_wrong_with_labels_is_told_together() {
        let new = |id: &str, label: Value, at: Option<&str>| NewLabel {
            prediction_id: id.to_owned(),
            label,
            at: at.map(str::to_owned),
        };
        let good = id(0).to_string();
        let check = |labels: Vec<NewLabel>, expected| checked(&LabelRequest { labels }, expected, NOW_US);
        let told = |labels, expected| check(labels, expected).unwrap_err().to_string();
        let wrong = vec![
            new("x", "a".into(), None),
            new(&good, 1.into(), None),
            new(&good, "a".into(), Some("yesterday")),
            new(&good, "a".repeat(1025).into(), None),
            new(&good, "a".into(), Some("2026-03-01T10:00:00+01:00")),
        ];
        assert_eq!(
            told(wrong, Some(DataType::Text)),
            "label 0: `x` is no prediction's id; label 1: its label is `1`, expected a text, as it is predicted; label 2: `at` \
             is `yesterday`, expected a time such as `2026-03-01T10:00:00Z`; label 3: its label is longer than 1024 bytes"
        );
        for (label, expected) in
            [(1.into(), DataType::Int64), (1.5.into(), DataType::Float64), (true.into(), DataType::Boolean)]
        {
            assert!(check(vec![new(&good, label, None)], Some(expected)).is_ok());
            assert!(check(vec![new(&good, Value::Null, None)], Some(expected)).is_err());
        }
        assert!(told(Vec::new(), None).contains("0 labels, expected 1 to 10000"));
        assert!(told(vec![new("x", 1.into(), None); 30], None).ends_with("and 10 more problems"));
    }
}

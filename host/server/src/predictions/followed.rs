//! Labels that come back -> how wrong each of two versions was, while a canary waits for them.
//!
//! Files are read once and from where the last look ended, one at a time: labels, and those of predictions that they are of. What
//! stays in memory is a number a prediction, of [`KEPT`] of each version at most.

use super::book::Book;
use super::files::{self, LogFile, unusable};
use super::labels::{Label, LabelPlace};
use super::rows::{self, Layout};
use models::Labelled;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use types::{Fault, Field, PredictionId, Schema};

/// Labelled predictions of a version that are looked at: the most that an analysis can wait for.
const KEPT: usize = 50_000;
/// How far a prediction's name may lie before the time that its request came: clocks step.
const SLACK_MS: u64 = 2_000;

/// How a label is held against what was predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// 1 if the class is another.
    Class,
    /// How far the number is off.
    Distance,
}

impl Loss {
    fn of(self, predicted: &Value, label: &Value) -> f64 {
        match self {
            Self::Class => f64::from(u8::from(predicted != label)),
            // What is no number in JSON is null.
            Self::Distance => match (predicted.as_f64(), label.as_f64()) {
                (Some(predicted), Some(label)) => (predicted - label).abs(),
                _ => f64::NAN,
            },
        }
    }
}

/// Which predictions are followed: those of these versions from a time on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) since_us: i64,
    pub(crate) loss: Loss,
    /// What the log calls their columns, and which of them is held against the label.
    versions: BTreeMap<u32, (Schema, String)>,
}

impl Question {
    /// Of versions that are asked with the first and answer with the second columns.
    pub(crate) fn of(since_us: i64, loss: Loss, versions: [(u32, &[Field], &[Field]); 2]) -> Self {
        let version = |(version, request, answer): (u32, &[Field], &[Field])| {
            let layout = Layout::of(request, answer);
            let predicted = layout.answer.first().map(|field| field.name.clone()).unwrap_or_default();
            (version, (layout.schema(), predicted))
        };
        Self { since_us, loss, versions: versions.into_iter().map(version).collect() }
    }

    fn since_ms(&self) -> u64 {
        u64::try_from(self.since_us / 1000).unwrap_or(0).saturating_sub(SLACK_MS)
    }
}

/// What is known of them so far.
pub(crate) struct Followed {
    question: Question,
    /// Up to where the labels were read.
    place: LabelPlace,
    losses: BTreeMap<u32, HashMap<PredictionId, f64>>,
}

impl Followed {
    fn new(question: Question) -> Self {
        let place = LabelPlace::since(question.since_ms());
        Self { question, place, losses: BTreeMap::new() }
    }

    fn labelled(&self, version: u32) -> Labelled {
        self.losses.get(&version).map(|losses| losses.values().copied().collect()).unwrap_or_default()
    }

    /// A label that is given again replaces the one before.
    fn add(&mut self, version: u32, id: PredictionId, loss: f64) {
        let losses = self.losses.entry(version).or_default();
        if losses.len() < KEPT || losses.contains_key(&id) {
            losses.insert(id, loss);
        }
    }
}

impl Book {
    /// The labelled predictions of two versions that a question is about. What is found is kept in `followed` until it is
    /// about others.
    pub(crate) fn follow(
        &self,
        question: &Question,
        versions: [u32; 2],
        followed: &mut Option<Followed>,
        now_us: i64,
    ) -> Result<[Labelled; 2], Fault> {
        let followed = match followed {
            Some(known) if known.question == *question => known,
            other => other.insert(Followed::new(question.clone())),
        };
        loop {
            // One that cannot be read is read again.
            let mut place = followed.place;
            let Some(labels) = self.labels.read_on(&mut place)? else { break };
            let since_ms = question.since_ms();
            // The last label of a prediction holds.
            let labels: HashMap<PredictionId, Label> = labels
                .into_iter()
                .filter(|label| label.id.at_ms() >= since_ms)
                .map(|label| (label.id, label))
                .collect();
            self.hold_against(&labels, followed, now_us)?;
            followed.place = place;
        }
        Ok(versions.map(|version| followed.labelled(version)))
    }

    /// Looks up what the labels are of, file by file.
    fn hold_against(
        &self,
        labels: &HashMap<PredictionId, Label>,
        followed: &mut Followed,
        now_us: i64,
    ) -> Result<(), Fault> {
        if labels.is_empty() {
            return Ok(());
        }
        // A label is taken for a prediction that is noted and not written yet.
        self.write(now_us);
        let files = files::listed(&self.folder)?;
        let wanted: BTreeSet<&LogFile> = labels.keys().flat_map(|id| files::holding(&files, *id)).collect();
        wanted.into_iter().try_for_each(|file| {
            hold_file_against(file, labels, followed).map_err(|error| unusable(&file.path, &error))
        })
    }
}

fn hold_file_against(
    file: &LogFile,
    labels: &HashMap<PredictionId, Label>,
    followed: &mut Followed,
) -> Result<(), data::Error> {
    let Some(read) = data::open_log(&file.path)? else { return Ok(()) };
    let versions = followed.question.versions.clone();
    let fitting: Vec<_> = versions.iter().filter(|(_, (schema, _))| schema == read.rows.schema()).collect();
    if fitting.is_empty() {
        return Ok(());
    }
    let ids = rows::ids(&read.rows)?;
    let (places, ids): (Vec<u64>, Vec<PredictionId>) = (0..).zip(ids).filter(|(_, id)| labels.contains_key(id)).unzip();
    for (version, (_, predicted)) in fitting {
        let columns = [rows::VERSION.to_owned(), rows::AT.to_owned(), predicted.clone()];
        let found = data::json_rows(&read.rows.select(&columns)?.take(&places)?)?;
        for (id, row) in ids.iter().zip(found) {
            let is_meant = row.get(rows::VERSION).and_then(Value::as_u64) == Some(u64::from(*version))
                && row.get(rows::AT).and_then(Value::as_i64) >= Some(followed.question.since_us);
            if let (true, Some(label), Some(predicted)) = (is_meant, labels.get(id), row.get(predicted)) {
                let loss = followed.question.loss.of(predicted, &label.label);
                followed.add(*version, *id, loss);
            }
        }
    }
    Ok(())
}

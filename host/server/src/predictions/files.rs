//! An endpoint's folder: which log files there are, which may hold a prediction, and which go.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use types::{Digest, EndpointName, Fault, Id, PredictionId, Schema};

const ENDING: &str = "arrows";
/// How far the clock may step, or a request lag, and its prediction still be found.
const SLACK_MS: u64 = 2_000;
/// How long a file grows.
pub(crate) const FILE_MS: u64 = 86_400_000;

/// A file, named by its first prediction and what its columns are. Those of the same columns follow each other; others grow
/// meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogFile {
    pub(crate) first: PredictionId,
    /// Empty of files that are older than this name, which followed each other whatever their columns were.
    layout: String,
    /// No row of it is younger.
    ends_ms: u64,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Where a file of these columns lies whose first prediction this is.
pub(crate) fn place(folder: &Path, first: PredictionId, schema: &Schema) -> PathBuf {
    folder.join(format!("{first}.{}.{ENDING}", Digest::of_json(schema).short()))
}

/// The files of a folder, the oldest first; none if there is no folder.
pub(crate) fn listed(folder: &Path) -> Result<Vec<LogFile>, Fault> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if let Some((first, layout)) = named(&path) {
            let bytes = path.symlink_metadata().map_err(|error| unusable(&path, &error))?.len();
            files.push(LogFile { first, layout, ends_ms: 0, path, bytes });
        }
    }
    Ok(ended(files))
}

/// What a file's name says.
fn named(path: &Path) -> Option<(PredictionId, String)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(ENDING)?.strip_suffix('.')?;
    let (first, layout) = stem.split_once('.').unwrap_or((stem, ""));
    Some((PredictionId::parse(first)?, layout.to_owned()))
}

/// The files in order, each with its end: where the next of its columns begins, or as long as it may grow.
fn ended(mut files: Vec<LogFile>) -> Vec<LogFile> {
    files.sort();
    let mut next = BTreeMap::new();
    for file in files.iter_mut().rev() {
        let begins_ms = file.first.at_ms();
        let next_ms: Option<u64> = next.insert(file.layout.clone(), begins_ms);
        file.ends_ms = next_ms.unwrap_or(u64::MAX).min(begins_ms.saturating_add(FILE_MS));
    }
    files
}

/// The endpoints of which something is kept.
pub(crate) fn endpoints(folder: &Path) -> Result<Vec<EndpointName>, Fault> {
    let name = |path: PathBuf| EndpointName::parse(path.file_name()?.to_str()?).ok();
    Ok(entries(folder)?.into_iter().filter_map(name).collect())
}

pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| unusable(folder, &error))?,
    };
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    paths.map_err(|error| unusable(folder, &error))
}

/// Makes a folder and so many above it for the owner's eyes, unless they are there. Not the tenant's own: one that is gone is
/// not to come back.
pub(crate) fn make(folder: &Path, above: usize) -> std::io::Result<()> {
    if let Some(parent) = folder.parent().filter(|_| above > 0) {
        make(parent, above - 1)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

pub(crate) fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Fault {
    Fault::host(format!("cannot use the prediction log `{}`: {why}", path.display()))
}

/// The files in which a prediction can be. Pure.
pub(crate) fn holding(files: &[LogFile], id: PredictionId) -> impl Iterator<Item = &LogFile> {
    let at_ms = id.at_ms();
    let is_within = move |file: &&LogFile| {
        file.first.at_ms() <= at_ms.saturating_add(SLACK_MS) && at_ms <= file.ends_ms.saturating_add(SLACK_MS)
    };
    files.iter().filter(is_within)
}

/// The files that go: those whose rows are all too old, and the oldest ones beyond the bytes there may be. The newest one stays,
/// whatever its size. Pure.
pub(crate) fn beyond(files: &[LogFile], keep_ms: u64, bytes_max: u64, now_ms: u64) -> Vec<&LogFile> {
    let oldest_ms = now_ms.saturating_sub(keep_ms);
    let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let mut goes = |file: &&LogFile| {
        let goes = file.ends_ms < oldest_ms || bytes > bytes_max;
        bytes -= if goes { file.bytes } else { 0 };
        goes
    };
    files.split_last().map_or(&[][..], |(_, older)| older).iter().filter(|file| goes(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(ms: i64, layout: &str) -> LogFile {
        let first = PredictionId::first(ms * 1000, [0; 10]);
        LogFile {
            first,
            layout: layout.to_owned(),
            ends_ms: 0,
            path: PathBuf::from(format!("{first}.{layout}")),
            bytes: 10,
        }
    }

    fn files(begins_ms: &[i64]) -> Vec<LogFile> {
        ended(begins_ms.iter().map(|ms| file(*ms, "a")).collect())
    }

    #[test]
    fn a_name_says_the_first_prediction_and_the_columns() {
        let first = PredictionId::first(7_000, [1; 10]);
        let path = place(Path::new("folder"), first, &Schema::default());
        let (said, layout) = named(&path).unwrap();
        assert!(said == first && layout.len() == 12, "{path:?}");
        assert_eq!(named(Path::new(&format!("folder/{first}.arrows"))), Some((first, String::new())));
        for other in ["x.arrows", "labels", &format!("{first}.log"), &format!("{first}arrows")] {
            assert_eq!(named(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn files_of_other_columns_end_no_file() {
        let files = ended(vec![file(10_000, "a"), file(12_000, "b"), file(30_000, "a")]);
        let found = |ms: i64| {
            let id = PredictionId::first(ms * 1000, [1; 10]);
            holding(&files, id).map(|file| (file.first.at_ms() / 1000, file.layout.as_str())).collect::<Vec<_>>()
        };
        assert_eq!(found(20_000), [(10, "a"), (12, "b")]);
        assert_eq!(found(40_000), [(12, "b"), (30, "a")]);
        let day = FILE_MS as i64;
        assert_eq!(found(day + 20_000), [(30, "a")], "no file grows for longer than a day");
        // What began earlier and grew for longer stays for longer.
        let now_ms = FILE_MS + 15_000;
        let gone: Vec<_> = beyond(&files, 0, 100, now_ms).iter().map(|file| file.first.at_ms()).collect();
        assert_eq!(gone, [10_000, 12_000]);
        assert_eq!(beyond(&files, 5_000, 100, now_ms).len(), 1);
    }

    #[test]
    fn a_prediction_is_looked_for_where_its_time_may_be() {
        let files = files(&[10_000, 20_000, 30_000]);
        for (ms, found) in [
            (7_999, &[][..]),
            (8_000, &[0]),
            (15_000, &[0]),
            (18_000, &[0, 1]),
            (22_000, &[0, 1]),
            (22_001, &[1]),
            (99_000, &[2]),
            (30_000 + FILE_MS as i64 + 2_000, &[2]),
            (30_000 + FILE_MS as i64 + 2_001, &[]),
        ] {
            let id = PredictionId::first(ms * 1000, [1; 10]);
            let places: Vec<_> = holding(&files, id).map(|file| (file.first.at_ms() / 10_000 - 1) as i32).collect();
            assert_eq!(places, found, "{ms}");
        }
    }

    #[test]
    fn what_is_too_old_or_too_much_goes_and_the_newest_stays() {
        let files = files(&[1_000, 2_000, 3_000, 4_000]);
        for (keep_ms, bytes, now_ms, gone) in [
            (10_000, 100, 4_000, 0),
            (10_000, 40, 4_000, 0),
            (10_000, 39, 4_000, 1),
            (10_000, 15, 4_000, 3),
            (10_000, 0, 4_000, 3),
            // The rows of a file end where the next one's begin.
            (1_000, 100, 4_000, 1),
            (1_000, 100, 4_001, 2),
            (0, 100, 99_000, 3),
            (0, 100, 0, 0),
        ] {
            let expected: Vec<&LogFile> = files[..gone].iter().collect();
            assert_eq!(beyond(&files, keep_ms, bytes, now_ms), expected, "{keep_ms} {bytes} {now_ms}");
        }
        assert!(beyond(&[], 0, 0, 9).is_empty());
    }
}

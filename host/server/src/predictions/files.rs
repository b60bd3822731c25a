//! An endpoint's folder: which log files there are, which may hold a prediction, and which go.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use types::{EndpointName, Fault, Id, PredictionId};

const ENDING: &str = "arrows";
/// How far the clock may step, or a request lag, and its prediction still be found.
const SLACK_MS: u64 = 2_000;

/// A file, named by its first prediction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogFile {
    pub(crate) first: PredictionId,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Where a file lies whose first prediction this is.
pub(crate) fn place(folder: &Path, first: PredictionId) -> PathBuf {
    folder.join(format!("{first}.{ENDING}"))
}

/// The files of a folder, the oldest first; none if there is no folder.
pub(crate) fn listed(folder: &Path) -> Result<Vec<LogFile>, Fault> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(PredictionId::parse);
        if let Some(first) = stem.filter(|_| path.extension().is_some_and(|ending| ending == ENDING)) {
            let bytes = path.symlink_metadata().map_err(|error| unusable(&path, &error))?.len();
            files.push(LogFile { first, path, bytes });
        }
    }
    files.sort();
    Ok(files)
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
pub(crate) fn holding<'a>(files: &'a [LogFile], id: PredictionId) -> impl Iterator<Item = &'a LogFile> {
    let begins_before = move |file: &LogFile| file.first.at_ms() <= id.at_ms() + SLACK_MS;
    let ends_after = move |next: Option<&LogFile>| next.is_none_or(|next| next.first.at_ms() + SLACK_MS >= id.at_ms());
    files
        .iter()
        .enumerate()
        .filter(move |(i, file)| begins_before(file) && ends_after(files.get(i + 1)))
        .map(|(_, file)| file)
}

/// How many of the oldest files go: those whose rows are all too old, and those beyond the bytes there may be. The newest one
/// stays, whatever its size. Pure.
pub(crate) fn beyond(files: &[LogFile], keep_ms: u64, bytes_max: u64, now_ms: u64) -> usize {
    let oldest_ms = now_ms.saturating_sub(keep_ms);
    let old = files.windows(2).take_while(|pair| pair[1].first.at_ms() < oldest_ms).count();
    let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let excess = files.iter().take(files.len().saturating_sub(1)).take_while(|file| {
        let is_excess = bytes > bytes_max;
        bytes -= file.bytes;
        is_excess
    });
    old.max(excess.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(begins_ms: &[i64]) -> Vec<LogFile> {
        let file = |ms: &i64| {
            let first = PredictionId::first(ms * 1000, [0; 10]);
            LogFile { first, path: place(Path::new("folder"), first), bytes: 10 }
        };
        begins_ms.iter().map(file).collect()
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
            assert_eq!(beyond(&files, keep_ms, bytes, now_ms), gone, "{keep_ms} {bytes} {now_ms}");
        }
        assert_eq!(beyond(&[], 0, 0, 9), 0);
    }
}

//! What a run says, kept for whoever follows it: in memory while it runs, in a bounded file for afterwards.

use crate::folder::NOFOLLOW;
use run::RunEvent;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use types::Fault;

/// A run's file ends here; what comes later is heard live, and counted.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// What is kept in memory for those who come late, in events and in bytes of their lines; beyond either, logs, metrics, progress
/// and pages are not kept: the journal holds what counts.
const EVENTS_MAX: usize = 200_000;
const EVENT_BYTES_MAX: usize = 64 << 20;

/// How long whoever follows lets words gather, unless the run's end is among them: to be woken for each would cost a short run more than its
/// steps.
const GATHERING: Duration = Duration::from_millis(2);

/// A run that a thread of this process drives.
pub(crate) struct LiveRun {
    said: Mutex<Said>,
    more: Condvar,
    over: Condvar,
    pub(crate) cancel: run::CancelToken,
}

struct Said {
    events: Vec<RunEvent>,
    event_bytes: usize,
    file: Option<File>,
    file_bytes: u64,
    /// Its end was told; its report may be yet to come.
    finished: bool,
    ended: bool,
}

impl LiveRun {
    pub(crate) fn new(log: &Path, cancel: run::CancelToken) -> Result<Self, Fault> {
        let folder = log.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(Fault::host)?;
        let file = File::options().create(true).append(true).custom_flags(NOFOLLOW).open(log).map_err(Fault::host)?;
        let file_bytes = file.metadata().map_err(Fault::host)?.len();
        let said =
            Said { events: Vec::new(), event_bytes: 0, file: Some(file), file_bytes, finished: false, ended: false };
        let (more, over) = Default::default();
        Ok(Self { said: Mutex::new(said), more, over, cancel })
    }

    pub(crate) fn say(&self, event: &RunEvent) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.keep(event);
        self.more.notify_all();
        if matches!(event, RunEvent::RunFinished { .. }) {
            said.finished = true;
            self.over.notify_all();
        }
    }

    pub(crate) fn end(&self) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.more.notify_all();
        self.over.notify_all();
    }

    /// The events from a position on, waiting for the first; none when the run has ended before it.
    fn events(&self, position: usize) -> Vec<RunEvent> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing_new = |said: &mut Said| said.events.len() <= position && !said.ended;
        let said = self.more.wait_while(said, nothing_new).unwrap_or_else(PoisonError::into_inner);
        let goes_on = |said: &mut Said| !said.finished && !said.ended;
        let gathered = self.over.wait_timeout_while(said, GATHERING, goes_on).unwrap_or_else(PoisonError::into_inner);
        gathered.0.events.get(position..).unwrap_or_default().to_vec()
    }
}

impl Said {
    fn keep(&mut self, event: &RunEvent) {
        // Events are plain data, which always has a JSON form; one without would only be missing from the file.
        let mut line = serde_json::to_vec(event).unwrap_or_default();
        line.push(b'\n');
        self.file_bytes += line.len() as u64;
        if self.file_bytes > LOG_BYTES_MAX {
            self.file = None;
        }
        // A log that cannot be written must not stop the run; the journal holds what counts.
        if self.file.as_mut().is_some_and(|file| file.write_all(&line).is_err()) {
            self.file = None;
        }
        let room = self.events.len() < EVENTS_MAX && self.event_bytes + line.len() <= EVENT_BYTES_MAX;
        if room || !is_chatter(event) {
            self.event_bytes += line.len();
            self.events.push(event.clone());
        }
    }
}

fn is_chatter(event: &RunEvent) -> bool {
    use RunEvent::{Log, Metric, Page, Progress};
    matches!(event, Log { .. } | Progress { .. } | Metric { .. } | Page { .. })
}

/// The events of a run, from its first: blocks for the next one as long as the run goes on.
pub enum Follow {
    /// It runs.
    Live {
        /// How many were taken from the run.
        taken: usize,
        /// Those of them that are not given yet.
        ahead: VecDeque<RunEvent>,
        #[doc(hidden)]
        run: LiveHandle,
    },
    /// It ended, or waits to be resumed: what its file holds.
    Past(Box<dyn Iterator<Item = RunEvent> + Send>),
}

/// A hold on a live run.
pub struct LiveHandle(pub(crate) Arc<LiveRun>);

impl Follow {
    pub(crate) fn live(run: Arc<LiveRun>) -> Self {
        Self::Live { taken: 0, ahead: VecDeque::new(), run: LiveHandle(run) }
    }

    pub(crate) fn past(log: &Path) -> Self {
        let file = File::options().read(true).custom_flags(NOFOLLOW).open(log);
        // One that came with a project may be of any length; none of ours is longer.
        let lines = file.into_iter().flat_map(|file| BufReader::new(file.take(LOG_BYTES_MAX)).lines());
        // A crash can leave half a line at the end.
        Self::Past(Box::new(lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok())))
    }
}

impl Iterator for Follow {
    type Item = RunEvent;

    fn next(&mut self) -> Option<RunEvent> {
        match self {
            Self::Live { taken, ahead, run } => {
                if ahead.is_empty() {
                    ahead.extend(run.0.events(*taken));
                    *taken += ahead.len();
                }
                ahead.pop_front()
            }
            Self::Past(events) => events.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Attempt, RunId, RunState};

    #[test]
    fn a_flood_of_words_is_bounded_in_bytes_and_what_counts_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs").join("1.ndjson");
        let live = Arc::new(LiveRun::new(&log, run::CancelToken::default()).unwrap());
        let (step, level): (types::StepName, _) = ("fit".parse().unwrap(), "info".to_owned());
        let flood = RunEvent::Log { step, attempt: Attempt(1), level, message: "x".repeat(1 << 20) };
        (0..100).for_each(|_| live.say(&flood));
        let end = RunEvent::RunFinished { run: RunId(1), state: RunState::Failed, at_us: 0, because: None };
        live.say(&end);
        live.end();
        let kept: Vec<_> = Follow::live(Arc::clone(&live)).collect();
        assert_eq!(kept.len(), 64, "63 lines of a little more than a mebibyte, and the end");
        assert_eq!(kept.last(), Some(&end));
        assert!(std::fs::metadata(&log).unwrap().len() <= LOG_BYTES_MAX);
        assert_eq!(Follow::past(&log).count(), 63);
        // What somebody else appended is not read for ever.
        std::fs::OpenOptions::new().write(true).open(&log).and_then(|file| file.set_len(1 << 40)).unwrap();
        assert_eq!(Follow::past(&log).count(), 63);
    }
}

//! What a run says, kept for whoever follows it: in memory while it runs, in a bounded file for afterwards.

use crate::folder::NOFOLLOW;
use run::RunEvent;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use types::Fault;

/// A run's file ends here; what comes later is heard live, and counted.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// Events that are kept in memory for those who come late; beyond it the oldest of logs, metrics and progress go.
const EVENTS_MAX: usize = 200_000;

/// A run that a thread of this process drives.
pub(crate) struct LiveRun {
    said: Mutex<Said>,
    more: Condvar,
    pub(crate) cancel: run::CancelToken,
}

struct Said {
    events: Vec<RunEvent>,
    file: Option<File>,
    bytes: u64,
    ended: bool,
}

impl LiveRun {
    pub(crate) fn new(log: &Path, cancel: run::CancelToken) -> Result<Self, Fault> {
        let folder = log.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(Fault::host)?;
        let file = File::options().create(true).append(true).custom_flags(NOFOLLOW).open(log).map_err(Fault::host)?;
        let bytes = file.metadata().map_err(Fault::host)?.len();
        let said = Said { events: Vec::new(), file: Some(file), bytes, ended: false };
        Ok(Self { said: Mutex::new(said), more: Condvar::new(), cancel })
    }

    pub(crate) fn say(&self, event: &RunEvent) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            said.bytes += line.len() as u64;
            if said.bytes > LOG_BYTES_MAX {
                said.file = None;
            }
            // A log that cannot be written must not stop the run; the journal holds what counts.
            if said.file.as_mut().is_some_and(|file| file.write_all(&line).is_err()) {
                said.file = None;
            }
        }
        if said.events.len() < EVENTS_MAX || !is_chatter(event) {
            said.events.push(event.clone());
        }
        self.more.notify_all();
    }

    pub(crate) fn end(&self) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.more.notify_all();
    }

    /// The event at a position, waiting for it; none when the run has ended before it.
    fn event(&self, position: usize) -> Option<RunEvent> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        while said.events.len() <= position && !said.ended {
            said = self.more.wait(said).unwrap_or_else(PoisonError::into_inner);
        }
        said.events.get(position).cloned()
    }
}

fn is_chatter(event: &RunEvent) -> bool {
    matches!(event, RunEvent::Log { .. } | RunEvent::Progress { .. } | RunEvent::Metric { .. })
}

/// The events of a run, from its first: blocks for the next one as long as the run goes on.
pub enum Follow {
    /// It runs.
    Live {
        /// How many were given.
        given: usize,
        #[doc(hidden)]
        run: LiveHandle,
    },
    /// It ended, or waits to be resumed: what its file holds.
    Past(std::vec::IntoIter<RunEvent>),
}

/// A hold on a live run.
pub struct LiveHandle(pub(crate) Arc<LiveRun>);

impl Follow {
    pub(crate) fn live(run: Arc<LiveRun>) -> Self {
        Self::Live { given: 0, run: LiveHandle(run) }
    }

    pub(crate) fn past(log: &Path) -> Self {
        let lines =
            File::options().read(true).custom_flags(NOFOLLOW).open(log).map(|file| BufReader::new(file).lines());
        let events = lines.into_iter().flatten().map_while(Result::ok);
        // A crash can leave half a line at the end.
        let events: Vec<_> = events.filter_map(|line| serde_json::from_str(&line).ok()).collect();
        Self::Past(events.into_iter())
    }
}

impl Iterator for Follow {
    type Item = RunEvent;

    fn next(&mut self) -> Option<RunEvent> {
        match self {
            Self::Live { given, run } => {
                let event = run.0.event(*given)?;
                *given += 1;
                Some(event)
            }
            Self::Past(events) => events.next(),
        }
    }
}

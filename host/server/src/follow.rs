//! What a run says, kept for whoever follows it: in memory while it runs, in a bounded file for afterwards.

use crate::folder::NOFOLLOW;
use run::RunEvent;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use types::{Attempt, Fault, StepName};

/// A run's file ends here.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// So much of it is not for what steps say, but for what becomes of them.
const RESERVED_BYTES: u64 = 8 << 20;
/// What is kept in memory of what steps say, for those who come late, in events and in bytes of their lines: the journal holds what counts.
const EVENTS_MAX: u64 = 200_000;
const EVENT_BYTES_MAX: u64 = 64 << 20;

/// So much of why a run failed is kept for the server's log; `stepwell runs show` has all of it.
const WHY_CHARS_MAX: usize = 500;

/// How long whoever follows lets words gather at first, and at most, unless the run's end is among them: to be woken for each would cost a
/// short run more than its steps, and what goes on for long is not looked at that closely.
const GATHERING: Duration = Duration::from_millis(2);
const GATHERING_MAX: Duration = Duration::from_millis(100);

/// A run that a thread of this process drives.
pub(crate) struct LiveRun {
    said: Mutex<Said>,
    more: Condvar,
    over: Condvar,
    pub(crate) cancel: run::CancelToken,
}

struct Said {
    /// As JSON, which is made once for the file and for all who follow.
    events: Vec<Arc<str>>,
    event_count: Room,
    event_bytes: Room,
    file: Option<File>,
    file_bytes: u64,
    file_room: Room,
    /// Steps of which not all is kept any more, and that were told so.
    silenced: BTreeSet<StepName>,
    /// How many wait for the next word: to wake nobody takes a system call, too.
    listeners: usize,
    /// The first step that was given up and why, or why the run ended, where no step is to blame.
    why: Option<String>,
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
        let [event_count, event_bytes] = [EVENTS_MAX, EVENT_BYTES_MAX].map(Room::new);
        // One that goes on has what was said before.
        let file_room = Room::new((LOG_BYTES_MAX - RESERVED_BYTES).saturating_sub(file_bytes));
        let (events, silenced, listeners, why, finished, ended, more, over) = Default::default();
        let file = Some(file);
        let said = Said {
            events,
            event_count,
            event_bytes,
            file,
            file_bytes,
            file_room,
            silenced,
            listeners,
            why,
            finished,
            ended,
        };
        Ok(Self { said: Mutex::new(said), more, over, cancel })
    }

    pub(crate) fn say(&self, event: &RunEvent) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.keep(event);
        said.note(event);
        let (is_awaited, finishes) = (said.listeners > 0, matches!(event, RunEvent::RunFinished { .. }));
        said.finished |= finishes;
        drop(said);
        if is_awaited {
            self.more.notify_all();
        }
        if finishes {
            self.over.notify_all();
        }
    }

    /// Why the run failed, if it did.
    pub(crate) fn why(&self) -> Option<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).why.clone()
    }

    pub(crate) fn end(&self) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.more.notify_all();
        self.over.notify_all();
    }

    /// The events from a position on, waiting for the first and for those that follow soon; none when the run has ended before it.
    fn events(&self, position: usize, gathering: Duration) -> Vec<Arc<str>> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.listeners += 1;
        let nothing_new = |said: &mut Said| said.events.len() <= position && !said.ended;
        let mut said = self.more.wait_while(said, nothing_new).unwrap_or_else(PoisonError::into_inner);
        said.listeners -= 1;
        let goes_on = |said: &mut Said| !said.finished && !said.ended;
        let gathered = self.over.wait_timeout_while(said, gathering, goes_on).unwrap_or_else(PoisonError::into_inner);
        gathered.0.events.get(position..).unwrap_or_default().to_vec()
    }
}

impl Said {
    fn note(&mut self, event: &RunEvent) {
        match event {
            RunEvent::StepFailed { step, fault, retry_at_us: None, .. } if self.why.is_none() => {
                // Most faults name their step.
                let named = fault.message.starts_with(&format!("step `{step}`"));
                let message: String = fault.message.chars().take(WHY_CHARS_MAX).collect();
                self.why = Some(if named { message } else { format!("step `{step}`: {message}") });
            }
            RunEvent::RunFinished { because: Some(because), .. } => self.why = Some(because.clone()),
            _ => {}
        }
    }

    fn keep(&mut self, event: &RunEvent) {
        let line = line_of(event);
        let Some((step, attempt)) = speaker(event) else { return self.keep_always(&line) };
        let length = line.len() as u64;
        let is_heard = self.event_count.take(step, 1) && self.event_bytes.take(step, length);
        if is_heard {
            self.events.push(line.trim_end().into());
        }
        let is_written = self.file_room.take(step, length);
        if is_written {
            self.write(&line);
        }
        let is_kept = is_heard && is_written;
        if !is_kept && self.silenced.insert(step.clone()) {
            let (step, level) = (step.clone(), "warn".to_owned());
            let message = "the run's log has no more room for this step: not all that it says from here on is kept";
            self.keep_always(&line_of(&RunEvent::Log { step, attempt, level, message: message.to_owned() }));
        }
    }

    fn keep_always(&mut self, line: &str) {
        self.events.push(line.trim_end().into());
        self.write(line);
    }

    fn write(&mut self, line: &str) {
        self.file_bytes += line.len() as u64;
        // A log that cannot be written must not stop the run; the journal holds what counts.
        let is_full = self.file_bytes > LOG_BYTES_MAX;
        if is_full || self.file.as_mut().is_some_and(|file| file.write_all(line.as_bytes()).is_err()) {
            self.file = None;
        }
    }
}

/// Events are plain data, which always has a JSON form; one without would only be missing.
fn line_of(event: &RunEvent) -> String {
    serde_json::to_string(event).unwrap_or_default() + "\n"
}

/// Room for what steps say, of which none takes so much that another finds nothing: a step has at most as much as is left.
struct Room {
    most: u64,
    taken: u64,
    by_step: BTreeMap<StepName, u64>,
}

impl Room {
    fn new(most: u64) -> Self {
        Self { most, taken: 0, by_step: BTreeMap::new() }
    }

    fn take(&mut self, step: &StepName, amount: u64) -> bool {
        let own = self.by_step.entry(step.clone()).or_default();
        let fits = *own + self.taken + amount <= self.most;
        if fits {
            self.taken += amount;
            *own += amount;
        }
        fits
    }
}

/// Who says it, of what steps say themselves.
fn speaker(event: &RunEvent) -> Option<(&StepName, Attempt)> {
    use RunEvent::{Log, Metric, Page, Progress};
    match event {
        Log { step, attempt, .. }
        | Progress { step, attempt, .. }
        | Metric { step, attempt, .. }
        | Page { step, attempt, .. } => Some((step, *attempt)),
        _ => None,
    }
}

/// The events of a run, from its first, each as the JSON of a [`RunEvent`]: blocks for the next one as long as the run goes on.
pub enum Follow {
    /// It runs.
    Live {
        /// How many were taken from the run.
        taken: usize,
        /// Those of them that are not given yet.
        ahead: VecDeque<Arc<str>>,
        /// How long the next ones gather.
        gathering: Duration,
        #[doc(hidden)]
        run: LiveHandle,
    },
    /// It ended, or waits to be resumed: what its file holds.
    Past(Box<dyn Iterator<Item = Arc<str>> + Send>),
}

/// A hold on a live run.
pub struct LiveHandle(pub(crate) Arc<LiveRun>);

impl Follow {
    pub(crate) fn live(run: Arc<LiveRun>) -> Self {
        Self::Live { taken: 0, ahead: VecDeque::new(), gathering: GATHERING, run: LiveHandle(run) }
    }

    pub(crate) fn past(log: &Path) -> Self {
        // A crash can leave half a line at the end, and a stranger anything.
        let event = |line: String| serde_json::to_string(&serde_json::from_str::<RunEvent>(&line).ok()?).ok();
        Self::Past(Box::new(lines(log).filter_map(event).map(Arc::from)))
    }
}

/// A point of a series that a step told: step, attempt, name, value and index.
pub(crate) type Point = (StepName, Attempt, String, Option<f64>, u64);

/// The points of all series that a run's file holds, in the order in which they were told.
pub(crate) fn points(log: &Path) -> impl Iterator<Item = Point> {
    lines(log).filter_map(|line| {
        // Most lines are of another kind; they are not worth reading.
        match line.starts_with("{\"event\":\"metric\"").then(|| serde_json::from_str(&line).ok())?? {
            RunEvent::Metric { step, attempt, name, value, index } => Some((step, attempt, name, value, index)),
            _ => None,
        }
    })
}

fn lines(log: &Path) -> impl Iterator<Item = String> + use<> {
    let file = File::options().read(true).custom_flags(NOFOLLOW).open(log);
    // One that came with a project may be of any length; none of ours is longer.
    let lines = file.into_iter().flat_map(|file| BufReader::new(file.take(LOG_BYTES_MAX)).lines());
    lines.map_while(Result::ok)
}

impl Iterator for Follow {
    type Item = Arc<str>;

    fn next(&mut self) -> Option<Arc<str>> {
        match self {
            Self::Live { taken, ahead, gathering, run } => {
                if ahead.is_empty() {
                    ahead.extend(run.0.events(*taken, *gathering));
                    *taken += ahead.len();
                    *gathering = GATHERING_MAX.min(*gathering * 4);
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
    use types::{RunId, RunState};

    #[test]
    fn why_a_run_failed_is_its_first_step_that_was_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let live = LiveRun::new(&folder.path().join("1.ndjson"), run::CancelToken::default()).unwrap();
        let failed = |message: &str, retry_at_us| {
            let (step, fault, receipt) = ("fit".parse().unwrap(), Fault::guest(message), Default::default());
            live.say(&RunEvent::StepFailed { step, attempt: Attempt(1), fault, receipt, retry_at_us, at_us: 0 });
            live.why()
        };
        assert_eq!(failed("it will be tried again", Some(5)), None);
        let first = failed(&"é".repeat(20_000), None).unwrap();
        assert_eq!((first.chars().count(), first.starts_with("step `fit`: é")), (12 + WHY_CHARS_MAX, true));
        assert_eq!(failed("a later one", None), Some(first));
        let (state, because) = (RunState::Failed, Some("it took longer than 2 h".to_owned()));
        live.say(&RunEvent::RunFinished { run: RunId(1), state, at_us: 0, because: because.clone() });
        assert_eq!(live.why(), because);
    }

    #[test]
    fn a_flood_of_words_is_bounded_in_bytes_and_others_and_what_counts_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs").join("1.ndjson");
        let live = Arc::new(LiveRun::new(&log, run::CancelToken::default()).unwrap());
        let said = |step: &str, message: String| {
            let (step, level) = (step.parse().unwrap(), "info".to_owned());
            live.say(&RunEvent::Log { step, attempt: Attempt(1), level, message });
        };
        (0..100).for_each(|_| said("fit", "x".repeat(1 << 20)));
        said("judged", "later".to_owned());
        let end = RunEvent::RunFinished { run: RunId(1), state: RunState::Failed, at_us: 0, because: None };
        live.say(&end);
        live.end();
        let kept: Vec<_> = Follow::live(Arc::clone(&live)).collect();
        // Half of 64 MiB, of a little more than a mebibyte each; that there is no more room, the other step's word, the end.
        assert_eq!(kept.len(), 32 + 3);
        assert_eq!(serde_json::from_str::<RunEvent>(kept.last().unwrap()).unwrap(), end);
        assert!(std::fs::metadata(&log).unwrap().len() <= LOG_BYTES_MAX);
        // Half of 56 MiB.
        assert_eq!(Follow::past(&log).count(), 28 + 3);
        for (past, what) in [(Follow::past(&log), "in the file"), (Follow::live(Arc::clone(&live)), "live")] {
            let told: Vec<_> = past.filter(|line| line.len() < 1000).collect();
            assert!(
                told.len() == 3 && told[0].contains("no more room") && told[1].contains("later"),
                "{what}: {told:?}"
            );
        }
        // What somebody else appended is not read for ever.
        std::fs::OpenOptions::new().write(true).open(&log).and_then(|file| file.set_len(1 << 40)).unwrap();
        assert_eq!(Follow::past(&log).count(), 28 + 3);
    }
}

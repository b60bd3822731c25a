//! How an attempt ended -> whether its wall held.

use crate::attempts::{Attempt, Expected};
use ports::{Page, Watch, Watched};
use serde::Serialize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use types::{Fault, FaultKind};

/// What came of an attempt.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub name: &'static str,
    pub tried: &'static str,
    /// What was to stop it.
    pub wall: &'static str,
    pub held: bool,
    /// How it ended, as its plugin's user would be told.
    pub ended: String,
    /// All its calls together.
    pub took_us: u64,
    pub calls: usize,
}

/// How one call ended.
pub(crate) struct End {
    pub(crate) fault: Option<Fault>,
    pub(crate) lines: Vec<String>,
}

pub(crate) fn judge(attempt: &Attempt, ends: &[End], took: Duration) -> Finding {
    let (took_us, calls) = (u64::try_from(took.as_micros()).unwrap_or(u64::MAX), ends.len());
    // The end that shows that the wall fell, or else the last one.
    let fallen = ends.iter().find(|end| !holds(&attempt.expected, end));
    let shown = fallen.or(ends.last());
    let ended = match shown.and_then(|end| end.fault.as_ref()) {
        Some(fault) => fault.message.clone(),
        None => format!("ended well, with {} lines of log", shown.map_or(0, |end| end.lines.len())),
    };
    let Attempt { name, tried, wall, .. } = attempt;
    Finding { name, tried, wall, held: fallen.is_none() && calls > 0, ended, took_us, calls }
}

fn holds(expected: &Expected, end: &End) -> bool {
    match (expected, &end.fault) {
        (Expected::Stopped(kind, says), Some(fault)) => fault.kind == *kind && fault.message.contains(says),
        (Expected::Stopped(..), None) | (Expected::Tame { .. }, Some(_)) => false,
        (Expected::Tame { lines }, None) => {
            end.lines.len() == *lines as usize && end.lines.iter().all(|line| !line.chars().any(char::is_control))
        }
        (Expected::Survived, None) => true,
        (Expected::Survived, Some(fault)) => matches!(fault.kind, FaultKind::Guest | FaultKind::Invalid),
    }
}

/// Keeps what an attempt logs.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn lines(self) -> Vec<String> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Heard {
    fn hear(&self, event: Watched) {
        if let Watched::Log { message, .. } = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        }
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn page(&self, _: Page) -> Result<(), Fault> {
        Ok(())
    }

    fn checkpoint(&self, _: Vec<u8>) -> Result<(), Fault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ATTEMPTS;

    fn end(fault: Option<Fault>, lines: &[&str]) -> End {
        End { fault, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
    }

    #[test]
    fn a_wall_holds_only_if_it_is_the_one_that_stopped_it() {
        let wall = FaultKind::Limit { limit: types::LimitKind::Wall };
        let stopped = |kind| end(Some(Fault::new(kind, "reached `wall`")), &[]);
        let expected = Expected::Stopped(wall.clone(), "`wall`");
        for (kind, held) in [(wall.clone(), true), (FaultKind::Guest, false), (FaultKind::Crash, false)] {
            assert_eq!(holds(&expected, &stopped(kind)), held);
        }
        assert!(!holds(&expected, &end(Some(Fault::new(wall, "another")), &[])));
        assert!(!holds(&expected, &end(None, &[])));
        let tame = Expected::Tame { lines: 1 };
        for (lines, held) in [(&["a"][..], true), (&[], false), (&["a", "b"], false), (&["a\x1b[2J"], false)] {
            assert_eq!(holds(&tame, &end(None, lines)), held, "{lines:?}");
        }
        assert!(!holds(&tame, &stopped(FaultKind::Guest)));
        for (kind, held) in [(FaultKind::Guest, true), (FaultKind::Host, false), (FaultKind::Crash, false)] {
            assert_eq!(holds(&Expected::Survived, &stopped(kind)), held);
        }
    }

    #[test]
    fn one_call_that_gets_through_is_a_fallen_wall_and_no_call_proves_nothing() {
        let panics = ATTEMPTS.iter().find(|attempt| attempt.name == "panics").unwrap();
        let gave_up = || end(Some(Fault::guest("the plugin gave up")), &[]);
        let judged = |ends: &[End]| judge(panics, ends, Duration::from_millis(3));
        assert!(judged(&[gave_up(), gave_up()]).held);
        let fallen = judged(&[gave_up(), end(None, &["hello"]), gave_up()]);
        assert_eq!((fallen.held, fallen.ended.as_str()), (false, "ended well, with 1 lines of log"));
        assert!(!judged(&[]).held);
    }
}

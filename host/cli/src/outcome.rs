//! How a command ends: an exit code, and what is said about it.

use crate::show;
use api::{ErrorBody, Trouble};
use types::{Fault, FaultKind, Problem, RunState};

/// A fault of ours or of this machine.
pub(crate) const OURS: u8 = 1;
/// The command line or the project is wrong.
pub(crate) const USER: u8 = 2;
/// A run, or a plugin's test, failed.
pub(crate) const FAILED: u8 = 3;
const REJECTED: u8 = 4;
const NOT_FOUND: u8 = 5;
pub(crate) const CANCELLED: u8 = 130;

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    message: String,
    hint: Option<String>,
    problems: Vec<Problem>,
    /// Problems name files relative to it.
    folder: std::path::PathBuf,
}

impl Failure {
    pub(crate) fn user(message: impl Into<String>) -> Self {
        let (problems, folder) = Default::default();
        Self { code: USER, message: message.into(), hint: None, problems, folder }
    }

    pub(crate) fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn ours(message: impl std::fmt::Display) -> Self {
        Self { code: OURS, ..Self::user(message.to_string()) }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { code: NOT_FOUND, ..Self::user(message) }
    }

    /// Everything that is wrong with what a person wrote.
    pub(crate) fn problems(problems: Vec<Problem>) -> Self {
        let message = counted(&problems);
        Self { problems, ..Self::user(message) }
    }

    /// The same of a project that was to be run.
    pub(crate) fn in_project(self, folder: &std::path::Path) -> Self {
        self.in_folder(folder).so("nothing was run")
    }

    /// Says what comes of the problems, if there are any.
    pub(crate) fn so(mut self, what: &str) -> Self {
        if !self.problems.is_empty() {
            self.message = format!("{} in the project; {what}", counted(&self.problems));
        }
        self
    }

    pub(crate) fn in_folder(mut self, folder: &std::path::Path) -> Self {
        self.folder = folder.to_owned();
        self
    }

    /// Says it on standard error: to people, or as one JSON object `{ error, hint, problems, exit_code }`.
    pub(crate) fn show(&self, json: bool) {
        let Self { code, message, hint, problems, .. } = self;
        if json {
            let body = serde_json::json!({ "error": message, "hint": hint, "problems": problems, "exit_code": code });
            anstream::eprintln!("{body}");
            return;
        }
        for problem in &self.problems {
            anstream::eprintln!("{}\n", show::problem(problem, &self.folder));
        }
        let error = show::styled("error", show::BAD);
        anstream::eprintln!("{error}: {}", show::tame_lines(&self.message));
        if let Some(hint) = &self.hint {
            anstream::eprintln!("{}: {}", show::styled("hint", show::GOOD), show::tame_lines(hint));
        }
    }
}

pub(crate) fn counted(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "1 problem".to_owned(),
        n => format!("{n} problems"),
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let not_found = trouble.is_not_found();
        match trouble {
            Trouble::Broken(message) => Self::ours(message),
            Trouble::Gone(message) => Self::ours(message).hinted(
                "what it was asked for may have been done; the next `stepwell serve` goes on with runs that were under way",
            ),
            Trouble::Refused(_, ErrorBody { error, hint, problems, fault }) => {
                let ours = matches!(fault, Some(FaultKind::Host | FaultKind::Crash));
                let code = if not_found {
                    NOT_FOUND
                } else if ours {
                    OURS
                } else {
                    USER
                };
                match problems.is_empty() {
                    true => Self { code, hint, ..Self::user(error) },
                    false => Self { code, hint, ..Self::problems(problems) },
                }
            }
        }
    }
}

impl From<server::Error> for Failure {
    fn from(error: server::Error) -> Self {
        match error {
            server::Error::Problems(problems) => Self::problems(problems),
            server::Error::NotFound(message) => Self::not_found(message),
            server::Error::Conflict(message) => Self::user(message),
            suspended @ server::Error::Suspended(_) => Self::user(suspended.to_string()),
            server::Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let code = if fault.kind == FaultKind::Invalid { USER } else { OURS };
        Self { code, hint: fault.hint, ..Self::user(fault.message) }
    }
}

/// The exit code of a run.
pub(crate) fn of_run(state: Option<RunState>) -> u8 {
    match state {
        Some(RunState::Succeeded) => 0,
        Some(RunState::Rejected) => REJECTED,
        Some(RunState::Failed) => FAILED,
        Some(RunState::Cancelled) => CANCELLED,
        Some(RunState::Running) | None => OURS,
    }
}

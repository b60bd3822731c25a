//! The tree -> its style, as tests. `tests/tree.rs` holds each check of this crate against the repository.
//!
//! A check is a pure function from texts to [`Offence`]s and has unit tests of its own, so that none can pass because it
//! looks at nothing. What is checked is what AESTHETICS calls "style that runs": a rule that no test knows decays.

pub mod contract;
pub mod crates;
pub mod docs;
pub mod modules;
pub mod shape;
pub mod tree;
pub mod words;

/// A line that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// `file:line`, from the root.
    pub place: String,
    /// What stands there.
    pub what: String,
}

impl Offence {
    /// At a line, counted from 1.
    pub fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { place: format!("{path}:{line}"), what: what.into() }
    }
}

/// All offences in one text, under what to do about them; none if there are none.
pub fn verdict(remedy: &str, offences: &[Offence]) -> Result<(), String> {
    match offences {
        [] => Ok(()),
        offences => {
            let lines = offences.iter().map(|Offence { place, what }| format!("  {place}: {what}\n"));
            Err(format!("{} offences; {remedy}\n{}", offences.len(), lines.collect::<String>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offence_is_told() {
        assert_eq!(verdict("mend it", &[]), Ok(()));
        let offences = [Offence::new("a.rs", 1, "is long"), Offence::new("b.rs", 2, "is longer")];
        let expected = "2 offences; mend it\n  a.rs:1: is long\n  b.rs:2: is longer\n";
        assert_eq!(verdict("mend it", &offences), Err(expected.to_owned()));
    }
}

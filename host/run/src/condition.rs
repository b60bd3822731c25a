//! A step's conditions and what its run committed -> whether they hold, or the first that does not, in words. Pure.

use crate::RunView;
use types::{Artifact, Bound, Condition, Measure, OutputRef, Requirement};

/// Why a step does not run under these; none if all hold. What they look at is committed.
pub(crate) fn unmet(conditions: &[Condition], view: &RunView) -> Option<String> {
    conditions.iter().find_map(|condition| unmet_one(condition, view))
}

fn unmet_one(condition: &Condition, view: &RunView) -> Option<String> {
    match condition {
        Condition::Text { text, is } => (text != is).then(|| format!("`{text}` is not `{is}`")),
        Condition::Rows { of, at_least, at_most } => {
            let Some(Artifact::Table(table)) = view.output(of) else { return Some(lacks(of, "a table")) };
            let rows = table.rows;
            let (low, high) = (at_least.filter(|least| rows < *least), at_most.filter(|most| rows > *most));
            let bound = low.map(|least| format!("at least {least}")).or(high.map(|most| format!("at most {most}")))?;
            Some(format!("`{of}` has {rows} rows, expected {bound}"))
        }
        Condition::Passed { of, passed } => {
            let Some(Artifact::Verdict(verdict)) = view.output(of) else { return Some(lacks(of, "a verdict")) };
            let said = if verdict.passed { "yes" } else { "no" };
            (verdict.passed != *passed).then(|| format!("the gate `{}` said {said}", of.step))
        }
        Condition::Measure { of, requirement } => {
            let (Artifact::Measures { measures } | Artifact::Model { measures, .. }) = view.output(of)? else {
                return Some(lacks(of, "measures"));
            };
            measure(of, requirement, measures)
        }
    }
}

fn measure(of: &OutputRef, requirement: &Requirement, measures: &[Measure]) -> Option<String> {
    let Requirement { measure: name, slice, bound, .. } = requirement;
    let called = slice.as_ref().map_or_else(|| name.clone(), |slice| format!("{name} of {slice}"));
    let taken = measures.iter().find(|measure| measure.name == *name && measure.slice == *slice);
    let Some(value) = taken.map(|measure| measure.value) else {
        return Some(format!("`{of}` has no measure {called}"));
    };
    match bound {
        Bound::AtLeast(least) if value < *least => Some(format!("{called} is {value}, expected at least {least}")),
        Bound::AtMost(most) if value > *most => Some(format!("{called} is {value}, expected at most {most}")),
        _ => None,
    }
}

fn lacks(of: &OutputRef, what: &str) -> String {
    format!("`{of}` is not {what}")
}

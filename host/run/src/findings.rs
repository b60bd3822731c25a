//! A validator's findings -> the same with the offending values beside the rows, and the fault if one stops the run.

use crate::call::who;
use data::Table;
use plan::PlannedStep;
use types::{Fault, Finding, Severity};

/// Rows shown of a finding.
const SAMPLE_MAX: usize = 20;
/// Rows named in the fault's text.
const ROWS_IN_TEXT: usize = 3;
/// Failed checks named in the fault's text.
const LINES_MAX: usize = 20;
/// Characters of a guest's words in the fault's text.
const WORDS_MAX: usize = 200;

/// Reads the values at each finding's rows. Rows beyond the table are dropped: a guest may name any number.
pub(crate) fn with_values(mut findings: Vec<Finding>, table: &Table) -> Vec<Finding> {
    for finding in &mut findings {
        finding.sample.retain(|&row| row < table.rows());
        finding.sample.truncate(SAMPLE_MAX);
        let column = finding.column.as_deref().filter(|column| table.schema().field(column).is_some());
        let values = column.map(|column| data::column_as_text(table, column, &finding.sample));
        // A value that cannot be read leaves the finding without values; it says enough by itself.
        finding.sample_values = values.and_then(Result::ok).unwrap_or_default();
    }
    findings
}

/// The fault of a step whose data failed a check of severity error; it tells each such check, for nothing is committed that
/// could be looked at.
pub(crate) fn fault(step: &PlannedStep, findings: &[Finding]) -> Option<Fault> {
    let failed = |finding: &&Finding| !finding.passed && finding.severity == Severity::Error;
    let failed: Vec<_> = findings.iter().filter(failed).collect();
    if failed.is_empty() {
        return None;
    }
    let mut message = format!("{}: {} of {} checks failed", who(step), failed.len(), findings.len());
    for finding in failed.iter().take(LINES_MAX) {
        message.push_str("\n  ");
        message.push_str(&line(finding));
    }
    if failed.len() > LINES_MAX {
        message.push_str(&format!("\n  and {} more", failed.len() - LINES_MAX));
    }
    Some(Fault::invalid(message).hinted("mend the data at its source, or change the check if the data is right"))
}

/// ``range of `age`: expected 0 to 120, got 2 values outside; row 3: 130, row 7: -1``
fn line(finding: &Finding) -> String {
    let column = finding.column.as_ref().map(|column| format!(" of `{}`", cut(column))).unwrap_or_default();
    let (expected, observed) = (cut(&finding.expected), cut(&finding.observed));
    let mut line = format!("{}{column}: expected {expected}, got {observed}", cut(&finding.check));
    for (i, row) in finding.sample.iter().take(ROWS_IN_TEXT).enumerate() {
        let separator = if i == 0 { ';' } else { ',' };
        let value = finding.sample_values.get(i).map(|value| format!(": {value}")).unwrap_or_default();
        // A person counts rows from 1.
        line.push_str(&format!("{separator} row {}{value}", row + 1));
    }
    line
}

fn cut(words: &str) -> String {
    words.chars().take(WORDS_MAX).collect()
}

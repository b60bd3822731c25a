//! How much a plugin may say at once. What it gives is recorded, and a journal takes batches of a bounded size; a table's rows
//! are blobs and have `limits.output`.

use crate::{Artifact, Field, Finding, Measure, SavedFile, Schema};

/// Columns of one table.
pub const COLUMNS_MAX: usize = 65_536;
/// Bytes of the name of a column, a measure, a check or a saved file.
pub const NAME_BYTES_MAX: usize = 1_024;
/// Findings of one validator.
pub const FINDINGS_MAX: usize = 100_000;
/// Measures of one evaluator or trainer.
pub const MEASURES_MAX: usize = 10_000;
/// Files of one saved state or model.
pub const FILES_MAX: usize = 1_000;
/// Bytes of a collector's cursor.
pub const CURSOR_BYTES_MAX: usize = 1 << 20;
/// Characters of a sentence: of what a finding observed and expected, of a sink's location, of a fault's message and hint. Longer ones are cut.
pub const SENTENCE_CHARS_MAX: usize = 16_384;

/// The sentence, cut at [`SENTENCE_CHARS_MAX`].
pub fn sentence(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SENTENCE_CHARS_MAX) {
        text.truncate(end);
    }
    text
}

impl Schema {
    /// What is more than a table may have, and the most it may.
    pub fn oversized(&self) -> Option<String> {
        fields(&self.fields)
    }
}

impl Artifact {
    /// What is more than a step may give, and the most it may.
    pub fn oversized(&self) -> Option<String> {
        match self {
            Self::Table(table) => table.schema.oversized(),
            Self::State { files } => saved(files),
            Self::Model { files, signature, measures } => saved(files)
                .or_else(|| fields(&signature.inputs))
                .or_else(|| fields(&signature.outputs))
                .or_else(|| measured(measures)),
            Self::Findings { findings } => found(findings),
            Self::Measures { measures } => measured(measures),
            Self::Delivered { location, .. } => {
                count("characters in a location", location.chars().count(), SENTENCE_CHARS_MAX)
            }
            // The host's own.
            Self::Verdict(_) | Self::Version { .. } => None,
        }
    }
}

fn fields(fields: &[Field]) -> Option<String> {
    count("columns", fields.len(), COLUMNS_MAX)
        .or_else(|| fields.iter().find_map(|field| name("a column's name", &field.name)))
}

fn saved(files: &[SavedFile]) -> Option<String> {
    count("saved files", files.len(), FILES_MAX)
        .or_else(|| files.iter().find_map(|file| name("a saved file's name", &file.name)))
}

fn measured(measures: &[Measure]) -> Option<String> {
    let long = |measure: &Measure| {
        name("a measure's name", &measure.name).or_else(|| name("a measure's slice", measure.slice.as_deref()?))
    };
    count("measures", measures.len(), MEASURES_MAX).or_else(|| measures.iter().find_map(long))
}

fn found(findings: &[Finding]) -> Option<String> {
    let words = |text: &str| count("characters in a finding", text.chars().count(), SENTENCE_CHARS_MAX);
    let long = |finding: &Finding| {
        name("the name of a check", &finding.check)
            .or_else(|| finding.column.as_deref().and_then(|column| name("a finding's column", column)))
            .or_else(|| words(&finding.observed))
            .or_else(|| words(&finding.expected))
    };
    count("findings", findings.len(), FINDINGS_MAX).or_else(|| findings.iter().find_map(long))
}

fn count(what: &str, got: usize, most: usize) -> Option<String> {
    (got > most).then(|| format!("gives {got} {what}, at most {most} are taken"))
}

fn name(what: &str, text: &str) -> Option<String> {
    let (got, most) = (text.len(), NAME_BYTES_MAX);
    (got > most).then(|| format!("{what} has {got} bytes, at most {most} are taken"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DataType, Digest, Severity, Signature, TableRef};

    fn field(name: &str) -> Field {
        Field { name: name.to_owned(), data_type: DataType::Int64, nullable: false }
    }

    fn measure(name: &str, slice: Option<String>) -> Measure {
        let (name, interval) = (name.to_owned(), None);
        Measure { name, slice, value: 0.5, interval, baseline_value: None, difference_interval: interval }
    }

    fn finding(check: &str, expected: &str) -> Finding {
        Finding {
            check: check.to_owned(),
            column: None,
            severity: Severity::Warning,
            passed: true,
            observed: String::new(),
            expected: expected.to_owned(),
            sample: Vec::new(),
            sample_values: Vec::new(),
        }
    }

    fn table(fields: Vec<Field>) -> Artifact {
        Artifact::Table(TableRef {
            digest: Digest::of(b""),
            schema: Schema { fields },
            rows: 0,
            parts: Vec::new(),
            bytes: 0,
        })
    }

    #[test]
    fn each_bound_is_named_where_it_is_passed_and_not_before() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let file = |name: &str| SavedFile { name: name.to_owned(), digest: Digest::of(b""), bytes: 0 };
        let findings = |finding: Finding, count| Artifact::Findings { findings: vec![finding; count] };
        let measures = |measure: Measure, count| Artifact::Measures { measures: vec![measure; count] };
        let model = |signature| Artifact::Model { files: Vec::new(), signature, measures: Vec::new() };
        let signature = |name: &str| Signature { inputs: Vec::new(), outputs: vec![field(name)] };
        let words = "é".repeat(SENTENCE_CHARS_MAX);
        for (artifact, expected) in [
            (table(vec![field("a"); COLUMNS_MAX]), None),
            (table(vec![field("a"); COLUMNS_MAX + 1]), Some("gives 65537 columns, at most 65536 are taken")),
            (table(vec![field(&long)]), Some("a column's name has 1025 bytes, at most 1024 are taken")),
            (model(signature(&long[1..])), None),
            (model(signature(&long)), Some("a column's name has 1025 bytes, at most 1024 are taken")),
            (Artifact::State { files: vec![file("a"); 1_001] }, Some("gives 1001 saved files, at most 1000 are taken")),
            (measures(measure("a", None), MEASURES_MAX), None),
            (measures(measure("a", None), 10_001), Some("gives 10001 measures, at most 10000 are taken")),
            (measures(measure(&long, None), 1), Some("a measure's name has 1025 bytes, at most 1024 are taken")),
            (
                measures(measure("a", Some(long.clone())), 1),
                Some("a measure's slice has 1025 bytes, at most 1024 are taken"),
            ),
            (findings(finding("a", &words), 1), None),
            (findings(finding("a", ""), 100_001), Some("gives 100001 findings, at most 100000 are taken")),
            (findings(finding(&long, ""), 1), Some("the name of a check has 1025 bytes, at most 1024 are taken")),
            (
                findings(finding("a", &format!("{words}é")), 1),
                Some("gives 16385 characters in a finding, at most 16384 are taken"),
            ),
            (Artifact::Delivered { location: words.clone(), repeated: false }, None),
            (
                Artifact::Delivered { location: format!("{words}é"), repeated: false },
                Some("gives 16385 characters in a location, at most 16384 are taken"),
            ),
        ] {
            assert_eq!(artifact.oversized().as_deref(), expected);
        }
    }

    #[test]
    fn a_sentence_is_cut_between_characters() {
        let words = "é".repeat(SENTENCE_CHARS_MAX);
        assert_eq!(sentence(format!("{words}é")), words);
        assert_eq!(sentence(words.clone()), words);
    }
}

//! What an audit found.

use super::{BAD, GOOD, bytes, styled, table, tame};
use server::{Audited, AuditedJournal};

/// The head of each journal.
pub(crate) fn heads(audited: &Audited) -> String {
    let row = |journal: &AuditedJournal| vec![whose(journal), journal.records.to_string(), journal.head.to_string()];
    table(&["journal of", "records", "head"], audited.journals.iter().map(row).collect())
}

fn whose(journal: &AuditedJournal) -> String {
    journal.tenant.as_ref().map_or_else(|| "the installation".to_owned(), |tenant| format!("tenant {tenant}"))
}

/// Whether everything is as it was written, and what is not.
pub(crate) fn audited(audited: &Audited) -> String {
    let mut text = heads(audited);
    for journal in audited.journals.iter().filter(|journal| journal.torn_bytes > 0) {
        let torn = bytes(journal.torn_bytes);
        text += &format!("{}: an unfinished write of {torn} behind it, which a crash leaves\n", whose(journal));
    }
    for journal in audited.journals.iter().filter(|journal| journal.folded > 0) {
        let folded = journal.folded;
        text += &format!("{}: {folded} records of forgotten runs were folded away\n", whose(journal));
    }
    for flaw in &audited.flaws {
        text += &format!("{}: {}\n", styled("flaw", BAD), tame(flaw));
    }
    if audited.more > 0 {
        text += &format!("and {} more\n", audited.more);
    }
    let records: u64 = audited.journals.iter().map(|journal| journal.records).sum();
    let (what, blobs) = (format!("{records} records"), audited.blobs);
    match audited.is_sound() {
        true => text + &format!("{}: {what} in order, and {blobs} blobs as they were written\n", styled("sound", GOOD)),
        false => text + &format!("{}: {} flaws\n", styled("not sound", BAD), audited.flaws.len() as u64 + audited.more),
    }
}

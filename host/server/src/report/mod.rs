//! A run -> one HTML file that stands alone: what was decided and why, the measures as a picture, the steps and their cost.
//! Written when somebody first looks at a run that has ended: most runs of a schedule nobody looks at.

mod curves;
mod items;
mod measured;
mod page;
mod scale;
mod steps;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

pub use words::{cause_in_words, instant, state, taken_in_words};

use crate::reads::RunDetail;
use crate::{Server, folder};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;
use types::{RunHead, RunId, TenantId};

impl Server {
    /// Where the page of a run lies, once somebody has looked at it.
    pub fn report_file(&self, tenant: &TenantId, run: RunId) -> PathBuf {
        folder::tenant(&self.options.data, tenant).join("reports").join(format!("run-{run}.html"))
    }

    /// Where the page lies, which is made if it is not there; none while the run goes on, or where it cannot be written.
    pub(crate) fn report(&self, tenant: &TenantId, run: &RunDetail) -> Option<PathBuf> {
        let (file, finished_us) = (self.report_file(tenant, run.line.run), run.line.finished_us?);
        if is_there(&file, finished_us) {
            return Some(file);
        }
        let curves = curves::read(run, &self.log_file(tenant, run.line.run));
        let page = page::html(run, &curves, finished_us);
        // Another tenant of the same name may have a run of the same number.
        let is_its = |head: &RunHead| (head.plan, head.started_us) == (run.plan, run.line.started_us);
        let is_known =
            || self.store.run(tenant, run.line.run).is_ok_and(|found| found.is_some_and(|it| is_its(&it.head)));
        let written = self.store.while_nobody_is_deleted(|| is_known() && write(&file, &page).is_ok());
        // `gc` records before it removes: one of both sees the other.
        if written && !is_known() {
            let _ = std::fs::remove_file(&file);
            return None;
        }
        written.then_some(file)
    }
}

/// Whether it is whole, and of the run's end: earlier versions wrote one whenever a run stopped, and a power cut leaves an empty one.
fn is_there(file: &Path, finished_us: i64) -> bool {
    let found = file.symlink_metadata().ok().filter(|found| found.is_file() && found.len() > 0);
    let written = found.and_then(|found| found.modified().ok()?.duration_since(UNIX_EPOCH).ok());
    written.is_some_and(|written| i128::from(finished_us) <= written.as_micros() as i128)
}

/// Renamed into place: whoever reads it sees all of it, and what stood under its name is not written through.
fn write(file: &Path, page: &str) -> io::Result<()> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let reports = file.parent().unwrap_or(Path::new("."));
    // Not those above it: a tenant that was deleted meanwhile does not come back.
    std::fs::create_dir(reports)
        .or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })?;
    let draft = file.with_extension(format!("draft-{}", DRAFTS.fetch_add(1, Ordering::Relaxed)));
    std::fs::remove_file(&draft).or_else(folder::absent)?;
    let written = File::create_new(&draft).and_then(|mut made| io::Write::write_all(&mut made, page.as_bytes()));
    written.and_then(|()| std::fs::rename(&draft, file)).inspect_err(|_| drop(std::fs::remove_file(&draft)))
}

#[cfg(test)]
mod pages {
    use super::*;

    #[test]
    fn a_page_of_before_the_end_and_an_empty_one_are_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reports").join("run-1.html");
        assert!(!is_there(&file, 0));
        write(&file, "page").unwrap();
        assert!(is_there(&file, 1) && !is_there(&file, i64::MAX));
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        write(&file, "").unwrap();
        assert!(!is_there(&file, 1));
    }
}

//! Pages of a source, one after another: each cursor follows the one before it, so that rows are neither lost nor doubled.

use crate::disk::{Result, broken};
use crate::pipelines;
use crate::steps;
use ports::SourceState;
use std::collections::BTreeSet;
use types::{Artifact, Digest, StepCommit, TableRef};

/// What is known of a source, and every table that its pages ever made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub state: SourceState,
    made: BTreeSet<Digest>,
}

impl Source {
    pub(crate) fn turn_page(&mut self, table: &TableRef, cursor: &str, restarted: bool) -> Result<()> {
        let (before, after) = (place(self.state.cursor.as_deref()), place(Some(cursor)));
        let follows = match restarted {
            true => after == (before.0 + 1, 1),
            false => after == (before.0, before.1 + 1),
        };
        if !follows || *table != page(after) {
            return broken(format!("page {after:?} of a source follows page {before:?}"));
        }
        if restarted {
            self.state.pages.clear();
        }
        self.state.pages.push(table.clone());
        self.state.cursor = Some(cursor.to_owned());
        self.made.insert(steps::put_together(&self.state.pages).digest);
        Ok(())
    }

    /// Whether a collector's commit is the pages of the source, as they were at some time.
    pub(crate) fn covers(&self, commit: &StepCommit) -> Result<()> {
        match commit.outputs.values().all(|artifact| self.made.contains(&artifact.digest())) {
            true => Ok(()),
            false => broken(format!("`{}` committed rows that are not those of its source's pages", commit.step)),
        }
    }

    pub(crate) fn blobs(&self) -> impl Iterator<Item = Digest> {
        self.state.pages.iter().flat_map(|page| Artifact::Table(page.clone()).blobs())
    }
}

/// Which time round, and how many pages.
type Place = (u32, u32);

fn place(cursor: Option<&str>) -> Place {
    let Some(cursor) = cursor else { return (0, 0) };
    let number = |digits: &str| u32::from_str_radix(digits, 16).unwrap();
    (number(&cursor[..2]), number(&cursor[2..]))
}

fn page((round, number): Place) -> TableRef {
    let mut table = steps::table(&("page", round, number));
    table.rows += 1;
    table
}

/// The page after a cursor, its own cursor, and whether all begins anew with it; none if there is none yet.
pub(crate) fn next_page(
    source: &pipelines::Source,
    cursor: Option<&str>,
    since_us: i64,
) -> Option<(TableRef, String, bool)> {
    let (round, number) = place(cursor);
    let grown = source.grows_us.map_or(0, |each_us| (since_us / each_us).clamp(0, 6) as u32);
    let restarts = round == 0 && source.restart_after == Some(number);
    let next = if restarts { (1, 1) } else { (round, number + 1) };
    let is_there = restarts || number < source.pages + grown;
    is_there.then(|| (page(next), format!("{:02x}{:06x}", next.0, next.1), restarts))
}

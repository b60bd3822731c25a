//! What is watched, and how it was seen last -> a run when it has moved. Files of the project are looked at every few
//! seconds; a collector is asked now and then whether its source has more than was committed.
//!
//! While a run that such a move started is under way, nothing more is started: the move is still there when it has ended.

use crate::deploy::Deployed;
use crate::fire::Spark;
use crate::triggers::in_words;
use crate::{Error, Server, locked};
use ports::{Assignment, Call, Journal, Page, StepRunner, Task, Watch, Watched};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use types::{
    Cause, Digest, Fault, FaultKind, FileGrant, Grants, PipelineName, ProjectName, Record, StepName, TenantId,
};

/// How often files are looked at. What is still being written differs from one look to the next.
const POLL: Duration = Duration::from_secs(5);
/// Files that one pipeline may watch.
const FILES_MAX: usize = 10_000;
/// Of so many it is kept in mind how they were, so that a run can say which have changed.
const REMEMBERED_MAX: usize = 1_000;
/// Files that a run's cause names.
const NAMED_MAX: usize = 10;

/// A pipeline of a tenant's project.
type Whose = (TenantId, ProjectName, PipelineName);

/// What the watching loop remembers.
#[derive(Default)]
pub(crate) struct Watches {
    files: BTreeMap<Whose, Looked>,
    /// When a source was last asked.
    asked: BTreeMap<Whose, i64>,
    /// What was told of whose fault, so that it is told once.
    told: BTreeMap<Whose, String>,
}

/// A fault in words, if it was not told of last time.
fn news(
    what: &str,
    suffers: &str,
    whose: &Whose,
    looked: Result<(), Error>,
    told: &mut BTreeMap<Whose, String>,
) -> Option<String> {
    let Err(error) = looked else {
        told.remove(whose);
        return None;
    };
    let text = in_words(&error);
    if told.get(whose) == Some(&text) {
        return None;
    }
    told.insert(whose.clone(), text.clone());
    let (tenant, project, pipeline) = whose;
    Some(format!("tenant `{tenant}`: {what} of `{project}/{pipeline}` {suffers}: {text}"))
}

impl Watches {
    /// Forgets what nobody watches any more.
    fn keep(&mut self, is_there: impl Fn(&Whose) -> bool) {
        self.files.retain(|whose, _| is_there(whose));
        self.asked.retain(|whose, _| is_there(whose));
        self.told.retain(|whose, _| is_there(whose));
    }
}

/// What is known of the files of a pipeline.
#[derive(Default)]
pub(crate) struct Looked {
    /// What is watched.
    watch: String,
    /// How they were found by the last look.
    last: Option<Digest>,
    /// How they were when a run last began for them, or when it was seen that nothing is new since; none where that is not known.
    settled: Option<Files>,
}

/// Files by their names: size, seconds and nanoseconds of the last change.
type Files = BTreeMap<String, (i64, i64, u64)>;

/// Sources that are being asked, and what was told of whose fault, so that it is told once.
#[derive(Default)]
pub(crate) struct Asking {
    under_way: BTreeSet<Whose>,
    told: BTreeMap<Whose, String>,
}

impl Server {
    pub(crate) fn keep_watches(self: &Arc<Self>) {
        let mut watches = Watches::default();
        while !self.triggers.is_leaving() {
            let tenants = self.store.tenants();
            watches.keep(|(tenant, ..)| tenants.contains(tenant));
            for tenant in tenants {
                if self.active(&tenant).is_ok() {
                    self.watch_all(&tenant, &mut watches);
                }
            }
            self.triggers.polling.sleep(POLL);
        }
    }

    /// Looks at all that a tenant's pipelines watch.
    pub(crate) fn watch_all(self: &Arc<Self>, tenant: &TenantId, watches: &mut Watches) {
        // A version that cannot be read is told of by the loop that keeps schedules.
        let Ok(all) = self.all_deployed(tenant) else { return };
        let is_there = |(of, project, pipeline): &Whose| {
            let is_its = |deployed: &Arc<Deployed>| {
                deployed.project.name == *project && deployed.content.plans.contains_key(pipeline)
            };
            of != tenant || all.iter().any(is_its)
        };
        watches.keep(is_there);
        locked(&self.asking).told.retain(|whose, _| is_there(whose));
        for deployed in &all {
            for pipeline in deployed.content.plans.keys() {
                let whose = (tenant.clone(), deployed.project.name.clone(), pipeline.clone());
                let looked = self.watch_files(&whose, deployed, &mut watches.files);
                let news = news("files", "are not watched", &whose, looked, &mut watches.told);
                news.into_iter().for_each(|news| self.triggers.say(news));
                self.ask_source_if_due(&whose, deployed, &mut watches.asked);
            }
        }
    }

    fn watch_files(
        self: &Arc<Self>,
        whose: &Whose,
        deployed: &Deployed,
        before: &mut BTreeMap<Whose, Looked>,
    ) -> Result<(), Error> {
        let (tenant, project, pipeline) = whose;
        let patterns = deployed.triggers(pipeline).files;
        if patterns.is_empty() {
            return Ok(());
        }
        self.expect_allowed(tenant, &patterns)?;
        self.expect_open(&deployed.content.project_dir, &patterns)?;
        let files = found(&deployed.content.project_dir, &patterns)?;
        let now = named(&files);
        let watch = format!("files {}", Digest::of_json(&patterns).short());
        let moved = Record::WatchMoved {
            project: project.clone(),
            pipeline: pipeline.clone(),
            watch: watch.clone(),
            seen: now,
        };
        let looked = before.entry(whose.clone()).or_default();
        if looked.watch != watch {
            *looked = Looked { watch: watch.clone(), ..Looked::default() };
        }
        let is_stable = looked.last.replace(now) == Some(now);
        match self.store.watched(tenant, project, pipeline, &watch)? {
            // The first look only takes note of what is there.
            None => self.store.append(tenant, &[moved])?,
            Some(seen) if seen == now => {}
            Some(_) if !is_stable || self.is_under_way(whose)? => return Ok(()),
            Some(_) => {
                let what = types::sentence(changed(looked.settled.as_ref(), &files, &patterns));
                let spark = Spark::new(Cause::Data { what, source: None }).beside(moved);
                self.fire(tenant, deployed, pipeline, spark)?;
            }
        }
        looked.settled = Some(files).filter(|files| files.len() <= REMEMBERED_MAX);
        Ok(())
    }

    /// A tenant that may not grant a folder may not watch it either.
    pub(crate) fn expect_allowed(&self, tenant: &TenantId, patterns: &[String]) -> Result<(), Error> {
        let policy = self.known(tenant)?.policy.grants;
        let folders = patterns.iter().map(|pattern| FileGrant { path: divided(pattern).0.to_owned(), write: false });
        let beyond = Grants { files: folders.collect(), ..Grants::default() }.beyond(&policy);
        match manifest::grant_lines(&beyond).first() {
            None => Ok(()),
            Some(line) => {
                let fault = Fault::new(FaultKind::Denied, "the tenant's policy does not allow it");
                Err(fault.hinted(types::policy_command(line)).into())
            }
        }
    }

    /// What lies in the data folder tells of other tenants, by its names and times alone. No link leads there: none is followed.
    fn expect_open(&self, project: &Path, patterns: &[String]) -> Result<(), Error> {
        let Ok(data) = self.options.data.canonicalize() else { return Ok(()) };
        let within = |folder: &&str| project.join(folder).canonicalize().is_ok_and(|folder| folder.starts_with(&data));
        match patterns.iter().map(|pattern| divided(pattern).0).find(within) {
            None => Ok(()),
            Some(folder) => Err(Fault::new(FaultKind::Denied, format!("`{folder}` is Stepwell's own")).into()),
        }
    }

    /// Whether a run is under way that a move has started.
    fn is_under_way(&self, (tenant, project, pipeline): &Whose) -> Result<bool, Error> {
        let is_its = |head: &types::RunHead| {
            head.project == *project && head.pipeline == *pipeline && matches!(head.cause, Cause::Data { .. })
        };
        Ok(self.under_way(tenant)?.iter().any(is_its))
    }

    /// Asks on a thread of its own: one source that takes its time holds up nobody.
    fn ask_source_if_due(self: &Arc<Self>, whose: &Whose, deployed: &Arc<Deployed>, asked: &mut BTreeMap<Whose, i64>) {
        let Some((step, every_ms)) = deployed.triggers(&whose.2).source else { return };
        let (now_us, every_us) = (self.now_us(), i64::try_from(every_ms).unwrap_or(i64::MAX).saturating_mul(1_000));
        // Also after the clock went back.
        let is_due = asked.get(whose).is_none_or(|&last| !(last..last.saturating_add(every_us)).contains(&now_us));
        if !is_due || !locked(&self.asking).under_way.insert(whose.clone()) {
            return;
        }
        asked.insert(whose.clone(), now_us);
        let (server, whose, deployed) = (Arc::clone(self), whose.clone(), Arc::clone(deployed));
        std::thread::spawn(move || {
            let asked = server.ask_source(&whose, &deployed, &step);
            let mut asking = locked(&server.asking);
            asking.under_way.remove(&whose);
            let news = news("source", "is not asked for more", &whose, asked, &mut asking.told);
            drop(asking);
            news.into_iter().for_each(|news| server.triggers.say(news));
        });
    }

    fn ask_source(self: &Arc<Self>, whose: &Whose, deployed: &Deployed, step: &StepName) -> Result<(), Error> {
        let (tenant, project, pipeline) = whose;
        if self.is_under_way(whose)? {
            return Ok(());
        }
        let Some(page) = self.next_page(tenant, deployed, pipeline, step)? else { return Ok(()) };
        let (watch, seen) = (format!("source {step}"), Digest::of(page.cursor.as_bytes()));
        if self.store.watched(tenant, project, pipeline, &watch)? == Some(seen) {
            return Ok(());
        }
        let moved = Record::WatchMoved { project: project.clone(), pipeline: pipeline.clone(), watch, seen };
        let what = format!("the source of `{step}` has more: {} rows at least", page.table.rows);
        let cause = Cause::Data { what, source: Some(step.clone()) };
        self.fire(tenant, deployed, pipeline, Spark::new(cause).beside(moved)).map(drop)
    }

    /// The page behind the committed cursor, if it has rows or leads on. It is looked at and not kept.
    fn next_page(
        &self,
        tenant: &TenantId,
        deployed: &Deployed,
        pipeline: &PipelineName,
        name: &StepName,
    ) -> Result<Option<Page>, Error> {
        let missing = || Fault::invalid(format!("`{name}` is no collector of `{pipeline}`"));
        let plan = deployed.content.plans.get(pipeline).ok_or_else(missing)?;
        let step = plan.step(name).ok_or_else(missing)?;
        let (source, plugin) = run::source_of(plan, step).zip(step.work.plugin()).ok_or_else(missing)?;
        let cursor = self.store.source(tenant, source)?.and_then(|state| state.cursor);
        let assignment = Assignment {
            component: plugin.component,
            parameters: plugin.parameters.clone(),
            seed: step.seed,
            logical_time_us: self.now_us(),
            limits: step.limits,
            device: step.device,
            checkpoint: None,
            task: Task::Collect { cursor: cursor.clone() },
        };
        let (who, base) = (format!("step `{name}`"), deployed.content.project_dir.clone());
        let call = Call { who, assignment, grants: step.grants.clone(), base, turn: Default::default() };
        let glance = Glance { server: self, page: Mutex::default() };
        let outcome = self.admission.run(tenant, &call, &glance);
        let page = glance.page.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let has_moved = |page: &Page| cursor.as_ref().is_some_and(|cursor| page.restarted || page.cursor != *cursor);
        let leads_on = |page: &Page| page.table.rows > 0 || has_moved(page);
        match (page, outcome.result) {
            (Some(page), _) => Ok(Some(page).filter(leads_on)),
            (None, Ok(_)) => Ok(None),
            (None, Err(fault)) => Err(fault.into()),
        }
    }
}

/// Takes the first page and stops there: nothing is committed.
struct Glance<'a> {
    server: &'a Server,
    page: Mutex<Option<Page>>,
}

impl Watch for Glance<'_> {
    fn hear(&self, _: Watched) {}

    fn cancelled(&self) -> bool {
        self.server.triggers.is_leaving() || locked(&self.page).is_some()
    }

    fn page(&self, page: Page) -> Result<(), Fault> {
        locked(&self.page).get_or_insert(page);
        Err(Fault::new(FaultKind::Cancelled, "one page is all that was asked for"))
    }

    fn checkpoint(&self, _: Vec<u8>) -> Result<(), Fault> {
        Ok(())
    }
}

/// The folder of a pattern, and what its last part is to be.
fn divided(pattern: &str) -> (&str, &str) {
    match pattern.rsplit_once('/') {
        Some((folder, name)) => (folder, name),
        None => (".", pattern),
    }
}

/// Whether a name is one that a pattern means; `*` stands for any run of characters, but not for hidden files.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((front, back)) = pattern.split_once('*') else { return pattern == name };
    let rest = name.strip_prefix(front).filter(|rest| rest.len() >= back.len());
    rest.is_some_and(|rest| rest.ends_with(back)) && (!front.is_empty() || !name.starts_with('.'))
}

/// A name for all of them, which the journal keeps.
fn named(files: &Files) -> Digest {
    let lines = files.iter().map(|(name, (size, seconds, nanoseconds))| (name, size, seconds, nanoseconds));
    Digest::of_json(&lines.collect::<Vec<_>>())
}

/// What is otherwise than before, in words; which patterns are watched, where it is not known how it was before.
fn changed(before: Option<&Files>, now: &Files, patterns: &[String]) -> String {
    let Some(before) = before else { return format!("files changed: {}", patterns.join(", ")) };
    let came = now.iter().filter_map(|(name, is)| match before.get(name) {
        None => Some(format!("new {name}")),
        Some(was) if was != is => Some(format!("changed {name}")),
        Some(_) => None,
    });
    let went = before.keys().filter(|name| !now.contains_key(*name)).map(|name| format!("gone {name}"));
    let all: Vec<String> = came.chain(went).collect();
    let more = all.len().saturating_sub(NAMED_MAX);
    let named = all.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// All that the patterns find. A folder that is not there has no files; no link is followed.
fn found(project: &Path, patterns: &[String]) -> Result<Files, Fault> {
    let mut files = Files::new();
    for pattern in patterns {
        let (folder, name) = divided(pattern);
        let cannot = |error: rustix::io::Errno| Fault::invalid(format!("`{folder}` cannot be looked at: {error}"));
        let entries = match open_beneath(project, folder) {
            Err(rustix::io::Errno::NOENT) => continue,
            opened => opened.and_then(rustix::fs::Dir::new).map_err(cannot)?,
        };
        let mut listed = Vec::new();
        for (looked_at, entry) in entries.enumerate() {
            let entry = entry.map_err(cannot)?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if matches(name, &file) {
                listed.push(file);
            }
            // Others in the folder cost as much.
            if looked_at + files.len() > FILES_MAX {
                return Err(Fault::invalid(format!("`{pattern}` is looked for among more than {FILES_MAX} files")));
            }
        }
        files.extend(described(project, folder, &listed).map_err(cannot)?);
    }
    Ok(files)
}

/// A folder of the project, by no link.
fn open_beneath(project: &Path, folder: &str) -> rustix::io::Result<std::os::fd::OwnedFd> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(project, flags | OFlags::PATH, Mode::empty())?;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(&root, folder, flags | OFlags::RDONLY, Mode::empty(), beneath)
}

/// Those that are files.
fn described(project: &Path, folder: &str, names: &[String]) -> rustix::io::Result<Files> {
    use rustix::fs::{AtFlags, FileType, statat};
    let opened = open_beneath(project, folder)?;
    let mut described = Files::new();
    for name in names {
        // One that has just gone is gone.
        let Ok(stat) = statat(&opened, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            described.insert(format!("{folder}/{name}"), (stat.st_size, stat.st_mtime, stat.st_mtime_nsec));
        }
    }
    Ok(described)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_stands_for_anything_but_hidden_files() {
        for (pattern, name, is_meant) in [
            ("*.csv", "a.csv", true),
            ("*.csv", ".csv", false),
            ("*.csv", ".a.csv", false),
            ("*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("rows.csv", "rows.csv", true),
            ("rows.csv", "rows.csv2", false),
            (".h*", ".hidden", true),
        ] {
            assert_eq!(matches(pattern, name), is_meant, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_found_changes_with_names_sizes_and_times_and_follows_no_link() {
        let [project, elsewhere] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let patterns = ["data/*.csv".to_owned(), "one.txt".to_owned()];
        let look = || found(project.path(), &patterns).unwrap();
        let nothing = look();
        std::fs::create_dir(project.path().join("data")).unwrap();
        assert_eq!(look(), nothing, "an empty folder is like none");
        std::fs::write(project.path().join("data/a.csv"), "1").unwrap();
        let one = look();
        assert_ne!(one, nothing);
        assert_eq!(look(), one);
        std::fs::write(project.path().join("data/other.txt"), "1").unwrap();
        std::fs::create_dir(project.path().join("data/folder.csv")).unwrap();
        std::os::unix::fs::symlink("a.csv", project.path().join("data/link.csv")).unwrap();
        assert_eq!(look(), one, "what is no file, and what is not meant");
        std::fs::write(project.path().join("data/a.csv"), "12").unwrap();
        assert_ne!(look(), one, "another size");
        std::fs::write(elsewhere.path().join("b.csv"), "1").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), project.path().join("out")).unwrap();
        for out in ["out/*.csv", "../*.csv"] {
            assert!(found(project.path(), &[out.to_owned()]).is_err(), "{out}");
        }
    }

    #[test]
    fn a_cause_names_the_files() {
        let files =
            |all: &[(&str, i64)]| all.iter().map(|(name, size)| ((*name).to_owned(), (*size, 0, 0))).collect::<Files>();
        let patterns = ["data/*.csv".to_owned(), "one.txt".to_owned()];
        let before = files(&[("data/a.csv", 1), ("data/b.csv", 1), ("one.txt", 1)]);
        let now = files(&[("data/a.csv", 1), ("data/b.csv", 2), ("data/c.csv", 1)]);
        assert_eq!(changed(Some(&before), &now, &patterns), "changed data/b.csv, new data/c.csv, gone one.txt");
        assert_eq!(changed(None, &now, &patterns), "files changed: data/*.csv, one.txt");
        let many: Files = (0..NAMED_MAX as i64 + 2).map(|number| (format!("{number:02}"), (1, 0, 0))).collect();
        let said = changed(Some(&Files::new()), &many, &patterns);
        assert!(said.starts_with("new 00, new 01, ") && said.ends_with("new 09 and 2 more"), "{said}");
    }

    #[test]
    fn more_files_than_are_watched_are_refused() {
        let project = tempfile::tempdir().unwrap();
        for number in 0..=FILES_MAX {
            std::fs::File::create(project.path().join(format!("{number}.csv"))).unwrap();
        }
        let refused = found(project.path(), &["*.csv".to_owned()]).unwrap_err();
        assert!(refused.message.contains("more than 10000 files"), "{refused}");
    }
}

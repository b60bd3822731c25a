//! A data folder -> a [`Store`] whose index is what its journals say.
//!
//! The journals are checked first and decide. An index is believed if it reads without error or panic, adds up, and
//! stands at a mark that its journals hold; else it is moved aside, and a new one is built from the first record on.

use crate::disk::{Folders, entries, sync_folder};
use crate::index::{Behind, Index, Position, SledIndex, Staged, Walls, survey};
use crate::installation::Installation;
use crate::journal::{Log, Owner};
use crate::recovery::{Rebuilt, Recovery, Torn};
use crate::tenant::Tenant;
use crate::{Error, Result, Store, apply, deletion};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, unlinkat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use types::{Id, TenantId};

/// So many changes are committed at once while an index is built.
const CHANGES_A_COMMIT: usize = 4096;

pub(crate) fn open(data: &Path) -> Result<(Store, Recovery)> {
    fs::create_dir_all(data).map_err(Error::io("make folder", data))?;
    let folders = Folders::new(data);
    folders.ensure(&data.join("tenants"))?;
    let mut recovery = Recovery::default();
    let installation = Installation::open(&folders, data, &mut recovery)?;
    let had_index = data.join("index").exists();
    let (index, parts) = read_index(&data.join("index"))?;
    let (logs, doubt) = open_logs(data, &folders, &installation, parts, &mut recovery)?;
    let index = match (index, doubt) {
        (Some(index), None) => index,
        (index, doubt) => {
            drop(index);
            let why = doubt.unwrap_or_else(|| "it could not be read".to_owned());
            recovery.rebuilt = Some(Rebuilt { quarantine: quarantine(data)?, why });
            SledIndex::open(&data.join("index"))?
        }
    };
    let index: Arc<dyn Index> = Arc::new(Behind::over(&data.join("index"), index)?);
    let mut tenants = BTreeMap::new();
    for (id, log) in logs {
        let walls = Walls::new(index.clone(), &id);
        recovery.replayed += replay(&log, &id, &walls)?;
        let tenant = Tenant::new(journal_folder(data, &id), log, walls);
        tenants.insert(id, tenant);
    }
    recovery.missing = !had_index && recovery.replayed > 0;
    index.flush()?;
    for gone in installation.state().deleted() {
        deletion::purge(index.as_ref(), data, &folders, gone)?;
    }
    let (tenants, writing) = (RwLock::new(tenants), RwLock::default());
    let (space, young) = Default::default();
    let data = data.to_owned();
    Ok((Store { data, installation, index, tenants, writing, folders, space, young }, recovery))
}

/// How far each tenant's part is, or why the index is not to be believed.
type Parts = Result<BTreeMap<TenantId, Position>, String>;

/// The index if it can be opened, and what it says of itself.
fn read_index(path: &Path) -> Result<(Option<SledIndex>, Parts)> {
    let index = match SledIndex::open(path) {
        Ok(index) => index,
        Err(Error::Index { why, .. }) => return Ok((None, Err(why))),
        Err(error) => return Err(error),
    };
    match survey(&index) {
        Ok(parts) => Ok((Some(index), parts)),
        Err(Error::Index { why, .. }) => Ok((Some(index), Err(why))),
        Err(error) => Err(error),
    }
}

/// Opens every tenant's journal and holds the index against them; a doubt says why it is not to be believed. One that was
/// deleted has none any more, whatever of it is left.
fn open_logs(
    data: &Path,
    folders: &Folders,
    installation: &Installation,
    parts: Parts,
    recovery: &mut Recovery,
) -> Result<(BTreeMap<TenantId, Log>, Option<String>)> {
    let (mut parts, mut doubt) = match parts {
        Ok(parts) => (parts, None),
        Err(why) => (BTreeMap::new(), Some(why)),
    };
    let mut logs = BTreeMap::new();
    let state = installation.state();
    parts.retain(|id, _| !state.deleted().contains(id));
    for id in tenants(data)? {
        if state.deleted().contains(&id) {
            continue;
        }
        state.entry(&id).map_err(|_| deletion::foreign(tenant_folder(data, &id)))?;
        empty(&incoming_folder(data, &id))?;
        let mark = parts.remove(&id).map(|position| position.mark);
        let (log, found) = Log::open(folders, &journal_folder(data, &id), Owner::Tenant(&id), mark.as_ref())?;
        if let Some(mark) = mark.filter(|_| !found.holds) {
            doubt = doubt.or(Some(format!("it stands at record {} of `{id}`, which its journal lacks", mark.sequence)));
        }
        if let Some((file, offset, bytes)) = found.torn {
            recovery.truncated_bytes += bytes;
            recovery.torn.push(Torn { tenant: Some(id.clone()), file, offset, bytes });
        }
        logs.insert(id, log);
    }
    let stranger = parts.keys().next().map(|id| format!("it holds tenant `{id}`, who has no journal"));
    Ok((logs, doubt.or(stranger)))
}

/// The tenants that have a folder.
fn tenants(data: &Path) -> Result<Vec<TenantId>> {
    let mut tenants = Vec::new();
    for path in entries(&data.join("tenants"))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match TenantId::parse(&name) {
            Ok(id) => tenants.push(id),
            Err(error) => return Err(Error::Foreign { path, why: error.to_string() }),
        }
    }
    Ok(tenants)
}

/// Moves the index to the first free number.
fn quarantine(data: &Path) -> Result<PathBuf> {
    let taken = |path: &PathBuf| path.symlink_metadata().is_ok();
    let place = (1..).map(|n: u32| data.join(format!("quarantine-{n}"))).find(|path| !taken(path));
    let place = place.expect("there are more numbers than folders");
    fs::rename(data.join("index"), &place).map_err(Error::io("move the index to", &place))?;
    sync_folder(data)?;
    Ok(place)
}

/// Brings a tenant's part of the index to the end of the journal; says how many records that took.
pub(crate) fn replay(log: &Log, tenant: &TenantId, walls: &Walls) -> Result<u64> {
    let from = walls.position()?.map(|position| position.mark);
    let (mut staged, mut end, mut replayed) = (Staged::over(walls), None, 0);
    log.replay(Owner::Tenant(tenant), from.as_ref(), |records, mark| {
        for (place, record) in &records {
            let ops = apply::apply(record, place, &staged)?;
            staged.add(ops);
        }
        replayed += records.len() as u64;
        end = Some(mark.clone());
        if staged.len() >= CHANGES_A_COMMIT {
            let full = std::mem::replace(&mut staged, Staged::over(walls));
            walls.commit(full.into_changes(), mark.clone())?;
            end = None;
        }
        Ok(())
    })?;
    if let Some(mark) = end {
        walls.commit(staged.into_changes(), mark)?;
    }
    Ok(replayed)
}

/// Removes what an earlier process left half written: by name in the folder as it was opened, which no link leads to.
fn empty(folder: &Path) -> Result<()> {
    let failed = |errno: Errno| Error::io("empty", folder)(errno.into());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match rustix::fs::open(folder, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened.map_err(failed)?,
    };
    for entry in Dir::read_from(&opened).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            unlinkat(&opened, entry.file_name(), AtFlags::empty()).map_err(failed)?;
        }
    }
    Ok(())
}

pub(crate) fn tenant_folder(data: &Path, tenant: &TenantId) -> PathBuf {
    data.join("tenants").join(tenant.as_str())
}

pub(crate) fn journal_folder(data: &Path, tenant: &TenantId) -> PathBuf {
    tenant_folder(data, tenant).join("journal")
}

pub(crate) fn incoming_folder(data: &Path, tenant: &TenantId) -> PathBuf {
    tenant_folder(data, tenant).join("incoming")
}

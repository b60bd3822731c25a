//! What a tenant has used today: CPU time of its workers, time with a GPU and bytes of its requests, against quotas of a day (UTC).
//!
//! Kept in a file a tenant, written after each attempt that used something: what a crash of the process can lose is the use of the attempts
//! that it cut short, and less than [`UNSAVED_US`] of CPU time. It is not synced: a power cut loses what the kernel had not written yet.

use crate::folder::{self, NOFOLLOW};
use doors::Egress;
use ports::Clock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use types::TenantId;

const DAY_US: i64 = 86_400_000_000;
/// The longest file of use that is read.
const FILE_BYTES_MAX: u64 = 4096;
/// Of ours, padded: it is written in one piece, within a sector, and as long as the longest.
const FILE_BYTES: usize = 256;
/// CPU time that is not worth a file.
const UNSAVED_US: u64 = 10_000;

/// The use of all tenants.
pub(crate) struct Accounts {
    data: PathBuf,
    clock: Arc<dyn Clock>,
    today: Mutex<BTreeMap<TenantId, Today>>,
    /// Held from looking at the use to its being in the file: of two attempts that end at once the later one's stays.
    saving: Mutex<()>,
}

/// The use of one.
struct Today {
    day: i64,
    cpu_us: u64,
    /// How much of the pool's count is in `cpu_us`.
    counted_us: u64,
    device_us: u64,
    egress: Arc<Egress>,
    /// As the file has it.
    saved: Option<Used>,
}

/// The file. A field is only ever added, with a default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Used {
    day: i64,
    pub(crate) cpu_us: u64,
    pub(crate) egress_bytes: u64,
    #[serde(default)]
    pub(crate) device_us: u64,
}

impl Accounts {
    pub(crate) fn new(data: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { data, clock, today: Mutex::default(), saving: Mutex::default() }
    }

    /// What counts the tenant's requests of today, under this limit.
    pub(crate) fn egress(&self, tenant: &TenantId, limit: Option<u64>) -> Arc<Egress> {
        self.with(tenant, |today| {
            today.egress.set_limit(limit);
            Arc::clone(&today.egress)
        })
    }

    /// What the tenant has used today. `counted_us` is the CPU time that the pool has counted for it in its life.
    pub(crate) fn used(&self, tenant: &TenantId, counted_us: u64) -> Used {
        self.with(tenant, |today| {
            // What the file says may be anything: the data folder can have come with a stranger's project.
            today.cpu_us = today.cpu_us.saturating_add(counted_us.saturating_sub(today.counted_us));
            today.counted_us = counted_us;
            let Today { day, cpu_us, device_us, .. } = *today;
            Used { day, cpu_us, egress_bytes: today.egress.used(), device_us }
        })
    }

    /// An attempt of the tenant's had a device for so long.
    pub(crate) fn had_device(&self, tenant: &TenantId, us: u64) {
        self.with(tenant, |today| today.device_us = today.device_us.saturating_add(us));
    }

    /// Makes today's use outlive this process; that of a tenant without a folder ends with it.
    pub(crate) fn save(&self, tenant: &TenantId, counted_us: u64) -> std::io::Result<()> {
        let _alone = crate::locked(&self.saving);
        let (file, used) = (self.file(tenant), self.used(tenant, counted_us));
        if !self.with(tenant, |today| today.is_news(used)) {
            return Ok(());
        }
        let mut bytes = serde_json::to_vec(&used)?;
        bytes.resize(FILE_BYTES, b' ');
        // Over what was there: a new file in its place leaves one that was removed, many times a second, and whoever makes a file
        // looks through those first (ext4 gives no inode out anew for a minute).
        let kept = File::options().write(true).create(true).truncate(false).custom_flags(NOFOLLOW).open(&file)?;
        let found = kept.metadata()?;
        if !found.is_file() || found.nlink() > 1 {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        kept.write_all_at(&bytes, 0)?;
        kept.set_len(FILE_BYTES as u64)?;
        self.with(tenant, |today| today.saved = Some(used));
        Ok(())
    }

    pub(crate) fn forget(&self, tenant: &TenantId) {
        crate::locked(&self.today).remove(tenant);
    }

    fn with<T>(&self, tenant: &TenantId, work: impl FnOnce(&mut Today) -> T) -> T {
        let day = self.clock.now_us().div_euclid(DAY_US);
        let mut all = crate::locked(&self.today);
        let today = all.entry(tenant.clone()).or_insert_with(|| Today::of(self.read(tenant), 0));
        if today.day != day {
            // Requests under way count on the day that they began.
            *today = Today::of(Used { day, ..Used::default() }, today.counted_us);
        }
        work(today)
    }

    /// A file that is not there, or that a crash left unreadable, tells of no use.
    fn read(&self, tenant: &TenantId) -> Used {
        let read = manifest::read_file(&self.file(tenant), FILE_BYTES_MAX).ok();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn file(&self, tenant: &TenantId) -> PathBuf {
        folder::tenant(&self.data, tenant).join("used.json")
    }
}

impl Today {
    fn of(used: Used, counted_us: u64) -> Self {
        let egress = Arc::new(Egress::new(used.egress_bytes, None));
        Self { day: used.day, cpu_us: used.cpu_us, counted_us, device_us: used.device_us, egress, saved: None }
    }

    fn is_news(&self, used: Used) -> bool {
        self.saved.is_none_or(|saved| {
            let same =
                (saved.day, saved.egress_bytes, saved.device_us) == (used.day, used.egress_bytes, used.device_us);
            !same || used.cpu_us >= saved.cpu_us.saturating_add(UNSAVED_US)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Default)]
    struct Hands(AtomicI64);

    impl Clock for Hands {
        fn now_us(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_days_use_outlives_the_process_and_ends_with_the_day() {
        let (data, clock, tenant) =
            (tempfile::tempdir().unwrap(), Arc::new(Hands::default()), TenantId::default_tenant());
        std::fs::create_dir_all(folder::tenant(data.path(), &tenant)).unwrap();
        let accounts = || Accounts::new(data.path().to_owned(), Arc::clone(&clock) as _);
        let first = accounts();
        assert_eq!(first.used(&tenant, 5).cpu_us, 5);
        assert_eq!(first.used(&tenant, 7).cpu_us, 7, "what the pool counted is counted once");
        first.had_device(&tenant, 3);
        first.save(&tenant, 9).unwrap();
        let second = accounts();
        assert_eq!(second.used(&tenant, 4).cpu_us, 13, "another process has another pool");
        assert_eq!(second.used(&tenant, 4).device_us, 3);
        clock.0.store(DAY_US, Ordering::Relaxed);
        assert_eq!((second.used(&tenant, 6).cpu_us, second.used(&tenant, 6).device_us), (2, 0));
        std::fs::write(second.file(&tenant), b"{").unwrap();
        assert_eq!(accounts().used(&tenant, 0).cpu_us, 0);
    }

    #[test]
    fn a_file_that_says_anything_and_one_without_end_are_borne() {
        let (data, tenant) = (tempfile::tempdir().unwrap(), TenantId::default_tenant());
        std::fs::create_dir_all(folder::tenant(data.path(), &tenant)).unwrap();
        let accounts = || Accounts::new(data.path().to_owned(), Arc::new(Hands::default()));
        let file = accounts().file(&tenant);
        let used = Used { day: 0, cpu_us: u64::MAX, egress_bytes: u64::MAX, device_us: u64::MAX };
        std::fs::write(&file, serde_json::to_vec(&used).unwrap()).unwrap();
        let counted = accounts();
        assert_eq!(counted.used(&tenant, 7), used);
        counted.had_device(&tenant, 9);
        assert_eq!(counted.used(&tenant, 9), used);
        std::fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(accounts().used(&tenant, 0), Used::default());
    }

    #[test]
    fn a_file_is_written_over_and_no_link_is_followed() {
        let (data, tenant) = (tempfile::tempdir().unwrap(), TenantId::default_tenant());
        std::fs::create_dir_all(folder::tenant(data.path(), &tenant)).unwrap();
        let accounts = || Accounts::new(data.path().to_owned(), Arc::new(Hands::default()));
        let (first, file) = (accounts(), accounts().file(&tenant));
        first.had_device(&tenant, u64::MAX);
        first.save(&tenant, u64::MAX).unwrap();
        let kept = std::fs::metadata(&file).unwrap();
        assert_eq!((accounts().used(&tenant, 0), kept.len()), (first.used(&tenant, u64::MAX), FILE_BYTES as u64));
        std::fs::write(&file, vec![b'x'; 1000]).unwrap();
        let second = accounts();
        second.save(&tenant, 20_000).unwrap();
        assert_eq!((accounts().used(&tenant, 0).cpu_us, std::fs::metadata(&file).unwrap().len()), (20_000, 256));
        let (elsewhere, link) = (data.path().join("elsewhere"), &file);
        std::fs::write(&elsewhere, b"theirs").unwrap();
        std::fs::remove_file(link).unwrap();
        std::os::unix::fs::symlink(&elsewhere, link).unwrap();
        assert!(second.save(&tenant, 90_000).is_err());
        std::fs::remove_file(link).unwrap();
        std::fs::hard_link(&elsewhere, link).unwrap();
        assert!(second.save(&tenant, 150_000).is_err());
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"theirs");
    }
}

//! An empty folder -> an installation to be attacked: a store with two tenants, workers of the first, a project with a
//! secret beside what is granted, a server within the network.

use crate::lure::Lure;
use crate::verdict::{self, Finding, Heard};
use crate::{ATTEMPTS, Attempt};
use data::{GuestColumn, Table};
use doors::Authority;
use ports::{Blobs, Call, StepRunner, Task};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use store::Store;
use types::{DataType, Digest, Fault, Field, Grants, Id, InstallationRecord, Schema, TableRef, TenantId};
use worker::{Layout, Pool, WallPolicy, Walls};

/// More than what is asked about again of row-wise steps.
const ROWS: u32 = 100;
/// Largest component of ours that is read.
const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// Where it all happens.
#[derive(Debug, Clone)]
pub struct Options {
    /// Empty, for its owner's eyes only, and removed by whoever made it.
    pub folder: PathBuf,
    /// The binary whose command `worker` is a worker.
    pub executable: PathBuf,
    /// Where first-party plugins lie, `NAME.wasm` each.
    pub plugins: PathBuf,
    pub walls: WallPolicy,
}

/// An installation of nobody's, to be attacked.
pub struct Ground {
    pool: Pool,
    store: Arc<Store>,
    tenant: TenantId,
    /// Its folder `data` is granted, `secret` is not.
    pub(crate) project: PathBuf,
    pub(crate) lure: Lure,
    pub(crate) abuse: Digest,
    pub(crate) roles: Digest,
    /// The bytes of `abuse`.
    pub(crate) component: Vec<u8>,
    pub(crate) rows: TableRef,
    /// A blob of the other tenant.
    pub(crate) neighbours: Digest,
}

impl Ground {
    /// Prepares everything but native code, which the first call makes.
    pub fn open(options: Options) -> Result<Self, Fault> {
        let (store, _) = Store::open(&options.folder.join("store")).map_err(Fault::host)?;
        let (store, tenant) = (Arc::new(store), TenantId::default_tenant());
        let component = plugin(&options.plugins, "abuse")?;
        let abuse = store.put(&tenant, &component)?;
        let roles = store.put(&tenant, &plugin(&options.plugins, "abuse-roles")?)?;
        let neighbour = TenantId::parse("neighbour").map_err(Fault::host)?;
        let policy = types::Policy::default();
        store.administer(InstallationRecord::TenantCreated { tenant: neighbour.clone(), policy, at_us: 0 })?;
        let neighbours = store.put(&neighbour, b"another tenant's")?;
        let rows = keep_rows(&store, &tenant)?;
        let project = options.folder.join("project");
        lay_out(&project).map_err(|error| Fault::host(format!("cannot lay out a project: {error}")))?;
        let lure = Lure::start().map_err(|error| Fault::host(format!("cannot listen on 127.0.0.1: {error}")))?;
        let pool = pool(options, Arc::clone(&store));
        Ok(Self { pool, store, tenant, project, lure, abuse, roles, component, rows, neighbours })
    }

    /// The walls round every worker on this machine.
    pub fn walls(&self) -> Result<Walls, Fault> {
        self.pool.walls(&self.tenant)
    }

    /// Has the plugins that try compiled: nothing that follows takes long for want of it.
    pub fn prepare(&self) -> Result<(), Fault> {
        for attempt in ATTEMPTS.iter().filter(|attempt| ["harmless", "odd-measure"].contains(&attempt.name)) {
            for mut call in attempt.how.calls(self)? {
                call.assignment.task = Task::Describe { inputs: Vec::new() };
                self.pool.run(&self.tenant, &call, &Heard::default()).result?;
            }
        }
        Ok(())
    }

    /// Makes one attempt. A fault is ours: it could not be made.
    pub fn make(&self, attempt: &Attempt) -> Result<Finding, Fault> {
        let calls = attempt.how.calls(self)?;
        let began = Instant::now();
        let ends = calls.iter().map(|call| self.end(call)).collect::<Vec<_>>();
        Ok(verdict::judge(attempt, &ends, began.elapsed()))
    }

    fn end(&self, call: &Call) -> verdict::End {
        let heard = Heard::default();
        let outcome = self.pool.run(&self.tenant, call, &heard);
        verdict::End { fault: outcome.result.err(), lines: heard.lines() }
    }

    /// Bytes as a blob of the attacking tenant.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<Digest, Fault> {
        self.store.put(&self.tenant, bytes)
    }
}

fn pool(options: Options, store: Arc<Store>) -> Pool {
    let Options { folder, executable, walls, .. } = options;
    let layout = move |tenant: &TenantId| {
        let own = folder.join("store/tenants").join(tenant.to_string());
        Layout {
            executable: executable.clone(),
            blobs: own.join("blobs"),
            compiled: folder.join("compiled").join(tenant.to_string()),
            scratch: own.join("scratch"),
            walls,
        }
    };
    // Its policy allows everything: what is stopped, is stopped by something else.
    let authority = |_: &TenantId| Ok(Authority { policy: Grants::everything(), ..Authority::default() });
    Pool::new(layout, authority, store as _, 1)
}

fn plugin(plugins: &Path, name: &str) -> Result<Vec<u8>, Fault> {
    use std::io::Read;
    let path = plugins.join(format!("{name}.wasm"));
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&path).and_then(|file| file.take(COMPONENT_BYTES_MAX).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Fault::invalid(format!("cannot read the plugin `{}`: {error}", path.display())).hinted(
            "the plugins lie in the folder `plugins` beside the binary; in a clone `cargo xtask plugins` builds them",
        )),
    }
}

/// A column of numbers that tell their place.
fn keep_rows(store: &Store, tenant: &TenantId) -> Result<TableRef, Fault> {
    let (data_type, validity, offsets) = (DataType::Float64, None, None);
    let data = (0..ROWS).flat_map(|row| f64::from(row).to_le_bytes()).collect();
    let fields = vec![Field { name: "x".to_owned(), data_type, nullable: false }];
    let column = GuestColumn { data_type, length: ROWS, validity, offsets, data };
    let table = Table::from_columns(Schema { fields }, vec![column]).map_err(Fault::host)?;
    let mut parts = Vec::new();
    let reference = data::write(&table, |part| {
        parts.push(part.bytes);
        Ok(())
    });
    let reference = reference.map_err(Fault::host)?;
    parts.iter().try_for_each(|part| store.put(tenant, part).map(drop))?;
    Ok(reference)
}

/// What the paths of [`crate::attempts::OUTSIDE`] lead to is there: it is the grant that stops them.
fn lay_out(project: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::symlink;
    std::fs::create_dir_all(project.join("data"))?;
    for secret in [project.join("secret"), project.with_file_name("secret")] {
        std::fs::write(secret, "not this one")?;
    }
    symlink("../secret", project.join("data/link"))?;
    symlink("..", project.join("data/folder"))
}

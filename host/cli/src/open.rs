//! The installation behind a data folder: its owner's socket if one answers, else this process becomes the owner.

use crate::args::{Args, Command, Walls};
use crate::outcome::Failure;
use crate::show;
use api::Client;
use server::{Folder, LockedBy, Options, Owner, Server, WallPolicy};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use types::TenantId;

/// How long a server that does not listen yet is waited for: it compiles plugins at its first start. And how often it is looked for.
const SERVER_WAIT: Duration = Duration::from_secs(20);
const SERVER_LOOK: Duration = Duration::from_millis(100);

/// What a command works with.
pub(crate) struct Installation {
    pub(crate) client: Client,
    /// Set when this process is the owner.
    pub(crate) server: Option<Arc<Server>>,
}

/// The project's folder, as other processes can find it.
pub(crate) fn project(args: &Args) -> Result<PathBuf, Failure> {
    args.project
        .canonicalize()
        .map_err(|error| Failure::user(format!("cannot use the folder `{}`: {error}", args.project.display())))
}

/// The same, if a project is there.
pub(crate) fn inhabited(args: &Args) -> Result<PathBuf, Failure> {
    let project = project(args)?;
    match project.join("stepwell.toml").exists() || project.join(".stepwell").exists() {
        true => Ok(project),
        false => {
            let message = format!("`{}` is no project: it has no `stepwell.toml`", project.display());
            Err(Failure::user(message).hinted("make one with `stepwell init FOLDER`, or name one with -C FOLDER"))
        }
    }
}

/// What the project in the folder is called.
pub(crate) fn project_name(args: &Args) -> Result<types::ProjectName, Failure> {
    let folder = project(args)?;
    server::project_name(&folder).map_err(|error| Failure::from(error).in_folder(&folder))
}

/// The data folder, as other processes can find it.
pub(crate) fn data(args: &Args) -> Result<PathBuf, Failure> {
    let data = match &args.data {
        Some(data) => data.clone(),
        None => inhabited(args)?.join(".stepwell"),
    };
    std::path::absolute(&data).map_err(Failure::ours)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// Who asks, for the records: as the environment says, or, where nobody logged in, the number of the user.
pub(crate) fn user() -> Option<String> {
    let named = |name: &str| std::env::var(name).ok().filter(|name| !name.is_empty());
    Some(
        named("USER")
            .or_else(|| named("LOGNAME"))
            .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw())),
    )
}

/// Where tools and what they made are kept between projects.
pub(crate) fn cache() -> PathBuf {
    of_user("XDG_CACHE_HOME", ".cache").unwrap_or_else(std::env::temp_dir).join("stepwell")
}

/// Where it is kept which data folders are the user's. Not beside others' files, where anybody could say it.
fn state() -> Result<PathBuf, Failure> {
    let none = || {
        Failure::user("there is no folder for what is remembered of data folders").hinted("set HOME or XDG_STATE_HOME")
    };
    Ok(of_user("XDG_STATE_HOME", ".local/state").ok_or_else(none)?.join("stepwell"))
}

/// A folder of the user's: the one that the variable names, or the usual one.
fn of_user(name: &str, usual: &str) -> Option<PathBuf> {
    // A relative one would lead into the project; the XDG specification has it ignored.
    let absolute = |folder: &PathBuf| folder.is_absolute();
    let in_home = || variable("HOME").map(|home| home.join(usual)).filter(absolute);
    variable(name).filter(absolute).or_else(in_home)
}

pub(crate) fn options(args: &Args, data: &Path) -> Result<Options, Failure> {
    let executable = std::env::current_exe().map_err(Failure::ours)?;
    let slots = std::thread::available_parallelism().map_or(2, usize::from);
    let plugins = plugins(&executable);
    let walls = match args.walls {
        Walls::BestEffort => WallPolicy::BestEffort,
        Walls::Required => WallPolicy::Required,
    };
    Ok(Options {
        data: data.to_owned(),
        executable,
        plugins,
        cache: cache(),
        state: state()?,
        trusts_data: args.trust_data,
        slots,
        walls,
        variables: variables(),
    })
}

/// Whether a plugin of this name comes with Stepwell.
pub(crate) fn is_first_party(name: &str) -> Result<bool, Failure> {
    let executable = std::env::current_exe().map_err(Failure::ours)?;
    Ok(plugins(&executable).join(format!("{name}.wasm")).is_file())
}

/// Where the first-party plugins lie.
fn plugins(executable: &Path) -> PathBuf {
    let beside = || executable.parent().unwrap_or(Path::new(".")).join("plugins");
    variable("STEPWELL_PLUGINS").unwrap_or_else(beside)
}

/// `STEPWELL_VAR_REGION` reaches steps as `REGION`, if they are granted it. Nothing else of the environment does.
fn variables() -> std::collections::BTreeMap<String, String> {
    let named = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?.strip_prefix("STEPWELL_VAR_")?.to_owned();
        Some((name, value.into_string().ok()?))
    });
    named.collect()
}

/// Keeps others from a data folder that is there, without opening what is in it.
pub(crate) fn locked(data: &Path) -> Result<Folder, Failure> {
    if !data.is_dir() {
        return Err(Failure::not_found(format!("there is no data folder `{}`", data.display())));
    }
    match Folder::lock(data)? {
        LockedBy::Us(folder) => Ok(folder),
        LockedBy::Another(owner) => Err(taken(data, &owner)),
    }
}

/// Becomes the owner of the data folder, or says who is.
pub(crate) fn own(args: &Args) -> Result<Arc<Server>, Failure> {
    let data = data(args)?;
    match Folder::lock(&data)? {
        LockedBy::Us(folder) => {
            if matches!(args.command, Command::Serve { .. }) {
                folder.tell_serving()?;
            }
            opened(args, &data, folder)
        }
        LockedBy::Another(owner) => Err(taken(&data, &owner)),
    }
}

fn opened(args: &Args, data: &Path, folder: Folder) -> Result<Arc<Server>, Failure> {
    let (server, recovery) = Server::open(folder, options(args, data)?).map_err(refused)?;
    if !recovery.is_clean() {
        anstream::eprintln!("{recovery}");
    }
    if args.command.has_plugins_run() {
        look_at_walls(&server)?;
    }
    Ok(server)
}

/// Warns of each wall that this machine does not have; fails where all are required.
fn look_at_walls(server: &Server) -> Result<(), Failure> {
    for wall in server.walls(&TenantId::default_tenant())? {
        if let Some(reason) = wall.reason() {
            let warning = show::styled("warning", show::BAD);
            anstream::eprintln!("{warning}: steps run without the wall `{}`: {reason}", wall.name);
        }
    }
    Ok(())
}

/// An installation of nobody's, for a component that belongs to no project yet. It goes when this is dropped.
pub(crate) struct Scratch {
    // Dropped first: it writes into the folder until then.
    pub(crate) server: Arc<Server>,
    pub(crate) folder: Temporary,
}

/// A folder that is removed when this is dropped.
pub(crate) struct Temporary(pub(crate) PathBuf);

impl Temporary {
    /// A path in the cache, where nobody else can write, that is not there yet.
    pub(crate) fn new(purpose: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(cache().join(purpose).join(name));
        // Of an earlier process of this number that was killed.
        let _ = std::fs::remove_dir_all(&folder.0);
        folder
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed is a leftover in a cache.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes an installation in the cache, where nobody else can write.
pub(crate) fn scratch(args: &Args) -> Result<Scratch, Failure> {
    let folder = Temporary::new("scratch");
    let data = folder.0.join("data");
    match Folder::lock(&data)? {
        LockedBy::Us(lock) => {
            // Native code of what is only looked at goes with the rest, and nobody need know the folder again.
            let (cache, state) = (folder.0.join("cache"), folder.0.join("state"));
            let options = Options { cache, state, ..options(args, &data)? };
            let (server, _) = Server::open(lock, options).map_err(refused)?;
            look_at_walls(&server)?;
            Ok(Scratch { server, folder })
        }
        LockedBy::Another(owner) => Err(taken(&data, &owner)),
    }
}

fn taken(data: &Path, owner: &Owner) -> Failure {
    let message = format!("the data folder `{}` is in use by {owner}", data.display());
    Failure::user(message).hinted(match owner.serves() {
        true => "try again once it says that it listens, or has ended",
        false => "wait until it ends; or keep `stepwell serve` running, which all commands can share",
    })
}

fn refused(error: server::Error) -> Failure {
    match error {
        server::Error::Fault(fault) => fault.into(),
        error => Failure::ours(error),
    }
}

/// The owner's client: over its socket, or in this process.
pub(crate) async fn installation(args: &Args) -> Result<Installation, Failure> {
    let data = data(args)?;
    let (begun, mut is_told) = (Instant::now(), false);
    loop {
        if Folder::has_socket(&data)
            && let Ok(client) = Client::there(&Folder::socket(&data)).await
        {
            return Ok(Installation { client, server: None });
        }
        match Folder::lock(&data)? {
            LockedBy::Us(folder) => {
                let server = opened(args, &data, folder)?;
                return Ok(Installation { client: Client::here(Arc::clone(&server)), server: Some(server) });
            }
            LockedBy::Another(owner) if owner.serves() && begun.elapsed() < SERVER_WAIT => {
                if !std::mem::replace(&mut is_told, true) {
                    anstream::eprintln!("waiting for {owner} ..");
                }
                tokio::time::sleep(SERVER_LOOK).await;
            }
            LockedBy::Another(owner) => return Err(taken(&data, &owner)),
        }
    }
}

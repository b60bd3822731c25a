//! The worker's side: sets itself up, raises its walls, then does what it is assigned, one attempt at a time.

use crate::carried::Carried;
use crate::message::{FromWorker, ToWorker, Usage};
use crate::walls::{self, Places, Size};
use crate::{memory, wire};
use ports::{Answer, Ask, Assignment, Doors, Page, ServedModel, Task, Times, Told, Watched};
use sandbox::{Plugin, Sandbox, Served};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use types::{Digest, Fault, Field, Role, SavedFile, Schema};

/// Room for what is not the guest's: the worker's own buffers and thread stacks.
const SLACK_BYTES: u64 = 64 << 20;

/// The process behind the hidden command `worker`: its socket is its standard input.
pub fn main() -> Result<(), Fault> {
    memory::count();
    let_go_of_inherited()?;
    let socket = std::io::stdin().as_fd().try_clone_to_owned().map_err(Fault::host)?;
    let socket = Arc::new(UnixStream::from(socket));
    let (setup, _, _) = wire::receive::<ToWorker>(&socket).map_err(Fault::host)?;
    let ToWorker::Setup { blobs, compiled, scratch, device } = setup else {
        return Err(Fault::host("the first message was not the worker's setup"));
    };
    let size = Size::open()?;
    // Before anything that may start a thread.
    let walls = walls::raise(Places { blobs: &blobs, compiled: &compiled, scratch: &scratch, device })?;
    let sandbox = match Sandbox::on(device) {
        Ok(sandbox) => sandbox,
        Err(fault) => return wire::send(&socket, &FromWorker::Unfit { fault }, &[]).map_err(Fault::host),
    };
    die_with_server(Arc::clone(&socket));
    let (carried, plugins, served) = Default::default();
    let mut worker = Worker { socket, blobs, compiled, scratch, carried, size, sandbox, plugins, served };
    worker.send(&FromWorker::Ready { walls }, &[])?;
    worker.serve()
}

/// Closes what the server was started with, by a shell say, and did not open itself: a worker that was taken over would read and
/// write it, behind no wall.
#[expect(unsafe_code, reason = "closing by number; nothing of this process is open yet but the standard streams")]
fn let_go_of_inherited() -> Result<(), Fault> {
    let open = std::fs::read_dir("/proc/self/fd").map_err(Fault::host)?;
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // All of them first: one is the listing's own, and is closed by then.
    let inherited: Vec<i32> = numbers.filter(|number| *number > 2).collect();
    for number in inherited {
        // SAFETY: no descriptor from 3 on is owned by anything in this process, which has only just begun.
        unsafe { libc::close(number) };
    }
    Ok(())
}

/// Ends the process when the server's end of the socket closes, whatever the guest is doing.
fn die_with_server(socket: Arc<UnixStream>) {
    use rustix::event::{PollFd, PollFlags, poll};
    std::thread::spawn(move || {
        let mut hung_up = [PollFd::new(&socket, PollFlags::RDHUP)];
        while poll(&mut hung_up, None).is_err() {}
        std::process::exit(0);
    });
}

struct Worker {
    socket: Arc<UnixStream>,
    blobs: PathBuf,
    compiled: PathBuf,
    scratch: PathBuf,
    carried: Arc<Mutex<Carried>>,
    size: Size,
    sandbox: Sandbox,
    plugins: HashMap<Digest, Arc<Plugin>>,
    served: Option<Serving>,
}

/// The model that requests are answered with, and their columns.
struct Serving {
    served: Served,
    request: Schema,
    response: Schema,
}

/// What compiling showed, kept beside the native code.
#[derive(Serialize, Deserialize)]
struct Shape {
    roles: Vec<Role>,
    imports: Vec<String>,
}

impl Worker {
    fn send(&self, message: &FromWorker, body: &[u8]) -> Result<(), Fault> {
        wire::send(&self.socket, message, body).map_err(Fault::host)
    }

    fn serve(&mut self) -> Result<(), Fault> {
        loop {
            let (message, body, _) = wire::receive::<ToWorker>(&self.socket).map_err(Fault::host)?;
            match message {
                ToWorker::Assign { assignment } => {
                    let (result, usage) = self.attempt(&assignment);
                    let (result, body) = (result.map(Box::new), locked(&self.carried).body());
                    // What a failed attempt left is of no use to anybody.
                    let body = if result.is_ok() { body } else { Vec::new() };
                    self.send(&FromWorker::Answer { result, usage }, &body)?;
                }
                ToWorker::Load { model } => self.load(&model)?,
                ToWorker::Infer => self.infer(&body)?,
                ToWorker::Setup { .. } | ToWorker::Opened { .. } | ToWorker::Told { .. } | ToWorker::Done { .. } => {
                    return Err(Fault::host("a message came out of turn"));
                }
            }
        }
    }

    fn doors(&self) -> Box<SocketDoors> {
        let (socket, carried) = (Arc::clone(&self.socket), Arc::clone(&self.carried));
        let (blobs, scratch) = (self.blobs.clone(), self.scratch.clone());
        Box::new(SocketDoors { socket, carried, blobs, scratch, grown: 0 })
    }

    /// A panic of ours becomes a fault of ours; the worker is retired after it.
    fn attempt(&mut self, assignment: &Assignment) -> (Result<Answer, Fault>, Usage) {
        let (result, used, base) = self.bounded(assignment);
        let memory_bytes = u64::try_from(memory::peak() - base).unwrap_or(0);
        memory::cap_at(u64::MAX);
        (result, Usage { memory_bytes, ..used.into() })
    }

    fn bounded(&mut self, assignment: &Assignment) -> (Result<Answer, Fault>, sandbox::Usage, i64) {
        let base = memory::cap_at(assignment.limits.memory_bytes);
        if let Err(fault) = self.size.cap_data(assignment.limits.memory_bytes.saturating_add(SLACK_BYTES)) {
            return (Err(fault), sandbox::Usage::default(), base);
        }
        let ended = catch_unwind(AssertUnwindSafe(|| self.carry_out(assignment)));
        let (result, used) = ended.unwrap_or_else(|panic| (Err(panicked(panic)), sandbox::Usage::default()));
        (result, used, base)
    }

    fn carry_out(&mut self, assignment: &Assignment) -> (Result<Answer, Fault>, sandbox::Usage) {
        if assignment.task == Task::Compile {
            return (self.compile(&assignment.component), sandbox::Usage::default());
        }
        let plugin = match self.plugin(&assignment.component) {
            Ok(Some(plugin)) => plugin,
            Ok(None) => return (Ok(Answer::Uncompiled), sandbox::Usage::default()),
            Err(fault) => return (Err(fault), sandbox::Usage::default()),
        };
        if let Task::Time { .. } = assignment.task {
            return (self.time(&plugin, assignment), sandbox::Usage::default());
        }
        let (mut answer, usage) = sandbox::attempt(&plugin, assignment, self.doors());
        if let Ok(Answer::Described { descriptor }) = &mut answer {
            match self.shape(&assignment.component) {
                Ok(shape) => (descriptor.roles, descriptor.imports) = (shape.roles, shape.imports),
                Err(fault) => answer = Err(fault),
            }
        }
        (answer, usage)
    }

    fn code_file(&self, component: &Digest, extension: &str) -> PathBuf {
        self.compiled.join(format!("{component}.{}.{extension}", self.sandbox.fingerprint()))
    }

    fn plugin(&mut self, component: &Digest) -> Result<Option<Arc<Plugin>>, Fault> {
        if let Some(plugin) = self.plugins.get(component) {
            return Ok(Some(Arc::clone(plugin)));
        }
        let file = self.code_file(component, "cwasm");
        if !file.exists() {
            return Ok(None);
        }
        let plugin = Arc::new(self.sandbox.load(&file)?);
        self.plugins.insert(*component, Arc::clone(&plugin));
        Ok(Some(plugin))
    }

    fn shape(&self, component: &Digest) -> Result<Shape, Fault> {
        let file = self.code_file(component, "json");
        let text =
            std::fs::read(&file).map_err(|error| Fault::host(format!("cannot read the plugin's shape: {error}")))?;
        serde_json::from_slice(&text).map_err(Fault::host)
    }

    fn compile(&self, component: &Digest) -> Result<Answer, Fault> {
        let doors = self.doors();
        // The code is kept under this name beyond the data folder, which may have come with a stranger's project.
        let bytes = sandbox::stored(&doors.blob(component), component)
            .map_err(|why| Fault::damaged(format!("cannot read the stored component, blob {component}: {why}")))?;
        let compiled = self.sandbox.compile(&bytes)?;
        let file = write(&self.scratch, &compiled.code)?;
        let fingerprint = self.sandbox.fingerprint();
        Ok(Answer::Compiled { file, fingerprint, roles: compiled.roles, imports: compiled.imports })
    }

    fn time(&self, plugin: &Plugin, assignment: &Assignment) -> Result<Answer, Fault> {
        let file = self.code_file(&assignment.component, "cwasm");
        let load_us = sandbox::best_us(|| self.sandbox.load(&file).map(drop))?;
        let (fresh_us, warm_us) = sandbox::time(plugin, assignment, || self.doors())?;
        Ok(Answer::Timed { times: Times { load_us, fresh_us, warm_us } })
    }

    fn load(&mut self, model: &ServedModel) -> Result<(), Fault> {
        for step in model.path.iter().chain([&model.predictor]) {
            match self.plugin(&step.component) {
                Ok(Some(_)) => {}
                Ok(None) => return self.send(&FromWorker::Uncompiled { component: step.component }, &[]),
                Err(fault) => return self.send(&FromWorker::Loaded { fault: Some(fault) }, &[]),
            }
        }
        memory::cap_at(model.limits.memory_bytes);
        let walled = self.size.cap_data(model.limits.memory_bytes.saturating_add(SLACK_BYTES));
        let loaded = walled.and_then(|()| {
            catch_unwind(AssertUnwindSafe(|| self.restore(model))).unwrap_or_else(|panic| Err(panicked(panic)))
        });
        let fault = match loaded {
            Ok(served) => {
                let schema = |fields: &[Field]| Schema { fields: fields.to_vec() };
                let (request, response) = (schema(&model.request), schema(&model.response));
                self.served = Some(Serving { served, request, response });
                None
            }
            Err(fault) => Some(fault),
        };
        self.send(&FromWorker::Loaded { fault }, &[])
    }

    fn restore(&mut self, model: &ServedModel) -> Result<Served, Fault> {
        let (socket, carried) = (Arc::clone(&self.socket), Arc::clone(&self.carried));
        let (blobs, scratch) = (self.blobs.clone(), self.scratch.clone());
        let doors = move || -> Box<dyn Doors> {
            Box::new(SocketDoors {
                socket: Arc::clone(&socket),
                carried: Arc::clone(&carried),
                blobs: blobs.clone(),
                scratch: scratch.clone(),
                grown: 0,
            })
        };
        let plugin = |step: &types::ServedStep| {
            self.plugin(&step.component)?.ok_or_else(|| Fault::host("a plugin of the path is not compiled"))
        };
        Served::load(model, plugin, doors)
    }

    fn infer(&mut self, body: &[u8]) -> Result<(), Fault> {
        let answered = catch_unwind(AssertUnwindSafe(|| self.answer(body)));
        let answered = answered.unwrap_or_else(|panic| Err(panicked(panic)));
        let (fault, bytes, [transform_us, predict_us]) = match answered {
            Ok((bytes, spent)) => (None, bytes, spent.map(|time| time.as_micros() as u64)),
            Err(fault) => (Some(fault), Vec::new(), [0; 2]),
        };
        self.send(&FromWorker::Inferred { fault, transform_us, predict_us }, &bytes)
    }

    fn answer(&mut self, body: &[u8]) -> Result<(Vec<u8>, [Duration; 2]), Fault> {
        let Some(Serving { served, request, response }) = &mut self.served else {
            return Err(Fault::host("no model is loaded"));
        };
        let rows = data::open_message(body, request).map_err(Fault::host)?;
        let (predictions, spent) = served.predict(rows)?;
        let told = data::to_message(&predictions, response);
        Ok((told.map_err(|error| Fault::guest(error.to_string()))?, spent))
    }
}

fn locked(carried: &Mutex<Carried>) -> std::sync::MutexGuard<'_, Carried> {
    carried.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves bytes in the scratch folder.
fn write(scratch: &std::path::Path, bytes: &[u8]) -> Result<SavedFile, Fault> {
    let saved = saved(bytes);
    let file = scratch.join(&saved.name);
    std::fs::write(&file, bytes).map_err(|error| Fault::host(format!("cannot write `{}`: {error}", file.display())))?;
    Ok(saved)
}

fn saved(bytes: &[u8]) -> SavedFile {
    let digest = Digest::of(bytes);
    SavedFile { name: digest.to_string(), digest, bytes: bytes.len() as u64 }
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Fault {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Fault::host(format!("the worker panicked: {text}"))
}

/// The doors of an attempt: every one asks the server and waits.
struct SocketDoors {
    socket: Arc<UnixStream>,
    carried: Arc<Mutex<Carried>>,
    blobs: PathBuf,
    scratch: PathBuf,
    /// Memory of the guest, charged.
    grown: u64,
}

impl Drop for SocketDoors {
    fn drop(&mut self) {
        memory::release_guest(self.grown);
    }
}

impl SocketDoors {
    fn exchange(&self, message: &FromWorker, body: &[u8]) -> Result<(ToWorker, Vec<u8>, Option<OwnedFd>), Fault> {
        wire::send(&self.socket, message, body).map_err(Fault::host)?;
        wire::receive::<ToWorker>(&self.socket).map_err(Fault::host)
    }

    fn ask_done(&self, message: &FromWorker, body: &[u8]) -> Result<(), Fault> {
        match self.exchange(message, body)?.0 {
            ToWorker::Done { fault: None } => Ok(()),
            ToWorker::Done { fault: Some(fault) } => Err(fault),
            _ => Err(Fault::host("the server answered another question")),
        }
    }
}

impl Doors for SocketDoors {
    fn grow(&mut self, bytes: u64) -> bool {
        let charged = memory::charge_guest(bytes);
        self.grown += if charged { bytes } else { 0 };
        charged
    }

    fn say(&mut self, event: Watched) {
        // A server that is gone hears nothing; the lifeline ends this process.
        let _ = wire::send(&self.socket, &FromWorker::Say { event }, &[]);
    }

    fn open(&mut self, path: &str) -> Result<std::fs::File, Fault> {
        match self.exchange(&FromWorker::Open { path: path.to_owned() }, &[])? {
            (ToWorker::Opened { fault: None }, _, Some(descriptor)) => Ok(descriptor.into()),
            (ToWorker::Opened { fault: Some(fault) }, ..) => Err(fault),
            _ => Err(Fault::host("the server answered another question")),
        }
    }

    fn ask(&mut self, ask: Ask, body: &[u8]) -> Result<(Told, Vec<u8>, Option<std::fs::File>), Fault> {
        match self.exchange(&FromWorker::Ask { ask }, body)? {
            (ToWorker::Told { result }, body, descriptor) => Ok((result?, body, descriptor.map(Into::into))),
            _ => Err(Fault::host("the server answered another question")),
        }
    }

    fn page(&mut self, page: Page) -> Result<(), Fault> {
        let body = locked(&self.carried).body();
        self.ask_done(&FromWorker::Page { page }, &body)
    }

    fn checkpoint(&mut self, state: Vec<u8>) -> Result<(), Fault> {
        self.ask_done(&FromWorker::Checkpoint, &state)
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.blobs.join(&name[..2]).join(&name[2..])
    }

    fn scratch(&self) -> Option<PathBuf> {
        Some(self.scratch.clone())
    }

    fn leave(&mut self, bytes: &[u8]) -> Result<SavedFile, Fault> {
        match locked(&self.carried).take(bytes) {
            true => Ok(saved(bytes)),
            false => write(&self.scratch, bytes),
        }
    }
}

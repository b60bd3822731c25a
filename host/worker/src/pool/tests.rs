//! A pool over workers that were taken over: scripts that say what a test put into their mouths, and leave what it left.

mod devices;

use super::*;
use crate::carried::Carried;
use crate::{scheduling, wire};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;
use types::{Artifact, DataType, Device, DeviceGrant, Field, Id, PortName, SavedFile, Schema, TableRef};

/// Blobs in a folder, as the port promises them.
struct Folder(PathBuf);

impl Blobs for Folder {
    fn put(&self, _: &TenantId, bytes: &[u8]) -> Result<Digest, Fault> {
        let digest = Digest::of(bytes);
        fs::write(self.0.join(digest.to_string()), bytes).map(|()| digest).map_err(Fault::host)
    }

    fn adopt(&self, tenant: &TenantId, file: &Path, digest: Digest) -> Result<(), Fault> {
        let bytes = fs::read(file).map_err(|error| Fault::guest(error.to_string()))?;
        match Digest::of(&bytes) == digest {
            true => self.put(tenant, &bytes).and_then(|_| fs::remove_file(file).map_err(Fault::host)),
            false => Err(Fault::guest("has another digest")),
        }
    }

    fn get(&self, tenant: &TenantId, digest: Digest) -> Result<Vec<u8>, Fault> {
        fs::read(self.path(tenant, digest)?).map_err(Fault::host)
    }

    fn path(&self, _: &TenantId, digest: Digest) -> Result<PathBuf, Fault> {
        let path = self.0.join(digest.to_string());
        if path.exists() { Ok(path) } else { Err(Fault::host("there is no such blob")) }
    }
}

/// A pool whose first worker is the script.
struct Scene {
    folder: TempDir,
    pool: Pool,
    tenant: TenantId,
}

impl Scene {
    fn new() -> Self {
        Self::under(Arc::default())
    }

    /// Where the tenant may reach what stands there now.
    fn under(policy: Arc<Mutex<Grants>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (blobs, compiled, scratch) = (at("blobs"), at("compiled"), at("scratch"));
        fs::create_dir(&blobs).unwrap();
        let blobs_of_pool = Arc::new(Folder(blobs.clone()));
        // `sh worker`, in the worker's scratch folder.
        let walls = crate::walls::WallPolicy::BestEffort;
        let layout = Layout { executable: "/bin/sh".into(), blobs, compiled, scratch, walls };
        let authority = move |_: &TenantId| {
            Ok(doors::Authority { policy: policy.lock().unwrap().clone(), ..doors::Authority::default() })
        };
        let pool = Pool::new(move |_| layout.clone(), authority, blobs_of_pool, 1);
        let scene = Self { folder, pool, tenant: TenantId::default_tenant() };
        fs::create_dir_all(scene.scratch()).unwrap();
        scene
    }

    fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch").join(format!("{}-0", std::process::id()))
    }

    /// Leaves bytes as a worker does.
    fn leave(&self, bytes: &[u8]) -> SavedFile {
        let digest = Digest::of(bytes);
        fs::write(self.scratch().join(digest.to_string()), bytes).unwrap();
        SavedFile { name: "weights".to_owned(), digest, bytes: bytes.len() as u64 }
    }

    /// The worker will say this after it was ready, without a look at what it is asked.
    fn says(&self, messages: &[FromWorker]) -> &Self {
        self.says_with(messages, &[])
    }

    /// The same, with this in the body of each message.
    fn says_with(&self, messages: &[FromWorker], body: &[u8]) -> &Self {
        let mut frames = wire::frame(&FromWorker::Ready { walls: Vec::new() }, &[]).unwrap();
        frames.extend(messages.iter().flat_map(|message| wire::frame(message, body).unwrap()));
        fs::write(self.scratch().join("says"), frames).unwrap();
        fs::write(self.scratch().join("worker"), "cat says >&0; exec sleep 600").unwrap();
        self
    }

    fn run(&self, watch: &dyn Watch) -> Result<Answer, Fault> {
        self.run_within(assignment().limits, watch)
    }

    fn run_within(&self, limits: Limits, watch: &dyn Watch) -> Result<Answer, Fault> {
        self.outcome(limits, watch).result
    }

    fn outcome(&self, limits: Limits, watch: &dyn Watch) -> Outcome {
        let call = Call {
            who: "step `it`".to_owned(),
            assignment: Assignment { limits, ..assignment() },
            grants: Grants::default(),
            base: PathBuf::new(),
            turn: Default::default(),
        };
        self.pool.run(&self.tenant, &call, watch)
    }

    fn run_component(&self, component: &[u8]) -> Result<Answer, Fault> {
        self.run_granted(component, Grants::default(), "")
    }

    fn run_granted(&self, component: &[u8], grants: Grants, base: &str) -> Result<Answer, Fault> {
        let assignment = Assignment { component: Digest::of(component), ..assignment() };
        let call =
            Call { who: "step `it`".to_owned(), assignment, grants, base: base.into(), turn: Default::default() };
        self.pool.run(&self.tenant, &call, &Accepting).result
    }

    fn idle(&self) -> usize {
        self.pool.idle.lock().unwrap().values().map(Vec::len).sum()
    }

    fn blobs(&self) -> usize {
        fs::read_dir(self.folder.path().join("blobs")).unwrap().count()
    }
}

fn assignment() -> Assignment {
    Assignment {
        component: Digest::of(b"component"),
        parameters: serde_json::json!({}),
        seed: 0,
        logical_time_us: 0,
        limits: Limits { output_bytes: 1 << 20, wall_ms: 20_000, ..Limits::default() },
        device: Device::Cpu,
        checkpoint: None,
        task: Task::Discover,
    }
}

fn answers(result: Result<Answer, Fault>) -> FromWorker {
    FromWorker::Answer { result: result.map(Box::new), usage: Usage::default() }
}

fn gives(artifact: Artifact) -> FromWorker {
    answers(Ok(Answer::Outputs { outputs: BTreeMap::from([(PortName::parse("out").unwrap(), artifact)]) }))
}

fn state(files: Vec<SavedFile>) -> FromWorker {
    gives(Artifact::State { files })
}

/// A table of one part.
fn table(rows: u64, parts: Vec<Digest>, bytes: u64) -> TableRef {
    let field = Field { name: "x".to_owned(), data_type: DataType::Int64, nullable: false };
    let schema = Schema { fields: vec![field] };
    TableRef { digest: Digest::of_json(&("table", 1, &schema, &parts)), schema, rows, parts, bytes }
}

/// Takes whatever comes.
struct Accepting;

impl Watch for Accepting {
    fn hear(&self, _: Watched) {}

    fn cancelled(&self) -> bool {
        false
    }

    fn page(&self, _: ports::Page) -> Result<(), Fault> {
        Ok(())
    }

    fn checkpoint(&self, _: Vec<u8>) -> Result<(), Fault> {
        Ok(())
    }
}

#[derive(Default)]
struct Listener {
    heard: Mutex<Vec<Watched>>,
    pages: AtomicBool,
}

impl Watch for Listener {
    fn hear(&self, event: Watched) {
        self.heard.lock().unwrap().push(event);
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn page(&self, _: ports::Page) -> Result<(), Fault> {
        self.pages.store(true, Ordering::Relaxed);
        Err(Fault::host("the disk is gone"))
    }

    fn checkpoint(&self, _: Vec<u8>) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn an_honest_answer_is_adopted_and_its_worker_kept() {
    let scene = Scene::new();
    let (file, part) = (scene.leave(b"weights"), scene.leave(b"part"));
    let table = Artifact::Table(table(5, vec![part.digest], part.bytes));
    let outputs = [("table", table), ("state", Artifact::State { files: vec![file] })];
    let outputs = outputs.map(|(port, artifact)| (PortName::parse(port).unwrap(), artifact));
    scene.says(&[answers(Ok(Answer::Outputs { outputs: BTreeMap::from(outputs) }))]);
    assert!(matches!(scene.run(&Unwatched).unwrap(), Answer::Outputs { outputs } if outputs.len() == 2));
    assert_eq!((scene.blobs(), scene.idle()), (2, 1));
}

#[test]
fn what_an_answer_carries_needs_no_file() {
    let scene = Scene::new();
    let saved = |bytes: &[u8], told: u64| SavedFile { name: "x".to_owned(), digest: Digest::of(bytes), bytes: told };
    let mut carried = Carried::default();
    assert!(carried.take(b"weights") && carried.take(b"nobody names this"));
    let body = carried.body();
    scene.says_with(&[state(vec![saved(b"weights", 7), saved(b"weights", 7)])], &body);
    assert!(scene.run(&Unwatched).is_ok());
    assert_eq!((scene.blobs(), scene.idle()), (1, 1), "what no output names is not kept");
    for (files, body, expected) in [
        (vec![saved(b"weights", 8)], &body[..], "has 7 bytes, the worker said 8"),
        (vec![saved(b"others", 6)], &body[..], "names what it did not leave"),
        (vec![saved(b"weights", 7)], &body[..9], "in a form that is none"),
    ] {
        let scene = Scene::new();
        scene.says_with(&[state(files)], body);
        let fault = scene.run(&Unwatched).unwrap_err();
        assert_eq!((&fault.kind, scene.idle()), (&FaultKind::Guest, 0), "{fault}");
        assert!(fault.message.contains(expected), "{fault}, expected {expected}");
    }
}

#[test]
fn what_is_carried_counts_as_output_and_on_the_disk() {
    let mut carried = Carried::default();
    assert!(carried.take(&[7; 60_000]));
    let body = carried.body();
    let file = || SavedFile { name: "x".to_owned(), digest: Digest::of(&[7; 60_000]), bytes: 60_000 };
    for (limits, limit) in [
        (Limits { output_bytes: 1 << 20, ..Limits::DEFAULT }, LimitKind::Output),
        (Limits { disk_bytes: 1 << 20, ..Limits::DEFAULT }, LimitKind::Disk),
    ] {
        let scene = Scene::new();
        scene.says_with(&[state(std::iter::repeat_with(file).take(1_000).collect())], &body);
        assert_eq!(scene.run_within(limits, &Unwatched).unwrap_err().kind, FaultKind::Limit { limit });
    }
}

#[test]
fn no_worker_says_that_the_host_failed_or_somebody_cancelled() {
    for kind in [FaultKind::Host, FaultKind::Cancelled, FaultKind::Crash] {
        let scene = Scene::new();
        scene.says(&[answers(Err(Fault::new(kind.clone(), "not me")))]);
        let fault = scene.run(&Unwatched).unwrap_err();
        assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Guest, "step `it`: not me"), "{kind:?}");
        assert_eq!(scene.idle(), 0, "{kind:?}");
    }
    let scene = Scene::new();
    scene.says(&[answers(Err(Fault::invalid("bad rows")))]);
    assert_eq!(scene.run(&Unwatched).unwrap_err().kind, FaultKind::Invalid);
    assert_eq!(scene.idle(), 1);
}

#[test]
fn what_is_not_as_it_was_said_is_the_guests_fault_and_ends_its_worker() {
    type Says = fn(&Scene) -> FromWorker;
    let cases: [(&str, Says); 6] = [
        ("has 7 bytes, the worker said 8", |scene| state(vec![SavedFile { bytes: 8, ..scene.leave(b"weights") }])),
        ("names what it did not leave", |_| {
            state(vec![SavedFile { name: "x".to_owned(), digest: Digest::of(b"nothing"), bytes: 7 }])
        }),
        ("has another digest", |scene| {
            let file = scene.leave(b"weights");
            fs::write(scene.scratch().join(file.digest.to_string()), b"changed").unwrap();
            state(vec![file])
        }),
        ("has 3 parts, its 5 rows take 1", |scene| {
            let part = scene.leave(b"part");
            gives(Artifact::Table(table(5, vec![part.digest; 3], 3 * part.bytes)))
        }),
        ("do not give its digest", |scene| {
            let part = scene.leave(b"part");
            let table = table(5, vec![part.digest], part.bytes);
            gives(Artifact::Table(TableRef { digest: Digest::of(b"other"), ..table }))
        }),
        ("has 4 bytes, the worker said 18446744073709551615", |scene| {
            gives(Artifact::Table(table(5, vec![scene.leave(b"part").digest], u64::MAX)))
        }),
    ];
    for (expected, says) in cases {
        let scene = Scene::new();
        scene.says(&[says(&scene)]);
        let fault = scene.run(&Unwatched).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Guest, "{fault}");
        assert!(fault.message.contains(expected), "{fault}, expected {expected}");
        assert_eq!(scene.idle(), 0, "{expected}");
    }
}

#[test]
fn more_than_the_steps_output_is_not_even_read() {
    let scene = Scene::new();
    let file = SavedFile { name: "x".to_owned(), digest: Digest::of(b"not of this file"), bytes: 1 << 40 };
    let left = fs::File::create(scene.scratch().join(file.digest.to_string())).unwrap();
    left.set_len(1 << 40).unwrap();
    scene.says(&[state(vec![file])]);
    let fault = scene.run(&Unwatched).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Limit { limit: LimitKind::Output });
    assert!(fault.message.contains("its limit `output` is 1 MiB"), "{fault}");
    assert_eq!((scene.blobs(), scene.idle()), (0, 0));
}

#[test]
fn one_part_named_often_counts_each_time() {
    let scene = Scene::new();
    let part = scene.leave(&vec![7; 1 << 20]);
    let parts = vec![part.digest; 100];
    scene.says(&[gives(Artifact::Table(table(100 * data::PART_ROWS as u64, parts, 100 << 20)))]);
    let fault = scene.run(&Unwatched).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Limit { limit: LimitKind::Output });
}

#[test]
fn each_row_page_and_checkpoint_counts_whatever_the_worker_says_it_used() {
    fn checkpoint(_: &Scene) -> FromWorker {
        FromWorker::Checkpoint
    }
    fn page(scene: &Scene) -> FromWorker {
        let part = scene.leave(b"part");
        let table = table(2, vec![part.digest], part.bytes);
        FromWorker::Page { page: ports::Page { table, cursor: "01".to_owned(), more: true, restarted: false } }
    }
    fn empty(_: &Scene) -> FromWorker {
        let (table, cursor) = (table(0, Vec::new(), 0), "01".repeat(1024));
        FromWorker::Page { page: ports::Page { table, cursor, more: true, restarted: false } }
    }
    for (says, limits, limit, expected) in [
        (
            checkpoint as fn(&Scene) -> FromWorker,
            Limits { disk_bytes: 3 * 4096, ..Limits::DEFAULT },
            LimitKind::Disk,
            "`disk` is 12 KiB",
        ),
        (empty, Limits { disk_bytes: 3 * 4096, ..Limits::DEFAULT }, LimitKind::Disk, "`disk` is 12 KiB"),
        (page, Limits { disk_bytes: 3 * 4096, ..Limits::DEFAULT }, LimitKind::Disk, "`disk` is 12 KiB"),
        (
            page,
            Limits { rows: 7, ..Limits::DEFAULT },
            LimitKind::Rows,
            "gives 8 rows of outputs; its limit `rows` is 7",
        ),
    ] {
        let scene = Scene::new();
        scene.says(&[says(&scene), says(&scene), says(&scene), says(&scene)]);
        let fault = scene.run_within(limits, &Accepting).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Limit { limit }, "{fault}");
        assert!(fault.message.contains(expected), "{fault}");
        assert_eq!(scene.idle(), 0);
    }
}

#[test]
fn no_more_log_is_heard_than_the_step_may_write() {
    let line = || FromWorker::Say { event: Watched::Log { level: "info".to_owned(), message: "12345678".to_owned() } };
    for (limits, expected) in [
        (Limits { log_lines: 3, ..Limits::DEFAULT }, 3),
        (Limits { log_bytes: 20, ..Limits::DEFAULT }, 2),
        (Limits::DEFAULT, 5),
    ] {
        let scene = Scene::new();
        let mut says: Vec<_> = std::iter::repeat_with(line).take(5).collect();
        says.push(answers(Ok(Answer::Collected)));
        scene.says(&says);
        let listener = Listener::default();
        scene.run_within(limits, &listener).unwrap();
        assert_eq!(listener.heard.into_inner().unwrap().len(), expected);
    }
}

#[test]
fn a_scratch_folder_that_fills_unsaid_ends_the_worker() {
    let scene = Scene::new();
    scene.leave(&vec![7; 1 << 20]);
    scene.says(&[]);
    let fault = scene.run_within(Limits { disk_bytes: 1 << 19, ..Limits::DEFAULT }, &Unwatched).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Limit { limit: LimitKind::Disk }, "{fault}");
    assert!(fault.message.contains("its limit `disk` is 512 KiB"), "{fault}");
}

#[test]
fn an_attempt_that_computes_for_long_makes_way_and_the_next_is_quick_again() {
    let scene = Scene::new();
    for (name, message) in
        [("ready", FromWorker::Ready { walls: Vec::new() }), ("says", answers(Ok(Answer::Collected)))]
    {
        fs::write(scene.scratch().join(name), wire::frame(&message, &[]).unwrap()).unwrap();
    }
    // It computes until its niceness, the 19th of what the kernel says, is another, and answers only then.
    let nice = "read -r all < /proc/$$/stat; set -- $all; shift 18; nice=$1";
    let script = format!(
        "cat ready >&0; {nice}; was=$nice; while [ $nice = $was ]; do {nice}; done; cat says >&0; exec sleep 600"
    );
    fs::write(scene.scratch().join("worker"), script).unwrap();
    scene.run(&Unwatched).unwrap();
    // Without privileges it cannot be quick again, and is none that is kept.
    for worker in scene.pool.idle.lock().unwrap().values().flatten() {
        let now = scheduling::attributes(worker.id() as i32).unwrap();
        assert_eq!(now.sched_nice, scheduling::attributes(0).unwrap().sched_nice);
    }
}

#[test]
fn what_was_left_and_not_adopted_is_gone_before_the_next_attempt() {
    let scene = Scene::new();
    scene.leave(b"nobody asked for this");
    scene.says(&[answers(Ok(Answer::Collected))]);
    scene.run(&Unwatched).unwrap();
    assert_eq!((scene.idle(), fs::read_dir(scene.scratch()).unwrap().count()), (1, 0));
}

#[test]
fn adoption_ends_with_the_attempts_time_or_with_the_run() {
    for (wall_ms, cancelled, expected) in
        [(0, false, FaultKind::Limit { limit: LimitKind::Wall }), (60_000, true, FaultKind::Cancelled)]
    {
        let scene = Scene::new();
        let file = scene.leave(b"weights");
        let cancelled = || cancelled;
        let bounds = Bounds::new(Limits { wall_ms, ..assignment().limits }, 0, &cancelled);
        let blobs = scene.pool.blobs.as_ref();
        let mut adoption = Adoption::new(blobs, &scene.tenant, &scene.scratch(), &bounds);
        let outputs = BTreeMap::from([(PortName::parse("out").unwrap(), Artifact::State { files: vec![file] })]);
        assert_eq!(adoption.answer(&Answer::Outputs { outputs }, &[]).unwrap_err().kind, expected);
        assert_eq!(scene.blobs(), 0);
    }
}

#[test]
fn what_is_heard_of_a_worker_is_short_and_tame() {
    let scene = Scene::new();
    let log = Watched::Log { level: "x".repeat(1 << 20), message: "\x1b[2J".repeat(1 << 20) };
    let metric = Watched::Metric { name: "x".repeat(1 << 20), value: None, index: 0 };
    let says = [log, metric].map(|event| FromWorker::Say { event });
    let [log, metric] = says;
    scene.says(&[log, metric, answers(Ok(Answer::Collected))]);
    let listener = Listener::default();
    scene.run(&listener).unwrap();
    let heard = listener.heard.into_inner().unwrap();
    assert_eq!(heard.len(), 2);
    let text = serde_json::to_string(&heard).unwrap();
    assert!(text.len() < 16_384 && !text.contains("\\u001b"), "{} bytes", text.len());
}

#[test]
fn a_fault_of_ours_is_told_as_ours_whatever_the_worker_says_then() {
    let scene = Scene::new();
    let part = scene.leave(b"part");
    let page = ports::Page {
        table: table(5, vec![part.digest], part.bytes),
        cursor: "01".to_owned(),
        more: false,
        restarted: false,
    };
    scene.says(&[FromWorker::Page { page }, answers(Ok(Answer::Collected))]);
    let listener = Listener::default();
    let fault = scene.run(&listener).unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Host, "step `it`: the disk is gone"));
    assert!(listener.pages.load(Ordering::Relaxed));
    assert_eq!(scene.idle(), 0);
}

#[test]
fn code_that_is_not_as_it_was_said_is_not_kept() {
    let scene = Scene::new();
    let file = scene.leave(b"native code");
    fs::write(scene.scratch().join(file.digest.to_string()), b"other code").unwrap();
    let fingerprint = "0123456789abcdef".to_owned();
    scene.says(&[answers(Ok(Answer::Compiled { file, fingerprint, roles: Vec::new(), imports: Vec::new() }))]);
    let fault = scene.pool.compile(&scene.tenant, Digest::of(b"component")).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Guest);
    let kept = fs::read_dir(scene.folder.path().join("compiled")).unwrap().flatten();
    assert!(kept.map(|entry| entry.path()).all(|path| path.extension().is_some_and(|ending| ending == "json")));
}

/// The script answers whatever it is asked; a worker beyond the first has none and dies.
#[test]
fn a_worker_in_which_a_component_ran_is_no_others() {
    let scene = Scene::new();
    let answer = || answers(Ok(Answer::Discovered { columns: Vec::new() }));
    scene.says(&[answer(), answer(), answer()]);
    assert!(scene.run_component(b"theirs").is_ok());
    assert!(scene.run_component(b"ours").is_err(), "ours was given to the worker that theirs ran in");
    assert_eq!(scene.idle(), 1);
    assert!(scene.run_component(b"theirs").is_ok());
}

/// What was taken over while it had nothing gets nothing that another step, of the same component, is granted.
#[test]
fn a_worker_gets_no_more_than_was_granted_when_it_was_new() {
    let scene = Scene::new();
    let answer = || answers(Ok(Answer::Discovered { columns: Vec::new() }));
    scene.says(&[answer(), answer(), answer()]);
    let granted = || Grants { clock: true, ..Grants::default() };
    assert!(scene.run_granted(b"theirs", granted(), "a").is_ok());
    for (grants, base) in [(Grants::default(), "a"), (Grants { randomness: true, ..granted() }, "a"), (granted(), "b")]
    {
        let other = scene.run_granted(b"theirs", grants, base);
        assert!(other.is_err(), "it was given to the worker of a step with other grants");
        assert_eq!(scene.idle(), 1);
    }
    assert!(scene.run_granted(b"theirs", granted(), "a").is_ok());
}

/// A disk that takes so long for everything.
struct SlowDisk(Duration);

impl SlowDisk {
    fn work(&self) {
        let began = Instant::now();
        while began.elapsed() < self.0 {
            std::thread::yield_now();
        }
    }
}

impl Watch for SlowDisk {
    fn hear(&self, _: Watched) {
        self.work();
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn page(&self, _: ports::Page) -> Result<(), Fault> {
        self.work();
        Ok(())
    }

    fn checkpoint(&self, _: Vec<u8>) -> Result<(), Fault> {
        self.work();
        Ok(())
    }
}

#[test]
fn a_guest_is_not_blamed_for_a_slow_disk() {
    let scene = Scene::new();
    let part = scene.leave(b"part");
    let page = ports::Page {
        table: table(5, vec![part.digest], part.bytes),
        cursor: "01".to_owned(),
        more: false,
        restarted: false,
    };
    let log = Watched::Log { level: "info".to_owned(), message: "begun".to_owned() };
    let answer = answers(Ok(Answer::Collected));
    scene.says(&[FromWorker::Say { event: log }, FromWorker::Page { page }, FromWorker::Checkpoint, answer]);
    // Long enough for the script to say all that, which it does at once.
    let limits = Limits { wall_ms: 2_000, ..assignment().limits };
    let outcome = scene.outcome(limits, &SlowDisk(Duration::from_secs(1)));
    assert_eq!(outcome.result, Ok(Answer::Collected));
    assert!(outcome.receipt.wall_us > 3_000_000, "what it took is told");
    let share = outcome.receipt.limits[&LimitKind::Wall];
    assert!(share.used < limits.wall_ms, "{share:?}");
}

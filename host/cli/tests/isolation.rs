//! Two tenants of one server do the same kinds of things in any order; whatever one is told, and whatever lies under its name,
//! holds no name and no byte of the other's.

mod harness;

use api::{CheckRequest, Client, RunRequest};
use harness::http;
use proptest::prelude::*;
use serde_json::{Value, json};
use server::{Folder, LockedBy, Options, Server, WallPolicy};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use types::TenantId;

/// A client: every name that it gives, and every text of its data, holds its marker.
struct Tenant {
    marker: String,
    folder: PathBuf,
    runs: u64,
    /// Whether it did what the other does with the very same rows.
    did_the_same: bool,
}

struct World {
    _folders: TempDir,
    data: PathBuf,
    cache: PathBuf,
    runtime: Runtime,
    server: Arc<Server>,
    client: Client,
    address: SocketAddr,
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Run,
    Fail,
    Check,
    Runs,
    Show,
    Logs,
    Rows,
    Models,
    Model,
    Absent,
    SetSecret,
    Secrets,
    Policy,
    Tenant,
    Quota,
    Report,
    Endpoint,
    Predict,
    Same,
    Lists,
    Record,
    Pages,
    Plugins,
    Gc,
}

const DEEDS: [Deed; 24] = [
    Deed::Run,
    Deed::Fail,
    Deed::Check,
    Deed::Runs,
    Deed::Show,
    Deed::Logs,
    Deed::Rows,
    Deed::Models,
    Deed::Model,
    Deed::Absent,
    Deed::SetSecret,
    Deed::Secrets,
    Deed::Policy,
    Deed::Tenant,
    Deed::Quota,
    Deed::Report,
    Deed::Endpoint,
    Deed::Predict,
    Deed::Same,
    Deed::Lists,
    Deed::Record,
    Deed::Pages,
    Deed::Plugins,
    Deed::Gc,
];

impl Tenant {
    fn new(root: &Path, marker: &str) -> Self {
        let folder = root.join(marker);
        let write = |path: &str, text: &[u8]| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let rows: String = (0..40).map(|i| format!("{i}.5,{marker}-{i},{}\n", i % 3 == 0)).collect();
        write("data.csv", format!("{marker}_x,{marker}_t,{marker}_y\n{rows}").as_bytes());
        write("stepwell.toml", format!("name = \"{marker}\"\n[endpoints.{marker}]\nmodel = \"{marker}\"\n").as_bytes());
        let read = format!(
            "[steps.{marker}-rows]\nplugin = \"csv\"\nparams = {{ path = \"data.csv\" }}\ngrants = {{ files = [\".\"] }}\n"
        );
        let train = format!(
            "[steps.{marker}-model]\nplugin = \"logistic\"\ninputs = {{ train = \"{marker}-rows.table\" }}\n\
             label = \"{marker}_y\"\n[steps.{marker}-registered]\nbuiltin = \"register\"\n\
             inputs = {{ model = \"{marker}-model.model\" }}\nname = \"{marker}\"\nalias = \"champion\"\n"
        );
        write("pipelines/good.toml", format!("{read}{train}").as_bytes());
        // To the letter the other's: what one computed is nothing that the other takes.
        write("same.csv", b"a\n1.5\n2.5\n");
        let same = "[steps.rows]\nplugin = \"csv\"\nparams = { path = \"same.csv\" }\ngrants = { files = [\".\"] }\n\
                    [steps.scaled]\nplugin = \"standardize\"\nfit = \"rows.table\"\n\
                    inputs = { rows = \"rows.table\" }\n";
        write("pipelines/same.toml", same.as_bytes());
        let hostile = format!(
            "[steps.{marker}-broken]\nplugin = \"./hostile.wasm\"\ninputs = {{ rows = \"{marker}-rows.table\" }}\n\
             params = {{ mode = \"panic\" }}\n"
        );
        write("pipelines/bad.toml", format!("{read}{hostile}").as_bytes());
        let guest = Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("plugins").join("abuse.wasm");
        write("hostile.wasm", &std::fs::read(guest).expect("`cargo xtask plugins` builds it"));
        Self { marker: marker.to_owned(), folder, runs: 0, did_the_same: false }
    }

    fn id(&self) -> TenantId {
        self.marker.parse().unwrap()
    }
}

impl World {
    fn new() -> Self {
        let folders = tempfile::tempdir().unwrap();
        let (data, cache) = (folders.path().join("data"), folders.path().join("cache"));
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_stepwell"));
        let plugins = executable.with_file_name("plugins");
        let (walls, variables) = (WallPolicy::BestEffort, Default::default());
        let (state, trusts_data) = (folders.path().join("state"), false);
        let options = Options {
            data: data.clone(),
            executable,
            plugins,
            cache: cache.clone(),
            state,
            trusts_data,
            slots: 2,
            walls,
            variables,
        };
        let LockedBy::Us(folder) = Folder::lock(&data).unwrap() else { panic!("somebody has a new folder") };
        let (server, _) = Server::open(folder, options).unwrap();
        let runtime = Runtime::new().unwrap();
        let tcp = runtime.block_on(api::bind("127.0.0.1:0".parse().unwrap(), false)).unwrap();
        let (address, listening) = (tcp.local_addr().unwrap(), Arc::clone(&server));
        let socket = Folder::socket(&data);
        runtime.spawn(async move {
            let never = std::future::pending();
            api::listen(listening, TenantId::default_tenant(), &socket, (tcp, None), never, |_| {}).await.unwrap();
        });
        let client = Client::here(Arc::clone(&server));
        Self { _folders: folders, data, cache, runtime, server, client, address }
    }

    fn get(&mut self, path: &str) -> String {
        format!("{:?}", self.runtime.block_on(self.client.get::<Value>(path)))
    }

    fn send(&mut self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> String {
        format!("{:?}", self.runtime.block_on(self.client.send::<Value>(method, path, body)))
    }

    fn lines(&mut self, method: &str, path: &str, body: &impl serde::Serialize) -> String {
        let mut said = String::new();
        let hear = |line: api::Line| said += &serde_json::to_string(&line).unwrap();
        let ended = self.runtime.block_on(self.client.lines(method, path, body, hear));
        format!("{said}{ended:?}")
    }

    /// Does something as the tenant; everything that it is told.
    fn does(&mut self, deed: Deed, tenant: &mut Tenant) -> String {
        let (marker, folder) = (tenant.marker.clone(), tenant.folder.clone());
        let at = |rest: &str| format!("/v1/tenants/{marker}{rest}");
        let run = tenant.runs.max(1);
        let of_endpoint = |rest: &str| format!("/tenants/{marker}/v2{rest}");
        match deed {
            Deed::Run | Deed::Fail | Deed::Same => {
                let named = match deed {
                    Deed::Fail => "bad",
                    Deed::Same => "same",
                    _ => "good",
                };
                let pipeline = Some(named.to_owned());
                let said =
                    self.lines("POST", &at("/runs"), &RunRequest { folder, pipeline, options: Default::default() });
                let ends = if matches!(deed, Deed::Fail) { "gave up" } else { "\"succeeded\"" };
                assert!(said.contains(ends), "{deed:?}: {said}");
                tenant.runs += 1;
                if matches!(deed, Deed::Same) {
                    assert_eq!(
                        said.contains("\"step_taken\""),
                        tenant.did_the_same,
                        "its own cache, and only that: {said}"
                    );
                    tenant.did_the_same = true;
                }
                said
            }
            Deed::Check => {
                let request = CheckRequest { folder, pipeline: None, repin: server::Repin::Never };
                self.lines("POST", &at("/check"), &request)
            }
            Deed::Runs => self.get(&at("/runs")),
            Deed::Show => self.get(&at(&format!("/runs/{run}"))),
            Deed::Logs => self.lines("GET", &at(&format!("/runs/{run}/events")), &()),
            Deed::Rows => self.get(&at(&format!("/runs/{run}/rows/{marker}-rows.table"))),
            Deed::Models => self.get(&at("/models")),
            Deed::Model => self.get(&at(&format!("/models/{marker}"))),
            Deed::Absent => self.get(&at("/models/absent")) + &self.get(&at("/runs/77")),
            Deed::SetSecret => self.send("PUT", &at("/secrets/TOKEN"), format!("{marker}-secret")),
            Deed::Secrets => self.get(&at("/secrets")),
            Deed::Policy => self.get(&at("/policy")),
            Deed::Tenant => self.get(&at("")),
            Deed::Quota => self.send("PUT", &at("/quota"), json!({ "attempts": "2" }).to_string()),
            Deed::Report => {
                let shown = self.server.run(&tenant.id(), types::RunId(run));
                let page = shown.ok().and_then(|shown| std::fs::read_to_string(shown.report?).ok());
                page.unwrap_or_default()
            }
            Deed::Endpoint => {
                let served = self.server.serve_project(&tenant.id(), &folder);
                let listed = self.server.endpoints(&tenant.id());
                let asked = ["/health/ready".to_owned(), format!("/models/{marker}"), "/models/absent".to_owned()];
                let asked = asked.map(|rest| http::request(self.address, "GET", &of_endpoint(&rest), b"").unwrap());
                format!("{served:?}{listed:?}{asked:?}")
            }
            Deed::Lists => {
                let lists = ["keys", "predictions", "deployments", "triggers", "schedules", "backfills"];
                lists.map(|list| self.get(&at(&format!("/{list}")))).concat()
            }
            Deed::Record => {
                let (of_model, both) = (format!("/models/{marker}"), json!({ "a": "1", "b": "champion" }).to_string());
                let told = ["history", "card"].map(|what| self.get(&at(&format!("{of_model}/{what}"))));
                told.concat()
                    + &self.send("POST", &at(&format!("{of_model}/diff")), both)
                    + &self.get(&at("/runs/1/diff/2"))
                    + &self.get(&at(&format!("/predictions/{marker}")))
            }
            Deed::Pages => {
                let ask = |method, path: &str| {
                    let path = format!("/tenants/{marker}/{path}");
                    format!("{:?}", http::request(self.address, method, &path, b"{}").unwrap())
                };
                let pages =
                    ["metrics", "openapi.json", "docs", "v2/models/stats", &format!("v2/models/{marker}/config")]
                        .map(|page| ask("GET", page));
                let sent = ["v2/repository/index", &format!("labels/{marker}"), &format!("hooks/{marker}/good")];
                pages.concat() + &sent.map(|path| ask("POST", path)).concat()
            }
            Deed::Plugins => self.send("POST", &at("/plugins"), json!({ "folder": folder }).to_string()),
            Deed::Gc => self.lines("POST", &at("/gc"), &json!({ "dry_run": true })),
            Deed::Predict => {
                let rows = json!({ "rows": [{ format!("{marker}_x"): 1.5 }] }).to_string();
                let path = format!("/tenants/{marker}/predict/{marker}");
                format!("{:?}", http::request(self.address, "POST", &path, rows.as_bytes()).unwrap())
            }
        }
    }
}

/// Files below a folder whose name or bytes hold the text.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, named) = (entry.path(), entry.file_name().to_string_lossy().contains(text));
        if path.is_dir() {
            found.extend(holding(&path, text));
        }
        let bytes = if path.is_file() { std::fs::read(&path).unwrap_or_default() } else { Vec::new() };
        if named || bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

/// What lies under a tenant's name, in the data folder and in the cache.
fn lies_under(world: &World, tenant: &Tenant) -> Vec<PathBuf> {
    let ids = std::fs::read_dir(world.cache.join("compiled")).into_iter().flatten().flatten();
    let compiled = ids.map(|id| id.path().join(&tenant.marker));
    compiled.chain([world.data.join("tenants").join(&tenant.marker)]).filter(|folder| folder.exists()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_tenant_sees_another(
        markers in ("a[a-z]{11}", "b[a-z]{11}"),
        deeds in prop::collection::vec((any::<bool>(), prop::sample::select(&DEEDS[..])), 24)
    ) {
        let (mut world, root) = (World::new(), tempfile::tempdir().unwrap());
        let mut tenants = [Tenant::new(root.path(), &markers.0), Tenant::new(root.path(), &markers.1)];
        for tenant in &tenants {
            let made = world.send("POST", "/v1/tenants", json!({ "tenant": tenant.marker }).to_string());
            prop_assert!(made.starts_with("Ok"), "{}", made);
        }
        // Both have everything before the dice fall.
        let first = DEEDS.iter().flat_map(|deed| [(false, *deed), (true, *deed)]);
        for (which, deed) in first.collect::<Vec<_>>().into_iter().chain(deeds) {
            let said = world.does(deed, &mut tenants[usize::from(which)]);
            let other = &tenants[usize::from(!which)].marker;
            prop_assert!(!said.contains(other.as_str()), "{:?} tells of {}: {}", deed, other, said);
        }
        for [one, other] in [[&tenants[0], &tenants[1]], [&tenants[1], &tenants[0]]] {
            let folders = lies_under(&world, one);
            prop_assert_eq!(folders.len(), 2);
            prop_assert!(folders.iter().any(|folder| !holding(folder, &one.marker).is_empty()), "its own is there");
            for folder in folders {
                prop_assert_eq!(holding(&folder, &other.marker), Vec::<PathBuf>::new());
            }
            // Another's is not there, in the same words as what nobody has.
            let ask = |world: &mut World, name: &str| {
                let asked = world.get(&format!("/v1/tenants/{}/models/{name}", one.marker));
                let path = format!("/tenants/{}/v2/models/{name}", one.marker);
                let http::Answer { status, head, body } = http::request(world.address, "GET", &path, b"").unwrap();
                // Of each request its own.
                let own = |line: &&str| line.starts_with("traceparent:") || line.starts_with("date:");
                let head: Vec<_> = head.lines().filter(|line| !own(line)).collect();
                format!("{asked} {status} {head:?} {body}").replace(name, "NAME")
            };
            let absent = ask(&mut world, "nobodysmodel");
            prop_assert_eq!(ask(&mut world, &other.marker), absent);
        }
        world.server.leave();
    }
}

//! `stepwell serve` as a process: found by what it prints, asked over HTTP, ended by signals.

use super::command;
use super::http::{Answer, request, request_with};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// Beyond the time that anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running server. Dropped, it is killed.
pub(crate) struct Serving {
    child: Child,
    said: NamedTempFile,
    pub(crate) address: SocketAddr,
}

impl Serving {
    /// Serves a project on a free port, once it listens.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::of_tenant(folder, "default")
    }

    /// The same, with the project's endpoints as a tenant's.
    pub(crate) fn of_tenant(folder: &Path, tenant: &str) -> Self {
        Self::under(folder, &["--tenant", tenant])
    }

    /// The same, with a data folder elsewhere.
    pub(crate) fn of_data(folder: &Path, data: &Path) -> Self {
        Self::under(folder, &["--data", data.to_str().unwrap()])
    }

    /// The same with these options of `serve`.
    pub(crate) fn with(folder: &Path, more: &[&str]) -> Self {
        Self::said_to(folder, &[&["serve", "--json"], more].concat())
    }

    fn under(folder: &Path, options: &[&str]) -> Self {
        Self::said_to(folder, &[options, &["serve", "--listen", "127.0.0.1:0", "--json"]].concat())
    }

    fn said_to(folder: &Path, words: &[&str]) -> Self {
        let said = NamedTempFile::new().unwrap();
        let mut command = command(folder, words);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said.reopen().unwrap());
        let mut child = command.spawn().expect("`stepwell serve` starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let complaint = || format!("not listening: {line:?}, {:?}", std::fs::read_to_string(said.path()));
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{}", complaint()));
        let address = told["listening"].as_str().and_then(|url| url.split_once("://")?.1.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{}", complaint()));
        Self { child, said, address }
    }

    /// What it has said on its standard error so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.said.path()).unwrap()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        request(self.address, "GET", path, b"").unwrap()
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        request(self.address, "POST", path, body.as_ref()).unwrap()
    }

    /// A request with a key, or any other value of `Authorization`.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, authorization: &str, body: &str) -> Answer {
        request_with(self.address, method, path, &format!("Authorization: {authorization}\r\n"), body.as_bytes())
            .unwrap()
    }

    /// The probabilities of rows by the protocol, in one request.
    #[track_caller]
    pub(crate) fn infer(&self, rows: &[Value]) -> Vec<f64> {
        let answer = self.post("/v2/models/tumour/infer", self.infer_body(rows).to_string()).good();
        let outputs = answer["outputs"].as_array().expect("outputs");
        let found = outputs.iter().find(|output| output["name"] == "probability").expect("probability");
        assert_eq!(found["datatype"], "FP64");
        assert_eq!(found["shape"], json!([rows.len()]));
        found["data"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    }

    /// A request of the protocol: a tensor a column that the endpoint's metadata asks for.
    #[track_caller]
    pub(crate) fn infer_body(&self, rows: &[Value]) -> Value {
        let metadata = self.get("/v2/models/tumour").good();
        let tensor = |input: &Value| {
            let name = input["name"].as_str().unwrap();
            let data: Vec<&Value> = rows.iter().map(|row| &row[name]).collect();
            json!({ "name": name, "datatype": input["datatype"], "shape": [rows.len()], "data": data })
        };
        let inputs: Vec<Value> = metadata["inputs"].as_array().unwrap().iter().map(tensor).collect();
        json!({ "inputs": inputs })
    }

    /// A request of the plain route: each row's columns that the endpoint asks for.
    #[track_caller]
    pub(crate) fn plain_body(&self, rows: &[Value]) -> Value {
        let metadata = self.get("/v2/models/tumour").good();
        let names: Vec<_> =
            metadata["inputs"].as_array().unwrap().iter().map(|input| input["name"].as_str().unwrap()).collect();
        let row = |row: &Value| names.iter().map(|name| ((*name).to_owned(), row[name].clone())).collect();
        let rows: Vec<Value> = rows.iter().map(|found| Value::Object(row(found))).collect();
        json!({ "rows": rows })
    }

    /// The processes that the server has started and that still live.
    pub(crate) fn workers(&self) -> Vec<u32> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        numbers.filter(|number| parent(*number) == Some(self.child.id())).collect()
    }

    /// The most memory that the process has taken so far.
    pub(crate) fn peak_mebibytes(&self) -> u64 {
        self.mebibytes("VmHWM:")
    }

    /// The memory that the process takes now.
    pub(crate) fn resident_mebibytes(&self) -> u64 {
        self.mebibytes("VmRSS:")
    }

    fn mebibytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix("kB")?.trim().parse().ok());
        found.map(|kibibytes: u64| kibibytes / 1024).expect("a line of it")
    }

    /// The server's own.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM.
    pub(crate) fn ask_to_stop(&self) {
        signal("-TERM", self.child.id());
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(self) -> (ExitStatus, String) {
        self.ask_to_stop();
        self.ended()
    }

    /// Waits for the end.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return (status, self.said()),
                None => assert!(Instant::now() < deadline, "SIGTERM does not end the server: {}", self.said()),
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The parent of a process that is no zombie.
fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.next()?.parse().ok(),
    }
}

pub(crate) fn signal(name: &str, process: u32) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill {name} {process}")).status().unwrap();
    assert!(sent.success(), "no signal {name} to {process}");
}

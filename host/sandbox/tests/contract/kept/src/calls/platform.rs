//! `stepwell:platform`: what the pipeline set, progress and state, and the doors. Those that the default policy keeps shut are
//! a part of their own.

use super::Calls;
use stepwell::bindings::stepwell::platform::config;
use stepwell::report::{self, Level};
use stepwell::{Error, Result, checkpoint, environment, files, http, real};

const FILE: &str = "files/given.txt";

pub(super) fn call(calls: &mut Calls) -> Result<()> {
    calls.number("parameters", config::parameters().len() as f64);
    calls.number("seed", config::seed() as f64);
    calls.number("logical-time", config::logical_time() as f64);
    [Level::Debug, Level::Info, Level::Warn, Level::Error].into_iter().for_each(|level| report::log(level, "called"));
    report::progress(1, Some(2));
    report::metric("loss", 0.5, 1);
    calls.is("load", checkpoint::load().is_some());
    checkpoint::save(b"state")?;
    filed(calls)?;
    calls.is("fetch denied", is_denied(http::fetch(&request("http://127.0.0.1/", "".into()))));
    calls.is("placeholder denied", is_denied(http::placeholder("TOKEN")));
    calls.is("variable denied", is_denied(environment::variable("REGION")));
    calls.is("now", real::now()? > 0);
    calls.number("bytes", real::random_bytes(8)?.len() as f64);
    Ok(())
}

pub(super) fn open(calls: &mut Calls, url: &str) -> Result<()> {
    let response = http::fetch(&request(url, http::placeholder("TOKEN")?))?;
    calls.number("fetch status", f64::from(response.status));
    calls.is("fetch headers", response.headers.iter().any(|(name, _)| name == "content-length"));
    calls.bytes("fetch body", &response.body);
    calls.bytes("variable", environment::variable("REGION")?.unwrap_or_default().as_bytes());
    Ok(())
}

fn request(url: &str, token: String) -> http::Request {
    let headers = vec![("authorization".into(), token)];
    http::Request { method: "GET".into(), url: url.into(), headers, body: Vec::new(), timeout: 0 }
}

/// Writes the file that is there with what is in it, so that a test leaves nothing behind.
fn filed(calls: &mut Calls) -> Result<()> {
    calls.number("list-files", files::list_files("files")?.len() as f64);
    let given = files::open(FILE)?;
    calls.number("size", given.size() as f64);
    let bytes = given.read(0, 1024)?;
    calls.bytes("read", &bytes);
    let new = files::create(FILE)?;
    new.write(&bytes)?;
    files::NewFile::finish(new)?;
    calls.is("finish", files::open(FILE)?.read(0, 1024)? == bytes);
    Ok(())
}

fn is_denied<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Denied(_)))
}

//! `stepwell:platform`: http, secrets, environment, clock, entropy. The server answers each, if the step may ask.

use super::files::another;
use crate::bindings::stepwell::platform::{clock, entropy, environment, http, secrets};
use crate::state::{Answer, State};
use ports::{Ask, Told};

impl State {
    fn ask(&mut self, ask: Ask, body: &[u8]) -> Answer<(Told, Vec<u8>)> {
        self.enter()?;
        let (told, body, _) = self.world().ask(ask, body)?;
        Ok((told, body))
    }
}

impl http::Host for State {
    fn fetch(&mut self, request: http::Request) -> Answer<http::Response> {
        let http::Request { method, url, headers, body, timeout } = request;
        match self.ask(Ask::Fetch { method, url, headers, timeout_ms: timeout }, &body)? {
            (Told::Fetched { status, headers }, body) => Ok(http::Response { status, headers, body }),
            _ => Err(another()),
        }
    }
}

impl secrets::Host for State {
    fn placeholder(&mut self, name: String) -> Answer<String> {
        match self.ask(Ask::Placeholder { name }, &[])? {
            (Told::Placeholder { text }, _) => Ok(text),
            _ => Err(another()),
        }
    }
}

impl environment::Host for State {
    fn variable(&mut self, name: String) -> Answer<Option<String>> {
        match self.ask(Ask::Variable { name }, &[])? {
            (Told::Variable { value }, _) => Ok(value),
            _ => Err(another()),
        }
    }
}

impl clock::Host for State {
    fn now(&mut self) -> Answer<i64> {
        match self.ask(Ask::Now, &[])? {
            (Told::Now { us }, _) => Ok(us),
            _ => Err(another()),
        }
    }
}

impl entropy::Host for State {
    fn bytes(&mut self, length: u32) -> Answer<Vec<u8>> {
        match self.ask(Ask::Entropy { length }, &[])? {
            (Told::Entropy, bytes) => Ok(bytes),
            _ => Err(another()),
        }
    }
}

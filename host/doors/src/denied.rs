//! Why a door stays shut, and the exact line that would open it.

use crate::kept;
use std::path::Path;
use types::{Fault, FaultKind, Grants, HttpGrant, policy_command};

/// Passes when both the pipeline and the policy open the door; the fault names the one that does not.
pub(crate) fn unless(
    grants: &Grants,
    policy: &Grants,
    opens: impl Fn(&Grants) -> bool,
    line: impl Fn() -> Line,
) -> Result<(), Fault> {
    match (opens(grants), opens(policy)) {
        (true, true) => Ok(()),
        (granted, _) => Err(line().fault(granted)),
    }
}

/// A door in words, and the line that opens it.
pub(crate) struct Line {
    pub(crate) what: String,
    /// `files = ["data"]`: the same in a pipeline's `grants` and in a policy. Or why there is none, and what to do.
    pub(crate) line: Result<String, &'static str>,
}

impl Line {
    fn new(what: String, line: String) -> Self {
        Self { what, line: Ok(line) }
    }

    /// The fault of whoever did not open it.
    pub(crate) fn fault(&self, granted: bool) -> Fault {
        let Self { what, line } = self;
        let message = match granted {
            false => format!("{what} is not granted"),
            true => format!("{what} is granted by the pipeline but not by the tenant's policy"),
        };
        Fault::new(FaultKind::Denied, message).hinted(match (line, granted) {
            (Err(advice), _) => (*advice).to_owned(),
            (Ok(line), false) => grant(line),
            (Ok(line), true) => allow(line),
        })
    }
}

fn grant(line: &str) -> String {
    format!("grant it in the pipeline, at the step: grants = {{ {line} }}")
}

fn allow(line: &str) -> String {
    format!("ask whoever runs this installation: {}", policy_command(line))
}

pub(crate) fn read(path: &str, folder: &str) -> Line {
    let line = grantable(path).map(|()| format!("files = [{folder:?}]"));
    Line { what: format!("reading `{path}`"), line }
}

pub(crate) fn write(path: &str, folder: &str) -> Line {
    let line = match kept::is_kept(Path::new(path)) {
        true => Err("no grant opens what the project is made of: write into a folder of its own, such as `out`"),
        false => grantable(path).map(|()| format!("files = [{{ path = {folder:?}, write = true }}]")),
    };
    Line { what: format!("writing `{path}`"), line }
}

/// Whether any grant could open the path, or what else to do.
fn grantable(path: &str) -> Result<(), &'static str> {
    let has = |wanted: &str| Path::new(path).iter().any(|part| part == wanted);
    if has(".stepwell") {
        return Err("no grant opens `.stepwell`, which is the installation's own");
    }
    if has("..") {
        return Err(
            "no grant opens a path with `..`: name the file by its path from `/`, and grant its folder by that",
        );
    }
    Ok(())
}

pub(crate) fn request(method: &str, origin: &str, path: &str) -> Line {
    let request = format!("{method} {origin}{path}");
    Line::new(format!("the request `{request}`"), format!("http = [{request:?}]"))
}

/// A grant of requests, as a pipeline and a policy write it.
fn http(HttpGrant { allow, secrets, private }: &HttpGrant) -> String {
    let secrets = if secrets.is_empty() { String::new() } else { format!(", secrets = {secrets:?}") };
    let private = if *private { ", private = true" } else { "" };
    format!("http = [{{ allow = {:?}{secrets}{private} }}]", allow.to_string())
}

/// No address of a name is within the reach of the grant that covers the request and of the policy; `both` where these let it go
/// to private networks.
pub(crate) fn private(grant: &HttpGrant, origin: &str, both: bool) -> Fault {
    if both {
        let message =
            format!("`{origin}` resolves to an address only that no name may stand for: link-local, or a cloud's");
        return Fault::new(FaultKind::Denied, message)
            .hinted("if that is meant, grant the address in place of the name");
    }
    let message = format!("`{origin}` resolves to a private, loopback or link-local address only");
    let line = http(&HttpGrant { private: true, ..grant.clone() });
    // A grant that names the address means it.
    match grant.private || grant.allow.names_address() {
        true => {
            Fault::new(FaultKind::Denied, format!("{message}: the grant says `private`, the tenant's policy does not"))
                .hinted(allow(&line))
        }
        false => Fault::new(FaultKind::Denied, message)
            .hinted(format!("if that is meant, say so in the pipeline, at the step: grants = {{ {line} }}")),
    }
}

/// The grant, with one more secret that may travel.
fn carrying(grant: &HttpGrant, name: &str) -> HttpGrant {
    let secrets = grant.secrets.iter().cloned().chain([name.to_owned()]).collect();
    HttpGrant { secrets, ..grant.clone() }
}

/// A secret that no grant of the step names.
pub(crate) fn secret(name: &str, grants: &[HttpGrant]) -> Fault {
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    let line = match grants {
        [only] => http(&carrying(only, &name)),
        _ => format!("http = [{{ allow = \"POST https://api.example.com/\", secrets = [{name:?}] }}]"),
    };
    Line::new(format!("the secret `{name}`"), line).fault(false)
}

pub(crate) fn no_secret(name: &str) -> Fault {
    Fault::new(FaultKind::Denied, format!("the secret `{name}` is granted, but nobody set it"))
        .hinted(format!("set it with `stepwell secret set {name}`"))
}

/// Named by no grant that covers the request; the first of them is `grant`.
pub(crate) fn secret_elsewhere(name: &str, origin: &str, grant: &HttpGrant) -> Fault {
    Fault::new(FaultKind::Denied, format!("the secret `{name}` may not travel to `{origin}`"))
        .hinted(self::grant(&http(&carrying(grant, name))))
}

/// Named by the pipeline, and by no line of the policy that covers the request.
pub(crate) fn secret_beyond(name: &str, origin: &str, grant: &HttpGrant) -> Fault {
    let line = http(&HttpGrant { secrets: vec![name.to_owned()], ..grant.clone() });
    Line::new(format!("sending the secret `{name}` to `{origin}`"), line).fault(true)
}

pub(crate) fn variable(name: &str) -> Line {
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    Line::new(format!("reading the variable `{name}`"), format!("environment = [{name:?}]"))
}

pub(crate) fn clock() -> Line {
    Line::new("reading the real clock".to_owned(), "clock = true".to_owned())
}

pub(crate) fn randomness() -> Line {
    Line::new("drawing real randomness".to_owned(), "randomness = true".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::HttpPattern;

    fn grant_of(allow: &str, secrets: &[&str], private: bool) -> HttpGrant {
        let secrets = secrets.iter().map(|name| (*name).to_owned()).collect();
        HttpGrant { allow: HttpPattern::parse(allow).unwrap(), secrets, private }
    }

    #[test]
    fn a_line_can_be_pasted_or_there_is_none() {
        let shop = grant_of("POST https://shop.example/hook", &["A"], false);
        let open = |name: &str, private| grant_of(name, &[], private);
        for (fault, hint) in [
            (read("../shop/x", "../shop").fault(false), "by its path from `/`"),
            (read(".stepwell/x", ".stepwell").fault(true), "no grant opens `.stepwell`"),
            (write("pipelines/x", "pipelines").fault(false), "such as `out`"),
            (write("./steps/x", "./steps").fault(false), "such as `out`"),
            (write("out/x", "out").fault(false), "grants = { files = [{ path = \"out\", write = true }] }"),
            (read("/srv/x", "/srv").fault(true), "stepwell tenant policy NAME --allow 'files = [\"/srv\"]'"),
            (
                secret("B", &[]),
                "grants = { http = [{ allow = \"POST https://api.example.com/\", secrets = [\"B\"] }] }",
            ),
            (
                secret("B", std::slice::from_ref(&shop)),
                "grants = { http = [{ allow = \"POST https://shop.example/hook\", secrets = [\"A\", \"B\"] }] }",
            ),
            (
                secret_beyond("A", "https://shop.example", &shop),
                "--allow 'http = [{ allow = \"POST https://shop.example/hook\", secrets = [\"A\"] }]'",
            ),
            (
                private(&open("GET http://db/", false), "http://db", false),
                "at the step: grants = { http = [{ allow = \"GET http://db/\", private = true }] }",
            ),
            (
                private(&open("GET http://db/", true), "http://db", false),
                "--allow 'http = [{ allow = \"GET http://db/\", private = true }]'",
            ),
            (private(&open("GET http://db/", true), "http://db", true), "grant the address in place of the name"),
        ] {
            let told = fault.hint.unwrap();
            assert!(told.contains(hint), "{hint}: {told}");
        }
    }
}

//! Why a door stays shut, and the exact line that would open it.

use crate::{kept, shown};
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

pub(crate) fn read(wanted: &Path, folder: &Path) -> Line {
    let line = grantable(wanted).map(|()| format!("files = [{}]", quoted(&folder.to_string_lossy())));
    Line { what: format!("reading `{}`", shown(wanted)), line }
}

pub(crate) fn write(wanted: &Path, folder: &Path) -> Line {
    let line = match kept::is_kept(wanted) {
        true => Err("no grant opens what the project is made of: write into a folder of its own, such as `out`"),
        false => grantable(wanted)
            .map(|()| format!("files = [{{ path = {}, write = true }}]", quoted(&folder.to_string_lossy()))),
    };
    Line { what: format!("writing `{}`", shown(wanted)), line }
}

/// A link below what is granted and allowed leads out of it, or out of the project: no grant of the path as it was named
/// changes that. Where it leads is not said, nor whether anything is there: that is not the step's to know.
pub(crate) fn led_out(line: Line, by_policy: bool) -> Fault {
    let (told, who) = match by_policy {
        false => (line.fault(false), "grant"),
        true => (line.fault(true), "ask whoever runs this installation to allow"),
    };
    let message = format!("{}: a link on the way leads out of its folder", told.message);
    let hint =
        format!("{who} the folder that the link points to and name the file by its path there, or copy the file");
    Fault::new(FaultKind::Denied, message).hinted(hint)
}

/// A TOML string, without a character in it that a terminal would not show as it is.
fn quoted(text: &str) -> String {
    let sign = |sign: char| match sign {
        '"' | '\\' => format!("\\{sign}"),
        '\'' => sign.to_string(),
        // What Rust would escape TOML does not read: it has four digits or eight.
        _ if sign.escape_debug().len() == 1 => sign.to_string(),
        _ if u32::from(sign) <= 0xffff => format!("\\u{:04X}", u32::from(sign)),
        _ => format!("\\U{:08X}", u32::from(sign)),
    };
    format!("\"{}\"", text.chars().map(sign).collect::<String>())
}

fn listed(names: &[String]) -> String {
    format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "))
}

/// Longest path of which the whole is put into a line for pasting.
const PASTED_BYTES_MAX: usize = 200;

/// Whether any grant could open the path, or what else to do.
fn grantable(path: &Path) -> Result<(), &'static str> {
    let has = |wanted: &str| path.iter().any(|part| part == wanted);
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() {
        return Err("an empty path names nothing: the project's folder is `.`");
    }
    if bytes.contains(&0) {
        return Err("no grant opens a path with a zero byte: no file has one in its name");
    }
    if path.starts_with("/proc") {
        return Err("no grant opens `/proc`, which tells of running processes");
    }
    if has(".stepwell") {
        return Err("no grant opens `.stepwell`, which is the installation's own");
    }
    if has("..") {
        return Err(
            "no grant opens a path with `..`: name the file by its path from `/`, and grant its folder by that",
        );
    }
    if bytes.len() > PASTED_BYTES_MAX {
        return Err("grant a folder that it lies in");
    }
    Ok(())
}

pub(crate) fn request(method: &str, origin: &str, path: &str) -> Line {
    let request = format!("{method} {origin}{path}");
    // A grant has no `%`: what lies beneath the folder before it is covered.
    let granted = match path.find('%').and_then(|at| path[..at].rfind('/')) {
        Some(at) => &path[..=at],
        None => path,
    };
    Line::new(
        format!("the request `{request}`"),
        format!("http = [{}]", quoted(&format!("{method} {origin}{granted}"))),
    )
}

/// A grant of requests, as a pipeline and a policy write it.
fn http(HttpGrant { allow, secrets, private }: &HttpGrant) -> String {
    let secrets = if secrets.is_empty() { String::new() } else { format!(", secrets = {}", listed(secrets)) };
    let private = if *private { ", private = true" } else { "" };
    format!("http = [{{ allow = {}{secrets}{private} }}]", quoted(&allow.to_string()))
}

/// No address of a name is within the reach of the grant that covers the request and of the policy; `both` where these let it go
/// to private networks.
pub(crate) fn private(grant: &HttpGrant, origin: &str, both: bool) -> Fault {
    if both && grant.allow.names_address() {
        let message =
            format!("`{origin}` is link-local, or a cloud's: the grant names it, the tenant's policy does not");
        return Fault::new(FaultKind::Denied, message).hinted(allow(&http(grant)));
    }
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
        _ => format!("http = [{{ allow = \"POST https://api.example.com/\", secrets = [{}] }}]", quoted(&name)),
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
    Line::new(format!("reading the variable `{name}`"), format!("environment = [{}]", quoted(&name)))
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
        let read = |path: &str, folder: &str| read(Path::new(path), Path::new(folder));
        let write = |path: &str, folder: &str| write(Path::new(path), Path::new(folder));
        let long = "x/".repeat(101);
        for (fault, hint) in [
            (read("../shop/x", "../shop").fault(false), "by its path from `/`"),
            (read(".stepwell/x", ".stepwell").fault(true), "no grant opens `.stepwell`"),
            (read("", "").fault(false), "the project's folder is `.`"),
            (write("", ".").fault(false), "the project's folder is `.`"),
            (read("data\0", ".").fault(false), "no grant opens a path with a zero byte"),
            (read("/proc/self/environ", "/proc/self").fault(false), "no grant opens `/proc`"),
            (read(&long, &long).fault(false), "grant a folder that it lies in"),
            (read("a\u{202e}b/x", "a\u{202e}b").fault(false), "grants = { files = [\"a\\u202Eb\"] }"),
            (read("a\u{e0001}\n/x", "a\u{e0001}\n").fault(false), "grants = { files = [\"a\\U000E0001\\u000A\"] }"),
            (read("it's \\\"é/x", "it's \\\"é").fault(false), "grants = { files = [\"it's \\\\\\\"é\"] }"),
            (request("GET", "http://db", "/v1/a%20b/c").fault(false), "grants = { http = [\"GET http://db/v1/\"] }"),
            (variable("A\u{202e}").fault(false), "grants = { environment = [\"A\\u202E\"] }"),
            (led_out(read("data/esc", "data"), false), "grant the folder that the link points to"),
            (
                led_out(write("data/esc", "data"), true),
                "ask whoever runs this installation to allow the folder that the link",
            ),
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

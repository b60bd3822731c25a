//! Why a door stays shut, and the exact line that would open it.

use types::{Fault, FaultKind, Grants};

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
    /// `files = ["data"]`: the same in a pipeline's `grants` and in a policy.
    pub(crate) line: String,
}

impl Line {
    /// The fault of whoever did not open it.
    pub(crate) fn fault(&self, granted: bool) -> Fault {
        let Self { what, line } = self;
        match granted {
            false => Fault::new(FaultKind::Denied, format!("{what} is not granted"))
                .hinted(format!("grant it in the pipeline, at the step: grants = {{ {line} }}")),
            true => Fault::new(
                FaultKind::Denied,
                format!("{what} is granted by the pipeline but not by the tenant's policy"),
            )
            .hinted(format!("ask whoever runs this installation for the policy line: {line}")),
        }
    }
}

pub(crate) fn read(path: &str, folder: &str) -> Line {
    Line { what: format!("reading `{path}`"), line: format!("files = [{folder:?}]") }
}

pub(crate) fn write(path: &str, folder: &str) -> Line {
    Line { what: format!("writing `{path}`"), line: format!("files = [{{ path = {folder:?}, write = true }}]") }
}

pub(crate) fn request(method: &str, origin: &str, path: &str) -> Line {
    Line {
        what: format!("the request `{method} {origin}{path}`"),
        line: format!("http = [{:?}]", format!("{method} {origin}{path}")),
    }
}

pub(crate) fn private(origin: &str) -> Fault {
    Fault::new(FaultKind::Denied, format!("`{origin}` resolves to a private, loopback or link-local address only"))
        .hinted("if that is meant, say so in the grant: http = [{ allow = \"..\", private = true }]")
}

pub(crate) fn secret(name: &str) -> Fault {
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    Fault::new(FaultKind::Denied, format!("the secret `{name}` is not granted")).hinted(format!(
        "grant it with the requests it may travel with: http = [{{ allow = \"..\", secrets = [{name:?}] }}]"
    ))
}

pub(crate) fn no_secret(name: &str) -> Fault {
    Fault::new(FaultKind::Denied, format!("the secret `{name}` is granted, but nobody set it"))
        .hinted(format!("set it with `stepwell secret set {name}`"))
}

pub(crate) fn secret_elsewhere(name: &str, origin: &str) -> Fault {
    Fault::new(FaultKind::Denied, format!("the secret `{name}` may not travel to `{origin}`"))
        .hinted("name it under `secrets` of the grant that covers the request")
}

/// Named by the pipeline, and by no line of the policy that covers the request.
pub(crate) fn secret_beyond(name: &str, origin: &str) -> Fault {
    let line = format!("http = [{{ allow = \"..\", secrets = [{name:?}] }}]");
    Line { what: format!("sending the secret `{name}` to `{origin}`"), line }.fault(true)
}

pub(crate) fn variable(name: &str) -> Line {
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    Line { what: format!("reading the variable `{name}`"), line: format!("environment = [{name:?}]") }
}

pub(crate) fn clock() -> Line {
    Line { what: "reading the real clock".to_owned(), line: "clock = true".to_owned() }
}

pub(crate) fn randomness() -> Line {
    Line { what: "drawing real randomness".to_owned(), line: "randomness = true".to_owned() }
}

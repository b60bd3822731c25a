//! A tenant's policy: TOML text <-> [`Policy`]. The tables `grants` and `limits` are written as in a pipeline; here they are
//! the most that a pipeline may say.

use crate::place::File;
use crate::reader::{Reader, cut, entries};
use crate::value::{allowed, limits};
use toml::de::DeTable;
use types::{FileGrant, Grants, HttpGrant, Policy, Problem};

/// Reads a policy; `name` is what problems call the text. A table that is not written stays as a new tenant has it; one that
/// is written is the whole of it.
pub fn policy(name: &str, text: &str) -> Result<Policy, Vec<Problem>> {
    let (policy, mut problems) = Reader::document(File::new(name, text), document);
    crate::sort(&mut problems);
    match policy {
        Some(policy) if problems.is_empty() => Ok(policy),
        _ => Err(problems),
    }
}

/// Reads one line of `grants`, such as `http = ["GET https://api.example.com/"]`, that is to add something.
pub fn grant_line(line: &str) -> Result<Grants, Vec<Problem>> {
    let read = |reader: &mut Reader, table: &DeTable<'_>| {
        for (key, span, value) in entries(table) {
            let (truth, list) = (value.get_ref().as_bool(), value.get_ref().as_array());
            if truth == Some(false) || list.is_some_and(|list| list.is_empty()) {
                let hint = "write the policy that it prints without an option to a file, and set it with --file";
                reader.wrong_hinted(span, format!("`{}` takes nothing away: --allow only adds", cut(key)), hint);
            }
        }
        Some(allowed(reader, table))
    };
    match Reader::document(File::new("--allow", line), read) {
        (Some(grants), problems) if problems.is_empty() => Ok(grants),
        (_, problems) => Err(problems),
    }
}

/// The policy as [`policy`] reads it.
pub fn policy_text(policy: &Policy) -> String {
    let mut lines = vec!["[grants]".to_owned()];
    lines.extend(grant_lines(&policy.grants));
    let caps = policy.limits.named();
    if !caps.is_empty() {
        lines.extend([String::new(), "[limits]".to_owned()]);
    }
    lines.extend(caps.into_iter().map(|(key, cap)| match cap {
        types::Quantity::Count(count) => format!("{key} = {count}"),
        cap => format!("{key} = \"{cap}\""),
    }));
    lines.join("\n") + "\n"
}

/// The lines of a `grants` table that grant this; none for what is not granted.
pub fn grant_lines(grants: &Grants) -> Vec<String> {
    let list =
        |key: &str, elements: Vec<String>| (!elements.is_empty()).then(|| format!("{key} = [{}]", elements.join(", ")));
    let truth = |key: &str, granted: bool| granted.then(|| format!("{key} = true"));
    let lines = [
        list("files", grants.files.iter().map(file).collect()),
        list("http", grants.http.iter().map(http).collect()),
        list("environment", grants.environment.iter().map(quoted).collect()),
        truth("clock", grants.clock),
        truth("randomness", grants.randomness),
        list("devices", grants.devices.iter().map(|grant| quoted(grant.to_string())).collect()),
    ];
    lines.into_iter().flatten().collect()
}

fn document(reader: &mut Reader, table: &DeTable<'_>) -> Option<Policy> {
    reader.keys(table, "the policy", &["grants", "limits"]);
    let mut policy = Policy::default();
    if let Some(value) = table.get("grants") {
        policy.grants = reader.table("grants", value).map(|table| allowed(reader, table))?;
    }
    if let Some(value) = table.get("limits") {
        policy.limits = limits(reader, value);
    }
    Some(policy)
}

fn file(grant: &FileGrant) -> String {
    let path = quoted(&grant.path);
    if grant.write { format!("{{ path = {path}, write = true }}") } else { path }
}

fn http(grant: &HttpGrant) -> String {
    let allow = quoted(grant.allow.to_string());
    if grant.secrets.is_empty() && !grant.private {
        return allow;
    }
    let names: Vec<_> = grant.secrets.iter().map(quoted).collect();
    let secrets = if names.is_empty() { String::new() } else { format!(", secrets = [{}]", names.join(", ")) };
    let private = if grant.private { ", private = true" } else { "" };
    format!("{{ allow = {allow}{secrets}{private} }}")
}

/// A TOML string.
fn quoted(text: impl AsRef<str>) -> String {
    toml::Value::String(text.as_ref().to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_back() {
        let text = r#"[grants]
files = [{ path = ".", write = true }, "/srv/data"]
http = ["GET https://api.example.com/v1/", { allow = "* http://*/", secrets = ["A", "B"], private = true }]
environment = ["REGION"]
clock = true
devices = ["cuda:0"]

[limits]
wall = "10 min"
memory = "4 GiB"
handles = 100
"#;
        assert_eq!(policy_text(&policy("policy.toml", text).unwrap()), text);
        for known in [Policy::default(), Policy { grants: Grants::everything(), ..Policy::default() }] {
            assert_eq!(policy("policy.toml", &policy_text(&known)), Ok(known));
        }
        let nothing = Policy { grants: Grants::default(), ..Policy::default() };
        assert_eq!(policy("policy.toml", &policy_text(&nothing)), Ok(nothing));
    }

    #[test]
    fn what_is_not_written_stays_as_it_is() {
        assert_eq!(policy("policy.toml", ""), Ok(Policy::default()));
        let capped = policy("policy.toml", "[limits]\nmemory = \"1 GiB\"").unwrap();
        assert_eq!((capped.grants, capped.limits.memory_bytes), (Grants::of_project(), Some(1 << 30)));
        assert!(policy("policy.toml", "[grants]\nclock = true").unwrap().grants.files.is_empty());
    }

    #[test]
    fn a_line_is_one_of_a_grants_table() {
        assert_eq!(grant_line("clock = true").map(|grants| grants.clock), Ok(true));
        assert_eq!(
            grant_lines(&grant_line("http = [\"GET https://a.example\"]").unwrap()),
            ["http = [\"GET https://a.example/\"]"]
        );
        for wrong in
            ["clock = false", "files = []", "clock", "clok = true", "http = [\"a.example\"]", "[grants]\nclock = true"]
        {
            assert!(grant_line(wrong).is_err(), "{wrong}");
        }
    }
}

//! API keys for a person's eyes: never what they are.

use super::{instant, table};
use server::{KeyLine, KeyState};
use types::EndpointName;

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn endpoints(line: &KeyLine) -> String {
    if line.endpoints.is_empty() { "all".to_owned() } else { joined(line.endpoints.iter().map(ToString::to_string)) }
}

fn state(line: &KeyLine) -> String {
    match (line.state, line.revoked_us, line.expires_us) {
        (KeyState::Revoked, Some(at_us), _) => format!("revoked {}", instant(at_us)),
        (KeyState::Expired, _, Some(at_us)) => format!("expired {}", instant(at_us)),
        (_, _, Some(at_us)) => format!("until {}", instant(at_us)),
        _ => "good".to_owned(),
    }
}

pub(crate) fn key_list(keys: &[KeyLine]) -> String {
    let rows = keys.iter().map(|line| {
        let scopes = joined(line.scopes.iter().map(ToString::to_string));
        let rate = line.rate.map_or_else(|| "any".to_owned(), |rate| rate.to_string());
        vec![line.name.to_string(), scopes, endpoints(line), rate, instant(line.created_us), state(line)]
    });
    table(&["key", "may", "endpoints", "rate", "created", "state"], rows.collect())
}

/// What is said beside a key that was just made.
pub(crate) fn new_key(line: &KeyLine) -> String {
    format!(
        "made the key `{}` for {} of {} endpoints; it is shown this once:\n",
        line.name,
        joined(line.scopes.iter().map(ToString::to_string)),
        endpoints(line)
    )
}

/// What is said of endpoints of a new key that nobody serves: they may be deployed later, or be mistyped.
pub(crate) fn unknown_endpoints(unknown: &[EndpointName], known: &[EndpointName]) -> String {
    let quoted = |names: &[EndpointName]| joined(names.iter().map(|name| format!("`{name}`")));
    let known = if known.is_empty() { "none".to_owned() } else { quoted(known) };
    format!("no endpoint {} is deployed or served so far; those that are: {known}", quoted(unknown))
}

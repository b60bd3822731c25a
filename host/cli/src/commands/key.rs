//! `key`: what applications call endpoints with. A key is printed when it is made, and never again.

use super::{path, told};
use crate::args::{Args, Key};
use crate::outcome::Failure;
use crate::{open, show};
use server::{KeyLine, KeyRequest, NewKey};

pub(crate) async fn key(args: &Args, command: &Key) -> Result<u8, Failure> {
    let mut installation = open::installation(args).await?;
    let client = &mut installation.client;
    match command {
        Key::Create { name, scope, endpoint, expires, rate } => {
            let request = KeyRequest {
                name: name.clone(),
                scopes: scope.iter().copied().collect(),
                endpoints: endpoint.iter().cloned().collect(),
                lasts_ms: *expires,
                rate: *rate,
                by: open::user(),
            };
            let body = serde_json::to_vec(&request).map_err(Failure::ours)?;
            let made: NewKey = client.send("POST", &path(args, "keys"), body).await?;
            if !made.unknown.is_empty() {
                let warning = show::styled("warning", show::BAD);
                anstream::eprintln!("{warning}: {}", show::unknown_endpoints(&made.unknown, &made.known));
            }
            if made.closes {
                let warning = show::styled("warning", show::BAD);
                let tenant = &args.tenant;
                anstream::eprintln!(
                    "{warning}: it is the first of tenant `{tenant}`: whoever has no key is let in no more"
                );
            }
            if !args.json {
                // Beside the key, so that a script takes the key alone.
                anstream::eprint!("{}", show::new_key(&made.line));
            }
            told(args, &made, &format!("{}\n", made.key))
        }
        Key::List => {
            let keys: Vec<KeyLine> = client.get(&path(args, "keys")).await?;
            let none = format!(
                "no keys yet, so whoever reaches the server may ask; `{} key create NAME` makes one\n",
                args.again()
            );
            told(args, &keys, &if keys.is_empty() { none } else { show::key_list(&keys) })
        }
        Key::Revoke { name } => {
            let by = open::user().map(|user| format!("?by={}", encoded(&user))).unwrap_or_default();
            let line: KeyLine = client.send("DELETE", &path(args, &format!("keys/{name}{by}")), Vec::new()).await?;
            told(args, &line, &format!("revoked the key `{name}`: it lets nobody in any more\n"))
        }
    }
}

/// A text as a part of an address.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

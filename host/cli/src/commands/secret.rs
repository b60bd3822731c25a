//! `secret`: values that steps send and never see. A value comes from standard input, so that no history or process list
//! holds it.

use super::{path, told};
use crate::args::{Args, Secret};
use crate::open;
use crate::outcome::Failure;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Read, Stdin};

/// More than the server takes, so that it can say so.
const READ_BYTES_MAX: u64 = (64 << 10) + 2;

pub(crate) async fn secret(args: &Args, command: &Secret) -> Result<u8, Failure> {
    match command {
        Secret::Set { name } => {
            server::secret_name(name).map_err(api::Trouble::from)?;
            let value = read_value(name)?;
            let mut installation = open::installation(args).await?;
            let () = installation.client.send("PUT", &path(args, &format!("secrets/{name}")), value).await?;
            told(args, &serde_json::json!({ "set": name }), &format!("set the secret `{name}`\n"))
        }
        Secret::List => {
            let mut installation = open::installation(args).await?;
            let names: Vec<String> = installation.client.get(&path(args, "secrets")).await?;
            let list: String = names.iter().map(|name| format!("{name}\n")).collect();
            let none = format!("no secrets yet; `{} secret set NAME` sets one\n", args.again());
            told(args, &names, if names.is_empty() { &none } else { &list })
        }
        Secret::Remove { name } => {
            server::secret_name(name).map_err(api::Trouble::from)?;
            let mut installation = open::installation(args).await?;
            let () = installation.client.send("DELETE", &path(args, &format!("secrets/{name}")), Vec::new()).await?;
            told(args, &serde_json::json!({ "removed": name }), &format!("removed the secret `{name}`\n"))
        }
    }
}

/// All of standard input without one line end; a line of it at a terminal, which does not show it.
fn read_value(name: &str) -> Result<Vec<u8>, Failure> {
    let stdin = std::io::stdin();
    let cannot = |error: std::io::Error| Failure::user(format!("cannot read the value of `{name}`: {error}"));
    let mut value = Vec::new();
    if stdin.is_terminal() {
        anstream::eprint!("value of {name}: ");
        let mut line = String::new();
        let _quiet = Quiet::new(&stdin);
        stdin.read_line(&mut line).map_err(cannot)?;
        anstream::eprintln!();
        value = line.into_bytes();
    } else {
        stdin.lock().take(READ_BYTES_MAX).read_to_end(&mut value).map_err(cannot)?;
    }
    if value.ends_with(b"\n") {
        value.pop();
    }
    Ok(value)
}

/// A terminal that does not show what is typed. Dropped, it is as before.
struct Quiet<'a>(&'a Stdin, Option<Termios>);

impl<'a> Quiet<'a> {
    fn new(stdin: &'a Stdin) -> Self {
        let before = tcgetattr(stdin).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            // A terminal that shows it all the same is no reason to refuse the value.
            let _ = tcsetattr(stdin, OptionalActions::Flush, &quiet);
        }
        Self(stdin, before)
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.1 {
            // There is nothing else to try.
            let _ = tcsetattr(self.0, OptionalActions::Flush, before);
        }
    }
}

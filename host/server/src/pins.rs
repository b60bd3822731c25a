//! `stepwell.lock` and the plugins found -> what is pinned from now on, or what nobody agreed to.

use crate::Error;
use manifest::{Lock, LockedPlugin};
use serde::{Deserialize, Serialize};
use std::path::Path;
use types::{Fault, Problem};

/// What may become of a plugin that is pinned already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repin {
    /// It stays as it is.
    #[default]
    Never,
    /// Another may take its place that asks for no more of the world.
    AskingNoMore,
    /// Any other may.
    Any,
}

/// Holds the plugins found against the lock, and pins those that are new. Gives what changed.
pub(crate) fn pin(project: &Path, found: &[(String, LockedPlugin)], repin: Repin) -> Result<Vec<String>, Error> {
    let (lock, news) = pinned(Lock::load(project)?, found, repin)?;
    if !news.is_empty() {
        save(project, &lock)?;
    }
    Ok(news)
}

pub(crate) fn save(project: &Path, lock: &Lock) -> Result<(), Error> {
    Ok(lock.save(project).map_err(|error| Fault::invalid(format!("cannot write `stepwell.lock`: {error}")))?)
}

/// The lock with the plugins found in it, and what is new about it. Pure.
pub(crate) fn pinned(
    mut lock: Lock,
    found: &[(String, LockedPlugin)],
    repin: Repin,
) -> Result<(Lock, Vec<String>), Vec<Problem>> {
    let (mut problems, mut news) = (Vec::new(), Vec::new());
    for (written, plugin) in found {
        match lock.plugins.get(written) {
            Some(locked) if same(locked, plugin) => continue,
            Some(locked) => match refusal(written, locked, plugin, repin) {
                Some(problem) => problems.push(problem),
                None => news.push(told(written, locked, plugin)),
            },
            None => news.push(format!("plugin `{written}` pinned at {}", plugin.digest.short())),
        }
        lock.plugins.insert(written.clone(), plugin.clone());
    }
    if problems.is_empty() { Ok((lock, news)) } else { Err(problems) }
}

/// Which one it is now, and what it asks for that it did not: also of the project's own text, about which nobody is asked.
fn told(written: &str, locked: &LockedPlugin, found: &LockedPlugin) -> String {
    let asks = newly_asked(locked, found);
    let more = if asks.is_empty() { String::new() } else { format!("; it newly asks for {}", asks.join(", ")) };
    format!("plugin `{written}` is now {}{more}", found.digest.short())
}

fn newly_asked(locked: &LockedPlugin, found: &LockedPlugin) -> Vec<String> {
    let asked = types::newly_asked(&locked.imports, &found.imports);
    asked.iter().map(|it| format!("`{}` ({})", it.short(), it.words)).collect()
}

/// Why a plugin may not take the place of the one that is pinned.
fn refusal(written: &str, locked: &LockedPlugin, found: &LockedPlugin, repin: Repin) -> Option<Problem> {
    // A step that is built here is the project's own text, pinned anew when it changes; another's component is not.
    if locked.source.is_some() && found.source.is_some() {
        return None;
    }
    let asks = newly_asked(locked, found);
    match repin {
        Repin::Never => {
            let (expected, got) = (locked.digest.short(), found.digest.short());
            let message =
                format!("plugin `{written}` is not the one that `stepwell.lock` pins: expected {expected}, got {got}");
            Some(Problem::new(message).hinted("accept it with `stepwell check --update-lock`"))
        }
        Repin::AskingNoMore if !asks.is_empty() => {
            let message = format!("plugin `{written}` asks for more than the one that is pinned: {}", asks.join(", "));
            Some(Problem::new(message).hinted("if it should have that, say so with --accept; pipelines grant it still"))
        }
        Repin::AskingNoMore | Repin::Any => None,
    }
}

/// A component built here is the same if its text is: the tool does not give the same bytes twice.
fn same(locked: &LockedPlugin, found: &LockedPlugin) -> bool {
    match (&locked.source, &found.source) {
        (Some(locked), Some(found)) => locked == found,
        _ => locked.digest == found.digest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Digest, Id, PluginName};

    fn plugin(bytes: &str, source: Option<&str>, imports: &[&str]) -> LockedPlugin {
        LockedPlugin {
            name: PluginName::parse("a").unwrap(),
            version: "0.1.0".to_owned(),
            digest: Digest::of(bytes.as_bytes()),
            source: source.map(|text| Digest::of(text.as_bytes())),
            imports: imports.iter().map(|name| format!("stepwell:{name}@0.1.0")).collect(),
        }
    }

    #[test]
    fn who_may_take_the_place_of_whom() {
        use Repin::{Any, AskingNoMore, Never};
        let old = plugin("old", None, &["platform/files"]);
        let (same, more) = (&["platform/files"][..], &["platform/files", "platform/http"][..]);
        for (found, repin, refused) in [
            (plugin("old", None, same), Never, None),
            (plugin("new", None, same), Never, Some("not the one")),
            (plugin("new", None, more), Never, Some("not the one")),
            (plugin("new", None, same), AskingNoMore, None),
            (plugin("new", None, &["tensor/tensors"]), AskingNoMore, None),
            (plugin("new", None, more), AskingNoMore, Some("asks for more than the one that is pinned: `http`")),
            (plugin("new", None, more), Any, None),
            // Built here, in place of another's component.
            (plugin("new", Some("text"), more), AskingNoMore, Some("`http`")),
        ] {
            let lock = Lock { plugins: [("a".to_owned(), old.clone())].into() };
            let got = pinned(lock, &[("a".to_owned(), found.clone())], repin);
            match (got, refused) {
                (Ok((lock, _)), None) => assert_eq!(lock.plugins["a"], found),
                (Err(problems), Some(words)) => assert!(problems[0].message.contains(words), "{problems:?}"),
                (got, _) => panic!("{repin:?}, {found:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn what_is_built_here_is_known_by_its_text() {
        let built = |bytes, text, imports: &[&str]| plugin(bytes, Some(text), imports);
        let lock = || Lock { plugins: [("a".to_owned(), built("one", "text", &["platform/files"]))].into() };
        let news = |found| pinned(lock(), &[("a".to_owned(), found)], Repin::Never).unwrap().1;
        let is_now = format!("plugin `a` is now {}", Digest::of(b"two").short());
        assert_eq!(news(built("two", "text", &["platform/files"])), [""; 0]);
        assert_eq!(news(built("two", "other text", &["platform/files"])), std::slice::from_ref(&is_now));
        const CLOCK: &str = "reads the real time, where a pipeline grants it";
        // It is not asked about, and told.
        let more = built("two", "other text", &["platform/files", "platform/clock", "tensor/tensors"]);
        assert_eq!(news(more), [format!("{is_now}; it newly asks for `clock` ({CLOCK})")]);
    }
}

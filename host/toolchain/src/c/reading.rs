//! What the compiler read for an object -> whether all of it was the plugin's, the SDK's or the C library's.
//!
//! `#include` and `#embed` take any path that the compiler can open, and what they bring ends in the component: a stranger's
//! step would take home a file that no grant opened. The wall is [`crate::cell`]; this says in words what went wrong within
//! it, and is all there is where the kernel has no Landlock. It can be deceived: the list does not tell `\` from `/`.

use std::path::{Path, PathBuf};
use types::Fault;

/// Refuses what was read from elsewhere. `rule` is the compiler's list of dependencies, as make reads it.
pub(super) fn check(rule: &str, folder: &Path, roots: &[PathBuf], what: &str) -> Result<(), Fault> {
    let roots = roots.iter().map(|root| root.canonicalize()).collect::<Result<Vec<_>, _>>().map_err(Fault::host)?;
    for name in dependencies(rule) {
        let file = folder.join(&name).canonicalize().map_err(Fault::host)?;
        if !roots.iter().any(|root| file.starts_with(root)) {
            let fault = Fault::invalid(format!("{what}: it reads `{name}`, which is no file of the plugin's"));
            return Err(
                fault.hinted("#include and #embed bring files beneath the step's folder, the C library and stepwell.h")
            );
        }
    }
    Ok(())
}

/// The names behind the rule's colon: between blanks, a backslash before what would end them, a dollar twice.
fn dependencies(rule: &str) -> Vec<String> {
    let rule = rule.replace("\\\n", " ");
    let (_, list) = rule.split_once(": ").unwrap_or_default();
    let (mut names, mut name) = (Vec::new(), String::new());
    let mut letters = list.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\\', Some(' ' | '#')) | ('$', Some('$')) => name.extend(letters.next()),
            (' ' | '\n', _) => names.push(std::mem::take(&mut name)),
            _ => name.push(letter),
        }
    }
    names.push(name);
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_make_is_read() {
        let rule = "c.o: /a/c.c /a/sp\\ ace$$x\\#y/q.h \\\n  b\\c.h\n";
        assert_eq!(dependencies(rule), ["/a/c.c", "/a/sp ace$x#y/q.h", "b\\c.h"]);
        assert!(dependencies("").is_empty() && dependencies("a.o:\n").is_empty());
    }

    #[test]
    fn what_lies_elsewhere_is_named() {
        let (within, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (own, other) = (within.path().join("a.c"), elsewhere.path().join("key"));
        std::fs::write(&own, "").unwrap();
        std::fs::write(&other, "").unwrap();
        std::os::unix::fs::symlink(&other, within.path().join("link.h")).unwrap();
        let checked = |name: &str| check(&format!("a.o: {name}\n"), within.path(), &[within.path().into()], "building");
        assert_eq!((checked("a.c"), checked(own.to_str().unwrap())), (Ok(()), Ok(())));
        for name in [other.to_str().unwrap(), "link.h", "../../../etc/passwd", "/proc/self/environ"] {
            assert!(checked(name).is_err(), "{name}");
        }
    }
}

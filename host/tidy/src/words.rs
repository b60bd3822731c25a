//! What must not stand in the tree: work put off, tests switched off, and places that exist on one machine only.

use crate::Offence;
use crate::tree::File;

/// In pieces, so that this file does not offend itself.
const PUT_OFF: [&str; 3] = [concat!("#[", "ignore"), concat!("to", "do!"), concat!("unimple", "mented!")];
const REGISTRIES: [&str; 5] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
];
const MACHINES: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// Work put off and tests switched off, in Rust.
pub fn put_off(files: &[File]) -> Vec<Offence> {
    let rust = files.iter().filter(|file| file.is("rs"));
    rust.flat_map(|file| offending(file, |line| PUT_OFF.into_iter().find(|word| line.contains(word)))).collect()
}

/// Hosts of package registries: where packages come from is each user's configuration.
pub fn registries(files: &[File]) -> Vec<Offence> {
    let find = |line: &str| REGISTRIES.into_iter().find(|host| line.contains(host));
    files.iter().filter(|file| !is_lock(file)).flat_map(|file| offending(file, find)).collect()
}

/// Absolute paths into somebody's folders.
pub fn machine_paths(files: &[File]) -> Vec<Offence> {
    let find = |line: &str| MACHINES.into_iter().find(|path| stands_alone(line, path));
    files.iter().filter(|file| !is_lock(file)).flat_map(|file| offending(file, find)).collect()
}

/// Whether a path begins there, and is not the middle of a longer one.
fn stands_alone(line: &str, path: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-~*>})".contains(c);
    line.match_indices(path).any(|(i, _)| !line[..i].ends_with(inside))
}

fn is_lock(file: &File) -> bool {
    file.path.ends_with(".lock") || file.path.ends_with("-lock.json")
}

fn offending(file: &File, find: impl Fn(&str) -> Option<&'static str>) -> Vec<Offence> {
    file.lines().filter_map(|(n, line)| Some(Offence::new(&file.path, n, format!("`{}`", find(line)?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(offences: &[Offence]) -> Vec<&str> {
        offences.iter().map(|offence| offence.place.as_str()).collect()
    }

    #[test]
    fn each_word_is_found() {
        for word in PUT_OFF {
            assert_eq!(places(&put_off(&[File::new("a.rs", &format!("x\n {word}()"))])), ["a.rs:2"], "{word}");
            assert_eq!(put_off(&[File::new("a.md", word)]), [], "only Rust is searched");
        }
        for host in REGISTRIES {
            let text = format!("see index.{host}/a");
            assert_eq!(places(&registries(&[File::new("a.py", &text), File::new("b/Cargo.lock", &text)])), ["a.py:1"]);
        }
        for path in MACHINES {
            let text = format!("x = \"{path}a\"\n{path}b");
            assert_eq!(places(&machine_paths(&[File::new("a.toml", &text)])), ["a.toml:1", "a.toml:2"], "{path}");
        }
    }

    #[test]
    fn the_middle_of_a_path_is_no_machine() {
        for text in [format!("a{}b", MACHINES[2]), format!("../a{}b", MACHINES[1]), format!("{{dir}}{}b", MACHINES[0])]
        {
            assert_eq!(machine_paths(&[File::new("a.md", &text)]), [], "{text}");
        }
    }
}

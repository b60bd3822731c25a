//! Files as modules: each says what it is for, has a name of its own, and is compiled.

use crate::Offence;
use crate::tree::File;

/// Names that say nothing of what is inside.
const BANNED: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "manager", "misc", "stuff"];

/// Sources without a `//!` before their first item.
pub fn without_doc(files: &[File]) -> Vec<Offence> {
    let sources = files.iter().filter(|file| file.is("rs") && is_module(&file.path));
    sources.filter(|file| !has_doc(&file.text)).map(|file| Offence::new(&file.path, 1, "has no module doc")).collect()
}

/// `host/*/src`, `plugins/*/src`, `sdk/rust/src`, `xtask/src`, and test guests as far as they have one.
fn is_module(path: &str) -> bool {
    let ours = ["host/", "plugins/", "sdk/rust/", "xtask/"].iter().any(|folder| path.starts_with(folder));
    ours && path.split('/').any(|part| part == "src")
}

/// A licence line or an attribute may stand before it.
fn has_doc(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).skip_while(|line| line.is_empty() || line.starts_with("#!["));
    lines.next().is_some_and(|line| line.starts_with("//!"))
}

/// Files and folders under a banned name.
pub fn nameless(files: &[File]) -> Vec<Offence> {
    let banned = |file: &File| file.path.split('/').find(|part| BANNED.contains(&stem(part))).map(str::to_owned);
    files
        .iter()
        .filter_map(|file| Some(Offence::new(&file.path, 1, format!("`{}` says nothing", banned(file)?))))
        .collect()
}

fn stem(part: &str) -> &str {
    part.split_once('.').map_or(part, |(stem, _)| stem)
}

/// Rust files that no `mod` of their crate names: they would stand in the tree and never be compiled.
pub fn never_compiled(files: &[File]) -> Vec<Offence> {
    let folders: Vec<&str> =
        files.iter().filter(|file| file.stem() == "Cargo" && file.is("toml")).map(File::folder).collect();
    let rust: Vec<(&str, &File)> =
        files.iter().filter(|file| file.is("rs")).filter_map(|file| Some((crate_of(&folders, file)?, file))).collect();
    let declared =
        |name: &str, within: &str| rust.iter().any(|(folder, file)| *folder == within && declares(&file.text, name));
    let is_root = |folder, path| is_root_of_target(folder, path) || is_template(path) || is_example(path);
    let modules = rust.iter().filter(|(folder, file)| !is_root(folder, &file.path));
    modules
        .filter(|(folder, file)| !declared(module_name(file), folder))
        .map(|(_, file)| Offence::new(&file.path, 1, format!("no `mod {}` names it", module_name(file))))
        .collect()
}

/// The folder of the crate that a file belongs to: the nearest one with a manifest.
fn crate_of<'a>(folders: &[&'a str], file: &File) -> Option<&'a str> {
    let within = |folder: &&&str| folder.is_empty() || file.path.starts_with(&format!("{folder}/"));
    folders.iter().filter(within).max_by_key(|folder| folder.len()).copied()
}

/// What cargo finds by itself: `src/lib.rs`, `src/main.rs`, `tests/NAME.rs`, `tests/NAME/main.rs` and their like.
fn is_root_of_target(folder: &str, path: &str) -> bool {
    let path = path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] => true,
        ["tests" | "examples" | "benches", name] => name.ends_with(".rs"),
        ["tests" | "examples" | "benches", _, "main.rs"] | ["src", "bin", ..] => true,
        _ => false,
    }
}

/// What pages of the contract show; the tests of its kept plugin compile each, and hold that they do.
fn is_example(path: &str) -> bool {
    path.starts_with("docs/contract/examples/")
}

/// What `stepwell plugin new` writes; the tests of `cli` compile it where it was written to.
fn is_template(path: &str) -> bool {
    path.starts_with("sdk/rust/template/")
}

/// `a/mod.rs` is the module `a`.
fn module_name(file: &File) -> &str {
    match file.stem() {
        "mod" => file.folder().rsplit('/').next().unwrap_or_default(),
        stem => stem,
    }
}

fn declares(text: &str, name: &str) -> bool {
    let declaration = format!("mod {name};");
    text.lines().any(|line| {
        let line = line.trim_start();
        line.strip_suffix(&declaration).is_some_and(|before| before.is_empty() || before.starts_with("pub"))
    })
}

/// Manifests that switch the finding of tests off.
pub fn hidden_tests(files: &[File]) -> Vec<Offence> {
    let manifests = files.iter().filter(|file| file.stem() == "Cargo" && file.is("toml"));
    let off = |line: &str| line.starts_with("autotests") && line.contains("false");
    manifests
        .flat_map(|file| file.lines().filter(|(_, line)| off(line)).map(|(n, line)| Offence::new(&file.path, n, line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(offences: &[Offence]) -> Vec<&str> {
        offences.iter().map(|offence| offence.place.as_str()).collect()
    }

    #[test]
    fn a_module_says_first_what_it_is_for() {
        let files = [
            File::new("host/a/src/lib.rs", "#![no_std]\n\n//! A.\n"),
            File::new("host/a/src/b/c.rs", "use x;\n//! late\n"),
            File::new("xtask/src/main.rs", ""),
            File::new("host/a/tests/t.rs", "fn t() {}"),
        ];
        assert_eq!(places(&without_doc(&files)), ["host/a/src/b/c.rs:1", "xtask/src/main.rs:1"]);
    }

    #[test]
    fn a_name_says_something() {
        let files = ["host/a/src/utils.rs", "host/common/src/lib.rs", "host/a/src/commonly.rs", "README.md"];
        let files = files.map(|path| File::new(path, ""));
        assert_eq!(places(&nameless(&files)), ["host/a/src/utils.rs:1", "host/common/src/lib.rs:1"]);
    }

    #[test]
    fn a_file_that_no_module_names_is_found() {
        let files = [
            File::new("Cargo.toml", ""),
            File::new("host/a/Cargo.toml", ""),
            File::new("host/a/src/lib.rs", "pub(crate) mod used;\nmod folder;\n// mod forgotten;\n"),
            File::new("host/a/src/used.rs", ""),
            File::new("host/a/src/folder/mod.rs", ""),
            File::new("host/a/src/forgotten.rs", ""),
            File::new("host/a/tests/t.rs", ""),
            File::new("host/a/tests/suite/main.rs", "mod one;"),
            File::new("host/a/tests/suite/one.rs", ""),
            File::new("host/a/tests/suite/two.rs", ""),
            File::new("host/b/Cargo.toml", ""),
            File::new("host/b/src/lib.rs", "mod forgotten;"),
            File::new("sdk/rust/Cargo.toml", ""),
            File::new("sdk/rust/template/fitted.rs", ""),
        ];
        assert_eq!(places(&never_compiled(&files)), ["host/a/src/forgotten.rs:1", "host/a/tests/suite/two.rs:1"]);
    }

    #[test]
    fn tests_are_found_by_cargo() {
        let files = [
            File::new("host/a/Cargo.toml", "[package]\nautotests = false\n"),
            File::new("b.toml", "autotests = false"),
        ];
        assert_eq!(places(&hidden_tests(&files)), ["host/a/Cargo.toml:2"]);
    }
}

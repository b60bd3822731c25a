//! `wit/` -> `docs/contract`, a page an interface: its words, types and functions, and an example.
//!
//! The WIT of this repository is one item a line and ends blocks on lines of their own, so its text is enough: what a page
//! shows is what stands there, word for word.

use crate::places;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Packages in the order in which a person reads them.
const PACKAGES: [&str; 4] = ["step", "data", "tensor", "platform"];
/// Interfaces whose example is what `stepwell plugin new` begins with.
const TEMPLATES: [(&str, &str); 8] = [
    ("step-collector", "sdk/rust/template/collector.rs"),
    ("step-transformer", "sdk/rust/template/transformer.rs"),
    ("step-fitted", "sdk/rust/template/fitted.rs"),
    ("step-validator", "sdk/rust/template/validator.rs"),
    ("step-trainer", "sdk/rust/template/learner.rs"),
    ("step-predictor", "sdk/rust/template/learner.rs"),
    ("step-evaluator", "sdk/rust/template/evaluator.rs"),
    ("step-sink", "sdk/rust/examples/announce.rs"),
];

/// An interface of the contract.
#[derive(Debug, Default, PartialEq)]
struct Interface {
    name: String,
    docs: String,
    /// `use` lines, as they are.
    uses: Vec<String>,
    /// Records, variants and enums, as they are.
    types: Vec<Item>,
    functions: Vec<Item>,
}

/// A type or function with its words.
#[derive(Debug, Default, PartialEq)]
struct Item {
    /// `read`, `table.read`.
    name: String,
    docs: String,
    /// As it stands, without annotations.
    text: String,
}

/// Writes every page that is not as it should be. Gives their paths.
pub(crate) fn write() -> Result<Vec<String>> {
    let mut written = Vec::new();
    for (path, text) in pages(places::root())? {
        let file = places::root().join(&path);
        if std::fs::read_to_string(&file).is_ok_and(|there| there == text) {
            continue;
        }
        std::fs::create_dir_all(file.parent().unwrap_or(places::root()))?;
        std::fs::write(&file, text).with_context(|| format!("cannot write `{path}`"))?;
        written.push(path);
    }
    Ok(written)
}

/// The one version that all packages of `wit/` have.
pub(crate) fn version() -> Result<String> {
    let mut versions: Vec<String> = Vec::new();
    for package in PACKAGES {
        versions.push(source(places::root(), package)?.0);
    }
    versions.dedup();
    match versions.as_slice() {
        [version] => Ok(version.clone()),
        several => bail!("the packages of `wit/` have several versions: {}", several.join(", ")),
    }
}

/// The newest version of a package, and its text.
fn source(root: &Path, package: &str) -> Result<(String, String)> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root.join("wit"))?.map(|it| Ok(it?.path())).collect::<Result<_>>()?;
    folders.sort();
    let version = |folder: &PathBuf| {
        let (name, version) = folder.file_name()?.to_str()?.split_once('@')?;
        (name == package).then(|| version.to_owned())
    };
    let newest = folders.iter().rev().find_map(|folder| Some((version(folder)?, folder)));
    let (version, folder) = newest.with_context(|| format!("`wit/` has no package `{package}`"))?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|it| Ok(it?.path())).collect::<Result<_>>()?;
    // The file that is named after the package comes first.
    files.sort_by_key(|file| (file.file_stem() != Some(package.as_ref()), file.clone()));
    let read = |file| std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", places::shown(file)));
    Ok((version, files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?.join("\n")))
}

/// Every page by its path, the first one a list of the others.
fn pages(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    let mut index = "# The contract\n\nA page an interface, made of `wit/` by `cargo xtask contract`.\n".to_owned();
    for package in PACKAGES {
        let (version, text) = source(root, package)?;
        writeln!(index, "\n## `stepwell:{package}@{version}`\n")?;
        for interface in interfaces(&text) {
            let page = format!("{package}-{}", interface.name);
            let first = interface.docs.split(". ").next().unwrap_or_default().trim_end_matches('.').replace('\n', " ");
            writeln!(
                index,
                "- [{}]({page}.md){}",
                interface.name,
                if first.is_empty() { String::new() } else { format!(": {first}") }
            )?;
            let title = format!("stepwell:{package}/{}@{version}", interface.name);
            let text = shown(&title, &interface, &example(root, &page)?);
            pages.insert(format!("docs/contract/{page}.md"), text);
        }
    }
    pages.insert("docs/contract/README.md".to_owned(), index);
    Ok(pages)
}

/// The example of a page: its path and text.
fn example(root: &Path, page: &str) -> Result<(String, String)> {
    let own = ["rs", "py"].map(|end| format!("docs/contract/examples/{page}.{end}"));
    let template = TEMPLATES.iter().filter(|(name, _)| *name == page).map(|(_, path)| (*path).to_owned());
    let path = own.into_iter().chain(template).find(|path| root.join(path).is_file());
    let path =
        path.with_context(|| format!("the page `{page}` lacks its example, docs/contract/examples/{page}.rs"))?;
    let text = std::fs::read_to_string(root.join(&path))?;
    // A plugin's own unit tests are another matter.
    let text = text.split("\n#[cfg(test)]").next().unwrap_or_default().trim_end().to_owned();
    Ok((path, text))
}

fn shown(title: &str, interface: &Interface, (path, example): &(String, String)) -> String {
    let mut page = format!("# `{title}`\n\n");
    let mut part = |text: &str| {
        if !text.is_empty() {
            page.push_str(text);
            page.push_str("\n\n");
        }
    };
    part(&interface.docs);
    let uses: Vec<String> = interface.uses.iter().map(|line| used(title, line)).collect();
    part(&if uses.is_empty() { String::new() } else { format!("Uses {}.", uses.join("; ")) });
    for (heading, items) in [("## Types", &interface.types), ("## Functions", &interface.functions)] {
        if !items.is_empty() {
            part(heading);
        }
        for item in items {
            part(&format!("### `{}`", item.name));
            part(&item.docs);
            part(&format!("```wit\n{}\n```", item.text));
            part(&signature(&item.text));
        }
    }
    let language = if path.ends_with(".py") { "python" } else { "rust" };
    part(&format!("## Example\n\n```{language}\n{example}\n```"));
    part(&format!("From [{path}](../../{path})."));
    format!("{}\n", page.trim_end())
}

/// `use stepwell:data/tables@0.1.0.{table};` as words with a link.
fn used(title: &str, line: &str) -> String {
    let line = line.trim_start_matches("use ").trim_end_matches(';');
    let (from, names) = line.split_once(".{").unwrap_or((line, ""));
    let names = names.trim_end_matches('}');
    let from = from.split('@').next().unwrap_or(from).trim_start_matches("stepwell:");
    let own = title.trim_start_matches("stepwell:").split('/').next().unwrap_or_default();
    let page = if from.contains('/') { from.replace('/', "-") } else { format!("{own}-{from}") };
    format!("`{names}` of [{page}]({page}.md)")
}

/// What goes in and what comes out of a function, as a table; nothing of a type.
fn signature(text: &str) -> String {
    let Some((_, rest)) = text.split_once("func(") else { return String::new() };
    let (arguments, result) = match rest.split_once(") -> ") {
        Some((arguments, result)) => (arguments, result.trim_end_matches(';')),
        None => (rest.trim_end_matches(';').trim_end_matches(')'), ""),
    };
    let (result, error) = match result.strip_prefix("result<").and_then(|it| it.strip_suffix('>')) {
        Some(both) => both.rsplit_once(", ").unwrap_or((both, "")),
        None => (result, ""),
    };
    let mut rows = String::from("| | type |\n|---|---|\n");
    for argument in split(arguments) {
        let (name, kind) = argument.split_once(": ").unwrap_or((argument, ""));
        rows.push_str(&format!("| `{name}` | `{kind}` |\n"));
    }
    let given = if result.is_empty() || result == "_" { "nothing".to_owned() } else { format!("`{result}`") };
    rows.push_str(&format!("| gives | {given} |\n"));
    let errors = if error.is_empty() { "none" } else { "[`error`](platform-errors.md)" };
    rows.push_str(&format!("| errors | {errors} |"));
    rows
}

/// At the commas that stand in no brackets.
fn split(arguments: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in arguments.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(arguments[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(arguments[start..].trim());
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// The interfaces of a package's text, in its order.
fn interfaces(text: &str) -> Vec<Interface> {
    let mut found: Vec<Interface> = Vec::new();
    let mut docs: Vec<&str> = Vec::new();
    // The interface and the resource that are open.
    let (mut open, mut resource) = (false, None::<String>);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let bare = line.trim();
        match (bare.strip_prefix("///"), bare.strip_prefix("interface "), found.last_mut()) {
            (Some(words), ..) => docs.push(words.trim()),
            (None, Some(name), _) => {
                let name = name.trim_end_matches(" {").to_owned();
                found.push(Interface { name, docs: std::mem::take(&mut docs).join("\n"), ..Interface::default() });
                open = true;
            }
            (None, None, Some(interface)) if open => {
                let indent = line.len() - bare.len();
                let item = |name: &str, text: String, docs: &mut Vec<&str>| Item {
                    name: resource.iter().fold(name.to_owned(), |name, resource| format!("{resource}.{name}")),
                    docs: std::mem::take(docs).join("\n"),
                    text,
                };
                let words: Vec<&str> = bare.split([' ', ':']).collect();
                match words[0] {
                    "" => docs.clear(),
                    "}" if resource.is_some() => resource = None,
                    "}" => open = false,
                    "use" => interface.uses.push(bare.to_owned()),
                    "resource" => {
                        interface.types.push(item(words[1], format!("resource {}", words[1]), &mut docs));
                        resource = Some(words[1].to_owned());
                    }
                    "record" | "variant" | "enum" => {
                        let text = block(bare, &mut lines, indent);
                        interface.types.push(item(words[1], text, &mut docs));
                    }
                    word if word.starts_with('@') => {}
                    name => interface.functions.push(item(name, bare.to_owned(), &mut docs)),
                }
            }
            // Worlds and what stands between interfaces.
            (None, None, _) if bare.starts_with('@') => {}
            (None, None, _) => docs.clear(),
        }
    }
    found
}

/// A block from its first line to its closing brace, as far to the left as it goes.
fn block(first: &str, lines: &mut std::str::Lines<'_>, indent: usize) -> String {
    let mut text = first.to_owned();
    if first.ends_with('}') {
        return text;
    }
    for line in lines.by_ref() {
        text.push('\n');
        text.push_str(line.get(indent..).unwrap_or_default());
        if line.trim() == "}" {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_those_of_the_contract() {
        for (path, text) in pages(places::root()).unwrap() {
            let there = std::fs::read_to_string(places::root().join(&path)).unwrap_or_default();
            assert!(there == text, "`{path}` is not what `wit/` says: run `cargo xtask contract`");
        }
    }

    #[test]
    fn every_function_of_the_contract_stands_on_a_page() {
        for package in PACKAGES {
            let (_, text) = source(places::root(), package).unwrap();
            let found = interfaces(&text);
            let functions: usize = found.iter().map(|interface| interface.functions.len()).sum();
            assert_eq!(functions, text.matches("func(").count(), "{package}");
            let named = text.lines().filter(|line| line.starts_with("interface ")).count();
            assert_eq!(found.len(), named, "{package}");
            let blocks = ["record ", "variant ", "enum ", "resource "];
            let types = text.lines().filter(|line| blocks.iter().any(|word| line.trim().starts_with(word))).count();
            assert_eq!(found.iter().map(|interface| interface.types.len()).sum::<usize>(), types, "{package}");
        }
    }

    #[test]
    fn a_signature_is_taken_apart() {
        for (text, rows) in [
            ("a: func();", "| gives | nothing |\n| errors | none |"),
            ("a: func() -> u64;", "| gives | `u64` |\n| errors | none |"),
            (
                "a: static func(x: list<tuple<string, u8>>, y: u32) -> result<_, error>;",
                "| `x` | `list<tuple<string, u8>>` |\n| `y` | `u32` |\n| gives | nothing |\n| errors | [`error`](platform-errors.md) |",
            ),
        ] {
            assert_eq!(signature(text), format!("| | type |\n|---|---|\n{rows}"), "{text}");
        }
        assert_eq!(signature("record a { b: u8 }"), "");
    }
}

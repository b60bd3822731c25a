//! `stepwell.lock` <-> [`Lock`]: which component each plugin of the manifest stands for.

use crate::place::File;
use crate::reader::{Reader, Value, cut, entries};
use crate::sources::{text_beneath, unreadable, write_file};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use toml::de::DeTable;
use types::{Digest, PluginName, Problem};

/// The file's name.
pub const LOCK_FILE: &str = "stepwell.lock";

const HEADER: &str =
    "# Written by `stepwell`, not by hand: the component that each plugin of this project stands for.\n";

/// The plugins of a project, pinned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// By what the manifest writes: `csv`, `./steps/derive.py`.
    pub plugins: BTreeMap<String, LockedPlugin>,
}

/// A component by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockedPlugin {
    pub name: PluginName,
    pub version: String,
    pub digest: Digest,
    /// Of the text that the component was built from, if it was built here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Digest>,
    /// What it imports: its request for capabilities, as it was accepted.
    pub imports: Vec<String>,
}

impl Lock {
    /// The lock of a project's folder; empty if there is none yet.
    pub fn load(folder: &Path) -> Result<Self, Vec<Problem>> {
        match text_beneath(folder, LOCK_FILE) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(vec![unreadable(LOCK_FILE, &error)]),
        }
    }

    /// From the file's text.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let (lock, mut problems) = Reader::document(File::new(LOCK_FILE, text), lock);
        crate::sort(&mut problems);
        let hint = |problem: Problem| problem.hinted("remove `stepwell.lock`; the next run writes it anew");
        match lock {
            Some(lock) if problems.is_empty() => Ok(lock),
            _ => Err(problems.into_iter().map(hint).collect()),
        }
    }

    /// The file's text: sorted, and the same for the same lock.
    pub fn to_text(&self) -> String {
        // Maps of text to text always have a TOML form.
        format!("{HEADER}\n{}", toml::to_string(self).unwrap_or_default())
    }

    /// Writes the file, whole or not at all.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        write_file(&folder.join(LOCK_FILE), self.to_text().as_bytes())
    }
}

fn lock(reader: &mut Reader, table: &DeTable<'_>) -> Option<Lock> {
    reader.keys(table, "the lock", &["plugins"]);
    let mut lock = Lock::default();
    let Some(value) = table.get("plugins") else { return Some(lock) };
    for (key, _, value) in entries(reader.table("plugins", value)?) {
        if let Some(plugin) = plugin(reader, key, value) {
            lock.plugins.insert(key.to_owned(), plugin);
        }
    }
    Some(lock)
}

fn plugin(reader: &mut Reader, key: &str, value: &Value<'_>) -> Option<LockedPlugin> {
    let table = reader.table(key, value)?;
    reader.keys(table, "a locked plugin", &["name", "version", "digest", "source", "imports"]);
    let name = required(reader, table, key, value, "name").and_then(|(text, value)| reader.id(text, value.span()));
    let version = required(reader, table, key, value, "version").map(|(text, _)| text.to_owned());
    let component = required(reader, table, key, value, "digest").and_then(|(text, value)| digest(reader, text, value));
    let source = table.get("source").map(|value| {
        let text = reader.text("source", value)?;
        digest(reader, text, value)
    });
    // A lock without them was written before they were kept: nothing was accepted yet.
    let imports = table.get("imports").map(|value| reader.names("imports", value));
    let imports = imports.unwrap_or(Some(Vec::new()));
    Some(LockedPlugin {
        name: name?,
        version: version?,
        digest: component?,
        source: source.flatten(),
        imports: imports?,
    })
}

fn required<'v, 't>(
    reader: &mut Reader,
    table: &'v DeTable<'t>,
    plugin: &str,
    whole: &Value<'_>,
    key: &str,
) -> Option<(&'v str, &'v Value<'t>)> {
    let Some(value) = table.get(key) else {
        reader.wrong(whole.span(), format!("locked plugin `{}` has no `{key}`", cut(plugin)));
        return None;
    };
    Some((reader.text(key, value)?, value))
}

fn digest(reader: &mut Reader, text: &str, value: &Value<'_>) -> Option<Digest> {
    let digest = Digest::parse(text);
    if digest.is_none() {
        reader.wrong(value.span(), format!("`{}` is not a digest, expected 64 hexadecimal digits", cut(text)));
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use types::Id;

    fn sample() -> Lock {
        let plugin = |name: &str, source| LockedPlugin {
            name: PluginName::parse(name).unwrap(),
            version: "0.1.0".into(),
            digest: Digest::of(name.as_bytes()),
            source,
            imports: vec!["stepwell:data/tables@0.1.0".into()],
        };
        let source = Some(Digest::of(b"text"));
        let plugins = [("csv", plugin("csv", None)), ("./steps/a \"b\".py", plugin("derive", source))];
        Lock { plugins: plugins.map(|(key, plugin)| (key.to_owned(), plugin)).into() }
    }

    #[test]
    fn written_and_read_back() {
        let lock = sample();
        expect![[r##"
            # Written by `stepwell`, not by hand: the component that each plugin of this project stands for.

            [plugins.'./steps/a "b".py']
            name = "derive"
            version = "0.1.0"
            digest = "00f243bcaffae2ee20390658060b8731b27ccb5ee88d2a1906a8f60a8dcba8e8"
            source = "831c6831fdc9a309a4c66cc3cb2fa3740a100da8b86d6fe86e9ba40deb50aa19"
            imports = ["stepwell:data/tables@0.1.0"]

            [plugins.csv]
            name = "csv"
            version = "0.1.0"
            digest = "62b5715e157f0687024a16a60c3dc844e84ac8f2f8107b10c3c2ebfd56deb453"
            imports = ["stepwell:data/tables@0.1.0"]
        "##]]
        .assert_eq(&lock.to_text());
        assert_eq!(Lock::parse(&lock.to_text()), Ok(lock));
    }

    #[test]
    fn saved_and_loaded() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Lock::load(folder.path()), Ok(Lock::default()));
        sample().save(folder.path()).unwrap();
        assert_eq!(Lock::load(folder.path()), Ok(sample()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn strict() {
        for wrong in [
            "x = 1",
            "plugins = 1",
            "[plugins.csv]",
            "[plugins.csv]\nname = \"csv\"\nversion = \"1\"\ndigest = \"12\"",
            "[plugins.csv]\nname = \"csv\"\nversion = \"1\"\ndigest = \"12\"\nextra = 1",
        ] {
            assert!(Lock::parse(wrong).is_err(), "{wrong}");
        }
    }
}

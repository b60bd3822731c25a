//! A name, a language and a role -> a folder with a plugin that builds. Written whole or not at all.

use crate::carried::File;
use crate::{Language, vendored};
use std::path::{Path, PathBuf};
use types::{Fault, Role};

/// What stands for the plugin's name in templates.
const NAME: &str = "my-plugin";
/// Names that SDKs have.
const TAKEN: [&str; 1] = ["stepwell"];

/// Writes a new plugin as `NAME` in a folder. Gives where.
pub fn write(within: &Path, name: &str, language: &Language, role: Role) -> Result<PathBuf, Fault> {
    check(name)?;
    placed(within, name, language, &(language.template)(role))
}

/// Writes the language's z-score as the plugin `zscore` in a folder. Gives its folder, and the file in it that is the step.
pub fn example(within: &Path, language: &Language) -> Result<(PathBuf, PathBuf), Fault> {
    const EXAMPLE: &str = "zscore";
    let folder = placed(within, EXAMPLE, language, language.example)?;
    let step = language.example.first().map(|(path, _)| folder.join(path.replace(NAME, EXAMPLE)));
    Ok((folder.clone(), step.unwrap_or(folder)))
}

fn placed(within: &Path, name: &str, language: &Language, template: &[File]) -> Result<PathBuf, Fault> {
    let folder = within.join(name);
    if std::fs::symlink_metadata(&folder).is_ok() {
        let fault = Fault::invalid(format!("`{}` is there already; nothing was written", folder.display()));
        return Err(fault.hinted("choose another name, or remove it"));
    }
    let draft = within.join(format!(".{name}.{}", crate::draft()));
    let written = files(&draft, name, language, template).and_then(|()| {
        let cannot = |error| Fault::invalid(format!("cannot make `{}`: {error}", folder.display()));
        std::fs::rename(&draft, &folder).map_err(cannot)
    });
    if written.is_err() {
        // What could not be written may not be there to remove.
        let _ = std::fs::remove_dir_all(&draft);
    }
    written.map(|()| folder)
}

fn files(folder: &Path, name: &str, language: &Language, template: &[File]) -> Result<(), Fault> {
    for (path, text) in template {
        let file = folder.join(path.replace(NAME, name));
        let made = std::fs::create_dir_all(file.parent().unwrap_or(folder));
        let written = made.and_then(|()| std::fs::write(&file, text.replace(NAME, name)));
        written.map_err(|error| Fault::invalid(format!("cannot write `{}`: {error}", file.display())))?;
    }
    vendored::renew(folder, language.sdk)
}

/// A name that every SDK takes: it is a folder, a package and what the plugin calls itself.
fn check(name: &str) -> Result<(), Fault> {
    let legal = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let is_sound = (1..=64).contains(&name.len())
        && name.chars().all(legal)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--");
    if is_sound && !TAKEN.contains(&name) {
        return Ok(());
    }
    let shown: String = name.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if is_sound {
        return Err(Fault::invalid(format!("`{shown}` is the SDK's own name")).hinted("say what the plugin does"));
    }
    let message = format!("`{shown}` is not a plugin's name: expected 1 to 64 of `a-z 0-9 -`, beginning with a letter");
    let near = nearest_sound(name);
    Err(Fault::invalid(message).hinted(match near.as_str() {
        "" => "such as `z-score`; the folder is made where the command runs, or in -C FOLDER".to_owned(),
        near => format!("such as `{near}`; the folder is made where the command runs, or in -C FOLDER"),
    }))
}

/// The letters of a name that can stay.
fn nearest_sound(name: &str) -> String {
    let lower = name.chars().take(64).flat_map(char::to_lowercase);
    let kept: String = lower.map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    let words: Vec<&str> = kept.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-").trim_start_matches(|c: char| !c.is_ascii_lowercase()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LANGUAGES;

    #[test]
    fn every_role_in_every_language_is_a_folder_under_its_name() {
        for language in LANGUAGES {
            for role in Role::ALL {
                let within = tempfile::tempdir().unwrap();
                let folder = write(within.path(), "try-it", language, role).unwrap();
                assert_eq!(folder, within.path().join("try-it"));
                assert!(vendored::is_asked_for(&folder), "{} {role}: .gitignore", language.word);
                let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
                assert!(readme.contains("try-it") && !readme.contains(NAME), "{} {role}: {readme}", language.word);
                assert!(readme.contains("stepwell plugin add"), "{} {role}: {readme}", language.word);
                for fixture in ["tests/try-it.toml", "tests/try-it.expected.json"] {
                    assert!(folder.join(fixture).is_file(), "{} {role}: {fixture}", language.word);
                }
                assert_eq!(crate::language::of(&folder).unwrap().word, language.word);
                assert_eq!(std::fs::read_dir(within.path()).unwrap().count(), 1, "no drafts are left");
            }
        }
    }

    #[test]
    fn every_language_has_the_example() {
        for language in LANGUAGES {
            let within = tempfile::tempdir().unwrap();
            let (folder, step) = example(within.path(), language).unwrap();
            assert_eq!(folder, within.path().join("zscore"));
            assert!(std::fs::read_to_string(step).unwrap().contains("mean 0 and deviation 1"), "{}", language.word);
            assert_eq!(crate::language::of(&folder).unwrap().word, language.word);
        }
    }

    #[test]
    fn a_name_that_is_none_writes_nothing() {
        let long = "a".repeat(65);
        for (name, hint) in [
            ("", "`z-score`"),
            ("..", "`z-score`"),
            ("../x", "`x`"),
            ("a/b", "`a-b`"),
            ("/tmp/x", "`tmp-x`"),
            ("My_Step", "`my-step`"),
            ("größe", "`gr-e`"),
            ("名前", "`z-score`"),
            ("9lives", "`lives`"),
            ("-rf", "`rf`"),
            ("a-", "`a`"),
            ("a\0b\u{1b}[2J", "`a-b-2j`"),
            (long.as_str(), "such as"),
            ("stepwell", "what the plugin does"),
        ] {
            let within = tempfile::tempdir().unwrap();
            let fault = write(within.path(), name, LANGUAGES[0], Role::Fitted).unwrap_err();
            assert!(fault.hint.as_ref().unwrap().contains(hint), "{name}: {fault:?}");
            assert!(!fault.message.contains(char::is_control), "{name:?}");
            assert_eq!(std::fs::read_dir(within.path()).unwrap().count(), 0, "{name}");
        }
    }

    #[test]
    fn what_is_there_stays() {
        let within = tempfile::tempdir().unwrap();
        let (file, link) = (within.path().join("file"), within.path().join("link"));
        std::fs::write(&file, "mine").unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for name in ["file", "link"] {
            let fault = write(within.path(), name, LANGUAGES[0], Role::Fitted).unwrap_err();
            assert!(fault.message.contains("there already"), "{fault}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(within.path()).unwrap().count(), 2);
        let nowhere = write(&within.path().join("absent"), "a", LANGUAGES[0], Role::Fitted);
        assert!(nowhere.is_ok_and(|folder| folder.is_dir()), "folders above it are made");
    }
}

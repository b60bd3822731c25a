//! SDKs, the contract and templates within this binary -> folders. A stranger has no checkout of ours.

use std::path::{Path, PathBuf};
use types::{Digest, Fault};

/// Path from the repository's root, and text.
pub(crate) type File = (&'static str, &'static str);

/// A text of the repository, as part of this binary. Its path may come in pieces.
macro_rules! carried_text {
    ($($path:literal),*) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $($path),*))
    };
}

/// The fixture of a role, which is the same in every language, and what a language's template gives for it.
macro_rules! carried_fixture {
    ($language:literal, $role:literal) => {
        [
            ("tests/my-plugin.toml", carried_text!("sdk/fixtures/", $role, ".toml")),
            ("tests/my-plugin.expected.json", carried_text!("sdk/", $language, "/template/", $role, ".expected.json")),
        ]
    };
}

/// Files of the repository, as part of this binary: `carried!("sdk/x": "a.py" "b.py")`.
macro_rules! carried {
    ($root:literal: $($name:literal)*) => {
        &[$((
            concat!($root, "/", $name),
            carried_text!($root, "/", $name),
        )),*]
    };
}

/// The contract.
pub(crate) const WIT: &[File] = carried!("wit":
    "platform@0.1.0/platform.wit" "data@0.1.0/data.wit" "tensor@0.1.0/tensor.wit"
    "tensor@0.1.0/trees.wit" "step@0.1.0/step.wit");

/// The files in a folder of the cache, laid out as in the repository: `CACHE/sdk/NAME-DIGEST`. Written by the first that
/// asks.
pub(crate) fn staged(cache: &Path, name: &str, parts: &[&[File]]) -> Result<PathBuf, Fault> {
    let folder = cache.join("sdk").join(format!("{name}-{}", Digest::of_json(&parts).short()));
    if !folder.exists() {
        let draft = folder.with_extension(crate::draft());
        write(&draft, parts)?;
        // Another build that was faster has put the same there.
        if let Err(error) = std::fs::rename(&draft, &folder)
            && !folder.exists()
        {
            return Err(Fault::host(format!("cannot write `{}`: {error}", folder.display())));
        }
        let _ = std::fs::remove_dir_all(&draft);
    }
    Ok(folder)
}

/// Writes the files beneath a folder.
pub(crate) fn write(folder: &Path, parts: &[&[File]]) -> Result<(), Fault> {
    for (path, text) in parts.iter().copied().flatten() {
        let file = folder.join(path);
        let written =
            std::fs::create_dir_all(file.parent().unwrap_or(folder)).and_then(|()| std::fs::write(&file, text));
        written.map_err(|error| Fault::host(format!("cannot write `{}`: {error}", file.display())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_staged_is_written_once() {
        let cache = tempfile::tempdir().unwrap();
        let folder = staged(cache.path(), "wit", &[WIT]).unwrap();
        let file = folder.join("wit/step@0.1.0/step.wit");
        assert!(std::fs::read_to_string(&file).unwrap().contains("interface description"));
        std::fs::write(&file, "kept").unwrap();
        assert_eq!(staged(cache.path(), "wit", &[WIT]).unwrap(), folder);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
        assert_eq!(std::fs::read_dir(cache.path().join("sdk")).unwrap().count(), 1, "no drafts are left");
    }
}

//! The z-score of each SDK's examples as a component, built once for all runs of the tests.

use super::cache;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use toolchain::{LANGUAGES, Tools};

/// The component of a language's z-score. From then on what builds the language is in the user's cache, which projects see.
pub(crate) fn zscore(word: &str) -> PathBuf {
    static ALONE: Mutex<()> = Mutex::new(());
    if word == "rust" {
        // `cargo xtask plugins` builds it.
        return Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("test-guests").join("zscore.wasm");
    }
    let language = LANGUAGES.into_iter().find(|language| language.word == word).unwrap();
    let within = tempfile::tempdir().unwrap();
    let (_, step) = toolchain::example(within.path(), language).unwrap();
    let digest = toolchain::digest(&step, &std::fs::read(&step).unwrap()).unwrap();
    let component = Path::new(env!("CARGO_TARGET_TMPDIR")).join("zscore").join(format!("{word}-{digest}.wasm"));
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !component.exists() {
        toolchain::build(&step, &component, &Tools { cache: &cache::users(), notes: &|_| () }).unwrap();
    }
    component
}

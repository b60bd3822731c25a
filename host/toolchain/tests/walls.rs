//! Builds of strangers' sources: the ordinary ones succeed behind their walls, and what reaches beyond ends in an error.
//! Where the kernel has no Landlock, what only it stops is not tried.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempDir;
use toolchain::{LANGUAGES, Tools};
use types::Fault;

/// Tools are installed once for all tests and for whoever runs them.
fn cache() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    named.or_else(|| Some(std::env::home_dir()?.join(".cache"))).unwrap().join("stepwell")
}

/// Builds and gives the component, and every note.
fn build(source: &Path) -> (Result<Vec<u8>, Fault>, Vec<String>) {
    let (to, notes) = (tempfile::tempdir().unwrap(), Mutex::new(Vec::new()));
    let tools = Tools { cache: &cache(), notes: &|note| notes.lock().unwrap().push(note) };
    let built = toolchain::build(source, &to.path().join("a.wasm"), &tools);
    (built.map(|path| std::fs::read(path).unwrap()), notes.into_inner().unwrap())
}

/// Of a build that must fail, all that it says; nothing where this machine lacks the wall that fails it.
fn refused(source: &Path) -> Option<String> {
    let (built, notes) = build(source);
    let lacks = notes.iter().any(|note| note.contains("without the wall"));
    (!lacks).then(|| format!("{:?}", built.expect_err("it was built")))
}

const STEP: &str = r#"
#include "stepwell.h"
static void describe(sw_description *about) { sw_about(about, "a", "0.1.0", "x"); sw_output(about, "table"); }
static void discover(sw_fields *columns) { sw_field(columns, "x", SW_FLOAT64, false); }
static void read(const sw_text *cursor, sw_page *page) {
    sw_columns columns = {0};
    sw_add(&columns, "x", sw_new(SW_FLOAT64, 3));
    *page = (sw_page){sw_table_of(&columns), sw_text_of("c"), false, false};
}
SW_DESCRIBE(describe);
SW_COLLECTOR(discover, read);
"#;

/// A step in C that begins with this, beside a folder with a secret under a name with a backslash.
fn step(beginning: &str) -> (TempDir, PathBuf) {
    let project = tempfile::tempdir().unwrap();
    for folder in ["steps/k", "key"] {
        std::fs::create_dir_all(project.path().join(folder)).unwrap();
    }
    std::fs::write(project.path().join("key/k\\stepwell.h"), "SECRET").unwrap();
    // What the compiler's list of files names instead.
    std::fs::create_dir_all(project.path().join("key/k")).unwrap();
    std::fs::write(project.path().join("key/k/stepwell.h"), "").unwrap();
    let file = project.path().join("steps/a.c");
    std::fs::write(&file, format!("{beginning}\n{STEP}")).unwrap();
    (project, file)
}

#[test]
fn the_example_of_every_language_builds() {
    for language in LANGUAGES.into_iter().filter(|language| language.word != "rust") {
        let within = tempfile::tempdir().unwrap();
        let (folder, _) = toolchain::example(within.path(), language).unwrap();
        let (built, _) = build(&folder);
        assert!(built.unwrap().starts_with(b"\0asm"), "{}", language.word);
    }
}

#[test]
fn c_brings_no_file_from_beyond_its_folder() {
    let (_project, file) = step("");
    build(&file).0.unwrap();
    for (beginning, words) in [
        (
            r#"static const char stolen[] = {
             #embed "../key/k\stepwell.h"
             };"#,
            "a.c",
        ),
        (r#"#include "/etc/passwd""#, "passwd"),
        (
            r#"#if __has_include("../key/k\stepwell.h")
            static const char is_there[] = "OUTSIDE-IS-THERE";
            #endif"#,
            "stepwell.h",
        ),
    ] {
        let (_project, file) = step(beginning);
        if let Some(said) = refused(&file) {
            assert!(said.contains(words) && !said.contains("SECRET"), "{said}");
        }
    }
}

#[test]
fn a_bomb_of_macros_is_told_which_limit_it_met() {
    let doubled = |level| format!("#define M{level} M{} M{}\n", level - 1, level - 1);
    let bomb: String = (1..32).map(doubled).collect();
    let (_project, file) = step(&format!("#define M0 +1\n{bomb}\nint bomb = 0 M31;"));
    let said = build(&file).0.unwrap_err();
    assert!(format!("{said:?}").contains("3 GiB of memory"), "{said:?}");
}

#[test]
fn an_object_is_as_large_as_a_file_may_be() {
    let (_project, file) = step("char large[1000000000] = {1};");
    let said = build(&file).0.unwrap_err();
    assert!(format!("{said:?}").contains("files of 256 MiB"), "{said:?}");
}

#[test]
fn a_map_of_source_is_not_followed() {
    let step = include_str!("../../../sdk/js/examples/zscore.js");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.js");
    let with = |last: &str| std::fs::write(&file, format!("{step}\n{last}")).unwrap();
    with("");
    let (plain, _) = build(&file);
    with("//# sourceMappingURL=/dev/zero\n");
    let (mapped, _) = build(&file);
    assert_eq!(plain.unwrap().len(), mapped.unwrap().len());
}

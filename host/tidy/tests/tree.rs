//! Each rule, held against the repository. A failure lists every offender and says what to do.

use std::sync::LazyLock;
use tidy::tree::{self, File};
use tidy::{Offence, contract, crates, docs, modules, shape, verdict, words};

static TREE: LazyLock<Vec<File>> = LazyLock::new(|| tree::read().expect("the repository can be read"));

fn check(rule: fn(&[File]) -> Vec<Offence>, remedy: &str) {
    if let Err(offences) = verdict(remedy, &rule(&TREE)) {
        panic!("{offences}");
    }
}

#[test]
fn files_are_short() {
    check(shape::long_files, "divide the file where its subject changes");
}

#[test]
fn functions_are_short() {
    check(shape::long_functions, "let the parent decide and move the work to functions that each do one thing");
}

#[test]
fn modules_say_what_they_are_for() {
    check(modules::without_doc, "begin the file with `//!`: what becomes what, who calls it, what it must not know");
}

#[test]
fn names_say_something() {
    check(modules::nameless, "name it after what it holds");
}

#[test]
fn every_source_is_compiled() {
    check(modules::never_compiled, "declare it with `mod`, or remove it");
}

#[test]
fn tests_are_found_by_themselves() {
    check(modules::hidden_tests, "leave the finding of tests to cargo");
}

#[test]
fn nothing_is_put_off() {
    check(words::put_off, "finish it or take it out; a test that cannot pass is a bug to mend");
}

#[test]
fn no_registry_is_named() {
    check(words::registries, "leave it to the user's configuration of cargo, pip or npm");
}

#[test]
fn no_machine_is_named() {
    check(words::machine_paths, "make the path relative, or read it from the environment");
}

#[test]
fn each_big_dependency_has_one_owner() {
    check(crates::owners, "reach it through the crate that owns it; ARCHITECTURE.md says which");
}

#[test]
fn dependencies_point_to_earlier_crates() {
    check(crates::edges, "the order of `members` is the direction: move what both need up, or meet in `ports`");
}

#[test]
fn crates_say_what_becomes_what() {
    check(crates::descriptions, "write the `description` as \"in -> out\"");
}

#[test]
fn paths_in_documents_exist() {
    check(docs::paths, "name the path as it is now");
}

#[test]
fn names_in_documents_exist() {
    check(docs::names, "name the function or type as it is now");
}

#[test]
fn the_contract_says_since_when() {
    check(contract::without_since, "put `@since(version = ..)` on the line before");
}

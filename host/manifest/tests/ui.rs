//! Golden files: `ui/KIND/NAME.toml` and, beside it, every problem that it has, as `NAME.err`. `BLESS=1` writes them anew.

use manifest::{Lock, Sources};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use types::Problem;

/// `file:line:column: message`, the line, carets under the span, the hint.
fn render(problem: &Problem, text: &str) -> String {
    let mut out = String::new();
    let Some(place) = &problem.place else {
        return format!("{}\n", problem.message);
    };
    let line = text.split('\n').nth(place.line - 1).unwrap_or_default();
    let span = text.get(place.span.clone()).unwrap_or_else(|| panic!("{place:?} is no span of the text"));
    let width = span.lines().next().unwrap_or_default().chars().count().max(1);
    writeln!(out, "{}:{}:{}: {}", place.file, place.line, place.column, problem.message).unwrap();
    writeln!(out, "    {line}\n    {}{}", " ".repeat(place.column - 1), "^".repeat(width)).unwrap();
    if let Some(hint) = &problem.hint {
        writeln!(out, "    hint: {hint}").unwrap();
    }
    out
}

fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(kind);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    cases.sort();
    cases
}

fn compare(kind: &str, problems_of: impl Fn(&str, &str) -> Vec<Problem>) {
    let mut differing = Vec::new();
    for case in cases(kind) {
        let text = std::fs::read_to_string(&case).unwrap();
        let stem = case.file_stem().unwrap().to_str().unwrap();
        let problems = problems_of(stem, &text);
        assert!(!problems.is_empty(), "{} has no problem", case.display());
        let got: String = problems.iter().map(|problem| render(problem, &text)).collect();
        let golden = case.with_extension("err");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&golden, &got).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != got {
            differing.push(format!("--- {} is now:\n{got}", golden.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn pipelines() {
    compare("pipeline", |stem, text| {
        let pipelines = [(stem.to_owned(), text.to_owned())].into();
        manifest::check(&Sources { project: "name = \"case\"".to_owned(), pipelines }).err().unwrap_or_default()
    });
}

#[test]
fn projects() {
    compare("project", |_, text| {
        manifest::check(&Sources { project: text.to_owned(), ..Default::default() }).err().unwrap_or_default()
    });
}

#[test]
fn locks() {
    compare("lock", |_, text| Lock::parse(text).err().unwrap_or_default());
}

#[test]
fn policies() {
    compare("policy", |_, text| manifest::policy("policy.toml", text).err().unwrap_or_default());
}

//! A Python step -> a component. Its text is read and never run outside of the sandbox, not even to build it.

use crate::carried::{File, WIT, staged};
use crate::cell::Cell;
use crate::tool::{self, finish};
use crate::{Language, Tools, language};
use std::path::Path;
use types::{Digest, Fault, Role};

/// The tool that makes components of Python; pinned, since its version is part of what it makes.
const COMPONENTIZE: &str = "componentize-py==0.25.1";

const SDK: &[File] = carried!("sdk/python/stepwell":
    "__init__.py" "_crossing.py" "_doors.py" "_entry.py" "_index.py" "_returned.py" "_tensor.py" "_training.py" "_wit.py" "build.py"
    "columns.py" "errors.py" "host.py" "roles.py" "rowwise.py" "source.py" "sql.py" "table.py" "tensor.py");

pub(crate) static LANGUAGE: Language =
    Language { word: "python", shown: "Python", mark: "*.py", build, sdk: &[SDK], template, example: EXAMPLE, made_by };

const IGNORED: &str = "/.stepwell-sdk\n/*.wasm\n__pycache__\n";
const EXAMPLE: &[File] = &[("my-plugin.py", carried_text!("sdk/python/examples/zscore.py")), (".gitignore", IGNORED)];

/// The step of a role, its test and its fixture.
macro_rules! carried_step {
    ($role:literal) => {
        (
            carried_text!("sdk/python/template/", $role, ".py"),
            carried_text!("sdk/python/template/", $role, "_test.py"),
            carried_fixture!("python", $role),
        )
    };
}

fn template(role: Role) -> Vec<File> {
    let (step, test, fixture) = match role {
        Role::Collector => carried_step!("collector"),
        Role::Transformer => carried_step!("transformer"),
        Role::Fitted => carried_step!("fitted"),
        Role::Validator => carried_step!("validator"),
        Role::Trainer | Role::Predictor => carried_step!("learner"),
        Role::Evaluator => carried_step!("evaluator"),
        Role::Sink => carried_step!("sink"),
    };
    let readme = carried_text!("sdk/python/template/README.md");
    let own = [("my-plugin.py", step), ("tests/test.py", test), ("README.md", readme), (".gitignore", IGNORED)];
    own.into_iter().chain(fixture).collect()
}

fn made_by() -> Digest {
    Digest::of_json(&(COMPONENTIZE, SDK, WIT))
}

/// What makes components of Python is there from now on: tests that begin beside each other, each with a cache of its own, share it.
pub fn for_tests(tools: &Tools<'_>) -> Result<(), Fault> {
    tool::python(COMPONENTIZE, tools).map(drop)
}

fn build(source: &Path, to: &Path, tools: &Tools<'_>) -> Result<(), Fault> {
    let step = language::only_file(source, "*.py")?;
    let shown = language::last_part(&step);
    let interpreter = tool::python(COMPONENTIZE, tools)?;
    let sdk = staged(tools.cache, "python", &[SDK, WIT])?;
    (tools.notes)(format!("building `{shown}` into a component (15 to 60 s, once for each version of the file)"));
    let what = format!("building `{shown}`");
    let environment = interpreter.ancestors().nth(2).unwrap_or(&interpreter);
    let cell = Cell::new(to, tools)?.reads(&step).reads(&sdk).runs(environment);
    let cell = cell.runs_system().runs_program(&interpreter)?;
    let mut command = cell.command(&interpreter)?;
    let made = cell.folder().join("made.wasm");
    command.arg("-m").arg("stepwell.build").arg(&step).arg("-o").arg(&made).arg("--wit").arg(sdk.join("wit"));
    command.env("PYTHONPATH", sdk.join("sdk/python")).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONSAFEPATH", "1");
    finish(command, &what).map_err(|fault| cell.told(fault))?;
    std::fs::write(to, cell.take("made.wasm", &what)?).map_err(Fault::host)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_whole_sdk_is_carried() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python/stepwell");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".py"))
            .map(|name| format!("sdk/python/stepwell/{name}"))
            .collect();
        files.sort();
        let mut carried: Vec<_> = super::SDK.iter().map(|(name, _)| *name).collect();
        carried.sort_unstable();
        assert_eq!(files, carried);
    }
}

//! A step in JavaScript or TypeScript -> a component. Its text is bundled here and runs in the sandbox only, also while the
//! component is made.

use crate::carried::{File, WIT, staged};
use crate::cell::Cell;
use crate::node::{self, Node};
use crate::tool::finish;
use crate::{Language, Tools, language};
use std::path::{Path, PathBuf};
use types::{Digest, Fault, Role};

/// What a step imports.
const SDK: &[File] = carried!("sdk/js":
    "package.json" "register.js" "src/apply.js" "src/arena.js" "src/bits.js" "src/checkpoint.js" "src/columns.js"
    "src/crossing.js" "src/entry/collector.js" "src/entry/describe.js" "src/entry/evaluator.js" "src/entry/guard.js"
    "src/entry/learner.js" "src/entry/row_wise.js" "src/entry/sink.js" "src/entry/transformer.js" "src/entry/validator.js"
    "src/errors.js"
    "src/files.js" "src/globals/chance.js" "src/globals/clock.js" "src/globals/console.js" "src/host/checkpoint.js"
    "src/host/clock.js" "src/host/config.js" "src/host/entropy.js" "src/host/environment.js" "src/host/files.js" "src/host/http.js" "src/host/query.js" "src/host/report.js" "src/host/secrets.js"
    "src/host/tables.js" "src/host/tensors.js" "src/host/training.js" "src/http.js" "src/index.d.ts" "src/index.js" "src/made.js" "src/pretend.js" "src/report.js"
    "src/roles/collector.js" "src/roles/evaluator.js" "src/roles/learner.js" "src/roles/row_wise.js"
    "src/roles/sink.js" "src/roles/transformer.js" "src/roles/validator.js" "src/seed.js" "src/sql.js" "src/step.js" "src/table.js" "src/tensor.d.ts"
    "src/tensor.js" "src/time.js" "src/training.js" "src/types.js" "src/utf8.js" "src/world.js");

const BUILD: &[File] = carried!("sdk/js/build": "build.mjs" "lines.mjs");
/// The tools that make components: esbuild and componentize-qjs, pinned with all they need.
const PACKAGES: &[File] = carried!("sdk/js/build": "package.json" "package-lock.json");

const PLACE: &str = "sdk/js/build";

pub(crate) static JAVASCRIPT: Language = Language {
    word: "javascript",
    shown: "JavaScript",
    mark: "*.js",
    build: |source, to, tools| build(&language::only_file(source, "*.js")?, to, tools),
    sdk: &[SDK],
    template: javascript,
    example: &[("my-plugin.js", carried_text!("sdk/js/examples/zscore.js")), (".gitignore", IGNORED)],
    made_by,
};

pub(crate) static TYPESCRIPT: Language = Language {
    word: "typescript",
    shown: "TypeScript",
    mark: "*.ts",
    build: |source, to, tools| build(&language::only_file(source, "*.ts")?, to, tools),
    sdk: &[SDK],
    template: typescript,
    example: &[("my-plugin.ts", carried_text!("sdk/js/examples/zscore.ts")), (".gitignore", IGNORED)],
    made_by,
};

const IGNORED: &str = "/.stepwell-sdk\n/*.wasm\n/node_modules\n";

fn made_by() -> Digest {
    Digest::of_json(&(PACKAGES, BUILD, SDK, WIT))
}

/// The step of a role, its test and its fixture.
macro_rules! carried_step {
    ($role:literal) => {
        (
            carried_text!("sdk/js/template/", $role, ".js"),
            carried_text!("sdk/js/template/", $role, ".test.js"),
            carried_fixture!("js", $role),
        )
    };
}

fn javascript(role: Role) -> Vec<File> {
    let (step, test, fixture) = template(role);
    let package = carried_text!("sdk/js/template/package.json");
    folder([("my-plugin.js", step), ("package.json", package)], "jsconfig.json", test, fixture)
}

fn typescript(role: Role) -> Vec<File> {
    let (step, test, fixture) = template(role);
    // The steps in JavaScript are so written that they are TypeScript, too; this one has types to say.
    let step = if role == Role::Evaluator { carried_text!("sdk/js/template/evaluator.ts") } else { step };
    let package = carried_text!("sdk/js/template/package.ts.json");
    folder([("my-plugin.ts", step), ("package.json", package)], "tsconfig.json", test, fixture)
}

fn template(role: Role) -> (&'static str, &'static str, [File; 2]) {
    match role {
        Role::Collector => carried_step!("collector"),
        Role::Transformer => carried_step!("transformer"),
        Role::Fitted => carried_step!("fitted"),
        Role::Validator => carried_step!("validator"),
        Role::Trainer | Role::Predictor => carried_step!("learner"),
        Role::Evaluator => carried_step!("evaluator"),
        Role::Sink => carried_step!("sink"),
    }
}

fn folder(own: [File; 2], settings: &'static str, test: &'static str, fixture: [File; 2]) -> Vec<File> {
    let both = [
        ("tests/test.js", test),
        (settings, carried_text!("sdk/js/template/tsconfig.json")),
        ("README.md", carried_text!("sdk/js/template/README.md")),
        (".gitignore", IGNORED),
    ];
    own.into_iter().chain(both).chain(fixture).collect()
}

/// Node.js, and the folder of the packages that the SDK's own tests need: those of a build, and a compiler of TypeScript.
pub fn for_tests(tools: &Tools<'_>) -> Result<(Node, PathBuf), Fault> {
    let _alone = node::alone(tools)?;
    let node = node::node(tools)?;
    let packages = node::packages(&node, PLACE, PACKAGES, true, tools)?;
    Ok((node, packages))
}

fn build(step: &Path, to: &Path, tools: &Tools<'_>) -> Result<(), Fault> {
    let shown = language::last_part(step);
    let alone = node::alone(tools)?;
    let node = node::node(tools)?;
    let packages = node::packages(&node, PLACE, PACKAGES, false, tools)?;
    let sdk = staged(tools.cache, "javascript", &[SDK, BUILD, WIT])?;
    drop(alone);
    (tools.notes)(format!("building `{shown}` into a component (2 to 10 s, once for each version of the file)"));
    let what = format!("building `{shown}`");
    // Beneath the step's folder lie the modules that it imports.
    let cell = Cell::new(to, tools)?.reads(step.parent().unwrap_or(step)).reads(&sdk).runs(&packages);
    let cell = cell.runs_system().runs_program(node.program())?;
    let mut command = cell.command(node.program())?;
    command.arg(sdk.join("sdk/js/build/build.mjs")).arg(step).arg(cell.folder().join("made.wasm"));
    command.arg("--sdk").arg(sdk.join("sdk/js")).arg("--wit").arg(sdk.join("wit")).arg("--tools").arg(&packages);
    finish(command, &what).map_err(|fault| cell.told(fault))?;
    std::fs::write(to, cell.take("made.wasm", &what)?).map_err(Fault::host)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn files(folder: &Path, found: &mut Vec<String>) {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, found),
                false => found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }

    #[test]
    fn the_whole_sdk_is_carried() {
        let mut there = Vec::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/js/src"), &mut there);
        let carried = super::SDK.iter().map(|(name, _)| (*name).to_owned());
        let mut carried: Vec<_> = carried.filter(|name| name.starts_with("sdk/js/src/")).collect();
        there.sort();
        carried.sort();
        assert_eq!(there, carried);
    }
}

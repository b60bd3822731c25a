//! A step in C -> a component. The compiler runs no code of the plugin.
//!
//! ```text
//!  *.c --compile--> objects --roles--> a world --bindings--> contract.c --link--> a core module --componentize--> the component
//! ```
//! Which roles a plugin has, its objects say: `SW_FITTED(..)` leaves a mark there. The world exports these and nothing else.
//! The C library is linked for what computes; what it wants of a system the SDK answers, so no WASI is left to import. Assembly
//! is refused, because it brings files that the compiler does not tell of.

mod reading;

use crate::carried::{File, WIT, staged};
use crate::cell::Cell;
use crate::component::componentize;
use crate::tool::{self, finish, follow};
use crate::{Language, Notes, Tools, language};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use types::{Digest, Fault, Role};
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::{Resolve, SourceMap};

/// Zig's C compiler, which brings its own linker and C library; pinned, since its version is part of what it makes.
const COMPILER: &str = "ziglang==0.15.2";

/// No reassociation and no fused multiply-add, whatever the optimisation: a sum has the same bits as in any other language.
const FLAGS: [&str; 10] = [
    "-target",
    "wasm32-wasi",
    "-mexec-model=reactor",
    "-std=c17",
    "-O2",
    "-msimd128",
    "-ffp-contract=off",
    "-fno-fast-math",
    "-Wall",
    "-fno-sanitize=all",
];

/// Where a function of the system would be imported from.
const SYSTEM: &str = "`wasi_snapshot_preview1::";

const SDK: &[File] = carried!("sdk/c":
    "include/contract.h" "include/stepwell.h"
    "src/internal.h" "src/call.c" "src/describe.c" "src/files.c" "src/json.c" "src/system.c" "src/table.c"
    "src/roles/collector.c" "src/roles/evaluator.c" "src/roles/fitted.c" "src/roles/predictor.c" "src/roles/sink.c"
    "src/roles/trainer.c" "src/roles/transformer.c" "src/roles/validator.c");

pub(crate) static LANGUAGE: Language =
    Language { word: "c", shown: "C", mark: "*.c", build, sdk: &[SDK], template, example: EXAMPLE, made_by };

const IGNORED: &str = "/.stepwell-sdk\n/*.wasm\n";
const EXAMPLE: &[File] = &[("my-plugin.c", carried_text!("sdk/c/examples/zscore.c")), (".gitignore", IGNORED)];

fn made_by() -> Digest {
    Digest::of_json(&(COMPILER, FLAGS, SDK, WIT))
}

/// The step of a role, and its fixture.
macro_rules! carried_step {
    ($role:literal) => {
        (carried_text!("sdk/c/template/", $role, ".c"), carried_fixture!("c", $role))
    };
}

fn template(role: Role) -> Vec<File> {
    let (step, mut fixture) = match role {
        Role::Collector => carried_step!("collector"),
        Role::Transformer => carried_step!("transformer"),
        Role::Fitted => carried_step!("fitted"),
        Role::Validator => carried_step!("validator"),
        Role::Trainer | Role::Predictor => carried_step!("learner"),
        Role::Evaluator => carried_step!("evaluator"),
        Role::Sink => carried_step!("sink"),
    };
    let readme = carried_text!("sdk/c/template/README.md");
    let mut files = vec![("my-plugin.c", step), ("README.md", readme), (".gitignore", IGNORED)];
    // These do something else than in other languages.
    match role {
        Role::Collector => {
            fixture[0].1 = carried_text!("sdk/c/template/collector.toml");
            files.push(("tests/lines.txt", carried_text!("sdk/c/template/lines.txt")));
        }
        Role::Transformer => fixture[0].1 = carried_text!("sdk/c/template/transformer.toml"),
        Role::Evaluator => fixture[0].1 = carried_text!("sdk/c/template/evaluator.toml"),
        _ => {}
    }
    files.extend(fixture);
    files
}

/// What a plugin may export. `description` it must.
const ROLES: [&str; 9] =
    ["description", "collector", "transformer", "fitted", "validator", "trainer", "predictor", "evaluator", "sink"];

fn build(source: &Path, to: &Path, tools: &Tools<'_>) -> Result<(), Fault> {
    let home = home(&tool::python(COMPILER, tools)?)?;
    let sdk = staged(tools.cache, "c", &[SDK])?.join("sdk/c");
    let cache = tools.cache.join("zig");
    std::fs::create_dir_all(&cache).map_err(Fault::host)?;
    let folder = if source.is_dir() { source } else { source.parent().unwrap_or(source) };
    // The compiler is one piece and needs nothing of the system: what a step could name there is not there for it.
    let cell = Cell::new(to, tools)?.reads(folder).reads(&sdk).runs(&home).writes(&cache);
    let compiler = Compiler { home, sdk, cache, cell, what: format!("building `{}`", language::last_part(source)) };
    (tools.notes)(format!("{} into a component (a second; a minute the first time)", compiler.what));
    let built = compiler.component(source, tools.notes).map_err(|fault| compiler.cell.told(fault))?;
    std::fs::write(to, built).map_err(Fault::host)
}

/// Where the compiler lies in its environment of Python's, which brings it and is not needed to run it.
fn home(interpreter: &Path) -> Result<PathBuf, Fault> {
    let libraries = interpreter.ancestors().nth(2).unwrap_or(interpreter).join("lib");
    let versions = std::fs::read_dir(&libraries).map_err(Fault::host)?.flatten();
    let mut homes = versions.map(|version| version.path().join("site-packages/ziglang"));
    let lacks =
        || Fault::host(format!("`{}` lacks the compiler", libraries.display())).hinted("remove that environment");
    homes.find(|home| home.join("zig").is_file()).ok_or_else(lacks)
}

struct Compiler {
    home: PathBuf,
    sdk: PathBuf,
    cache: PathBuf,
    /// Also for what lies between the source and the component.
    cell: Cell,
    what: String,
}

impl Compiler {
    fn component(&self, source: &Path, notes: Notes<'_>) -> Result<Vec<u8>, Fault> {
        let objects = self.compile(source, notes)?;
        let roles = self.roles(&objects)?;
        if roles.len() < 2 || roles[0] != "description" {
            let fault = Fault::invalid(format!("{}: it lacks a description or a role", self.what));
            return Err(fault.hinted("a step ends as in: SW_DESCRIBE(describe); SW_FITTED(fit, save, restore, apply);"));
        }
        let module = self.link(&objects, &roles)?;
        componentize(&module, None).map_err(|fault| self.refused(fault))
    }

    /// Of a module that makes no component, the author reads what it asked for and cannot have.
    fn refused(&self, fault: Fault) -> Fault {
        let wanted = fault.message.split_once(SYSTEM).and_then(|(_, rest)| rest.split('`').next());
        match wanted {
            Some(call) => Fault::invalid(format!("{}: it asks a system for `{call}`", self.what))
                .hinted("there is none beneath a step: use sw_open for fopen, sw_logical_time for time, .."),
            None => Fault { message: format!("{}: {}", self.what, fault.message), ..fault },
        }
    }

    /// The plugin's own files, each to an object. Of a folder, all of C in it.
    fn compile(&self, source: &Path, notes: Notes<'_>) -> Result<Vec<String>, Fault> {
        language::files(source, "*.c")?.iter().map(|file| self.object(file, notes)).collect()
    }

    /// What the compiler says names files within the plugin's folder, and so does what it makes: the same text gives the same
    /// bytes wherever it lies.
    fn object(&self, file: &Path, notes: Notes<'_>) -> Result<String, Fault> {
        let folder = file.parent().unwrap_or(file).display().to_string() + "/";
        let name = file.file_stem().unwrap_or_default().display();
        let (object, read) = (format!("{name}.o"), format!("{name}.d"));
        let mut command = self.command()?;
        command.arg("-c").arg(file).arg("-o").arg(self.cell.folder().join(&object));
        command.args(["-ferror-limit=4", "-fdiagnostics-color=never", &format!("-ffile-prefix-map={folder}=")]);
        command.args(["-fno-gnu-inline-asm", "-MD", "-MF"]).arg(self.cell.folder().join(&read));
        let mut said = Vec::new();
        let hear = |line: &str| {
            said.push(line.replace(&folder, ""));
            false
        };
        follow(command, &self.what, hear)
            .map_err(|fault| Fault { message: fault.message.replace(&folder, ""), ..fault })?;
        let roots = [PathBuf::from(&folder), self.sdk.clone(), self.home.clone()];
        let rule = String::from_utf8(self.cell.take(read, &self.what)?).map_err(Fault::host)?;
        reading::check(&rule, self.cell.folder(), &roots, &self.what)?;
        said.into_iter().for_each(notes);
        Ok(object)
    }

    fn link(&self, objects: &[String], roles: &[&str]) -> Result<Vec<u8>, Fault> {
        let linked = self.cell.folder().join("linked");
        std::fs::create_dir_all(&linked).map_err(Fault::host)?;
        bindings(roles, &linked)?;
        let mut command = self.command()?;
        command.args(["-s", "-Wl,--gc-sections", "-o", "linked/module.wasm"]);
        command.args(objects.iter().map(|object| self.cell.folder().join(object)));
        command.args(["linked/contract.c", "linked/contract_component_type.o"]);
        let own = SDK.iter().filter_map(|(path, _)| path.strip_prefix("sdk/c/")).filter(|path| path.ends_with(".c"));
        let needed = |path: &&str| {
            path.strip_prefix("src/roles/").is_none_or(|file| roles.iter().any(|role| file.starts_with(role)))
        };
        command.args(own.filter(needed).map(|path| self.sdk.join(path)));
        finish(command, &self.what)?;
        self.cell.take("linked/module.wasm", &self.what)
    }

    /// The roles that the objects name, each of which is held for a moment only.
    fn roles(&self, objects: &[String]) -> Result<Vec<&'static str>, Fault> {
        let mut named = BTreeSet::new();
        for object in objects {
            named.extend(marks(&self.cell.take(object, &self.what)?));
        }
        Ok(ROLES.into_iter().filter(|role| named.contains(role)).collect())
    }

    fn command(&self) -> Result<Command, Fault> {
        let mut command = self.cell.command(&self.home.join("zig"))?;
        command.arg("cc").args(FLAGS).arg("-I").arg(self.sdk.join("include"));
        command.env("ZIG_GLOBAL_CACHE_DIR", &self.cache).env("ZIG_LOCAL_CACHE_DIR", &self.cache);
        Ok(command)
    }
}

/// The roles that an object's marks name.
fn marks(object: &[u8]) -> impl Iterator<Item = &'static str> {
    let marked = |role: &&str| {
        let mark = format!("stepwell-role:{role}\0");
        object.windows(mark.len()).any(|window| window == mark.as_bytes())
    };
    ROLES.into_iter().filter(marked)
}

/// The contract in C for a plugin of these roles: a header, the calls, and the component's type for the linker.
fn bindings(roles: &[&str], folder: &Path) -> Result<(), Fault> {
    let exports: String = roles.iter().map(|role| format!("export stepwell:step/{role}@0.1.0;")).collect();
    let world = format!(
        "package stepwell:c; world contract {{ include stepwell:step/imports@0.1.0; import stepwell:step/types@0.1.0; \
         {exports} }}"
    );
    let generate = || {
        let mut resolve = Resolve::default();
        // A package is what stands in one folder.
        let folder = |file: &File| Path::new(file.0).parent();
        for package in WIT.chunk_by(|a, b| folder(a) == folder(b)) {
            let mut source = SourceMap::default();
            package.iter().for_each(|(path, text)| source.push_str(path, *text));
            resolve.push_group(source.parse().map_err(|(_, error)| error)?)?;
        }
        let package = resolve.push_str("c.wit", &world)?;
        let world = resolve.select_world(&[package], Some("contract"))?;
        let mut files = Files::default();
        wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
        Ok(files)
    };
    let files = generate().map_err(|error: anyhow::Error| Fault::host(format!("the contract in C: {error:#}")))?;
    files.iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes)).map_err(Fault::host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_sdk_is_carried() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/c");
        let mut files = Vec::new();
        for folder in ["include", "src", "src/roles"] {
            let names = std::fs::read_dir(Path::new(root).join(folder)).unwrap();
            let names = names.map(|entry| entry.unwrap()).filter(|entry| entry.file_type().unwrap().is_file());
            files.extend(names.map(|entry| format!("sdk/c/{folder}/{}", entry.file_name().into_string().unwrap())));
        }
        files.sort();
        let mut carried: Vec<_> = SDK.iter().map(|(name, _)| *name).collect();
        carried.sort_unstable();
        assert_eq!(files, carried);
    }

    #[test]
    fn the_carried_header_is_the_contracts() {
        let folder = tempfile::tempdir().unwrap();
        bindings(&ROLES, folder.path()).unwrap();
        let made = folder.path().join("contract.h");
        let carried = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/c/include/contract.h");
        if std::fs::read(&made).unwrap() != std::fs::read(&carried).unwrap() {
            let kept = std::env::temp_dir().join("contract.h");
            std::fs::copy(made, &kept).unwrap();
            panic!("wit/ or wit-bindgen changed: cp {} sdk/c/include/contract.h", kept.display());
        }
    }

    #[test]
    fn an_object_says_its_roles() {
        for (object, expected) in [
            (&b"\0asm..stepwell-role:trainer\0..stepwell-role:predictor\0"[..], &["trainer", "predictor"][..]),
            (b"stepwell-role:predictor\0", &["predictor"]),
            (b"stepwell-role:trainers\0 stepwell-role:", &[]),
        ] {
            assert_eq!(marks(object).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_world_exports_the_roles_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        bindings(&["description", "validator"], folder.path()).unwrap();
        let header = std::fs::read_to_string(folder.path().join("contract.h")).unwrap();
        assert!(header.contains("exports_stepwell_step_validator_check("));
        assert!(!header.contains("exports_stepwell_step_fitted"));
    }
}

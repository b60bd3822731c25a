//! The interfaces of the contract that a plugin may import, and what importing one asks for.
//!
//! The import is the request: what a plugin can do is read from here, never from its words.

/// The version of every package of the contract that this host speaks.
pub const CONTRACT: &str = "0.1.0";

/// An interface that a plugin may import.
#[derive(Debug, PartialEq, Eq)]
pub struct Interface {
    /// Within `stepwell:`, without its version: `platform/files`.
    pub name: &'static str,
    pub reach: Reach,
    /// What a plugin that imports it does: "makes HTTP requests ..".
    pub words: &'static str,
}

/// What importing an interface leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Something outside of the step: closed unless a pipeline grants it.
    World,
    /// The step's own inputs, outputs and results: open to every step.
    Step,
    /// Nothing: types that others use.
    Types,
}

/// Every interface that this host offers, in the order in which a person is to hear of them.
pub const INTERFACES: [Interface; 17] = [
    world("platform/http", "makes HTTP requests that a pipeline grants"),
    world("platform/secrets", "has secrets put into such requests, without seeing them"),
    world("platform/files", "reads files, and writes them, beneath folders that a pipeline grants"),
    world("platform/environment", "reads values of the environment that a pipeline grants"),
    world("platform/clock", "reads the real time, where a pipeline grants it"),
    world("platform/entropy", "draws real randomness, where a pipeline grants it"),
    step("data/tables", "reads and makes tables"),
    step("data/query", "asks SQL over its tables"),
    step("tensor/tensors", "computes with tensors"),
    step("tensor/training", "trains: variables, gradients, optimisers"),
    step("tensor/trees", "grows decision trees"),
    step("platform/config", "reads its parameters, its seed and the run's logical time"),
    step("platform/report", "writes log lines, progress and metrics"),
    step("platform/checkpoint", "saves state, to go on from after an interruption"),
    types("platform/errors"),
    types("step/types"),
    types("step/description"),
];

const fn world(name: &'static str, words: &'static str) -> Interface {
    Interface { name, reach: Reach::World, words }
}

const fn step(name: &'static str, words: &'static str) -> Interface {
    Interface { name, reach: Reach::Step, words }
}

const fn types(name: &'static str) -> Interface {
    Interface { name, reach: Reach::Types, words: "" }
}

/// A name of the contract with its version: `stepwell:platform/files@0.1.0` -> `platform/files`, `0.1.0`. None of others.
pub fn of_contract(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("stepwell:")?.split_once('@')
}

impl Interface {
    /// The interface that a component's import names, if this host offers it in that version.
    pub fn of(import: &str) -> Option<&'static Self> {
        let (name, version) = of_contract(import)?;
        INTERFACES.iter().find(|known| known.name == name && version == CONTRACT)
    }

    /// The last part of its name: `files`.
    pub fn short(&self) -> &'static str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }
}

/// Those of the imports that reach something, in the order of [`INTERFACES`].
pub fn reaching(imports: &[String]) -> Vec<&'static Interface> {
    let imported: Vec<_> = imports.iter().filter_map(|import| Interface::of(import)).collect();
    INTERFACES.iter().filter(|known| known.reach != Reach::Types && imported.contains(known)).collect()
}

/// What a plugin with the imports `now` could ask of the world, and with those of `before` could not.
pub fn newly_asked(before: &[String], now: &[String]) -> Vec<&'static Interface> {
    let before = reaching(before);
    let asks = |known: &&Interface| known.reach == Reach::World && !before.contains(known);
    reaching(now).into_iter().filter(asks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("stepwell:{name}@0.1.0")).collect()
    }

    #[test]
    fn an_import_of_another_version_or_package_is_not_ours() {
        for (import, expected) in [
            ("stepwell:platform/http@0.1.0", Some("http")),
            ("stepwell:tensor/training@0.1.0", Some("training")),
            ("stepwell:platform/http@0.2.0", None),
            ("stepwell:platform/http", None),
            ("stepwell:platform/sockets@0.1.0", None),
            ("wasi:http/types@0.2.0", None),
            ("", None),
        ] {
            assert_eq!(Interface::of(import).map(Interface::short), expected, "{import}");
        }
    }

    #[test]
    fn only_the_world_is_asked_for() {
        let asked = |before: &[&str], now: &[&str]| -> Vec<_> {
            newly_asked(&imports(before), &imports(now)).into_iter().map(Interface::short).collect()
        };
        assert_eq!(asked(&[], &["platform/files", "platform/http", "data/tables"]), ["http", "files"]);
        assert_eq!(asked(&["platform/http"], &["platform/http", "tensor/tensors"]), [""; 0]);
        assert_eq!(asked(&["platform/http"], &[]), [""; 0]);
        assert_eq!(asked(&["platform/files"], &["platform/clock", "step/types"]), ["clock"]);
    }
}

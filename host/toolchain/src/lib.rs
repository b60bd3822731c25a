//! A plugin's source -> a component: a folder or a file in any language that has an SDK.
//!
//! ```text
//!  source --language::of--> Language::build --> a draft --rename--> the component
//!                             |
//!                             +-- tools and the SDK that this binary carries, kept in a cache
//!  name, language, role --template::write--> a folder that builds
//! ```
//! A language is a module that fills a [`Language`] in; [`LANGUAGES`] has them all.
//!
//! It runs the languages' own tools and never a component. Who calls it says where the component goes.

#[macro_use]
mod carried;
mod c;
mod cell;
mod component;
pub mod javascript;
mod kept;
mod language;
mod node;
pub mod python;
pub mod rust;
mod template;
mod tool;
mod vendored;

pub use language::{LANGUAGES, Language, digest};
pub use node::Node;
pub use template::{example, write as new};

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
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
    // Tools work in other folders than this process.
    let to = std::path::absolute(&to).map_err(cannot)?;
    std::fs::create_dir_all(to.parent().unwrap_or(Path::new("."))).map_err(cannot)?;
    let draft = to.with_extension(draft());
    if draft.symlink_metadata().is_ok() {
        return Err(Fault::invalid(format!("`{}` is in the way of the build", draft.display())).hinted("remove it"));
    }
    let built = vendor(&source, language).and_then(|()| (language.build)(&source, &draft, tools));
    let placed = built.and_then(|()| std::fs::rename(&draft, &to).map_err(cannot));
    if placed.is_err() {
        // Of a build that failed there may be half a file, or none.
        let _ = std::fs::remove_file(&draft);
    }
    placed.map(|()| to)
}

/// Puts the SDK into the plugin's folder, if that is made for it.
fn vendor(source: &Path, language: &Language) -> Result<(), Fault> {
    if vendored::is_asked_for(source) { vendored::renew(source, language.sdk) } else { Ok(()) }
}

/// [`build`], unless nothing in the folder has changed since it was built last.
pub fn build_once(source: &Path, to: &Path, tools: &Tools<'_>) -> Result<PathBuf, Fault> {
    let Some(kept) = kept::Kept::of(source, tools.cache) else { return build(source, to, tools) };
    if let Some(component) = kept.copy(to) {
        vendor(source, language::of(source)?)?;
        return Ok(component);
    }
    let component = build(source, to, tools)?;
    // What was edited in the middle is of neither text.
    if kept::Kept::of(source, tools.cache).as_ref() == Some(&kept) {
        kept.keep(&component);
    }
    Ok(component)
}

/// The ending of a name for what is not finished: nobody else's, so that two builds of one source do not mix.
fn draft() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}.draft", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

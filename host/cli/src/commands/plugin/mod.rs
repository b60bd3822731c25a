//! `plugin`: a plugin from its first file to its place in a project.

mod add;
mod build;
mod inspect;
mod languages;
mod list;
mod test;

use crate::args::{Args, Plugin};
use crate::commands::print_json;
use crate::open;
use crate::outcome::Failure;
use std::path::{Path, PathBuf};
use toolchain::LANGUAGES;
use types::Role;

pub(crate) async fn plugin(args: &Args, plugin: &Plugin) -> Result<u8, Failure> {
    match plugin {
        Plugin::New { lang, role, name } => new(args, lang, role, name),
        Plugin::Build { path, output } => build::build(args, path, output.as_deref()),
        Plugin::Inspect { component, diff } => inspect::inspect(args, component, diff.as_deref()),
        Plugin::Test { path, bless, allow } => test::test(args, path, *bless, allow),
        Plugin::Add { component, accept } => add::add(args, component, *accept).await,
        Plugin::List => list::list(args).await,
        Plugin::Languages { languages } => languages::languages(args, languages),
        Plugin::Remove { name } => list::remove(args, name),
    }
}

/// The words of all languages, as they are typed.
pub(crate) fn languages() -> Vec<&'static str> {
    LANGUAGES.iter().map(|language| language.word).collect()
}

fn new(args: &Args, lang: &str, role: &str, name: &str) -> Result<u8, Failure> {
    let within = open::project(args)?;
    let language = LANGUAGES.into_iter().find(|language| language.word == lang);
    let role = Role::ALL.into_iter().find(|known| known.interface() == role);
    let (Some(language), Some(role)) = (language, role) else {
        return Err(Failure::ours("a language or role that can be typed is not known"));
    };
    // `plugin add` would refuse it, when the work is done.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_plain && open::is_first_party(name)? {
        let failure = Failure::user(format!("`{name}` is the name of a plugin that comes with Stepwell"));
        return Err(failure.hinted(format!("give it a name of its own, such as `my-{name}`")));
    }
    let folder = toolchain::new(&within, name, language, role)?;
    if args.json {
        return print_json(&serde_json::json!({ "plugin": name, "folder": folder }));
    }
    let shown = match args.project.as_path() {
        here if here == Path::new(".") => PathBuf::from(name),
        elsewhere => elsewhere.join(name),
    };
    let shown = shown.display();
    anstream::println!(
        "made the {} plugin `{name}` ({role}) in {shown}\n\nnext:\n  cat {shown}/README.md\n  stepwell plugin build {shown}",
        language.shown
    );
    Ok(0)
}

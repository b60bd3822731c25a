//! `plugin`: a new plugin, and a plugin's source -> a component that runs here.

use super::print_json;
use crate::args::{Args, Plugin};
use crate::outcome::Failure;
use crate::{open, show};
use server::Inspected;
use std::path::{Path, PathBuf};
use std::time::Instant;
use toolchain::{LANGUAGES, Tools};
use types::{Fault, FaultKind, Id, Role, TenantId};

pub(crate) fn plugin(args: &Args, plugin: &Plugin) -> Result<u8, Failure> {
    match plugin {
        Plugin::New { lang, role, name } => new(args, lang, role, name),
        Plugin::Build { path, output } => build(args, path, output.as_deref()),
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

fn build(args: &Args, path: &Path, output: Option<&Path>) -> Result<u8, Failure> {
    let started = Instant::now();
    let here = open::project(args)?;
    let source = here.join(path);
    let scratch = open::scratch(args)?;
    let notes = |note: String| anstream::eprintln!("{}", show::faint(&show::tame(&note)));
    let tools = Tools { cache: &open::cache(), notes: &notes };
    let built = toolchain::build(&source, &scratch.folder.0, &tools).map_err(tamed)?;
    notes("compiling and asking the component, in a sandbox".to_owned());
    let inspected = scratch.server.inspect(&TenantId::default_tenant(), &built).map_err(|error| match error {
        server::Error::Fault(fault) => refused(fault),
        other => Failure::ours(other),
    })?;
    let to = match output.map(|output| here.join(output)) {
        Some(folder) if folder.is_dir() => named_like(&built, &folder),
        Some(file) => file,
        None if source.is_dir() => named_like(&built, &source),
        None => named_like(&built, source.parent().unwrap_or(&here)),
    };
    place(&built, &to)?;
    let to = to.strip_prefix(&here).unwrap_or(&to);
    let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    if args.json {
        return print_json(&serde_json::json!({
            "path": to, "bytes": inspected.bytes, "digest": inspected.digest, "took_us": took_us,
            "descriptor": inspected.descriptor,
        }));
    }
    print(to, &inspected, took_us);
    Ok(0)
}

fn named_like(built: &Path, folder: &Path) -> PathBuf {
    folder.join(built.file_name().unwrap_or(built.as_os_str()))
}

/// Whole or not at all: a server may be reading it.
fn place(built: &Path, to: &Path) -> Result<(), Failure> {
    let draft = to.with_extension(format!("{}.draft", std::process::id()));
    let folder = std::fs::create_dir_all(to.parent().unwrap_or(to));
    let copied = folder.and_then(|()| std::fs::copy(built, &draft)).and_then(|_| std::fs::rename(&draft, to));
    copied.map_err(|error| {
        // Of a copy that failed there may be half a file, or none.
        let _ = std::fs::remove_file(&draft);
        Failure::user(format!("cannot write `{}`: {error}", to.display()))
    })
}

/// A component that breaks the contract was made from what the author wrote: theirs to mend.
fn refused(fault: Fault) -> Failure {
    match fault.kind {
        FaultKind::Host | FaultKind::Crash => fault.into(),
        _ => tamed(Fault { kind: FaultKind::Invalid, ..fault }),
    }
}

/// Compilers and components quote their source, which may be a stranger's.
fn tamed(fault: Fault) -> Failure {
    Fault { message: show::tame(&fault.message), ..fault }.into()
}

fn print(to: &Path, inspected: &Inspected, took_us: u64) {
    let Inspected { digest, bytes, descriptor } = inspected;
    let all = |words: Vec<String>| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let roles = all(descriptor.roles.iter().map(ToString::to_string).collect());
    anstream::println!("built {} ({}) in {}", to.display(), show::bytes(*bytes), show::duration(took_us));
    anstream::println!(
        "  plugin   {} {}: {}",
        descriptor.name.as_str(),
        show::tame(&descriptor.version),
        show::tame(&descriptor.summary)
    );
    anstream::println!("  roles    {roles}");
    anstream::println!("  imports  {}", show::tame(&all(descriptor.imports.clone())));
    anstream::println!("  digest   {digest}");
}

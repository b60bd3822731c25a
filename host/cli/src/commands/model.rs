//! `model`: the registry, to look at and to move aliases in.

use super::{path, print_json, told};
use crate::args::{Args, Model};
use crate::outcome::Failure;
use crate::{open, show};
use api::{AtRequest, Client, ModelDiffRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use server::{
    ExportRequest, Held, ImportRequest, ModelCard, ModelDetail, ModelDiff, ModelList, MoveBack, Promoted, Promotion,
    TagChange, Unalias,
};
use std::collections::BTreeMap;
use std::path::Path;
use trigger::{Moment, Zone};
use types::{AliasMove, ModelName};

pub(crate) async fn model(args: &Args, command: &Model) -> Result<u8, Failure> {
    let mut installation = open::installation(args).await?;
    let client = &mut installation.client;
    match command {
        Model::List => {
            let models: Vec<ModelList> = client.get(&path(args, "models")).await?;
            told(args, &models, &show::model_list(&models))
        }
        Model::Show { name, version } => {
            let which = query("version", version.as_deref())?;
            let version: ModelDetail = client.get(&path(args, &format!("models/{name}{which}"))).await?;
            told(args, &version, &show::model_version(&version))
        }
        Model::History { name, alias } => {
            let which = query("alias", alias.as_deref())?;
            let moves: Vec<AliasMove> = client.get(&path(args, &format!("models/{name}/history{which}"))).await?;
            told(args, &moves, &show::alias_moves(&moves))
        }
        Model::At { name, time, alias } => {
            let moment = Moment::parse(time).map_err(|problem| Failure::user(problem.message))?;
            let asked = AtRequest { alias: alias.clone(), at_us: moment.begins_us(Zone::UTC) };
            let held: Held = ask(args, client, name, "at", &asked).await?;
            told(args, &held, &show::held(&held))
        }
        Model::Promote { name, version, alias, why } => {
            let (version, alias, why, by) = (version.clone(), alias.clone(), why.clone(), open::user());
            let moved: Promoted = ask(args, client, name, "promote", &Promotion { version, alias, why, by }).await?;
            told_move(args, &moved)
        }
        Model::Rollback { name, alias, why } => {
            let asked = MoveBack { alias: alias.clone(), why: why.clone(), by: open::user() };
            let moved: Promoted = ask(args, client, name, "rollback", &asked).await?;
            told_move(args, &moved)
        }
        Model::Unalias { name, alias, why } => {
            let asked = Unalias { alias: alias.clone(), why: why.clone(), by: open::user() };
            let moved: AliasMove = ask(args, client, name, "unalias", &asked).await?;
            told(args, &moved, &show::alias_move(&moved))
        }
        Model::Tag { name, version, tag } => {
            let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
            change_tag(args, client, name, version, key, Some(value)).await
        }
        Model::Untag { name, version, key } => change_tag(args, client, name, version, key, None).await,
        Model::Card { name, version, html } => {
            let which = query("version", version.as_deref())?;
            let card: ModelCard = client.get(&path(args, &format!("models/{name}/card{which}"))).await?;
            show_card(args, &card, html.as_deref())
        }
        Model::Diff { name, a, b, all } => {
            let asked = ModelDiffRequest { a: a.clone(), b: b.clone() };
            let mut diff: ModelDiff = ask(args, client, name, "diff", &asked).await?;
            diff.rows.retain(|row| *all || !row.same);
            told(args, &diff, &show::model_diff(&diff))
        }
        Model::Export { name, version, file } => {
            let asked = ExportRequest { version: version.clone(), file: absolute(file)? };
            let version: ModelDetail = ask(args, client, name, "export", &asked).await?;
            let text = format!("wrote version {} of `{name}` to {}\n", version.version.version, file.display());
            told(args, &version, &text)
        }
        Model::Import { file, name } => {
            let asked = ImportRequest { file: absolute(file)?, name: name.clone(), by: open::user() };
            let body = serde_json::to_vec(&asked).map_err(Failure::ours)?;
            let version: ModelDetail = client.send("POST", &path(args, "import"), body).await?;
            told(args, &version, &show::imported(&version))
        }
    }
}

/// A move, and what callers will find otherwise.
fn told_move(args: &Args, promoted: &Promoted) -> Result<u8, Failure> {
    let warning = show::styled("warning", show::BAD);
    promoted.unlike.iter().for_each(|unlike| anstream::eprintln!("{warning}: {}", show::tame(unlike)));
    told(args, promoted, &show::alias_move(&promoted.moved))
}

async fn ask<T: DeserializeOwned>(
    args: &Args,
    client: &mut Client,
    model: &ModelName,
    what: &str,
    asked: &impl Serialize,
) -> Result<T, Failure> {
    let body = serde_json::to_vec(asked).map_err(Failure::ours)?;
    Ok(client.send("POST", &path(args, &format!("models/{model}/{what}")), body).await?)
}

async fn change_tag(
    args: &Args,
    client: &mut Client,
    model: &ModelName,
    version: &str,
    key: &str,
    value: Option<&str>,
) -> Result<u8, Failure> {
    let (key, value) = (key.to_owned(), value.map(str::to_owned));
    let asked = TagChange { version: version.to_owned(), key, value, by: open::user() };
    let tags: BTreeMap<String, String> = ask(args, client, model, "tag", &asked).await?;
    told(args, &tags, &show::tags(&tags))
}

/// A part of a path that asks for one of several: a number or a name, nothing that has a meaning there.
fn query(key: &str, which: Option<&str>) -> Result<String, Failure> {
    match which {
        Some(which) if which.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) => {
            Ok(format!("?{key}={which}"))
        }
        Some(which) => Err(Failure::user(format!("`{which}` is neither a version's number nor an alias"))),
        None => Ok(String::new()),
    }
}

fn show_card(args: &Args, card: &ModelCard, html: Option<&Path>) -> Result<u8, Failure> {
    if let Some(file) = html {
        std::fs::write(file, server::card_html(card, &show::instant))
            .map_err(|error| Failure::user(format!("cannot write `{}`: {error}", file.display())))?;
    }
    match (args.json, html) {
        (true, _) => print_json(card),
        (false, Some(file)) => told(args, card, &format!("wrote {}\n", file.display())),
        (false, None) => told(args, card, &show::tame_text(&server::card_markdown(card, &show::instant))),
    }
}

/// The server has a folder of its own.
fn absolute(file: &Path) -> Result<std::path::PathBuf, Failure> {
    std::path::absolute(file).map_err(Failure::ours)
}

//! `deploy`: shows what a version would change, asks, and has it run by itself from then on.

use super::{path, print_json, told};
use crate::args::{Args, Deploy};
use crate::open::{self, Installation};
use crate::outcome::Failure;
use crate::show;
use api::{Line, PrepareRequest, RollbackRequest};
use serde::Serialize;
use server::{DeploymentDetail, Prepared, SettingsChange};
use std::io::{IsTerminal, Write};
use std::path::Path;
use types::{Deployment, ProjectName};

/// What a deployment said, for programs.
#[derive(Serialize)]
struct Answer<'a> {
    prepared: &'a Prepared,
    /// None if what was to be deployed runs already.
    deployed: Option<&'a Deployment>,
}

pub(crate) async fn deploy(args: &Args, set: &[String], unset: &[String], yes: bool) -> Result<u8, Failure> {
    let folder = open::project(args)?;
    let settings =
        SettingsChange { set: set.iter().map(|text| setting(text)).collect::<Result<_, _>>()?, unset: unset.to_vec() };
    let mut installation = open::installation(args).await?;
    let request = PrepareRequest { folder: folder.clone(), settings };
    let mut prepared = None;
    let hear = |line| match line {
        Line::Note { text } => anstream::eprintln!("{}", show::faint(&show::tame(&text))),
        Line::Prepared { prepared: told } => prepared = Some(*told),
        _ => {}
    };
    let asked = installation.client.lines("POST", &path(args, "prepare"), &request, hear).await;
    asked.map_err(|trouble| Failure::from(trouble).in_project(&folder))?;
    let prepared = prepared.ok_or_else(|| Failure::ours("the server does not answer as expected"))?;
    warn(&prepared, &folder);
    conclude(args, &mut installation, &prepared, yes).await
}

pub(crate) async fn versions(args: &Args, command: &Deploy) -> Result<u8, Failure> {
    match command {
        Deploy::List => {
            let mut installation = open::installation(args).await?;
            let all: Vec<Deployment> = installation.client.get(&path(args, "deployments")).await?;
            told(args, &all, &show::deployment_list(&all))
        }
        Deploy::History { name } => {
            let project = named(args, name.as_ref())?;
            let mut installation = open::installation(args).await?;
            let path = path(args, &format!("deployments/{project}/history"));
            let all: Vec<Deployment> = installation.client.get(&path).await?;
            told(args, &all, &show::deployment_history(&all))
        }
        Deploy::Show { version, name } => {
            let project = named(args, name.as_ref())?;
            let version = version.map(|version| format!("/versions/{version}")).unwrap_or_default();
            let mut installation = open::installation(args).await?;
            let path = path(args, &format!("deployments/{project}{version}"));
            let detail: DeploymentDetail = installation.client.get(&path).await?;
            told(args, &detail, &show::deployment(&detail))
        }
        Deploy::Rollback { version, name, yes } => {
            let project = named(args, name.as_ref())?;
            let mut installation = open::installation(args).await?;
            let body = serde_json::to_vec(&RollbackRequest { version: *version }).map_err(Failure::ours)?;
            let path = path(args, &format!("deployments/{project}/rollback"));
            let prepared: Prepared = installation.client.send("POST", &path, body).await?;
            // What is said of a version that is brought back stands in no file.
            warn(&prepared, Path::new(""));
            conclude(args, &mut installation, &prepared, *yes).await
        }
    }
}

fn warn(prepared: &Prepared, folder: &Path) {
    for warning in &prepared.warnings {
        anstream::eprintln!("{}\n", show::warning(warning, folder));
    }
}

/// Shows what would change, asks, and does it.
async fn conclude(args: &Args, installation: &mut Installation, prepared: &Prepared, yes: bool) -> Result<u8, Failure> {
    let (project, tenant) = (&prepared.project, &args.tenant);
    if prepared.is_same {
        let version = prepared.over.unwrap_or_default();
        let text = format!("nothing to do: version {version} of project `{project}` is the same\n");
        return told(args, &Answer { prepared, deployed: None }, &text);
    }
    // Programs read standard output.
    anstream::eprint!("{}", show::differences_of(prepared));
    expect_yes(prepared, yes)?;
    let body = serde_json::to_vec(prepared).map_err(Failure::ours)?;
    let deployed: Deployment = installation.client.send("POST", &path(args, "deployments"), body).await?;
    if args.json {
        return print_json(&Answer { prepared, deployed: Some(&deployed) });
    }
    let back = deployed.rollback_to.map(|version| format!(", which is version {version} again")).unwrap_or_default();
    anstream::println!("deployed version {} of project `{project}` for tenant `{tenant}`{back}", deployed.version);
    Ok(0)
}

/// Asks at a terminal. Elsewhere nobody is there to ask: more reach than before needs to be said beforehand.
fn expect_yes(prepared: &Prepared, yes: bool) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if yes {
        return Ok(());
    }
    if !stdin.is_terminal() {
        return match prepared.widens() {
            true => Err(Failure::user("steps would reach more than they do now; nothing was deployed")
                .hinted("if that is meant: --yes")),
            false => Ok(()),
        };
    }
    anstream::eprint!("deploy this? [y/N] ");
    let _ = anstream::stderr().flush();
    let mut answer = String::new();
    stdin.read_line(&mut answer).map_err(Failure::ours)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::user("nothing was deployed")),
    }
}

/// The project that is meant.
fn named(args: &Args, name: Option<&ProjectName>) -> Result<ProjectName, Failure> {
    name.map_or_else(|| open::project_name(args), |name| Ok(name.clone()))
}

fn setting(text: &str) -> Result<(String, String), Failure> {
    let parts = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    parts.ok_or_else(|| Failure::user(format!("--set {text}: expected KEY=VALUE")))
}

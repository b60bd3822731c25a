//! Deployments for a person's eyes.

use super::{BAD, GOOD, instant, styled, table, tame, tame_lines};
use server::{DeploymentDetail, How, Prepared};
use types::Deployment;

pub(crate) fn deployment_list(all: &[Deployment]) -> String {
    if all.is_empty() {
        return "nothing is deployed yet; `stepwell deploy` does it\n".to_owned();
    }
    let row =
        |it: &Deployment| vec![it.project.to_string(), it.version.to_string(), instant(it.deployed_us), settings(it)];
    table(&["project", "version", "deployed", "settings"], all.iter().map(row).collect())
}

pub(crate) fn deployment_history(all: &[Deployment]) -> String {
    let row = |it: &Deployment| {
        let back = it.rollback_to.map(|version| format!("version {version} again")).unwrap_or_default();
        vec![it.version.to_string(), instant(it.deployed_us), it.content.short(), settings(it), back]
    };
    table(&["version", "deployed", "content", "settings", ""], all.iter().rev().map(row).collect())
}

fn settings(deployment: &Deployment) -> String {
    let all = deployment.settings.iter().map(|(name, value)| format!("{name}={}", plain(value)));
    all.collect::<Vec<_>>().join(" ")
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn deployment(detail: &DeploymentDetail) -> String {
    let DeploymentDetail { deployment, is_current, project_dir, pipelines, endpoints } = detail;
    let current = if *is_current { ", the current one" } else { "" };
    let mut text = format!(
        "version {} of project `{}`{current}, deployed {}\nfolder {}\n",
        deployment.version,
        deployment.project,
        instant(deployment.deployed_us),
        tame(&project_dir.display().to_string())
    );
    if !deployment.settings.is_empty() {
        text.push_str(&format!("settings {}\n", tame(&settings(deployment))));
    }
    let rows = pipelines.iter().map(|it| vec![it.pipeline.to_string(), it.steps.to_string(), it.starts.join("; ")]);
    text.push_str(&table(&["pipeline", "steps", "starts by itself"], rows.collect()));
    if !endpoints.is_empty() {
        let names: Vec<_> = endpoints.iter().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!("endpoints {}\n", names.join(", ")));
    }
    text
}

/// What a deployment would change, a line each.
pub(crate) fn differences_of(prepared: &Prepared) -> String {
    let Prepared { project, over, rollback_to, differs, .. } = prepared;
    let what = rollback_to.map_or_else(|| "this".to_owned(), |version| format!("version {version}"));
    let mut text = match over {
        Some(over) => format!("{what} differs from version {over} of project `{project}`:\n"),
        None => format!("project `{project}` is deployed for the first time:\n"),
    };
    for differs in differs {
        let mark = match differs.how {
            How::Added => styled("+", GOOD),
            How::Removed => styled("-", BAD),
            How::Changed => "~".to_owned(),
            How::Widened => styled("!", BAD),
        };
        text.push_str(&format!("  {mark} {}\n", tame_lines(&differs.what)));
    }
    if differs.is_empty() {
        text.push_str("  nothing that a run would show; its texts differ\n");
    }
    text
}

//! `check`: everything that is wrong, or what would run.

use super::{path, print_json};
use crate::args::Args;
use crate::outcome::Failure;
use crate::{open, show};
use api::{CheckRequest, Line};
use server::{CheckedPipeline, Repin};

pub(crate) async fn check(
    args: &Args,
    pipeline: Option<String>,
    with_columns: bool,
    repin: Repin,
) -> Result<u8, Failure> {
    let folder = open::project(args)?;
    let mut installation = open::installation(args).await?;
    let request = CheckRequest { folder: folder.clone(), pipeline, repin };
    let mut checked = Vec::new();
    let hear = |line| match line {
        Line::Note { text } => anstream::eprintln!("{}", show::faint(&show::tame(&text))),
        Line::Checked { pipelines } => checked = pipelines,
        _ => {}
    };
    let asked = installation.client.lines("POST", &path(args, "check"), &request, hear).await;
    asked.map_err(|trouble| Failure::from(trouble).in_project(&folder))?;
    if args.json {
        return print_json(&checked);
    }
    for checked in &checked {
        print(checked);
        if with_columns {
            print_columns(checked);
        }
        for warning in &checked.warnings {
            anstream::eprintln!("{}\n", show::warning(warning, &folder));
        }
    }
    Ok(0)
}

fn print(checked: &CheckedPipeline) {
    anstream::println!("pipeline `{}` is sound", checked.pipeline);
    let rows = checked.steps.iter().map(|step| {
        let plugin = step.plugin.as_ref().map(ToString::to_string).unwrap_or_else(|| "built in".to_owned());
        let outputs: Vec<_> = step
            .outputs
            .iter()
            .map(|(port, columns)| if *columns == 0 { port.to_string() } else { format!("{port} ({columns} columns)") })
            .collect();
        vec![step.step.to_string(), show::does(&step.work, step.device, step.device_asked), plugin, outputs.join(", ")]
    });
    anstream::print!("{}", show::table(&["step", "does", "plugin", "gives"], rows.collect()));
    if !checked.lowered.is_empty() {
        anstream::println!("the tenant's policy lowers the default limits: {}", checked.lowered.join(", "));
    }
    if !checked.served.is_empty() {
        let path: Vec<_> = checked.served.iter().map(ToString::to_string).collect();
        let columns = checked.request.len();
        anstream::println!("served path: request ({columns} columns) -> {}\n", path.join(" -> "));
    }
}

/// A line a column of every table, under the name by which other steps ask for it.
fn print_columns(checked: &CheckedPipeline) {
    let rows = checked.steps.iter().flat_map(|step| {
        step.columns.iter().flat_map(move |(port, columns)| {
            columns.iter().map(move |column| {
                let nulls = if column.nullable { "may be null" } else { "" };
                let table = format!("{}.{port}", step.step);
                vec![table, show::tame(&column.name), column.data_type.to_string(), nulls.to_owned()]
            })
        })
    });
    anstream::println!("{}", show::table(&["table", "column", "type", ""], rows.collect()));
}

//! `schedule`: when pipelines run by themselves. A preview reads the project's texts and asks no server; the others are about
//! what is deployed.

use super::{path, print_json, told};
use crate::args::{Args, Schedule};
use crate::outcome::Failure;
use crate::{open, show};
use api::{Client, ScheduleRequest};
use server::{BackfillLine, BackfillRequest, ScheduleHistory, ScheduleLine};
use trigger::{Moment, Whose};

pub(crate) async fn schedule(args: &Args, command: &Schedule) -> Result<u8, Failure> {
    if let Schedule::Preview { pipeline, from, to, count } = command {
        return preview(args, pipeline, from.as_deref(), to.as_deref(), *count);
    }
    let mut installation = open::installation(args).await?;
    let client = &mut installation.client;
    match command {
        // Told above, without an installation.
        Schedule::Preview { .. } => Ok(0),
        Schedule::List => {
            let lines: Vec<ScheduleLine> = client.get(&path(args, "schedules")).await?;
            told(args, &lines, &show::schedule_list(&lines))
        }
        Schedule::Pause { pipeline } => {
            let line: ScheduleLine = ask(args, client, "pause", pipeline).await?;
            told(args, &line, &format!("paused the schedule of `{}/{}`\n", line.project, line.pipeline))
        }
        Schedule::Resume { pipeline } => {
            let line: ScheduleLine = ask(args, client, "resume", pipeline).await?;
            let next =
                line.next_us.filter(|_| !line.paused).map(|next| format!(", next at {} UTC", show::instant(next)));
            let (project, pipeline, next) = (&line.project, &line.pipeline, next.unwrap_or_default());
            told(args, &line, &format!("the schedule of `{project}/{pipeline}` goes on{next}\n"))
        }
        Schedule::History { pipeline } => {
            let history: ScheduleHistory = ask(args, client, "history", pipeline).await?;
            told(args, &history, &show::schedule_history(&history))
        }
        Schedule::Backfill { pipeline: Some(pipeline), from, to, overlap, order, .. } => {
            let text = |option: &Option<String>| option.clone().unwrap_or_default();
            let (pipeline, overlap, order) = (pipeline.clone(), overlap.clone(), order.clone());
            let request = BackfillRequest { pipeline, from: text(from), to: text(to), overlap, order };
            let body = serde_json::to_vec(&request).map_err(Failure::ours)?;
            let line: BackfillLine = client.send("POST", &path(args, "backfills"), body).await?;
            let text = format!("backfill {}: {} runs; `stepwell serve` starts them\n", line.asked.number, line.runs);
            told(args, &line, &text)
        }
        Schedule::Backfill { cancel: Some(number), .. } => {
            let path = path(args, &format!("backfills/{number}"));
            let line: BackfillLine = client.send("DELETE", &path, Vec::new()).await?;
            let text = format!("backfill {number} begins no more runs; {} of {} began\n", line.begun, line.runs);
            told(args, &line, &text)
        }
        Schedule::Backfill { .. } => {
            let lines: Vec<BackfillLine> = client.get(&path(args, "backfills")).await?;
            told(args, &lines, &show::backfill_list(&lines))
        }
    }
}

/// Asks about a deployed schedule, or holds it.
async fn ask<T: serde::de::DeserializeOwned>(
    args: &Args,
    client: &mut Client,
    what: &str,
    pipeline: &str,
) -> Result<T, Failure> {
    let body = serde_json::to_vec(&ScheduleRequest { pipeline: pipeline.to_owned() }).map_err(Failure::ours)?;
    Ok(client.send("POST", &path(args, &format!("schedules/{what}")), body).await?)
}

fn preview(args: &Args, pipeline: &str, from: Option<&str>, to: Option<&str>, count: u16) -> Result<u8, Failure> {
    let folder = open::project(args)?;
    let found = server::schedule(&folder, pipeline).map_err(|error| Failure::from(error).in_folder(&folder))?;
    let (name, Some(schedule)) = found else {
        let hint = format!("add one to `pipelines/{pipeline}.toml`: `schedule.cron = \"0 6 * * 1-5\"`");
        return Err(Failure::not_found(format!("pipeline `{pipeline}` has no schedule")).hinted(hint));
    };
    let zone = schedule.zone();
    let after_us = moment("--from", from)?.map_or_else(server::now_us, |from| from.begins_us(zone) - 1);
    let until_us = moment("--to", to)?.map_or(i64::MAX, |to| to.ends_us(zone));
    let whose = Whose { tenant: &args.tenant, pipeline: &name };
    let preview = trigger::preview(&schedule, whose, after_us, until_us, usize::from(count));
    if args.json {
        return print_json(&preview);
    }
    anstream::print!("{}", show::schedule_preview(&preview));
    Ok(0)
}

fn moment(option: &str, text: Option<&str>) -> Result<Option<Moment>, Failure> {
    let moment = text.map(Moment::parse).transpose();
    moment.map_err(|problem| Failure::user(format!("{option}: {}", problem.message)))
}

//! `schedule`: when a pipeline is to run by itself. It reads the project's texts and asks no server.

use super::print_json;
use crate::args::{Args, Schedule};
use crate::outcome::Failure;
use crate::{open, show};
use trigger::{Moment, Whose};

pub(crate) fn schedule(args: &Args, command: &Schedule) -> Result<u8, Failure> {
    let Schedule::Preview { pipeline, from, to, count } = command;
    let folder = open::project(args)?;
    let found = server::schedule(&folder, pipeline).map_err(|error| Failure::from(error).in_folder(&folder))?;
    let (name, Some(schedule)) = found else {
        let hint = format!("add one to `pipelines/{pipeline}.toml`: `schedule.cron = \"0 6 * * 1-5\"`");
        return Err(Failure::not_found(format!("pipeline `{pipeline}` has no schedule")).hinted(hint));
    };
    let zone = schedule.zone();
    let after_us = moment("--from", from.as_deref())?.map_or_else(server::now_us, |from| from.begins_us(zone) - 1);
    let until_us = moment("--to", to.as_deref())?.map_or(i64::MAX, |to| to.ends_us(zone));
    let whose = Whose { tenant: &args.tenant, pipeline: &name };
    let preview = trigger::preview(&schedule, whose, after_us, until_us, usize::from(*count));
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

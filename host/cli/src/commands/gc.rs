//! `gc`: what need not be kept goes.

use super::{path, print_json};
use crate::args::Args;
use crate::outcome::Failure;
use crate::{open, show};
use api::Line;
use server::GcRequest;

pub(crate) async fn gc(args: &Args, request: &GcRequest) -> Result<u8, Failure> {
    let mut installation = open::installation(args).await?;
    let mut found = None;
    let hear = |line| match line {
        Line::Note { text } if !args.json => anstream::eprintln!("{}", show::faint(&text)),
        Line::Collected { collected } => found = Some(collected),
        _ => {}
    };
    installation.client.lines("POST", &path(args, "gc"), request, hear).await?;
    let collected = found.ok_or_else(|| Failure::ours("the server did not say what it removed"))?;
    if args.json {
        return print_json(&collected);
    }
    anstream::print!("{}", show::collected(&collected));
    Ok(0)
}

//! `trigger`: what starts deployed pipelines by themselves.

use super::{path, told};
use crate::args::{Args, Trigger};
use crate::outcome::Failure;
use crate::{open, show};
use server::TriggerList;

pub(crate) async fn trigger(args: &Args, command: &Trigger) -> Result<u8, Failure> {
    let Trigger::List = command;
    let mut installation = open::installation(args).await?;
    let list: TriggerList = installation.client.get(&path(args, "triggers")).await?;
    told(args, &list, &show::trigger_list(&list))
}

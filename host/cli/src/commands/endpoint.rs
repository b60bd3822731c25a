//! `endpoint`: who answers, and canaries.

use super::{path, told};
use crate::args::{Args, Endpoint};
use crate::outcome::Failure;
use crate::{open, show};
use api::{EndpointsRequest, RolloutRequest, Trouble};
use server::{EndpointDetail, RolloutChange, RolloutVerb};
use types::{EndpointName, RolloutMove};

pub(crate) async fn endpoint(args: &Args, command: &Endpoint) -> Result<u8, Failure> {
    let folder = open::project(args)?;
    let asked = EndpointsRequest { folder: folder.clone() };
    let body = serde_json::to_vec(&asked).map_err(Failure::ours)?;
    let in_folder = |trouble: Trouble| Failure::from(trouble).in_folder(&folder);
    let (name, what, why) = match command {
        Endpoint::List => {
            let mut installation = open::installation(args).await?;
            let endpoints = installation.client.send("POST", &path(args, "endpoints"), body).await;
            let endpoints: Vec<EndpointDetail> = endpoints.map_err(in_folder)?;
            return told(args, &endpoints, &show::endpoint_list(&endpoints));
        }
        Endpoint::Show { name } => {
            let mut installation = open::installation(args).await?;
            let path = path(args, &format!("endpoints/{name}"));
            let endpoint: EndpointDetail = installation.client.send("POST", &path, body).await.map_err(in_folder)?;
            return told(args, &endpoint, &show::endpoint(&endpoint));
        }
        Endpoint::Pause { name, why } => (name, RolloutVerb::Pause, why),
        Endpoint::Resume { name, why } => (name, RolloutVerb::Resume, why),
        Endpoint::Promote { name, why } => (name, RolloutVerb::Promote, why),
        Endpoint::Abort { name, why } => (name, RolloutVerb::Abort, why),
    };
    let change = RolloutChange { what, why: why.clone(), by: open::user() };
    changed(args, name, RolloutRequest { folder: folder.clone(), change }).await
}

async fn changed(args: &Args, name: &EndpointName, asked: RolloutRequest) -> Result<u8, Failure> {
    let body = serde_json::to_vec(&asked).map_err(Failure::ours)?;
    let mut installation = open::installation(args).await?;
    let path = path(args, &format!("endpoints/{name}/rollout"));
    let moved = installation.client.send("POST", &path, body).await;
    let moved: RolloutMove = moved.map_err(|trouble| Failure::from(trouble).in_folder(&asked.folder))?;
    told(args, &moved, &show::rollout_move(&moved))
}

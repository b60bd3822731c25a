//! `endpoint`: who answers, and canaries.

use super::{path, told};
use crate::args::{Args, Endpoint};
use crate::outcome::Failure;
use crate::{open, show};
use api::{EndpointsRequest, RolloutRequest};
use server::{EndpointDetail, RolloutChange, RolloutVerb};
use types::{EndpointName, RolloutMove};

pub(crate) async fn endpoint(args: &Args, command: &Endpoint) -> Result<u8, Failure> {
    let asked = EndpointsRequest { folder: open::project(args)? };
    let body = serde_json::to_vec(&asked).map_err(Failure::ours)?;
    let (name, what, why) = match command {
        Endpoint::List => {
            let mut installation = open::installation(args).await?;
            let endpoints: Vec<EndpointDetail> =
                installation.client.send("POST", &path(args, "endpoints"), body).await?;
            return told(args, &endpoints, &show::endpoint_list(&endpoints));
        }
        Endpoint::Show { name } => {
            let mut installation = open::installation(args).await?;
            let path = path(args, &format!("endpoints/{name}"));
            let endpoint: EndpointDetail = installation.client.send("POST", &path, body).await?;
            return told(args, &endpoint, &show::endpoint(&endpoint));
        }
        Endpoint::Pause { name, why } => (name, RolloutVerb::Pause, why),
        Endpoint::Resume { name, why } => (name, RolloutVerb::Resume, why),
        Endpoint::Promote { name, why } => (name, RolloutVerb::Promote, why),
        Endpoint::Abort { name, why } => (name, RolloutVerb::Abort, why),
    };
    change(args, name, RolloutChange { what, why: why.clone(), by: open::user() }).await
}

async fn change(args: &Args, name: &EndpointName, change: RolloutChange) -> Result<u8, Failure> {
    let asked = RolloutRequest { folder: open::project(args)?, change };
    let body = serde_json::to_vec(&asked).map_err(Failure::ours)?;
    let mut installation = open::installation(args).await?;
    let path = path(args, &format!("endpoints/{name}/rollout"));
    let moved: RolloutMove = installation.client.send("POST", &path, body).await?;
    told(args, &moved, &show::rollout_move(&moved))
}

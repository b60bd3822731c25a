//! `model`: the registry, to look at.

use super::{path, print_json};
use crate::args::{Args, Model};
use crate::outcome::Failure;
use crate::{open, show};
use server::ModelList;
use types::{Id, ModelName, ModelVersion};

pub(crate) async fn model(args: &Args, command: &Model) -> Result<u8, Failure> {
    let mut installation = open::installation(args).await?;
    match command {
        Model::List => {
            let models: Vec<ModelList> = installation.client.get(&path(args, "models")).await?;
            if args.json {
                return print_json(&models);
            }
            anstream::print!("{}", show::model_list(&models));
        }
        Model::Show { name, version } => {
            let name = ModelName::parse(name).map_err(|error| Failure::user(error.to_string()))?;
            let which = match version {
                Some(which) if which.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) => {
                    format!("?version={which}")
                }
                Some(which) => {
                    return Err(Failure::user(format!("`{which}` is neither a version's number nor an alias")));
                }
                None => String::new(),
            };
            let version: ModelVersion = installation.client.get(&path(args, &format!("models/{name}{which}"))).await?;
            if args.json {
                return print_json(&version);
            }
            anstream::print!("{}", show::model_version(&version));
        }
    }
    Ok(0)
}

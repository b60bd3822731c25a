//! One file a command: ask the installation, show the answer, say the exit code.

mod audit;
mod check;
mod deploy;
mod doctor;
mod endpoint;
mod gc;
mod init;
mod key;
mod model;
pub(crate) mod plugin;
mod predictions;
mod run;
mod runs;
mod schedule;
mod secret;
mod serve;
mod tenant;
mod trigger;

use crate::args::{Args, Command};
use crate::open;
use crate::outcome::Failure;
use server::Repin;

/// Does what was typed. The code is the process's.
pub(crate) async fn carry_out(args: Args) -> Result<u8, Failure> {
    match &args.command {
        Command::Init { folder } => init::init(folder, args.json),
        Command::Check { pipeline, columns, update_lock, accept } => {
            let repin = match (update_lock, accept) {
                (false, _) => Repin::Never,
                (true, false) => Repin::AskingNoMore,
                (true, true) => Repin::Any,
            };
            check::check(&args, pipeline.clone(), *columns, repin).await
        }
        Command::Run { pipeline, deployed: true, .. } => run::run_deployed(&args, pipeline.as_deref()).await,
        Command::Run { pipeline, param, set, no_cache, explain, .. } => {
            let (params, settings) = (param.iter().cloned().collect(), set.iter().cloned().collect());
            let options =
                server::RunOptions { params, settings, no_cache: *no_cache, explain: *explain, by: open::user() };
            run::run(&args, pipeline.clone(), options, *explain).await
        }
        Command::Deploy { command: None, set, unset, yes } => deploy::deploy(&args, set, unset, *yes).await,
        Command::Deploy { command: Some(command), .. } => deploy::versions(&args, command).await,
        Command::Gc { dry_run, keep_runs, older_than } => {
            let keep = server::Keep { runs: *keep_runs, age_ms: *older_than };
            gc::gc(&args, &server::GcRequest { dry_run: *dry_run, keep }).await
        }
        Command::Runs(runs) => runs::runs(&args, runs).await,
        Command::Schedule(schedule) => schedule::schedule(&args, schedule).await,
        Command::Trigger(command) => trigger::trigger(&args, command).await,
        Command::Model(model) => model::model(&args, model).await,
        Command::Endpoint(endpoint) => endpoint::endpoint(&args, endpoint).await,
        Command::Audit(audit) => audit::audit(&args, audit).await,
        Command::Secret(secret) => secret::secret(&args, secret).await,
        Command::Predictions(predictions) => predictions::predictions(&args, predictions).await,
        Command::Key(key) => key::key(&args, key).await,
        Command::Tenant(tenant) => tenant::tenant(&args, tenant).await,
        Command::Plugin(plugin) => plugin::plugin(&args, plugin).await,
        Command::Serve { listen, require_keys, tls_cert, tls_key } => {
            let tls = tls_cert.as_deref().zip(tls_key.as_deref());
            serve::serve(&args, serve::Door { address: *listen, require_keys: *require_keys, tls }).await
        }
        Command::Doctor => doctor::doctor(&args),
        Command::Worker => Ok(0),
    }
}

/// A path of the local router, beneath the tenant.
fn path(args: &Args, rest: &str) -> String {
    format!("/v1/tenants/{}/{rest}", args.tenant)
}

/// Prints an answer for a program.
fn print_json(answer: &impl serde::Serialize) -> Result<u8, Failure> {
    anstream::println!("{}", serde_json::to_string_pretty(answer).map_err(Failure::ours)?);
    Ok(0)
}

/// Says an answer: to a program, or to a person as this text.
fn told(args: &Args, answer: &impl serde::Serialize, text: &str) -> Result<u8, Failure> {
    if args.json {
        return print_json(answer);
    }
    anstream::print!("{text}");
    Ok(0)
}

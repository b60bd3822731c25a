//! `predictions`: what endpoints predicted, and what became of it.

use super::{path, told};
use crate::args::{Args, Predictions};
use crate::outcome::Failure;
use crate::{open, show};
use api::Line;
use server::PredictionLog;
use std::io::Write;

pub(crate) async fn predictions(args: &Args, command: &Predictions) -> Result<u8, Failure> {
    let mut installation = open::installation(args).await?;
    let client = &mut installation.client;
    match command {
        Predictions::List => {
            let logs: Vec<PredictionLog> = client.get(&path(args, "predictions")).await?;
            let none = "nothing is logged yet: `stepwell serve` logs what it predicts\n".to_owned();
            told(args, &logs, &if logs.is_empty() { none } else { show::prediction_logs(&logs) })
        }
        Predictions::Export { endpoint, labelled } => {
            let path = path(args, &format!("predictions/{endpoint}?labelled={labelled}"));
            let (mut out, mut written) = (std::io::stdout().lock(), Ok(()));
            let hear = |line| {
                if let (Line::Row { row }, Ok(())) = (line, &written) {
                    written =
                        serde_json::to_writer(&mut out, &row).map_err(Into::into).and_then(|()| out.write_all(b"\n"));
                }
            };
            client.lines("GET", &path, &(), hear).await?;
            written.map_err(|error: std::io::Error| Failure::ours(format!("cannot write the rows: {error}")))?;
            Ok(0)
        }
    }
}

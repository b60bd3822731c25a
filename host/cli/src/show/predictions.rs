//! Prediction logs for a person's eyes.

use super::{bytes, instant, table};
use server::PredictionLog;

pub(crate) fn prediction_logs(logs: &[PredictionLog]) -> String {
    let rows = logs.iter().map(|log| {
        let since = log.since_us.map_or_else(|| "nothing".to_owned(), instant);
        let counts = [log.logged, log.dropped, log.unwritten].map(|count| count.to_string());
        let [logged, dropped, unwritten] = counts;
        vec![log.endpoint.to_string(), since, bytes(log.bytes), log.labels.to_string(), logged, dropped, unwritten]
    });
    let head = ["endpoint", "kept since", "size", "labels", "logged", "dropped", "not written"];
    let mut text = table(&head, rows.collect());
    for log in logs {
        if let Some(trouble) = &log.trouble {
            text.push_str(&format!("\n`{}`: {}\n", log.endpoint, super::tame_lines(trouble)));
        }
        if log.torn_bytes > 0 {
            let end = bytes(log.torn_bytes);
            text.push_str(&format!("\n`{}`: a crash cut short {end} of its files\n", log.endpoint));
        }
    }
    text
}

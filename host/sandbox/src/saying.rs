//! What a guest says while it runs, made fit for whoever hears it: of a bounded length, and without codes that a terminal
//! obeys. Said once where the guest says it, and once more by the server, to which a worker that was taken over says anything.

use ports::Watched;

/// Bytes of a line of log.
const LINE_BYTES_MAX: usize = 8_192;
/// Characters of a metric's name.
const NAME_CHARS_MAX: usize = 128;
const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

/// The same, cut where it is too long.
pub fn tame(said: Watched) -> Watched {
    match said {
        Watched::Log { level, message } => {
            let known = LEVELS.contains(&level.as_str());
            Watched::Log { level: if known { level } else { "info".to_owned() }, message: line(&message) }
        }
        Watched::Metric { name, value, index } => {
            let name = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
            Watched::Metric { name, value: value.filter(|value| value.is_finite()), index }
        }
        progress @ Watched::Progress { .. } => progress,
    }
}

/// Bytes of a line of log; nothing else has any.
pub fn logged_bytes(said: &Watched) -> u64 {
    match said {
        Watched::Log { message, .. } => message.len() as u64,
        Watched::Progress { .. } | Watched::Metric { .. } => 0,
    }
}

fn line(message: &str) -> String {
    let shown = message.chars().scan(0, |bytes, c| {
        *bytes += c.len_utf8();
        (*bytes <= LINE_BYTES_MAX).then_some(if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(level: &str, message: &str) -> Watched {
        Watched::Log { level: level.to_owned(), message: message.to_owned() }
    }

    fn metric(name: &str, value: f64) -> Watched {
        Watched::Metric { name: name.to_owned(), value: Some(value), index: 1 }
    }

    #[test]
    fn words_are_cut_and_codes_are_shown() {
        for (said, heard) in [
            (log("warn", "\x1b[2J\tline\n"), log("warn", "\u{fffd}[2J\tline\u{fffd}")),
            (log("\x1b[31mloud", "line"), log("info", "line")),
            (log("debug", &"é".repeat(5_000)), log("debug", &"é".repeat(4_096))),
            (metric("\x1bloss", 0.5), metric("loss", 0.5)),
            (metric(&"x".repeat(129), 0.5), metric(&"x".repeat(128), 0.5)),
        ] {
            assert_eq!(tame(said), heard);
        }
        assert_eq!(tame(metric("x", f64::NAN)), Watched::Metric { name: "x".to_owned(), value: None, index: 1 });
    }
}

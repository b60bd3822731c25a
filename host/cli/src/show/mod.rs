//! Answers for a person's eyes: aligned tables, problems under their lines, progress. Colours only where they are seen.

mod detail;
mod problem;
mod progress;
mod table;

pub(crate) use detail::{model_list, model_version, rows, run_detail, run_list, run_measures};
pub(crate) use problem::problem;
pub(crate) use progress::RunShow;
pub(crate) use table::table;

use anstyle::{AnsiColor, Style};
use types::Measure;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Text in a style; `anstream` takes the style away where nobody would see it.
pub(crate) fn styled(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

pub(crate) fn faint(text: &str) -> String {
    styled(text, FAINT)
}

/// A measure with its interval: `0.9964 [0.9902, 0.9998]`.
pub(crate) fn measure(measure: &Measure) -> String {
    match measure.interval {
        Some(interval) => format!("{:.4} [{:.4}, {:.4}]", measure.value, interval.low, interval.high),
        None => format!("{:.4}", measure.value),
    }
}

/// Seconds as a person says them.
pub(crate) fn duration(us: u64) -> String {
    match us {
        0..=999 => format!("{us} us"),
        1000..=999_999 => format!("{} ms", us / 1000),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

/// Bytes as a person says them.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..=1023 => format!("{count} B"),
        1024..=1_048_575 => format!("{:.1} KiB", count as f64 / 1024.0),
        1_048_576..=1_073_741_823 => format!("{:.1} MiB", count as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", count as f64 / 1_073_741_824.0),
    }
}

/// A point in time, in UTC.
pub(crate) fn instant(us: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(us);
    time.map_or_else(|| us.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// What a stranger may have written, without what a terminal would obey.
pub(crate) fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

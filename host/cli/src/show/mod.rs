//! Answers for a person's eyes: aligned tables, problems under their lines, progress. Colours only where they are seen.

mod audit;
mod comparison;
mod deployment;
mod detail;
mod endpoint;
mod family;
mod key;
mod model;
mod plugin;
mod predictions;
mod problem;
mod progress;
mod recording;
mod schedule;
mod table;
mod tenant;
mod trigger;

pub(crate) use audit::{audited, heads};
pub(crate) use comparison::{collected, replayed, run_diff};
pub(crate) use deployment::{deployment, deployment_history, deployment_list, differences_of};
pub(crate) use detail::{does, rows, run_detail, run_list, run_measures, verdict};
pub(crate) use endpoint::{endpoint, endpoint_list, rollout_move};
pub(crate) use key::{key_list, new_key, unknown_endpoints};
pub(crate) use model::{alias_move, alias_moves, held, imported, model_diff, model_list, model_version, tags};
pub(crate) use plugin::{capabilities, plugin, plugin_changes, plugin_head};
pub(crate) use predictions::prediction_logs;
pub(crate) use problem::{problem, warning};
pub(crate) use progress::RunShow;
pub(crate) use recording::{alike, differences, recording};
pub(crate) use schedule::{backfill_list, schedule_history, schedule_list, schedule_preview};
pub(crate) use table::table;
pub(crate) use tenant::{deletion, quotas, tenant_detail, tenant_list};
pub(crate) use trigger::trigger_list;

pub(crate) use server::instant;

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

/// The same to the microsecond, where it is not a whole second.
pub(crate) fn precisely(us: i64) -> String {
    match us.rem_euclid(1_000_000) {
        0 => instant(us),
        rest => format!("{}.{}", instant(us), format!("{rest:06}").trim_end_matches('0')),
    }
}

/// A day by its number since 1970-01-01.
pub(crate) fn day(days: i64) -> String {
    let seconds = days.checked_mul(86_400);
    let time = seconds.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| days.to_string(), |time| time.format("%Y-%m-%d").to_string())
}

/// What a stranger may have written, as one line, without what a terminal would obey.
pub(crate) fn tame(text: &str) -> String {
    text.chars().map(|c| if is_obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// The same of several lines. All but the first are set in, so that none of them passes for one of ours.
pub(crate) fn tame_lines(text: &str) -> String {
    text.lines().map(tame).collect::<Vec<_>>().join("\n    ")
}

/// The same of a text whose lines are its own, TOML for one.
pub(crate) fn tame_text(text: &str) -> String {
    text.lines().map(|line| tame(line) + "\n").collect()
}

/// Controls, line ends among them, and the marks that make text run the other way.
fn is_obeyed(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_such() {
        for (us, shown) in
            [(0, "1970-01-01 00:00:00"), (-1, "1969-12-31 23:59:59.999999"), (2_500_000, "1970-01-01 00:00:02.5")]
        {
            assert_eq!(precisely(us), shown);
        }
        let days = [(0, "1970-01-01"), (-1, "1969-12-31"), (20_000, "2024-10-04"), (i64::MAX, "9223372036854775807")];
        days.into_iter().for_each(|(days, shown)| assert_eq!(day(days), shown));
    }

    #[test]
    fn a_terminal_is_told_nothing() {
        let obeyed = ('\0'..' ').chain('\u{7f}'..='\u{9f}').chain('\u{200e}'..='\u{200f}').chain(['\u{61c}']);
        for c in obeyed.chain('\u{2028}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
            assert_eq!(tame(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
        for plain in ["", "é 漢 `x` עברית", "a b\u{a0}c"] {
            assert_eq!(tame(plain), plain);
        }
    }

    #[test]
    fn a_further_line_does_not_pass_for_ours() {
        assert_eq!(tame_lines("wrong\r\nerror: \u{1b}[2Jgone\n"), "wrong\n    error: \u{fffd}[2Jgone");
        assert_eq!(tame_lines("one"), "one");
    }
}

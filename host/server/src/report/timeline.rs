//! When each step of a run was at work -> a picture: a row a step, a bar an attempt. The items of a step share its row, one beside
//! another where they ran at a time.

use super::scale::Scale;
use super::words::{self, duration};
use crate::document::escaped;
use crate::reads::{RunDetail, StepDetail};
use models::axis;
use std::fmt::Write;
use types::FaultKind;

const ROWS_MAX: usize = 120;
/// Bars of a row that say what they are; of more the colours must do.
const TOLD_MAX: usize = 60;
/// And so many of a colour are drawn.
const BARS_MAX: usize = 5_000;
const LANES_MAX: usize = 12;
const NAME_CHARS_MAX: usize = 26;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 740.0;
const WHOLE: f64 = 900.0;

/// How an attempt came out.
const CLASSES: [&str; 4] = ["good", "bad", "cut", "taken"];

/// An attempt, or what stands for one.
#[derive(Debug, Clone, PartialEq)]
struct Bar {
    from_us: i64,
    to_us: i64,
    class: &'static str,
    told: String,
}

struct Row {
    name: String,
    /// Each with its lane.
    bars: Vec<(usize, Bar)>,
    lanes: usize,
    note: String,
}

/// The picture; nothing of a run of which no step began.
pub(super) fn section(run: &RunDetail, now_us: i64) -> String {
    let end_us = run.line.finished_us.unwrap_or(now_us).max(run.line.started_us);
    let rows: Vec<Row> =
        run.steps.iter().filter(|step| step.item.is_none()).map(|step| row(run, step, end_us)).collect();
    if rows.iter().all(|row| row.bars.is_empty()) {
        return String::new();
    }
    let (shown, left) = rows.split_at(rows.len().min(ROWS_MAX));
    let more = if left.is_empty() { String::new() } else { format!("<p>and {} more steps</p>\n", left.len()) };
    format!("<h2>When</h2>\n{}{LEGEND}{more}", picture(shown, run.line.started_us, end_us))
}

const LEGEND: &str = "<p class=\"faint\">A bar is an attempt, with the time that it waited for its turn: \
<b class=\"good\">committed</b>, <b class=\"bad\">failed</b>, <b class=\"cut\">cut off</b> or cancelled; a tick: \
<b class=\"taken\">taken</b> from an earlier run.</p>\n";

fn row(run: &RunDetail, step: &StepDetail, end_us: i64) -> Row {
    let items = run.steps.iter().filter(|other| other.item.as_ref().is_some_and(|item| item.step == step.step));
    let items: Vec<&StepDetail> = items.collect();
    let expanded_us = items.iter().filter_map(|item| item.started_us.or(item.ended_us)).min();
    let of_items = items.iter().flat_map(|item| bars(item, None, end_us));
    let mut bars: Vec<Bar> = of_items.chain(bars(step, expanded_us, end_us)).collect();
    let times = if items.is_empty() { String::new() } else { format!(" ×{}", items.len()) };
    bars.sort_by_key(|bar| (bar.from_us, bar.to_us));
    let span = bars.iter().map(|bar| bar.to_us).max().zip(bars.first().map(|bar| bar.from_us));
    let span = span.filter(|(to, from)| to > from).map(|(to, from)| format!(", {}", duration(to - from)));
    let note = format!("{}{}", words::state(step), span.unwrap_or_default());
    let (bars, lanes) = in_lanes(bars);
    Row { name: format!("{}{times}", step.step), bars, lanes, note }
}

/// The attempts of a step. One without an end was cut off by the next one or by the run's end, unless it found what the step's items
/// are, which were at work from `expanded_us` on.
fn bars(step: &StepDetail, expanded_us: Option<i64>, end_us: i64) -> Vec<Bar> {
    let name = match &step.item {
        Some(item) => format!("{} ({})", step.step, item.label),
        None => step.step.to_string(),
    };
    if let (Some(_), Some(at_us)) = (step.taken, step.ended_us) {
        return vec![Bar { from_us: at_us, to_us: at_us, class: "taken", told: format!("{name}: taken") }];
    }
    let bar = |(&number, &from_us): (&u32, &i64)| {
        let ended = step.ended_attempts.iter().find(|ended| ended.attempt == number);
        let next = step.begun.range(number + 1..).next().map(|(_, at_us)| *at_us);
        let expanded_us = expanded_us.filter(|at_us| ended.is_none() && from_us <= *at_us);
        let (class, word) = match ended.map(|ended| ended.fault.as_ref().map(|fault| &fault.kind)) {
            Some(None) => ("good", "committed"),
            Some(Some(FaultKind::Cancelled)) => ("cut", "cancelled"),
            Some(Some(_)) => ("bad", "failed"),
            None if expanded_us.is_some() => ("good", "divided its rows"),
            None => ("cut", "cut off"),
        };
        let ended_us = ended.and_then(|ended| ended.ended_us);
        let to_us = ended_us.or(expanded_us).or(next).unwrap_or(end_us).max(from_us);
        Bar { from_us, to_us, class, told: format!("{name}, attempt {number}: {word}, {}", duration(to_us - from_us)) }
    };
    step.begun.iter().map(bar).collect()
}

/// Bars that overlap in lanes of their own, as far as there are lanes.
fn in_lanes(bars: Vec<Bar>) -> (Vec<(usize, Bar)>, usize) {
    let mut ends: Vec<i64> = Vec::new();
    let mut placed = Vec::with_capacity(bars.len());
    for bar in bars {
        let free = ends.iter().position(|end| *end <= bar.from_us);
        let lane = free.unwrap_or_else(|| match ends.len() < LANES_MAX {
            true => {
                ends.push(i64::MIN);
                ends.len() - 1
            }
            false => ends.iter().enumerate().min_by_key(|(_, end)| **end).map_or(0, |(lane, _)| lane),
        });
        ends[lane] = ends[lane].max(bar.to_us);
        placed.push((lane, bar));
    }
    (placed, ends.len())
}

fn picture(rows: &[Row], start_us: i64, end_us: i64) -> String {
    let high = ((end_us - start_us) as f64 / 1e6).max(1e-6);
    let scale = Scale { low: 0.0, high, from: LEFT, to: RIGHT };
    let (mut body, mut y) = (String::new(), 8.0);
    for row in rows {
        let height = height(row);
        let middle = y + height / 2.0 + 4.0;
        let _ = write!(
            body,
            "<text x=\"{}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text><text class=\"tick\" x=\"{}\" y=\"{middle:.1}\">{}</text>",
            LEFT - 12.0,
            escaped(&cut(&row.name)),
            RIGHT + 12.0,
            escaped(&row.note)
        );
        draw_bars(&mut body, row, y, |us| scale.at((us - start_us) as f64 / 1e6));
        y += height;
    }
    let whole = y + 24.0;
    format!(
        "<div class=\"wide\"><svg viewBox=\"0 0 {WHOLE} {whole:.0}\" role=\"img\" aria-label=\"when each step was at work\">{}{body}</svg></div>\n",
        axis_of_time(scale, y)
    )
}

fn height(row: &Row) -> f64 {
    if row.lanes > 1 { row.lanes as f64 * 6.0 + 10.0 } else { 22.0 }.max(22.0)
}

fn draw_bars(svg: &mut String, row: &Row, top: f64, x: impl Fn(i64) -> f64) {
    let thick = if row.lanes > 1 { 5.0 } else { 12.0 };
    let pitch = thick + 1.0;
    let first = top + (height(row) - row.lanes.max(1) as f64 * pitch) / 2.0;
    let place = |lane: usize, bar: &Bar| {
        let (from, to) = (x(bar.from_us), x(bar.to_us));
        // What took no time is seen all the same.
        (from, first + lane as f64 * pitch, (to - from).max(2.0))
    };
    if row.bars.len() <= TOLD_MAX {
        for (lane, bar) in &row.bars {
            let ((x, y, width), Bar { class, told, .. }) = (place(*lane, bar), bar);
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{thick}\"><title>{}</title></rect>",
                escaped(told)
            );
        }
        return;
    }
    for class in CLASSES {
        let bars = row.bars.iter().filter(|(_, bar)| bar.class == class).map(|(lane, bar)| place(*lane, bar));
        let bars = bars.take(BARS_MAX);
        let bars: String =
            bars.map(|(x, y, width)| format!("M{x:.1} {y:.1}h{width:.1}v{thick}h-{width:.1}z")).collect();
        let _ = write!(svg, "<path class=\"{class}\" d=\"{bars}\"/>");
    }
}

/// Upright lines at round times since the run began.
fn axis_of_time(scale: Scale, bottom: f64) -> String {
    let (unit, divisor) = match scale.high {
        ..1.0 => ("ms", 1e-3),
        ..600.0 => ("s", 1.0),
        ..36_000.0 => ("min", 60.0),
        _ => ("h", 3_600.0),
    };
    let ticks = axis::ticks(0.0, scale.high / divisor);
    let mut svg = String::new();
    for (index, tick) in ticks.iter().enumerate() {
        let (x, is_last) = (scale.at(tick * divisor), index + 1 == ticks.len());
        let unit = if is_last { format!(" {unit}") } else { String::new() };
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} 4V{bottom:.1}\"/><text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}{unit}</text>",
            bottom + 16.0,
            axis::short(*tick)
        );
    }
    svg
}

fn cut(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}..", &name[..end]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(from_us: i64, to_us: i64) -> Bar {
        Bar { from_us, to_us, class: "good", told: String::new() }
    }

    #[test]
    fn bars_that_overlap_have_lanes_of_their_own() {
        let lanes = |bars: &[(i64, i64)]| {
            let (placed, lanes) = in_lanes(bars.iter().map(|(from, to)| bar(*from, *to)).collect());
            (placed.into_iter().map(|(lane, _)| lane).collect::<Vec<_>>(), lanes)
        };
        assert_eq!(lanes(&[(0, 5), (5, 9), (9, 9)]), (vec![0, 0, 0], 1));
        assert_eq!(lanes(&[(0, 5), (1, 2), (3, 9), (5, 6)]), (vec![0, 1, 1, 0], 2));
        assert_eq!(lanes(&[(0, 9); 30]).1, LANES_MAX);
        assert_eq!(lanes(&[]), (vec![], 0));
    }
}

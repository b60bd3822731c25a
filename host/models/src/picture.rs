//! A verdict -> a picture of it: a line a requirement and slice, where its interval lies beside what was asked. SVG that stands
//! alone, the same bytes for the same verdict.

use crate::axis::{short, ticks};
use std::fmt::Write;
use types::{Bound, Interval, Outcome, Verdict, VerdictLine};

/// Lines that are drawn; of more, those that did not pass come first.
const LINES_MAX: usize = 60;
const ROW: f64 = 24.0;
const LEFT: f64 = 250.0;
const WIDTH: f64 = 340.0;
const WHOLE: f64 = 900.0;
const STYLE: &str = "text{font:13px system-ui,sans-serif}.head{font-weight:600}.faint{fill:#60646c}";

/// The lines of one axis: differences to the baseline of one measure, or its values.
struct Panel<'v> {
    title: String,
    lines: Vec<&'v VerdictLine>,
    is_difference: bool,
}

/// The picture. Values and differences have axes of their own, one a measure.
pub fn picture(verdict: &Verdict) -> String {
    let panels = panels(verdict);
    let mut body = String::new();
    let mut y = 30.0;
    text(&mut body, (16.0, y), "head", &headline(verdict));
    for panel in &panels {
        y = draw(&mut body, panel, y + 34.0);
    }
    let height = y + 16.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WHOLE} {height}\" width=\"{WHOLE}\" height=\"{height}\" \
         fill=\"#1c2024\" role=\"img\" aria-label=\"what was asked of a model and where it lies\"><style>{STYLE}</style>\
         <rect width=\"{WHOLE}\" height=\"{height}\" fill=\"#ffffff\"/>{body}</svg>\n"
    )
}

fn headline(verdict: &Verdict) -> String {
    let word = verdict.outcome().word();
    let let_through = match (verdict.passed, verdict.outcome()) {
        (true, Outcome::Pass) | (false, Outcome::Fail) => "",
        (true, _) => ", let through",
        (false, _) => ", not let through",
    };
    match &verdict.against {
        Some(types::Against { model, alias, version: Some(version) }) => {
            format!("{word}{let_through}: candidate beside version {version} of {model} ({alias})")
        }
        _ => format!("{word}{let_through}"),
    }
}

fn panels(verdict: &Verdict) -> Vec<Panel<'_>> {
    let mut panels: Vec<Panel<'_>> = Vec::new();
    let mut lines: Vec<&VerdictLine> = verdict.lines.iter().filter(|line| line.value.is_some()).collect();
    if lines.len() > LINES_MAX {
        lines.sort_by_key(|line| std::cmp::Reverse(line.outcome()));
        lines.truncate(LINES_MAX);
    }
    for line in lines {
        let is_difference = line.requirement.bound.is_relative() && line.baseline_value.is_some();
        let measure = &line.requirement.measure;
        let title = match (is_difference, line.requirement.lowest) {
            (true, true) => format!("{measure}: candidate minus baseline, less is better"),
            (true, false) => format!("{measure}: candidate minus baseline, more is better"),
            (false, _) => format!("{measure}: value"),
        };
        match panels.iter_mut().find(|panel| panel.title == title) {
            Some(panel) => panel.lines.push(line),
            None => panels.push(Panel { title, lines: vec![line], is_difference }),
        }
    }
    panels
}

/// A panel from this height on; gives where it ends.
fn draw(svg: &mut String, panel: &Panel<'_>, top: f64) -> f64 {
    text(svg, (16.0, top), "head", &panel.title);
    let (low, high) = range(panel);
    let x = |value: f64| LEFT + WIDTH * ((value - low) / (high - low)).clamp(0.0, 1.0);
    let bottom = top + 12.0 + ROW * panel.lines.len() as f64;
    for tick in ticks(low, high) {
        rule(svg, (x(tick), top + 10.0), (x(tick), bottom), "#e3e6e8", 1.0);
        let _ = write!(
            svg,
            "<text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(tick),
            bottom + 16.0,
            short(tick)
        );
    }
    if panel.is_difference {
        rule(svg, (x(0.0), top + 10.0), (x(0.0), bottom), "#60646c", 1.0);
    }
    for (index, line) in panel.lines.iter().enumerate() {
        draw_line(svg, line, panel.is_difference, top + 26.0 + ROW * index as f64, &x);
    }
    bottom + 20.0
}

fn draw_line(svg: &mut String, line: &VerdictLine, is_difference: bool, y: f64, x: &dyn Fn(f64) -> f64) {
    let colour = match line.outcome() {
        Outcome::Pass => "#18794e",
        Outcome::Fail => "#cd2b31",
        Outcome::Inconclusive | Outcome::NoBaseline => "#ad5700",
    };
    let name = line.requirement.slice.as_deref().unwrap_or("all rows");
    let cut: String = name.chars().take(34).collect();
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        LEFT - 14.0,
        y + 4.0,
        escaped(if cut.len() < name.len() { format!("{cut}..") } else { cut })
    );
    let asked = x(asked(line));
    rule(svg, (asked, y - 9.0), (asked, y + 9.0), "#1c2024", 2.0);
    let (point, interval) = shown(line, is_difference);
    if let Some(Interval { low, high }) = interval {
        rule(svg, (x(low), y), (x(high), y), colour, 2.5);
        rule(svg, (x(low), y - 4.0), (x(low), y + 4.0), colour, 2.5);
        rule(svg, (x(high), y - 4.0), (x(high), y + 4.0), colour, 2.5);
    }
    let _ = write!(svg, "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{colour}\"/>", x(point));
    let ends = interval.map(|Interval { low, high }| format!(" [{low:.4}, {high:.4}]")).unwrap_or_default();
    let words = format!("{point:.4}{ends} {}", line.outcome().word());
    let _ = write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{words}</text>", LEFT + WIDTH + 16.0, y + 4.0);
}

/// The point of a line, and its interval.
fn shown(line: &VerdictLine, is_difference: bool) -> (f64, Option<Interval>) {
    let value = line.value.unwrap_or_default();
    match is_difference {
        true => (value - line.baseline_value.unwrap_or_default(), line.difference_interval),
        false => (value, line.interval),
    }
}

/// Where the tick of what was asked stands, on the axis of values or of differences.
fn asked(line: &VerdictLine) -> f64 {
    let sign = if line.requirement.lowest { -1.0 } else { 1.0 };
    match line.requirement.bound {
        Bound::AtLeast(bound) | Bound::AtMost(bound) => bound,
        Bound::NotWorseBy(margin) => -sign * margin,
        Bound::BetterBy(margin) => sign * margin,
    }
}

/// Everything that is drawn, and a little air.
fn range(panel: &Panel<'_>) -> (f64, f64) {
    let of_line = |line: &&VerdictLine| {
        let (point, interval) = shown(line, panel.is_difference);
        let ends = interval.into_iter().flat_map(|interval| [interval.low, interval.high]);
        // Without a baseline the margin is on no axis that could be drawn.
        let is_asked = panel.is_difference || !line.requirement.bound.is_relative();
        ends.chain([point]).chain(is_asked.then(|| asked(line))).collect::<Vec<f64>>()
    };
    let mut values: Vec<f64> = panel.lines.iter().flat_map(of_line).collect();
    values.extend(panel.is_difference.then_some(0.0));
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let air = if high > low { (high - low) * 0.06 } else { low.abs().max(0.01) * 0.1 };
    (low - air, high + air)
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, words: &str) {
    let _ = write!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(words));
}

fn rule(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
    let _ = write!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
        from.0, from.1, to.0, to.1
    );
}

/// A slice is a stranger's text.
fn escaped(text: impl AsRef<str>) -> String {
    text.as_ref().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Leniency, Measure, Requirement};

    fn measure(slice: Option<&str>, difference: f64) -> Measure {
        let interval = Some(Interval { low: difference - 0.01, high: difference + 0.01 });
        let slice = slice.map(str::to_owned);
        let (name, value) = ("roc_auc".to_owned(), 0.9 + difference);
        Measure { name, slice, value, interval: None, baseline_value: Some(0.9), difference_interval: interval }
    }

    #[test]
    fn a_picture_shows_each_line_and_trusts_no_text() {
        let slices = vec!["region".to_owned()];
        let requirement = Requirement { slices, ..Requirement::new("roc_auc", Bound::NotWorseBy(0.02)) };
        let measures = [measure(None, 0.0), measure(Some("region=<b>"), -0.05)];
        let verdict = crate::gate(&[requirement], &measures, None, Leniency::default());
        let svg = picture(&verdict);
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("region=&lt;b&gt;") && svg.contains("failed") && !svg.contains("<b>"));
        assert_eq!(svg, picture(&verdict));
    }

    #[test]
    fn what_was_not_measured_is_not_drawn() {
        let nothing = crate::gate(&[Requirement::new("auc", Bound::AtLeast(0.5))], &[], None, Leniency::default());
        assert!(!picture(&nothing).contains("<circle"));
    }
}

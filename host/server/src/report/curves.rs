//! The numbers that a step told while it worked, the loss of each epoch say -> a curve each. They are in the run's log, which is
//! bounded and may be cut; what of them was kept beyond doubt are their ends, in the receipt.

use super::scale::Scale;
use crate::document::escaped;
use crate::fan;
use crate::follow::points;
use crate::reads::RunDetail;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use types::StepName;

/// Points that are kept of a curve: of more only each second one is, then each fourth, and so on.
const POINTS_MAX: usize = 240;
/// Curves that are kept, in the order in which they began.
const CURVES_MAX: usize = 400;
/// Points of all the curves in one picture.
const DRAWN_MAX: usize = 2_000;
const PICTURES_MAX: usize = 40;
const WIDTH: f64 = 430.0;
const HEIGHT: f64 = 190.0;

/// By step and metric.
pub(super) type Curves = BTreeMap<(StepName, String), Curve>;

/// A series of numbers, thinned.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Curve {
    attempt: u32,
    points: Vec<(u64, f64)>,
    /// Every how many of those that came one is kept.
    every: usize,
    came: usize,
    last: Option<(u64, f64)>,
}

impl Curve {
    /// With one more point; those of a later attempt take the place of an earlier one's.
    pub(super) fn add(&mut self, attempt: u32, point: (u64, f64)) {
        if attempt < self.attempt {
            return;
        }
        if attempt > self.attempt {
            *self = Self { attempt, every: 1, ..Self::default() };
        }
        if self.came.is_multiple_of(self.every) {
            self.points.push(point);
        }
        (self.came, self.last) = (self.came + 1, Some(point));
        if self.points.len() > POINTS_MAX {
            let mut at = 0..;
            self.points.retain(|_| at.next().is_some_and(|at: usize| at.is_multiple_of(2)));
            self.every *= 2;
        }
    }

    /// No more than so many of its points, the first and the last always.
    pub(super) fn drawn(&self, most: usize) -> Vec<(u64, f64)> {
        let every = self.points.len().div_ceil(most.max(2)).max(1);
        let last =
            self.last.filter(|last| self.points.last() != Some(last) || !(self.points.len() - 1).is_multiple_of(every));
        self.points.iter().step_by(every).copied().chain(last).collect()
    }
}

/// The curves of a run that told any, from its log.
pub(super) fn read(run: &RunDetail, log: &Path) -> Curves {
    let mut curves = Curves::new();
    let tells = run.steps.iter().filter_map(|step| step.receipt.as_ref()).any(|receipt| !receipt.series.is_empty());
    if !tells {
        return curves;
    }
    for (step, attempt, name, value, index) in points(log) {
        let (Some(value), key) = (value, (step, name)) else { continue };
        if curves.len() < CURVES_MAX || curves.contains_key(&key) {
            curves.entry(key).or_default().add(attempt.0, (index, value));
        }
    }
    curves
}

/// A line of a picture.
struct Line<'c> {
    label: String,
    curve: &'c Curve,
    is_taken: bool,
}

/// A picture for each metric of each step; that of a step's items has all of theirs.
pub(super) fn section(run: &RunDetail, curves: &Curves) -> String {
    let mut pictures: BTreeMap<(String, &str), Vec<Line<'_>>> = BTreeMap::new();
    let taken = taken(run);
    for ((step, name), curve) in curves.iter().filter(|(_, curve)| curve.points.len() > 1) {
        let item = run.steps.iter().find(|found| found.step == *step).and_then(|found| found.item.as_ref());
        let of = item.map_or(step, |item| &item.step).to_string();
        let (label, is_taken) = (item.map(|item| item.label.clone()).unwrap_or_default(), taken.contains(&step));
        pictures.entry((of, name)).or_default().push(Line { label, curve, is_taken });
    }
    if pictures.is_empty() {
        return String::new();
    }
    let drawn = pictures.iter().take(PICTURES_MAX).filter_map(|((step, name), lines)| picture(step, name, lines));
    format!("<h2>Told while they worked</h2>\n<div class=\"pictures\">\n{}</div>\n", drawn.collect::<String>())
}

fn taken(run: &RunDetail) -> Vec<&StepName> {
    let families = fan::families(run);
    let best = families.iter().filter_map(|family| family.best(run));
    best.filter_map(|(_, best)| Some(&best.candidates.get(best.took?)?.step)).collect()
}

fn picture(step: &str, name: &str, lines: &[Line<'_>]) -> Option<String> {
    let most = (DRAWN_MAX / lines.len().max(1)).max(8);
    let points: Vec<Vec<(u64, f64)>> = lines.iter().map(|line| line.curve.drawn(most)).collect();
    let y = Scale::over(points.iter().flatten().map(|(_, value)| *value), (HEIGHT - 24.0, 10.0))?;
    let (first, last) =
        points.iter().flatten().fold((u64::MAX, 0), |(first, last), (index, _)| (first.min(*index), last.max(*index)));
    // Numbers of rounds, not measures: their axis ends where they do.
    let x = Scale { low: first as f64, high: last.max(first.saturating_add(1)) as f64, from: 56.0, to: WIDTH - 10.0 };
    let title = match lines.len() {
        1 => format!("{name} of {step}"),
        count => format!("{name} of the {count} items of {step}"),
    };
    let title = escaped(&title);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
    for tick in y.ticks() {
        let at = y.at(tick);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{} {at:.1}H{}\"/><text class=\"tick\" x=\"50\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x.from,
            x.to,
            at + 4.0,
            y.shown(tick)
        );
    }
    let foot = HEIGHT - 6.0;
    let _ = write!(
        svg,
        "<text class=\"tick\" x=\"{}\" y=\"{foot}\">{first}</text><text class=\"tick\" x=\"{}\" y=\"{foot}\" text-anchor=\"end\">{last}</text>",
        x.from, x.to
    );
    // What was taken lies above the others.
    let mut order: Vec<_> = lines.iter().zip(&points).collect();
    order.sort_by_key(|(line, _)| line.is_taken);
    for (line, points) in order {
        let class = if line.is_taken || lines.len() == 1 { "curve" } else { "curve thin" };
        let places: Vec<_> =
            points.iter().map(|(index, value)| format!("{:.1} {:.1}", x.at(*index as f64), y.at(*value))).collect();
        let _ = write!(
            svg,
            "<path class=\"{class}\" d=\"M{}\"><title>{}</title></path>",
            places.join("L"),
            escaped(&line.label)
        );
    }
    let note = if lines.iter().any(|line| line.is_taken) { " Strong: the one that was taken." } else { "" };
    Some(format!("<figure><figcaption>{title}.{note}</figcaption>{svg}</svg></figure>\n"))
}

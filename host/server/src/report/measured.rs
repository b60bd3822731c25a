//! Measures of a step -> a line each: a point on an axis of its own, whose ends are written, and the number. The values on slices
//! stand below, on the same axis.

use super::scale::Scale;
use super::words;
use crate::document::escaped;
use crate::fan::number;
use crate::reads::RunDetail;
use std::collections::BTreeMap;
use std::fmt::Write;
use types::{Artifact, Bound, Interval, Measure, Verdict};

/// Measures of a step, and slices of a measure, that are shown; how many more there are is said.
const MEASURES_MAX: usize = 60;
const SLICES_MAX: usize = 40;
/// Where an axis begins and ends.
const ENDS: (f64, f64) = (8.0, 312.0);

/// What the steps of a run measured, less those that are an item's or put items together: these are shown with their items.
pub(super) fn section(run: &RunDetail, verdicts: &[&Verdict]) -> String {
    let shown = run.steps.iter().filter(|step| step.item.is_none() && step.work != "gather" && step.best.is_none());
    let steps = shown.flat_map(|step| step.outputs.values().map(move |artifact| (step, artifact)));
    let mut section = String::new();
    for (step, artifact) in steps.filter(|(_, artifact)| !artifact.measures().is_empty()) {
        let title = if matches!(artifact, Artifact::Model { .. }) { "Learnt by" } else { "Measured by" };
        let table = table(artifact.measures(), verdicts);
        let _ = writeln!(section, "<h2>{title} {}</h2>\n{table}", escaped(&step.step.to_string()));
    }
    match section.is_empty() {
        true => section,
        false => format!("{section}{LEGEND}"),
    }
}

const LEGEND: &str = "<p class=\"faint\">Filled point: value. Band: confidence interval. Ring: the baseline. Upright tick: what \
a gate asks. Each measure has an axis of its own, from the number at its left to that at its right.</p>\n";

/// The measures of one name: on all rows first, then on slices.
struct Group<'m> {
    name: &'m str,
    measures: Vec<&'m Measure>,
}

fn groups(measures: &[Measure]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places = BTreeMap::new();
    for measure in measures {
        let at = *places.entry(measure.name.as_str()).or_insert_with(|| {
            groups.push(Group { name: &measure.name, measures: Vec::new() });
            groups.len() - 1
        });
        groups[at].measures.push(measure);
    }
    groups.iter_mut().for_each(|group| group.measures.sort_by_key(|measure| measure.slice.is_some()));
    groups
}

fn table(measures: &[Measure], verdicts: &[&Verdict]) -> String {
    let mut table =
        "<div class=\"wide\"><table class=\"measures\"><thead><tr><th>measure<th><th class=\"n\">value<th>interval<th class=\"n\">\
                     baseline</thead>\n"
            .to_owned();
    let groups = groups(measures);
    for group in groups.iter().take(MEASURES_MAX) {
        let (shown, left) = group.measures.split_at(group.measures.len().min(SLICES_MAX));
        let scale = scale(group.name, shown, verdicts);
        table += "<tbody>\n";
        for measure in shown {
            table += &row(measure, scale, verdicts);
        }
        if !left.is_empty() {
            let _ = writeln!(table, "<tr class=\"faint\"><td colspan=\"5\">and {} more slices</tr>", left.len());
        }
        table += "</tbody>\n";
    }
    if groups.len() > MEASURES_MAX {
        let more = groups.len() - MEASURES_MAX;
        let _ = writeln!(table, "<tr class=\"faint\"><td colspan=\"5\">and {more} more measures</tr>");
    }
    table + "</table></div>\n"
}

/// What is shown of a measure lies on its axis, and so does 0, unless there is more than one value to compare; a share's
/// axis goes up to 1.
fn scale(name: &str, shown: &[&Measure], verdicts: &[&Verdict]) -> Option<Scale> {
    let of = |measure: &&Measure| {
        let ends = measure.interval.into_iter().flat_map(|interval| [interval.low, interval.high]);
        let asked = bounds(measure, verdicts);
        ends.chain([measure.value]).chain(measure.baseline_value).chain(asked).collect::<Vec<f64>>()
    };
    let mut values: Vec<f64> = shown.iter().flat_map(of).collect();
    if shown.len() == 1 {
        let is_share = values.iter().all(|value| (0.0..=1.0).contains(value));
        let is_better_high = Measure::is_better_low(name) == Some(false);
        values.push(0.0);
        values.extend((is_share && is_better_high).then_some(1.0));
    }
    Scale::over(values, ENDS)
}

fn row(measure: &Measure, scale: Option<Scale>, verdicts: &[&Verdict]) -> String {
    let name = match &measure.slice {
        Some(slice) => format!("<td class=\"slice\">{}", escaped(slice)),
        None => format!("<td>{}", escaped(&measure.name)),
    };
    let interval = measure.interval.map(|Interval { low, high }| format!("{} to {}", number(low), number(high)));
    format!(
        "<tr>{name}<td>{}<td class=\"n\">{}<td>{}<td class=\"n\">{}</tr>\n",
        scale.map(|scale| strip(measure, scale, &bounds(measure, verdicts))).unwrap_or_default(),
        number(measure.value),
        interval.unwrap_or_default(),
        measure.baseline_value.map(number).unwrap_or_default()
    )
}

/// A measure on its axis.
fn strip(measure: &Measure, scale: Scale, asked: &[f64]) -> String {
    let told = escaped(&format!("{} {}", measure.name, words::measured(measure)));
    let mut svg =
        format!("<svg class=\"strip\" viewBox=\"0 0 320 26\" role=\"img\" aria-label=\"{told}\">{}", line(scale));
    if let Some(Interval { low, high }) = measure.interval {
        let (low, high) = (scale.at(low), scale.at(high));
        let _ = write!(svg, "<path class=\"band\" d=\"M{low:.1} 8H{high:.1}\"/>");
    }
    for bound in asked {
        let _ = write!(svg, "<path class=\"asked\" d=\"M{:.1} 1V15\"/>", scale.at(*bound));
    }
    if let Some(baseline) = measure.baseline_value {
        let _ = write!(svg, "<circle class=\"ring\" cx=\"{:.1}\" cy=\"8\" r=\"4\"/>", scale.at(baseline));
    }
    let _ = write!(svg, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"8\" r=\"4\"/></svg>", scale.at(measure.value));
    svg
}

/// An axis with its ends.
pub(super) fn line(scale: Scale) -> String {
    let (low, high) = (scale.shown(scale.low), scale.shown(scale.high));
    format!(
        "<path class=\"grid\" d=\"M{0} 8H{1}\"/><text class=\"tick\" x=\"{0}\" y=\"24\">{low}</text>\
         <text class=\"tick\" x=\"{1}\" y=\"24\" text-anchor=\"end\">{high}</text>",
        scale.from, scale.to
    )
}

/// What gates ask of a value.
fn bounds(measure: &Measure, verdicts: &[&Verdict]) -> Vec<f64> {
    let lines = verdicts.iter().flat_map(|verdict| &verdict.lines);
    let asked =
        lines.filter(|line| line.requirement.measure == measure.name && line.requirement.slice == measure.slice);
    let bound = |bound: Bound| match bound {
        Bound::AtLeast(bound) | Bound::AtMost(bound) => Some(bound),
        Bound::NotWorseBy(_) | Bound::BetterBy(_) => None,
    };
    asked.filter_map(|line| bound(line.requirement.bound)).collect()
}

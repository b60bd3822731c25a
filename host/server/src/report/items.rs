//! The items of a step that ran for several -> how they compare: which was taken and why, a picture of each measure with a point an
//! item, and a table with a row an item, folded where it is long.

use super::measured::line;
use super::scale::Scale;
use super::words;
use crate::document::escaped;
use crate::fan::{self, Best, Family, FamilyItem, number};
use crate::reads::{RunDetail, StepDetail};
use std::collections::BTreeSet;
use std::fmt::Write;
use types::StepName;

/// Items of a family, and measures of each, that are shown; how many more there are is said.
const ITEMS_MAX: usize = 250;
const MEASURES_MAX: usize = 6;
const STRIPS_MAX: usize = 24;
/// Points of all pictures of a family that say what they are.
const TOLD_MAX: usize = 600;
/// A longer table is folded.
const OPEN_MAX: usize = 12;
const ENDS: (f64, f64) = (12.0, 548.0);
/// Characters of why an item did not commit.
const WHY_CHARS_MAX: usize = 160;

/// All families of a run.
pub(super) fn section(run: &RunDetail) -> String {
    fan::families(run).iter().map(|family| of_family(run, family)).collect()
}

fn of_family(run: &RunDetail, family: &Family<'_>) -> String {
    let best = family.best(run);
    let names = family.measured(best.map(|(_, best)| best));
    let members: Vec<_> =
        family.members.iter().map(|member| format!("<b>{}</b>", escaped(&member.to_string()))).collect();
    let count = family.items.len();
    let mut text = format!(
        "<h2>The {count} items of {}</h2>\n<p>{} ran once for each.</p>\n",
        escaped(&family.root.to_string()),
        members.join(", ")
    );
    if let Some((step, sentence)) = best.and_then(|(step, best)| Some((step, best.sentence()?))) {
        let _ = writeln!(text, "<p class=\"box\"><b>{}</b> {}.</p>", escaped(&step.to_string()), escaped(&sentence));
    }
    let taken = best.and_then(|(_, best)| best.took);
    let (equal, differ): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| of_all(family, name).is_some());
    for name in differ.iter().take(STRIPS_MAX) {
        text += &strip(family, name, taken, count * differ.len() <= TOLD_MAX);
    }
    let equal: Vec<_> =
        equal.iter().filter_map(|name| Some(format!("{name} {}", number(of_all(family, name)?)))).collect();
    if !equal.is_empty() {
        let _ = writeln!(text, "<p class=\"faint\">The same for all: {}.</p>", escaped(&equal.join(", ")));
    }
    text + &folded(&format!("The {count} items"), count <= OPEN_MAX, &table(family, &names, best))
}

/// What all items have of a measure, if there are several and all have the same.
fn of_all(family: &Family<'_>, name: &str) -> Option<f64> {
    let (first, others) = family.items.split_first()?;
    let first = first.value(name)?;
    (!others.is_empty() && others.iter().all(|item| item.value(name) == Some(first))).then_some(first)
}

/// A point an item, on an axis that all of them share.
fn strip(family: &Family<'_>, name: &str, taken: Option<usize>, is_told: bool) -> String {
    let values: Vec<Option<f64>> = family.items.iter().map(|item| item.value(name)).collect();
    let Some(scale) = Scale::over(values.iter().copied().flatten(), ENDS) else { return String::new() };
    let mut svg = format!(
        "<svg class=\"fan\" viewBox=\"0 0 560 26\" role=\"img\" aria-label=\"{}\">{}",
        escaped(&format!("{name} of each item")),
        line(scale)
    );
    let point = |at: usize, value: f64, class: &str| {
        let told = format!("{}: {}", family.items[at].label, number(value));
        format!(
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"8\" r=\"4\"><title>{}</title></circle>",
            scale.at(value),
            escaped(&told)
        )
    };
    let others = values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
    let others = others.filter(|(at, _)| Some(*at) != taken);
    match is_told {
        true => svg.extend(others.map(|(at, value)| point(at, value, "dot many"))),
        false => {
            let places: BTreeSet<String> = others.map(|(_, value)| format!("M{:.1} 8h0", scale.at(value))).collect();
            let _ = write!(svg, "<path class=\"dots\" d=\"{}\"/>", places.into_iter().collect::<String>());
        }
    }
    let taken = taken.and_then(|at| Some((at, values.get(at).copied().flatten()?)));
    let told = taken.map(|(_, value)| number(value)).unwrap_or_default();
    svg.extend(taken.map(|(at, value)| point(at, value, "dot took")));
    format!("<div class=\"row\"><span>{}</span>{svg}</svg><span class=\"n\">{told}</span></div>\n", escaped(name))
}

fn table(family: &Family<'_>, names: &[&str], best: Option<(&StepName, &Best)>) -> String {
    let shown = &names[..names.len().min(MEASURES_MAX)];
    let head: String = shown.iter().map(|name| format!("<th class=\"n\">{}", escaped(name))).collect();
    let mut table =
        format!("<div class=\"wide\"><table><thead><tr><th>#<th>item<th>state<th class=\"n\">took{head}</thead>\n");
    let taken = best.and_then(|(step, best)| Some((step, best.took?)));
    for (index, item) in family.items.iter().enumerate().take(ITEMS_MAX) {
        let taken_by = taken.filter(|(_, took)| *took == index).map(|(step, _)| step);
        table += &row(index, item, shown, taken_by);
    }
    table += "</table></div>\n";
    let (more, left) = (family.items.len().saturating_sub(ITEMS_MAX), names.len() - shown.len());
    if more > 0 {
        let _ = writeln!(table, "<p class=\"faint\">and {more} more items</p>");
    }
    if left > 0 {
        let _ = writeln!(table, "<p class=\"faint\">and {left} more measures</p>");
    }
    table
}

fn row(index: usize, item: &FamilyItem<'_>, names: &[&str], taken_by: Option<&StepName>) -> String {
    let values: String = names
        .iter()
        .map(|name| format!("<td class=\"n\">{}", item.value(name).map(number).unwrap_or_default()))
        .collect();
    let class = if taken_by.is_some() { " class=\"took\"" } else { "" };
    let taken = taken_by.map(|step| format!(", taken by {}", escaped(&step.to_string()))).unwrap_or_default();
    let wall_us: i64 = item.steps.iter().map(|step| wall_us(step)).fold(0, i64::saturating_add);
    format!(
        "<tr{class}><td class=\"n\">{index}<td>{}{taken}<td>{}<td class=\"n\">{}{values}</tr>\n",
        escaped(item.label),
        state(item),
        if wall_us > 0 { words::duration(wall_us) } else { String::new() },
    )
}

fn wall_us(step: &StepDetail) -> i64 {
    step.receipt.as_ref().map_or(0, |receipt| i64::try_from(receipt.wall_us).unwrap_or(i64::MAX))
}

/// How an item stands: as the step of it that did not come to its end, and why.
fn state(item: &FamilyItem<'_>) -> String {
    let Some(step) = item.telling() else { return String::new() };
    let tries = item.steps.iter().map(|step| step.attempts).max().filter(|tries| *tries > 1);
    let tries = tries.map(|tries| format!(", {tries} attempts")).unwrap_or_default();
    let state = words::state(step);
    match &step.because {
        None => format!("<span class=\"state {}\">{state}</span>{tries}", class_of(step)),
        Some(why) => {
            let why: String = why.chars().take(WHY_CHARS_MAX).collect();
            let (name, class) = (escaped(&step.step.to_string()), class_of(step));
            format!("<span class=\"{class}\">{name} {state}</span>{tries}: {}", escaped(&why))
        }
    }
}

/// The colour of how a step stands.
pub(super) fn class_of(step: &StepDetail) -> &'static str {
    match words::state(step) {
        "committed" => "good",
        "failed" => "bad",
        "taken" => "taken",
        _ => "cut",
    }
}

/// Something long, that a click opens, or something short that is open.
pub(super) fn folded(title: &str, is_open: bool, content: &str) -> String {
    let open = if is_open { " open" } else { "" };
    format!("<details{open}><summary>{title}</summary>\n{content}</details>\n")
}

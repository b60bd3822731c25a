//! The steps that ran for the same items -> one table, a row an item, and which of them was taken.

use super::{duration, table, tame};
use server::{Family, FamilyItem, RunDetail, StepDetail, number, step_state};
use types::StepName;

/// Columns of measures, what the choice went by first; what more there is, `--json` tells.
const MEASURES_MAX: usize = 5;
/// Characters of a label, and of why an item did not commit.
const LABEL_CHARS_MAX: usize = 40;
const WHY_CHARS_MAX: usize = 100;

/// All families of a run, of each no more than so many items: what was taken and what failed before the others.
pub(crate) fn families(run: &RunDetail, most: usize) -> String {
    server::families(run).iter().map(|family| of_family(run, family, most)).collect()
}

fn of_family(run: &RunDetail, family: &Family<'_>, most: usize) -> String {
    let best = family.best(run);
    let names = family.measured(best.map(|(_, best)| best));
    let columns = &names[..names.len().min(MEASURES_MAX)];
    let taken = best.and_then(|(step, best)| Some((step, best.took?)));
    let shown = shown(family, taken.map(|(_, at)| at), most);
    let row = |at: &usize| {
        let item = &family.items[*at];
        let took = taken.filter(|(_, took)| took == at).map(|(step, _)| format!("taken by {step}"));
        row(*at, item, columns, took)
    };
    let measured = columns.iter().map(|name| tame(name));
    let head: Vec<String> = ["item", "for", "state", "took"]
        .map(str::to_owned)
        .into_iter()
        .chain(measured)
        .chain([String::new()])
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let members: Vec<_> = family.members.iter().map(|member| format!("`{member}`")).collect();
    let mut text = format!("\n{} ran for each of {}:\n", members.join(", "), family.items.len());
    text += &table(&head, shown.iter().map(row).collect());
    let (items, measures) = (family.items.len() - shown.len(), names.len() - columns.len());
    text += &match (items, measures) {
        (0, 0) => String::new(),
        (0, measures) => format!("  and {measures} more measures\n"),
        (items, 0) => format!("  and {items} more items\n"),
        (items, measures) => format!("  and {items} more items, {measures} more measures\n"),
    };
    let sentence = best.and_then(|(step, best)| Some(format!("\n`{step}` {}\n", tame(&best.sentence()?))));
    text + &sentence.unwrap_or_default()
}

/// Which items are shown, in their order.
fn shown(family: &Family<'_>, taken: Option<usize>, most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..family.items.len()).collect();
    let is_failed = |at: usize| family.items[at].steps.iter().any(|step| step.state == "failed");
    order.sort_by_key(|at| (Some(*at) != taken, !is_failed(*at)));
    order.truncate(most);
    order.sort_unstable();
    order
}

fn row(at: usize, item: &FamilyItem<'_>, names: &[&str], took: Option<String>) -> Vec<String> {
    let value = |name: &&str| item.value(name).map(number).unwrap_or_default();
    let wall_us: u64 = item
        .steps
        .iter()
        .filter_map(|step| step.receipt.as_ref())
        .map(|receipt| receipt.wall_us)
        .fold(0, u64::saturating_add);
    let time = if wall_us > 0 { duration(wall_us) } else { String::new() };
    let mut cells = vec![at.to_string(), cut(item.label, LABEL_CHARS_MAX), state(item), time];
    cells.extend(names.iter().map(value));
    cells.push(took.or_else(|| why(item)).unwrap_or_default());
    cells
}

/// As the step of it stands that did not come to its end.
fn state(item: &FamilyItem<'_>) -> String {
    let name = |step: &StepDetail| step.item.as_ref().map_or(&step.step, |item| &item.step).clone();
    match item.telling() {
        None => String::new(),
        Some(step) if step.state == "committed" => step_state(step).to_owned(),
        Some(step) => {
            let name: StepName = name(step);
            format!("{name} {}", step_state(step))
        }
    }
}

fn why(item: &FamilyItem<'_>) -> Option<String> {
    let because = item.telling()?.because.as_deref()?;
    Some(cut(because.lines().next().unwrap_or_default(), WHY_CHARS_MAX))
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

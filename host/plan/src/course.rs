//! What a step's conditions look at, the rows that it runs for, and the collector that a pipeline watches: whether they are there
//! and of the right kind.

use crate::known::{Kind, Steps, take};
use crate::{Each, Work, fan, wiring};
use manifest::{Pipeline, Step};
use types::{Condition, DataType, Id, Problem};

/// Everything that is wrong with the step's `when` and `each`.
pub(crate) fn check(step: &Step, steps: &Steps) -> Vec<Problem> {
    let conditions = step.course.when.iter().filter_map(|(index, condition)| look(step, steps, *index, condition));
    let mut problems: Vec<Problem> = Vec::new();
    for problem in conditions.chain(rows(step, steps)).chain(fan::twice(step)) {
        // A condition with two bounds stands here twice.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

fn look(step: &Step, steps: &Steps, index: usize, condition: &Condition) -> Option<Problem> {
    let (key, wanted): (&str, &[Kind]) = match condition {
        Condition::Measure { .. } => ("measures", &[Kind::Measures, Kind::Model]),
        Condition::Rows { .. } => ("rows", &[Kind::Table]),
        Condition::Passed { .. } => ("verdict", &[Kind::Verdict]),
        Condition::Text { .. } => return None,
    };
    take(steps, step, &["when", &index.to_string(), key], condition.of()?, wanted).err()
}

/// The column by which rows are told apart: of a type whose values are equal or not.
fn rows(step: &Step, steps: &Steps) -> Option<Problem> {
    let Some(Each::Rows { of, by, .. }) = fan::each(step) else { return None };
    let given = match take(steps, step, &["each", "rows"], &of, &[Kind::Table]) {
        Ok(given) if given.columns.is_empty() => return None,
        Ok(given) => given,
        Err(problem) => return Some(problem),
    };
    let field = match wiring::column(step, &["each", "by"], &of, &given.columns, &by) {
        Ok(field) => field,
        Err(problem) => return Some(problem),
    };
    let discrete = matches!(field.data_type, DataType::Boolean | DataType::Int64 | DataType::Text | DataType::Date);
    let message = format!("step `{}` cannot run for each `{by}` of `{of}`: it is {}", step.name, field.data_type);
    let problem = Problem::new(message).at(step.place_of(&["each", "by"]));
    (!discrete).then(|| problem.hinted("expected a column of boolean, int64, text or date"))
}

/// What is watched for new rows must be able to bring some.
pub(crate) fn source(pipeline: &Pipeline, steps: &Steps) -> Option<Problem> {
    let (name, _) = pipeline.triggers.source.as_ref()?;
    let known = steps.get(name).filter(|known| !matches!(known.work, Work::Collect { .. }))?;
    let message =
        format!("step `{name}` is to be asked for new rows, and does not collect: its work is {}", known.work.name());
    let collectors = steps.iter().filter(|(_, known)| matches!(known.work, Work::Collect { .. }));
    let hint = format!("there is {}", wiring::listed(collectors.map(|(name, _)| name.as_str())));
    Some(Problem::new(message).at(pipeline.place_of(&["triggers", "source", "step"])).hinted(hint))
}

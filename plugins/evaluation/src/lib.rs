//! Rows with predictions -> measures over all of them and over slices, with bootstrap intervals, beside a baseline on the same rows.
//!
//! What an evaluator brings is a [`Sample`]: how to measure rows that are counted several times. Everything else is here once, so
//! that an interval means the same of every evaluator:
//!
//! - An interval is the middle part of resampled values (percentiles). What is drawn are rows, or groups of rows that belong
//!   together; candidate and baseline are measured on the same draws, so that a difference is paired.
//! - Intervals of slices hold together: of K slices each is at the confidence `1 - (1 - confidence) / K` (Bonferroni).
//! - Fewer than [`UNITS_MIN`] rows or groups have no interval: resampling so few says nothing.
//! - Every slice draws from a stream of its own, so one slice more moves no other but by the correction.

mod bootstrap;
mod pairs;
mod slices;

pub use bootstrap::{Bootstrap, Estimate, UNITS_MIN, estimate};
pub use pairs::same_order;
pub use slices::{SLICE_VALUES_MAX, Slices};

use stepwell::{Descriptor, Error, Field, Inputs, Interval, Measure, Result, Rng, field, report};

/// Rows and what was predicted for them.
pub trait Sample {
    /// What is measured, in this order everywhere.
    fn names(&self) -> Vec<String>;

    /// What a resample draws: rows, or groups of them.
    fn units(&self) -> usize;

    /// Only these rows, ascending.
    fn pick(&self, rows: &[usize]) -> Self;

    /// A value for each name with unit i counted `counts[i]` times; none where it is undefined, as the recall of no positives.
    fn measure(&self, counts: &[u32]) -> Vec<Option<f64>>;
}

/// The default of a parameter `confidence`.
pub fn confidence() -> f64 {
    0.95
}

/// The default of a parameter `resamples`.
pub fn resamples() -> u32 {
    1_000
}

/// With the ports of every evaluator; `columns` are those that it reads on each, one perhaps for several ends, as a quantile that is
/// an interval's end too. `baseline` is optional, so it is named only where it
/// is wired, or a person asks. Of columns that are unknown before the run, as those of a model that learns its classes are,
/// nothing is said: the rows themselves are held against the parameters, in the run.
pub fn described(
    mut descriptor: Descriptor,
    inputs: &Inputs,
    columns: impl FnOnce() -> Result<Vec<String>>,
) -> Result<Descriptor> {
    if inputs.is_empty() {
        return Ok(descriptor.input("candidate", []).input("baseline", []));
    }
    let columns = columns()?;
    for port in ["candidate", "baseline"] {
        let Some(fields) = inputs.port(port) else { continue };
        descriptor = descriptor.input(port, read(fields, &columns)?);
    }
    Ok(descriptor)
}

/// The columns with their types, each once, among those of a port.
fn read(fields: &[Field], columns: &[String]) -> Result<Vec<Field>> {
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let first = |(at, name): &(usize, &String)| !columns[..*at].contains(name);
    let once = columns.iter().enumerate().filter(first);
    once.map(|(_, name)| field::require(fields, name).cloned()).collect()
}

/// Measures all rows, then each slice. What is undefined over some rows is left out, with a warning in the log.
pub fn evaluate<S: Sample>(
    candidate: &S,
    baseline: Option<&S>,
    slices: &Slices,
    bootstrap: Bootstrap,
    rng: &Rng,
) -> Vec<Measure> {
    let mut measures = measured(candidate, baseline, None, bootstrap, rng);
    let together = bootstrap.together(slices.all().len());
    for (done, (slice, rows)) in slices.all().iter().enumerate() {
        report::progress(done as u64, Some(slices.all().len() as u64));
        let baseline = baseline.map(|baseline| baseline.pick(rows));
        measures.extend(measured(&candidate.pick(rows), baseline.as_ref(), Some(slice), together, rng));
    }
    measures
}

fn measured<S: Sample>(
    candidate: &S,
    baseline: Option<&S>,
    slice: Option<&str>,
    bootstrap: Bootstrap,
    rng: &Rng,
) -> Vec<Measure> {
    let estimates = estimate(candidate, baseline, bootstrap, rng.fork(slice.unwrap_or_default()));
    let place = slice.unwrap_or("all rows");
    let mut measures = Vec::new();
    for (name, estimate) in candidate.names().into_iter().zip(estimates) {
        let Some(Estimate { value, interval, baseline, difference }) = estimate else {
            report::warn(format!("{name} is left out for {place}: undefined there"));
            continue;
        };
        let ends = |ends: Option<(f64, f64)>| ends.map(|(low, high)| Interval { low, high });
        measures.push(Measure {
            name,
            slice: slice.map(String::from),
            value,
            interval: ends(interval),
            baseline_value: baseline,
            difference_interval: ends(difference),
        });
    }
    measures
}

/// An error unless a baseline has the candidate's values in a column that tells whether the rows are the same.
pub fn same<T: PartialEq>(candidate: &[T], baseline: &[T], column: &str) -> Result<()> {
    if candidate == baseline {
        return Ok(());
    }
    let reason = match (candidate.len(), baseline.len()) {
        (expected, got) if expected != got => format!("expected the candidate's {expected} rows, got {got}"),
        _ => {
            let row = candidate.iter().zip(baseline).take_while(|(ours, theirs)| ours == theirs).count();
            format!("expected the same rows as the candidate's, got another `{column}` in row {row}")
        }
    };
    Err(Error::invalid("baseline", reason))
}

/// A column of finite numbers; a null is an error, and so is an infinity or NaN.
pub fn numbers(table: &stepwell::Table, name: &str) -> Result<Vec<f64>> {
    let values = table.f64(name)?.required()?;
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(row) => Err(Error::invalid(name, format!("expected finite numbers, got {} in row {row}", values[row]))),
    }
}

/// The same, of probabilities.
pub fn probabilities(table: &stepwell::Table, name: &str) -> Result<Vec<f64>> {
    checked_probabilities(name, table.f64(name)?.required()?)
}

/// The values, if all are probabilities.
pub fn checked_probabilities(name: &str, values: Vec<f64>) -> Result<Vec<f64>> {
    match values.iter().position(|value| !(0.0..=1.0).contains(value)) {
        None => Ok(values),
        Some(row) => {
            let got = values[row];
            Err(Error::invalid(name, format!("expected a probability from 0 to 1, got {got} in row {row}")))
        }
    }
}

/// An error unless a parameter `beta` of F-beta, where it is set, is one.
pub fn checked_beta(beta: Option<f64>) -> Result<()> {
    match beta.filter(|beta| !(*beta > 0.0 && *beta <= 1000.0)) {
        None => Ok(()),
        Some(got) => Err(Error::invalid("beta", format!("expected more than 0 and at most 1000, got {got}"))),
    }
}

/// For each row the number of its group, counted from 0 in the order in which they first come; and how many there are.
pub fn groups(table: &stepwell::Table, name: &str) -> Result<(Vec<usize>, usize)> {
    let mut numbers = std::collections::BTreeMap::new();
    let mut of_rows = Vec::new();
    for value in table.categories(name)?.iter() {
        let next = numbers.len();
        of_rows.push(*numbers.entry(value.cloned()).or_insert(next));
    }
    Ok((of_rows, numbers.len()))
}

/// Groups of some rows, numbered anew without gaps: the same for a candidate and its baseline.
pub fn renumbered(groups: &[usize], rows: &[usize]) -> (Vec<usize>, usize) {
    let mut numbers = std::collections::BTreeMap::new();
    let mut of_rows = Vec::with_capacity(rows.len());
    for row in rows {
        let next = numbers.len();
        of_rows.push(*numbers.entry(groups[*row]).or_insert(next));
    }
    (of_rows, numbers.len())
}

/// A ratio, where there is anything to divide by.
pub fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_are_unknown_before_the_run_are_no_error() {
        let [y, p] = ["y", "probability"].map(|name| Field::new(name, stepwell::DataType::Float64));
        let read = |fields: &[Field]| read(fields, &["y".to_owned(), "probability".to_owned()]);
        assert_eq!(read(&[]), Ok(Vec::new()));
        assert_eq!(read(&[p.clone(), y.clone()]), Ok(vec![y.clone(), p]));
        assert_eq!(read(&[y]), Err(Error::invalid("probability", "expected a column of this name, got `y`")));
    }

    #[test]
    fn a_column_that_is_read_for_two_ends_is_described_once() {
        let [y, low] = ["y", "p10"].map(|name| Field::new(name, stepwell::DataType::Float64));
        let asked = ["y", "p10", "y", "p10"].map(String::from);
        assert_eq!(read(&[low.clone(), y.clone()], &asked), Ok(vec![y, low]));
    }

    #[test]
    fn other_rows_are_told_apart() {
        assert_eq!(same(&[1, 2], &[1, 2], "y"), Ok(()));
        let said = |baseline: &[i32]| same(&[1, 2], baseline, "y").unwrap_err().to_string();
        assert!(said(&[1]).contains("expected the candidate's 2 rows, got 1"));
        assert!(said(&[1, 3]).contains("another `y` in row 1"));
    }

    #[test]
    fn groups_of_a_slice_have_no_gaps() {
        assert_eq!(renumbered(&[0, 1, 2, 1, 2], &[1, 3, 4]), (vec![0, 0, 1], 2));
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        assert!(checked_probabilities("p", vec![0.0, 1.0]).is_ok());
        let error = checked_probabilities("p", vec![0.5, f64::NAN]).unwrap_err();
        assert_eq!(error, Error::invalid("p", "expected a probability from 0 to 1, got NaN in row 1"));
    }
}

//! One table -> disjoint tables of its rows, one for each named fraction; every row goes to exactly one of them.
//!
//! Rows keep their order within an output. With `stratify`, each value of that column is split by itself; nulls are a
//! value of their own. With `group`, all rows of a group (same value, nulls together) go to the same output, fractions
//! count groups, and a group takes the stratum of its first row. Of n units in a stratum an output gets n times its
//! fraction, rounded down; what is left goes one by one to the largest remainders, ties in the order of the names.
//! Without `shuffle`, `order` says which output takes the first rows: for rows in time, `["train", "test"]`.

use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use stepwell::{Descriptor, Error, Inputs, Plugin, Result, Rng, Tables, Transformer, field};

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "fractions": {
            "type": "object", "minProperties": 1, "default": {"train": 0.75, "test": 0.25},
            "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "description": "Share of the rows for each output; together 1."
        },
        "stratify": {"type": "string", "description": "Column whose values keep their shares in every output."},
        "group": {"type": "string", "description": "Column whose equal values stay together."},
        "shuffle": {"type": "boolean", "default": true, "description": "Deal the rows at random, by the step's seed."},
        "order": {
            "type": "array", "items": {"type": "string"},
            "description": "Without shuffle: the outputs in the order in which they take the rows."
        }
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default = "three_to_one")]
    fractions: BTreeMap<String, f64>,
    stratify: Option<String>,
    group: Option<String>,
    #[serde(default = "yes")]
    shuffle: bool,
    order: Option<Vec<String>>,
}

fn three_to_one() -> BTreeMap<String, f64> {
    BTreeMap::from([("test".into(), 0.25), ("train".into(), 0.75)])
}

fn yes() -> bool {
    true
}

impl Params {
    /// The outputs with their fractions, in the order in which they take rows.
    fn outputs(&self) -> Result<Vec<(&str, f64)>> {
        let sum: f64 = self.fractions.values().sum();
        if (sum - 1.0).abs() > 1e-9 {
            return Err(Error::invalid("fractions", format!("expected fractions that sum to 1, got a sum of {sum}")));
        }
        if let Some((name, fraction)) = self.fractions.iter().find(|(_, fraction)| **fraction <= 0.0) {
            let reason = format!("expected a fraction greater than 0, got {fraction}");
            return Err(Error::invalid(format!("fractions.{name}"), reason));
        }
        let names: Vec<&String> = self.fractions.keys().collect();
        let ordered = match (&self.order, self.shuffle) {
            (None, true) => names,
            (Some(order), false) => {
                let mut sorted: Vec<&String> = order.iter().collect();
                sorted.sort();
                if sorted != names {
                    let reason = format!("expected each of the outputs {names:?} once, got {order:?}");
                    return Err(Error::invalid("order", reason));
                }
                order.iter().collect()
            }
            (Some(_), true) => {
                return Err(Error::invalid(
                    "order",
                    "expected an order only with `shuffle = false`, got `shuffle = true`",
                ));
            }
            (None, false) => {
                let reason =
                    format!("expected with `shuffle = false` which of {names:?} takes the first rows, got none");
                return Err(Error::invalid("order", reason));
            }
        };
        Ok(ordered.into_iter().map(|name| (name.as_str(), self.fractions[name])).collect())
    }
}

/// Rows that must stay together, by their positions; without `group` each is one row.
type Unit = Vec<u64>;

/// Numbers the distinct values of a column from 0, in the order in which they first come.
fn numbered(values: impl Iterator<Item = Option<String>>) -> Vec<usize> {
    let mut numbers = HashMap::new();
    values
        .map(|value| {
            let next = numbers.len();
            *numbers.entry(value).or_insert(next)
        })
        .collect()
}

/// The units of each stratum, all in the order of the rows. `strata` and `groups` number the value of each row.
fn units(rows: usize, strata: Option<Vec<usize>>, groups: Option<Vec<usize>>) -> Vec<Vec<Unit>> {
    let mut units: Vec<Unit> = Vec::new();
    for row in 0..rows {
        match groups.as_ref().map(|groups| groups[row]) {
            Some(group) if group < units.len() => units[group].push(row as u64),
            _ => units.push(vec![row as u64]),
        }
    }
    let mut by_stratum: Vec<Vec<Unit>> = Vec::new();
    for unit in units {
        let stratum = strata.as_ref().map_or(0, |strata| strata[unit[0] as usize]);
        // The stratum of a group is that of its first row; one that only later rows have stays empty.
        by_stratum.resize_with(by_stratum.len().max(stratum + 1), Vec::new);
        by_stratum[stratum].push(unit);
    }
    by_stratum
}

/// How many of `count` units each output gets: rounded down, then one more for the largest remainders.
fn shares(count: usize, fractions: &[f64]) -> Vec<usize> {
    let exact: Vec<f64> = fractions.iter().map(|fraction| fraction * count as f64).collect();
    // A product that is whole but for rounding counts as whole.
    let mut shares: Vec<usize> = exact.iter().map(|share| (share + 1e-9).floor() as usize).collect();
    let mut by_remainder: Vec<usize> = (0..fractions.len()).collect();
    let remainder = |output: &usize| exact[*output] - shares[*output] as f64;
    by_remainder.sort_by(|a, b| remainder(b).total_cmp(&remainder(a)));
    let left = count.saturating_sub(shares.iter().sum());
    by_remainder.into_iter().cycle().take(left).for_each(|output| shares[output] += 1);
    shares
}

/// The rows of each output, in the order of the table. `rng` shuffles; without it the first units go to the first output.
fn deal(strata: Vec<Vec<Unit>>, fractions: &[f64], mut rng: Option<Rng>) -> Vec<Vec<u64>> {
    let mut outputs = vec![Vec::new(); fractions.len()];
    for mut units in strata {
        if let Some(rng) = &mut rng {
            rng.shuffle(&mut units);
        }
        let shares = shares(units.len(), fractions);
        let mut units = units.into_iter();
        for (output, share) in outputs.iter_mut().zip(shares) {
            output.extend(units.by_ref().take(share).flatten());
        }
    }
    outputs.iter_mut().for_each(|output| output.sort_unstable());
    outputs
}

struct Split;

impl Transformer for Split {
    fn run(inputs: Tables) -> Result<Tables> {
        let params: Params = stepwell::params()?;
        let outputs = params.outputs()?;
        let table = inputs.get("table")?;
        let numbers = |column: &Option<String>| -> Result<Option<Vec<usize>>> {
            let Some(name) = column else { return Ok(None) };
            Ok(Some(numbered(table.categories(name)?.iter().map(|value| value.cloned()))))
        };
        let strata = units(table.rows() as usize, numbers(&params.stratify)?, numbers(&params.group)?);
        let rng = params.shuffle.then(|| Rng::from_seed(stepwell::seed()));
        let fractions: Vec<f64> = outputs.iter().map(|(_, fraction)| *fraction).collect();
        let mut tables = Tables::new();
        for ((name, _), rows) in outputs.iter().zip(deal(strata, &fractions, rng)) {
            tables = tables.and(name, table.take(&rows)?);
        }
        Ok(tables)
    }
}

impl Plugin for Split {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let mut descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        let Some(columns) = inputs.port("table") else {
            return Ok(descriptor.input("table", []));
        };
        let params: Params = stepwell::params()?;
        let mut read = Vec::new();
        for name in [&params.stratify, &params.group].into_iter().flatten() {
            read.push(field::require(columns, name)?.clone());
        }
        read.dedup();
        descriptor = descriptor.input("table", read);
        for (name, _) in params.outputs()? {
            descriptor = descriptor.output_subset(name, columns, "table");
        }
        Ok(descriptor)
    }
}

stepwell::export!(Split: Transformer);

#[cfg(test)]
mod tests {
    use super::*;

    fn strata_of(text: &str) -> Vec<usize> {
        numbered(text.chars().map(|value| Some(value.to_string())))
    }

    #[test]
    fn shares_are_whole_and_fair() {
        assert_eq!(shares(100, &[0.25, 0.75]), [25, 75]);
        assert_eq!(shares(5, &[0.25, 0.75]), [1, 4]);
        assert_eq!(shares(2, &[0.5, 0.25, 0.25]), [1, 1, 0]);
        assert_eq!(shares(0, &[0.5, 0.5]), [0, 0]);
        assert_eq!(shares(10, &[0.1, 0.2, 0.7]), [1, 2, 7]);
    }

    #[test]
    fn every_row_goes_to_one_output_in_order() {
        let outputs = deal(units(100, None, None), &[0.2, 0.3, 0.5], Some(Rng::from_seed(5)));
        assert_eq!(outputs.iter().map(Vec::len).collect::<Vec<_>>(), [20, 30, 50]);
        assert!(outputs.iter().all(|rows| rows.is_sorted()));
        let mut all = outputs.concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<u64>>());
        assert_eq!(outputs, deal(units(100, None, None), &[0.2, 0.3, 0.5], Some(Rng::from_seed(5))));
        assert_ne!(outputs, deal(units(100, None, None), &[0.2, 0.3, 0.5], Some(Rng::from_seed(6))));
    }

    #[test]
    fn strata_keep_their_shares() {
        let strata = strata_of(&"aaab".repeat(20));
        let outputs = deal(units(80, Some(strata), None), &[0.25, 0.75], Some(Rng::from_seed(1)));
        let rare = outputs[0].iter().filter(|row| *row % 4 == 3).count();
        assert_eq!((outputs[0].len(), rare), (20, 5));
    }

    #[test]
    fn groups_stay_together() {
        let groups = strata_of("abcabcddeeffgghh");
        let outputs = deal(units(16, None, Some(groups.clone())), &[0.25, 0.75], Some(Rng::from_seed(3)));
        let of = |output: &[u64]| output.iter().map(|row| groups[*row as usize]).collect::<Vec<_>>();
        let (left, right) = (of(&outputs[0]), of(&outputs[1]));
        assert!(left.iter().all(|group| !right.contains(group)), "{left:?} {right:?}");
        assert_eq!(outputs[0].len(), 4);
    }

    #[test]
    fn without_shuffle_the_order_is_said() {
        let outputs = |json: &str| {
            let params: Params = stepwell::parse(json)?;
            Ok::<_, Error>(params.outputs()?.into_iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(outputs("{}").unwrap(), ["test", "train"]);
        assert_eq!(outputs(r#"{"shuffle": false, "order": ["train", "test"]}"#).unwrap(), ["train", "test"]);
        assert_eq!(deal(units(4, None, None), &[0.75, 0.25], None), [vec![0, 1, 2], vec![3]]);
        for wrong in [
            r#"{"shuffle": false}"#,
            r#"{"shuffle": false, "order": ["train"]}"#,
            r#"{"order": ["train", "test"]}"#,
            r#"{"fractions": {"a": 0.5, "b": 0.6}}"#,
            r#"{"fractions": {"a": 1.5, "b": -0.5}}"#,
            r#"{"fractions": {}}"#,
        ] {
            assert!(outputs(wrong).is_err(), "{wrong}");
        }
    }
}

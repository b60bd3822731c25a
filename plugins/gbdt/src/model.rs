//! A trained model: its files, and its answers.
//!
//! A row's score is summed in the guest, tree by tree, so that its bits do not depend on how many rows came with it.

use crate::columns::Input;
use crate::objective::Objective;
use crate::tree::Tree;
use serde::{Deserialize, Serialize};
use stepwell::{AnyColumn, Class, DataType, Error, Field, Result, SavedFiles, Table, finite};

const HEADER: &str = "model.json";
const TREES: &str = "trees.json";
const IMPORTANCE: &str = "importance.json";
/// Rows that are answered together: their values stay near.
const BLOCK_ROWS: u64 = 4096;

/// What stands in `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) objective: Objective,
    pub(crate) inputs: Vec<Input>,
    pub(crate) label: String,
    /// In the order of the scores; of two the second is positive. None for a label of numbers.
    pub(crate) classes: Vec<Class>,
    /// The scores before any tree.
    pub(crate) start: Vec<f64>,
}

/// What stands in `importance.json`, a feature an entry.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Importance {
    pub(crate) feature: String,
    /// How much all its splits gained together.
    pub(crate) gain: f64,
    pub(crate) splits: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) header: Header,
    /// Round by round, in each a tree a score.
    pub(crate) trees: Vec<Tree>,
}

impl Model {
    pub(crate) fn save(&self) -> Result<SavedFiles> {
        let files = SavedFiles::new().json(HEADER, &self.header)?.json(TREES, &self.trees)?;
        files.json(IMPORTANCE, &self.importance())
    }

    pub(crate) fn load(files: &SavedFiles) -> Result<Self> {
        let header: Header = files.read_json(HEADER)?;
        let outputs = header.objective.outputs();
        let classes = match header.objective {
            Objective::Binary => 2,
            Objective::Multiclass(classes) => classes,
            _ => 0,
        };
        if header.start.len() != outputs || header.classes.len() != classes {
            let (starts, got) = (header.start.len(), header.classes.len());
            let reason = format!("expected {outputs} scores and {classes} classes, got {starts} and {got}");
            return Err(Error::invalid(HEADER, reason));
        }
        let trees: Vec<Tree> = files.read_json(TREES)?;
        let checked = |tree: Tree| tree.checked(TREES, header.inputs.len());
        let trees = trees.into_iter().map(checked).collect::<Result<Vec<_>>>()?;
        if !trees.len().is_multiple_of(outputs) {
            let reason = format!("expected trees for each of {outputs} scores, got {}", trees.len());
            return Err(Error::invalid(TREES, reason));
        }
        Ok(Self { header, trees })
    }

    pub(crate) fn importance(&self) -> Vec<Importance> {
        let of = |input: &Input| Importance { feature: input.name.clone(), gain: 0.0, splits: 0 };
        let mut importance: Vec<_> = self.header.inputs.iter().map(of).collect();
        for (_, split) in self.trees.iter().flat_map(Tree::splits) {
            importance[split.feature].gain += split.gain;
            importance[split.feature].splits += 1;
        }
        importance
    }

    /// The scores of each row: for each of the model's scores a number a row.
    pub(crate) fn scores(&self, rows: &Table) -> Result<Vec<Vec<f64>>> {
        let inputs = &self.header.inputs;
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let mut scores = vec![Vec::with_capacity(rows.rows() as usize); self.header.start.len()];
        for start in (0..rows.rows()).step_by(BLOCK_ROWS as usize) {
            let block = rows.slice(start, BLOCK_ROWS);
            let read = block.columns(&names)?;
            let columns: Vec<Vec<f64>> =
                inputs.iter().zip(read).map(|(input, column)| input.numbers(column)).collect::<Result<_>>()?;
            let length = BLOCK_ROWS.min(rows.rows() - start) as usize;
            for (output, scores) in scores.iter_mut().enumerate() {
                scores.extend((0..length).map(|row| self.score(output, |feature| columns[feature][row])));
            }
        }
        Ok(scores)
    }

    /// One of a row's scores.
    fn score(&self, output: usize, value: impl Fn(usize) -> f64) -> f64 {
        let trees = self.trees.iter().skip(output).step_by(self.header.start.len());
        trees.fold(self.header.start[output], |score, tree| score + tree.value(&value))
    }

    pub(crate) fn predict(&self, rows: &Table) -> Result<Table> {
        let scores = self.scores(rows)?;
        let (Some(first), header) = (scores.first(), &self.header) else { return Table::builder().finish() };
        match header.objective {
            Objective::Binary => {
                let places: Vec<usize> = first.iter().map(|score| usize::from(*score > 0.0)).collect();
                let probability: Vec<f64> = first.iter().map(|score| sigmoid(*score)).collect();
                let prediction = chosen(&header.classes, &places)?;
                Table::builder().column("prediction", prediction).column("probability", probability).finish()
            }
            Objective::Multiclass(_) => {
                let probabilities: Vec<Vec<f64>> =
                    (0..first.len()).map(|row| softmax(scores.iter().map(|scores| scores[row]))).collect();
                let places: Vec<usize> = probabilities.iter().map(|row| greatest(row)).collect();
                let mut table = Table::builder().column("prediction", chosen(&header.classes, &places)?);
                for (class, name) in probability_names(&header.classes).iter().enumerate() {
                    table = table.column(name, probabilities.iter().map(|row| row[class]).collect::<Vec<f64>>());
                }
                table.finish()
            }
            _ => {
                finite::check_rows("the prediction", first)?;
                Table::builder().column("prediction", first.clone()).finish()
            }
        }
    }
}

/// What the predictor gives for these classes; none for numbers.
pub(crate) fn outputs(classes: &[Class]) -> Vec<Field> {
    let Some(class) = classes.first() else { return vec![Field::new("prediction", DataType::Float64)] };
    let names = if classes.len() == 2 { vec!["probability".to_string()] } else { probability_names(classes) };
    let probabilities = names.into_iter().map(|name| Field::new(name, DataType::Float64));
    [Field::new("prediction", class.data_type())].into_iter().chain(probabilities).collect()
}

/// A column of probabilities for each class.
fn probability_names(classes: &[Class]) -> Vec<String> {
    classes.iter().map(|class| format!("probability_{}", class.to_string().trim_matches('`'))).collect()
}

/// The classes at these places, as a column of the label's type.
fn chosen(classes: &[Class], places: &[usize]) -> Result<AnyColumn> {
    let mixed = || Error::invalid(HEADER, "expected classes of one type, got several");
    macro_rules! column {
        ($case:ident) => {{
            let value = |class: &Class| match class {
                Class::$case(value) => Ok(value.clone()),
                _ => Err(mixed()),
            };
            let values = classes.iter().map(value).collect::<Result<Vec<_>>>()?;
            Ok(places.iter().map(|place| values[*place].clone()).collect::<Vec<_>>().into())
        }};
    }
    match classes.first() {
        Some(Class::Boolean(_)) => column!(Boolean),
        Some(Class::Int64(_)) => column!(Int64),
        Some(Class::Text(_)) => column!(Text),
        None => Err(mixed()),
    }
}

/// The probability of log-odds, without overflow on either side.
fn sigmoid(score: f64) -> f64 {
    if score >= 0.0 {
        1.0 / (1.0 + (-score).exp())
    } else {
        let odds = score.exp();
        odds / (1.0 + odds)
    }
}

fn softmax(scores: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let greatest = scores.clone().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.map(|score| (score - greatest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Where the greatest stands; of equal ones the first.
fn greatest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Node, Split, Test};

    fn model() -> Model {
        let inputs = vec![
            Input { name: "size".into(), categories: None },
            Input { name: "kind".into(), categories: Some(vec!["a".into(), "b".into()]) },
        ];
        let classes = vec![Class::Text("no".into()), Class::Text("yes".into())];
        let header = Header { objective: Objective::Binary, inputs, label: "bought".into(), classes, start: vec![0.1] };
        let split = |feature, goes_left| {
            let split = Split { feature, goes_left, missing_left: true, children: [1, 2], gain: 2.5 };
            Tree(vec![Node::Split(split), Node::Leaf(0.1 + 0.2), Node::Leaf(-1.0 / 3.0)])
        };
        Model { header, trees: vec![split(0, Test::AtMost(1e-7)), split(1, Test::Among(vec![1]))] }
    }

    #[test]
    fn a_saved_model_is_the_same_model() {
        assert_eq!(Model::load(&model().save().unwrap()).unwrap(), model());
    }

    #[test]
    fn a_score_is_the_sum_of_the_trees_in_their_order() {
        let row = [1.0, 1.0];
        assert_eq!(model().score(0, |feature| row[feature]), 0.1 + (-1.0 / 3.0) + (0.1 + 0.2));
    }

    #[test]
    fn importance_adds_up() {
        let of = |feature: &str| Importance { feature: feature.into(), gain: 2.5, splits: 1 };
        assert_eq!(model().importance(), [of("size"), of("kind")]);
    }

    #[test]
    fn files_that_contradict_each_other_are_refused() {
        let broken = |change: fn(&mut Model)| {
            let mut model = model();
            change(&mut model);
            Model::load(&model.save().unwrap()).is_err()
        };
        assert!(!broken(|_| ()));
        assert!(broken(|model| model.header.start.push(0.0)));
        assert!(broken(|model| drop(model.header.classes.pop())));
        assert!(broken(|model| model.header.objective = Objective::Multiclass(3)));
        assert!(broken(|model| model.trees.push(Tree::default())));
    }

    /// JSON has no word for them: who writes one writes `null`, which no check of numbers can tell from a value that is meant to lack.
    #[test]
    fn numbers_that_are_none_are_refused() {
        let saved = model().save().unwrap();
        let trees = String::from_utf8(saved.read(TREES).unwrap().to_vec()).unwrap();
        for (what, number) in [("a leaf", "0.30000000000000004"), ("a threshold", "1e-7"), ("a gain", "2.5")] {
            for none in ["null", "1e999", "NaN"] {
                let broken = trees.replacen(number, none, 1);
                assert_ne!(broken, trees, "{what}");
                let mut files = saved.clone();
                files
                    .0
                    .iter_mut()
                    .filter(|file| file.name == TREES)
                    .for_each(|file| file.content = broken.clone().into());
                assert!(Model::load(&files).is_err(), "{what} that is {none}");
            }
        }
    }

    #[test]
    fn probabilities_do_not_overflow() {
        assert_eq!((sigmoid(0.0), sigmoid(800.0), sigmoid(-800.0)), (0.5, 1.0, 0.0));
        assert_eq!(softmax([1000.0, 1000.0].into_iter()), [0.5, 0.5]);
        assert_eq!((greatest(&[0.2, 0.4, 0.4]), greatest(&[f64::NAN, 0.1])), (1, 0));
    }

    #[test]
    fn the_columns_of_an_answer() {
        let names = |classes: &[Class]| outputs(classes).into_iter().map(|field| field.name).collect::<Vec<_>>();
        assert_eq!(names(&[]), ["prediction"]);
        assert_eq!(names(&[Class::Boolean(false), Class::Boolean(true)]), ["prediction", "probability"]);
        let three = [1, 2, 10].map(Class::Int64);
        assert_eq!(names(&three), ["prediction", "probability_1", "probability_2", "probability_10"]);
    }
}

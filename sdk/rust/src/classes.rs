//! The values of a label <-> what a classifier computes with: places among the classes in, scores out.

use crate::{AnyColumn, Class, DataType, Error, Field, Result, Table, Tensor, finite};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most classes: a classifier has a score for each.
const CLASSES_MAX: usize = 1000;

/// The classes that a classifier tells apart, all of one type, in the order of its scores. Of two the second is the positive
/// one, and there is one score, its log-odds. In JSON it is the list of plain values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Classes(Vec<Class>);

impl Classes {
    /// The classes in the label's column: two or more, and 1000 at most. `positive` is one of two; by default the greater.
    pub fn learn(table: &Table, label: &str, positive: Option<&Class>) -> Result<Self> {
        let mut distinct = BTreeSet::new();
        for chunk in table.chunks(label)? {
            distinct.extend(chunk?.into_classes()?);
            if distinct.len() > CLASSES_MAX {
                break;
            }
        }
        Self::of(label, distinct, positive)
    }

    fn of(label: &str, distinct: BTreeSet<Class>, positive: Option<&Class>) -> Result<Self> {
        let mut classes: Vec<Class> = distinct.into_iter().collect();
        let shown = classes.iter().take(10).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if !(2..=CLASSES_MAX).contains(&classes.len()) {
            return Err(Error::invalid(label, format!("expected 2 to {CLASSES_MAX} classes, got {shown}")));
        }
        let Some(positive) = positive else { return Ok(Self(classes)) };
        match classes.iter().position(|class| class == positive) {
            Some(place) if classes.len() == 2 => {
                let positive = classes.remove(place);
                classes.push(positive);
                Ok(Self(classes))
            }
            Some(_) => Err(Error::invalid("positive", format!("expected only with two classes, got {shown}"))),
            None => Err(Error::invalid("positive", format!("expected one of {shown}, got {positive}"))),
        }
    }

    /// From a list in the order of the scores, such as a saved one.
    pub fn new(classes: Vec<Class>) -> Result<Self> {
        let distinct: BTreeSet<&Class> = classes.iter().collect();
        let alike = classes.iter().all(|class| class.data_type() == classes[0].data_type());
        if distinct.len() != classes.len() || !(2..=CLASSES_MAX).contains(&classes.len()) || !alike {
            let got = classes.len();
            return Err(Error::invalid("classes", format!("expected 2 to {CLASSES_MAX} of one type, got {got}")));
        }
        Ok(Self(classes))
    }

    /// Two or more.
    pub fn all(&self) -> &[Class] {
        &self.0
    }

    /// Scores a row: one for two classes, else one a class.
    pub fn scores(&self) -> usize {
        if self.0.len() == 2 { 1 } else { self.0.len() }
    }

    /// Where each row's class stands among these, [rows, 1] of float64. Another class is an error that names the column.
    pub fn places(&self, table: &Table, label: &str) -> Result<Tensor> {
        let mut places = Vec::with_capacity(table.rows() as usize);
        for chunk in table.chunks(label)? {
            for class in chunk?.into_classes()? {
                places.push(self.place(label, &class)?);
            }
        }
        Tensor::from_f64(&places)?.reshape(&[places.len() as u32, 1])
    }

    fn place(&self, label: &str, class: &Class) -> Result<f64> {
        let place = self.0.iter().position(|known| known == class);
        place.map(|place| place as f64).ok_or_else(|| {
            let shown = self.0.iter().take(10).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Error::invalid(label, format!("expected a class of the training rows ({shown}), got {class}"))
        })
    }

    /// The columns of an answer: `prediction`, of the label's type, and `probability` of the positive class, or for more than
    /// two classes `probability_CLASS` of each.
    pub fn outputs(&self) -> Vec<Field> {
        let probabilities = self.names().into_iter().map(|name| Field::new(name, DataType::Float64));
        [Field::new("prediction", self.0[0].data_type())].into_iter().chain(probabilities).collect()
    }

    /// The columns of an answer for a label of this type that has two classes: what is known before there are rows.
    pub fn outputs_of_two(label: DataType) -> Vec<Field> {
        vec![Field::new("prediction", label), Field::new("probability", DataType::Float64)]
    }

    fn names(&self) -> Vec<String> {
        match self.0.len() {
            2 => vec!["probability".into()],
            _ => self.0.iter().map(|class| format!("probability_{}", class.plain())).collect(),
        }
    }

    /// The class of each row and its probabilities, from the scores, row-major. Of equal scores the first wins; log-odds of
    /// exactly 0 are the negative class. Scores that have no probabilities, such as one that is not a number, are an error.
    pub fn answer(&self, scores: &[f64]) -> Result<Table> {
        let rows = scores.chunks(self.scores());
        let (places, probabilities): (Vec<usize>, Vec<Vec<f64>>) = rows.map(judged).unzip();
        let mut table = Table::builder().column("prediction", self.column(&places)?);
        for (class, name) in self.names().iter().enumerate() {
            let of_class: Vec<f64> = probabilities.iter().map(|row| row[class]).collect();
            finite::check_rows(&format!("`{name}`"), &of_class)?;
            table = table.column(name, of_class);
        }
        table.finish()
    }

    /// The classes at these places, as a column of the label's type.
    fn column(&self, places: &[usize]) -> Result<AnyColumn> {
        macro_rules! column {
            ($case:ident) => {{
                let value = |class: &Class| match class {
                    Class::$case(value) => Some(value.clone()),
                    _ => None,
                };
                let values: Vec<_> = self.0.iter().filter_map(value).collect();
                let chosen = places.iter().map(|place| values.get(*place).cloned());
                chosen.collect::<Option<Vec<_>>>().map(AnyColumn::from)
            }};
        }
        let column = match self.0.first() {
            Some(Class::Boolean(_)) => column!(Boolean),
            Some(Class::Int64(_)) => column!(Int64),
            Some(Class::Text(_)) => column!(Text),
            None => None,
        };
        column.ok_or_else(|| Error::invalid("classes", "expected classes of one type, got several"))
    }

    /// The log loss of a row of scores whose class stands at `place`.
    pub fn log_loss(&self, scores: &[f64], place: usize) -> f64 {
        match *scores {
            // log(1 + exp(score)), less the score where the class is the positive one.
            [score] => score.max(0.0) - score * place as f64 + (-score.abs()).exp().ln_1p(),
            _ => {
                let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|score| (score - greatest).exp()).sum();
                greatest + sum.ln() - scores[place]
            }
        }
    }
}

/// The class of a row of scores, and its probabilities.
fn judged(scores: &[f64]) -> (usize, Vec<f64>) {
    match *scores {
        [score] => (usize::from(score > 0.0), vec![sigmoid(score)]),
        _ => {
            let best = (1..scores.len()).fold(0, |best, at| if scores[at] > scores[best] { at } else { best });
            let powers: Vec<f64> = scores.iter().map(|score| (score - scores[best]).exp()).collect();
            let sum: f64 = powers.iter().sum();
            (best, powers.into_iter().map(|power| power / sum).collect())
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> BTreeSet<Class> {
        values.iter().map(|value| Class::Text(value.to_string())).collect()
    }

    #[test]
    fn the_greater_class_is_positive_unless_said() {
        let of = |values: &[&str], positive: Option<&str>| {
            let positive = positive.map(|text| Class::Text(text.into()));
            Classes::of("y", texts(values), positive.as_ref()).map(|classes| classes.column(&[0, 1]))
        };
        let column = |values: [&str; 2]| Ok(Ok(AnyColumn::from(values.map(String::from).to_vec())));
        assert_eq!(of(&["yes", "no"], None), column(["no", "yes"]));
        assert_eq!(of(&["yes", "no"], Some("no")), column(["yes", "no"]));
        let other = Error::invalid("positive", "expected one of `no`, `yes`, got `x`");
        assert_eq!(of(&["yes", "no"], Some("x")), Err(other));
        let three = Error::invalid("positive", "expected only with two classes, got `a`, `b`, `c`");
        assert_eq!(of(&["c", "a", "b"], Some("b")), Err(three));
        assert_eq!(of(&["a"], None), Err(Error::invalid("y", "expected 2 to 1000 classes, got `a`")));
    }

    #[test]
    fn a_class_that_was_not_learnt_is_named() {
        let classes = Classes::of("y", texts(&["b", "a", "c"]), None).unwrap();
        assert_eq!(classes.place("y", &Class::Text("c".into())), Ok(2.0));
        let reason = "expected a class of the training rows (`a`, `b`, `c`), got `1`";
        assert_eq!(classes.place("y", &Class::Int64(1)), Err(Error::invalid("y", reason)));
    }

    #[test]
    fn more_than_two_classes_have_a_probability_each() {
        let names = |classes: &[i64]| {
            let classes = Classes::new(classes.iter().copied().map(Class::Int64).collect()).unwrap();
            classes.outputs().into_iter().map(|field| field.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[0, 1]), ["prediction", "probability"]);
        assert_eq!(names(&[1, 2, 10]), ["prediction", "probability_1", "probability_2", "probability_10"]);
        assert!(Classes::new(vec![Class::Int64(1), Class::Int64(1)]).is_err());
        assert!(Classes::new(vec![Class::Int64(1), Class::Boolean(true)]).is_err());
    }

    #[test]
    fn the_tails_do_not_overflow() {
        assert_eq!((sigmoid(0.0), sigmoid(800.0), sigmoid(-800.0)), (0.5, 1.0, 0.0));
        assert_eq!(judged(&[0.0]), (0, vec![0.5]));
        assert_eq!(judged(&[1000.0, 0.0, 1000.0]), (0, vec![0.5, 0.0, 0.5]));
        let (two, three) =
            (Classes::of("y", texts(&["a", "b"]), None), Classes::of("y", texts(&["a", "b", "c"]), None));
        let (two, three) = (two.unwrap(), three.unwrap());
        assert_eq!((two.log_loss(&[-800.0], 0), two.log_loss(&[-800.0], 1)), (0.0, 800.0));
        assert!((two.log_loss(&[0.3], 1) + sigmoid(0.3).ln()).abs() < 1e-15);
        assert_eq!(three.log_loss(&[0.0, 800.0, 0.0], 2), 800.0);
        assert!((three.log_loss(&[0.1, 0.1, 0.1], 2) - 3.0_f64.ln()).abs() < 1e-15);
    }
}

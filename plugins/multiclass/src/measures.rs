//! Judged rows -> the measures of several classes. Pure.

use evaluation::{Sample, ratio};

/// Bins of equal width in which the probability of the likeliest class is held against how often it is right.
const BINS: usize = 10;

/// Rows with the place of their class among all classes, and of the predicted one.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) classes: Vec<String>,
    pub(crate) label: Vec<usize>,
    pub(crate) predicted: Vec<usize>,
    pub(crate) scores: Option<Scores>,
    /// How much recall counts beside precision in F-beta, if it is measured.
    pub(crate) beta: Option<f64>,
}

/// What follows from the probabilities.
#[derive(Clone, Debug)]
pub(crate) struct Scores {
    /// A column a class.
    of_class: Vec<Vec<f64>>,
    /// For each class the rows by rising probability.
    orders: Vec<Vec<usize>>,
    /// How many classes stand before the true one.
    rank: Vec<usize>,
    /// The probability of the likeliest class, and whether it is the true one.
    sure: Vec<(f64, bool)>,
    top: Vec<usize>,
}

impl Scores {
    /// Of equal probabilities the later class stands first, as in scikit-learn's `top_k_accuracy_score`.
    pub(crate) fn new(of_class: Vec<Vec<f64>>, label: &[usize], top: Vec<usize>) -> Self {
        let order = |column: &Vec<f64>| {
            let mut order: Vec<usize> = (0..label.len()).collect();
            order.sort_by(|a, b| column[*a].total_cmp(&column[*b]));
            order
        };
        let orders = of_class.iter().map(order).collect();
        let before = |row: usize| {
            let (truth, own) = (label[row], of_class[label[row]][row]);
            let is_before =
                |(class, column): &(usize, &Vec<f64>)| column[row] > own || (column[row] == own && *class > truth);
            of_class.iter().enumerate().filter(is_before).count()
        };
        let rank: Vec<usize> = (0..label.len()).map(before).collect();
        let likeliest = |row: usize| of_class.iter().map(|column| column[row]).fold(0.0, f64::max);
        let sure = (0..label.len()).map(|row| (likeliest(row), rank[row] == 0)).collect();
        Self { of_class, orders, rank, sure, top }
    }

    fn pick(&self, rows: &[usize], label: &[usize]) -> Self {
        let column = |column: &Vec<f64>| rows.iter().map(|row| column[*row]).collect();
        Self::new(self.of_class.iter().map(column).collect(), label, self.top.clone())
    }

    /// Clipped as scikit-learn does.
    fn log_loss(&self, label: &[usize], counts: &[u32]) -> f64 {
        let loss = |(row, count): (usize, &u32)| {
            -f64::from(*count) * self.of_class[label[row]][row].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
        };
        counts.iter().enumerate().map(loss).sum()
    }

    fn calibration_error(&self, counts: &[u32]) -> f64 {
        // Sum of probabilities and rows that were right.
        let mut bins = [(0.0, 0.0); BINS];
        for (count, (probability, right)) in counts.iter().zip(&self.sure) {
            let edges = (1..BINS).take_while(|edge| *probability > *edge as f64 * (1.0 / BINS as f64));
            let (count, bin) = (f64::from(*count), &mut bins[edges.count()]);
            *bin = (bin.0 + count * probability, bin.1 + if *right { count } else { 0.0 });
        }
        bins.into_iter().map(|(said, came)| (said - came).abs()).sum()
    }

    /// Of a class against all others; a tie is half a pair.
    fn roc_auc(&self, class: usize, label: &[usize], counts: &[u32]) -> Option<f64> {
        let (mut pairs, mut positives, mut negatives) = (0.0, 0.0, 0.0);
        let column = &self.of_class[class];
        for tied in self.orders[class].chunk_by(|a, b| column[*a] == column[*b]) {
            let (mut above, mut beside) = (0.0, 0.0);
            for row in tied {
                let side = if label[*row] == class { &mut above } else { &mut beside };
                *side += f64::from(counts[*row]);
            }
            pairs += above * (negatives + beside / 2.0);
            (positives, negatives) = (positives + above, negatives + beside);
        }
        ratio(pairs, positives * negatives)
    }
}

/// What is counted of a class.
#[derive(Clone, Copy, Default)]
struct Tally {
    right: f64,
    labelled: f64,
    predicted: f64,
}

impl Tally {
    /// Precision, recall and F1, and F-beta where it is measured.
    fn values(self, beta: Option<f64>) -> impl Iterator<Item = Option<f64>> {
        let Self { right, labelled, predicted } = self;
        let f = |beta: f64| {
            let square = beta * beta;
            ratio((1.0 + square) * right, square * labelled + predicted)
        };
        [ratio(right, predicted), ratio(right, labelled), f(1.0)].into_iter().chain(beta.map(f))
    }
}

impl Judged {
    fn tallies(&self, counts: &[u32]) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.classes.len()];
        for (row, count) in counts.iter().enumerate() {
            let (label, predicted, count) = (self.label[row], self.predicted[row], f64::from(*count));
            tallies[label].labelled += count;
            tallies[predicted].predicted += count;
            if label == predicted {
                tallies[label].right += count;
            }
        }
        tallies
    }

    /// Of the classes that occur in the rows: what is undefined of one undefines the mean.
    fn mean_auc(&self, aucs: &[Option<f64>]) -> Option<f64> {
        let occurs = |class: &usize| self.label.contains(class);
        let of_classes: Option<Vec<f64>> = (0..self.classes.len()).filter(occurs).map(|class| aucs[class]).collect();
        of_classes.and_then(|aucs| ratio(aucs.iter().sum(), aucs.len() as f64))
    }
}

/// What is measured of a class as means over the classes that were seen, then weighted by how often each is the label.
fn averages(tallies: &[Tally], beta: Option<f64>) -> Vec<Option<f64>> {
    let seen: Vec<&Tally> = tallies.iter().filter(|tally| tally.labelled + tally.predicted > 0.0).collect();
    let labelled: f64 = seen.iter().map(|tally| tally.labelled).sum();
    let means = |weight: fn(&Tally) -> f64, all: f64| {
        let mut sums = vec![0.0; Tally::default().values(beta).count()];
        for tally in &seen {
            let values = sums.iter_mut().zip(tally.values(beta));
            values.for_each(|(sum, value)| *sum += weight(tally) * value.unwrap_or(0.0));
        }
        sums.into_iter().map(move |sum| ratio(sum, all))
    };
    means(|_| 1.0, seen.len() as f64).chain(means(|tally| tally.labelled, labelled)).collect()
}

impl Sample for Judged {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = ["accuracy", "balanced_accuracy"].map(String::from).into();
        let plain = ["precision", "recall", "f1"].map(|kind| (kind, String::new()));
        let fbeta = self.beta.map(|beta| ("fbeta", format!("@{beta}")));
        let kinds: Vec<(&str, String)> = plain.into_iter().chain(fbeta).collect();
        for mean in ["macro", "weighted"] {
            names.extend(kinds.iter().map(|(kind, detail)| format!("{kind}_{mean}{detail}")));
        }
        if let Some(scores) = &self.scores {
            names.extend(["log_loss", "ece", "roc_auc_macro"].map(String::from));
            names.extend(scores.top.iter().map(|k| format!("top@{k}")));
        }
        let classes = || self.classes.iter();
        for class in classes() {
            names.extend(kinds.iter().map(|(kind, detail)| format!("{kind}{detail}:{class}")));
        }
        if self.scores.is_some() {
            names.extend(classes().map(|class| format!("roc_auc:{class}")));
        }
        names
    }

    fn units(&self) -> usize {
        self.label.len()
    }

    fn pick(&self, rows: &[usize]) -> Self {
        let pick = |places: &[usize]| rows.iter().map(|row| places[*row]).collect::<Vec<usize>>();
        let (label, predicted) = (pick(&self.label), pick(&self.predicted));
        let scores = self.scores.as_ref().map(|scores| scores.pick(rows, &label));
        Self { classes: self.classes.clone(), label, predicted, scores, beta: self.beta }
    }

    fn measure(&self, counts: &[u32]) -> Vec<Option<f64>> {
        let tallies = self.tallies(counts);
        let all: f64 = tallies.iter().map(|tally| tally.labelled).sum();
        let recalls: Vec<f64> = tallies.iter().filter_map(|tally| ratio(tally.right, tally.labelled)).collect();
        let right: f64 = tallies.iter().map(|tally| tally.right).sum();
        let mut values = vec![ratio(right, all), ratio(recalls.iter().sum(), recalls.len() as f64)];
        values.extend(averages(&tallies, self.beta));
        let classes = 0..self.classes.len();
        let aucs: Option<Vec<_>> = self
            .scores
            .as_ref()
            .map(|scores| classes.map(|class| scores.roc_auc(class, &self.label, counts)).collect());
        if let (Some(scores), Some(aucs)) = (&self.scores, &aucs) {
            values.push(ratio(scores.log_loss(&self.label, counts), all));
            values.push(ratio(scores.calibration_error(counts), all));
            values.push(self.mean_auc(aucs));
            let among = |k: &usize| {
                let hits = scores.rank.iter().zip(counts).filter(|(rank, _)| *rank < k);
                ratio(hits.map(|(_, count)| f64::from(*count)).sum(), all)
            };
            values.extend(scores.top.iter().map(among));
        }
        values.extend(tallies.iter().flat_map(|tally| tally.values(self.beta)));
        values.extend(aucs.into_iter().flatten());
        values
    }
}

#[cfg(test)]
mod tests;

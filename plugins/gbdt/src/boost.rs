//! Rows -> trees, round by round. An interrupted training follows the trees it had grown and goes on.

use crate::columns::binned;
use crate::grow::{Plan, grow};
use crate::model::{Header, Model};
use crate::objective::{Slopes, Targets, weighted_quantile};
use crate::params::Params;
use crate::tree::{Node, Tree};
use stepwell::tensor::{Comparison, ElementType::Float64};
use stepwell::trees::{Binned, Growth};
use stepwell::{Error, Result, Rng, Table, Tensor, checkpoint, finite, report};

/// Rounds between two points of the loss curve, which begins before the first round and has the first and the last one too: a model
/// of few trees must show that its loss fell.
const WATCH_EVERY: u64 = 10;

/// Rows with what they are to be predicted as, and what they are so far.
pub(crate) struct Side {
    binned: Binned,
    targets: Targets,
    /// One for each of the model's scores.
    scores: Vec<Tensor>,
}

/// How it stands after the best round so far.
#[derive(Clone, Copy)]
struct Best {
    rounds: u64,
    loss: f64,
    validation_loss: f64,
}

/// A training under way.
pub(crate) struct Boosting<'a> {
    pub(crate) params: &'a Params,
    pub(crate) plan: Plan,
    pub(crate) header: &'a Header,
    pub(crate) seed: u64,
    pub(crate) learning: Side,
    /// Rows that say when to stop.
    pub(crate) judged: Option<Side>,
}

/// What came of it.
pub(crate) struct Boosted {
    /// Round by round, in each a tree a score.
    pub(crate) trees: Vec<Tree>,
    pub(crate) measures: Vec<(String, f64)>,
}

impl Side {
    /// Rows that stand where a model leaves them, or at the scores before any tree.
    pub(crate) fn new(
        table: &Table,
        header: &Header,
        ends: &[Vec<f64>],
        targets: Targets,
        initial: Option<&Model>,
    ) -> Result<Self> {
        let rows = table.rows() as u32;
        let scores = match initial {
            Some(model) => model.scores(table)?.iter().map(|scores| Tensor::from_f64(scores)).collect::<Result<_>>()?,
            None => {
                header.start.iter().map(|start| Tensor::full(&[rows], Float64, *start)).collect::<Result<Vec<_>>>()?
            }
        };
        Ok(Self { binned: binned(table, &header.inputs, ends)?, targets, scores })
    }

    fn add(&mut self, output: usize, growth: &Growth, tree: &Tree) -> Result<()> {
        self.scores[output] = (&self.scores[output] + &growth.values(&tree.values())?)?;
        Ok(())
    }

    /// Adds a tree that was grown already.
    fn follow(&mut self, output: usize, plan: &Plan, tree: &Tree) -> Result<()> {
        let growth = Growth::follow(&self.binned)?;
        for (node, split) in tree.in_order() {
            growth.split(node as u32, split.feature as u32, &plan.bins_of(split))?;
        }
        self.add(output, &growth, tree)
    }
}

impl Boosting<'_> {
    pub(crate) fn run(mut self) -> Result<Boosted> {
        let outputs = self.header.objective.outputs();
        let begun = self.header.objective.loss(&self.learning.scores, &self.learning.targets)?;
        finite::check(&format!("the loss of the label `{}` before the first tree", self.header.label), begun)?;
        report::metric("loss", begun, 0);
        let known = self.saved()?;
        let (mut trees, mut best): (Vec<Tree>, Option<Best>) = (Vec::new(), None);
        let mut rounds = 0;
        while rounds < self.params.trees {
            let place = rounds as usize * outputs;
            let grown = match known.get(place..place + outputs) {
                Some(known) => self.follow(known)?,
                None => self.grow(rounds)?,
            };
            let barren = grown.iter().all(|tree| tree.splits().next().is_none());
            trees.extend(grown);
            rounds += 1;
            if place >= known.len() && rounds.is_multiple_of(self.params.checkpoint_every) {
                save(&trees)?;
            }
            if self.stops(rounds, &mut best)? || barren && self.every_round_is_alike() {
                break;
            }
        }
        self.ended(trees, rounds, best)
    }

    /// Whether nothing but the trees before changes a round.
    fn every_round_is_alike(&self) -> bool {
        self.params.row_share >= 1.0 && self.params.feature_share >= 1.0
    }

    /// Keeps the best, or everything, and says how well it does.
    fn ended(self, mut trees: Vec<Tree>, rounds: u64, best: Option<Best>) -> Result<Boosted> {
        let loss = self.header.objective.loss(&self.learning.scores, &self.learning.targets)?;
        let judged = self.judged.as_ref();
        let validation_loss = judged.map(|side| self.header.objective.loss(&side.scores, &side.targets)).transpose()?;
        if !watched(rounds) {
            report::progress(rounds, Some(self.params.trees));
            report::metric("loss", loss, rounds);
            let untold = validation_loss.filter(|_| self.params.early_stopping.is_none());
            untold.into_iter().for_each(|loss| report::metric("validation_loss", loss, rounds));
        }
        let last = (rounds, loss, validation_loss);
        let (kept, loss, validation_loss) =
            best.map_or(last, |best| (best.rounds, best.loss, Some(best.validation_loss)));
        trees.truncate(kept as usize * self.header.objective.outputs());
        let mut measures = vec![("rounds".to_string(), kept as f64), ("final_loss".to_string(), loss)];
        measures.extend(validation_loss.map(|loss| ("validation_loss".to_string(), loss)));
        finite::check_measures(&measures)?;
        Ok(Boosted { trees, measures })
    }

    /// Trees of an interrupted attempt, of whole rounds.
    fn saved(&self) -> Result<Vec<Tree>> {
        let Some(saved) = checkpoint::load() else { return Ok(Vec::new()) };
        let trees: Vec<Tree> = serde_json::from_slice(&saved)
            .map_err(|error| Error::permanent(format!("expected this plugin's checkpoint, got another: {error}")))?;
        let checked = |tree: Tree| tree.checked("checkpoint", self.header.inputs.len());
        let trees: Vec<Tree> = trees.into_iter().map(checked).collect::<Result<_>>()?;
        report::info(format!("goes on after {} rounds", trees.len() / self.header.objective.outputs()));
        Ok(trees)
    }

    fn follow(&mut self, trees: &[Tree]) -> Result<Vec<Tree>> {
        for (output, tree) in trees.iter().enumerate() {
            self.learning.follow(output, &self.plan, tree)?;
            if let Some(judged) = &mut self.judged {
                judged.follow(output, &self.plan, tree)?;
            }
        }
        Ok(trees.to_vec())
    }

    /// Grows the trees of a round, one for each score, all from the scores before it.
    fn grow(&mut self, round: u64) -> Result<Vec<Tree>> {
        let slopes = self.header.objective.slopes(&self.learning.scores, &self.learning.targets)?;
        let taken = self.taken(round)?;
        let mut trees = Vec::new();
        for (output, Slopes { gradients, hessians }) in slopes.iter().enumerate() {
            let growth = Growth::learn(&self.learning.binned, gradients, hessians, taken.as_ref())
                .map_err(|error| of_label(error, &self.header.label))?;
            let mut tree = grow(&self.plan, &growth, &self.features(round, output))?;
            if let Some(quantile) = self.header.objective.renewed() {
                self.renew(&mut tree, &growth, quantile, taken.as_ref())?;
            }
            self.learning.add(output, &growth, &tree)?;
            if let Some(judged) = &mut self.judged {
                judged.follow(output, &self.plan, &tree)?;
            }
            trees.push(tree);
        }
        Ok(trees)
    }

    /// 1 at the rows that a round learns from; none where that is all.
    fn taken(&self, round: u64) -> Result<Option<Tensor>> {
        if self.params.row_share >= 1.0 {
            return Ok(None);
        }
        let seed = Rng::from_seed(self.seed).fork(&format!("rows {round}")).next_u64();
        let share = Tensor::full(&[], Float64, self.params.row_share)?;
        let shape = [self.learning.targets.numbers.len() as u32];
        Tensor::uniform(&shape, Float64, seed)?.compare(Comparison::Lt, &share).map(Some)
    }

    /// The features that a tree is split by, rising.
    fn features(&self, round: u64, output: usize) -> Vec<usize> {
        let mut features: Vec<usize> = (0..self.header.inputs.len()).collect();
        if self.params.feature_share < 1.0 {
            Rng::from_seed(self.seed).fork(&format!("features {round} {output}")).shuffle(&mut features);
            features.truncate((features.len() as f64 * self.params.feature_share).ceil() as usize);
            features.sort_unstable();
        }
        features
    }

    /// Gives each leaf a quantile of what its rows lack: of these losses the sums of gradients say only the direction.
    fn renew(&self, tree: &mut Tree, growth: &Growth, quantile: f64, taken: Option<&Tensor>) -> Result<()> {
        let places: Vec<f64> = (0..tree.0.len()).map(|node| node as f64).collect();
        let leaves = growth.values(&places)?.to_f64()?;
        let scores = self.learning.scores[0].to_f64()?;
        let taken = taken.map(Tensor::to_f64).transpose()?;
        let Targets { numbers, weights, .. } = &self.learning.targets;
        let mut lacking = vec![Vec::new(); tree.0.len()];
        for (row, leaf) in leaves.into_iter().enumerate() {
            if taken.as_ref().is_none_or(|taken| taken[row] != 0.0) {
                let weight = weights.as_ref().map_or(1.0, |weights| weights[row]);
                lacking[leaf as usize].push((numbers[row] - scores[row], weight));
            }
        }
        for (node, lacking) in tree.0.iter_mut().zip(&mut lacking) {
            if let Node::Leaf(value) = node {
                *value = self.plan.learning_rate * weighted_quantile(lacking, quantile);
            }
        }
        Ok(())
    }

    /// Says how it goes, and whether the validation rows have had enough.
    fn stops(&self, rounds: u64, best: &mut Option<Best>) -> Result<bool> {
        let watched = watched(rounds);
        let loss = |side: &Side| self.header.objective.loss(&side.scores, &side.targets);
        if watched {
            report::progress(rounds, Some(self.params.trees));
            report::metric("loss", loss(&self.learning)?, rounds);
        }
        let Some(judged) = self.judged.as_ref().filter(|_| watched || self.params.early_stopping.is_some()) else {
            return Ok(false);
        };
        let validation_loss = loss(judged)?;
        report::metric("validation_loss", validation_loss, rounds);
        let Some(patience) = self.params.early_stopping else { return Ok(false) };
        if best.is_none_or(|best| validation_loss < best.validation_loss) {
            *best = Some(Best { rounds, loss: loss(&self.learning)?, validation_loss });
        }
        Ok(best.is_some_and(|best| rounds - best.rounds >= patience))
    }
}

/// Whether the losses are told after so many rounds; after the last they are in any case.
fn watched(rounds: u64) -> bool {
    rounds == 1 || rounds.is_multiple_of(WATCH_EVERY)
}

/// Gradients say how far the label is from what is predicted so far: too large ones are the label's.
fn of_label(error: Error, label: &str) -> Error {
    match error {
        Error::InvalidInput(wrong) if wrong.name == "gradients" => Error::invalid(
            label,
            "expected a label within 1e100 of its predictions, times the row's weight, got one beyond it; scale the label first",
        ),
        other => other,
    }
}

/// Leaves the trees for the next attempt, should this one be interrupted. More than fits is not worth failing for.
fn save(trees: &[Tree]) -> Result<()> {
    let state = serde_json::to_vec(trees).map_err(|error| Error::permanent(error.to_string()))?;
    match checkpoint::save(&state) {
        Err(Error::BudgetExceeded(budget)) if budget.kind == "checkpoint" => {
            report::warn(format!("the trees so far are {} bytes, too many for a checkpoint", budget.used));
            Ok(())
        }
        saved => saved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_that_are_too_large_are_told_of_the_label() {
        let told = of_label(Error::invalid("gradients", "hold a number beyond 1e100"), "price");
        assert!(matches!(&told, Error::InvalidInput(wrong) if wrong.name == "price"), "{told:?}");
        let other = Error::invalid("hessians", "hold a number below zero");
        assert_eq!(of_label(other.clone(), "price"), other);
    }
}

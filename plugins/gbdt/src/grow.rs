//! Gradients of rows -> a tree, leaf by leaf: the leaf whose split gains most is split next, as in LightGBM.

use crate::split::{Bounds, Kind, Left, Node as Sought, Rules, Split};
use crate::sums::{Sums, decode};
use crate::tree::{self, Node, Test, Tree};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use stepwell::trees::Growth;
use stepwell::{Error, Result};

/// What stays the same from tree to tree.
pub(crate) struct Plan {
    pub(crate) rules: Rules,
    pub(crate) max_leaves: usize,
    pub(crate) max_depth: Option<u32>,
    pub(crate) learning_rate: f64,
    pub(crate) kinds: Vec<Kind>,
    /// Where each feature's bins end; its bins are one more, and one for what is missing.
    pub(crate) ends: Vec<Vec<f64>>,
}

/// A leaf, and the best split of it.
struct Leaf {
    sums: Sums,
    bounds: Bounds,
    depth: u32,
    split: Option<Split>,
}

/// A tree that is being grown.
struct Grower<'a> {
    plan: &'a Plan,
    growth: &'a Growth,
    /// The features to be split by.
    features: &'a [usize],
    /// Where each feature's bins begin in a histogram.
    starts: Vec<usize>,
    nodes: Vec<Node>,
    leaves: Vec<Option<Leaf>>,
    /// Leaves that can be split: bits of the gain, which is positive, then the node.
    queue: BinaryHeap<(u64, Reverse<usize>)>,
}

impl Plan {
    /// The bins of a feature that a test sends left.
    pub(crate) fn bins_of(&self, split: &tree::Split) -> Vec<u8> {
        let ends = self.ends.get(split.feature).map_or(&[][..], Vec::as_slice);
        let missing = split.missing_left.then_some(ends.len() as u8 + 1);
        let values: Vec<u8> = match &split.goes_left {
            Test::AtMost(threshold) => (0..=ends.partition_point(|end| end < threshold) as u8).collect(),
            Test::Any => (0..=ends.len() as u8).collect(),
            Test::Among(categories) => categories.iter().map(|category| *category as u8).collect(),
        };
        values.into_iter().chain(missing).collect()
    }

    /// A bin-wise split as one of values, with the nodes it leads to.
    fn by_value(&self, split: &Split, children: [usize; 2]) -> tree::Split {
        let ends = &self.ends[split.feature];
        let missing_bin = ends.len() + 1;
        let (goes_left, missing_left) = match &split.left {
            Left::UpTo { bin, missing } => (ends.get(*bin).map_or(Test::Any, |end| Test::AtMost(*end)), *missing),
            Left::Among(bins) => {
                let mut categories: Vec<usize> = bins.iter().copied().filter(|bin| *bin != missing_bin).collect();
                categories.sort_unstable();
                (Test::Among(categories), bins.contains(&missing_bin))
            }
        };
        tree::Split { feature: split.feature, goes_left, missing_left, children, gain: split.gain }
    }
}

/// Grows a tree from its root. Only the features named are split by.
pub(crate) fn grow(plan: &Plan, growth: &Growth, features: &[usize]) -> Result<Tree> {
    let starts = plan.ends.iter().scan(0, |next, ends| Some(std::mem::replace(next, *next + ends.len() + 2))).collect();
    let (nodes, leaves, queue) = (Vec::new(), Vec::new(), BinaryHeap::new());
    let mut grower = Grower { plan, growth, features, starts, nodes, leaves, queue };
    grower.root()?;
    let mut count = 1;
    while count < plan.max_leaves
        && let Some((_, Reverse(node))) = grower.queue.pop()
    {
        count += 1;
        grower.split(node, count < plan.max_leaves)?;
    }
    Ok(Tree(grower.nodes))
}

impl Grower<'_> {
    fn root(&mut self) -> Result<()> {
        let bins = decode(&self.growth.histogram(0)?);
        // The bins of one feature hold every row.
        let first = self.plan.ends.first().map_or(0, |ends| ends.len() + 2);
        let sums: Sums = bins.iter().take(first).copied().sum();
        let value = crate::split::value(sums, self.plan.rules.l2, Bounds::NONE);
        self.add(Leaf { sums, bounds: Bounds::NONE, depth: 0, split: None }, value);
        self.seek(0, &bins);
        Ok(())
    }

    fn add(&mut self, leaf: Leaf, value: f64) {
        self.nodes.push(Node::Leaf(value * self.plan.learning_rate));
        self.leaves.push(Some(leaf));
    }

    /// Splits a leaf as was found best, and finds the best splits of its children if there may be more.
    fn split(&mut self, node: usize, more: bool) -> Result<()> {
        let Some(Leaf { bounds, depth, split: Some(split), .. }) = self.leaves[node].take() else { return Ok(()) };
        let children = [self.nodes.len(), self.nodes.len() + 1];
        let by_value = self.plan.by_value(&split, children);
        let (first, second) = self.growth.split(node as u32, split.feature as u32, &self.plan.bins_of(&by_value))?;
        if [first as usize, second as usize] != children {
            return Err(Error::permanent(format!(
                "expected the nodes {children:?} from the host, got {first}, {second}"
            )));
        }
        self.nodes[node] = Node::Split(by_value);
        for (side, bounds) in self.bounds_below(&split, bounds).into_iter().enumerate() {
            self.add(Leaf { sums: split.sides[side], bounds, depth: depth + 1, split: None }, split.values[side]);
        }
        for child in children.into_iter().filter(|_| more) {
            if self.may_be_split(child) {
                let bins = decode(&self.growth.histogram(child as u32)?);
                self.seek(child, &bins);
            }
        }
        Ok(())
    }

    /// Below a monotone split neither side may pass the middle between their values.
    fn bounds_below(&self, split: &Split, bounds: Bounds) -> [Bounds; 2] {
        let middle = split.values[0] / 2.0 + split.values[1] / 2.0;
        let (below, above) = (Bounds { high: middle, ..bounds }, Bounds { low: middle, ..bounds });
        match self.plan.kinds[split.feature] {
            Kind::Ordered { monotone: 1 } => [below, above],
            Kind::Ordered { monotone: -1 } => [above, below],
            _ => [bounds; 2],
        }
    }

    fn may_be_split(&self, node: usize) -> bool {
        let deep = |leaf: &Leaf| self.plan.max_depth.is_some_and(|depth| leaf.depth >= depth);
        let few = |leaf: &Leaf| leaf.sums.rows < 2 * self.plan.rules.min_child_samples.max(1);
        self.leaves[node].as_ref().is_some_and(|leaf| !deep(leaf) && !few(leaf))
    }

    /// Finds the best split of a leaf, if there is any.
    fn seek(&mut self, node: usize, bins: &[Sums]) {
        if !self.may_be_split(node) {
            return;
        }
        let Some(leaf) = &mut self.leaves[node] else { return };
        let sought = Sought { total: leaf.sums, bounds: leaf.bounds, rules: &self.plan.rules };
        for &feature in self.features {
            let bins = &bins[self.starts[feature]..][..self.plan.ends[feature].len() + 2];
            let least = leaf.split.as_ref().map_or(0.0, |split| split.gain);
            let found = sought.best(feature, self.plan.kinds[feature], bins, least);
            leaf.split = found.or(leaf.split.take());
        }
        if let Some(split) = &leaf.split {
            self.queue.push((split.gain.to_bits(), Reverse(node)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(kinds: Vec<Kind>) -> Plan {
        let rules = crate::params::Params::default().rules();
        let ends = vec![vec![0.5, 1.5, 2.5]; kinds.len()];
        Plan { rules, max_leaves: 31, max_depth: None, learning_rate: 0.1, kinds, ends }
    }

    #[test]
    fn a_split_by_value_sends_the_same_bins_left() {
        let plan = plan(vec![Kind::Categories, Kind::Ordered { monotone: 0 }]);
        let (sides, values) = ([Sums::default(); 2], [0.0; 2]);
        for (feature, left, bins) in [
            (1, Left::UpTo { bin: 0, missing: false }, vec![0]),
            (1, Left::UpTo { bin: 2, missing: true }, vec![0, 1, 2, 4]),
            (1, Left::UpTo { bin: 3, missing: false }, vec![0, 1, 2, 3]),
            (0, Left::Among(vec![4, 3, 1]), vec![1, 3, 4]),
            (0, Left::Among(vec![2]), vec![2]),
        ] {
            let split = Split { feature, left: left.clone(), gain: 1.0, sides, values };
            assert_eq!(plan.bins_of(&plan.by_value(&split, [1, 2])), bins, "{left:?}");
        }
    }
}

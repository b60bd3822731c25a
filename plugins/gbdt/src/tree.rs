//! One tree: what a row's values lead to.

use serde::{Deserialize, Serialize};
use stepwell::{Error, Result};

/// Nodes in the order in which they came to be, the root first; children stand behind their parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tree(pub(crate) Vec<Node>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Node {
    /// What is added to the score.
    Leaf(f64),
    Split(Split),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Split {
    /// Its place among the model's.
    pub(crate) feature: usize,
    pub(crate) goes_left: Test,
    pub(crate) missing_left: bool,
    pub(crate) children: [usize; 2],
    pub(crate) gain: f64,
}

/// Which values go left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Test {
    AtMost(f64),
    /// Every value, apart from what is missing.
    Any,
    /// Categories, by their places in the feature's list.
    Among(Vec<usize>),
}

impl Split {
    /// Whether a value goes left; not-a-number is missing.
    fn takes(&self, value: f64) -> bool {
        if value.is_nan() {
            return self.missing_left;
        }
        match &self.goes_left {
            Test::AtMost(threshold) => value <= *threshold,
            Test::Any => true,
            Test::Among(categories) => categories.iter().any(|category| *category as f64 == value),
        }
    }
}

impl Tree {
    /// What a row adds to the score; `value` gives its value of a feature.
    pub(crate) fn value(&self, value: impl Fn(usize) -> f64) -> f64 {
        let mut at = 0;
        loop {
            match self.0.get(at) {
                Some(Node::Split(split)) => at = split.children[usize::from(!split.takes(value(split.feature)))],
                Some(Node::Leaf(value)) => return *value,
                // No such node: see `checked`.
                None => return 0.0,
            }
        }
    }

    /// The same tree, if a walk from its root always ends in a leaf.
    pub(crate) fn checked(self, file: &str, features: usize) -> Result<Self> {
        let leads_on = |(at, node): (usize, &Node)| match node {
            Node::Leaf(value) => value.is_finite(),
            Node::Split(split) => {
                split.feature < features && split.children.iter().all(|child| (at + 1..self.0.len()).contains(child))
            }
        };
        match !self.0.is_empty() && self.0.iter().enumerate().all(leads_on) {
            true => Ok(self),
            false => Err(Error::invalid(file, "expected trees whose every walk ends in a leaf, got another")),
        }
    }

    pub(crate) fn splits(&self) -> impl Iterator<Item = (usize, &Split)> {
        self.0.iter().enumerate().filter_map(|(at, node)| match node {
            Node::Split(split) => Some((at, split)),
            Node::Leaf(_) => None,
        })
    }

    /// The splits in the order in which they were made: nodes are numbered by it.
    pub(crate) fn in_order(&self) -> Vec<(usize, &Split)> {
        let mut splits: Vec<_> = self.splits().collect();
        splits.sort_by_key(|(_, split)| split.children[0]);
        splits
    }

    /// For each node its value; 0 where it is split.
    pub(crate) fn values(&self) -> Vec<f64> {
        let value = |node: &Node| match node {
            Node::Leaf(value) => *value,
            Node::Split(_) => 0.0,
        };
        self.0.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(goes_left: Test, missing_left: bool, children: [usize; 2]) -> Node {
        Node::Split(Split { feature: 0, goes_left, missing_left, children, gain: 1.0 })
    }

    fn tree() -> Tree {
        let nodes = vec![
            split(Test::AtMost(1.0), true, [1, 2]),
            Node::Leaf(-1.0),
            split(Test::Among(vec![2, 5]), false, [3, 4]),
            Node::Leaf(2.0),
            Node::Leaf(3.0),
        ];
        Tree(nodes)
    }

    #[test]
    fn a_row_ends_where_its_values_lead() {
        for (value, expected) in [(1.0, -1.0), (f64::NAN, -1.0), (2.0, 2.0), (5.0, 2.0), (3.0, 3.0)] {
            assert_eq!(tree().value(|_| value), expected, "{value}");
        }
        let any = Tree(vec![split(Test::Any, false, [1, 2]), Node::Leaf(1.0), Node::Leaf(2.0)]);
        assert_eq!((any.value(|_| f64::INFINITY), any.value(|_| f64::NAN)), (1.0, 2.0));
    }

    #[test]
    fn a_tree_without_an_end_is_refused() {
        assert!(tree().checked("t", 1).is_ok());
        assert!(tree().checked("t", 0).is_err(), "no such feature");
        for children in [[0, 1], [1, 5], [1, usize::MAX]] {
            let mut tree = tree();
            tree.0[0] = split(Test::Any, false, children);
            assert!(tree.checked("t", 1).is_err(), "{children:?}");
        }
        assert!(Tree::default().checked("t", 1).is_err());
    }
}

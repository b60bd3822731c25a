//! A tree that is being grown: which rows are in which node, and the sums of each node that is asked for.

use crate::fixed::Fixed;
use crate::histogram::Histogram;
use crate::partition::partition;
use crate::{Binned, Error};
use rayon::prelude::*;

/// The most nodes of a tree.
pub const NODES_MAX: usize = 1 << 17;

/// Rows whose values are written by one thread.
const BLOCK_ROWS: usize = 16_384;

/// All rows in the nodes of one tree. Nodes are numbered as they come to be, the root 0.
#[derive(Debug)]
pub struct Growth {
    binned: Binned,
    /// None where the rows only follow the splits.
    gradients: Option<Fixed>,
    /// The rows that count, then those that only follow; those of a node stand together in either part, rising.
    rows: Vec<u32>,
    spare: Vec<u32>,
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Places in `rows`.
    counted: Span,
    following: Span,
    parent: Option<usize>,
    children: Option<(usize, usize)>,
    /// Kept from when it is asked for until both children have theirs.
    histogram: Option<Histogram>,
}

type Span = std::ops::Range<usize>;

impl Growth {
    /// A root to be split by the sums of these gradients and hessians, a number a row. A row at which `taken` is 0 only follows.
    pub fn learn(binned: &Binned, gradients: &[f64], hessians: &[f64], taken: Option<&[f64]>) -> Result<Self, Error> {
        for (name, values) in [("gradients", Some(gradients)), ("hessians", Some(hessians)), ("taken", taken)] {
            let Some(values) = values.filter(|values| values.len() != binned.rows()) else { continue };
            let (got, expected) = (values.len(), binned.rows());
            return Err(Error::new(name, format!("are {got} numbers, expected {expected}, one a row")));
        }
        let fixed = Fixed::of(gradients, hessians)?;
        Ok(Self::root(binned, Some(fixed), taken))
    }

    /// A root whose rows only follow the splits: rows that one wants the tree's answers for.
    pub fn follow(binned: &Binned) -> Self {
        Self::root(binned, None, None)
    }

    fn root(binned: &Binned, gradients: Option<Fixed>, taken: Option<&[f64]>) -> Self {
        let count = binned.rows();
        let mut rows: Vec<u32> = (0..count as u32).collect();
        let mut spare = vec![0; count];
        let counted = match taken {
            None => count,
            Some(taken) => partition(&mut rows, &mut spare, |row| taken[row as usize] != 0.0),
        };
        let root = Node { counted: 0..counted, following: counted..count, ..Node::default() };
        Self { binned: binned.clone(), gradients, rows, spare, nodes: vec![root] }
    }

    fn node(&self, node: u32) -> Result<usize, Error> {
        match self.nodes.get(node as usize) {
            Some(Node { children: None, .. }) => Ok(node as usize),
            Some(_) => Err(Error::new("node", format!("{node} is split already"))),
            None => Err(Error::new("node", format!("{node} is not one of the {} there are", self.nodes.len()))),
        }
    }

    /// The sums of a leaf's counted rows, [`BIN_BYTES`](crate::BIN_BYTES) a bin, the bins of each column one after the other.
    pub fn histogram(&mut self, node: u32) -> Result<Vec<u8>, Error> {
        let node = self.node(node)?;
        let Some(scale) = self.gradients.as_ref().map(|fixed| fixed.scale) else {
            return Err(Error::new("node", "has rows without gradients, which only follow"));
        };
        if self.nodes[node].histogram.is_none() {
            self.sum(node);
        }
        let histogram = self.nodes[node].histogram.as_ref();
        Ok(histogram.map_or_else(Vec::new, |histogram| histogram.to_bytes(self.binned.bins(), scale)))
    }

    /// Sums a node, and its sibling with it where the parent's sums make one of the two free.
    fn sum(&mut self, node: usize) {
        let parent = self.nodes[node].parent;
        let kept = parent.and_then(|parent| Some((self.nodes[parent].children?, self.nodes[parent].histogram.take()?)));
        let Some(((left, right), whole)) = kept else {
            self.nodes[node].histogram = Some(self.summed(node));
            return;
        };
        let rows = |node: usize| self.nodes[node].counted.len();
        let (few, many) = if rows(left) <= rows(right) { (left, right) } else { (right, left) };
        let part = self.summed(few);
        // A sibling that is a parent by now has no more use for its sums.
        self.nodes[many].histogram = Some(whole.without(&part));
        self.nodes[few].histogram = Some(part);
    }

    fn summed(&self, node: usize) -> Histogram {
        let rows = &self.rows[self.nodes[node].counted.clone()];
        let (pairs, scale) = match &self.gradients {
            Some(fixed) => (fixed.pairs.as_slice(), fixed.scale),
            None => unreachable!("only `histogram` sums, which has looked"),
        };
        Histogram::of(&self.binned, rows, pairs, scale)
    }

    /// Splits a leaf in two: rows whose bin of a feature is among `left` go to the first of the new nodes. Gives their numbers.
    pub fn split(&mut self, node: u32, feature: u32, left: &[u8]) -> Result<(u32, u32), Error> {
        let parent = self.node(node)?;
        if self.nodes.len() + 2 > NODES_MAX {
            return Err(Error::new("node", format!("would have children beyond the {NODES_MAX} nodes of a tree")));
        }
        // A handle of its own: the rows change while the codes are read.
        let binned = self.binned.clone();
        let Some(codes) = binned.column(feature as usize) else {
            let count = binned.features();
            return Err(Error::new("feature", format!("{feature} is not one of the {count} there are")));
        };
        let mut to_left = [false; 256];
        left.iter().for_each(|code| to_left[usize::from(*code)] = true);
        let Node { counted, following, .. } = &self.nodes[parent];
        let (counted, following) = (counted.clone(), following.clone());
        let (counted_left, counted_right) = self.divide(counted, codes, &to_left);
        let (following_left, following_right) = self.divide(following, codes, &to_left);
        let first = self.nodes.len();
        let child = |counted, following| Node { counted, following, parent: Some(parent), ..Node::default() };
        self.nodes.push(child(counted_left, following_left));
        self.nodes.push(child(counted_right, following_right));
        self.nodes[parent].children = Some((first, first + 1));
        Ok((first as u32, first as u32 + 1))
    }

    fn divide(&mut self, span: Span, codes: &[u8], to_left: &[bool; 256]) -> (Span, Span) {
        let goes_left = |row: u32| to_left[usize::from(codes[row as usize])];
        let left = partition(&mut self.rows[span.clone()], &mut self.spare[span.clone()], goes_left);
        (span.start..span.start + left, span.start + left..span.end)
    }

    /// For each row the value of the leaf it is in; `of_nodes` has one for every node.
    pub fn values(&self, of_nodes: &[f64]) -> Result<Vec<f64>, Error> {
        if of_nodes.len() != self.nodes.len() {
            let (got, expected) = (of_nodes.len(), self.nodes.len());
            return Err(Error::new("of-nodes", format!("are {got} numbers, expected {expected}, one a node")));
        }
        let leaves = self.nodes.iter().zip(of_nodes).filter(|(node, _)| node.children.is_none());
        let leaves: Vec<(&[u32], f64)> = leaves
            .flat_map(|(node, value)| [&node.counted, &node.following].map(|span| (&self.rows[span.clone()], *value)))
            .filter(|(rows, _)| !rows.is_empty())
            .collect();
        let mut values = vec![0.0; self.rows.len()];
        let write = |(block, values): (usize, &mut [f64])| {
            let start = (block * BLOCK_ROWS) as u32;
            let length = values.len() as u32;
            for (rows, value) in &leaves {
                let rows = &rows[rows.partition_point(|row| *row < start)..];
                for row in rows.iter().take_while(|row| **row - start < length) {
                    values[(row - start) as usize] = *value;
                }
            }
        };
        match values.len() <= BLOCK_ROWS {
            true => write((0, &mut values)),
            false => values.par_chunks_mut(BLOCK_ROWS).enumerate().for_each(write),
        }
        Ok(values)
    }
}

//! What a tensor remembers of its making -> gradients. A node has an edge to each operand that needs a gradient, and each
//! edge carries the function that turns the gradient of the result into that of the operand.
//!
//! Nothing here recurses, neither the way back nor the drop of a long chain: a guest chooses the depth.

use crate::array::{Elements, array, by_real, zip};
use crate::lanes;
use crate::native::{Array, Native};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Gradient of the result -> gradient of one operand, of the operand's shape and type.
pub(crate) type Pull = Box<dyn Fn(&Array) -> Native<Array> + Send + Sync>;

/// A function as a [`Pull`].
pub(crate) fn pull(function: impl Fn(&Array) -> Native<Array> + Send + Sync + 'static) -> Pull {
    Box::new(function)
}

/// The pull of an operand that the result does not depend on, at least nowhere by more than zero.
pub(crate) fn no_pull(operand: &Array) -> Pull {
    // Shape and type only: the operand itself may be dropped meanwhile.
    let (shape, dtype) = (operand.dims().to_vec(), operand.dtype());
    pull(move |gradient| Array::zeros(&gradient.device(), &shape, dtype))
}

/// One operation that happened, or a variable (no edges).
pub(crate) struct Node {
    /// Grows with time, so a result's number is above its operands'.
    id: u64,
    edges: Vec<Edge>,
}

struct Edge {
    to: Arc<Node>,
    pull: Pull,
}

impl Node {
    fn new(edges: Vec<Edge>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), edges })
    }

    /// Where gradients end.
    pub(crate) fn leaf() -> Arc<Self> {
        Self::new(Vec::new())
    }

    /// Of a result; none if no operand needs a gradient.
    pub(crate) fn of_result(operands: Vec<(Option<Arc<Node>>, Pull)>) -> Option<Arc<Self>> {
        let edges: Vec<_> = operands.into_iter().filter_map(|(to, pull)| to.map(|to| Edge { to, pull })).collect();
        (!edges.is_empty()).then(|| Self::new(edges))
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The derived drop would recurse through `to` once an operation.
        let mut edges = std::mem::take(&mut self.edges);
        while let Some(edge) = edges.pop() {
            if let Some(mut orphan) = Arc::into_inner(edge.to) {
                edges.append(&mut orphan.edges);
            }
        }
    }
}

/// The gradients of the leaves that a result depends on, by the leaf's number. `seed` is the gradient of the result.
pub(crate) fn backward(result: &Arc<Node>, seed: Array) -> Native<HashMap<u64, Array>> {
    let mut leaves = HashMap::new();
    // The highest number first: all results of a node are done before the node itself. The order is always the same,
    // so sums have the same rounding.
    let mut pending = BTreeMap::from([(result.id, (Arc::clone(result), seed))]);
    while let Some((id, (node, gradient))) = pending.pop_last() {
        if node.edges.is_empty() {
            leaves.insert(id, gradient);
            continue;
        }
        for edge in &node.edges {
            let share = (edge.pull)(&gradient)?;
            let sum = match pending.remove(&edge.to.id) {
                Some((_, sum)) => add(&sum, &share)?,
                None => share,
            };
            pending.insert(edge.to.id, (Arc::clone(&edge.to), sum));
        }
    }
    Ok(leaves)
}

fn add(left: &Array, right: &Array) -> Native<Array> {
    if left.elem_count() == 0 {
        return Ok(left.clone());
    }
    if left.is_beside() {
        return left.plus(right);
    }
    let (left, right) = (left.contiguous()?, right.contiguous()?);
    by_real!(left, T => {
        array(zip(&Elements::<T>::of(&left)?, &Elements::<T>::of(&right)?, |left, right| left + right), left.dims())
    })
}

/// A gradient of a broadcast result as that of an operand of this shape: summed over what was repeated.
pub(crate) fn sum_to(gradient: &Array, shape: &[usize]) -> Native<Array> {
    if gradient.dims() == shape {
        return Ok(gradient.clone());
    }
    let added = gradient.rank() - shape.len();
    // The dimensions that were put in front are one sum over rows.
    let mut sum = match added {
        0 => gradient.clone(),
        _ => lanes::sum(
            &gradient.reshape([&[gradient.dims()[..added].iter().product()], &gradient.dims()[added..]].concat())?,
            0,
        )?,
    };
    let mut kept = sum.dims().to_vec();
    if added > 0 {
        kept.remove(0);
        sum = sum.reshape(kept.as_slice())?;
    }
    for dimension in 0..shape.len() {
        if shape[dimension] == 1 && kept[dimension] != 1 {
            sum = lanes::sum(&sum, dimension)?;
        }
    }
    Ok(sum)
}

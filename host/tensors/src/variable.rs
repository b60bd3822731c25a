//! A tensor that changes, and a loss -> its gradient by each variable.

use crate::graph::{Node, backward};
use crate::native::Array;
use crate::{Error, Tensor};
use std::sync::{Arc, Mutex, PoisonError};

/// The longest name of a variable, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A tensor that an optimiser changes. Clones are the same variable.
#[derive(Clone)]
pub struct Variable(Arc<State>);

struct State {
    name: String,
    node: Arc<Node>,
    /// Replaced, never written to: what was computed from an earlier value keeps that.
    value: Mutex<Array>,
}

impl Variable {
    /// `name` is what errors call it. Gradients end here, also where `initial` has one.
    pub fn create(name: &str, initial: &Tensor) -> Result<Self, Error> {
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
            return Err(Error::invalid("name", format!("has {} bytes, expected 1 to {NAME_BYTES_MAX}", name.len())));
        }
        initial.expect_real("initial")?;
        let value = Mutex::new(initial.value.contiguous()?);
        Ok(Self(Arc::new(State { name: name.to_owned(), node: Node::leaf(), value })))
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The current value, as a tensor that gradients flow through.
    pub fn value(&self) -> Tensor {
        Tensor { value: self.array(), node: Some(Arc::clone(&self.0.node)) }
    }

    /// Bytes that the value takes.
    pub fn bytes(&self) -> u64 {
        self.value().bytes()
    }

    /// Of the same shape and type. What was computed before keeps the earlier value.
    pub fn set(&self, value: &Tensor) -> Result<(), Error> {
        let current = self.value();
        value.expect_type("value", current.element_type())?;
        if value.dims() != current.dims() {
            let expected = format!("{:?} of variable `{}`", current.dims(), self.name());
            return Err(Error::Shape { operation: "set", expected, got: format!("{:?}", value.dims()) });
        }
        self.replace(value.value.contiguous()?);
        Ok(())
    }

    pub(crate) fn array(&self) -> Array {
        self.0.value.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn replace(&self, value: Array) {
        *self.0.value.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Variable(`{}` {:?})", self.name(), self.value())
    }
}

/// The gradient of a loss of one element by each variable, in their order. A variable that the loss does not reach is an
/// error that names it.
pub fn gradients(loss: &Tensor, variables: &[&Variable]) -> Result<Vec<Tensor>, Error> {
    gradients_of("gradients", loss, variables)
}

/// The same for an operation of another name.
pub(crate) fn gradients_of(
    operation: &'static str,
    loss: &Tensor,
    variables: &[&Variable],
) -> Result<Vec<Tensor>, Error> {
    loss.expect_one(operation)?;
    let Some(first) = variables.first() else {
        return Err(Error::invalid("variables", "is empty, expected at least one variable"));
    };
    let node = loss.node.as_ref().ok_or_else(|| unreached(first))?;
    let leaves = backward(node, loss.value.ones_like()?)?;
    let gradient = |variable: &&Variable| match leaves.get(&variable.0.node.id()) {
        Some(gradient) => Ok(Tensor::constant(gradient.contiguous()?)),
        None => Err(unreached(variable)),
    };
    variables.iter().map(gradient).collect()
}

fn unreached(variable: &Variable) -> Error {
    Error::invalid(variable.name(), "has no gradient, the loss does not depend on it")
}

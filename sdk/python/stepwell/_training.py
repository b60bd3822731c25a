"""Gradients and what uses them: variables, optimisers, losses, learning rates. Use it as `stepwell.tensor`."""

from . import _wit
from ._tensor import Tensor, wrap, wrap_as


class Variable:
    """A tensor that an optimiser changes; `name` is what errors call it. What is computed from `value()` remembers
    how."""

    __slots__ = ("name", "_handle")

    def __init__(self, name, initial):
        self.name = name
        self._handle = _wit.call(_wit.need("training").Variable.create, name, initial)

    def __repr__(self):
        return f"Variable({self.name!r})"

    def value(self):
        """The current value, as a tensor that gradients flow through."""
        return wrap(self._handle.value)

    def set(self, value):
        """Replaces the value."""
        _wit.call(self._handle.set, value)


class Optimiser:
    """Steps variables down the gradient of a loss. Made by `sgd` and `adamw`."""

    __slots__ = ("_handle",)

    def __init__(self, method, variables):
        self._handle = _wit.call(_wit.need("training").Optimiser.create, method, variables)

    def step(self, loss, learning_rate, clip_norm=None):
        """One step back from a loss of one element; returns the norm of all gradients together, before clipping."""
        return _wit.call(self._handle.step, loss, learning_rate, clip_norm)

    def apply(self, gradients, learning_rate, clip_norm=None):
        """As `step`, with gradients that are there already, one a variable."""
        return _wit.call(self._handle.apply, gradients, learning_rate, clip_norm)

    def save(self):
        """What it remembers, as tensors by name: with the variables' values, a checkpoint."""
        return {name: Tensor(held) for name, held in _wit.call(self._handle.save)}

    def restore(self, state):
        """Takes back what `save` of an optimiser of the same method and variables gave."""
        _wit.call(self._handle.restore, state.items())


def sgd(variables, momentum=0.0, nesterov=False, weight_decay=0.0):
    """Stochastic gradient descent as in PyTorch."""
    training = _wit.need("training")
    return Optimiser(training.Method_Sgd(training.Sgd(momentum, nesterov, weight_decay)), variables)


def adamw(variables, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01):
    """AdamW, with decoupled weight decay."""
    training = _wit.need("training")
    return Optimiser(training.Method_Adamw(training.Adamw(beta1, beta2, epsilon, weight_decay)), variables)


def gradients(loss, variables):
    """The gradient of a loss of one element by each variable."""
    found = _wit.call(_wit.need("training").gradients, loss, variables)
    return [Tensor(held) for held in found]


def binary_cross_entropy(logits, targets, weights=None):
    """Mean of log(1 + exp(x)) - x y, weighted."""
    return wrap(_wit.need("training").binary_cross_entropy, logits, targets, weights)


def cross_entropy(logits, targets):
    """Mean over rows of -log-softmax(logits) at `targets`, class positions as int64 or as whole numbers."""
    return wrap(_wit.need("training").cross_entropy, logits, targets)


def _regression(called, distance, predictions, targets, weights):
    function = _wit.need("training").regression_loss
    return wrap_as(called, function, distance, predictions, targets, weights)


def mean_squared_error(predictions, targets, weights=None):
    """Mean of (p - y)^2, weighted."""
    return _regression("mean_squared_error", _wit.need("training").Distance_Squared(), predictions, targets, weights)


def mean_absolute_error(predictions, targets, weights=None):
    """Mean of |p - y|, weighted."""
    return _regression("mean_absolute_error", _wit.need("training").Distance_Absolute(), predictions, targets, weights)


def huber(predictions, targets, delta=1.0, weights=None):
    """Mean of d^2 / 2 where |d| is at most delta, else of delta (|d| - delta / 2), weighted; d is p - y."""
    return _regression("huber", _wit.need("training").Distance_Huber(delta), predictions, targets, weights)


def quantile_loss(predictions, targets, quantile, weights=None):
    """Mean of q (y - p) where p is below y, else of (1 - q) (p - y), weighted."""
    return _regression("quantile_loss", _wit.need("training").Distance_Quantile(quantile), predictions, targets, weights)


def constant(rate, warm_up=0):
    """A function from a step, counted from 0, to its learning rate, which rises in a line over `warm_up` steps, and here
    then stays."""
    return _schedule(rate, warm_up, _wit.need("training").Decay_Constant())


def step_decay(rate, every, factor, warm_up=0):
    """As `constant`; then times the factor after every so many steps."""
    training = _wit.need("training")
    return _schedule(rate, warm_up, training.Decay_Step(training.StepDecay(every, factor)))


def exponential_decay(rate, factor, warm_up=0):
    """As `constant`; then times the factor after every step."""
    return _schedule(rate, warm_up, _wit.need("training").Decay_Exponential(factor))


def cosine_decay(rate, steps, last_rate=0.0, warm_up=0):
    """As `constant`; then half a cosine down to the last rate, over so many steps."""
    training = _wit.need("training")
    return _schedule(rate, warm_up, training.Decay_Cosine(training.CosineDecay(steps, last_rate)))


def _schedule(rate, warm_up, decay):
    training = _wit.need("training")
    schedule = training.Schedule(rate, warm_up, decay)
    return lambda step: _wit.call(training.learning_rate, schedule, step)

"""Tensors that stay in the host, with Python's operators: `tensor(rows, ["a", "b"]) @ weights + bias`.

Every operation is one call into native code on all the cores that the step was given. There are none natively: a step
that computes with tensors is tested as a component.
"""

from array import array

from . import _wit
from .columns import CODES
from .table import Table, lift, lower

_UNARY = (
    "abs",
    "exp",
    "log",
    "sqrt",
    "square",
    "recip",
    "tanh",
    "sigmoid",
    "relu",
    "gelu",
    "sin",
    "cos",
    "sign",
    "floor",
    "round",
)


def _element(name):
    return _wit.need("tensors").ElementType[name.upper()]


class Tensor:
    """At most 8 dimensions of float32 or float64. Immutable; made by `tensor`, `full`, `normal` and `uniform`."""

    __slots__ = ("_handle",)

    def __init__(self, handle):
        self._handle = handle

    @property
    def shape(self):
        """Sizes of the dimensions."""
        return tuple(self._handle.shape())

    @property
    def type(self):
        """`float32` or `float64`."""
        return self._handle.element_type().name.lower()

    def item(self):
        """The one value of a tensor of one element."""
        return _wit.call(self._handle.item)

    def values(self):
        """All values, row by row, as an `array.array`. The bytes come into the step, at most 32 MiB."""
        values = array(CODES[self.type])
        values.frombytes(_wit.call(self._handle.to_bytes))
        return values

    def to_table(self, columns):
        """The columns of a matrix under these names."""
        return lift(_wit.call(self._handle.to_table, list(columns)))

    def _with(self, op, other):
        tensors = _wit.need("tensors")
        if isinstance(other, Tensor):
            return Tensor(_wit.call(self._handle.binary, tensors.Binary[op], other._handle))
        return Tensor(_wit.call(self._handle.binary_scalar, tensors.Binary[op], float(other)))

    def _unary(self, op):
        return Tensor(_wit.call(self._handle.unary, _wit.need("tensors").Unary[op]))

    def __neg__(self):
        return self._unary("NEG")

    def __add__(self, other):
        return self._with("ADD", other)

    def __sub__(self, other):
        return self._with("SUB", other)

    def __mul__(self, other):
        return self._with("MUL", other)

    def __truediv__(self, other):
        return self._with("DIV", other)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return self._unary("RECIP") * other

    def maximum(self, other):
        """The larger of each pair of elements."""
        return self._with("MAXIMUM", other)

    def minimum(self, other):
        """The smaller of each pair of elements."""
        return self._with("MINIMUM", other)

    def compare(self, op, other):
        """1 where `self op other` holds, else 0. `op` is eq, ne, lt, le, gt or ge."""
        return Tensor(_wit.call(self._handle.compare, _wit.need("tensors").Comparison[op.upper()], other._handle))

    def __matmul__(self, other):
        return Tensor(_wit.call(self._handle.matmul, other._handle))

    def _reduce(self, op, dimension, keep):
        return Tensor(_wit.call(self._handle.reduce, _wit.need("tensors").Reduction[op], dimension, keep))

    def sum(self, dimension=None, keep=False):
        """Over one dimension, or over all."""
        return self._reduce("SUM", dimension, keep)

    def mean(self, dimension=None, keep=False):
        """Over one dimension, or over all."""
        return self._reduce("MEAN", dimension, keep)

    def max(self, dimension=None, keep=False):
        """Over one dimension, or over all."""
        return self._reduce("MAX", dimension, keep)

    def min(self, dimension=None, keep=False):
        """Over one dimension, or over all."""
        return self._reduce("MIN", dimension, keep)

    def argmax(self, dimension):
        """The position of the largest element along a dimension, as a number."""
        return Tensor(_wit.call(self._handle.argmax, dimension))

    def softmax(self, dimension):
        """exp(x) / sum(exp(x)) along a dimension."""
        return Tensor(_wit.call(self._handle.softmax, dimension))

    def log_softmax(self, dimension):
        """log(softmax(x)) along a dimension."""
        return Tensor(_wit.call(self._handle.log_softmax, dimension))

    def reshape(self, *shape):
        """The same values in another shape."""
        return Tensor(_wit.call(self._handle.reshape, list(shape)))

    def transpose(self, first, second):
        """Exchanges two dimensions."""
        return Tensor(_wit.call(self._handle.transpose, first, second))

    def narrow(self, dimension, start, length):
        """`length` elements from `start` along a dimension."""
        return Tensor(_wit.call(self._handle.narrow, dimension, start, length))

    def index_select(self, dimension, positions):
        """The elements at these positions along a dimension."""
        return Tensor(_wit.call(self._handle.index_select, dimension, list(positions)))

    def cast(self, element_type):
        """The same values as float32 or float64."""
        return Tensor(_wit.call(self._handle.cast, _element(element_type)))


def _unary_method(op):
    def method(self):
        return self._unary(op.upper())

    method.__name__, method.__doc__ = op, f"`{op}` of each element."
    return method


for _op in _UNARY:
    setattr(Tensor, _op, _unary_method(_op))


def tensor(source, columns_or_shape, element_type="float32"):
    """A tensor of a table's columns, as a matrix [rows, columns] whose bytes stay in the host; or of values, row by
    row, in a shape."""
    tensors = _wit.need("tensors")
    if isinstance(source, Table):
        chosen = source.select(columns_or_shape)
        return Tensor(_wit.call(tensors.Tensor.from_table, lower(chosen), chosen.columns, _element(element_type)))
    data = array(CODES[element_type], source).tobytes()
    return Tensor(_wit.call(tensors.Tensor.from_bytes, list(columns_or_shape), _element(element_type), data))


def full(shape, value, element_type="float32"):
    """One value everywhere."""
    return Tensor(_wit.call(_wit.need("tensors").Tensor.full, list(shape), _element(element_type), float(value)))


def normal(shape, seed, element_type="float32"):
    """Standard normal; the same seed gives the same numbers on any machine."""
    return Tensor(_wit.call(_wit.need("tensors").Tensor.normal, list(shape), _element(element_type), seed))


def uniform(shape, seed, element_type="float32"):
    """Uniform in [0, 1); the same seed gives the same numbers on any machine."""
    return Tensor(_wit.call(_wit.need("tensors").Tensor.uniform, list(shape), _element(element_type), seed))


def concat(parts, dimension):
    """Side by side along an existing dimension."""
    return Tensor(_wit.call(_wit.need("tensors").Tensor.concat, [part._handle for part in parts], dimension))


class Variable:
    """A tensor that an optimiser changes; `name` is what errors call it. What is computed from `value()` remembers
    how."""

    __slots__ = ("_handle",)

    def __init__(self, name, initial):
        self._handle = _wit.call(_wit.need("training").Variable.create, name, initial._handle)

    def value(self):
        """The current value, as a tensor that gradients flow through."""
        return Tensor(_wit.call(self._handle.value))

    def set(self, value):
        """Replaces the value."""
        _wit.call(self._handle.set, value._handle)


class Optimiser:
    """Steps variables down the gradient of a loss. Made by `sgd` and `adamw`."""

    __slots__ = ("_handle",)

    def __init__(self, method, variables):
        self._handle = _wit.call(_wit.need("training").Optimiser.create, method, [each._handle for each in variables])

    def step(self, loss, learning_rate, clip_norm=None):
        """One step back from a loss of one element; returns the norm of all gradients together, before clipping."""
        return _wit.call(self._handle.step, loss._handle, learning_rate, clip_norm)


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
    found = _wit.call(_wit.need("training").gradients, loss._handle, [each._handle for each in variables])
    return [Tensor(handle) for handle in found]


def binary_cross_entropy(logits, targets, weights=None):
    """Mean of log(1 + exp(x)) - x y, weighted."""
    weighted = None if weights is None else weights._handle
    return Tensor(_wit.call(_wit.need("training").binary_cross_entropy, logits._handle, targets._handle, weighted))


def cross_entropy(logits, targets):
    """Mean over rows of -log-softmax(logits) at `targets`, class positions held as numbers."""
    return Tensor(_wit.call(_wit.need("training").cross_entropy, logits._handle, targets._handle))

"""Tensors that stay in the host, with Python's operators: `(tensor(rows, ["a", "b"]) @ weights + bias).relu()[1:, None]`.

Every operation is one call into native code on all the cores that the step was given. Operands broadcast as in NumPy;
dimensions count from 0, or from the back below it. There are no tensors natively: a step that computes with them is
tested as a component.
"""

from array import array

from . import _index, _wit
from ._tensor import Tensor, element, full, in_our_words, wrap
from ._training import (
    Optimiser,
    Variable,
    adamw,
    binary_cross_entropy,
    constant,
    cosine_decay,
    cross_entropy,
    exponential_decay,
    gradients,
    huber,
    mean_absolute_error,
    mean_squared_error,
    quantile_loss,
    sgd,
    step_decay,
)
from .columns import CODES
from .table import Table, lower


def tensor(source, columns_or_shape=None, element_type="float32"):
    """A tensor of a table's columns, as a matrix [rows, columns] whose bytes stay in the host; of values, row by row, in a
    shape; or of nested lists, which have theirs."""
    make = _wit.need("tensors").Tensor
    if isinstance(source, Table):
        if columns_or_shape is None or isinstance(columns_or_shape, str):
            raise TypeError(f"`columns_or_shape`: expected a list of the table's columns, got {columns_or_shape!r}")
        chosen = source.select(columns_or_shape)
        return wrap(make.from_table, lower(chosen), chosen.columns, element(element_type))
    kind = element(element_type)
    if columns_or_shape is None:
        source, columns_or_shape = _index.flat(source)
    data = array(CODES[element_type], source).tobytes()
    return wrap(make.from_bytes, columns_or_shape, kind, data)


def zeros(shape, element_type="float32"):
    """0 everywhere."""
    return full(shape, 0.0, element_type)


def ones(shape, element_type="float32"):
    """1 everywhere."""
    return full(shape, 1.0, element_type)


def arange(start, stop=None, step=1, element_type="int64"):
    """Numbers from `start`, or 0, to below `stop`, as `range` gives them."""
    if step == 0:
        raise ValueError("`step`: expected a number other than 0, got 0")
    start, stop = (0, start) if stop is None else (start, stop)
    count = max(0, int(-((start - stop) // step)))
    return wrap(_wit.need("tensors").Tensor.arange, count, element(element_type), start, step)


def eye(size, element_type="float32"):
    """The identity matrix."""
    return arange(size).one_hot(size, element_type)


def normal(shape, seed, element_type="float32"):
    """Standard normal; the same seed gives the same numbers on any machine."""
    return wrap(_wit.need("tensors").Tensor.normal, shape, element(element_type), seed)


def uniform(shape, seed, element_type="float32"):
    """Uniform in [0, 1); the same seed gives the same numbers on any machine."""
    return wrap(_wit.need("tensors").Tensor.uniform, shape, element(element_type), seed)


def bernoulli(shape, probability, seed, element_type="float32"):
    """1 with this probability, else 0."""
    return wrap(_wit.need("tensors").Tensor.bernoulli, shape, element(element_type), probability, seed)


def permutation(count, seed):
    """The numbers below `count` in random order, as int64: `x.take(0, order[:128])` is a batch."""
    return wrap(_wit.need("tensors").Tensor.permutation, count, seed)


@in_our_words
def concat(parts, dimension=0):
    """Side by side along an existing dimension."""
    parts = list(parts)
    if not parts:
        raise ValueError("`parts`: expected one tensor at least, got none")
    return wrap(_wit.need("tensors").Tensor.concat, parts, parts[0]._dimension(dimension))


@in_our_words
def stack(parts, dimension=0):
    """Side by side along a new dimension."""
    at = (slice(None),) * dimension + (None,)
    return concat([part[at] for part in parts], dimension)


def where(condition, yes, no):
    """`yes` where `condition` is not 0, else `no`. A number is taken in the other's type; two are float32."""
    if not isinstance(yes, Tensor):
        yes = full([], yes, no.type if isinstance(no, Tensor) else "float32")
    return yes.select(condition, no)


def to_safetensors(tensors):
    """A dict of tensors as the bytes of a safetensors file, at most 32 MiB: `Trained(files={"model": to_safetensors(..)})`."""
    return bytes(_wit.call(_wit.need("tensors").to_safetensors, tensors.items()))


def from_safetensors(data):
    """The tensors of a safetensors file, by name."""
    found = _wit.call(_wit.need("tensors").from_safetensors, data)
    return {name: Tensor(held) for name, held in found}


__all__ = [
    "Optimiser",
    "Tensor",
    "Variable",
    "adamw",
    "arange",
    "bernoulli",
    "binary_cross_entropy",
    "concat",
    "constant",
    "cosine_decay",
    "cross_entropy",
    "exponential_decay",
    "eye",
    "from_safetensors",
    "full",
    "gradients",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "normal",
    "ones",
    "permutation",
    "quantile_loss",
    "sgd",
    "stack",
    "step_decay",
    "tensor",
    "to_safetensors",
    "uniform",
    "where",
    "zeros",
]

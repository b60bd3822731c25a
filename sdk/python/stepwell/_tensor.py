"""The tensor itself. Use it as `stepwell.tensor`, which makes tensors of tables, numbers and seeds."""

from array import array
from functools import wraps

from . import _index, _wit
from .columns import CODES
from .errors import ShapeMismatch
from .table import lift

# The contract's operations on each element, on pairs, and along a dimension; each is a method.
UNARY = (
    "neg abs exp log sqrt square recip tanh sigmoid relu gelu sin cos sign floor round expm1 log1p erf gelu_tanh silu softplus"
).split()
BINARY = "add sub mul div maximum minimum pow".split()
COMPARISONS = "eq ne lt le gt ge".split()
ELEMENT_TYPES = ("float32", "float64", "int64")
REDUCTIONS = "sum mean max min variance log_sum_exp".split()


def element(name):
    """The contract's element type."""
    if name not in ELEMENT_TYPES:
        raise ValueError(f"`element_type`: expected one of {', '.join(ELEMENT_TYPES)}, got {name!r}")
    return _wit.need("tensors").ElementType[name.upper()]


def wrap(function, *arguments):
    """The tensor that a call of the host gives."""
    return Tensor(_wit.call(function, *arguments))


def wrap_as(called, function, *arguments):
    """The same of a function that a step knows by another name."""
    try:
        return wrap(function, *arguments)
    except ShapeMismatch as error:
        told = ShapeMismatch(called, error.expected, error.got)
        told.of_host = error.of_host
        raise told from None


def in_our_words(function):
    """The same function; called with an argument by a name that it has not, such as NumPy's `axis`, it tells those it has."""
    code = function.__code__
    words = [name for name in code.co_varnames[: code.co_argcount] if name != "self"]

    @wraps(function)
    def told(*given, **named):
        for name in named:
            if name not in words:
                expected = ", ".join(f"`{word}=`" for word in words) or "no arguments by name"
                raise TypeError(f"{function.__name__}: expected {expected}, got `{name}=`")
        return function(*given, **named)

    return told


def full(shape, value, element_type="float32"):
    """One value everywhere."""
    return wrap(_wit.need("tensors").Tensor.full, shape, element(element_type), value)


class Tensor:
    """At most 8 dimensions of float32, float64 or int64. Immutable; made by `tensor`, `full`, `normal` and their like.

    `+ - * / ** @` and comparisons take a tensor or a number; a comparison gives 1 where it holds, else 0. `x[1:3, ..., None]`
    is NumPy's, with int64 tensors and lists of positions, several of which are taken point by point: `x[[0, 1], [2, 3]]` has
    two elements, and they must have one shape. There are no masks: `x.select(condition, otherwise)`, or multiply.
    """

    __slots__ = ("_handle", "_shape")
    __hash__ = object.__hash__

    def __init__(self, handle):
        self._handle, self._shape = handle, None

    @property
    def shape(self):
        """Sizes of the dimensions."""
        if self._shape is None:
            self._shape = tuple(self._handle.shape())  # The host is asked once: an index looks at it several times.
        return self._shape

    @property
    def type(self):
        """`float32`, `float64` or `int64`."""
        return self._handle.element_type().name.lower()

    @property
    def T(self):
        """With the last two dimensions exchanged."""
        rank = len(self.shape)
        return self.transpose(rank - 2, rank - 1)

    def __repr__(self):
        return f"Tensor({self.type} {list(self.shape)})"

    def __len__(self):
        shape = self.shape
        if not shape:
            raise TypeError("a tensor of no dimensions has no length")
        return shape[0]

    def __bool__(self):
        return bool(self.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def item(self):
        """The one value of a tensor of one element."""
        if self.type == "int64" and all(length == 1 for length in self.shape):
            return self.values()[0]  # A float64, as which `item` gives it, does not hold all of them.
        return _wit.call(self._handle.item)

    def values(self):
        """All values, row by row, as an `array.array`. The bytes come into the step, at most 32 MiB."""
        values = array(CODES[self.type])
        values.frombytes(_wit.call(self._handle.to_bytes))
        return values

    def tolist(self):
        """All values as nested lists; a number where there are no dimensions."""
        values, shape = list(self.values()), self.shape
        for length in reversed(shape[1:]):
            values = [values[start : start + length] for start in range(0, len(values), length)] if length else []
        return values if shape else values[0]

    def to_table(self, columns):
        """The columns of a matrix under these names."""
        return lift(_wit.call(self._handle.to_table, columns))

    def __getitem__(self, index):
        return _index.get(self, index)

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return self.recip() * other

    def __rpow__(self, other):
        return full([], other, self.type).pow(self)

    def __matmul__(self, other):
        return wrap(self._handle.matmul, other)

    matmul = __matmul__

    def _dimension(self, dimension):
        if not isinstance(dimension, int) or dimension >= 0:
            return dimension
        rank = len(self.shape)
        if dimension < -rank:
            raise IndexError(f"`dimension`: expected -{rank} to {rank - 1}, got {dimension}")
        return dimension + rank

    def select(self, condition, otherwise):
        """This where `condition` is not 0, else `otherwise`, a tensor or a number."""
        if not isinstance(otherwise, Tensor):
            otherwise = full([], otherwise, self.type)
        return wrap(self._handle.select, condition, otherwise)

    def clamp(self, low=None, high=None):
        """At least `low` and at most `high`."""
        return wrap(self._handle.clamp, low, high)

    def leaky_relu(self, slope=0.01):
        """x where it is above 0, else slope x."""
        return wrap(self._handle.leaky_relu, slope)

    def linear(self, weights, bias=None):
        """`self @ weights + bias`, in one pass. Weights are [inputs, outputs]."""
        return wrap(self._handle.linear, weights, bias)

    def convolve(self, kernels, bias=None, stride=1, padding=0, dilation=1, groups=1):
        """[batch, channels, length] with kernels [outputs, channels / groups, size], or the same of images. A number stands
        for every dimension."""
        rank = len(kernels.shape) - 2
        how = _wit.need("tensors").Convolution(_each(stride, rank), _each(padding, rank), _each(dilation, rank), groups)
        return wrap(self._handle.convolve, kernels, bias, how)

    def max_pool(self, size, stride=None, padding=0):
        """The largest of each window of [batch, channels, length] or of images. The stride is the size if not given."""
        return self._pool("max_pool", "MAX", size, stride, padding)

    def average_pool(self, size, stride=None, padding=0):
        """The mean of each window; padding counts as zeros."""
        return self._pool("average_pool", "AVERAGE", size, stride, padding)

    def _pool(self, called, op, size, stride, padding):
        tensors, rank = _wit.need("tensors"), len(self.shape) - 2
        windows = tensors.Window(_each(size, rank), _each(size if stride is None else stride, rank), _each(padding, rank))
        return wrap_as(called, self._handle.pool, tensors.Pooling[op], windows)

    def layer_norm(self, weight=None, bias=None, epsilon=1e-5):
        """(x - mean) / sqrt(variance + epsilon) over the last dimension, times `weight`, plus `bias`."""
        return wrap(self._handle.layer_norm, weight, bias, epsilon)

    def dropout(self, probability, seed):
        """Each element with this probability 0, else divided by 1 - probability. For training only."""
        return wrap(self._handle.dropout, probability, seed)

    @in_our_words
    def argmax(self, dimension):
        """The position of the first of the largest elements along a dimension, as int64."""
        return wrap(self._handle.argmax, self._dimension(dimension))

    @in_our_words
    def argmin(self, dimension):
        """The position of the first of the smallest elements along a dimension, as int64."""
        return wrap(self._handle.argmin, self._dimension(dimension))

    @in_our_words
    def cumulative_sum(self, dimension):
        """Each element is the sum of those up to it along a dimension."""
        return wrap(self._handle.cumulative_sum, self._dimension(dimension))

    @in_our_words
    def softmax(self, dimension):
        """exp(x) / sum(exp(x)) along a dimension."""
        return wrap(self._handle.softmax, self._dimension(dimension))

    @in_our_words
    def log_softmax(self, dimension):
        """log(softmax(x)) along a dimension."""
        return wrap(self._handle.log_softmax, self._dimension(dimension))

    def reshape(self, *shape):
        """The same values in another shape, of which one length may be -1."""
        shape = list(shape[0]) if len(shape) == 1 and hasattr(shape[0], "__iter__") else list(shape)
        if shape.count(-1) > 1:
            raise ValueError(f"`shape`: expected -1 once, got {shape}")
        if -1 in shape and all(isinstance(length, int) for length in shape):
            count, rest = 1, 1
            for length in self.shape:
                count *= length
            for length in shape:
                rest *= length if length != -1 else 1
            shape[shape.index(-1)] = count // rest if rest else 0
        return wrap(self._handle.reshape, shape)

    @in_our_words
    def transpose(self, first, second):
        """Exchanges two dimensions."""
        return wrap(self._handle.transpose, self._dimension(first), self._dimension(second))

    @in_our_words
    def permute(self, *dimensions):
        """Dimension i of the result is dimension `dimensions[i]` of this."""
        return wrap(self._handle.permute, [self._dimension(dimension) for dimension in dimensions])

    def broadcast_to(self, *shape):
        """Repeated to a larger shape."""
        return wrap(self._handle.broadcast_to, shape)

    @in_our_words
    def flip(self, dimension):
        """Backwards along a dimension."""
        return wrap(self._handle.flip, self._dimension(dimension))

    @in_our_words
    def narrow(self, dimension, start, length):
        """`length` elements from `start` along a dimension."""
        return wrap(self._handle.narrow, self._dimension(dimension), start, length)

    @in_our_words
    def index_select(self, dimension, positions):
        """The elements at these positions, a list, along a dimension."""
        return wrap(self._handle.index_select, self._dimension(dimension), positions)

    @in_our_words
    def take(self, dimension, positions):
        """The elements at an int64 tensor's positions along a dimension, which the positions' shape replaces: rows of a
        batch; of a matrix along dimension 0, an embedding."""
        return wrap(self._handle.take, self._dimension(dimension), positions)

    @in_our_words
    def gather(self, dimension, positions):
        """Where the result has index i along a dimension, this has index `positions[.., i, ..]`."""
        return wrap(self._handle.gather, self._dimension(dimension), positions)

    @in_our_words
    def scatter_add(self, dimension, positions, values):
        """Adds each of `values` where its position points along a dimension."""
        return wrap(self._handle.scatter_add, self._dimension(dimension), positions, values)

    def one_hot(self, classes, element_type="float32"):
        """Of int64 classes: 1 at the class, else 0, along a new last dimension."""
        return wrap(self._handle.one_hot, classes, element(element_type))

    def cast(self, element_type):
        """The same values as float32, float64 or int64."""
        return wrap(self._handle.cast, element(element_type))


def _each(number, rank):
    return [number] * rank if isinstance(number, int) else number


def _case(kind, name):
    """A case of an enumeration, looked up while the component is built; natively there is none."""
    return getattr(_wit.tensors, kind)[name.upper()] if _wit.tensors else None


def _named(name, method, doc):
    method.__name__, method.__qualname__, method.__doc__ = name, f"Tensor.{name}", doc
    return method


def _unary(name):
    case = _case("Unary", name)

    def method(self):
        return wrap(self._handle.unary, case)

    return _named(name, method, f"`{name}` of each element.")


def _pair(kind, name, function):
    case, scalar = _case(kind, name), f"{function}_scalar"

    def method(self, other):
        if isinstance(other, Tensor):
            return wrap(getattr(self._handle, function), case, other)
        return wrap(getattr(self._handle, scalar), case, other)

    return _named(name, method, f"`{name}` of this and a tensor or a number, element by element.")


def _reduction(name):
    case = _case("Reduction", name)

    def method(self, dimension=None, keep=False):
        if isinstance(dimension, (tuple, list)):
            several = self
            for each in sorted(map(self._dimension, dimension), reverse=True):
                several = method(several, each, keep)
            return several
        return wrap(self._handle.reduce, case, None if dimension is None else self._dimension(dimension), keep)

    return in_our_words(_named(name, method, f"`{name}` over one dimension, over several one after the other, or over all."))


def _add_methods():
    made = {name: _unary(name) for name in UNARY}
    made.update((name, _pair("Binary", name, "binary")) for name in BINARY)
    made.update((name, _pair("Comparison", name, "compare")) for name in COMPARISONS)
    made.update((name, _reduction(name)) for name in REDUCTIONS)
    for name, method in made.items():
        setattr(Tensor, name, method)
    for name in ("neg", "abs", "add", "sub", "mul", "pow", *COMPARISONS):
        setattr(Tensor, f"__{name}__", made[name])
    Tensor.__truediv__, Tensor.__radd__, Tensor.__rmul__ = made["div"], made["add"], made["mul"]


_add_methods()

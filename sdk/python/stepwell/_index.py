"""`x[1:3, ..., None]` -> narrow, take, flip and reshape of a tensor; nested lists -> values and a shape. `tensor` calls this."""

_NO_MASKS = "there are no masks; `where(mask, x, otherwise)`, or multiply"


def get(x, index):
    """What NumPy gives for these indices. Several lists or int64 tensors of positions are taken point by point."""
    given = index if isinstance(index, tuple) else (index,)
    # `dimension` of x is what the next index is about; a number leaves it with length 1, and the last reshape without.
    dimension, shape, points, home = 0, [], [], 0
    for each in _spread(given, len(x.shape)):
        if each is None:
            shape.append(1)
            continue
        length = x.shape[dimension]
        if _is_number(each):
            x = x.narrow(dimension, _position(each, dimension, length), 1)
        elif isinstance(each, slice):
            x = _sliced(x, dimension, each.indices(length))
            shape.append(x.shape[dimension])
        else:
            home = home if points else len(shape)
            points.append((dimension, each))
        dimension += 1
    if not points:
        return _reshaped(x, shape)
    x, lengths = _taken(x, *points[0]) if len(points) == 1 else _taken_pointwise(x, points)
    x = _reshaped(x, [*shape[:home], *lengths, *shape[home:]])
    if home and lengths and not _together(given):
        # What is taken by positions comes first in NumPy where a slice, `...` or None stands between their indices.
        order = [*range(home, home + len(lengths)), *range(home), *range(home + len(lengths), len(x.shape))]
        x = x.permute(*order)
    return x


def _reshaped(x, shape):
    return x if x.shape == tuple(shape) else x.reshape(*shape)


def _is_number(index):
    return isinstance(index, int) and not isinstance(index, bool)


def _together(given):
    """Whether numbers and positions stand side by side."""
    at = [i for i, each in enumerate(given) if each is not None and each is not Ellipsis and not isinstance(each, slice)]
    return at[-1] - at[0] < len(at)


def _spread(indices, rank):
    """With what `...` stands for, and with all of each dimension that no index is about."""
    about = sum(each is not None and each is not Ellipsis for each in indices)
    if about > rank:
        raise IndexError(f"expected at most {rank} indices, got {about}")
    whole = [slice(None)] * (rank - about)
    at = [i for i, each in enumerate(indices) if each is Ellipsis]
    if len(at) > 1:
        raise IndexError("expected `...` once")
    return [*indices[: at[0]], *whole, *indices[at[0] + 1 :]] if at else [*indices, *whole]


def _position(index, dimension, length):
    if isinstance(index, bool):
        raise IndexError(f"dimension {dimension}: expected positions, got {index}: {_NO_MASKS}")
    if not isinstance(index, int):
        raise IndexError(f"dimension {dimension}: expected whole numbers as positions, got {index!r}")
    position = index + length if index < 0 else index
    if not 0 <= position < length:
        expected = f"-{length} to {length - 1}" if length else "none, for it is empty"
        raise IndexError(f"dimension {dimension}: expected {expected}, got {index}")
    return position


def _sliced(x, dimension, bounds):
    start, stop, step = bounds
    positions = range(start, stop, step)
    if step == 1:
        return x if len(positions) == x.shape[dimension] else x.narrow(dimension, start, len(positions))
    if step == -1 and len(positions) == x.shape[dimension]:
        return x.flip(dimension)
    return x.index_select(dimension, positions)


def _taken(x, dimension, positions):
    """What these positions of a dimension choose, and the shape that replaces its length."""
    if isinstance(positions, list):
        chosen, lengths = _chosen(positions, dimension, x.shape[dimension])
        return x.index_select(dimension, chosen), lengths
    _expect_positions(positions, dimension)
    return x.take(dimension, positions), positions.shape


def _taken_pointwise(x, points):
    """As `_taken` of several dimensions, whose positions have one shape: of these dimensions one is made, at the first."""
    dimensions = [dimension for dimension, _ in points]
    flat_positions, lengths = [0], None
    for dimension, positions in points:
        if not isinstance(positions, list):
            _expect_positions(positions, dimension)
        size = x.shape[dimension]
        chosen, found = _chosen(positions, dimension, size)
        if lengths not in (None, found):
            raise IndexError(
                f"dimension {dimension}: expected positions of the shape {lengths} that those of dimension {dimensions[0]} "
                f"have, for they are taken point by point, got {found}; index twice to take every pair, or see `gather`"
            )
        before = flat_positions if lengths is not None else [0] * len(chosen)
        flat_positions, lengths = [row * size + column for row, column in zip(before, chosen)], found
    first = dimensions[0]
    rest = [each for each in range(first, len(x.shape)) if each not in dimensions]
    order = [*range(first), *dimensions, *rest]
    x = x if order == sorted(order) else x.permute(*order)
    size = 1
    for length in x.shape[first : first + len(points)]:
        size *= length
    x = x.reshape(*x.shape[:first], size, *x.shape[first + len(points) :])
    return x.index_select(first, flat_positions), lengths


def _chosen(positions, dimension, length):
    """Positions as numbers from 0, row by row, and their shape."""
    values, shape = flat(positions) if isinstance(positions, list) else (positions.values(), list(positions.shape))
    return [_position(each, dimension, length) for each in values], shape


def _expect_positions(index, dimension):
    if isinstance(index, bool) or getattr(index, "type", None) != "int64":
        raise IndexError(
            f"dimension {dimension}: expected a number, a slice, `...`, None, or positions as a list or int64, "
            f"got {index!r}: {_NO_MASKS}"
        )


def flat(nested):
    """The values of nested lists, row by row, and their shape."""
    shape, values = [], [nested]
    while values and isinstance(values[0], (list, tuple)):
        lengths = {len(each) if isinstance(each, (list, tuple)) else None for each in values}
        if len(lengths) > 1:
            raise ValueError(f"expected lists of one length in dimension {len(shape)}, got several")
        shape.append(lengths.pop())
        values = [value for each in values for value in each]
    return values, shape

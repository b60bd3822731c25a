"""`x[1:3, ..., None]` -> narrow, take, flip and reshape of a tensor; nested lists -> values and a shape. `tensor` calls this."""


def get(x, index):
    """What NumPy gives for these indices, of which at most one is a tensor or a list of positions."""
    indices = _spread(index if isinstance(index, tuple) else (index,), len(x.shape))
    # `dimension` of x is what the next index is about; a number takes its dimension away, which happens at the end.
    dimension, shape = 0, []
    for each in indices:
        if each is None:
            shape.append(1)
            continue
        length = x.shape[dimension]
        if isinstance(each, int):
            x = x.narrow(dimension, _position(each, length), 1)
        elif isinstance(each, slice):
            x = _sliced(x, dimension, each.indices(length))
            shape.append(x.shape[dimension])
        else:
            before = len(x.shape)
            x = _taken(x, dimension, each, length)
            added = len(x.shape) - before + 1
            shape.extend(x.shape[dimension : dimension + added])
            dimension += added - 1
        dimension += 1
    shape = tuple(shape)
    return x if x.shape == shape else x.reshape(*shape)


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


def _position(index, length):
    position = index + length if index < 0 else index
    if not 0 <= position < length:
        raise IndexError(f"expected -{length} to {length - 1}, got {index}")
    return position


def _sliced(x, dimension, bounds):
    start, stop, step = bounds
    positions = range(start, stop, step)
    if step == 1:
        return x if len(positions) == x.shape[dimension] else x.narrow(dimension, start, len(positions))
    if step == -1 and len(positions) == x.shape[dimension]:
        return x.flip(dimension)
    return x.index_select(dimension, positions)


def _taken(x, dimension, positions, length):
    if isinstance(positions, list):
        return x.index_select(dimension, [_position(each, length) for each in positions])
    if getattr(positions, "type", None) != "int64":
        raise IndexError(f"expected a number, a slice, `...`, None, or positions as a list or int64, got {positions!r}")
    return x.take(dimension, positions)


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

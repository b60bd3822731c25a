"""Python sequences <-> the buffers of Apache Arrow, one column at a time. `table` calls this; it knows no host.

In memory a column of numbers without nulls is an `array.array`, so that no value is boxed before it is used; every
other column is a list, with None where there is no value.
"""

import datetime
from array import array
from collections import namedtuple

from .errors import InvalidInput

# How each fixed-width type stands in memory and in the contract's buffers: both little-endian, the wasm side always is.
CODES = {"int64": "q", "float32": "f", "float64": "d", "timestamp": "q", "date": "i"}
NAMES = ("boolean", "int64", "float32", "float64", "text", "bytes", "timestamp", "date", "vector")
VECTOR_LENGTH_MAX = 65_536
_ARRAY_NAMES = {"d": "float64", "f": "float32", **dict.fromkeys("bBhHiIlLqQ", "int64")}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_BITS = [tuple(byte >> bit & 1 for bit in range(8)) for byte in range(256)]


class Type(namedtuple("Type", "name length nullable")):
    """A column's type. Written `float64`, `vector(8)`; a `?` at the end says that there may be nulls."""

    __slots__ = ()

    def __str__(self):
        return self.name + (f"({self.length})" if self.name == "vector" else "") + ("?" if self.nullable else "")


def parse(column, text):
    """The `Type` that is written `text`; `column` is what an error calls it."""
    if not isinstance(column, str):
        # As a wrong parameter makes it: the host would be handed what no text is, and the step would trap.
        raise InvalidInput(f"{column!r:.60}", f"expected text as a column's name, got {type(column).__name__}")
    if isinstance(text, Type):
        return text
    bare = str(text).rstrip("?")
    name, _, length = bare.partition("(")
    length = length.rstrip(")")
    sized = name == "vector" and length.isdigit() and 0 < int(length) <= VECTOR_LENGTH_MAX
    if not (sized or (name in NAMES and name != "vector" and bare == name)):
        raise InvalidInput(column, f"expected a type among {', '.join(NAMES[:-1])} and vector(LENGTH), got `{text}`")
    return Type(name, int(length) if sized else 0, str(text).endswith("?"))


def infer(column, values):
    """The type of these values. Whole numbers among fractions are fractions; without any value there is no telling."""
    code = values.typecode if isinstance(values, array) else getattr(values, "format", None)
    if code in _ARRAY_NAMES:
        return Type(_ARRAY_NAMES[code], 0, False)
    found = {type(value) for value in values}
    nullable = type(None) in found
    found.discard(type(None))
    if not found:
        raise InvalidInput(column, "expected a value to tell the type by, got none; name it in `types`")
    for name, classes in _INFERRED:
        if found <= classes:
            length = 0
            if name == "vector":
                length = len(next(value for value in values if value is not None))
            return Type(name, length, nullable)
    got = ", ".join(sorted(kind.__name__ for kind in found))
    raise InvalidInput(column, f"expected values of one type, got {got}")


_INFERRED = (
    ("boolean", {bool}),
    ("int64", {int}),
    ("float64", {int, float}),
    ("text", {str}),
    ("bytes", {bytes, bytearray}),
    ("timestamp", {datetime.datetime}),
    ("date", {datetime.date}),
    ("vector", {list, tuple, array}),
)


def checked(column, kind, values):
    """The values as `kind` stands in memory. A value of another type, or a null where none may be, is `InvalidInput`
    with its row."""
    code = CODES.get(kind.name)
    if code and isinstance(values, array) and values.typecode == code:
        return values
    if isinstance(values, (str, bytes, bytearray)):
        raise InvalidInput(column, f"expected one value a row, got a single {type(values).__name__}")
    values = list(values)
    if code and kind.name in ("int64", "float32", "float64"):
        try:
            return array(code, values)
        except (TypeError, OverflowError):
            pass  # A null or a wrong value: look for it one by one.
    return _compact(code, [_value(column, kind, row, value) for row, value in enumerate(values)])


def _compact(code, values):
    return array(code, values) if code and None not in values else values


def _value(column, kind, row, value):
    if value is None:
        if kind.nullable:
            return None
        raise InvalidInput(column, f"expected {kind} in row {row}, got a null; a type that ends in `?` allows it")
    try:
        made = _MADE[kind.name](value, kind.length)
    except (TypeError, ValueError, OverflowError):
        made = None
    if made is None:
        raise InvalidInput(column, f"expected {kind} in row {row}, got {type(value).__name__} {value!r:.60}")
    return made


def _timestamp(value, _):
    if isinstance(value, datetime.datetime):
        # A time without a zone is taken as UTC: the contract knows no other.
        zoned = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
        return (zoned - _EPOCH) // datetime.timedelta(microseconds=1)
    return array("q", [value])[0]


def _date(value, _):
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.toordinal() - _EPOCH.toordinal()
    return array("i", [value])[0]


def _vector(value, length):
    made = array("f", value)
    return made if len(made) == length else None


_MADE = {
    "boolean": lambda value, _: value if isinstance(value, bool) else None,
    "int64": lambda value, _: array("q", [value])[0],
    "float32": lambda value, _: array("f", [value])[0],
    "float64": lambda value, _: array("d", [value])[0],
    "text": lambda value, _: value if isinstance(value, str) else None,
    "bytes": lambda value, _: bytes(value) if isinstance(value, (bytes, bytearray)) else None,
    "timestamp": _timestamp,
    "date": _date,
    "vector": _vector,
}


def taken(values, rows):
    """The values at these positions, in memory as before."""
    picked = [values[row] for row in rows]
    return array(values.typecode, picked) if isinstance(values, array) else picked


def joined(kind, parts):
    """Consecutive parts of one column as one sequence."""
    if len(parts) == 1:
        return parts[0]
    code = CODES.get(kind.name)
    whole = array(code) if code and all(isinstance(part, array) for part in parts) else []
    for part in parts:
        whole.extend(part)
    return whole


def encode(kind, values):
    """`(validity, offsets, data)` of values that are `checked`."""
    validity = None
    if not isinstance(values, array) and None in values:
        validity = _pack(value is not None for value in values)
        filler = _FILLER[kind.name](kind.length)
        values = [filler if value is None else value for value in values]
    if kind.name in CODES:
        return validity, None, (values if isinstance(values, array) else array(CODES[kind.name], values)).tobytes()
    if kind.name == "boolean":
        return validity, None, _pack(values)
    if kind.name == "vector":
        return validity, None, b"".join(value.tobytes() for value in values)
    pieces = [value.encode() for value in values] if kind.name == "text" else values
    offsets = array("i", [0])
    end = 0
    for piece in pieces:
        end += len(piece)
        offsets.append(end)
    return validity, offsets.tobytes(), b"".join(pieces)


_FILLER = {
    **dict.fromkeys(CODES, lambda _: 0),
    "boolean": lambda _: False,
    "text": lambda _: "",
    "bytes": lambda _: b"",
    "vector": lambda length: array("f", bytes(4 * length)),
}


def decode(kind, length, validity, offsets, data):
    """The values of a column's buffers, as they stand in memory."""
    if kind.name in CODES:
        values = array(CODES[kind.name])
        values.frombytes(data[: length * values.itemsize])
    elif kind.name == "boolean":
        values = [bit == 1 for bit in _unpack(data, length)]
    elif kind.name == "vector":
        width = 4 * kind.length
        values = [array("f", data[start : start + width]) for start in range(0, length * width, width)]
    else:
        ends = array("i", offsets)
        values = [data[ends[row] : ends[row + 1]] for row in range(length)]
        if kind.name == "text":
            values = [value.decode() for value in values]
    if validity is None:
        return values
    present = _unpack(validity, length)
    return values if all(present) else [value if there else None for value, there in zip(values, present)]


def _pack(bits):
    packed = bytearray()
    for row, bit in enumerate(bits):
        if row & 7 == 0:
            packed.append(0)
        if bit:
            packed[-1] |= 1 << (row & 7)
    return bytes(packed)


def _unpack(data, length):
    return [bit for byte in data[: (length + 7) // 8] for bit in _BITS[byte]][:length]

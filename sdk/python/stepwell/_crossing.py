"""What crosses into the host, held against the types of the generated bindings: whatever does not fit would end the
component without a word, uncatchable and without a line. `_wit.call` asks this of every call."""

import dataclasses
import functools
import typing

# Arguments of 64 bits, wherever they stand in the contract; every other whole number has 32. None is negative.
WIDE = frozenset("seed step steps every warm_up offset rows done total index".split())

# Values of a variant's cases that a step knows by another name than the case's.
VALUES = {"huber": "delta", "exponential": "factor"}

_SELF = getattr(typing, "Self", None)  # Python 3.11, which a component has; natively it may be an earlier one.


def arguments(function, given):
    """The arguments of a call as the contract has them: ValueError or TypeError names the one that does not fit."""
    owner = getattr(function, "__self__", None)
    checks = _checks(getattr(function, "__func__", function), owner if isinstance(owner, type) else type(owner))
    if checks is None:
        return given
    if len(checks) != len(given):
        raise TypeError(f"expected {len(checks)} arguments, got {len(given)}")
    return [check(name, value) for (name, check), value in zip(checks, given)]


@functools.cache
def _checks(function, owner):
    """What looks at each argument of a function of the contract, of which there are so many; None where it has no types,
    natively."""
    kinds = getattr(function, "__annotations__", None)
    return [(name, _check(_own(kind, owner))) for name, kind in kinds.items() if name != "return"] if kinds else None


def _own(kind, owner):
    """With the class that `Self` stands for."""
    if kind is _SELF:
        return owner
    origin, inner = typing.get_origin(kind), tuple(_own(each, owner) for each in typing.get_args(kind))
    if inner:
        return origin[inner] if origin in (list, tuple) else typing.Union[inner]
    return kind


def result(made):
    """What a step gives back, whose records hold what the contract says."""
    if isinstance(made, list):
        return [result(each) for each in made]
    return _record(made) if dataclasses.is_dataclass(made) else made


@functools.cache
def _check(kind):
    """What holds a value under a name against a type and gives it as it crosses. Made once: calls are many, and most of
    their arguments are resources."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and not dataclasses.is_dataclass(kind):
        return _held(kind)
    origin, inner = typing.get_origin(kind), [_check(each) for each in typing.get_args(kind) if each is not type(None)]
    if origin is list:
        return lambda name, value: _listed(name, inner[0], value)
    if origin is tuple:
        return lambda name, value: tuple(check(name, part) for check, part in zip(inner, value))
    if type(None) in typing.get_args(kind):
        return lambda name, value: None if value is None else inner[0](name, value)
    return lambda name, value: _record_of(name, kind, value)


def _held(kind):
    """A case of an enumeration, or a resource, which what stands for it in a step holds."""

    def held(name, value):
        held = getattr(value, "_handle", value)
        if not isinstance(held, kind):
            raise _unlike(name, f"a {kind.__name__}".lower(), value)
        return held

    return held


def _record_of(name, kind, value):
    if not dataclasses.is_dataclass(value):
        raise _unlike(name, f"a {getattr(kind, '__name__', kind)}".lower(), value)
    return _record(value)


def _record(record):
    """A record; or a variant's case, whose value goes by the case's name where it has no other."""
    case = type(record).__name__.rpartition("_")[2].lower()
    case = VALUES.get(case, case)
    names = [(field, case if field.name == "value" else field.name) for field in dataclasses.fields(record)]
    return type(record)(*[_check(field.type)(name, getattr(record, field.name)) for field, name in names])


def _listed(name, check, value):
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        raise _unlike(name, "a list", value)
    value = list(value)
    if check is _whole and set(map(type, value)) == {int} and min(value) >= 0 and max(value) < 1 << _bits(name):
        return value  # Many positions: looked at in three sweeps of native code.
    return [check(name, each) for each in value]


def _bits(name):
    return 64 if name in WIDE else 32


def _whole(name, value):
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unlike(name, "a whole number", value)
    bits = _bits(name)
    if not 0 <= value < 1 << bits:
        hint = "; `% 2**64` makes a seed of it" if name == "seed" else ""
        raise ValueError(f"`{name}`: expected 0 to 2**{bits} - 1, got {_short(value)}{hint}")
    return value


def _number(name, value):
    if type(value) is float:
        return value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _unlike(name, "a number", value)
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"`{name}`: expected a float64, got {_short(value)}") from None


def _truth(name, value):
    if not isinstance(value, bool):
        raise _unlike(name, "True or False", value)
    return value


def _text(name, value):
    if not isinstance(value, str):
        raise _unlike(name, "text", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"`{name}`: expected text without halves of characters, got {_short(value)}") from None
    return value


def told(value):
    """The text of an error, which is told whatever is in it: half of a character becomes U+FFFD."""
    return "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in str(value))


def counted(name, value):
    """A number of an error as the contract has it: rounded, and the nearest that 64 bits hold."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        raise _unlike(name, "a number", value)
    return round(min(max(value, 0), (1 << 64) - 1))


def _binary(name, value):
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise _unlike(name, "bytes", value)
    return bytes(value)


_PLAIN = {int: _whole, float: _number, bool: _truth, str: _text, bytes: _binary}


def _unlike(name, expected, got):
    hint = "; `.value()` is its tensor" if expected == "a tensor" and type(got).__name__ == "Variable" else ""
    return TypeError(f"`{name}`: expected {expected}, got {_short(got)}{hint}")


def _short(value):
    large = isinstance(value, int) and value.bit_length() > 256
    text = f"a number of {value.bit_length()} bits" if large else ascii(value)
    return text if len(text) <= 80 else f"{text[:78]}.."


__all__ = ["WIDE", "arguments", "counted", "result", "told"]

"""What a step's methods return, held against what their role says, so that an error names the method and what it wants."""

from array import array

from .errors import Permanent
from .table import Table

# Words for what is no class of ours.
_SHOWN = {Table: "a table", dict: "a dict", tuple: "a tuple"}
_HINTS = {
    (Table, "Tensor"): "; its `to_table(columns)` makes one",
    (bytes, "Tensor"): "; `to_safetensors({..})` of `stepwell.tensor` makes them of tensors",
    (bytes, "Variable"): "; `to_safetensors({..})` of `stepwell.tensor` makes them of tensors, such as its `value()`",
    (bytes, "str"): "; `.encode()` makes them of text",
    (bytes, "dict"): "; `json.dumps(..).encode()` makes them",
}


def one(kind, where, made, shown=None):
    """What a method returned, if it is of this kind. `where` says what it is, and of which method."""
    if not isinstance(made, kind):
        expected = shown or _SHOWN.get(kind) or f"a `{kind.__name__}`"
        raise Permanent(f"expected {expected} {where}, got {type(made).__name__}{_hint(kind, made)}")
    return made


def several(kind, method, made):
    """A list of this kind that a method returned."""
    if isinstance(made, (str, dict)) or not hasattr(made, "__iter__"):
        raise Permanent(f"expected a list of `{kind.__name__}` from `{method}`, got {type(made).__name__}")
    return [one(kind, f"in the list from `{method}`", each) for each in made]


def files(method, made):
    """The files that a method returned: bytes by name."""
    named = one(dict, f"of files from `{method}`", made)
    return {name: content(f"as the file `{name}` from `{method}`", made) for name, made in named.items()}


def content(where, made):
    """The bytes that a method returned."""
    if not isinstance(made, (bytes, bytearray, memoryview, array)):
        raise Permanent(f"expected bytes {where}, got {type(made).__name__}{_hint(bytes, made)}")
    return bytes(made)


def _hint(kind, made):
    return _HINTS.get((kind, type(made).__name__), "")


__all__ = ["content", "files", "one", "several"]

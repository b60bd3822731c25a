"""The bindings that `componentize-py` generates for a step's own world, or nothing where there is no wasm.

Everything is imported when the component is built: at run time there is no file system to import from. A world holds
only the interfaces that the step's source names, so each may be missing; `need` then says what happened.
"""

import functools
import importlib

from . import _crossing
from .columns import Type
from .errors import BudgetExceeded, Cancelled, Denied, InvalidInput, Permanent, ShapeMismatch, StepError, Transient


def _module(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


inside = _module("wit_world") is not None
Err = getattr(_module("componentize_py_types"), "Err", None)
(
    errors,
    tables,
    types,
    config,
    report,
    checkpoint,
    files,
    http,
    secrets,
    environment,
    clock,
    entropy,
    query,
    tensors,
    training,
) = (
    _module(f"wit_world.imports.{name}") if inside else None
    for name in (
        "errors tables types config report checkpoint files http secrets environment clock entropy query tensors training"
    ).split()
)


def need(name):
    """An imported interface. Without it the step was built for a world that lacks it."""
    found = globals()[name]
    if found is None:
        raise Permanent(
            f"expected the interface `{name}` among the component's imports, got none: use it in the step's own "
            "file, by the name that `stepwell` gives it"
            if inside
            else f"`{name}` needs the host: run it as a plugin"
        )
    return found


def exports(name):
    """The generated module of an exported interface."""
    return importlib.import_module(f"wit_world.exports.{name}")


def call(function, *arguments):
    """Calls the host; its error comes as one of ours. An argument that does not fit raises ValueError or TypeError."""
    if arguments:
        arguments = _crossing.arguments(function, arguments)
    try:
        return function(*arguments)
    except Err as error:
        told = raised(error.value)
        told.of_host = True
        raise told from None


def raised(value):
    """The exception for a case of the contract's error."""
    case = type(value).__name__
    if case == "Error_InvalidInput":
        return InvalidInput(value.value.name, value.value.reason)
    if case == "Error_ShapeMismatch":
        return ShapeMismatch(value.value.operation, value.value.expected, value.value.got)
    if case == "Error_BudgetExceeded":
        return BudgetExceeded(value.value.kind, value.value.used, value.value.limit)
    if case == "Error_Transient":
        return Transient(*value.value)
    if case == "Error_Cancelled":
        return Cancelled()
    return (Denied if case == "Error_Denied" else Permanent)(value.value)


def error(raised_error):
    """The contract's case for an exception, ready to raise. Its fields are whatever the step put there: as texts and counts
    that cross, or TypeError names the one that is no number."""
    text, count = _crossing.told, functools.partial(_count, raised_error)
    if isinstance(raised_error, InvalidInput):
        return Err(errors.Error_InvalidInput(errors.InvalidInput(text(raised_error.name), text(raised_error.reason))))
    if isinstance(raised_error, ShapeMismatch):
        shapes = map(text, (raised_error.operation, raised_error.expected, raised_error.got))
        return Err(errors.Error_ShapeMismatch(errors.ShapeMismatch(*shapes)))
    if isinstance(raised_error, BudgetExceeded):
        budget = errors.BudgetExceeded(text(raised_error.kind), count("used"), count("limit"))
        return Err(errors.Error_BudgetExceeded(budget))
    if isinstance(raised_error, Transient):
        return Err(errors.Error_Transient((text(raised_error.reason), count("retry_after_ms"))))
    if isinstance(raised_error, Cancelled):
        return Err(errors.Error_Cancelled())
    case = errors.Error_Denied if isinstance(raised_error, Denied) else errors.Error_Permanent
    return Err(case(text(raised_error)))


def _count(raised_error, name):
    return _crossing.counted(name, getattr(raised_error, name))


def data_type(kind):
    """The contract's data type."""
    case = getattr(tables, f"DataType_{kind.name.capitalize()}")
    return case(kind.length) if kind.name == "vector" else case()


def field(name, kind):
    """A column of a schema, for the host."""
    return tables.Field(name, data_type(kind), kind.nullable)


def kind(given):
    """The type of a field that the host gave."""
    name = type(given.data_type).__name__.rpartition("_")[2].lower()
    return Type(name, given.data_type.value if name == "vector" else 0, given.nullable)


__all__ = ["StepError"]

"""The host's side of `stepwell:data/tables` in plain Python, under the names that `componentize-py` generates, so that
what a table sends and asks for can be watched natively."""

import contextlib
from collections import namedtuple

from stepwell import _wit, columns

Field = namedtuple("Field", "name data_type nullable")
Column = namedtuple("Column", "data_type length validity offsets data")
InvalidInput = namedtuple("InvalidInput", "name reason")
BudgetExceeded = namedtuple("BudgetExceeded", "kind used limit")
READ_BYTES_MAX = 32 << 20


class Err(Exception):
    def __init__(self, value):
        super().__init__(value)
        self.value = value


def _case(name):
    def construct(self, *value):
        self.value = value[0] if value else None

    return type(name, (), {"__init__": construct})


Error_BudgetExceeded = _case("Error_BudgetExceeded")
Error_InvalidInput = _case("Error_InvalidInput")
DataType_Boolean, DataType_Int64, DataType_Float32 = map(
    _case, ("DataType_Boolean", "DataType_Int64", "DataType_Float32")
)
DataType_Float64, DataType_Text, DataType_Bytes = map(_case, ("DataType_Float64", "DataType_Text", "DataType_Bytes"))
DataType_Timestamp, DataType_Date, DataType_Vector = map(
    _case, ("DataType_Timestamp", "DataType_Date", "DataType_Vector")
)

calls = []


class Table:
    """`held` is `{name: (Type, values)}`."""

    def __init__(self, held):
        self.held = held

    def schema(self):
        return [_wit.field(name, kind) for name, (kind, _) in self.held.items()]

    def rows(self):
        return len(next(iter(self.held.values()), (None, []))[1])

    def read(self, column, offset, length):
        calls.append(("read", column, offset, length))
        kind, values = self.held[column]
        piece = columns.checked(column, kind, values[offset : offset + length])
        validity, offsets, data = columns.encode(kind, piece)
        if len(data) > READ_BYTES_MAX:
            raise Err(Error_BudgetExceeded(BudgetExceeded("read", len(data), READ_BYTES_MAX)))
        return Column(_wit.data_type(kind), len(piece), validity, offsets, data)

    def select(self, names):
        calls.append(("select", *names))
        return Table({name: self.held[name] for name in names})

    def take(self, rows):
        return Table({name: (kind, columns.taken(values, rows)) for name, (kind, values) in self.held.items()})

    def slice(self, offset, length):
        return Table({name: (kind, values[offset : offset + length]) for name, (kind, values) in self.held.items()})

    def with_columns(self, other):
        calls.append(("with_columns", *other.held))
        return Table({**self.held, **other.held})


class TableWriter:
    @classmethod
    def create(cls, schema):
        writer = cls()
        writer.kinds = {field.name: _wit.kind(field) for field in schema}
        writer.parts = {name: [] for name in writer.kinds}
        return writer

    def append(self, written):
        calls.append(("append", *(column.length for column in written)))
        for (name, kind), column in zip(self.kinds.items(), written):
            self.parts[name].append(columns.decode(kind, column.length, column.validity, column.offsets, column.data))

    @classmethod
    def finish(cls, writer):
        return Table({name: (kind, columns.joined(kind, writer.parts[name])) for name, kind in writer.kinds.items()})


@contextlib.contextmanager
def host():
    """Inside the `with`, `stepwell` talks to this host."""
    import sys

    before = _wit.tables, _wit.Err
    _wit.tables, _wit.Err = sys.modules[__name__], Err
    calls.clear()
    try:
        yield calls
    finally:
        _wit.tables, _wit.Err = before

"""Rows with named, typed columns: what a step is given and gives back.

Inside a component a table is a handle to rows that stay in the host; a column's bytes come over when it is first asked
for, at most `CHUNK_ROWS` rows a call, and only columns made here go back. Natively all columns are in memory. A step
cannot tell.
"""

from . import _wit
from .columns import Type, checked, decode, encode, infer, joined, parse, taken
from .errors import BudgetExceeded, InvalidInput

CHUNK_ROWS = 65_536
# The host refuses a read of more than 32 MiB; half of it leaves room for validity and offsets.
_READ_BYTES_MAX = 16 << 20


class Table:
    """Immutable rows. `rows["a"]` is a sequence of one value a row, None where there is no value; what changes a table
    returns a new one."""

    __slots__ = ("_types", "_length", "_local", "_handle", "_seen")

    def __init__(self, columns, types=None):
        """Makes a table of sequences of equal length, under their names. The types are told by the values, or by
        `types`: `{"age": "int64?"}`."""
        types = types or {}
        self._types, self._local, self._handle, self._seen, self._length = {}, {}, None, {}, 0
        for name in types:
            if name not in columns:
                raise InvalidInput(name, f"expected a column to give a type to, got only {_listed(columns)}")
        for index, (name, values) in enumerate(columns.items()):
            self._add(name, values, types.get(name), first=index == 0)

    @classmethod
    def _of(cls, kinds, length, local, handle):
        table = cls.__new__(cls)
        table._types, table._length, table._local, table._handle, table._seen = kinds, length, local, handle, {}
        return table

    def _add(self, name, values, text, first):
        if not hasattr(values, "__len__"):
            values = list(values)
        kind = parse(name, text) if text else infer(name, values)
        values = checked(name, kind, values)
        if first:
            self._length = len(values)
        elif len(values) != self._length:
            raise InvalidInput(name, f"expected {self._length} rows, got {len(values)}")
        self._types[name], self._local[name] = kind, values

    @property
    def columns(self):
        """Names of the columns, in order."""
        return list(self._types)

    @property
    def types(self):
        """The columns' types by name: `{"age": "int64?"}`."""
        return {name: str(kind) for name, kind in self._types.items()}

    def __len__(self):
        return self._length

    def __bool__(self):
        # A table is a table, also without rows: `if reference:` asks whether there is one.
        return True

    def __iter__(self):
        return iter(self._types)

    def __contains__(self, name):
        return name in self._types

    def __getitem__(self, name):
        """The values of a column: an `array.array` for numbers, times (microseconds since 1970 in UTC) and dates (days
        since 1970) without nulls; else a list."""
        if name in self._local:
            return self._local[name]
        self._known([name])
        if name not in self._seen:
            self._seen[name] = _read(self._handle, name, self._types[name], self._length)
        return self._seen[name]

    def with_columns(self, columns=None, types=None, **named):
        """This table with more columns of as many values; one of the same name is replaced where it stands."""
        made = Table({**(columns or {}), **named}, types)
        for name in made:
            if len(made) != self._length and self._types:
                raise InvalidInput(name, f"expected {self._length} rows, got {len(made)}")
        return Table._of(
            {**self._types, **made._types},
            len(made) if made._types else self._length,
            {**self._local, **made._local},
            self._handle,
        )

    def select(self, columns):
        """These columns, in this order."""
        columns = list(columns)
        self._known(columns)
        if len(set(columns)) != len(columns):
            raise InvalidInput("columns", f"expected each column once, got {_listed(columns)}")
        local = {name: self._local[name] for name in columns if name in self._local}
        handle = self._handle if len(local) < len(columns) else None
        return Table._of({name: self._types[name] for name in columns}, self._length, local, handle)

    def without(self, columns):
        """All columns but these."""
        columns = list(columns)
        self._known(columns)
        return self.select([name for name in self._types if name not in columns])

    def take(self, rows):
        """The rows at these positions, in this order; a position may come twice."""
        rows = list(rows)
        for row in rows:
            if not 0 <= row < self._length:
                raise InvalidInput("rows", f"expected positions below {self._length}, got {row}")
        local = {name: taken(values, rows) for name, values in self._local.items()}
        return Table._of(dict(self._types), len(rows), local, self._handle and _wit.call(self._handle.take, rows))

    def slice(self, offset, length):
        """`length` rows from row `offset`; fewer at the end."""
        offset = min(offset, self._length)
        length = min(length, self._length - offset)
        local = {name: values[offset : offset + length] for name, values in self._local.items()}
        return Table._of(dict(self._types), length, local, self._handle and _wit.call(self._handle.slice, offset, length))

    def chunks(self, rows=CHUNK_ROWS):
        """The table in consecutive pieces of at most so many rows; one piece without rows if there are none."""
        if self._length <= rows:
            yield self
            return
        for offset in range(0, self._length, rows):
            yield self.slice(offset, rows)

    def to_dict(self):
        """All columns as lists: for tests and small tables."""
        return {name: list(self[name]) for name in self._types}

    def __eq__(self, other):
        if not isinstance(other, Table):
            return NotImplemented
        return self.types == other.types and self.to_dict() == other.to_dict()

    __hash__ = None

    def __repr__(self):
        return f"Table({self._length} rows: {', '.join(f'{name} {kind}' for name, kind in self._types.items())})"

    def _copied(self):
        """The same rows with every column in memory, so that they no longer hang on their handle."""
        return Table._of(dict(self._types), self._length, {name: self[name] for name in self._types}, None)

    def _known(self, columns):
        for name in columns:
            if name not in self._types:
                # The host shows a step what it names alone, so that only the host knows whether there is such a column.
                hint = "; if there is one, name it: in `reads` or `takes`, a trainer's in `features`" if self._handle else ""
                raise InvalidInput(name, f"expected a column among {_listed(self._types)}, got no such column{hint}")

    def _typed(self, kinds):
        """The same rows, with columns made here under these declared types."""
        local = {
            name: checked(name, kinds[name], values) if name in kinds else values
            for name, values in self._local.items()
        }
        declared = {
            name: kinds[name] if name in kinds and name in local else kind for name, kind in self._types.items()
        }
        return Table._of(declared, self._length, local, self._handle)


def _listed(names):
    shown = [f"`{name}`" for name in names]
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "") or "none"


def lift(handle):
    """The table behind a handle that the host gave."""
    kinds = {field.name: _wit.kind(field) for field in handle.schema()}
    return Table._of(kinds, handle.rows(), {}, handle)


def lower(table):
    """A handle to these rows, for the host. Columns that came from the host do not cross again."""
    return lower_pieces(table, table.chunks())


def lower_pieces(source, pieces):
    """A handle to the pieces one after another. `source` is the table they were made of, row by row: the columns that
    stand in the pieces as they came are taken from it; only one piece need be in memory at a time."""
    writer, first = None, None
    for piece in pieces:
        if first is None:
            first, local = piece, list(piece._local)
            if local:
                writer = _wit.call(
                    _wit.tables.TableWriter.create, [_wit.field(name, piece._types[name]) for name in local]
                )
        elif list(piece._types.items()) != list(first._types.items()):
            raise InvalidInput("columns", f"expected the same in every piece, {first.types}; got {piece.types}")
        if local:
            for chunk in piece.chunks():
                _wit.call(writer.append, [_column(chunk._types[name], chunk._local[name]) for name in local])
    return _assembled(source, first, _wit.call(_wit.tables.TableWriter.finish, writer) if writer else None)


def _assembled(source, first, written):
    if first._handle is None:
        # All columns were made here; a table without columns has no row to count either.
        return written or _wit.call(_wit.tables.TableWriter.finish, _wit.call(_wit.tables.TableWriter.create, []))
    handle = source._handle
    if written:
        handle = _wit.call(handle.with_columns, written)
    if [field.name for field in handle.schema()] != first.columns:
        handle = _wit.call(handle.select, first.columns)
    return handle


def _column(kind, values):
    validity, offsets, data = encode(kind, values)
    return _wit.tables.Column(_wit.data_type(kind), len(values), validity, offsets, data)


def _read(handle, name, kind, length):
    at_once = CHUNK_ROWS if kind.name != "vector" else max(1, min(CHUNK_ROWS, _READ_BYTES_MAX // (4 * kind.length)))
    parts, offset = [], 0
    while offset < length or not parts:
        try:
            column = _wit.call(handle.read, name, offset, at_once)
        except BudgetExceeded:
            # Long texts: ask for fewer rows, down to one; a single value beyond the host's limit is its owner's error.
            if at_once == 1:
                raise
            at_once //= 2
            continue
        parts.append(decode(kind, column.length, column.validity, column.offsets, column.data))
        offset += column.length
        if column.length == 0:
            break
    return joined(kind, parts)


__all__ = ["CHUNK_ROWS", "Table", "Type", "lift", "lower", "lower_pieces"]

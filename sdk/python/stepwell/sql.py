"""SQL over tables that stay in the host: `query("select shop, sum(amount) as total from sales group by shop", sales=rows)`.

The host computes, natively and on the step's cores; the dialect is that of Apache DataFusion. There is none of it natively: a
step that asks SQL is tested as a component.
"""

from . import _wit
from .columns import parse
from .table import lift, lower


def query(sql, tables=None, **named):
    """The table that answers a query over tables, each under its name. What is wrong with the text is an `InvalidInput`
    with line, column and a caret."""
    lowered = [(name, lower(table)) for name, table in {**(tables or {}), **named}.items()]
    return lift(_wit.call(_wit.need("query").run, sql, lowered))


def query_columns(sql, tables=None, **named):
    """The columns that `query` would give, `{"total": "float64?"}`, over tables of such columns. Nothing is run."""
    given = {**(tables or {}), **named}
    fields = [(name, [_wit.field(*_typed(item)) for item in types.items()]) for name, types in given.items()]
    found = _wit.call(_wit.need("query").columns, sql, fields)
    return {field.name: str(_wit.kind(field)) for field in found}


def _typed(item):
    name, text = item
    return name, parse(name, text)


__all__ = ["query", "query_columns"]

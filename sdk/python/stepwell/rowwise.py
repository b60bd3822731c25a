"""One life of a row-wise step, as the host leads it: fit, save, restore, apply in pieces, each result checked.

The component's glue and the native `apply` share this, so that a test trips over what a run would trip over.
"""

from . import _returned
from .columns import parse
from .errors import InvalidInput, Permanent
from .roles import learns
from .table import CHUNK_ROWS, Table


def fitted(make, rows):
    """A step that learnt from these rows; one that does not learn, as it is."""
    step = make()
    if learns(step):
        step.fit(readable(step, rows))
    return step


def saved(step):
    """The step's state as files; none for a step that does not learn."""
    return _returned.files("save", step.save()) if learns(step) else {}


def restored(make, files):
    """A step with the state that `saved` gave."""
    step = make()
    if learns(step):
        step.restore(files)
    return step


def pieces(step, rows, size=CHUNK_ROWS):
    """The results of the step for consecutive pieces of the rows."""
    for piece in rows.chunks(size):
        yield _checked(step, piece, step.apply(readable(step, piece)))


def apply(make, rows, fit=None, piece_rows=CHUNK_ROWS):
    """What a run makes of these rows: fits on `fit` (or on the rows themselves), saves, restores, applies piece by
    piece. `make` is the step's class. For native tests."""
    step = restored(make, saved(fitted(make, rows if fit is None else fit)))
    made = list(pieces(step, rows, piece_rows))
    joined = {name: [value for piece in made for value in piece[name]] for name in made[0]}
    return Table(joined, made[0].types)


def columns_out(step, columns):
    """The columns that `apply` gives for these, as `{name: Type}`."""
    kept = {name: kind for name, kind in columns.items() if name not in step.drops}
    return {**kept, **{name: parse(name, text) for name, text in step.adds.items()}}


def readable(step, rows):
    """The rows, once the columns that the step reads are there, of their types and without nulls where none may be."""
    for name, text in step.reads.items():
        wanted = parse(name, text)
        values = rows[name]
        got = parse(name, rows.types[name])
        if (got.name, got.length) != (wanted.name, wanted.length):
            raise InvalidInput(name, f"expected {wanted}, got {got}")
        if not wanted.nullable and isinstance(values, list) and None in values:
            raise InvalidInput(
                name, f"expected no nulls, got one in row {values.index(None)}; `{text}?` in `reads` allows them"
            )
    return rows


def _checked(step, piece, made):
    if not isinstance(made, Table):
        raise Permanent(f"expected a table from `apply`, got {type(made).__name__}; return `rows.with_columns(..)`")
    if len(made) != len(piece):
        raise Permanent(f"expected {len(piece)} rows from `apply`, one a row it was given; got {len(made)}")
    expected = columns_out(step, piece._types)
    unknown = [name for name in made if name not in expected]
    absent = [name for name in expected if name not in made]
    if unknown or absent:
        raise Permanent(
            f"expected the columns {', '.join(expected)} from `apply`, as `adds` and `drops` say; got {', '.join(made)}"
        )
    if made._handle is not None and made._handle is not piece._handle:
        # Rows taken anew are other rows to the host: write them instead of pointing at the input's.
        made = made._copied()
    # A column that is replaced without being declared keeps its old type, which the new values must fit.
    return made._typed(expected).select(list(expected))

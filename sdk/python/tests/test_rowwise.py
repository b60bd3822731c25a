"""A row-wise step's life as the host leads it, and each way in which a step can break its word."""

import unittest

from stepwell import InvalidInput, Permanent, RowWise, Table, apply, pretend, rowwise
from stepwell.columns import parse
from stepwell.rowwise import fitted, restored, saved
from stepwell.table import lift, lower_pieces

from . import fake_host

ROWS = Table({"x": [1.0, 2.0, 6.0], "name": ["a", "b", "c"]})


class Centred(RowWise):
    """Takes the mean away."""

    reads = {"x": "float64"}
    adds = {"x": "float64"}
    parameters = {"times": {"type": "number", "default": 1.0}}

    def fit(self, rows):
        self.state = {"mean": sum(rows["x"]) / len(rows)}

    def apply(self, rows):
        return rows.with_columns(x=[self.params()["times"] * (x - self.state["mean"]) for x in rows["x"]])


class Kept(RowWise):
    """Does what a test tells it to."""

    def apply(self, rows):
        return self.made(rows)


def kept(made, **declared):
    return type("Kept", (Kept,), {"made": staticmethod(made), **declared})


class Life(unittest.TestCase):
    def test_what_was_learnt_is_applied_to_other_rows(self):
        made = apply(Centred, Table({"x": [3.0], "name": ["d"]}), fit=ROWS)
        self.assertEqual(made.to_dict(), {"x": [0.0], "name": ["d"]})

    def test_parameters_come_from_the_pipeline_else_from_the_schema(self):
        self.assertEqual(list(apply(Centred, ROWS)["x"]), [-2.0, -1.0, 3.0])
        with pretend(params={"times": 10}):
            self.assertEqual(list(apply(Centred, ROWS)["x"]), [-20.0, -10.0, 30.0])

    def test_pieces_give_what_the_whole_gives(self):
        self.assertEqual(apply(Centred, ROWS, piece_rows=2), apply(Centred, ROWS))

    def test_the_state_is_a_file_of_json(self):
        files = saved(fitted(Centred, ROWS))
        self.assertEqual(files, {"state.json": b'{"mean": 3.0}'})
        self.assertEqual(restored(Centred, files).state, {"mean": 3.0})

    def test_a_state_that_json_would_change_is_refused(self):
        for state, got in [
            ({1: 2.0}, "expected text as a key in `state`, got int 1"),
            ({"a": [(1, 2)]}, r"in `state.a\[0\]` .*, got tuple"),
        ]:
            step = Centred()
            step.state = state
            with self.assertRaisesRegex(Permanent, got):
                step.save()

    def test_rows_in_the_host_are_answered_a_piece_at_a_time(self):
        with fake_host.host() as calls:
            held = {"x": (parse("x", "float64"), [1.0, 2.0, 6.0]), "name": (parse("name", "text"), ["a", "b", "c"])}
            rows = lift(fake_host.Table(held))
            step = fitted(Centred, rows)
            del calls[:]
            back = lift(lower_pieces(rows, rowwise.pieces(step, rows, 2)))
            self.assertEqual(
                calls,
                [
                    ("read", "x", 0, 65_536),
                    ("append", 2),
                    ("read", "x", 0, 65_536),
                    ("append", 1),
                    ("with_columns", "x"),
                ],
            )
            self.assertEqual(back, apply(Centred, ROWS))

    def test_rows_taken_anew_in_the_host_are_written_not_pointed_at(self):
        with fake_host.host():
            rows = lift(fake_host.Table({"x": (parse("x", "int64"), [1, 2, 3])}))
            step = kept(lambda rows: rows.take([2, 1, 0]))()
            self.assertEqual(lift(lower_pieces(rows, rowwise.pieces(step, rows))).to_dict(), {"x": [3, 2, 1]})


class BrokenWords(unittest.TestCase):
    def check(self, error, message, made, **declared):
        with self.assertRaises(error) as caught:
            apply(kept(made, **declared), ROWS)
        self.assertEqual(str(caught.exception), message)

    def test_a_column_that_adds_does_not_declare(self):
        self.check(
            Permanent,
            "expected the columns x, name from `apply`, as `adds` and `drops` say; got x, name, y",
            lambda rows: rows.with_columns(y=[0] * 3),
        )

    def test_a_declared_column_that_is_missing(self):
        self.check(
            Permanent,
            "expected the columns x, name, y from `apply`, as `adds` and `drops` say; got x, name",
            lambda rows: rows,
            adds={"y": "float64"},
        )

    def test_another_count_of_rows(self):
        self.check(
            Permanent, "expected 3 rows from `apply`, one a row it was given; got 1", lambda rows: rows.take([0])
        )

    def test_no_table(self):
        self.check(
            Permanent, "expected a table from `apply`, got list; return `rows.with_columns(..)`", lambda rows: [1]
        )

    def test_a_null_in_a_column_declared_without(self):
        self.check(
            InvalidInput,
            "`y`: expected float64 in row 1, got a null; a type that ends in `?` allows it",
            lambda rows: rows.with_columns(y=[1.0, None, 2.0]),
            adds={"y": "float64"},
        )

    def test_a_replaced_column_of_another_type(self):
        self.check(
            InvalidInput, "`x`: expected float64 in row 0, got str 'a'", lambda rows: rows.with_columns(x=["a"] * 3)
        )

    def test_a_column_read_that_has_another_type_or_is_absent(self):
        self.check(InvalidInput, "`name`: expected float64, got text", lambda rows: rows, reads={"name": "float64"})
        self.check(
            InvalidInput,
            "`z`: expected a column among `x`, `name`, got no such column",
            lambda rows: rows,
            reads={"z": "text"},
        )

    def test_a_whole_number_fits_a_declared_float(self):
        made = apply(
            kept(lambda rows: rows.with_columns(y=[1, 2, 3]).without(["name"]), adds={"y": "float64"}, drops=["name"]),
            ROWS,
        )
        self.assertEqual(made.types, {"x": "float64", "y": "float64"})

"""A table in memory, and the same table as a handle of the host: equal for the step, and what crosses is counted."""

import unittest
from array import array

from stepwell import InvalidInput, Table
from stepwell.columns import parse
from stepwell.table import lift, lower

from . import fake_host


class InMemory(unittest.TestCase):
    def setUp(self):
        self.rows = Table({"a": [1.0, 2.0, 3.0], "b": ["x", None, "z"]})

    def test_columns_types_and_values(self):
        self.assertEqual(self.rows.columns, ["a", "b"])
        self.assertEqual(self.rows.types, {"a": "float64", "b": "text?"})
        self.assertEqual(len(self.rows), 3)
        self.assertEqual(self.rows["a"], array("d", [1.0, 2.0, 3.0]))
        self.assertEqual(self.rows["b"], ["x", None, "z"])

    def test_a_column_is_replaced_where_it_stands_and_appended_else(self):
        made = self.rows.with_columns({"a": [1, 2, 3], "mean radius": [0.5] * 3}, c=[True] * 3)
        self.assertEqual(made.types, {"a": "int64", "b": "text?", "mean radius": "float64", "c": "boolean"})
        self.assertEqual(self.rows.columns, ["a", "b"])

    def test_rows_and_columns_are_chosen_in_order(self):
        self.assertEqual(self.rows.take([2, 0, 2]).to_dict(), {"a": [3.0, 1.0, 3.0], "b": ["z", "x", "z"]})
        self.assertEqual(self.rows.select(["b"]).columns, ["b"])
        self.assertEqual(self.rows.without(["b"]).columns, ["a"])
        self.assertEqual(self.rows.slice(1, 9).to_dict(), {"a": [2.0, 3.0], "b": [None, "z"]})
        self.assertEqual([len(piece) for piece in self.rows.chunks(2)], [2, 1])

    def test_mistakes_name_the_column(self):
        for call, message in [
            (lambda: self.rows["c"], "`c`: expected a column among `a`, `b`, got no such column"),
            (lambda: self.rows.select(["a", "a"]), "`columns`: expected each column once, got `a`, `a`"),
            (lambda: self.rows.take([3]), "`rows`: expected positions below 3, got 3"),
            (lambda: self.rows.with_columns(c=[1]), "`c`: expected 3 rows, got 1"),
            (lambda: Table({"a": [1], "b": [1, 2]}), "`b`: expected 1 rows, got 2"),
            (lambda: Table({"a": [1]}, {"b": "text"}), "`b`: expected a column to give a type to, got only `a`"),
        ]:
            with self.assertRaises(InvalidInput) as caught:
                call()
            self.assertEqual(str(caught.exception), message)


class InTheHost(unittest.TestCase):
    def held(self, **columns):
        return fake_host.Table({name: (parse(name, text), values) for name, (text, values) in columns.items()})

    def test_only_the_column_asked_for_is_read_and_only_new_ones_are_written(self):
        with fake_host.host() as calls:
            rows = lift(self.held(a=("float64", [1.0, 2.0]), b=("text", ["x", "y"])))
            made = rows.with_columns(c=[2 * a for a in rows["a"]])
            rows["a"]
            back = lower(made)
            self.assertEqual(calls, [("read", "a", 0, 65_536), ("append", 2), ("with_columns", "c")])
            self.assertEqual(lift(back), Table({"a": [1.0, 2.0], "b": ["x", "y"], "c": [2.0, 4.0]}))

    def test_a_column_that_was_not_named_may_be_there(self):
        with fake_host.host():
            rows = lift(self.held(a=("float64", [1.0])))
            with self.assertRaises(InvalidInput) as caught:
                rows.select(["city"])
        self.assertEqual(
            str(caught.exception),
            "`city`: expected a column among `a`, got no such column; "
            "if there is one, name it: in `reads` or `takes`, a trainer's in `features`",
        )

    def test_a_table_that_a_step_returns_as_it_came_costs_nothing(self):
        with fake_host.host() as calls:
            handle = self.held(a=("float64", [1.0]))
            self.assertIs(lower(lift(handle)), handle)
            self.assertEqual(calls, [])

    def test_large_columns_cross_in_pieces(self):
        with fake_host.host() as calls:
            rows = lift(self.held(a=("int64", list(range(150_000)))))
            self.assertEqual(rows["a"], array("q", range(150_000)))
            lower(rows.with_columns(b=rows["a"]).select(["b"]))
            self.assertEqual([call[0] for call in calls], ["read"] * 3 + ["append"] * 3)
            self.assertEqual(calls[-1], ("append", 18_928))

    def test_long_texts_are_asked_for_in_fewer_rows(self):
        with fake_host.host() as calls:
            rows = lift(self.held(a=("text", ["x" * (12 << 20)] * 3)))
            self.assertEqual([len(text) for text in rows["a"]], [12 << 20] * 3)
            self.assertLess(calls[-1][3], 4)

    def test_chosen_rows_and_columns_stay_in_the_host(self):
        with fake_host.host() as calls:
            rows = lift(self.held(a=("float64?", [1.0, None]), b=("text", ["x", "y"])))
            chosen = rows.with_columns(c=[1, 2]).take([1]).select(["c", "a"])
            self.assertEqual(lift(lower(chosen)).to_dict(), {"c": [2], "a": [None]})
            self.assertNotIn("b", [call[1] for call in calls if call[0] == "read"])

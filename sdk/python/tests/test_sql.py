"""What a query sends to the host, watched: names, handles and types."""

import unittest
from types import SimpleNamespace

from stepwell import InvalidInput, Permanent, Table, _wit, query, query_columns

from . import fake_host


class Sql(unittest.TestCase):
    def asked(self, run=None, columns=None):
        """Inside, the host answers with these."""
        before = _wit.query
        _wit.query = SimpleNamespace(run=run, columns=columns)
        self.addCleanup(setattr, _wit, "query", before)

    def test_tables_go_by_name_and_an_answer_comes_back(self):
        def run(sql, tables):
            self.assertEqual(sql, "select * from a join b")
            self.assertEqual([(name, table.rows()) for name, table in tables], [("a", 2), ("b", 1)])
            return tables[0][1]

        with fake_host.host():
            self.asked(run=run)
            answer = query("select * from a join b", {"a": Table({"x": [1, 2]})}, b=Table({"y": ["z"]}))
            self.assertEqual(answer.to_dict(), {"x": [1, 2]})

    def test_columns_are_asked_by_their_types(self):
        def columns(_, tables):
            ((name, fields),) = tables
            self.assertEqual((name, [field.nullable for field in fields]), ("a", [False, True]))
            return fields

        with fake_host.host():
            self.asked(columns=columns)
            self.assertEqual(query_columns("", a={"x": "int64", "y": "text?"}), {"x": "int64", "y": "text?"})
            with self.assertRaises(InvalidInput):
                query_columns("", a={"x": "number"})

    def test_there_is_none_natively(self):
        with self.assertRaisesRegex(Permanent, "`query` needs the host"):
            query("select 1")

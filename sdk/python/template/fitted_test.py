"""The step without wasm: `python3 tests/test.py`."""

import sys
import unittest
from pathlib import Path
from runpy import run_path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / ".stepwell-sdk/sdk/python"))

from stepwell import Table, apply, pretend  # noqa: E402

ZScore = run_path(str(HERE / "my-plugin.py"))["ZScore"]


class ZScoreTest(unittest.TestCase):
    def test_values_are_scaled_as_learnt_and_nulls_stay(self):
        with pretend(params={"column": "x"}):
            made = apply(ZScore, Table({"x": [5.0, None]}), fit=Table({"x": [1.0, 3.0]}))
        self.assertEqual(made["x"], [3.0, None])

    def test_a_row_has_the_same_answer_alone_as_among_others(self):
        rows = Table({"x": [1.0, None, 4.0, 4.0]})
        with pretend(params={"column": "x"}):
            self.assertEqual(apply(ZScore, rows), apply(ZScore, rows, piece_rows=1))


if __name__ == "__main__":
    unittest.main()

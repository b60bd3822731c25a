"""The step without wasm: `python3 -m unittest discover examples/tumour/tests` from the root, with `sdk/python` on the
path."""

import sys
import unittest
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(EXAMPLE / "steps"), str(EXAMPLE.parent.parent / "sdk" / "python")]

from concavity_by_size import ConcavityBySize  # noqa: E402

import stepwell  # noqa: E402


class ConcavityBySizeTest(unittest.TestCase):
    def setUp(self):
        self.rows = stepwell.Table(
            {"sample": [1, 2, 3], "worst_concavity": [1.5, -2.0, 0.0], "worst_radius": [2.0, -0.5, 9.0]}
        )

    def test_the_product_stands_beside_the_columns_it_came_with(self):
        made = stepwell.apply(ConcavityBySize, self.rows)
        self.assertEqual(made.columns, ["sample", "worst_concavity", "worst_radius", "concavity_by_size"])
        self.assertEqual(list(made["concavity_by_size"]), [3.0, 1.0, 0.0])

    def test_a_row_has_the_same_answer_alone_as_among_others(self):
        together = stepwell.apply(ConcavityBySize, self.rows)
        alone = stepwell.apply(ConcavityBySize, self.rows, piece_rows=1)
        self.assertEqual(together, alone)

    def test_a_null_is_refused_by_name(self):
        rows = self.rows.with_columns(worst_radius=[2.0, None, 9.0])
        with self.assertRaisesRegex(stepwell.InvalidInput, "`worst_radius`: expected no nulls, got one in row 1"):
            stepwell.apply(ConcavityBySize, rows)


if __name__ == "__main__":
    unittest.main()

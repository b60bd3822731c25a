"""The step without wasm: `python3 tests/test.py`."""

import sys
import unittest
from pathlib import Path
from runpy import run_path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / ".stepwell-sdk/sdk/python"))

from stepwell import Table, pretend  # noqa: E402

MeanAbsoluteError = run_path(str(HERE / "my-plugin.py"))["MeanAbsoluteError"]


class MeanAbsoluteErrorTest(unittest.TestCase):
    def test_slices_share_the_rows_among_them(self):
        rows = Table({"y": [1.0, 5.0, 3.0], "prediction": [0.0, 0.0, 0.0], "kind": ["a", "b", "a"]})
        with pretend(params={"label": "y"}):
            measures = MeanAbsoluteError().evaluate(rows, None, ["kind"])
        found = [(measure.slice, measure.value) for measure in measures]
        self.assertEqual(found, [(None, 3.0), ("kind=a", 2.0), ("kind=b", 5.0)])


if __name__ == "__main__":
    unittest.main()

"""The step without wasm: `python3 tests/test.py`."""

import contextlib
import io
import sys
import unittest
from pathlib import Path
from runpy import run_path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / ".stepwell-sdk/sdk/python"))

from stepwell import Table  # noqa: E402

Told = run_path(str(HERE / "my-plugin.py"))["Told"]


class ToldTest(unittest.TestCase):
    def test_the_rows_are_told_under_their_key(self):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            receipt = Told().deliver("default/daily/run-1/out", Table({"x": [1.0, None]}))
        self.assertEqual(receipt.location, "the step's log")
        self.assertIn("default/daily/run-1/out: 2 rows", said.getvalue())


if __name__ == "__main__":
    unittest.main()

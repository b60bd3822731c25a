"""The step without wasm: `python3 tests/test.py`."""

import sys
import unittest
from pathlib import Path
from runpy import run_path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / ".stepwell-sdk/sdk/python"))

from stepwell import Table, pretend  # noqa: E402

Nulls = run_path(str(HERE / "my-plugin.py"))["Nulls"]


class NullsTest(unittest.TestCase):
    def test_a_share_is_judged_with_the_rows_it_is_made_of(self):
        rows = Table({"x": [1.0, None]})
        for most, passed in [(0, False), (0.5, True)]:
            with pretend(params={"column": "x", "most": most}):
                (found,) = Nulls().check(rows, None)
            self.assertEqual((found.passed, found.observed, found.sample), (passed, 0.5, [1]))


if __name__ == "__main__":
    unittest.main()

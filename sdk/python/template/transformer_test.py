"""The step without wasm: `python3 tests/test.py`."""

import sys
import unittest
from pathlib import Path
from runpy import run_path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / ".stepwell-sdk/sdk/python"))

from stepwell import Table, pretend  # noqa: E402

Distinct = run_path(str(HERE / "my-plugin.py"))["Distinct"]


class DistinctTest(unittest.TestCase):
    def test_the_first_row_of_a_value_stays(self):
        rows = Table({"key": ["b", None, "a", "b", None], "row": [0, 1, 2, 3, 4]})
        with pretend(params={"column": "key"}):
            made = Distinct().run({"table": rows})
        self.assertEqual(list(made["table"]["row"]), [0, 1, 2])


if __name__ == "__main__":
    unittest.main()

"""The step without wasm: `python3 tests/test.py`."""

import sys
import unittest
from pathlib import Path
from runpy import run_path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / ".stepwell-sdk/sdk/python"))

from stepwell import pretend  # noqa: E402

Numbers = run_path(str(HERE / "my-plugin.py"))["Numbers"]


class NumbersTest(unittest.TestCase):
    def test_pages_follow_each_other_to_the_end(self):
        with pretend(params={"rows": 1500}):
            first = Numbers().read(None)
            second = Numbers().read(first.next_cursor)
        self.assertEqual((len(first.table), first.more), (1000, True))
        self.assertEqual((second.table["square"][0], len(second.table), second.more), (1_000_000, 500, False))


if __name__ == "__main__":
    unittest.main()

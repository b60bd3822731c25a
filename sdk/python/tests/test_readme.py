"""The README's example is a whole step: it runs here as it stands there, and it is as short as it says."""

import re
import unittest
from pathlib import Path

from stepwell import Table, apply

README = Path(__file__).resolve().parent.parent / "README.md"


class Readme(unittest.TestCase):
    def test_the_example_runs(self):
        code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL).group(1)
        self.assertLessEqual(len(code.strip().splitlines()), 12)
        names = {}
        exec(compile(code, "README.md", "exec"), names)
        made = apply(
            names["Roundness"], Table({"area": [3.141592653589793, 1.0], "perimeter": [6.283185307179586, 4.0]})
        )
        self.assertEqual(made.columns, ["area", "perimeter", "roundness"])
        self.assertAlmostEqual(made["roundness"][0], 1.0)
        self.assertAlmostEqual(made["roundness"][1], 0.7853981633974483)

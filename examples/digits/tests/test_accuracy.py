"""The evaluator without wasm: `python3 -m unittest discover examples/digits/tests` from the root, with `sdk/python` on the
path. The network needs the host's tensors: a run of the pipeline tests it."""

import sys
import unittest
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(EXAMPLE / "steps"), str(EXAMPLE.parent.parent / "sdk" / "python")]

from accuracy import Accuracy  # noqa: E402

import stepwell  # noqa: E402


class AccuracyTest(unittest.TestCase):
    def test_of_all_and_of_each_digit(self):
        rows = stepwell.Table({"digit": [3, 3, 5, 5], "prediction": [3, 8, 5, 5]})
        measures = Accuracy().evaluate(rows, None, [])
        self.assertEqual(
            [(measure.slice, measure.value) for measure in measures], [(None, 0.75), ("digit=3", 0.5), ("digit=5", 1.0)]
        )


if __name__ == "__main__":
    unittest.main()

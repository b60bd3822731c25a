"""The step without wasm: `python3 tests/test.py`."""

import sys
import unittest
from pathlib import Path
from runpy import run_path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / ".stepwell-sdk/sdk/python"))

from stepwell import Table, Training  # noqa: E402

STEP = run_path(str(HERE / "my-plugin.py"))


class MeanTest(unittest.TestCase):
    def test_what_is_saved_is_what_is_loaded(self):
        rows = Table({"x": [0.0, 0.0, 0.0], "y": [1.0, 2.0, 6.0]})
        trained = STEP["MeanTrainer"]().train(Training(rows, None, ["x"], "y", None, None))
        predictor = STEP["MeanPredictor"]()
        predictor.load(trained.files)
        self.assertEqual(list(predictor.predict(rows.select(["x"]))["prediction"]), [3.0, 3.0, 3.0])
        self.assertEqual(trained.inputs, {"x": "float64"})


if __name__ == "__main__":
    unittest.main()

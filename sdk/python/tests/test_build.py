"""What a build stages, without building: the world, the entry, the trimmed contract, and the errors people see."""

import ast
import tempfile
import unittest
from pathlib import Path

from stepwell import build, source

WIT = Path(__file__).resolve().parents[3] / "wit"
STEP = """from stepwell import RowWise
import random

class Roundness(RowWise):
    def apply(self, rows):
        return rows
"""


class Build(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.step = Path(folder.name) / "roundness.py"
        self.step.write_text(STEP)
        self.source = source.read(str(self.step))

    def test_the_world_is_what_the_step_names(self):
        self.assertEqual(
            build.world(self.source),
            """package stepwell:generated;

world plugin {
    import stepwell:platform/config@0.1.0;
    import stepwell:data/tables@0.1.0;
    export stepwell:step/description@0.1.0;
    export stepwell:step/fitted@0.1.0;
}
""",
        )

    def test_the_entry_imports_everything_the_step_will_ever_import(self):
        text = build.entry(self.source)
        ast.parse(text)
        self.assertIn("\nimport random\n", text)
        self.assertTrue(
            text.endswith("_entry.bind(step_source, 'roundness.py', 'roundness', {'RowWise': 'Roundness'}, True)\n")
        )

    def test_functions_of_config_that_the_step_does_not_name_are_trimmed(self):
        platform = (WIT / "platform@0.1.0" / "platform.wit").read_text()
        config = build.trimmed(platform, ["seed"]).split("interface config {")[1].split("\n}")[0]
        self.assertIn("    seed: func() -> u64;", config)
        self.assertNotIn("parameters: func", config)
        self.assertNotIn("logical-time", config)
        self.assertEqual(build.trimmed(platform, ["parameters", "seed", "logical-time"]), platform)

    def test_a_step_that_fails_while_it_is_built_is_named_with_its_line(self):
        output = "Traceback\n  File \"/0/step_source.py\", line 2, in <module>\nKeyError: 'missing'\n\nCaused by: .."
        self.assertEqual(
            build.failure(output, "bad.py"),
            "bad.py, line 2: expected the file to run while it is built, got KeyError: 'missing'",
        )

    def test_a_missing_contract_is_named(self):
        with self.assertRaisesRegex(
            build.BuildError, "expected the contract's folder `data@0.1.0` in `nowhere`, got none"
        ):
            build._wit_folder("nowhere", "data")

"""A step's text -> what its build needs. The text is never run: a step that would fail or do harm natively still
reads."""

import tempfile
import textwrap
import unittest
from pathlib import Path

from stepwell import source
from stepwell.roles import ROLES

ROW = "\n\nclass Step(RowWise):\n    pass\n"


def read(text, file="step.py"):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        path.write_text(textwrap.dedent(text))
        return source.read(str(path))


class Source(unittest.TestCase):
    def test_every_role_is_known(self):
        self.assertEqual(set(source.EXPORTS), set(ROLES))
        for role, interface in source.EXPORTS.items():
            if role not in ("Trainer", "Predictor"):
                found = read(f"from stepwell import {role}\nclass Mine({role}): pass\n")
                self.assertEqual((found.classes, found.world_exports), ({role: "Mine"}, [interface]))

    def test_a_learner_is_two_classes(self):
        found = read("import stepwell as s\nclass P(s.Predictor): pass\nclass T(s.Trainer): pass\n")
        self.assertEqual(
            (found.classes, found.world_exports), ({"Trainer": "T", "Predictor": "P"}, ["trainer", "predictor"])
        )

    def test_what_the_text_names_is_imported_and_no_more(self):
        for text, imports, config in [
            ("from stepwell import RowWise", ["tables"], []),
            ("from stepwell import RowWise, log as say\nsay('x')", ["report", "tables"], []),
            ("from stepwell import RowWise\nprint('x')", ["report", "tables"], []),
            ("from stepwell import RowWise\nimport random", ["config", "tables"], ["seed"]),
            ("from stepwell import RowWise\nlambda self: self.params()", ["config", "tables"], ["parameters"]),
            ("from stepwell import RowWise, logical_time\nlogical_time()", ["config", "tables"], ["logical-time"]),
            ("import stepwell\nfrom stepwell import RowWise\nstepwell.open_file('x')", ["files", "tables"], []),
            ("from stepwell import RowWise, list_files\nlist_files('x')", ["files", "tables"], []),
            ("from stepwell import *\nsave_checkpoint(b'')", ["checkpoint", "tables"], []),
            ("from stepwell import RowWise, tensor\ntensor.full([1], 0)", ["tables", "tensors"], []),
            ("from stepwell import RowWise\nfrom stepwell.tensor import sgd", ["tables", "tensors", "training"], []),
            ("from stepwell import RowWise, query\nquery('')", ["query", "tables"], []),
            ("import stepwell\nfrom stepwell import RowWise\nstepwell.query_columns('')", ["query", "tables"], []),
            ("from stepwell import RowWise\nseed = 1\nlog = seed", ["tables"], []),
        ]:
            with self.subTest(text=text):
                found = read(text + ROW)
                self.assertEqual((found.imports, found.config), (imports, config))

    def test_modules_imported_inside_functions_are_found(self):
        self.assertIn("statistics", read("from stepwell import RowWise\ndef f():\n    import statistics" + ROW).modules)

    def test_a_clock_is_refused(self):
        with self.assertRaisesRegex(source.SourceError, "step.py, line 2: expected no clock, got `datetime.now`"):
            read("import datetime\nx = datetime.datetime.now\nfrom stepwell import RowWise" + ROW)

    def test_the_name_is_the_files_in_kebab_case(self):
        for file, name in [
            ("roundness.py", "roundness"),
            ("mean_fill.py", "mean-fill"),
            ("MeanFill2.py", "mean-fill2"),
        ]:
            self.assertEqual(source.plugin_name(file), name)

    def test_errors_name_file_and_line(self):
        for text, message in [
            (
                "class A: pass",
                "step.py: expected a class based on one of RowWise, Transformer, Collector, Validator, Trainer, "
                "Predictor, Evaluator, Sink from `stepwell`, got none",
            ),
            (
                "from stepwell import RowWise\nclass A(RowWise): pass\nclass B(RowWise): pass",
                "step.py, line 3: expected one RowWise, got `A` and `B`",
            ),
            (
                "from stepwell import Trainer\nclass A(Trainer): pass",
                "step.py: expected one role, or a Trainer and its Predictor; got Trainer `A`",
            ),
            ("from stepwell import RowWise\ndef (:", "step.py, line 2: expected Python, got: "),
            ("from . import x", "step.py, line 1: expected a step in one file, got an import relative to it"),
        ]:
            with self.subTest(text=text):
                with self.assertRaises(source.SourceError) as caught:
                    read(
                        text
                        + (
                            ""
                            if "RowWise" in text or "class" in text or "Trainer" in text
                            else "\nfrom stepwell import RowWise" + ROW
                        )
                    )
                self.assertTrue(str(caught.exception).startswith(message), str(caught.exception))

    @unittest.skipUnless(hasattr(__import__("sys"), "stdlib_module_names"), "the list of modules came with Python 3.10")
    def test_a_module_that_no_component_has_is_named(self):
        with self.assertRaisesRegex(
            source.SourceError, "line 2: expected a module of the standard library, got `numpy`"
        ):
            read("from stepwell import RowWise\nimport numpy.linalg" + ROW)

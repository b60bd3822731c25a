"""What a role's method returns that is not what its role says is told by the method's name."""

import unittest
from unittest import mock

from stepwell import Page, Permanent, RowWise, Table, Trained, _entry, apply
from stepwell.tensor import Tensor

ROWS = Table({"x": [1.0]})
NO_TENSOR = (
    "expected bytes as the file `w` from `train`, got Tensor; `to_safetensors({..})` of `stepwell.tensor` makes them of tensors"
)


def trained(files={}, inputs={}, outputs={}, measures={}):
    return Trained(files, inputs, outputs, measures)


class Returned(unittest.TestCase):
    def check(self, export, method, made, message):
        """Calls an export as the host does, of a step whose method returns this."""
        step = mock.MagicMock(gives={}, reads={}, **{method: lambda *_: made})
        held = mock.MagicMock(_step=step, _trained=_entry.Trainer._trained)
        plain = {"_step": lambda _: step, "_plugin": mock.MagicMock(), "lift": lambda each: each, "_fields": list, "_files": list}
        count = export.__wrapped__.__code__.co_argcount
        with mock.patch.multiple(_entry, **plain), self.assertRaises(Permanent) as caught:
            export.__wrapped__(held, *[mock.MagicMock(initial=None), None, None][: count - 1])
        self.assertEqual(str(caught.exception), message)

    def test_what_a_trainer_returns(self):
        for made, message in [
            ({}, "expected a `Trained` from `train`, got dict"),
            (None, "expected a `Trained` from `train`, got NoneType"),
            (trained({"w": Tensor(None)}), NO_TENSOR),
            (trained({"w": "{}"}), "expected bytes as the file `w` from `train`, got str; `.encode()` makes them of text"),
            (trained(b""), "expected a dict of files from `train`, got bytes"),
            (
                trained(inputs=["x"]),
                "expected a dict of columns, `{name: type}`, as `inputs` of the `Trained` from `train`, got list",
            ),
            (trained(measures=[]), "expected a dict as `measures` of the `Trained` from `train`, got list"),
        ]:
            self.check(_entry.Trainer.train, "train", made, message)

    def test_what_the_other_roles_return(self):
        self.check(
            _entry.Model.predict,
            "predict",
            Tensor(None),
            "expected a table from `predict`, got Tensor; its `to_table(columns)` makes one",
        )
        self.check(_entry.Transformer.run, "run", ROWS, "expected a dict of tables from `run`, got Table")
        self.check(_entry.Transformer.run, "run", {"a": [1]}, "expected a table on the port `a` from `run`, got list")
        self.check(_entry.Collector.read, "read", ROWS, "expected a `Page` from `read`, got Table")
        self.check(_entry.Collector.read, "read", Page({}), "expected a table in the `Page` from `read`, got dict")
        self.check(
            _entry.Collector.discover, "discover", ["a"], "expected a dict of columns, `{name: type}`, from `discover`, got list"
        )
        self.check(_entry.Validator.check, "check", None, "expected a list of `Finding` from `check`, got NoneType")
        self.check(_entry.Validator.check, "check", [True], "expected a `Finding` in the list from `check`, got bool")
        self.check(_entry.Evaluator.evaluate, "evaluate", {"auc": 1.0}, "expected a list of `Measure` from `evaluate`, got dict")
        self.check(_entry.Sink.deliver, "deliver", "out.csv", "expected a `Receipt` from `deliver`, got str")

    def test_a_state_is_files(self):
        class Learns(RowWise):
            def fit(self, rows):
                pass

            def save(self):
                return {"w": 3}

        with self.assertRaisesRegex(Permanent, "^expected bytes as the file `w` from `save`, got int$"):
            apply(Learns, ROWS)

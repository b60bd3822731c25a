"""Slices and shapes, on tensors that are lists; and that the API knows every operation of the contract."""

import inspect
import re
import unittest
from pathlib import Path
from unittest import mock

from stepwell import ShapeMismatch, _index, _wit, tensor

CONTRACT = Path(__file__).resolve().parents[3] / "wit/tensor@0.1.0/tensor.wit"
# What has another name here: values and lists instead of bytes, one function for two of the contract's.
NAMES = {
    "tensors.from-table": "tensor",
    "tensors.from-bytes": "tensor",
    "tensors.to-bytes": "values",
    "tensors.shape": "shape",
    "tensors.element-type": "type",
    "training.create": "Variable",
    "training.value": "Variable",
    "training.set": "Variable",
    "training.step": "Optimiser",
    "training.apply": "Optimiser",
    "training.save": "Optimiser",
    "training.restore": "Optimiser",
}
CASES = {
    "pooling.max": "max_pool",
    "pooling.average": "average_pool",
    "method.sgd": "sgd",
    "method.adamw": "adamw",
    "decay.constant": "constant",
    "decay.step": "step_decay",
    "decay.exponential": "exponential_decay",
    "decay.cosine": "cosine_decay",
    "distance.squared": "mean_squared_error",
    "distance.absolute": "mean_absolute_error",
    "distance.huber": "huber",
    "distance.quantile": "quantile_loss",
}
# Functions that have a method or a function for each case of their enumeration.
BY_CASE = "unary binary binary-scalar compare compare-scalar reduce pool regression-loss learning-rate".split()


def known(name):
    """Whether the API has it, as a function or as a method."""
    name = name.replace("-", "_")
    return hasattr(tensor, name) or hasattr(tensor.Tensor, name)


class Contract(unittest.TestCase):
    def test_every_function_is_there(self):
        interface, found = None, 0
        for line in CONTRACT.read_text().splitlines():
            interface = (re.match(r"interface (\S+)", line) or [None, interface])[1]
            function = re.match(r"\s+([a-z0-9-]+): (?:static )?func\(", line)
            if function and function[1] not in BY_CASE:
                self.assertTrue(known(NAMES.get(f"{interface}.{function[1]}", function[1])), function[1])
                found += 1
        self.assertGreater(found, 45)

    def test_every_case_is_there(self):
        found = 0
        for kind, body in re.findall(r"(?:enum|variant) ([a-z-]+) \{(.*?)\}", CONTRACT.read_text(), re.DOTALL):
            body = re.sub(r"///.*|\([^)]*\)", "", body)
            for case in re.findall(r"[a-z0-9-]+", body) if kind != "element-type" else ():
                self.assertTrue(known(CASES.get(f"{kind}.{case}", case)), f"{kind}.{case}")
                found += 1
        self.assertGreater(found, 50)

    def test_what_is_exported_is_there(self):
        self.assertEqual([name for name in tensor.__all__ if not hasattr(tensor, name)], [])


class Shapes(unittest.TestCase):
    def test_the_host_is_asked_once(self):
        asked = []
        x = tensor.Tensor(type("Handle", (), {"shape": lambda self: asked.append(self) or [2, 3]})())
        self.assertEqual((x.shape, x.shape, len(x)), ((2, 3), (2, 3), 2))
        self.assertEqual(len(asked), 1)


class Names(unittest.TestCase):
    def test_an_error_has_the_name_that_the_step_called(self):
        """The contract has one function for the losses, and one for the pools."""

        def refuses(*_):
            raise ShapeMismatch("regression-loss", "shape [2]", "shape [3]")

        x = tensor.Tensor(None)
        x_of = type("Handle", (), {"shape": lambda self: [1, 1, 2], "pool": refuses})
        pooled = tensor.Tensor(x_of())
        bindings = {name: mock.MagicMock(regression_loss=refuses) for name in ("training", "tensors")}
        with mock.patch.multiple(_wit, Err=type("Err", (Exception,), {}), **bindings):
            for called, loss in {
                "mean_squared_error": lambda: tensor.mean_squared_error(x, x),
                "mean_absolute_error": lambda: tensor.mean_absolute_error(x, x),
                "huber": lambda: tensor.huber(x, x),
                "quantile_loss": lambda: tensor.quantile_loss(x, x, 0.5),
                "max_pool": lambda: pooled.max_pool(2),
                "average_pool": lambda: pooled.average_pool(2),
            }.items():
                with self.assertRaisesRegex(ShapeMismatch, rf"^{called}: expected shape \[2\], got"):
                    loss()


class Words(unittest.TestCase):
    def test_an_argument_by_another_word_is_told_ours(self):
        x = tensor.Tensor(None)
        for called, told in {
            lambda: x.mean(axis=0): "^mean: expected `dimension=`, `keep=`, got `axis=`$",
            lambda: x.sum(0, keepdims=True): "^sum: expected `dimension=`, `keep=`, got `keepdims=`$",
            lambda: x.softmax(dim=-1): "^softmax: expected `dimension=`, got `dim=`$",
            lambda: x.take(axis=0, positions=x): "^take: expected `dimension=`, `positions=`, got `axis=`$",
            lambda: x.permute(axes=[1, 0]): "^permute: expected no arguments by name, got `axes=`$",
            lambda: tensor.concat([x], axis=0): "^concat: expected `parts=`, `dimension=`, got `axis=`$",
        }.items():
            with self.assertRaisesRegex(TypeError, told):
                called()

    def test_whatever_takes_a_dimension_does_so(self):
        functions = {**vars(tensor.Tensor), **{name: getattr(tensor, name) for name in tensor.__all__}}
        takes = [name for name, each in functions.items() if name[0] != "_" and "dimension" in parameters(each)]
        self.assertGreater(len(takes), 18)
        for name in takes:
            with self.assertRaisesRegex(TypeError, f"^{name}: expected .*`dimension=`.*, got `axis=`$"):
                functions[name](axis=0)

    def test_a_reduction_is_called_what_it_is(self):
        with self.assertRaisesRegex(TypeError, r"Tensor\.mean\(\) takes"):
            tensor.Tensor(None).mean(0, False, 1)


def parameters(function):
    return inspect.signature(function).parameters if inspect.isfunction(function) else {}


class Listed:
    """A tensor of nested lists, with the few operations that slices are made of."""

    type = "float32"

    def __init__(self, shape, values):
        self.shape, self.held = tuple(shape), list(values)

    def _lanes(self, dimension):
        inner = 1
        for length in self.shape[dimension + 1 :]:
            inner *= length
        block = inner * self.shape[dimension]
        return [self.held[i : i + block] for i in range(0, len(self.held), max(block, 1))], inner

    def index_select(self, dimension, positions):
        blocks, inner = self._lanes(dimension)
        positions = list(positions)
        held = [value for block in blocks for at in positions for value in block[at * inner : (at + 1) * inner]]
        return Listed((*self.shape[:dimension], len(positions), *self.shape[dimension + 1 :]), held)

    def narrow(self, dimension, start, length):
        return self.index_select(dimension, range(start, start + length))

    def flip(self, dimension):
        return self.index_select(dimension, range(self.shape[dimension] - 1, -1, -1))

    def take(self, dimension, positions):
        flat = self.index_select(dimension, positions.held)
        return Listed((*self.shape[:dimension], *positions.shape, *self.shape[dimension + 1 :]), flat.held)

    def permute(self, *dimensions):
        strides = [1]
        for length in reversed(self.shape[1:]):
            strides.insert(0, strides[0] * length)
        at = [0]
        for each in dimensions:
            at = [start + i * strides[each] for start in at for i in range(self.shape[each])]
        return Listed([self.shape[each] for each in dimensions], [self.held[i] for i in at])

    def reshape(self, *shape):
        return Listed(shape, self.held)

    def values(self):
        return self.held


class Whole(Listed):
    type = "int64"


class Slices(unittest.TestCase):
    def check(self, index, shape, values):
        got = _index.get(Listed((2, 3, 4), range(24)), index)
        self.assertEqual((got.shape, got.held), (shape, values))

    def test_as_numpy_gives_them(self):
        self.check((), (2, 3, 4), list(range(24)))
        self.check(1, (3, 4), list(range(12, 24)))
        self.check((-1, -1, -1), (), [23])
        self.check((0, slice(1, 3)), (2, 4), list(range(4, 12)))
        self.check((Ellipsis, 2), (2, 3), [2, 6, 10, 14, 18, 22])
        self.check((slice(None), None, 0, Ellipsis, None), (2, 1, 4, 1), [0, 1, 2, 3, 12, 13, 14, 15])
        self.check((0, 0, slice(None, None, -1)), (4,), [3, 2, 1, 0])
        self.check((0, 0, slice(None, None, 2)), (2,), [0, 2])
        self.check((0, slice(2, 0, -1), 1), (2,), [9, 5])
        self.check((0, [2, 0], 1), (2,), [9, 1])
        self.check((slice(5, 9),), (0, 3, 4), [])
        self.check((0, Whole((2, 1), [2, 0]), 1), (2, 1), [9, 1])
        self.check((Whole((2,), [1, 0]), slice(0, 1), None, 3), (2, 1, 1), [15, 3])

    def test_several_positions_are_points(self):
        self.check(([0, 1], [2, 0]), (2, 4), [8, 9, 10, 11, 12, 13, 14, 15])
        self.check(([0, 1], [2, 0], [-1, 1]), (2,), [11, 13])
        self.check(([0, 1], Whole((2,), [2, -3])), (2, 4), [8, 9, 10, 11, 12, 13, 14, 15])
        self.check((slice(None), [0, 2], [1, 3]), (2, 2), [1, 11, 13, 23])
        self.check((slice(1, 2), [[0], [2]], [[1], [3]]), (1, 2, 1), [13, 23])
        self.check(([], []), (0, 4), [])

    def test_positions_apart_come_first(self):
        self.check(([1, 0], slice(0, 2), [3, 1]), (2, 2), [15, 19, 1, 5])
        self.check((0, slice(None), [0, 1]), (2, 3), [0, 4, 8, 1, 5, 9])
        self.check((slice(1, 2), [0, 2], None, [1, 3]), (2, 1, 1), [13, 23])

    def test_what_is_no_index(self):
        x = Listed((2, 3), range(6))
        for index in [2, -3, (0, 0, 0), (Ellipsis, Ellipsis), ([3],), (0.5,), ([0.5],), Listed((2,), [0, 1])]:
            with self.assertRaises(IndexError):
                _index.get(x, index)
        for index in [([0, 1], [0, 1, 2]), ([0, 1], [0]), ([0, 2], [0, 1]), ([0, 1], Listed((2,), [0, 1]))]:
            with self.assertRaisesRegex(IndexError, "dimension [01]: "):
                _index.get(x, index)

    def test_masks_are_refused(self):
        x = Listed((2, 3), range(6))
        for index in [True, [True, False], (slice(None), [False, True, True]), ([0, 1], [True, False]), Listed((2,), [0, 1])]:
            with self.assertRaisesRegex(IndexError, "no masks"):
                _index.get(x, index)

    def test_nested_lists(self):
        self.assertEqual(_index.flat([[1, 2], [3, 4], [5, 6]]), ([1, 2, 3, 4, 5, 6], [3, 2]))
        self.assertEqual(_index.flat(7), ([7], []))
        self.assertEqual(_index.flat([[], []]), ([], [2, 0]))
        with self.assertRaises(ValueError):
            _index.flat([[1], [2, 3]])


if __name__ == "__main__":
    unittest.main()

"""ARRAYS.md names everything that `stepwell.tensor` has, with its signature, and nothing else."""

import inspect
import re
import unittest
from pathlib import Path

from stepwell import tensor

PAGE = Path(__file__).resolve().parent.parent / "ARRAYS.md"
OBJECTS = {"x": tensor.Tensor, "variable": tensor.Variable, "optimiser": tensor.Optimiser}
OPERATORS = {
    "add": "x + other",
    "sub": "x - other",
    "mul": "x * other",
    "truediv": "x / other",
    "pow": "x ** other",
    "matmul": "x @ other",
    "eq": "x == other",
    "ne": "x != other",
    "lt": "x < other",
    "le": "x <= other",
    "gt": "x > other",
    "ge": "x >= other",
    "neg": "-x",
    "abs": "abs(x)",
    "len": "len(x)",
    "bool": "bool(x)",
    "float": "float(x)",
    "int": "int(x)",
    "getitem": "x[index]",
}
# How a tensor is made and shown inside, and operators with the tensor at the right.
UNSHOWN = {f"__{name}__" for name in "init repr radd rsub rmul rtruediv rpow".split()}


def members(name, kind):
    """The public members of an object by this name, as they are written."""
    for member, held in vars(kind).items():
        if member.startswith("__"):
            if inspect.isfunction(held) and member not in UNSHOWN:
                yield OPERATORS[member.strip("_")]
        elif not member.startswith("_"):
            yield f"{name}.{member}{of_self(held) if inspect.isfunction(held) else ''}"


def of_self(method):
    """The signature without `self`."""
    signature = inspect.signature(method)
    return str(signature.replace(parameters=list(signature.parameters.values())[1:]))


class Arrays(unittest.TestCase):
    def test_the_page_names_what_there_is(self):
        functions = {name: getattr(tensor, name) for name in tensor.__all__}
        expected = {f"{name}{inspect.signature(each)}" for name, each in functions.items() if inspect.isfunction(each)}
        expected |= {f"Variable{inspect.signature(tensor.Variable)}"}
        expected |= {shown for name, kind in OBJECTS.items() for shown in members(name, kind)}
        first_cells = re.findall(r"^\| (`.*?`) \| ", PAGE.read_text(), re.M)
        found = [shown for cell in first_cells for shown in re.findall(r"`(.*?)`", cell)]
        self.assertEqual(sorted(found), sorted(expected))


if __name__ == "__main__":
    unittest.main()

"""Nothing crosses into the host that the bindings would end the component for: every function of the contract, as
`componentize-py` types it, is called with every kind of wrong argument."""

import dataclasses
import re
import typing
import unittest
from pathlib import Path

from stepwell import _crossing, _wit

CONTRACT = Path(__file__).resolve().parents[3] / "wit"
PLAIN = {"string": str, "bool": bool, "f64": float, "f32": float, "u16": int, "u32": int, "u64": int, "s64": int}
HALF = "\ud800"
WRONG = {
    int: (-1, 1 << 64, 1.5, "x", None, True, [1]),
    float: ("x", None, True, [1.0], 10**400),
    str: (1, None, b"x", HALF),
    bool: (1, None, "x"),
    bytes: ("x", 3, None),
}


class Held:
    """Stands for every resource."""


def annotated(text):
    """The type that the bindings give for one of the contract."""
    inner = re.fullmatch(r"(\w+)<(.*)>", text)
    if text == "list<u8>":
        return bytes
    if inner and inner[1] == "list":
        return typing.List[annotated(inner[2])]
    if inner and inner[1] == "option":
        return typing.Optional[annotated(inner[2])]
    if inner and inner[1] == "tuple":
        return typing.Tuple[tuple(annotated(each) for each in inner[2].split(", "))]
    return PLAIN.get(text, Held)


def functions():
    """A function with the types of each of the contract's, beside the types in the contract's words."""
    for path in sorted(CONTRACT.glob("*/*.wit")):
        if path.parent.name.startswith("step@"):
            continue
        for name, arguments in re.findall(r"^\s+([a-z0-9-]+): (?:static )?func\((.*?)\)", path.read_text(), re.M):
            arguments = re.findall(r"([a-z0-9-]+): ((?:[a-z0-9-]+(?:<.*?>+)?))(?:, |$)", arguments)
            kinds = {argument.replace("-", "_"): kind for argument, kind in arguments}

            def function(*given):
                raise AssertionError(f"{given} went through")

            function.__name__ = name
            function.__annotations__ = {argument: annotated(kind) for argument, kind in kinds.items()}
            yield function, kinds


def right(kind):
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return tuple(map(right, inner))
    if inner:
        return [] if typing.get_origin(kind) is list else None
    return {int: 1, float: 0.5, bool: True, str: "a", bytes: b"", Held: Held()}[kind]


def wrong(kind):
    """Values of which one thing does not fit."""
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is list:
        yield from (3, None, "x", *([each] for each in wrong(inner[0])))
    elif typing.get_origin(kind) is tuple:
        for i, each in enumerate(inner):
            yield from ((*map(right, inner[:i]), bad, *map(right, inner[i + 1 :])) for bad in wrong(each))
    elif inner:
        yield from (each for each in wrong(inner[0]) if each is not None)
    else:
        yield from WRONG.get(kind, (None, 3, "x"))


class Arguments(unittest.TestCase):
    def test_nothing_wrong_crosses(self):
        tried = 0
        for function, _ in functions():
            kinds = list(function.__annotations__.values())
            for i, (name, kind) in enumerate(function.__annotations__.items()):
                for bad in wrong(kind):
                    given = [*map(right, kinds[:i]), bad, *map(right, kinds[i + 1 :])]
                    with self.assertRaisesRegex((TypeError, ValueError), f"`{name}`: expected .*, got ", msg=bad):
                        _wit.call(function, *given)
                    tried += 1
        self.assertGreater(tried, 700)

    def test_what_is_right_crosses_as_it_is(self):
        for function, _ in functions():
            given = [right(kind) for kind in function.__annotations__.values()]
            self.assertEqual(_crossing.arguments(function, given), given, function.__name__)

    def test_the_wide_ones_are_those_of_the_contract(self):
        """An argument taken for 64 bits that has 32 would end the component."""
        wide, narrow = set(), set()
        for _, kinds in functions():
            wide |= {name for name, kind in kinds.items() if "u64" in kind}
            narrow |= {name for name, kind in kinds.items() if "u32" in kind}
        for path in CONTRACT.glob("*/*.wit"):
            fields = re.findall(r"^\s+([a-z-]+): (?:list<)?(u32|u64)>?,", path.read_text(), re.M)
            wide |= {name.replace("-", "_") for name, kind in fields if kind == "u64"}
            narrow |= {name.replace("-", "_") for name, kind in fields if kind == "u32"}
        self.assertEqual(_crossing.WIDE & narrow, set())
        self.assertLessEqual(_crossing.WIDE, wide)
        # `length` counts rows, here 64 bits and there 32; the rest come from the host and never go there.
        self.assertEqual(wide - _crossing.WIDE, {"length", "used", "limit", "sample"})

    def test_the_value_of_a_case_has_the_name_that_a_step_gives_it(self):
        huber = dataclasses.make_dataclass("Distance_Huber", [("value", float)])
        with self.assertRaisesRegex(TypeError, "^`delta`: expected a number, got 'x'$"):
            _crossing.result(huber("x"))

    def test_many_positions_and_what_stands_for_a_resource(self):
        function, _ = next(each for each in functions() if each[0].__name__ == "index-select")
        self.assertEqual(_crossing.arguments(function, (0, range(3))), [0, [0, 1, 2]])
        take, _ = next(each for each in functions() if each[1].get("positions") == "borrow<tensor>")
        lent = type("Tensor", (), {"_handle": Held()})()
        self.assertEqual(_crossing.arguments(take, (0, lent)), [0, lent._handle])


if __name__ == "__main__":
    unittest.main()

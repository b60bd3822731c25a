"""What a step raises becomes a case of the contract's error that the bindings take, whatever the step put in it: of what
does not fit they would end the component without a word."""

import types as modules
import unittest
from unittest import mock

from stepwell import (
    BudgetExceeded,
    Cancelled,
    Denied,
    InvalidInput,
    Permanent,
    ShapeMismatch,
    Transient,
    _entry,
    _wit,
)

U64_MAX = (1 << 64) - 1


class Err(Exception):
    def __init__(self, value):
        super().__init__(value)
        self.value = value


# Each case and each record as a tuple that begins with its name.
NAMES = "Error_InvalidInput Error_ShapeMismatch Error_BudgetExceeded Error_Denied Error_Cancelled Error_Transient Error_Permanent"
BINDINGS = modules.SimpleNamespace(
    **{
        name: lambda *values, name=name: (name.removeprefix("Error_"), *values)
        for name in f"{NAMES} InvalidInput ShapeMismatch BudgetExceeded".split()
    }
)


class Unsaid(Exception):
    def __str__(self):
        raise ValueError("none")


def assigned(error, **fields):
    error.__dict__.update(fields)
    return error


class Raised(unittest.TestCase):
    def crossed(self, raised):
        """What the host gets when an export raises this."""

        def export():
            raise raised

        plugin = {"source": __file__, "file": "step.py", "settled": True}
        with (
            mock.patch.dict(_entry._plugin, plugin),
            mock.patch.multiple(_wit, Err=Err, errors=BINDINGS),
            self.assertRaises(Err) as caught,
        ):
            _entry._exported(export)()
        return caught.exception.value

    def test_milliseconds_are_rounded_and_the_nearest_that_there_are(self):
        for given, crosses in [
            (1000, 1000),
            (0.01, 0),
            (1.5, 2),
            (-1, 0),
            (-0.5, 0),
            (U64_MAX, U64_MAX),
            (1 << 64, U64_MAX),
            (1e30, U64_MAX),
            (10**400, U64_MAX),
            (float("inf"), U64_MAX),
            (float("-inf"), 0),
        ]:
            case, value = self.crossed(Transient("t", given))
            self.assertEqual((case, value), ("Transient", ("t", crosses)), given)
            self.assertIs(type(value[1]), int, given)

    def test_what_is_no_number_is_told_with_the_line(self):
        for raised, told in [
            (Transient("t", "soon"), "TypeError: `retry_after_ms`: expected a number, got 'soon'"),
            (Transient("t", None), "TypeError: `retry_after_ms`: expected a number, got None"),
            (Transient("t", True), "TypeError: `retry_after_ms`: expected a number, got True"),
            (Transient("t", float("nan")), "TypeError: `retry_after_ms`: expected a number, got nan"),
            (BudgetExceeded("memory", "all", 1), "TypeError: `used`: expected a number, got 'all'"),
            (Permanent(Unsaid()), "ValueError: none"),
            (Unsaid(), "Unsaid: it has no text"),
        ]:
            case, value = self.crossed(raised)
            self.assertEqual(case, "Permanent")
            self.assertRegex(value, rf"^{told} \(step\.py, line \d+\)$")

    def test_a_text_that_is_none_is_told_all_the_same(self):
        half, whole = "a\ud800\udfffb", "a\ufffd\ufffdb"
        for raised, crosses in [
            (Permanent(half), ("Permanent", whole)),
            (Permanent(), ("Permanent", "")),
            (Permanent(b"x"), ("Permanent", "b'x'")),
            (Denied(half), ("Denied", whole)),
            (Cancelled(half), ("Cancelled",)),
            (Transient(half, 1), ("Transient", (whole, 1))),
            (Transient(None, 1), ("Transient", ("None", 1))),
            (InvalidInput(half, 3), ("InvalidInput", ("InvalidInput", whole, "3"))),
            (ShapeMismatch("add", (2,), half), ("ShapeMismatch", ("ShapeMismatch", "add", "(2,)", whole))),
            (BudgetExceeded(half, 2.5, -1), ("BudgetExceeded", ("BudgetExceeded", whole, 2, 0))),
            (assigned(Transient("t"), reason=half, retry_after_ms=7.4), ("Transient", (whole, 7))),
        ]:
            self.assertEqual(self.crossed(raised), crosses)
        case, value = self.crossed(KeyError(half))
        self.assertEqual(case, "Permanent")
        self.assertRegex(value, r"^KeyError: 'a\\ud800\\udfffb' \(step\.py, line \d+\)$")


if __name__ == "__main__":
    unittest.main()

"""Values -> buffers -> the same values, and the errors that name what does not fit."""

import datetime
import unittest
from array import array

from stepwell import InvalidInput
from stepwell.columns import checked, decode, encode, infer, parse

ROUND_TRIPS = [
    ("boolean", [True, False, True] * 5),
    ("boolean?", [True, None, False]),
    ("int64", [0, -1, 2**63 - 1, -(2**63)]),
    ("int64?", [None, 7, None]),
    ("float32", [0.5, -2.0]),
    ("float64", [0.1, float("inf"), -0.0]),
    ("float64?", [None] * 9 + [1.5]),
    ("text", ["", "é", "日本", "a" * 300]),
    ("text?", [None, "", "x"]),
    ("bytes", [b"", b"\0\xff"]),
    ("timestamp", [0, 1_700_000_000_000_000]),
    ("date?", [None, -1]),
    ("vector(2)", [array("f", [1, 2]), array("f", [3, 4])]),
    ("vector(2)?", [None, array("f", [3, 4])]),
    ("float64", []),
    ("text", []),
]

REFUSED = [
    ("float64", [1.0, None], "`c`: expected float64 in row 1, got a null; a type that ends in `?` allows it"),
    ("float64", ["1"], "`c`: expected float64 in row 0, got str '1'"),
    ("int64", [1, 1.5], "`c`: expected int64 in row 1, got float 1.5"),
    ("int64", [2**63], "`c`: expected int64 in row 0, got int 9223372036854775808"),
    ("text", [b"x"], "`c`: expected text in row 0, got bytes b'x'"),
    ("boolean", [1], "`c`: expected boolean in row 0, got int 1"),
    ("vector(2)", [[1.0]], "`c`: expected vector(2) in row 0, got list [1.0]"),
    ("text", "abc", "`c`: expected one value a row, got a single str"),
    (
        "decimal",
        [],
        "`c`: expected a type among boolean, int64, float32, float64, text, bytes, timestamp, date and "
        "vector(LENGTH), got `decimal`",
    ),
    (
        "vector(0)",
        [],
        "`c`: expected a type among boolean, int64, float32, float64, text, bytes, timestamp, date and "
        "vector(LENGTH), got `vector(0)`",
    ),
]


class Columns(unittest.TestCase):
    def test_a_name_is_text(self):
        with self.assertRaisesRegex(InvalidInput, "`1`: expected text as a column's name, got int"):
            parse(1, "float64")

    def test_buffers_give_the_values_back(self):
        for text, values in ROUND_TRIPS:
            with self.subTest(type=text, values=values):
                kind = parse("c", text)
                held = checked("c", kind, values)
                back = decode(kind, len(values), *encode(kind, held))
                self.assertEqual(list(back), list(held))
                self.assertEqual(list(back), values)

    def test_numbers_without_nulls_are_never_boxed(self):
        for text in ("int64", "float32", "float64", "timestamp", "date", "float64?"):
            kind = parse("c", text)
            self.assertIsInstance(decode(kind, 2, *encode(kind, checked("c", kind, [1, 2]))), array)

    def test_the_buffers_are_those_of_arrow(self):
        self.assertEqual(
            encode(parse("c", "text?"), ["ab", None, "c"]), (b"\x05", array("i", [0, 2, 2, 3]).tobytes(), b"abc")
        )
        self.assertEqual(encode(parse("c", "boolean"), [True, False, True]), (None, None, b"\x05"))
        self.assertEqual(encode(parse("c", "int64?"), [None, 1]), (b"\x02", None, bytes(8) + b"\x01" + bytes(7)))

    def test_what_does_not_fit_is_named(self):
        for text, values, message in REFUSED:
            with self.subTest(type=text):
                with self.assertRaises(InvalidInput) as caught:
                    checked("c", parse("c", text), values)
                self.assertEqual(str(caught.exception), message)

    def test_the_type_is_told_by_the_values(self):
        day = datetime.date(1970, 1, 2)
        for values, text in [
            ([1, 2], "int64"),
            ([1, 2.5], "float64"),
            ([None, 1], "int64?"),
            ([True], "boolean"),
            (["a"], "text"),
            ([b"a"], "bytes"),
            ([[1.0, 2.0]], "vector(2)"),
            ([day], "date"),
            (array("f", [1]), "float32"),
            ([datetime.datetime(1970, 1, 1)], "timestamp"),
        ]:
            with self.subTest(values=values):
                self.assertEqual(str(infer("c", values)), text)
        for values, got in [([], "none"), ([None], "none"), ([1, "a"], "int, str")]:
            with self.assertRaisesRegex(InvalidInput, f"got {got}"):
                infer("c", values)

    def test_times_and_dates_count_from_1970(self):
        zone = datetime.timezone(datetime.timedelta(hours=1))
        moment = datetime.datetime(1970, 1, 1, 1, 0, 1, tzinfo=zone)
        self.assertEqual(list(checked("c", parse("c", "timestamp"), [moment])), [1_000_000])
        self.assertEqual(list(checked("c", parse("c", "date"), [datetime.date(1969, 12, 31)])), [-1])

// Lists -> buffers -> the same values, and the errors that name what does not fit.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Column, InvalidInput } from "stepwell";
import { column, fromWire, joined, toWire, view } from "../src/columns.js";
import { infer } from "../src/made.js";
import { parse } from "../src/types.js";

const WHOLE = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)];
const ROUND_TRIPS = [
    ["boolean", [true, false, true, true, false, false, true, true, true, false, true]],
    ["boolean?", [true, null, false]],
    ["int64", WHOLE],
    ["int64?", [null, 7n, null]],
    ["float32", [0.5, -2]],
    ["float64", [0.1, Infinity, -0, NaN]],
    ["float64?", [...Array(9).fill(null), 1.5]],
    ["text", ["", "é", "日本", "😀", "a".repeat(300)]],
    ["text?", [null, "", "x"]],
    ["bytes", [new Uint8Array(), new Uint8Array([0, 255])]],
    ["timestamp", [0n, 1_700_000_000_000_000n]],
    ["date?", [null, -1]],
    ["vector(2)", [new Float32Array([1, 2]), new Float32Array([3, 4])]],
    ["vector(2)?", [null, new Float32Array([3, 4])]],
    ["float64", []],
    ["text", []],
];

const made = (type, values) => column("c", parse("c", type), values);
const overWire = (type, held) => fromWire(parse("c", type), toWire(held));

for (const [type, values] of ROUND_TRIPS) {
    test(`${type} ${values.length}: buffers give the values back, whole, in slices and joined`, () => {
        const held = made(type, values);
        assert.deepEqual([...overWire(type, held)], values);
        assert.deepEqual([...held.take([...values.keys()].reverse())], [...values].reverse());
        for (let cut = 0; cut <= values.length; cut++) {
            const parts = [held.slice(0, cut), held.slice(cut, values.length - cut)];
            assert.deepEqual(parts.flatMap((part) => [...overWire(type, part)]), values);
            assert.deepEqual([...joined(parse("c", type), parts)], values, `cut at ${cut}`);
        }
    });
}

test("the buffers are those of Arrow", () => {
    const bytes = (wire) => [wire.validity && [...wire.validity], wire.offsets && [...wire.offsets], [...wire.data]];
    const text = bytes(toWire(made("text?", ["ab", null, "c"])));
    assert.deepEqual(text, [[0xfd], [0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0], [97, 98, 99]]);
    assert.deepEqual(bytes(toWire(made("boolean", [true, false, true]))), [null, null, [5]]);
    assert.deepEqual(bytes(toWire(made("date", [1, -1]))), [null, null, [1, 0, 0, 0, 255, 255, 255, 255]]);
});

test("numbers are looked at where they lie, and copied only where that is not possible", () => {
    const bytes = new Uint8Array(24);
    const aligned = view(Float64Array, bytes.subarray(8), 2);
    assert.equal(aligned.buffer, bytes.buffer);
    const odd = view(Float64Array, bytes.subarray(1), 2);
    assert.notEqual(odd.buffer, bytes.buffer);
    const given = new Float64Array([1, 2]);
    assert.equal(made("float64", given).values, given, "what a step made is not copied either");
});

test("a column of nulls counts them, and maps what is there", () => {
    const held = made("float64?", [1, null, 3]);
    assert.equal(held.nulls, 1);
    assert.deepEqual(held.map((value, row) => value * 10 + row), [10, null, 32]);
    assert.deepEqual([held.get(1), held.get(3), held.get(-1), held.get("x")], [null, undefined, undefined, undefined]);
    assert.equal(JSON.stringify(held), "[1,null,3]");
});

const REFUSED = [
    ["float64", [1, null], "`c`: expected float64 in row 1, got a null; a type that ends in `?` allows it"],
    ["float64", ["1"], '`c`: expected float64 in row 0, got string "1"'],
    ["float64", [1n], "`c`: expected float64 in row 0, got bigint 1"],
    ["float64?", [undefined], "`c`: expected float64? in row 0, got undefined"],
    ["int64", [1, 1.5], "`c`: expected int64 in row 1, got number 1.5"],
    ["int64", [2n ** 63n], "`c`: expected int64 in row 0, got bigint 9223372036854775808"],
    ["int64", [2 ** 60], "`c`: expected int64 in row 0, got number 1152921504606847000"],
    ["text", [new Uint8Array()], "`c`: expected text in row 0, got Uint8Array"],
    ["boolean", [1], "`c`: expected boolean in row 0, got number 1"],
    ["date", [new Date(NaN)], "`c`: expected date in row 0, got Date"],
    ["vector(2)", [[1]], "`c`: expected vector(2) in row 0, got Array"],
    ["vector(2)", [[1, "2"]], "`c`: expected vector(2) in row 0, got Array"],
    ["text", "abc", '`c`: expected one value a row, got a single string "abc"'],
    ["text", 3, "`c`: expected one value a row, got a single number 3"],
];

for (const [type, values, message] of REFUSED) {
    test(message, () => assert.throws(() => made(type, values), new InvalidInput("c", message.slice(5))));
}

test("a type is one of the contract's", () => {
    for (const written of ["decimal", "vector", "vector(0)", "vector(65537)", "float64??", "text(3)", "", null]) {
        const expected = /expected a type among boolean, .* and vector\(LENGTH\), got /;
        assert.throws(() => parse("c", written), expected, String(written));
    }
    assert.equal(String(parse("c", "vector(65536)?")), "vector(65536)?");
});

test("the type is told by the values", () => {
    const told = [
        [[1, 2.5], "float64"],
        [[null, 1n], "int64?"],
        [[true], "boolean"],
        [["a"], "text"],
        [[new Uint8Array()], "bytes"],
        [[[1, 2]], "vector(2)"],
        [[new Date(0)], "timestamp"],
        [new Float32Array(1), "float32"],
        [new BigInt64Array(1), "int64"],
    ];
    for (const [values, type] of told) assert.equal(String(infer("c", values)), type);
    for (const [values, got] of [[[], "none"], [[null], "none"], [[{}], "Object"]]) {
        assert.throws(() => infer("c", values), new RegExp(`got ${got}; name it in`));
    }
});

test("times and dates count from 1970", () => {
    assert.deepEqual([...made("timestamp", [new Date(1000), 5])], [1_000_000n, 5n]);
    assert.deepEqual([...made("date", [new Date("1969-12-31T23:00Z")])], [-1]);
});

test("a column without nulls may stand where none may be, another is refused", () => {
    assert.equal(made("float64", made("float64?", [1, 2])).type.nullable, false);
    assert.throws(() => made("float64", made("float64?", [1, null])), /in row 1, got a null/);
    assert.ok(made("float64", made("float32", [1, 2])) instanceof Column);
});

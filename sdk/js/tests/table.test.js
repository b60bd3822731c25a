// A table in memory, and the same table as a handle of the host: equal for the step, and what crosses is counted.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { InvalidInput, Table, tidy } from "stepwell";
import { within } from "../src/arena.js";
import { column } from "../src/columns.js";
import { lower } from "../src/crossing.js";
import { calls, open, Table as Held } from "../src/host/tables.js";
import { lift } from "../src/table.js";
import { parse } from "../src/types.js";

const ROWS = new Table({ a: [1, 2, 3], b: ["x", null, "z"] });

const held = (columns) => {
    const each = Object.entries(columns).map(([name, [type, values]]) => [name, column(name, parse(name, type), values)]);
    return new Held(new Map(each));
};

beforeEach(() => {
    calls.length = 0;
    open.clear();
});

test("columns, types and values", () => {
    assert.deepEqual(ROWS.names, ["a", "b"]);
    assert.deepEqual(ROWS.types, { a: "float64", b: "text?" });
    assert.equal(ROWS.length, 3);
    assert.deepEqual(ROWS.toObject(), { a: [1, 2, 3], b: ["x", null, "z"] });
});

test("a column is replaced where it stands and appended else", () => {
    const made = ROWS.with({ a: [1n, 2n, 3n], "mean radius": [0.5, 0.5, 0.5] });
    assert.deepEqual(Object.entries(made.types).flat(), ["a", "int64", "b", "text?", "mean radius", "float64"]);
    assert.deepEqual(ROWS.names, ["a", "b"]);
});

test("rows and columns are chosen in order", () => {
    assert.deepEqual(ROWS.take([2, 0, 2]).toObject(), { a: [3, 1, 3], b: ["z", "x", "z"] });
    assert.deepEqual(ROWS.select(["b"]).names, ["b"]);
    assert.deepEqual(ROWS.without(["b"]).names, ["a"]);
    assert.deepEqual(ROWS.slice(1, 9).toObject(), { a: [2, 3], b: [null, "z"] });
    assert.deepEqual([...ROWS.chunks(2)].map(({ length }) => length), [2, 1]);
});

test("names that mean something to the language are names", () => {
    const rows = new Table(JSON.parse('{"__proto__": [1], "constructor": [2], "length": [3]}'));
    assert.deepEqual(rows.names, ["__proto__", "constructor", "length"]);
    assert.deepEqual([...rows.column("__proto__")], [1]);
});

const MISTAKES = [
    [() => ROWS.column("c"), "c", "expected a column among `a`, `b`, got no such column"],
    [() => ROWS.column("toString"), "toString", "expected a column among `a`, `b`, got no such column"],
    [() => ROWS.select(["a", "a"]), "columns", "expected each column once, got `a`, `a`"],
    [() => ROWS.take([3]), "rows", "expected positions below 3, got 3"],
    [() => ROWS.take([0.5]), "rows", "expected positions below 3, got 0.5"],
    [() => ROWS.with({ c: [1] }), "c", "expected 3 rows, got 1"],
    [() => new Table({ a: [1], b: [1, 2] }), "b", "expected 1 rows, got 2"],
    [() => new Table({ a: [1] }, { b: "text" }), "b", "expected a column to give a type to, got only `a`"],
];

for (const [call, name, reason] of MISTAKES) test(`${name}: ${reason}`, () => assert.throws(call, new InvalidInput(name, reason)));

test("only the column asked for is read and only new ones are written", () => {
    const rows = lift(held({ a: ["float64", [1, 2]], b: ["text", ["x", "y"]] }));
    const made = rows.with({ c: rows.column("a").map((a) => 2 * a) });
    rows.column("a");
    const back = lower(made);
    assert.deepEqual(calls, [["read", "a", 0, 2], ["append", 2], ["withColumns", "c"]]);
    assert.deepEqual(lift(back).toObject(), { a: [1, 2], b: ["x", "y"], c: [2, 4] });
});

test("a table that a step returns as it came costs nothing", () => {
    const handle = held({ a: ["float64", [1]] });
    assert.equal(lower(lift(handle)), handle);
    assert.deepEqual(calls, []);
});

test("large columns cross in pieces", () => {
    const values = BigInt64Array.from({ length: 150_000 }, (_, row) => BigInt(row));
    const rows = lift(held({ a: ["int64", values] }));
    assert.deepEqual(rows.column("a").values, values);
    lower(rows.with({ b: rows.column("a") }).select(["b"]));
    assert.deepEqual(calls.map(([name]) => name), [...Array(3).fill("read"), ...Array(3).fill("append")]);
    assert.deepEqual(calls.at(-1), ["append", 18_928]);
});

test("long texts are asked for in fewer rows", () => {
    const long = "x".repeat(12 << 20);
    const rows = lift(held({ a: ["text", [long, long, long]] }));
    assert.deepEqual(rows.column("a").map((text) => text.length), [12 << 20, 12 << 20, 12 << 20]);
    assert.ok(calls.at(-1)[3] < 3);
});

test("a piece of the host's rows is no handle of its own, chosen rows stay there", () => {
    const rows = lift(held({ a: ["float64?", [1, null, 3]], b: ["text", ["x", "y", "z"]] }));
    const [, piece] = rows.chunks(1);
    assert.equal(open.size, 1);
    assert.deepEqual(lift(lower(piece)).toObject(), { a: [null], b: ["y"] });
    const chosen = rows.with({ c: [1, 2, 3] }).slice(1).take([1, 0]).select(["c", "a"]);
    assert.deepEqual(lift(lower(chosen)).toObject(), { c: [3, 2], a: [3, null] });
});

test("what a call made in the host is let go, but for what it gives", () => {
    const given = within(() => {
        const rows = lift(held({ a: ["float64", [1, 2]] }));
        return lower(rows.take([1]).with({ b: [1] }));
    });
    assert.deepEqual([...open], [given]);
});

test("tidy keeps what its function returns, and lets go when it throws", () => {
    within(() => {
        const rows = lift(held({ a: ["float64", [1, 2]] }));
        const kept = tidy(() => rows.take([1]).take([0]));
        assert.deepEqual(kept.toObject(), { a: [2] });
        assert.equal(open.size, 2);
        assert.throws(() => tidy(() => rows.take([1]).take([9])));
        assert.equal(open.size, 2);
    });
    assert.equal(open.size, 0);
});

// A row-wise step's life as the host leads it, and each way in which a step can break its word.

import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, InvalidInput, Permanent, rowWise, Table } from "stepwell";
import zscore from "../examples/zscore.js";
import { fitted, restored, saved } from "../src/roles/row_wise.js";

const ROWS = new Table({ x: [1, 2, 6], name: ["a", "b", "c"] });

const centred = rowWise({
    reads: { x: "float64" },
    adds: { x: "float64" },
    parameters: { times: { type: "number", default: 1 } },
    fit: ({ x }) => ({ mean: x.values.reduce((sum, value) => sum + value) / x.length }),
    apply: ({ x }, { state, params }) => ({ x: x.map((value) => params.times * (value - state.mean)) }),
});

test("what was learnt is applied to other rows", () => {
    const made = apply(centred, new Table({ x: [3], name: ["d"] }), { fit: ROWS });
    assert.deepEqual(made.toObject(), { x: [0], name: ["d"] });
});

test("parameters come from the pipeline, else from the schema", () => {
    assert.deepEqual([...apply(centred, ROWS).column("x")], [-2, -1, 3]);
    assert.deepEqual([...apply(centred, ROWS, { params: { times: 10 } }).column("x")], [-20, -10, 30]);
});

test("pieces give what the whole gives", () => {
    assert.deepEqual(apply(centred, ROWS, { pieceRows: 2 }).toObject(), apply(centred, ROWS).toObject());
});

test("the state is a file of JSON", () => {
    const files = saved(centred.does, fitted(centred.does, ROWS));
    assert.equal(new TextDecoder().decode(files["state.json"]), '{"mean":3}');
    assert.deepEqual(restored(centred.does, files), { mean: 3 });
    assert.throws(() => restored(centred.does, {}), InvalidInput);
});

test("an instance of a class is a step", () => {
    class Doubled {
        reads = { x: "float64" };
        adds = { x2: "float64" };
        apply({ x }) {
            return { x2: x.map((value) => this.twice(value)) };
        }
        twice(value) {
            return 2 * value;
        }
    }
    assert.deepEqual([...apply(rowWise(new Doubled()), ROWS).column("x2")], [2, 4, 12]);
});

for (const [state, got] of [
    [{ a: [1n] }, "`state.a[0]` (text, finite numbers, arrays, plain objects), got bigint 1"],
    [{ a: NaN }, "`state.a` (text, finite numbers, arrays, plain objects), got number NaN"],
    [undefined, "`state` (text, finite numbers, arrays, plain objects), got undefined"],
    [{ a: new Float64Array(1) }, "`state.a` (text, finite numbers, arrays, plain objects), got Float64Array"],
]) {
    test(`a state that JSON would change is refused: ${got}`, () => {
        const step = rowWise({ fit: () => state }, () => ({}));
        assert.throws(() => apply(step, ROWS), new Permanent(`expected JSON in ${got}`));
    });
}

const BROKEN = [
    ["a column that `adds` does not declare", {}, () => ({ y: [0, 0, 0] }), "expected the columns x, name from `apply`, as `adds` and `drops` say; got x, name, y"],
    ["a declared column that is missing", { adds: { y: "float64" } }, () => ({}), "expected the columns x, name, y from `apply`, as `adds` and `drops` say; got x, name"],
    ["another count of rows", {}, (_, { rows }) => rows.take([0]), "expected 3 rows from `apply`, one a row it was given; got 1"],
    ["a list", {}, () => [1], "expected columns by name from `apply`, or a table; got Array"],
    ["a promise", {}, async () => ({}), "expected columns by name from `apply`, or a table; got Promise"],
    ["a null where none may be", { adds: { y: "float64" } }, () => ({ y: [1, null, 2] }), "`y`: expected float64 in row 1, got a null; a type that ends in `?` allows it"],
    ["a replaced column of another type", {}, () => ({ x: ["a", "b", "c"] }), '`x`: expected float64 in row 0, got string "a"'],
    ["a column read of another type", { reads: { name: "float64" } }, () => ({}), "`name`: expected float64, got text"],
    ["a column read that is absent", { reads: { z: "text" } }, () => ({}), "`z`: expected a column among `x`, `name`, got no such column"],
];

for (const [what, declared, made, message] of BROKEN) {
    test(`refused: ${what}`, () => assert.throws(() => apply(rowWise(declared, made), ROWS), { message }));
}

test("a null in a column read without `?` is refused once it is looked at", () => {
    const rows = new Table({ x: [1, null] });
    const looking = rowWise({ reads: { x: "float64" } }, ({ x }) => ({ x: x.values }));
    const message = "`x`: expected no nulls, got one in row 1; `float64?` in `reads` allows them";
    assert.throws(() => apply(looking, rows), { message });
});

test("columns may be dropped, made anew and taken in another order", () => {
    const dropping = rowWise({ drops: ["name"], adds: { y: "float64?" } }, (_, { rows }) => ({ y: Array(rows.length).fill(null) }));
    assert.deepEqual(apply(dropping, ROWS).types, { x: "float64", y: "float64?" });
    const turned = rowWise({}, (_, { rows }) => rows.take([2, 1, 0]));
    assert.deepEqual(apply(turned, ROWS).toObject(), { x: [6, 2, 1], name: ["c", "b", "a"] });
});

test("a step says at once what it lacks", () => {
    assert.throws(() => rowWise({}), new Permanent("expected a function `apply` of the rowWise, got none"));
});

test("the example's z-scores leave nulls out, and a column that does not vary is only moved", () => {
    const rows = new Table({ x: [1, null, 3], same: [0.1, 0.1, 0.1], none: [null, null, null] }, { none: "float64?" });
    const made = apply(zscore, rows, { params: { columns: ["x", "same", "none"] } });
    assert.deepEqual([...made.column("x")], [-1, null, 1]);
    assert.ok([...made.column("same")].every((value) => Math.abs(value) < 1e-15));
    assert.deepEqual([...made.column("none")], [null, null, null]);
});

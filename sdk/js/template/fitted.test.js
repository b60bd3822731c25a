import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, Table } from "stepwell";
import step from "#step";

const params = { column: "x" };

test("values are scaled as learnt, and nulls stay", () => {
    const made = apply(step, new Table({ x: [5, null] }), { fit: new Table({ x: [1, 3] }), params });
    assert.deepEqual(made.toObject(), { x: [3, null] });
});

test("a row has the same answer alone as among others", () => {
    const rows = new Table({ x: [1, null, 4, 4] });
    assert.deepEqual(apply(step, rows, { params, pieceRows: 1 }).toObject(), apply(step, rows, { params }).toObject());
});

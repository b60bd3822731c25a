import assert from "node:assert/strict";
import { test } from "node:test";

import { Table } from "stepwell";
import step from "#step";

test("the first row of each value stays, in order", () => {
    const table = new Table({ x: ["b", null, "a", "b", null], y: [1, 2, 3, 4, 5] });
    const made = step.does.run({ table }, { params: { column: "x" } });
    assert.deepEqual(made.table.toObject(), { x: ["b", null, "a"], y: [1, 2, 3] });
});

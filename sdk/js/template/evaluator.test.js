import assert from "node:assert/strict";
import { test } from "node:test";

import { Table } from "stepwell";
import step from "#step";

test("errors are averaged over all rows and over each slice", () => {
    const rows = new Table({ y: [1, 2, 3], prediction: [1, 4, 3], group: ["a", "b", "b"] });
    const columns = { y: rows.column("y"), prediction: rows.column("prediction") };
    const params = { label: "y", prediction: "prediction" };
    const measures = step.does.evaluate(columns, { rows, baseline: rows, slices: ["group"], params });
    const shown = measures.map(({ slice, value, baselineValue }) => [slice, value, baselineValue]);
    assert.deepEqual(shown, [[null, 2 / 3, 2 / 3], ["group=a", 0, 0], ["group=b", 1, 1]]);
});

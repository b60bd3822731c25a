import assert from "node:assert/strict";
import { test } from "node:test";

import { Table } from "stepwell";
import step from "#step";

test("what is saved is what is loaded", () => {
    const rows = new Table({ x: [0, 0, 0], y: [1, 2, 6] });
    const trained = step.does.train({ train: rows, features: ["x"], label: "y" });
    assert.deepEqual(trained.inputs, { x: "float64" });
    const { prediction } = step.does.predict(step.does.load(trained.files), rows.select(["x"]));
    assert.deepEqual([...prediction], [3, 3, 3]);
});

test("a label that is not there is an error", () => {
    assert.throws(() => step.does.train({ train: new Table(), features: [], label: null }), { argument: "label" });
});

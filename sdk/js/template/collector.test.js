import assert from "node:assert/strict";
import { test } from "node:test";

import step from "#step";

test("pages follow each other to the end", () => {
    const params = { rows: 1500 };
    const first = step.does.read(null, { params });
    const second = step.does.read(first.nextCursor, { params });
    assert.deepEqual([first.table.number.length, first.more], [1000, true]);
    assert.deepEqual([second.table.square[0], second.table.number.length, second.more], [1_000_000, 500, false]);
});

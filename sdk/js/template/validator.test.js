import assert from "node:assert/strict";
import { test } from "node:test";

import { Table } from "stepwell";
import step from "#step";

test("a column with too many nulls does not pass, and its rows are named", () => {
    const rows = new Table({ x: [1, null, 3, null] });
    const check = (most) => step.does.check({}, { rows, params: { column: "x", most } })[0];
    assert.deepEqual([check(0.4).passed, check(0.4).sample], [false, [1, 3]]);
    assert.equal(check(0.5).passed, true);
});

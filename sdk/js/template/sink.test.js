import assert from "node:assert/strict";
import { test } from "node:test";

import { Table } from "stepwell";
import step from "#step";

test("the rows are told under their key", (context) => {
    const said = context.mock.method(process.stderr, "write", () => true);
    const receipt = step.does.deliver("default/daily/1/out", { table: new Table({ x: [1, null] }) });
    assert.equal(receipt.location, "the step's log");
    assert.deepEqual(said.mock.calls[0].arguments, ["info: default/daily/1/out: 2 rows\n"]);
});

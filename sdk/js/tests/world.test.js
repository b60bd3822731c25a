// What a grant opens, natively: what `pretend` says of it, and this machine where it says nothing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { listFiles, now, pretend, randomBytes, variable } from "stepwell";

test("time and variables are what is pretended", () => {
    const settings = { now: 1_500_000, environment: { REGION: "eu" } };
    assert.equal(pretend(settings, () => now().toISOString()), "1970-01-01T00:00:01.500Z");
    assert.deepEqual(pretend(settings, () => [variable("REGION"), variable("ZONE")]), ["eu", null]);
    assert.equal(variable("REGION"), null);
});

test("without it they are this machine's", () => {
    assert.ok(Math.abs(now() - new Date()) < 60_000);
});

test("random bytes come in any number", () => {
    for (const length of [0, 1, 4096, 10_000]) assert.equal(randomBytes(length).length, length);
    assert.notDeepEqual(randomBytes(32), randomBytes(32));
});

test("a folder is listed without links, folders and what is hidden", () => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
    try {
        for (const name of ["b", "a", ".hidden"]) writeFileSync(join(folder, name), "");
        mkdirSync(join(folder, "deep"));
        symlinkSync("a", join(folder, "link"));
        assert.deepEqual(listFiles(folder), ["a", "b"]);
    } finally {
        rmSync(folder, { recursive: true });
    }
});

// UTF-8 against the decoder that node has, and chance against the published sequence.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeText, encodeText, Rng } from "stepwell";

test("texts are what node's own encoder makes of them", () => {
    const rng = new Rng(1);
    const limits = [0x80, 0x800, 0xd800, 0x10000, 0x110000];
    for (let round = 0; round < 300; round++) {
        const length = round < 290 ? rng.below(40) : 9_000;
        const text = Array.from({ length }, () => String.fromCodePoint(rng.below(limits[rng.below(limits.length)]))).join("");
        assert.deepEqual(encodeText(text), new TextEncoder().encode(text));
        const whole = new TextDecoder("utf-8", { ignoreBOM: true }).decode(encodeText(text));
        assert.equal(decodeText(encodeText(text)), whole);
    }
});

test("half of a pair becomes U+FFFD", () => {
    for (const text of ["\ud800", "\udc00x", "a\ud83d"]) assert.deepEqual(encodeText(text), new TextEncoder().encode(text));
});

test("the sequence is SplitMix64's, as in the SDK for Rust", () => {
    const rng = new Rng(1_234_567);
    const first = [rng.bits(), rng.bits(), rng.bits()];
    assert.deepEqual(first, [6_457_827_717_110_365_317n, 3_203_168_211_198_807_973n, 9_817_491_932_198_370_423n]);
    const counts = Array(6).fill(0);
    for (let draw = 0; draw < 6_000; draw++) counts[rng.below(6)]++;
    assert.ok(counts.every((count) => count > 850 && count < 1150), String(counts));
    assert.equal(rng.below(0), 0);
    assert.deepEqual(rng.shuffle([1, 2, 3, 4]).toSorted(), [1, 2, 3, 4]);
});

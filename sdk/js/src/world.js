// What a grant opens beside files and requests: the real time, real randomness, values of whoever runs the server. A step
// that looks at the first two cannot be replayed: `logicalTime` and `rng` can.

import { call } from "./errors.js";
import * as clock from "./host/clock.js";
import * as entropy from "./host/entropy.js";
import * as environment from "./host/environment.js";

// The host's own bound of one call.
const BYTES_AT_ONCE = 4096;

/** The real time, where `grants.clock` opens it. */
export function now() {
    return new Date(Number(call(() => clock.now())) / 1000);
}

/** Bytes as random as the operating system's, where `grants.randomness` opens it. */
export function randomBytes(length) {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += BYTES_AT_ONCE) {
        bytes.set(call(() => entropy.bytes(Math.min(length - at, BYTES_AT_ONCE))), at);
    }
    return bytes;
}

/** A value that whoever runs the server set, where `grants.environment` names it; null if nobody set it. */
export function variable(name) {
    return call(() => environment.variable(name)) ?? null;
}

// `stepwell:platform/entropy` where there is no host: the randomness of this machine.

import { randomBytes } from "node:crypto";

export function bytes(length) {
    return Uint8Array.from(randomBytes(length));
}

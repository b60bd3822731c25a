// `stepwell:platform/config` where there is no host: what `pretend` says.

import { pretended } from "../pretend.js";

export function parameters() {
    return JSON.stringify(pretended.params);
}

export function seed() {
    return pretended.seed;
}

export function logicalTime() {
    return pretended.logicalTime;
}

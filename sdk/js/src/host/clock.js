// `stepwell:platform/clock` where there is no host: the clock of this machine, unless `pretend` says a time.

import { pretended } from "../pretend.js";

export function now() {
    return pretended.now ?? Date.now() * 1000;
}

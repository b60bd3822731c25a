// A step's own resumable state.

import { call } from "./errors.js";
import * as checkpoint from "./host/checkpoint.js";

/** Saves bytes that an interrupted attempt goes on from; they replace what was saved before. At most 64 MiB. */
export function saveCheckpoint(state) {
    call(() => checkpoint.save(state));
}

/** What an interrupted attempt of this step saved last; null on a first attempt. */
export function loadCheckpoint() {
    return checkpoint.load() ?? null;
}

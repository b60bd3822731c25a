// What a step tells whoever watches the run.

import * as report from "./host/report.js";

/** Adds a line to the step's log. `level` is debug, info, warn or error. */
export function log(message, level = "info") {
    report.log(level, String(message));
}

/** Says how much is done, in the step's own unit. */
export function progress(done, total = null) {
    report.progress(done, total);
}

/** Records a point of a series, such as the loss at an epoch. */
export function metric(name, value, index = 0) {
    report.metric(name, value, index);
}

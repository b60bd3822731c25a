import { step } from "../step.js";

/** Tables to tables, without state: split, join, aggregate. */
export function transformer(does, run) {
    return step("transformer", does, "run", run);
}

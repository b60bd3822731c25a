import { step } from "../step.js";

/** Brings something out: a table, a report or a model. */
export function sink(does, deliver) {
    return step("sink", does, "deliver", deliver);
}

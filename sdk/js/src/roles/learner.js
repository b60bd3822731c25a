import { step } from "../step.js";

/** Learns a model from rows, and answers with it. */
export function learner(does) {
    return step("learner", does);
}

import { step } from "../step.js";

/** Measures how good predictions are. */
export function evaluator(does, evaluate) {
    return step("evaluator", does, "evaluate", evaluate);
}

import { step } from "../step.js";

/** Judges rows; the rows themselves pass on unchanged. */
export function validator(does, check) {
    return step("validator", does, "check", check);
}

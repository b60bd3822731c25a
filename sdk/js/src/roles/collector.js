import { step } from "../step.js";

/** Brings rows in from outside, a page at a time. */
export function collector(does, read) {
    return step("collector", does, "read", read);
}

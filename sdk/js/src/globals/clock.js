// What the build puts in the place of the clock: an error that says so.

import { Permanent } from "../errors.js";

function noClock() {
    throw new Permanent("a step has no clock; `logicalTime()` of `stepwell` is the run's time");
}

class StepDate extends globalThis.Date {
    constructor(...given) {
        if (given.length === 0) noClock();
        super(...given);
    }

    static now() {
        noClock();
    }
}

export const performance = { now: noClock };
export { StepDate as Date };

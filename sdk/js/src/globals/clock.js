// What the build puts in the place of the clock: an error that says so. Code that looks at it by itself would make a step that
// cannot be replayed; `now()` says that it does.

import { Permanent } from "../errors.js";

function noClock() {
    throw new Permanent(
        "a step has no clock by itself: `logicalTime()` of `stepwell` is the run's time, `now()` the real one, where a "
            + "pipeline grants it",
    );
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

// What the build puts in the place of `Math.random`: chance that starts from the step's seed, anew in each call.

import { beforeCalls } from "../entry/guard.js";
import { rng } from "../seed.js";

let chance = null;
beforeCalls.add(() => {
    chance = null;
});

export function stepwellRandom() {
    chance ??= rng();
    return chance.uniform();
}

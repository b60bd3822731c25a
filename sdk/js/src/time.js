import { logicalTime as ofHost } from "./host/config.js";

/** The run's logical time: the scheduled instant, not the clock, which a step has not. */
export function logicalTime() {
    return new Date(ofHost() / 1000);
}

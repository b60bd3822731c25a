// What stands around each export: it lets go of handles, and turns whatever a step throws into the contract's error.

import { within } from "../arena.js";
import { Permanent, StepError, toContract } from "../errors.js";
import { lift } from "../table.js";

/** What is done before each call: what a step left behind must not change the next. */
export const beforeCalls = new Set();

/** An export that calls `body`. What it made in the host is let go afterwards, unless the step `keeps` it. */
export function exported(body, { keeps = false } = {}) {
    return function (...given) {
        for (const prepare of beforeCalls) prepare();
        try {
            return keeps ? body.apply(this, given) : within(() => body.apply(this, given));
        } catch (error) {
            throw toldOf(error);
        }
    };
}

/** The contract's case for what was thrown. What that cannot hold is a mistake of the step's like any other. */
function toldOf(thrown) {
    try {
        return toContract(thrown instanceof StepError ? thrown : new Permanent(described(thrown)));
    } catch (unfit) {
        return toContract(new Permanent(described(unfit, thrown)));
    }
}

/** `TypeError: not a function (ratio.js, line 12)`: the innermost line that is the user's own, of what was `thrown` or of itself. */
export function described(error, thrown = error) {
    const text = error instanceof Error ? String(error) : `expected an error to be thrown, got ${String(error)}`;
    const place = sourceLine(thrown?.stack);
    return place ? `${text} (${place})` : text;
}

/** The build appends `stepwellLines`: the place in the user's files of each line of the bundle. */
function sourceLine(stack) {
    const lines = globalThis.stepwellLines ?? {};
    for (const [, line] of String(stack).matchAll(/:(\d+)(?::\d+)?\)?$/gm)) if (lines[line]) return lines[line];
    return undefined;
}

/** A table that may not be there. */
export function maybe(handle) {
    return handle === null || handle === undefined ? null : lift(handle);
}

/** `{name: bytes}` of the contract's files. */
export function contents(files) {
    return Object.fromEntries(files.map(({ name, content }) => [name, content]));
}

/** The contract's files of `{name: bytes}`. */
export function toFiles(saved) {
    return Object.entries(saved).map(([name, content]) => ({ name, content }));
}

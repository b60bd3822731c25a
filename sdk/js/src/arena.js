// What the host holds for a step: each handle is let go at the end of the call that made it, or at the end of the `tidy`
// around it. The engine does not do so by itself, and a step may hold only so many at once.

let held = new Set();

/** Takes a handle in: it is let go with the others, unless it is released before. */
export function adopt(handle) {
    held.add(handle);
    return handle;
}

/** Takes a handle out: whoever asked answers for it. */
export function release(handle) {
    held.delete(handle);
    return handle;
}

/** Lets go of one handle now. */
export function dispose(handle) {
    if (held.delete(handle)) handle[Symbol.dispose]();
}

/** Calls a function and lets go of what it adopted, but for the handles that `kept` finds in its result. */
export function within(body, kept = () => []) {
    const outer = held;
    held = new Set();
    let survivors = [];
    try {
        const result = body();
        survivors = [...kept(result)].filter((handle) => held.delete(handle));
        return result;
    } finally {
        const gone = held;
        held = outer;
        for (const handle of survivors) held.add(handle);
        for (const handle of gone) handle[Symbol.dispose]();
    }
}

/** What a handle stands behind has it under this name. */
export const HANDLE = Symbol("handle");

/** Calls a function and lets go of the tensors and tables it made, but for those it returns. */
export function tidy(body) {
    return within(body, handlesIn);
}

function handlesIn(result) {
    if (result === null || typeof result !== "object") return [];
    if (HANDLE in result) return [result[HANDLE]];
    return Object.values(result).flatMap((inner) => (inner?.[HANDLE] ? [inner[HANDLE]] : []));
}

// Settings of a step that runs natively, where no host says them.

const NONE = { params: {}, seed: 0, logicalTime: 0, now: null, environment: {} };

export let pretended = NONE;

/** Calls a function whose steps see these settings, and returns its result. */
export function pretend(settings, body) {
    const before = pretended;
    pretended = { ...NONE, ...settings };
    try {
        return body();
    } finally {
        pretended = before;
    }
}

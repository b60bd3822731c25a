// The contract's errors as classes. Thrown by a step, each becomes the same case of the contract's error variant; what the
// host throws comes as one of them. Anything else that leaves a step is reported as `Permanent`, with its line.

import { decode, encode } from "./utf8.js";

/** What every error of the contract is; catch it to handle them all. */
export class StepError extends Error {
    get name() {
        return this.constructor.name;
    }
}

/** An argument, column or parameter that cannot be used; never retried. */
export class InvalidInput extends StepError {
    constructor(argument, reason) {
        super(`\`${argument}\`: ${reason}`);
        Object.assign(this, { argument, reason });
    }
}

/** Operands whose shapes do not fit together; never retried. */
export class ShapeMismatch extends StepError {
    constructor(operation, expected, got) {
        super(`${operation}: expected ${expected}, got ${got}`);
        Object.assign(this, { operation, expected, got });
    }
}

/** A limit of the step that was reached; retried only with a larger limit. */
export class BudgetExceeded extends StepError {
    constructor(kind, used, limit) {
        super(`${kind}: expected at most ${limit}, got ${used}`);
        Object.assign(this, { kind, used, limit });
    }
}

/** A door that no grant opened; the text names the grant that would. */
export class Denied extends StepError {}

/** The run was cancelled; return as soon as possible. */
export class Cancelled extends StepError {}

/** The outside world failed for now; the step is tried again after `retryAfterMs`, which are rounded. */
export class Transient extends StepError {
    constructor(reason, retryAfterMs = 1000) {
        super(reason);
        Object.assign(this, { reason, retryAfterMs });
    }
}

/** It will fail again; never retried. */
export class Permanent extends StepError {}

/** Calls the host; its error comes as one of ours. */
export function call(host) {
    try {
        return host();
    } catch (error) {
        throw error?.payload?.tag ? fromContract(error.payload) : error;
    }
}

/** The error for a case of the contract's variant. */
export function fromContract({ tag, val }) {
    switch (tag) {
        case "invalid-input":
            return new InvalidInput(val.name, val.reason);
        case "shape-mismatch":
            return new ShapeMismatch(val.operation, val.expected, val.got);
        case "budget-exceeded":
            return new BudgetExceeded(val.kind, val.used, val.limit);
        case "denied":
            return new Denied(val);
        case "cancelled":
            return new Cancelled("the run was cancelled");
        case "transient":
            return new Transient(...val);
        default:
            return new Permanent(val);
    }
}

/**
 * The contract's case for one of our errors. Its fields are whatever the step put there, and what the contract cannot hold would
 * end the component without a word: texts and counts that it can, or a TypeError that names what is no number.
 */
export function toContract(error) {
    const texts = (...names) => Object.fromEntries(names.map((name) => [name, told(error[name])]));
    if (error instanceof InvalidInput) return { tag: "invalid-input", val: { name: told(error.argument), ...texts("reason") } };
    if (error instanceof ShapeMismatch) return { tag: "shape-mismatch", val: texts("operation", "expected", "got") };
    if (error instanceof BudgetExceeded) {
        const val = { ...texts("kind"), used: counted(error, "used"), limit: counted(error, "limit") };
        return { tag: "budget-exceeded", val };
    }
    if (error instanceof Transient) return { tag: "transient", val: [told(error.reason), counted(error, "retryAfterMs")] };
    if (error instanceof Cancelled) return { tag: "cancelled" };
    return { tag: error instanceof Denied ? "denied" : "permanent", val: told(error.message) };
}

/** Half of a surrogate pair becomes U+FFFD. */
function told(value) {
    return decode(encode(String(value)));
}

/** Rounded, and the nearest that a number holds exactly. */
function counted(error, name) {
    const value = error[name];
    if ((typeof value !== "number" && typeof value !== "bigint") || Number.isNaN(value)) {
        const got = typeof value === "string" ? JSON.stringify(value) : String(value);
        throw new TypeError(`\`${name}\`: expected a number, got ${got}`);
    }
    return Math.round(Math.min(Math.max(Number(value), 0), Number.MAX_SAFE_INTEGER));
}

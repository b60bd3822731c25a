// A validator -> the interfaces `description` and `validator`.

import { Context, declared, readable } from "../step.js";
import { lift } from "../table.js";
import { description, doesOf, subset } from "./describe.js";
import { exported, maybe } from "./guard.js";

// The host shows no more.
const SAMPLE_MAX = 20;

export function bind(given, about) {
    const does = doesOf(given, "validator", about.file);
    const check = exported((handle, reference) => {
        const rows = lift(handle);
        const context = new Context(does, { rows, reference: maybe(reference), columns: rows.types });
        return [...does.check(readable(declared(does, "reads", context, {}), rows), context)].map(finding);
    });
    return { description: description(does, about, (_, wired) => ports(does, wired)), validator: { check } };
}

function finding({ check, passed, observed, expected, column = null, severity = "error", sample = [] }) {
    const few = sample.slice(0, SAMPLE_MAX);
    return { check, column, severity, passed, observed: String(observed), expected: String(expected), sample: few };
}

function ports(does, wired) {
    const reads = declared(does, "reads", new Context(does, { columns: wired.table ?? {} }), {});
    return {
        takes: { table: reads, ...(wired.reference && { reference: {} }) },
        gives: wired.table ? [["table", wired.table, subset("table")]] : [],
    };
}

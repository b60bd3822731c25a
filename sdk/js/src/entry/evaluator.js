// An evaluator -> the interfaces `description` and `evaluator`.

import { Context, declared, readable } from "../step.js";
import { lift } from "../table.js";
import { description, doesOf, other } from "./describe.js";
import { exported, maybe } from "./guard.js";

export function bind(given, about) {
    const does = doesOf(given, "evaluator", about.file);
    const evaluate = exported((candidate, baseline, slices) => {
        const rows = lift(candidate);
        const context = new Context(does, { rows, baseline: maybe(baseline), slices, columns: rows.types });
        return [...does.evaluate(readable(declared(does, "reads", context, {}), rows), context)].map(measure);
    });
    return { description: description(does, about, (_, wired) => ports(does, wired)), evaluator: { evaluate } };
}

function measure({ name, value, slice = null, interval, baselineValue = null, differenceInterval }) {
    const pair = (given) => (given ? { low: given[0], high: given[1] } : null);
    return { name, slice, value, interval: pair(interval), baselineValue, differenceInterval: pair(differenceInterval) };
}

function ports(does, wired) {
    const reads = declared(does, "reads", new Context(does, { columns: wired.candidate ?? {} }), {});
    return {
        takes: { candidate: reads, ...(wired.baseline && { baseline: reads }) },
        gives: [["measures", {}, other]],
    };
}

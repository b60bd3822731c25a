// A learner -> the interfaces `description`, `trainer` and `predictor`.

import { lower } from "../crossing.js";
import { Context, declared } from "../step.js";
import { lift, Table } from "../table.js";
import { parseAll, toFields } from "../types.js";
import { description, doesOf, same } from "./describe.js";
import { contents, exported, maybe, toFiles } from "./guard.js";

export function bind(given, about) {
    const does = doesOf(given, "learner", about.file);
    const train = exported(({ train: rows, validation, features, label, weight, initial }) => {
        const training = { train: lift(rows), validation: maybe(validation), features, label, weight };
        const made = does.train({ ...training, initial: initial && contents(initial) }, new Context(does));
        return {
            files: toFiles(made.files),
            inputs: toFields(parseAll(made.inputs)),
            outputs: toFields(parseAll(made.outputs)),
            measures: Object.entries(made.measures ?? {}).map(([name, value]) => ({ name, value })),
        };
    });

    class Model {
        static load = exported((files) => new Model(does.load(contents(files), new Context(does))), { keeps: true });

        constructor(model) {
            this.model = model;
        }
    }
    Model.prototype.predict = exported(function (rows) {
        const made = does.predict(this.model, lift(rows), new Context(does));
        return lower(made instanceof Table ? made : new Table(made));
    });

    const ports = (context, wired) => portsOf(does, context, wired);
    return { description: description(does, about, ports), trainer: { train }, predictor: { Model } };
}

// The host wires the features and the label as ports of their own; both tables have them.
function portsOf(does, context, wired) {
    const reads = { ...wired.features, ...wired.label };
    return {
        takes: {
            train: reads,
            ...(wired.validation && { validation: reads }),
            ...(does.labelled && { label: {} }),
            ...(does.warmStarts && { initial: {} }),
        },
        gives: [["predictions", declared(does, "gives", context, {}), same("train")]],
    };
}

// Checked by `tsc`, never run: what the declarations promise to an editor, and what they refuse.

import { type Column, learner, now, randomBytes, rowWise, sink, Table, transformer, type Value, variable } from "stepwell";
import { adamw, normal, Variable } from "stepwell/tensor";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T => true as T;

holds<Same<Value<"float64">, number>>();
holds<Same<Value<"int64?">, bigint | null>>();
holds<Same<Value<"vector(3)">, Float32Array>>();
holds<Same<Column<"date">["values"], Int32Array>>();
holds<Same<Column<"text?">["values"], Uint8Array>>();

holds<Same<ReturnType<typeof now>, Date>>();
holds<Same<ReturnType<typeof randomBytes>, Uint8Array>>();
holds<Same<ReturnType<typeof variable>, string | null>>();

rowWise({ reads: { mass: "float64", name: "text?" }, adds: { half: "float64" } }, (columns) => {
    holds<Same<ReturnType<typeof columns.mass.get>, number>>();
    holds<Same<ReturnType<typeof columns.name.get>, string | null>>();
    // @ts-expect-error: the step does not read it
    columns.volume;
    return { half: columns.mass.map((mass) => mass / 2) };
});

// @ts-expect-error: there is no such type
rowWise({ reads: { mass: "decimal" } }, () => ({}));
// @ts-expect-error: a state that JSON does not keep
rowWise({ reads: {}, fit: () => new Map([[1, 2]]) }, () => ({}));
// @ts-expect-error: a transformer says what it gives
transformer({}, (inputs) => inputs);

sink({ takes: { table: {} } }, (key, { table }) => ({ location: `${key}: ${table.length}` }));
sink({ takes: { report: {}, model: {} } }, (_, { report, model }) => {
    // @ts-expect-error: it is one or the other
    report.length;
    return { location: model ? String(model.about.plugin) : report.length.toString() };
});

learner<{ weight: Variable }>({
    train: ({ train, features, label }) => ({ files: {}, inputs: train.select(features).types, outputs: { [label!]: "float64" } }),
    load: () => ({ weight: new Variable("weight", normal([2, 1], 1)) }),
    predict: (model, rows) => {
        adamw([model.weight]).step(model.weight.value().sum(), 0.1);
        return new Table({ answer: new Float64Array(rows.length) });
    },
});

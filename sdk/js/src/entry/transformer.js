// A transformer -> the interfaces `description` and `transformer`.

import { lower } from "../crossing.js";
import { Permanent } from "../errors.js";
import { shown } from "../made.js";
import { Context, declared } from "../step.js";
import { lift, Table } from "../table.js";
import { description, doesOf, other, subset } from "./describe.js";
import { exported } from "./guard.js";

export function bind(given, about) {
    const does = doesOf(given, "transformer", about.file);
    const run = exported((inputs) => {
        const tables = Object.fromEntries(inputs.map(({ name, table }) => [name, lift(table)]));
        const made = does.run(tables, new Context(does));
        return Object.entries(made ?? {}).map(([name, table]) => ({ name, table: lower(required(name, table)) }));
    });
    return { description: description(does, about, (context, wired) => ports(does, context, wired)), transformer: { run } };
}

function required(name, table) {
    if (table instanceof Table) return table;
    throw new Permanent(`expected a table as the output \`${name}\` of \`run\`, got ${shown(table)}`);
}

function ports(does, context, wired) {
    const any = Object.fromEntries(Object.keys(wired).map((port) => [port, {}]));
    const of = declared(does, "subsetOf", context, {});
    const gives = Object.entries(declared(does, "gives", context, {}));
    return {
        takes: declared(does, "takes", context, any),
        gives: gives.map(([port, columns]) => [port, columns, Object.hasOwn(of, port) ? subset(of[port]) : other]),
    };
}

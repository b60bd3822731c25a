// A collector -> the interfaces `description` and `collector`.

import { lower } from "../crossing.js";
import { Permanent } from "../errors.js";
import { shown } from "../made.js";
import { Context, declared } from "../step.js";
import { Table } from "../table.js";
import { parseAll, toFields } from "../types.js";
import { description, doesOf, other } from "./describe.js";
import { exported } from "./guard.js";

export function bind(given, about) {
    const does = doesOf(given, "collector", about.file);
    const gives = (context) => declared(does, "gives", context, {});
    const discover = exported(() => {
        const context = new Context(does);
        return toFields(parseAll(does.discover ? does.discover(context) : gives(context)));
    });
    const read = exported((cursor) => {
        const context = new Context(does);
        const page = does.read(cursor ?? null, context);
        const { nextCursor = new Uint8Array(), more = false, restarted = false } = page ?? {};
        return { table: lower(tableOf(page?.table, gives(context))), nextCursor, more, restarted };
    });
    const ports = (context) => ({ takes: {}, gives: [["table", gives(context), other]] });
    return { description: description(does, about, ports), collector: { discover, read } };
}

/** A page's rows, with the columns of the declared types: a page of nulls alone has them too. */
function tableOf(table, types) {
    if (table instanceof Table) {
        const typed = Object.keys(types).filter((name) => table.has(name));
        const columns = Object.fromEntries(typed.map((name) => [name, table.column(name)]));
        return table.with(columns, Object.fromEntries(typed.map((name) => [name, types[name]])));
    }
    if (table !== null && typeof table === "object") {
        const typed = Object.entries(types).filter(([name]) => Object.hasOwn(table, name));
        return new Table(table, Object.fromEntries(typed));
    }
    throw new Permanent(`expected a page with a \`table\` from \`read\`, got ${shown(table)}`);
}

// A row-wise step, and its life as the host leads it: fit, save, restore, apply in pieces, each result checked. The
// component's glue and `apply.js` share this, so that a test trips over what a run would trip over.

import { InvalidInput, Permanent } from "../errors.js";
import { shown } from "../made.js";
import { Context, declared, readable, step } from "../step.js";
import { CHUNK_ROWS, Table } from "../table.js";
import { parse, parseAll } from "../types.js";
import * as utf8 from "../utf8.js";

const STATE_FILE = "state.json";

/** Makes row i of the output of row i of the input, so that it can stand on the path of a request. */
export function rowWise(does, apply) {
    return step("rowWise", does, "apply", apply);
}

/** Whether a step learns from rows before it is applied. */
export function learns(does) {
    return typeof does.fit === "function";
}

/** What a step learns from these rows; null for one that does not learn. */
export function fitted(does, rows) {
    if (!learns(does)) return null;
    const context = contextOf(does, rows);
    const state = does.fit(readable(reads(does, context), rows), context);
    requireJson(state, "state");
    // What is applied in training is what serving will read.
    return JSON.parse(JSON.stringify(state));
}

/** A state as files; none for a step that does not learn. */
export function saved(does, state) {
    return learns(does) ? { [STATE_FILE]: utf8.encode(JSON.stringify(state)) } : {};
}

/** The state that `saved` gave as files. */
export function restored(does, files) {
    if (!learns(does)) return null;
    if (!files[STATE_FILE]) throw new InvalidInput("files", `expected \`${STATE_FILE}\`, got ${shown(Object.keys(files)[0])}`);
    return JSON.parse(utf8.decode(files[STATE_FILE]));
}

/** The results of a step for consecutive pieces of the rows. */
export function* pieces(does, state, rows, size = CHUNK_ROWS) {
    for (const piece of rows.chunks(size)) {
        const context = contextOf(does, piece, state);
        const made = does.apply(readable(reads(does, context), piece), context);
        yield conform(made, piece, columnsOut(does, context));
    }
}

/** The columns that a step reads of rows with these. */
export function reads(does, context) {
    return declared(does, "reads", context, {});
}

/** The columns that `apply` gives, as a map of types. */
export function columnsOut(does, context) {
    const drops = declared(does, "drops", context, []);
    const kept = Object.entries(context.columns).filter(([name]) => !drops.includes(name));
    return parseAll({ ...Object.fromEntries(kept), ...declared(does, "adds", context, {}) });
}

function contextOf(does, rows, state = null) {
    return new Context(does, { rows, state, columns: rows.types });
}

function conform(made, piece, expected) {
    if (made === null || typeof made !== "object" || Array.isArray(made) || made instanceof Promise) {
        throw new Permanent(`expected columns by name from \`apply\`, or a table; got ${shown(made)}`);
    }
    const table = made instanceof Table ? made : added(made, piece, expected);
    if (table.length !== piece.length) {
        throw new Permanent(`expected ${piece.length} rows from \`apply\`, one a row it was given; got ${table.length}`);
    }
    const names = [...expected.keys()];
    if (names.length !== table.names.length || !names.every((name) => table.has(name))) {
        const got = table.names.join(", ");
        throw new Permanent(`expected the columns ${names.join(", ")} from \`apply\`, as \`adds\` and \`drops\` say; got ${got}`);
    }
    return retyped(table, piece, expected).select(names);
}

/** The piece's columns that stay, and those that were made. */
function added(made, piece, expected) {
    const typed = Object.keys(made).filter((name) => expected.has(name));
    const types = Object.fromEntries(typed.map((name) => [name, expected.get(name)]));
    return piece.select(piece.names.filter((name) => expected.has(name))).with(made, types);
}

/** The same rows, with the columns made here under their declared types. Rows taken anew are all made here. */
function retyped(table, piece, expected) {
    const { local, source } = Table.parts(table);
    const from = Table.parts(piece).source;
    const same = source === null || (source.handle === from?.handle && source.offset === from.offset);
    const names = same ? [...local.keys()] : table.names;
    const columns = Object.fromEntries(names.map((name) => [name, table.column(name)]));
    const types = Object.fromEntries(names.map((name) => [name, parse(name, expected.get(name))]));
    return same ? table.with(columns, types) : new Table(columns, types);
}

function requireJson(value, path) {
    if (value === null || ["boolean", "string"].includes(typeof value) || Number.isFinite(value)) return;
    if (Array.isArray(value)) {
        value.forEach((inner, index) => requireJson(inner, `${path}[${index}]`));
    } else if (typeof value === "object" && [Object.prototype, null].includes(Object.getPrototypeOf(value))) {
        for (const [key, inner] of Object.entries(value)) requireJson(inner, `${path}.${key}`);
    } else {
        const got = shown(value);
        throw new Permanent(`expected JSON in \`${path}\` (text, finite numbers, arrays, plain objects), got ${got}`);
    }
}

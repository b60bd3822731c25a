// Rows with named, typed columns: what a step is given and gives back.
//
// Inside a component a table points at rows that stay in the host; a column's bytes come over when it is first asked for,
// at most `CHUNK_ROWS` rows a call, and only columns made here go back. In a native test all columns are made here. A
// step cannot tell.

import { adopt, HANDLE } from "./arena.js";
import { column, joined } from "./columns.js";
import { call, InvalidInput } from "./errors.js";
import { infer } from "./made.js";
import { readColumn } from "./crossing.js";
import { fromField, parse, written } from "./types.js";

export const CHUNK_ROWS = 65_536;

/** Immutable rows: what changes a table returns a new one. */
export class Table {
    // Name -> type of every column; name -> column of those made here; where the others are: `{handle, offset}` or null.
    #types;
    #local;
    #source;
    #length;
    #seen = new Map();

    /** Of lists of equal length under their names. A type is told by its values, or by `types`: `{age: "int64?"}`. */
    constructor(columns = {}, types = {}) {
        const local = new Map();
        for (const name of Object.keys(types)) {
            if (!Object.hasOwn(columns, name)) {
                const got = listed(Object.keys(columns));
                throw new InvalidInput(name, `expected a column to give a type to, got only ${got}`);
            }
        }
        for (const [name, given] of Object.entries(columns)) {
            const type = Object.hasOwn(types, name) ? parse(name, types[name]) : given?.type ?? infer(name, given);
            local.set(name, column(name, type, given));
        }
        this.#hold(new Map([...local].map(([name, { type }]) => [name, type])), lengthOf(local), local, null);
    }

    #hold(types, length, local, source) {
        this.#types = types;
        this.#length = length;
        this.#local = local;
        this.#source = source;
        return this;
    }

    static #of(types, length, local, source) {
        return new Table().#hold(types, length, local, source);
    }

    /** How the SDK itself sees a table, and makes one. */
    static parts = (table) => ({ types: table.#types, local: table.#local, source: table.#source, length: table.#length });
    static of = (types, length, local, source) => Table.#of(types, length, local, source);

    get [HANDLE]() {
        return this.#source?.handle;
    }

    /** Names of the columns, in order. */
    get names() {
        return [...this.#types.keys()];
    }

    /** The columns' types by name: `{age: "int64?"}`. */
    get types() {
        return written(this.#types);
    }

    /** How many rows there are. */
    get length() {
        return this.#length;
    }

    has(name) {
        return this.#types.has(name);
    }

    /** The column of that name. */
    column(name) {
        const here = this.#local.get(name) ?? this.#seen.get(name);
        if (here) return here;
        this.#known([name]);
        const { handle, offset } = this.#source;
        const read = readColumn(handle, name, this.#types.get(name), offset, this.#length);
        this.#seen.set(name, read);
        return read;
    }

    /** This table with more columns of as many values; one of the same name is replaced where it stands. */
    with(columns, types = {}) {
        const added = new Table(columns, types);
        for (const name of added.names) {
            if (added.length !== this.#length && this.#types.size > 0) {
                throw new InvalidInput(name, `expected ${this.#length} rows, got ${added.length}`);
            }
        }
        const length = added.names.length > 0 ? added.length : this.#length;
        const all = new Map([...this.#types, ...added.#types]);
        return Table.#of(all, length, new Map([...this.#local, ...added.#local]), this.#source);
    }

    /** These columns, in this order. */
    select(names) {
        this.#known(names);
        if (new Set(names).size !== names.length) {
            throw new InvalidInput("columns", `expected each column once, got ${listed(names)}`);
        }
        const types = new Map(names.map((name) => [name, this.#types.get(name)]));
        const local = new Map(names.filter((name) => this.#local.has(name)).map((name) => [name, this.#local.get(name)]));
        return Table.#of(types, this.#length, local, local.size < names.length ? this.#source : null);
    }

    /** All columns but these. */
    without(names) {
        this.#known(names);
        return this.select(this.names.filter((name) => !names.includes(name)));
    }

    /** The rows at these positions, in this order; a position may come twice. */
    take(rows) {
        for (const row of rows) {
            if (!(Number.isInteger(row) && row >= 0 && row < this.#length)) {
                throw new InvalidInput("rows", `expected positions below ${this.#length}, got ${row}`);
            }
        }
        const local = new Map([...this.#local].map(([name, here]) => [name, here.take(rows)]));
        return Table.#of(this.#types, rows.length, local, this.#source && this.#taken(Array.from(rows)));
    }

    #taken(rows) {
        const { handle, offset } = this.#source;
        return { handle: adopt(call(() => handle.take(rows.map((row) => offset + row)))), offset: 0 };
    }

    /** `length` rows from row `offset`; fewer at the end. */
    slice(offset, length = this.#length) {
        const start = Math.min(offset, this.#length);
        const few = Math.min(length, this.#length - start);
        const local = new Map([...this.#local].map(([name, here]) => [name, here.slice(start, few)]));
        const source = this.#source && { ...this.#source, offset: this.#source.offset + start };
        return Table.#of(this.#types, few, local, source);
    }

    /** The table in consecutive pieces of at most so many rows; one piece without rows if there are none. */
    *chunks(rows = CHUNK_ROWS) {
        if (this.#length <= rows) yield this;
        else for (let offset = 0; offset < this.#length; offset += rows) yield this.slice(offset, rows);
    }

    /** All columns as arrays, null where there is no value: for tests and small tables. */
    toObject() {
        return Object.fromEntries(this.names.map((name) => [name, [...this.column(name)]]));
    }

    #known(names) {
        for (const name of names) {
            if (!this.#types.has(name)) {
                throw new InvalidInput(name, `expected a column among ${listed(this.names)}, got no such column`);
            }
        }
    }
}

function lengthOf(local) {
    const [first, ...others] = local;
    for (const [name, { length }] of others) {
        if (length !== first[1].length) throw new InvalidInput(name, `expected ${first[1].length} rows, got ${length}`);
    }
    return first ? first[1].length : 0;
}

function listed(names) {
    const shown = names.slice(0, 8).map((name) => `\`${name}\``);
    return shown.join(", ") + (names.length > 8 ? ` and ${names.length - 8} more` : "") || "none";
}

/** The table behind a handle that the host gave. */
export function lift(handle) {
    const types = new Map(handle.schema().map((field) => [field.name, fromField(field)]));
    return Table.of(types, handle.rows(), new Map(), { handle: adopt(handle), offset: 0 });
}

/** The rows as `joined` pieces of one: for native tests. */
export function stacked(pieces) {
    const [first] = pieces;
    const types = Table.parts(first).types;
    const columns = first.names.map((name) => [name, joined(types.get(name), pieces.map((piece) => piece.column(name)))]);
    return new Table(Object.fromEntries(columns), first.types);
}

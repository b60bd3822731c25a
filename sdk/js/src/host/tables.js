// `stepwell:data/tables` where there is no host: tables in memory, under the names and with the limits of the contract.
// `calls` says what crossed, for the SDK's own tests.

import { column, fromWire, joined, toWire } from "../columns.js";
import { fromField, toFields } from "../types.js";

const READ_BYTES_MAX = 32 << 20;

export const calls = [];
/** Tables that were made and not let go. */
export const open = new Set();

/** Of a map of columns by name. */
export class Table {
    constructor(columns) {
        this.columns = columns;
        open.add(this);
    }

    #each(make) {
        return new Table(new Map([...this.columns].map(([name, held]) => [name, make(held)])));
    }

    schema() {
        return toFields(new Map([...this.columns].map(([name, { type }]) => [name, type])));
    }

    rows() {
        return [...this.columns.values()][0]?.length ?? 0;
    }

    read(name, offset, length) {
        calls.push(["read", name, offset, length]);
        const held = this.columns.get(name);
        const wire = toWire(held.slice(offset, Math.min(length, held.length - offset)));
        if (wire.data.length <= READ_BYTES_MAX) return wire;
        throw { payload: { tag: "budget-exceeded", val: { kind: "chunk", used: wire.data.length, limit: READ_BYTES_MAX } } };
    }

    select(names) {
        calls.push(["select", ...names]);
        return new Table(new Map(names.map((name) => [name, this.columns.get(name)])));
    }

    take(rows) {
        return this.#each((held) => held.take(rows));
    }

    slice(offset, length) {
        return this.#each((held) => held.slice(offset, length));
    }

    withColumns(other) {
        calls.push(["withColumns", ...other.columns.keys()]);
        return new Table(new Map([...this.columns, ...other.columns]));
    }

    [Symbol.dispose]() {
        open.delete(this);
    }
}

export class TableWriter {
    static create(fields) {
        return Object.assign(new TableWriter(), { fields, parts: fields.map(() => []) });
    }

    append(columns) {
        calls.push(["append", columns[0].length]);
        columns.forEach((wire, index) => this.parts[index].push(fromWire(fromField(this.fields[index]), wire)));
    }

    static finish({ fields, parts }) {
        const held = fields.map((field, index) => {
            const type = fromField(field);
            return [field.name, parts[index].length > 0 ? joined(type, parts[index]) : column(field.name, type, [])];
        });
        return new Table(new Map(held));
    }

    [Symbol.dispose]() {}
}

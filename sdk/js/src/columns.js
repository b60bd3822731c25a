// Columns over the buffers of Apache Arrow: the bytes that the host gave are looked at, never unpacked. `table` calls
// this; it knows no host.

import * as bits from "./bits.js";
import { InvalidInput } from "./errors.js";
import * as made from "./made.js";
import { Type, dataType } from "./types.js";
import * as utf8 from "./utf8.js";

/** The array over the bytes of each type whose values have one width. */
export const ARRAYS = {
    int64: BigInt64Array,
    float32: Float32Array,
    float64: Float64Array,
    timestamp: BigInt64Array,
    date: Int32Array,
    vector: Float32Array,
};

const VALUE = {
    boolean: ({ values }, row) => bits.isSet(values, row),
    text: (column, row) => utf8.decode(piece(column, row)),
    bytes: (column, row) => piece(column, row),
    vector: ({ values, type: { length } }, row) => values.subarray(row * length, (row + 1) * length),
};

function piece({ values, offsets }, row) {
    return values.subarray(offsets[row], offsets[row + 1]);
}

/**
 * One value a row. `values` is the typed array over them; a bitmap for `boolean`, all bytes in a row for `text` and
 * `bytes`, of which value i begins at `offsets[i]`. `validity` is a bitmap of the rows that have a value, or null.
 */
export class Column {
    constructor(type, length, values, { offsets = null, validity = null } = {}) {
        Object.assign(this, { type, length, values, offsets, validity });
    }

    /** The value of a row, null where there is none, undefined beyond the end. */
    get(row) {
        if (!(row >= 0 && row < this.length)) return undefined;
        if (this.validity !== null && !bits.isSet(this.validity, row)) return null;
        const value = VALUE[this.type.name];
        return value ? value(this, row) : this.values[row];
    }

    isNull(row) {
        return this.validity !== null && !bits.isSet(this.validity, row);
    }

    get nulls() {
        return this.validity === null ? 0 : bits.countUnset(this.validity, this.length);
    }

    /** An array of what a function makes of each value and its row; a null stays null. */
    map(make) {
        const { length, values, validity } = this;
        const value = VALUE[this.type.name];
        const array = new Array(length);
        for (let row = 0; row < length; row++) {
            // As in `isSet`: a call a row is what takes the time here.
            const there = validity === null || ((validity[row >> 3] >> (row & 7)) & 1) === 1;
            array[row] = there ? make(value ? value(this, row) : values[row], row) : null;
        }
        return array;
    }

    [Symbol.iterator]() {
        const plain = this.validity === null && !VALUE[this.type.name];
        return (plain ? this.values : this.map((value) => value))[Symbol.iterator]();
    }

    toJSON() {
        return [...this];
    }

    /** `length` rows from row `offset`, without copying values. */
    slice(offset, length) {
        const { type, offsets } = this;
        const validity = this.validity && bits.slice(this.validity, offset, length);
        if (type.name === "boolean") {
            return new Column(type, length, bits.slice(this.values, offset, length), { validity });
        }
        if (offsets) {
            const few = offsets.subarray(offset, offset + length + 1);
            return new Column(type, length, this.values, { offsets: few, validity });
        }
        const width = type.length || 1;
        return new Column(type, length, this.values.subarray(offset * width, (offset + length) * width), { validity });
    }

    /** The rows at these positions, in this order. */
    take(rows) {
        return column("rows", nullable(this.type), Array.from(rows, (row) => this.get(row))).as("rows", this.type);
    }

    /** The same values under a type that differs in whether it allows nulls. */
    as(name, type) {
        const row = type.nullable ? -1 : firstNull(this);
        if (row >= 0) throw made.refusedNull(name, type, row);
        return new Column(type, this.length, this.values, this);
    }
}

function nullable({ name, length }) {
    return new Type(name, length, true);
}

/** The first row without a value, or -1. */
export function firstNull(given) {
    for (let row = 0; given.validity !== null && row < given.length; row++) if (given.isNull(row)) return row;
    return -1;
}

/** A column of this type of whatever a step made: a column, a typed array, or a list with null for no value. */
export function column(name, type, given) {
    if (given instanceof Column && given.type.fits(type)) return given.as(name, type);
    if (ARRAYS[type.name] === given?.constructor && !type.length) return new Column(type, given.length, given);
    if (typeof given === "string" || typeof given?.[Symbol.iterator] !== "function") {
        throw new InvalidInput(name, `expected one value a row, got a single ${made.shown(given)}`);
    }
    const listed = Array.isArray(given) || ArrayBuffer.isView(given) ? given : Array.from(given);
    const { values, offsets, validity } = made.buffers(name, type, listed);
    return new Column(type, listed.length, values, { offsets, validity });
}

/** Consecutive parts of one column as one. */
export function joined(type, parts) {
    if (parts.length === 1) return parts[0];
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const some = parts.some((part) => part.validity !== null);
    const validity = some ? bits.join(parts.map((part) => [part.validity, part.length])) : null;
    if (type.name === "boolean") {
        return new Column(type, length, bits.join(parts.map((part) => [part.values, part.length])), { validity });
    }
    const own = parts.map(packed);
    const offsets = parts[0].offsets && joinedOffsets(own, length);
    return new Column(type, length, joinedValues(own.map(({ values }) => values)), { offsets, validity });
}

function joinedValues(parts) {
    const values = new parts[0].constructor(parts.reduce((sum, part) => sum + part.length, 0));
    let end = 0;
    for (const part of parts) {
        values.set(part, end);
        end += part.length;
    }
    return values;
}

function joinedOffsets(parts, length) {
    const offsets = new Int32Array(length + 1);
    let row = 0;
    let start = 0;
    for (const part of parts) {
        for (let at = 1; at < part.offsets.length; at++) offsets[row + at] = start + part.offsets[at];
        row += part.offsets.length - 1;
        start += part.values.length;
    }
    return offsets;
}

/** `{values, offsets}` of these rows alone: a slice of texts has the bytes of all. */
function packed({ values, offsets, length }) {
    if (offsets === null) return { values, offsets };
    const [first, last] = [offsets[0], offsets[length]];
    const own = first === 0 ? offsets : offsets.map((offset) => offset - first);
    return { values: values.subarray(first, last), offsets: own };
}

/** The contract's column. */
export function toWire(column) {
    const { values, offsets } = packed(column);
    const { type, length, validity } = column;
    return { dataType: dataType(type), length, validity, offsets: offsets && bytes(offsets), data: bytes(values) };
}

/** A column over the bytes that the host gave. */
export function fromWire(type, { length, validity, offsets, data }) {
    const { name } = type;
    if (offsets) return new Column(type, length, data, { validity, offsets: view(Int32Array, offsets, length + 1) });
    if (name === "boolean") return new Column(type, length, data, { validity });
    return new Column(type, length, view(ARRAYS[name], data, length * (type.length || 1)), { validity });
}

/** A typed array over bytes; of a copy where they do not lie as the type needs it. */
export function view(TypedArray, data, length) {
    const lies = data.byteOffset % TypedArray.BYTES_PER_ELEMENT === 0;
    return lies ? new TypedArray(data.buffer, data.byteOffset, length) : new TypedArray(data.slice().buffer, 0, length);
}

function bytes(values) {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

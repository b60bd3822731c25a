// Lists that a step made -> the buffers of a column, each value checked. What does not fit is named with its row.

import * as bits from "./bits.js";
import { InvalidInput } from "./errors.js";
import { Type } from "./types.js";
import * as utf8 from "./utf8.js";

const DAY_MS = 86_400_000;
const NUMBERS = { int64: BigInt64Array, float32: Float32Array, float64: Float64Array, timestamp: BigInt64Array, date: Int32Array };

// A value of each type as it is stored; undefined for one that does not fit.
const STORED = {
    boolean: (value) => (typeof value === "boolean" ? value : undefined),
    int64: whole,
    float32: (value) => (typeof value === "number" ? value : undefined),
    float64: (value) => (typeof value === "number" ? value : undefined),
    text: (value) => (typeof value === "string" ? value : undefined),
    bytes: (value) => (value instanceof Uint8Array ? value : undefined),
    timestamp: (value) => (value instanceof Date ? whole(value.getTime() * 1000) : whole(value)),
    date: (value) => day(value instanceof Date ? Math.floor(value.getTime() / DAY_MS) : value),
    vector: (value, length) => (value?.length === length && every(value, isNumber) ? value : undefined),
};

function whole(value) {
    if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? value : undefined;
    return Number.isSafeInteger(value) ? BigInt(value) : undefined;
}

function day(value) {
    return Number.isInteger(value) && (value | 0) === value ? value : undefined;
}

function isNumber(value) {
    return typeof value === "number";
}

function every(list, holds) {
    for (const value of list) if (!holds(value)) return false;
    return true;
}

/** `{values, offsets, validity}` of a list under a type. */
export function buffers(name, type, list) {
    const quick = type.name === "float64" || type.name === "float32" ? floats(type, list) : null;
    if (quick) return quick;
    const { stored, validity } = checked(name, type, list);
    if (type.name === "text" || type.name === "bytes") return { ...pieces(stored), validity };
    return { values: fixed(type, stored), offsets: null, validity };
}

/** The same for the most frequent types, in one pass; null for a list with a value that does not fit. */
function floats(type, list) {
    const values = new NUMBERS[type.name](list.length);
    let validity = null;
    for (let row = 0; row < list.length; row++) {
        const value = list[row];
        if (typeof value === "number") {
            values[row] = value;
        } else if (value === null && type.nullable) {
            validity ??= bits.allSet(list.length);
            validity[row >> 3] &= ~(1 << (row & 7));
        } else {
            return null;
        }
    }
    return { values, offsets: null, validity };
}

function checked(name, type, list) {
    const convert = STORED[type.name];
    const stored = new Array(list.length);
    let validity = null;
    for (let row = 0; row < list.length; row++) {
        const value = list[row];
        if (value === null) {
            if (!type.nullable) throw refusedNull(name, type, row);
            validity ??= bits.allSet(list.length);
            validity[row >> 3] &= ~(1 << (row & 7));
            stored[row] = null;
            continue;
        }
        stored[row] = convert(value, type.length);
        if (stored[row] === undefined) throw new InvalidInput(name, `expected ${type} in row ${row}, got ${shown(value)}`);
    }
    return { stored, validity };
}

function fixed(type, stored) {
    if (type.name === "boolean") {
        const values = bits.unset(stored.length);
        stored.forEach((value, row) => value && bits.set(values, row));
        return values;
    }
    const values = type.length ? new Float32Array(type.length * stored.length) : new NUMBERS[type.name](stored.length);
    for (let row = 0; row < stored.length; row++) {
        if (stored[row] === null) continue;
        if (type.length) values.set(stored[row], row * type.length);
        else values[row] = stored[row];
    }
    return values;
}

function pieces(stored) {
    const offsets = new Int32Array(stored.length + 1);
    let values = new Uint8Array(64 + stored.length * 8);
    let end = 0;
    stored.forEach((value, row) => {
        const room = value === null ? 0 : typeof value === "string" ? value.length * 3 : value.length;
        if (end + room > values.length) values = grown(values, end + room);
        if (typeof value === "string") {
            end = utf8.encodeInto(value, values, end);
        } else if (value !== null) {
            values.set(value, end);
            end += value.length;
        }
        offsets[row + 1] = end;
    });
    return { values: values.subarray(0, end), offsets };
}

function grown(values, least) {
    const more = new Uint8Array(Math.max(least, values.length * 2));
    more.set(values);
    return more;
}

/** The type of these values. Without any value there is no telling. */
export function infer(name, given) {
    const known = { Float64Array: "float64", Float32Array: "float32", BigInt64Array: "int64" }[given?.constructor?.name];
    if (known) return new Type(known, 0, false);
    let nullable = false;
    let found = null;
    for (const value of given?.[Symbol.iterator] && typeof given !== "string" ? given : []) {
        if (value === null) nullable = true;
        else found ??= INFERRED.find(([, is]) => is(value))?.[0] ?? shown(value);
    }
    if (!STORED[found]) {
        const got = found ?? "none";
        throw new InvalidInput(name, `expected a value to tell the type by, got ${got}; name it in \`types\``);
    }
    return new Type(found, found === "vector" ? lengthOfFirst(given) : 0, nullable);
}

// Whole numbers are numbers like all others in this language: only a BigInt says int64.
const INFERRED = [
    ["boolean", (value) => typeof value === "boolean"],
    ["int64", (value) => typeof value === "bigint"],
    ["float64", isNumber],
    ["text", (value) => typeof value === "string"],
    ["bytes", (value) => value instanceof Uint8Array],
    ["timestamp", (value) => value instanceof Date],
    ["vector", (value) => (Array.isArray(value) || value instanceof Float32Array) && value.length > 0],
];

function lengthOfFirst(given) {
    for (const value of given) if (value !== null) return value.length;
    return 0;
}

/** The error for a null where none may be. */
export function refusedNull(name, type, row) {
    return new InvalidInput(name, `expected ${type} in row ${row}, got a null; a type that ends in \`?\` allows it`);
}

/** A value as an error shows it. */
export function shown(value) {
    const kind = typeof value;
    if (value === undefined || value === null) return String(value);
    if (kind === "string") return `string ${JSON.stringify(value.slice(0, 60))}`;
    if (kind === "object") return value.constructor?.name ?? "object";
    return kind === "function" ? "function" : `${kind} ${value}`;
}

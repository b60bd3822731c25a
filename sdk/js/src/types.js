// A column's type as it is written (`float64`, `text?`, `vector(8)`), as it is here, and as it is in the contract.

import { InvalidInput } from "./errors.js";

const WRITTEN = /^(?:(boolean|int64|float32|float64|text|bytes|timestamp|date)|vector\(([1-9]\d{0,4})\))(\?)?$/;
const NAMES = "boolean, int64, float32, float64, text, bytes, timestamp, date and vector(LENGTH)";
const VECTOR_LENGTH_MAX = 65_536;

/** `name` is the type's; `length` a vector's, else 0; `nullable` whether there may be nulls, the `?` at the end. */
export class Type {
    constructor(name, length, nullable) {
        Object.assign(this, { name, length, nullable });
    }

    toString() {
        return `${this.name}${this.length ? `(${this.length})` : ""}${this.nullable ? "?" : ""}`;
    }

    /** Whether the values of both are alike; nulls aside. */
    fits(other) {
        return this.name === other.name && this.length === other.length;
    }
}

/** The `Type` that is written so; `column` is what an error calls it. */
export function parse(column, written) {
    if (written instanceof Type) return written;
    const [, name, length, nullable] = WRITTEN.exec(String(written)) ?? [];
    if (!name && !(Number(length) <= VECTOR_LENGTH_MAX)) {
        throw new InvalidInput(column, `expected a type among ${NAMES}, got \`${written}\``);
    }
    return new Type(name ?? "vector", Number(length ?? 0), Boolean(nullable));
}

/** `{name: type}` -> a map of the same with each type parsed. */
export function parseAll(columns) {
    return new Map(Object.entries(columns).map(([name, written]) => [name, parse(name, written)]));
}

/** A map of types -> `{name: written}`. */
export function written(types) {
    return Object.fromEntries([...types].map(([name, type]) => [name, String(type)]));
}

/** The type of a field that the host gave. */
export function fromField({ dataType, nullable }) {
    return new Type(dataType.tag, dataType.tag === "vector" ? dataType.val : 0, nullable);
}

/** The contract's data type. */
export function dataType({ name, length }) {
    return name === "vector" ? { tag: name, val: length } : { tag: name };
}

/** The contract's fields for a map of types. */
export function toFields(types) {
    return [...types].map(([name, type]) => ({ name, dataType: dataType(type), nullable: type.nullable }));
}

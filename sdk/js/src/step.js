// What a step's file exports: a role, and what the step says and does. Common to all roles are the settings.

import { firstNull } from "./columns.js";
import { InvalidInput, Permanent } from "./errors.js";
import { parameters } from "./host/config.js";
import { parse, parseAll } from "./types.js";

/** `does` is the step itself; each role's page says which methods it has. */
export class Step {
    constructor(role, does) {
        this.role = role;
        this.does = does;
    }
}

/** A step of a role: an object or an instance of a class, and the one function that may stand after it. */
export function step(role, does, name, body) {
    if (does === null || typeof does !== "object") {
        throw new Permanent(`expected an object that says what the ${role} is, got ${does}`);
    }
    const whole = body ? Object.assign(Object.create(does), { [name]: body }) : does;
    for (const needed of REQUIRED[role]) {
        if (typeof whole[needed] !== "function") throw new Permanent(`expected a function \`${needed}\` of the ${role}, got none`);
    }
    return new Step(role, whole);
}

const REQUIRED = {
    rowWise: ["apply"],
    transformer: ["run"],
    collector: ["read"],
    validator: ["check"],
    learner: ["train", "load", "predict"],
    evaluator: ["evaluate"],
    sink: ["deliver"],
};

/** The second argument of all that a step defines: its parameters, and what the call is about. */
export class Context {
    constructor(does, about = {}) {
        Object.defineProperty(this, "does", { value: does });
        Object.assign(this, about);
    }

    /** The step's parameters by name: what the pipeline sets, else the schema's default; without either, absent. */
    get params() {
        return { ...defaults(this.does.parameters ?? {}), ...JSON.parse(parameters()) };
    }
}

function defaults(schemas) {
    const given = Object.entries(schemas).filter(([, schema]) => "default" in schema);
    return Object.fromEntries(given.map(([name, schema]) => [name, schema.default]));
}

/** Columns or names that a step declares: a value, or a function of its context that gives it. */
export function declared(does, key, context, otherwise) {
    const said = does[key];
    return (typeof said === "function" ? said.call(does, context) : said) ?? otherwise;
}

/** The columns of a table that a step reads, by name: each comes over when it is first looked at, and is checked then. */
export function readable(reads, table) {
    const columns = Object.create(null);
    for (const [name, type] of parseAll(reads)) {
        const get = () => checked(table, name, type);
        Object.defineProperty(columns, name, { get, enumerable: true, configurable: true });
        requireType(table, name, type);
    }
    return columns;
}

function requireType(table, name, type) {
    const got = parse(name, table.select([name]).types[name]);
    if (!type.fits(got)) throw new InvalidInput(name, `expected ${type}, got ${got}`);
}

function checked(table, name, type) {
    const column = table.column(name);
    const row = type.nullable ? -1 : firstNull(column);
    if (row < 0) return column;
    throw new InvalidInput(name, `expected no nulls, got one in row ${row}; \`${type}?\` in \`reads\` allows them`);
}

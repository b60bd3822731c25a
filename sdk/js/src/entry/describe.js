// The interface `description`: what a step is, and what it needs and gives under its parameters and inputs.

import { Permanent } from "../errors.js";
import { Context, Step } from "../step.js";
import { fromField, parseAll, toFields } from "../types.js";
import { exported } from "./guard.js";

/** What a step's file exports by default, once it is known to be a step of this role. */
export function doesOf(given, role, file) {
    if (given instanceof Step && given.role === role) return given.does;
    const got = given instanceof Step ? `a ${given.role}` : given === undefined ? "none" : typeof given;
    throw new Permanent(`${file}: expected \`export default ${role}(..)\`, got ${got}`);
}

/** `ports(context, wired)` gives the inputs and outputs; `wired` are the columns on the inputs, `{port: {name: type}}`. */
export function description(does, { name, learns = false }, ports) {
    const describe = exported((inputs) => {
        const { takes, gives } = portsOf(does, inputs, ports);
        return {
            name: does.name ?? name,
            version: does.version ?? "0.1.0",
            summary: does.summary ?? "",
            parameters: JSON.stringify(schema(does.parameters ?? {})),
            inputs: Object.entries(takes).map(([port, columns]) => ({ name: port, columns: toFields(parseAll(columns)) })),
            outputs: gives.map(([port, columns, rows]) => ({ name: port, columns: toFields(parseAll(columns)), rows })),
            learns,
        };
    });
    return { describe };
}

function portsOf(does, inputs, ports) {
    const columns = (port) => Object.fromEntries(port.columns.map((field) => [field.name, String(fromField(field))]));
    const wired = Object.fromEntries(inputs.map((port) => [port.name, columns(port)]));
    try {
        return ports(new Context(does, { inputs: wired }), wired);
    } catch (error) {
        // A person who asks what the plugin is sets no parameters, and the step's columns may depend on one.
        if (inputs.length > 0) throw error;
        return { takes: {}, gives: [] };
    }
}

function schema(properties) {
    return {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        properties,
        required: Object.keys(properties).filter((name) => !("default" in properties[name])),
        additionalProperties: false,
    };
}

/** Row i of the output is made of row i of that input alone. */
export function same(port) {
    return { tag: "same", val: port };
}

/** Some rows of that input, its columns unchanged. */
export function subset(port) {
    return { tag: "subset", val: port };
}

export const other = { tag: "other" };

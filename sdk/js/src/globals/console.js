// What the build puts in the place of `console`: the step's log.

import { shown } from "../made.js";
import { log } from "../report.js";

function text(values) {
    return values.map((value) => (typeof value === "string" ? value : printed(value))).join(" ");
}

function printed(value) {
    if (value instanceof Error) return String(value);
    if (typeof value === "object" && value !== null) return JSON.stringify(value, (_, inner) => plain(inner));
    return typeof value === "function" ? shown(value) : String(value);
}

function plain(value) {
    return typeof value === "bigint" ? Number(value) : value;
}

const at = (level) => (...values) => log(text(values), level);

export const console = { debug: at("debug"), log: at("info"), info: at("info"), warn: at("warn"), error: at("error") };

// A sink -> the interfaces `description` and `sink`.

import { Permanent } from "../errors.js";
import { shown } from "../made.js";
import { Context, declared } from "../step.js";
import { lift } from "../table.js";
import { description, doesOf } from "./describe.js";
import { contents, exported } from "./guard.js";

export function bind(given, about) {
    const does = doesOf(given, "sink", about.file);
    const deliver = exported((key, delivery) => receipt(does.deliver(key, delivered(delivery), new Context(does))));
    const ports = (context) => ({ takes: declared(does, "takes", context, { table: {} }), gives: [] });
    return { description: description(does, about, ports), sink: { deliver } };
}

/** `{ table }`, `{ report }` or `{ model }`. */
function delivered({ tag, val }) {
    if (tag === "table") return { table: lift(val) };
    if (tag === "report") return { report: JSON.parse(val) };
    return { model: { files: contents(val.files), about: JSON.parse(val.about) } };
}

function receipt(given) {
    if (typeof given?.location !== "string") {
        throw new Permanent(`expected a receipt with a \`location\` from \`deliver\`, got ${shown(given)}`);
    }
    return { location: given.location, repeated: Boolean(given.repeated) };
}

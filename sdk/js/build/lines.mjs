// A source map -> where in the user's own files each line of the bundle is from.

import { relative, resolve, sep } from "node:path";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** `{line of the bundle: "step.js, line 3"}`, for files beneath the step's folder that are not the SDK's. */
export function sourceLines({ mappings, sources }, root, sdk) {
    const paths = sources.map((source) => resolve(root, source));
    const own = paths.map((path) => path.startsWith(root + sep) && !path.startsWith(sdk + sep));
    const lines = {};
    let [source, line] = [0, 0];
    mappings.split(";").forEach((segments, index) => {
        for (const segment of segments ? segments.split(",") : []) {
            const [, ofSource = 0, ofLine = 0] = numbers(segment);
            source += ofSource;
            line += ofLine;
            if (own[source]) lines[index + 1] ??= `${relative(root, paths[source])}, line ${line + 1}`;
        }
    });
    return lines;
}

/** The numbers of a segment, in base 64 with the sign in the lowest bit. */
function numbers(segment) {
    const found = [];
    let [value, shift] = [0, 0];
    for (const character of segment) {
        const digit = DIGITS.indexOf(character);
        value |= (digit & 31) << shift;
        shift += 5;
        if (digit & 32) continue;
        found.push(value & 1 ? -(value >> 1) : value >> 1);
        [value, shift] = [0, 0];
    }
    return found;
}

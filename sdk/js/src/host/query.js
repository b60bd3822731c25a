// `stepwell:data/query` where there is no host: there is no SQL.

import { Permanent } from "../errors.js";

export function run() {
    throw new Permanent("`query` needs the host: run the step as a plugin");
}

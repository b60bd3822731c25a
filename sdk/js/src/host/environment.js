// `stepwell:platform/environment` where there is no host: what `pretend` says.

import { pretended } from "../pretend.js";

export function variable(name) {
    return pretended.environment[name];
}

// `stepwell:tensor/tensors` where there is no host: there are no tensors.

import { Permanent } from "../errors.js";

/** What stands for a resource of the host's: each use of it is an error. */
export function absent(name) {
    const refuse = () => {
        throw new Permanent(`\`${name}\` needs the host: run the step as a plugin`);
    };
    return new Proxy(class {}, { get: refuse, construct: refuse });
}

export const Tensor = absent("Tensor");

// Lets node find `stepwell` in a folder where nothing is installed: `node --import ./.stepwell-sdk/sdk/js/register.js`.

import { register } from "node:module";

const places = { stepwell: "./src/index.js", "stepwell/tensor": "./src/tensor.js" };
const urls = Object.fromEntries(Object.entries(places).map(([name, path]) => [name, new URL(path, import.meta.url).href]));
// By itself, Node.js takes the types out of a `.ts` from 22.18 on. An older one says only that it does not know the ending.
const plain = process.features.typescript ? null : "a step in TypeScript is tested natively by Node.js 22.18 or newer; "
    + "`stepwell plugin test` runs it as a component, whatever Node.js is here";
const hooks = `const urls = ${JSON.stringify(urls)};
export const resolve = (name, context, next) => (name in urls ? { url: urls[name], shortCircuit: true } : next(name, context));
const plain = ${JSON.stringify(plain)};
export const load = (url, context, next) => {
    if (plain && url.endsWith(".ts")) throw new Error(plain);
    return next(url, context);
};`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
